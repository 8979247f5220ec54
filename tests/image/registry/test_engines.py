"""What we push, the engines that people have pull, by the same digest, and run; and back."""

from __future__ import annotations

import json
import shutil
import subprocess
from typing import TYPE_CHECKING, Any

import pytest

from tests.image.registry.real import PASSWORD, USER, Registry, make_certificates, registry
from tests.people.command import ROOTGEN, rootgen, succeed
from tests.people.test_pack import AS_USER, open_place
from tests.truth.engines import containerd, podman

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

__all__ = ["open_place"]
_HELLO = ("busybox", "echo", "hello")


@pytest.fixture(scope="module")
def there(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Registry]:
    """Run an open registry for this module."""
    with registry(tmp_path_factory.mktemp("registry")) as running:
        yield running


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> str:
    """Make a store with a tree of busybox as ``box:1``."""
    top = tmp_path_factory.mktemp("made")
    succeed("make", "busybox", "--out", str(top / "tree"))
    succeed("commit", str(top / "tree"), "-t", "box:1", "--store", str(top / "store"))
    return str(top / "store")


def _push(store: str, name: str, *options: str) -> str:
    told = succeed(
        "push", "box:1", name, "--store", store, "--json", *(options or ["--plain-http"])
    )
    digest: str = json.loads(told)["digest"]
    return digest


def test_podman(there: Registry, store: str) -> None:
    """What we push podman pulls by its digest and runs; what it pushes we pull and run."""
    name = f"{there.host}/podman/box:1"
    digest = _push(store, name)
    with podman() as its:
        its("pull", "-q", "--tls-verify=false", name)
        assert its("image", "inspect", "--format", "{{.Digest}}", name).strip() == digest
        assert its("run", "--rm", "--network", "none", name, *_HELLO) == "hello\n"
        back = f"{there.host}/podman/back:1"
        its("push", "-q", "--tls-verify=false", name, back)
    told = succeed("pull", back, "--plain-http", "--store", store, "--json")
    assert json.loads(told)["digest"] == _skopeo_digest(back)
    assert succeed("run", "--store", store, back, "--", *_HELLO) == "hello\n"


@pytest.mark.root
def test_containerd(there: Registry, store: str) -> None:
    """Containerd, which Kubernetes runs, pulls the digest that we pushed, and runs it."""
    name = f"{there.host}/containerd/box:1"
    digest = _push(store, name)
    with containerd() as ctr:
        native = ("--snapshotter", "native")
        ctr("image", "pull", "--plain-http", *native, name)
        (line,) = [one for one in ctr("image", "ls").splitlines() if one.startswith(f"{name} ")]
        assert line.split()[2] == digest == _skopeo_digest(name)
        assert ctr("run", *native, "--rm", name, "t", *_HELLO) == "hello\n"


def test_login_of_podman(store: str, tmp_path: Path) -> None:
    """What ``podman login`` wrote is what we log in by, over TLS of a private authority."""
    ca = make_certificates(tmp_path / "tls") / "ca.crt"
    (tmp_path / "none").write_text("{}")
    with registry(tmp_path / "registry", login=True, tls=ca.parent) as there, podman() as its:
        name = f"{there.host}/private/box:1"
        own = ("--cert-dir", str(its.place / "certs"))
        (its.place / "certs").mkdir()
        shutil.copy(ca, its.place / "certs")
        its("login", *own, "--username", USER, "--password-stdin", there.host, given=PASSWORD)
        login = ("--authfile", str(its.place / "auth.json"), "--ca", str(ca))
        digest = _push(store, name, *login)
        its("pull", "-q", *own, name)
        assert its("image", "inspect", "--format", "{{.Digest}}", name).strip() == digest
        login = ("--authfile", str(tmp_path / "none"), "--ca", str(ca))
        done = rootgen("pull", name, "--store", store, *login)
        assert f"{there.host} wants a login" in done.stderr


def test_bill_of_materials(there: Registry, store: str) -> None:
    """What is attached arrives with the image, where skopeo finds it by the image's digest."""
    succeed("sbom", "box:1", "--format", "cyclonedx", "--attach", "--store", store)
    name = f"{there.host}/sbom/box"
    told = json.loads(
        succeed("push", "box:1", f"{name}:1", "--plain-http", "--store", store, "--json")
    )
    assert told["attached"] == 1
    listed = _raw(f"{name}:{told['digest'].replace(':', '-')}")
    (about,) = listed["manifests"]
    assert about["artifactType"] == "application/vnd.cyclonedx+json"
    manifest = _raw(f"{name}@{about['digest']}")
    assert manifest["subject"]["digest"] == told["digest"] == _skopeo_digest(f"{name}:1")


def _skopeo_digest(name: str) -> str:
    """Return the digest that skopeo sees of an image at a registry without TLS."""
    command = ["skopeo", "inspect", "--tls-verify=false", f"docker://{name}"]
    done = subprocess.run(command, check=True, capture_output=True)
    found: str = json.loads(done.stdout)["Digest"]
    return found


def _raw(name: str) -> Any:
    command = ["skopeo", "inspect", "--raw", "--tls-verify=false", f"docker://{name}"]
    return json.loads(subprocess.run(command, check=True, capture_output=True).stdout)


@pytest.mark.root
def test_two_users(there: Registry, open_place: Path) -> None:
    """What root and an ordinary user each made is the same image, and goes over the wire once."""
    told = []
    for who, become in (("root", ()), ("user", AS_USER)):
        place = str(open_place / who)
        for command in (
            ("make", "busybox", "--out", f"{place}-tree"),
            ("commit", f"{place}-tree", "-t", "box:1", "--store", f"{place}-store"),
            ("push", "box:1", f"{there.host}/two/box:1", "--plain-http", "--json"),
        ):
            words = [*become, ROOTGEN, *command]
            words += ["--store", f"{place}-store"] if command[0] == "push" else []
            done = subprocess.run(words, check=True, capture_output=True)
        told.append(json.loads(done.stdout))
    assert told[0]["digest"] == told[1]["digest"]
    assert (told[0]["pushed"], told[1]["pushed"], told[1]["bytes"]) == (2, 0, 0)
