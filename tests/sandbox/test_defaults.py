"""What a tree's manifest says of env, user and workdir: defaults inside, and nothing more."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from rootgen.api.run import NO_DEFAULTS
from rootgen.plan.manifest import manifest_bytes, manifest_of
from rootgen.plan.plan import Plan
from rootgen.profile.model import ImageConfig
from tests.sandbox.tree import launch, shell

if TYPE_CHECKING:
    from pathlib import Path

NONE: dict[str, object] = {
    "entrypoint": [],
    "command": [],
    "user": "",
    "workdir": "",
    "env": [],
    "labels": [],
}


def _write(tree: Path, line: str) -> None:
    (tree / "var/lib/rootgen").mkdir(parents=True)
    (tree / "var/lib/rootgen/manifest.json").write_text(f"{line}\n]}}\n")


def _head(**image: object) -> str:
    head = {"rootgen": 1, "digest": "", "programs": [], "image": NONE | image}
    return json.dumps(head, separators=(",", ":"))[:-1] + ',"entries":['


def test_defaults(tree: Path) -> None:
    """They hold where no option says otherwise."""
    image = {"user": "77:88", "workdir": "/var", "env": [["A", "one"], ["HOME", "/srv"]]}
    _write(tree, _head(**image))
    (tree / "var").chmod(0o755)
    script = "echo $(id -u) $(id -g) $(pwd) $A $HOME"
    if "not one of the ids" not in launch(tree, "true").stderr.decode():
        assert shell(tree, script) == "77 88 /var one /srv"
    options = ["--user", "0", "--workdir", "/etc", "--env", "A=two"]
    assert shell(tree, script, options) == "0 0 /etc two /srv"


def test_written_without_defaults() -> None:
    """What a manifest without defaults begins with is known without reading JSON."""
    manifest = manifest_of((), Plan(()), ImageConfig(labels=(("a", "b"),)))
    assert NO_DEFAULTS in manifest_bytes(manifest).split(b"\n")[0]


def test_no_defaults(tree: Path) -> None:
    """A manifest without any changes nothing, and nothing is said."""
    _write(tree, _head())
    done = launch(tree, "pwd")
    assert (done.stdout, done.stderr) == (b"/\n", b"")


@pytest.mark.parametrize(
    "line",
    [
        "{}",
        "",
        '{"rootgen":1,"entries":[',
        _head(user=7),
        _head(env=[["A"]]),
        _head(env=[["A=B", "c"]]),
        _head(env=[["", "c"]]),
        _head(user="5", extra=1),
        "[" * 100_000,
        "\x00\xff",
        _head(user="5").replace('"rootgen":1', '"rootgen":9'),
    ],
)
def test_malformed(tree: Path, line: str) -> None:
    """What is no manifest sets nothing, is told, and stops nobody."""
    _write(tree, line)
    done = launch(tree, "pwd")
    assert done.stdout == b"/\n"
    assert b"Traceback" not in done.stderr
    assert b"sets no defaults" in done.stderr


@pytest.mark.parametrize("directory", ["/proc/self/fd/3", "/proc/1/cwd", "/proc/self/cwd/../../.."])
def test_hostile_directory(tree: Path, directory: str) -> None:
    """A directory that leads through procfs to what somebody has open is refused."""
    _write(tree, _head(workdir=directory))
    done = launch(tree, "ls")
    assert done.returncode == 125
    assert directory.encode() in done.stderr


def test_gives_no_privilege(tree: Path) -> None:
    """Capabilities and namespaces are the same whatever the manifest says."""
    script = "grep -E 'Cap|NoNew' /proc/self/status"
    before = shell(tree, script)
    _write(tree, _head(user="0", env=[["LD_PRELOAD", "/x.so"], ["container", "none"]]))
    assert shell(tree, script) == before


@pytest.mark.parametrize("kind", ["link", "directory"])
def test_no_file(tree: Path, tmp_path: Path, kind: str) -> None:
    """A manifest that is no file of the tree is none: a link is not followed."""
    (tree / "var/lib/rootgen").mkdir(parents=True)
    place = tree / "var/lib/rootgen/manifest.json"
    (tmp_path / "outside").write_text(_head(workdir="/etc"))
    if kind == "link":
        place.symlink_to(tmp_path / "outside")
    else:
        place.mkdir()
    assert shell(tree, "pwd") == "/"
