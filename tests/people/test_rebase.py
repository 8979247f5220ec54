"""``rootgen rebase``: increments moved onto another base, or refused with the reason."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from rootgen.api.images import find_image
from rootgen.image.addition import store_image
from rootgen.image.store import Store
from tests.image.stacks import add_stack, busybox_layer, file, link, member
from tests.people.command import rootgen, succeed
from tests.people.versioned import NAME, library, program

if TYPE_CHECKING:
    from collections.abc import Sequence

LIBRARIES = "usr/lib/x86_64-linux-gnu"
BASE = "bash cat cp env ls mkdir mv rm sort true wc".split()


def _make(top: Path, name: str, *arguments: str) -> None:
    succeed("make", *arguments, "-t", name, "--store", "store", directory=top)


def _image(store: Path, name: str) -> dict[str, Any]:
    inspected: dict[str, Any] = json.loads(succeed("inspect", name, "--store", str(store)))
    return inspected


def _layers(store: Path, name: str) -> list[tuple[str, str]]:
    return [(one["digest"], one["diff_id"]) for one in _image(store, name)["layers"]]


def _unpack(store: Path, name: str, to: Path) -> Path:
    """Unpack an image by umoci, from a copy that skopeo made, whose layers are the store's."""
    copy = f"{to}/copy:image"
    subprocess.run(["skopeo", "copy", "--quiet", f"oci:{store}:{name}", f"oci:{copy}"], check=True)
    shown = subprocess.run(["skopeo", "inspect", f"oci:{copy}"], capture_output=True, check=True)
    assert json.loads(shown.stdout)["Layers"] == [one for one, _ in _layers(store, name)]
    rootless = ["--rootless"] if os.geteuid() else []
    command = ["umoci", "unpack", *rootless, "--image", copy, str(to / "bundle")]
    subprocess.run(command, check=True)
    return to / "bundle/rootfs"


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Make a base, increments of git and of a service in Python over it, and the base upgraded."""
    top = tmp_path_factory.mktemp("rebase")
    _make(top, "base:1", *BASE)
    (top / "service.py").write_text("#!/usr/bin/env python3\nimport json\nprint(json.dumps(1))\n")
    (top / "service.py").chmod(0o755)
    _make(top, "tools/git:1", "git", "--base", "base:1")
    service = f"{top}/service.py:/usr/bin/service"
    _make(top, "service:1", "python3", "--add", service, "--base", "base:1")
    # Some of it is another build of what it was, and there is more of it.
    (top / "new").mkdir()
    added = ("--add", f"{top}/new:/srv/new")
    succeed("make", *BASE, "sed", *added, "--out", "upgraded", directory=top)
    for one in ("usr/bin/bash", f"{LIBRARIES}/libtinfo.so.6"):
        with (top / "upgraded" / one).open("ab") as built:
            built.write(b"another build")
    succeed("commit", "upgraded", "-t", "base:2", "--store", "store", directory=top)
    return top


@pytest.mark.parametrize(
    ("name", "command", "printed"),
    [
        ("tools/git", ["git", "--version"], "git version"),
        ("service", ["service"], "1\n"),
    ],
)
def test_upgraded(
    place: Path, tmp_path: Path, record_property: Any, name: str, command: list[str], printed: str
) -> None:
    """The increments are over the new base, the same to the byte, and run there."""
    store = place / "store"
    line = ("rebase", f"{name}:1", "--onto", "base:2", "-t", f"{name}:2", "--json")
    done = json.loads(succeed(*line, "--store", str(store)))
    assert (done["base"], done["onto"], done["refusals"]) == ("base:1", "base:2", [])
    old, new = _layers(store, f"{name}:1"), _layers(store, f"{name}:2")
    under = len(_layers(store, "base:2"))
    assert new[:under] == _layers(store, "base:2")
    assert new[under] == old[2]
    assert [one["reused"] for one in done["image"]["layers"]] == [True, False]
    sizes = [one["size"] for one in _image(store, f"{name}:2")["layers"]]
    figure = f"rebase of {name}: base {sum(sizes[:under])} bytes, increment {sizes[under]}"
    record_property("figure", f"{figure}, written anew {sizes[-1]}")
    assert sizes[-1] < sum(sizes) / 50
    ran = succeed("run", "--store", str(store), f"{name}:2", "--", *command)
    assert ran.startswith(printed)
    assert succeed("run", "--store", str(store), f"{name}:2", "--", "sed", "--version")
    assert "nothing is damaged" in succeed("store", "verify", "--store", str(store))
    unpacked = _unpack(store, f"{name}:2", tmp_path)
    assert " unchanged, " in succeed("check", str(unpacked))
    assert (unpacked / "srv/new").is_dir()
    assert (unpacked / "usr/bin/bash").read_bytes().endswith(b"another build")


def test_checked(place: Path) -> None:
    """A dry run makes nothing; ``--explain`` names what was resolved, and of whom."""
    store = ("--store", "store")
    before = succeed("images", *store, directory=place)
    line = ("rebase", "service:1", "--onto", "base:2", "--dry-run", *store)
    said = succeed(*line, "--explain", directory=place)
    assert said.startswith("service:1: can be rebased from base:1 onto base:2\n")
    assert "\n  /usr/bin/env (base:2)\n" in said
    document = json.loads(succeed(*line, "--json", directory=place))
    checked = {one["path"]: one["of_base"] for one in document["checked"]}
    assert checked["/usr/bin/service"] == ["/usr/bin/env"]
    assert document["image"] is None
    assert document["base_programs"] > len(BASE)
    assert succeed("images", *store, directory=place) == before


def test_the_same_base(place: Path) -> None:
    """Onto the base that it has an image is itself; it keeps its name, or has another as well."""
    store, digest = place / "store", _image(place / "store", "service:1")["digest"]
    line = ("rebase", "service:1", "--onto", "base:1", "--store", str(store))
    for more in ((), ("-t", "same:1")):
        succeed(*line, *more)
        assert _image(store, "service:1")["digest"] == digest
    assert _image(store, "same:1")["digest"] == digest


def test_there_and_back(place: Path) -> None:
    """Moved there and back again it is what it was."""
    store = ("--store", "store")
    line = ("rebase", "service:1", "--onto", "base:2", "-t", "back:1", *store)
    succeed(*line, directory=place)
    succeed("rebase", "back:1", "--onto", "base:1", *store, directory=place)
    first, back = (_image(place / "store", one) for one in ("service:1", "back:1"))
    assert back["digest"] == first["digest"]


# What must be refused


class Case:
    """An ``app`` over a base with a library in two versions, and other bases."""

    def __init__(self, top: Path) -> None:
        self.top = top
        self.tree("root", "V_1 V_2")
        program(top / "root/usr/bin/app", top / "root" / LIBRARIES, "V_2")
        self.base("new:1", "V_1 V_2")
        _make(top, "app:1", "/usr/bin/app", "--sysroot", "root", "--base", "new:1")

    def tree(self, name: str, versions: str) -> Path:
        """Write a tree of ``bash``, and the library in ``versions`` where there are any."""
        succeed("make", "true", "bash", "--out", name, "--force", directory=self.top)
        (self.top / name / "var/lib/rootgen/manifest.json").unlink()
        if versions:
            library(self.top / name / LIBRARIES, versions)
        return self.top / name

    def base(self, name: str, versions: str) -> None:
        """Make such a tree an image."""
        tree = self.tree("tree", versions)
        self.commit(tree, name)

    def commit(self, tree: Path, name: str) -> None:
        """Make a tree an image."""
        succeed("commit", str(tree), "-t", name, "--store", "store", directory=self.top)
        shutil.rmtree(tree)

    def refused(self, name: str, *words: str, image: str = "app:1") -> None:
        """Demand that ``image`` is not moved onto ``name``, which is told in ``words``."""
        refused(self.top, image, name, words)


def refused(top: Path, image: str, onto: str, words: Sequence[str]) -> None:
    """Demand that nothing is made, and that it is told why, once."""
    store = ("--store", "store")
    before = succeed("images", *store, directory=top)
    line = ("rebase", image, "--onto", onto, *store)
    done = rootgen(*line, directory=top)
    assert (done.returncode, done.stdout, done.stderr.count("rootgen: ")) == (1, "", 1)
    assert f"{image} cannot be rebased onto {onto}" in done.stderr
    for one in words:
        assert one in done.stderr
    as_json = rootgen(*line, "--json", directory=top)
    document = json.loads(as_json.stdout)
    assert (as_json.returncode, document["image"]) == (1, None)
    assert document["refusals"]
    assert succeed("images", *store, directory=top) == before


@pytest.fixture(scope="module")
def case(tmp_path_factory: pytest.TempPathFactory) -> Case:
    """Make the images once: who is refused changes nothing."""
    return Case(tmp_path_factory.mktemp("refused"))


def test_version_lacks(case: Case) -> None:
    """A library of the base that is too old is named, and the version, the chain and the layer."""
    case.base("old:1", "V_1")
    wants = f"/usr/bin/app wants V_2 of {NAME}; /{LIBRARIES.removeprefix('usr/')}/{NAME} has it not"
    case.refused("old:1", f"{wants} (it is of old:1) (rootgen make /usr/bin/app)")


def test_library_lacks(case: Case) -> None:
    """So is a library that the base has not at all."""
    case.base("none:1", "")
    case.refused("none:1", f"/usr/bin/app wants {NAME}, which is not found")


def test_another_architecture(case: Case) -> None:
    """A base for another machine is told in one line."""
    store = str(case.top / "store")
    image = find_image(store, "new:1")
    with Store(store) as opened, opened.adding():
        config = image.config._replace(architecture="arm64")
        store_image(opened, "arm:1", image.manifest.layers, config)
    case.refused("arm:1", "/usr/bin/app is for linux/amd64; arm:1 is for linux/arm64")


def test_of_several_platforms(case: Case) -> None:
    """Of an image for several machines this one's is moved, and does not take the name of all."""
    store = str(case.top / "store")
    image = find_image(store, "app:1")
    with Store(store) as opened, opened.adding():
        config = image.config._replace(architecture="arm64")
        store_image(opened, "app:arm", image.manifest.layers, config)
    case.base("newer:1", "V_1 V_2 V_3")
    succeed("index", "app:all", "app:1", "app:arm", "--store", store)
    line = ("rebase", "app:all", "--onto", "newer:1", "--store", store)
    done = rootgen(*line)
    assert (done.returncode, "app:all is for several platforms" in done.stderr) == (1, True)
    succeed(*line, "-t", "app:moved")
    assert succeed("run", "--store", store, "app:moved", "--", "app") == ""


def test_the_bases_own(case: Case) -> None:
    """What the increments replace must still do for the new base's programs."""
    for name, versions in (("mine:1", "V_2"), ("theirs:1", "V_1")):
        tree = case.tree("tree", versions)
        if name == "theirs:1":
            program(tree / "usr/bin/old", tree / LIBRARIES, "V_1")
            case.commit(tree, name)
    case.base("first:1", "V_1")
    tree = case.tree("root2", "V_2")
    program(tree / "usr/bin/app", tree / LIBRARIES, "V_2")
    _make(case.top, "app:2", "/usr/bin/app", "--sysroot", "root2", "--base", "first:1")
    shutil.rmtree(tree)
    what = f"/usr/bin/old wants V_1 of {NAME}; /{LIBRARIES.removeprefix('usr/')}/{NAME} has it not"
    of = "(it is of rootgen make /usr/bin/app) (theirs:1)"
    case.refused("theirs:1", f"{what} {of}", image="app:2")


def test_interpreter_lacks(tmp_path: Path) -> None:
    """A script, a link to a program and what the image starts with are the base's to have."""
    tools = tmp_path / "tools"
    tools.mkdir()
    (tools / "tool").write_text("#!/usr/bin/bash\necho tool\n")
    (tools / "tool").chmod(0o755)
    os.symlink("/usr/bin/bash", tools / "shell")
    (tmp_path / "start.yaml").write_text(
        "rootgen: 1\nname: start\nimage: {entrypoint: [/usr/bin/bash]}\n"
    )
    _make(tmp_path, "base:1", "true", "bash")
    _make(tmp_path, "less:1", "true")
    _make(tmp_path, "tool:1", "-f", "start.yaml", "--add", "tools:/opt", "--base", "base:1")
    words = (
        "/opt/tool cannot be started: its interpreter /usr/bin/bash is not there",
        "/opt/shell leads to /usr/bin/bash, which is not there in the new base",
        "/usr/bin/bash is what the image starts with",
    )
    refused(tmp_path, "tool:1", "less:1", words)


def test_another_layout(tmp_path: Path) -> None:
    """A directory that has become a link: what lies in it would not be where it was."""
    store = str(tmp_path / "store")
    base = [member("lib2"), file("lib2/x", b"1"), *busybox_layer()]
    merged = [member("usr"), member("usr/lib2"), link("lib2", "usr/lib2"), *busybox_layer()]
    more = [member("lib2"), file("lib2/y", b"2")]
    add_stack(store, "base:1", [base])
    add_stack(store, "merged:1", [merged])
    add_stack(store, "more:1", [base, more])
    # Without a word of a base in it, it has to be told.
    done = rootgen("rebase", "more:1", "--onto", "merged:1", "--store", store)
    assert done.returncode == 1
    assert "its first layers are those of base:1: --base base:1" in done.stderr
    line = ("rebase", "more:1", "--base", "base:1", "--onto", "merged:1", "--store", store)
    done = rootgen(*line)
    assert done.returncode == 1
    assert "/lib2 is a directory, and is a symbolic link to usr/lib2 in the new" in done.stderr
    done = rootgen(*line[:2], "--base", "merged:1", *line[4:])
    assert (done.returncode, "more:1 does not lie over merged:1" in done.stderr) == (1, True)


def test_told(tmp_path: Path) -> None:
    """What an increment hides of what the base renewed is told, and not refused."""
    store = str(tmp_path / "store")
    more = [member("etc"), file("etc/old", b"mine\n"), file("etc/.wh.gone")]
    base = [*busybox_layer(), file("etc/gone", b"")]
    newer = [*busybox_layer(), file("etc/new", b"")]
    newer = [one for one in newer if one[0].name != "etc/old"] + [file("etc/old", b"newer\n")]
    add_stack(store, "base:1", [base])
    add_stack(store, "base:2", [newer])
    add_stack(store, "more:1", [base, more])
    line = ("rebase", "more:1", "--base", "base:1", "--onto", "base:2", "--store", store)
    said = succeed(*line)
    assert "/etc/old hides the new base's, which is another than the old one's" in said
    assert "/etc/gone is removed, and is not there any more" in said
    assert _layers(Path(store), "more:1")[1] == _layers(Path(store), "more:1")[-1]
    shown = succeed("run", "--store", store, "more:1", "--", "cat", "/etc/old", "/etc/new")
    assert shown == "mine\n"
    # It says from now on what it lies over.
    succeed("rebase", "more:1", "--onto", "base:2", "--store", store)


def test_of_a_run(tmp_path: Path) -> None:
    """What a command wrote over an image is an increment like any other."""
    store = str(tmp_path / "store")
    add_stack(store, "base:1", [busybox_layer()])
    add_stack(store, "base:2", [[*busybox_layer(), file("etc/new", b"newer\n")]])
    run = ("run", "--user", "0", "--store", store)
    succeed(*run, "--commit", "noted:1", "base:1", "--", "sh", "-c", "echo noted >/etc/note")
    succeed("rebase", "noted:1", "--onto", "base:2", "--store", store)
    shown = succeed(*run, "noted:1", "--", "cat", "/etc/note", "/etc/new")
    assert shown == "noted\nnewer\n"


@pytest.mark.parametrize(
    ("arguments", "status", "message"),
    [
        (["base:1"], 2, "onto which base? --onto IMAGE"),
        (["base:1", "--onto", "base:1"], 1, "does not say over which base it was made"),
        (["tools/gti:1", "--onto", "base:1"], 1, "did you mean tools/git:1?"),
        (["tools/git:1", "--onto", "./base"], 2, "'./base' is no name of an image"),
        (["tools/git:1", "--onto", "base:1", "-t", "A"], 2, "'A' is no name of an image"),
    ],
)
def test_wrong(place: Path, arguments: list[str], status: int, message: str) -> None:
    """One message, and nothing is made."""
    done = rootgen("rebase", *arguments, "--store", "store", directory=place)
    assert (done.returncode, message in done.stderr) == (status, True), done.stderr
