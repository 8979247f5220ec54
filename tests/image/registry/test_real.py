"""Push and pull with a real registry; others' tools read there what we wrote."""

from __future__ import annotations

import json
import os
import select
import socket
import subprocess
import threading
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

import pytest

from rootgen.image.descriptor import INDEX, MANIFEST, Platform
from rootgen.image.manifest import Index, index_bytes
from rootgen.image.platform import machine_platform
from rootgen.image.store import Store
from tests.image.registry.real import (
    PASSWORD,
    Registry,
    make_certificates,
    registry,
    write_login,
)
from tests.image.storing import add_image
from tests.people.command import rootgen, succeed

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_PLAIN = "--plain-http"


@pytest.fixture(autouse=True)
def _home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("REGISTRY_AUTH_FILE", "XDG_RUNTIME_DIR", "XDG_CONFIG_HOME", "DOCKER_CONFIG"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    """Make the user's own store, with one image."""
    with Store.open_or_make(str(tmp_path / "data/rootgen")) as made:
        add_image(made, "a:1", {"etc/x": b"1" * 10_000})
        yield made


@pytest.fixture(scope="module")
def there(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Registry]:
    """Run an open registry for this module."""
    with registry(tmp_path_factory.mktemp("registry")) as running:
        yield running


def _inspect(there: Registry, name: str) -> dict[str, object]:
    url = f"docker://{there.host}/{name}"
    done = subprocess.run(
        ["skopeo", "inspect", "--tls-verify=false", url], check=True, capture_output=True
    )
    found: dict[str, object] = json.loads(done.stdout)
    return found


def test_pushed_and_pulled(there: Registry, store: Store, tmp_path: Path) -> None:
    """What skopeo sees is what was pushed; umoci unpacks it; a pull brings the same back."""
    name = f"{there.host}/team/a:1"
    pushed = json.loads(succeed("push", "a:1", name, _PLAIN, "--json"))
    assert (pushed["pushed"], pushed["skipped"], pushed["mounted"]) == (2, 0, 0)
    found = store.find("a:1")
    assert found is not None
    assert _inspect(there, "team/a:1")["Digest"] == pushed["digest"] == found.digest

    copy = f"oci:{tmp_path}/copy:a"
    subprocess.run(
        ["skopeo", "copy", "-q", "--src-tls-verify=false", f"docker://{name}", copy], check=True
    )
    rootless = ["--rootless"] if os.geteuid() else []
    image = ["--image", f"{tmp_path}/copy:a"]
    subprocess.run(["umoci", "raw", "unpack", *rootless, *image, str(tmp_path / "t")], check=True)
    assert (tmp_path / "t/etc/x").stat().st_size == 10_000

    other = str(tmp_path / "other")
    pulled = json.loads(succeed("pull", name, "-t", "b:1", _PLAIN, "--store", other, "--json"))
    assert (pulled["digest"], pulled["pulled"], pulled["name"]) == (found.digest, 2, "b:1")
    assert "nothing is damaged" in succeed("store", "verify", "--store", other)
    again = json.loads(succeed("pull", name, _PLAIN, "--store", other, "--json"))
    assert (again["pulled"], again["skipped"], again["bytes"]) == (0, 2, 0)
    assert name in succeed("images", "--store", other)


def test_unchanged(there: Registry, store: Store) -> None:
    """An image that is there is asked for once, and nothing is sent."""
    add_image(store, "a:2", {"y": b"2"})
    succeed("push", "a:2", f"{there.host}/un/changed:1", _PLAIN)
    before = {one: len(there.requests(one)) for one in ("HEAD", "GET", "POST", "PUT", "PATCH")}
    told = succeed("push", "a:2", f"{there.host}/un/changed:1", _PLAIN)
    assert "0 blobs pushed (0 B), 2 there already" in told
    after = {one: len(there.requests(one)) for one in before}
    assert after == {**before, "HEAD": before["HEAD"] + 1}


def test_mounted(there: Registry, store: Store) -> None:
    """What went to one repository is not sent to another of the same registry."""
    add_image(store, "a:3", {"z": b"3"})
    succeed("push", "a:3", f"{there.host}/one/a:3", _PLAIN)
    pushed = json.loads(succeed("push", "a:3", f"{there.host}/two/a:3", _PLAIN, "--json"))
    assert (pushed["pushed"], pushed["mounted"], pushed["bytes"]) == (0, 2, 0)
    assert _inspect(there, "two/a:3")["Digest"] == pushed["digest"]


def test_large(there: Registry, store: Store, tmp_path: Path) -> None:
    """A layer of several parts arrives as it was."""
    add_image(store, "large:1", {"x": os.urandom(20 << 20)})
    succeed("push", "large:1", f"{there.host}/large:1", _PLAIN)
    assert any("/large/blobs/uploads/" in one for one in there.requests("PATCH"))
    other = str(tmp_path / "other")
    succeed("pull", f"{there.host}/large:1", _PLAIN, "--store", other)
    assert "nothing is damaged" in succeed("store", "verify", "--store", other)


@contextmanager
def _cutting(there: Registry, sizes: list[int], *, up: bool) -> Iterator[str]:
    """Stand before a registry; let so many bytes pass one way (``up`` to it), each time, and cut.

    Then, and the other way, let everything pass.
    """
    port = int(there.host.partition(":")[2])
    listener = socket.create_server(("127.0.0.1", 0))

    def serve(one: socket.socket) -> None:
        # Whoever is at an end may hang up first.
        with suppress(OSError), one, socket.create_connection(("127.0.0.1", port)) as other:
            ways, passed = {one: other, other: one}, 0
            counted = one if up else other
            while ready := select.select(list(ways), [], [], 20)[0]:
                for each in ready:
                    data = each.recv(65536)
                    passed += len(data) if each is counted else 0
                    if not data or (sizes and passed > sizes[0] and sizes.pop(0)):
                        return
                    ways[each].sendall(data)

    def accept() -> None:
        with suppress(OSError):  # closed, at the end
            while True:
                threading.Thread(target=serve, args=(listener.accept()[0],), daemon=True).start()

    thread = threading.Thread(target=accept)
    thread.start()
    try:
        yield f"127.0.0.1:{listener.getsockname()[1]}"
    finally:
        listener.shutdown(socket.SHUT_RDWR)
        listener.close()
        thread.join()


def test_cut(there: Registry, store: Store, tmp_path: Path) -> None:
    """A real registry goes on where a push was cut off, and so do we where a pull was."""
    size = 24 << 20
    found = add_image(store, "cut:1", {"x": os.urandom(size)})
    with _cutting(there, [10 << 20, 5 << 20], up=True) as name:
        told = json.loads(succeed("push", "cut:1", f"{name}/cut:1", _PLAIN, "--json"))
    assert told["digest"] == found.digest
    parts = len(there.requests("PATCH"))
    assert parts >= 3
    other = str(tmp_path / "other")
    cuts = [10 << 20, 5 << 20]
    with _cutting(there, cuts, up=False) as name:
        pulled = succeed("pull", f"{name}/cut:1", _PLAIN, "--store", other, "--json")
    assert (json.loads(pulled)["digest"], cuts) == (found.digest, [])
    assert "nothing is damaged" in succeed("store", "verify", "--store", other)


def test_several_platforms(there: Registry, store: Store, tmp_path: Path) -> None:
    """An index goes and comes whole with --all; else the manifest for a platform comes."""
    own = machine_platform(os.uname().machine)
    with store.adding():
        one = add_image(store, "m:1", {"x": b"own"})._replace(platform=own)
        two = add_image(store, "m:2", {"x": b"other"})._replace(platform=Platform("linux", "vax"))
        store.tag(store.write(INDEX, index_bytes(Index((two, one)))), "many:1")
    name = f"{there.host}/many:1"
    succeed("push", "many:1", name, _PLAIN)
    other = ("--store", str(tmp_path / "other"), _PLAIN, "--json")
    pulled = json.loads(succeed("pull", name, "-t", "own:1", *other))
    assert pulled["digest"] == one.digest
    pulled = json.loads(succeed("pull", name, "-t", "vax:1", "--platform", "linux/vax", *other))
    assert pulled["digest"] == two.digest
    done = rootgen("pull", name, "--platform", "linux/pdp11", *other)
    assert "has nothing for linux/pdp11" in done.stderr
    pulled = json.loads(succeed("pull", name, "-t", "all:1", "--all", *other))
    assert (
        pulled["digest"]
        == pulled["source"]
        == json.loads(succeed("push", "many:1", name, _PLAIN, "--json"))["digest"]
    )
    assert len(succeed("images", *other[:2]).splitlines()) == 4
    # Whoever wants one image of it has this machine's.
    assert json.loads(succeed("inspect", "all:1", *other[:2]))["digest"] == one.digest
    packed = ("pack", "all:1", "--to", "oci", str(tmp_path / "o.tar"), "--json", *other[:2])
    assert json.loads(succeed(*packed))["image"] == one.digest
    succeed("sbom", "all:1", "--attach", *other[:2])
    named = f"{there.host}/many@{two.digest}"
    assert json.loads(succeed("pull", named, *other))["name"] == named


def test_docker_manifests(there: Registry, store: Store, tmp_path: Path) -> None:
    """An image in docker's form is kept as it is, so that its digest holds."""
    name = f"{there.host}/docker:1"
    source = f"oci:{store.path}:a:1"
    subprocess.run(
        [
            "skopeo",
            "copy",
            "-q",
            "-f",
            "v2s2",
            "--dest-tls-verify=false",
            source,
            f"docker://{name}",
        ],
        check=True,
    )
    other = str(tmp_path / "other")
    pulled = json.loads(succeed("pull", name, _PLAIN, "--store", other, "--json"))
    assert pulled["digest"] == _inspect(there, "docker:1")["Digest"]
    assert name in succeed("images", "--store", other)
    with Store(other) as made:
        found = made.find(name)
    assert found is not None
    assert found.media_type != MANIFEST


def _damage(store: Store) -> None:
    blobs = dict(store.blobs())
    largest = max(blobs, key=lambda one: blobs[one])
    with open(f"{store.path}/blobs/sha256/{largest.removeprefix('sha256:')}", "r+b") as file:
        file.write(b"damage")


def test_damaged_here(there: Registry, store: Store) -> None:
    """A blob that is damaged here does not arrive, nor the name of its image."""
    add_image(store, "d:1", {"w": b"4" * 50_000})
    _damage(store)
    done = rootgen("push", "d:1", f"{there.host}/damaged:1", _PLAIN)
    assert (done.returncode, "its bytes have the digest" in done.stderr) == (1, True)
    assert "no image" in rootgen("pull", f"{there.host}/damaged:1", _PLAIN).stderr


def test_mended(there: Registry, store: Store) -> None:
    """A pull brings what is damaged here again."""
    name = f"{there.host}/mended:1"
    succeed("push", "a:1", name, _PLAIN)
    _damage(store)
    assert rootgen("store", "verify").returncode == 1
    told = json.loads(succeed("pull", name, "-t", "again:1", _PLAIN, "--json"))
    assert (told["pulled"], told["skipped"]) == (1, 1)
    assert "nothing is damaged" in succeed("store", "verify")


@pytest.mark.usefixtures("store")
def test_login(tmp_path: Path) -> None:
    """A login is found where podman and docker keep it, and never shown."""
    with registry(tmp_path / "registry", login=True) as there:
        name = f"{there.host}/a:1"
        done = rootgen("push", "a:1", name, _PLAIN)
        assert done.returncode == 1
        assert f"{there.host} wants a login" in done.stderr
        assert f"hint: podman login {there.host} (" in done.stderr
        write_login(tmp_path / "wrong.json", there.host, "wrong horse")
        done = rootgen("push", "a:1", name, _PLAIN, "--authfile", str(tmp_path / "wrong.json"))
        assert f"does not take the login of {tmp_path}/wrong.json" in done.stderr
        write_login(tmp_path / "home/.docker/config.json", there.host)
        succeed("push", "a:1", name, _PLAIN)
        (tmp_path / "home/.docker/config.json").unlink()
        _write_helper(tmp_path / "bin", there.host)
        path = f"{tmp_path}/bin:{os.environ['PATH']}"
        (tmp_path / "home/.docker/config.json").write_text('{"credsStore": "tests"}')
        done = rootgen("pull", name, "-t", "b:1", _PLAIN, env={"PATH": path})
        assert done.returncode == 0, done.stderr
        assert PASSWORD not in there.log.read_text()


def _write_helper(place: Path, host: str) -> None:
    place.mkdir()
    answer = json.dumps({"ServerURL": host, "Username": "ada", "Secret": PASSWORD})
    helper = place / "docker-credential-tests"
    helper.write_text(f"#!/bin/sh\n[ \"$(cat)\" = {host} ] && echo '{answer}'\n")
    helper.chmod(0o755)


@pytest.mark.usefixtures("store")
def test_tls(tmp_path: Path) -> None:
    """A private authority is believed where it is named, in any of the ways, and only there."""
    certificates = make_certificates(tmp_path / "tls")
    ca = str(certificates / "ca.crt")
    with registry(tmp_path / "registry", tls=certificates) as there:
        name = f"{there.host}/a:1"
        done = rootgen("push", "a:1", name)
        assert "its certificate is not believed: " in done.stderr
        assert "hint: name its authority with --ca FILE" in done.stderr
        succeed("push", "a:1", name, "--ca", ca)
        done = rootgen("pull", name, "-t", "b:1", env={"SSL_CERT_FILE": ca})
        assert done.returncode == 0, done.stderr
        own = tmp_path / f"home/.config/containers/certs.d/{there.host}"
        own.mkdir(parents=True)
        (own / "ca.crt").symlink_to(ca)
        succeed("pull", name, "-t", "c:1")
        done = rootgen("pull", name, "-t", "d:1", _PLAIN)
        assert (done.returncode, "hint: it has TLS: leave --plain-http out" in done.stderr) == (
            1,
            True,
        )


@pytest.mark.usefixtures("store")
def test_names() -> None:
    """A name without a registry is not guessed; nobody at the other end is told."""
    done = rootgen("pull", "debian:12")
    assert done.returncode == 2
    assert "docker.io/library/debian:12" in done.stderr
    done = rootgen("push", "a:1", "127.0.0.1:9/a:1")
    assert (done.returncode, "cannot connect to https://127.0.0.1:9" in done.stderr) == (1, True)
