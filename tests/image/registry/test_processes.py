"""Processes that end in the middle, disks that are full, several at once: the store is intact."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import threading
import time
from typing import TYPE_CHECKING

import pytest

from rootgen.image.store import Store
from tests.image.registry.hostile import Host, host
from tests.image.registry.places import Made, give, intact
from tests.image.storing import layer_tar
from tests.people.command import ROOTGEN, rootgen, succeed
from tests.people.test_make_errors import wait_for

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.image.registry.hostile import Handler

_LAYER = 24 << 20


class _Stalled:
    """A registry that stops in the middle of a layer, once, until it is told to go on."""

    def __init__(self, there: Host, image: Made) -> None:
        self.half, self.go_on = threading.Event(), threading.Event()

        def act(handler: Handler) -> None:
            handler.send_response(200)
            handler.send_header("Content-Length", str(len(image.data)))
            handler.end_headers()
            middle = len(image.data) // 2
            handler.wfile.write(image.data[:middle])
            self.half.set()
            self.go_on.wait(60)
            handler.wfile.write(image.data[middle:])

        there.fault("GET", image.layer, act)


@pytest.fixture
def there() -> Iterator[Host]:
    """Run a registry."""
    with host() as running:
        yield running


def _pull(there: Host, store: Path) -> list[str]:
    return [ROOTGEN, "pull", f"{there.name}/a:1", "--plain-http", "--store", str(store), "--json"]


def _ingest(store: Path) -> list[str]:
    return os.listdir(store / "ingest") if (store / "ingest").exists() else []


@pytest.mark.parametrize(
    "how", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL], ids=lambda one: one.name
)
def test_ended(there: Host, tmp_path: Path, how: signal.Signals) -> None:
    """A pull that is ended leaves no name, and what came whole; the next one brings the rest."""
    store = tmp_path / "store"
    image = give(there, 1 << 20)
    stalled = _Stalled(there, image)
    with subprocess.Popen(_pull(there, store), stderr=subprocess.PIPE) as process:
        assert stalled.half.wait(30)
        config = store / "blobs/sha256" / image.config.removeprefix("sha256:")
        wait_for(config.exists)
        begun = time.monotonic()
        process.send_signal(how)
        status = process.wait(30)
        assert time.monotonic() - begun < 5
    assert status == (130 if how == signal.SIGINT else -how)
    left = [] if how == signal.SIGINT else _ingest(store)
    assert len(left) <= 1
    stalled.go_on.set()
    assert "nothing is damaged" in succeed("store", "verify", "--store", str(store))
    with Store(str(store)) as opened:
        assert opened.index().manifests == ()
    done = subprocess.run(_pull(there, store), check=True, capture_output=True)
    again = json.loads(done.stdout)
    assert (again["pulled"], again["skipped"]) == (1, 1)
    succeed("gc", "--store", str(store))
    assert intact(store) == (f"{there.name}/a:1",)


_FULL = """
set -e
mount -t tmpfs -o size=48m tmpfs "$1"
"$2" pull "$3/a:1" --plain-http --store "$1/store" 2>"$4/told" &
until [ -e "$4/half" ]; do sleep 0.02; done
head -c 100M /dev/zero >"$1/filler" 2>/dev/null || true
touch "$4/full"
wait $! && exit 9
cat "$4/told"
ls "$1/store/ingest"
ls "$1/store/blobs/sha256"
rm "$1/filler"
"$2" store verify --store "$1/store"
"$2" images --store "$1/store"
"$2" pull "$3/a:1" --plain-http --store "$1/store"
"$2" store verify --store "$1/store"
"""


def test_full_disk(there: Host, tmp_path: Path) -> None:
    """A disk that fills in the middle of a pull: it says so, and leaves nothing half written."""
    image = give(there, layer=layer_tar({"x": os.urandom(_LAYER)}))
    stalled = _Stalled(there, image)
    (tmp_path / "disk").mkdir()
    command = ["unshare", "--map-root-user", "--mount", "sh", "-c", _FULL, "sh"]
    command += [str(tmp_path / "disk"), ROOTGEN, there.name, str(tmp_path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT) as process:
        assert stalled.half.wait(30)
        (tmp_path / "half").touch()
        wait_for((tmp_path / "full").exists)
        stalled.go_on.set()
        output = process.communicate(timeout=60)[0].decode()
    assert process.returncode == 0, output
    # Nothing half written, and of the image's blobs the one that came before.
    lines = output.splitlines()
    assert lines[0] == "rootgen: cannot write to the store: No space left on device"
    assert lines[1] == image.config.removeprefix("sha256:")
    assert image.layer.removeprefix("sha256:") not in lines
    assert sum("nothing is damaged" in line for line in lines) == 2
    assert f"{there.name}/a:1: 1 blob pulled" in lines[-2]


def test_no_room(there: Host, tmp_path: Path) -> None:
    """An image that is larger than what is free is not begun."""
    give(there, 100)
    free = os.statvfs(tmp_path)
    size = free.f_bavail * free.f_frsize * 2
    kind, data = there.manifests["1"]
    there.manifests["1"] = (kind, data.replace(b'"size":100}', b'"size":%d}' % size))
    done = rootgen("pull", f"{there.name}/a:1", "--plain-http", "--store", str(tmp_path / "store"))
    assert done.returncode == 1
    assert "has room for" in done.stderr
    assert there.asked("GET", "blobs") == []


def test_at_once(there: Host, tmp_path: Path) -> None:
    """Several pulls into one store and several pushes out of it, at once: all have their way."""
    store, image = tmp_path / "store", give(there, 12 << 20)
    pulls = [subprocess.Popen(_pull(there, store), stdout=subprocess.PIPE) for _ in range(3)]
    assert [one.wait(60) for one in pulls] == [0, 0, 0]
    for one in pulls:
        one.communicate()
    assert intact(store) == (f"{there.name}/a:1",)
    there.manifests.clear()
    there.blobs.clear()
    to = [f"{there.name}/b:{number}" for number in (1, 1, 2)]
    command = [ROOTGEN, "push", f"{there.name}/a:1"]
    options = ["--plain-http", "--store", str(store), "--json"]
    pushes = [subprocess.Popen([*command, one, *options], stdout=subprocess.PIPE) for one in to]
    told = [json.loads(one.communicate(timeout=60)[0])["digest"] for one in pushes]
    assert set(told) == {image.digest}
    assert there.blobs[image.layer] == image.data
    assert there.manifests["1"] == there.manifests["2"]
    assert intact(store) == (f"{there.name}/a:1",)


def test_pushed_and_collected(there: Host, tmp_path: Path) -> None:
    """While an image is pushed it may be removed and collected: what is sent stays until it is."""
    store, image = tmp_path / "store", give(there, 12 << 20)
    subprocess.run(_pull(there, store), check=True, capture_output=True)
    there.blobs.clear()
    there.manifests.clear()
    begun, go_on = threading.Event(), threading.Event()

    def act(_: Handler) -> bool:
        begun.set()
        go_on.wait(60)
        return True

    there.fault("PATCH", "uploads", act)
    command = [ROOTGEN, "push", f"{there.name}/a:1", f"{there.name}/b:1", "--plain-http"]
    with subprocess.Popen([*command, "--store", str(store)]) as process:
        assert begun.wait(30)
        succeed("rm", f"{there.name}/a:1", "--store", str(store))
        with subprocess.Popen([ROOTGEN, "gc", "--store", str(store)]) as collection:
            time.sleep(0.3)
            assert collection.poll() is None
            go_on.set()
            assert process.wait(60) == 0
            assert collection.wait(60) == 0
    assert there.blobs[image.layer] == image.data
    assert list((store / "blobs/sha256").iterdir()) == []
