"""``run`` and ``shell`` of an image by its name, as root and as an ordinary user."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import tarfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

import rootgen as api
from rootgen.errors import LaunchError
from rootgen.image.config import parse_config
from rootgen.image.stack import image_plan
from rootgen.image.store import Store
from rootgen.plan.entry import EntryKind
from rootgen.profile.model import ImageConfig
from tests.image.stacks import add_stack, busybox_layer, file, link, member
from tests.people.command import ROOTGEN, rootgen, succeed

_LONGEST = 60
_TOP = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> str:
    """Make a store with one image for all who change nothing in it."""
    store = str(tmp_path_factory.mktemp("images") / "store")
    start = ImageConfig(("echo", "from"), ("inside",), "7:8", "/usr", (("COLOUR", "red"),))
    add_stack(store, "shop/box:1", [busybox_layer()], start)
    return store


@pytest.fixture
def store(tmp_path: Path) -> str:
    """Return where a store of the test's own will be."""
    return str(tmp_path / "store")


def _inside(store: str, name: str, script: str, *options: str) -> str:
    return succeed("run", "--store", store, *options, name, "--", "sh", "-c", script)


def _layers(store: str) -> list[Path]:
    return [one for one in Path(store).glob("unpacked/*/*") if len(one.name) == 64]


def test_started_as_it_says(shared: str) -> None:
    """Without a command that of the image; with one, that alone; options before what it says."""
    assert succeed("run", "--store", shared, "shop/box:1") == "from inside\n"
    root = ("--user", "0")
    shown = _inside(shared, "shop/box:1", "echo $COLOUR; pwd; id -u", *root)
    assert shown == "red\n/usr\n0\n"
    given = ("--user", "0", "--env", "COLOUR=blue", "--workdir", "/etc")
    assert _inside(shared, "shop/box:1", "echo $COLOUR; pwd", *given) == "blue\n/etc\n"


def test_explained(shared: str) -> None:
    """What would be done is told, the image's own settings among it; and nothing runs."""
    told = succeed("run", "--store", shared, "--user", "0", "--explain", "--json", "shop/box:1")
    launch = json.loads(told)["launch"]
    assert launch["process"]["command"] == ["echo", "from", "inside"]
    assert launch["process"]["workdir"] == "/usr"
    assert launch["root"]["name"] == "shop/box:1"
    assert len(launch["root"]["layers"]) == 1


def test_directory_before_image(shared: str, tmp_path: Path) -> None:
    """What is a directory is that; what begins with a dot can be no image."""
    (tmp_path / "box").mkdir()
    options = ("--store", shared, "--user", "0")
    assert rootgen("run", *options, "box", "--", "true", directory=tmp_path).returncode == 127
    done = rootgen("run", *options, "./shop", "--", "true", directory=tmp_path)
    assert (done.returncode, done.stderr.count("./shop: No such file")) == (125, 1)
    done = rootgen("run", *options, "shop/bix:1", "--", "true", directory=tmp_path)
    assert done.returncode == 125
    assert "did you mean shop/box:1?" in done.stderr
    assert rootgen("run", *options, "No Name", "--", "true").returncode == 2


def test_directory_is_started_as_it_says(tmp_path: Path) -> None:
    """A tree's profile says what starts it as an image's config does."""
    (tmp_path / "p.yaml").write_text(
        "rootgen: 1\nname: p\nprograms: [echo]\nimage: {entrypoint: [echo, made]}\n"
    )
    succeed("make", "-f", "p.yaml", "--out", "tree", directory=tmp_path)
    assert succeed("run", "tree", directory=tmp_path) == "made\n"
    succeed("make", "true", "--out", "other", directory=tmp_path)
    done = rootgen("run", "other", directory=tmp_path)
    assert done.returncode == 2
    assert "what is to be run?" in done.stderr


def test_writes_are_discarded(shared: str) -> None:
    """What is written is gone afterwards, and unpacked once is enough."""
    script = "echo new >/etc/new; rm /etc/old; ls /etc"
    root = ("--user", "0")
    for _ in range(2):
        assert "new" in _inside(shared, "shop/box:1", script, *root).split()
    assert "old" in _inside(shared, "shop/box:1", "ls /etc", *root).split()
    assert len(_layers(shared)) == 1


def test_from_python(shared: str) -> None:
    """An image by its name, from a store that is said."""
    image = api.ImageName("shop/box:1", shared)
    done = api.run(image, ["sh", "-c", "echo $COLOUR"], options=api.Options(user="0"))
    assert (done.status, done.stdout) == (0, b"red\n")
    assert api.run(image, ["pwd"], options=api.Options(user="0")).stdout == b"/usr\n"


def test_first_from_python(store: str) -> None:
    """Threads that ask for an image side by side have it, whoever unpacks its layers."""
    add_stack(store, "box:1", [busybox_layer()], zstd=True)
    image = api.ImageName("box:1", store)
    with ThreadPoolExecutor(4) as executor:
        told = executor.map(lambda word: api.run(image, ["echo", word]).stdout, "abcd")
        assert list(told) == [b"a\n", b"b\n", b"c\n", b"d\n"]
    assert len(_layers(store)) == 1


_WITHOUT_CAPABILITIES = """
import sys, rootgen
from tests.sandbox.capset import give_up_capabilities
give_up_capabilities()
print(rootgen.run(rootgen.ImageName("box:1", sys.argv[1]), ["echo", "run"]).check().stdout)
"""


@pytest.mark.root
def test_without_capabilities(store: str) -> None:
    """Layers are unpacked for who asks: a root that has given up its capabilities gets them too."""
    add_stack(store, "box:1", [busybox_layer()])
    command = [sys.executable, "-c", _WITHOUT_CAPABILITIES, store]
    done = subprocess.run(command, cwd=_TOP, capture_output=True, check=False)
    assert (done.stdout, done.stderr) == (b"b'run\\n'\n", b"")


def test_damaged_from_python(store: str) -> None:
    """What is wrong with a layer is told as the command tells it."""
    manifest = add_stack(store, "box:1", [busybox_layer()])
    digest = manifest.layers[0].digest.removeprefix("sha256:")
    blob = Path(store) / "blobs" / "sha256" / digest
    blob.chmod(0o644)
    blob.write_bytes(b"x" * blob.stat().st_size)
    said = rootgen("run", "--store", store, "box:1", "--", "true").stderr
    with pytest.raises(LaunchError) as caught:
        api.run(api.ImageName("box:1", store), ["true"])
    assert f"rootgen: {str(caught.value).splitlines()[0]}" == said.splitlines()[0]


_ODD = [
    busybox_layer(),
    [member("etc"), file("etc/.wh.old"), member("srv"), file("srv/a", b"1"), file("srv/b", b"2"),
     member("opt"), member("opt/in"), file("opt/in/x"), link("opt/link", "/srv")],
    # Beneath directories that it does not have itself: their modes stay; through links.
    [file("srv/c", b"3"), link("srv/hard", "srv/a", tarfile.LNKTYPE), file("bin/tool", b"t"),
     file("opt/link/through", b"4"), file("opt/.wh.in"), member("opt/in"), file("opt/in/y")],
    [member("srv"), file("srv/.wh..wh..opq"), file("srv/only", b"5"), file("opt")],
    [member("opt"), file("opt/again", b"6"), file("new/deep/file", b"7"), file(".wh.etc")],
    [file("opt", b"f"), member("opt"), file("opt/z"), file("usr/bin/.wh.tool")],
    # A name twice: of the directory of below nothing is left.
    [file("new", b"f"), member("new", mode=0o700), file("new/n")],
]  # fmt: skip


def test_odd_layers(store: str) -> None:
    """What is there is what the layers say one over another, however they say it."""
    for count in range(1, len(_ODD) + 1):
        manifest = add_stack(store, f"odd:{count}", _ODD[:count])
        with Store(store) as opened:
            config = parse_config(opened.read(manifest.config), "config")
            plan = image_plan(opened, manifest, config)
        wanted = {
            f"{one.path} {one.mode:o}"
            for one in plan.entries()
            if one.kind is not EntryKind.SYMLINK and one.path != "/"
        }
        listing = "find / -xdev ! -type l -exec stat -c '%n %a' {} +"
        found = set(_inside(store, f"odd:{count}", listing).splitlines())
        # What a launch itself mounts is no part of the image.
        own = {"/", "/dev", "/proc", "/sys", "/tmp", "/run"}
        found = {one for one in found if one.split()[0] not in own}
        assert found == wanted
    content = _inside(store, "odd:4", "cat /srv/only")
    assert content == "5"
    assert _inside(store, "odd:3", "cat /srv/hard /srv/through /usr/bin/tool") == "14t"


def test_a_hundred_layers(store: str) -> None:
    """A hundred are one root, also from names as long as those of a store are."""
    layers = [busybox_layer()]
    layers += [
        [member("srv"), file(f"srv/{number}"), file("srv/common", b"%d" % number)]
        for number in range(99)
    ]
    add_stack(store, "deep:1", layers)
    shown = _inside(store, "deep:1", "ls /srv | wc -l; cat /srv/common")
    assert shown.split() == ["100", "98"]
    assert len(_layers(store)) == 100


def test_owners(store: str) -> None:
    """Files belong inside to whom the layer says, for root and who has subordinate ids."""
    layer = [
        member("srv", uid=33, gid=44, mode=0o700),
        file("srv/x", b"x", uid=5, gid=6, mode=0o600),
    ]
    add_stack(store, "owned:1", [busybox_layer(), layer])
    shown = _inside(store, "owned:1", "stat -c '%u %g %a' /srv /srv/x; cat /srv/x")
    assert shown == "33 44 700\n5 6 600\nx"
    succeed("rm", "owned:1", "--store", store)
    assert json.loads(succeed("gc", "--store", store, "--json"))["unpacked"] == 2
    assert _layers(store) == []


def test_while_it_runs(store: str) -> None:
    """Forgotten and collected during a launch, an image stays whole for that; then it goes."""
    add_stack(store, "box:1", [busybox_layer()])
    line = [ROOTGEN, "run", "--store", store, "box:1", "--", "sh", "-c"]
    script = "echo up; read line; cat /etc/old; /bin/ls /etc"
    with subprocess.Popen([*line, script], stdin=-1, stdout=-1, text=True) as going:
        assert going.stdin is not None
        assert going.stdout is not None
        assert going.stdout.readline() == "up\n"
        succeed("rm", "box:1", "--store", store)
        kept = json.loads(succeed("gc", "--store", store, "--json"))
        assert (kept["blobs"], kept["unpacked"]) == (0, 0)
        going.stdin.write("go on\n")
        going.stdin.close()
        assert going.stdout.read().startswith("old\n")
    assert going.returncode == 0
    gone = json.loads(succeed("gc", "--store", store, "--json"))
    assert (gone["blobs"], gone["unpacked"]) == (3, 1)


def test_detached(store: str) -> None:
    """A launch that goes on keeps its image as well, and is listed by its name."""
    add_stack(store, "box:1", [busybox_layer()])
    name = f"box-{os.getpid()}"
    options = ("--detach", "--name", name, "--store", store)
    succeed("run", *options, "box:1", "--", "sleep", "1000")
    try:
        succeed("rm", "box:1", "--store", store)
        assert json.loads(succeed("gc", "--store", store, "--json"))["unpacked"] == 0
        assert succeed("exec", name, "--", "cat", "/etc/old") == "old\n"
        listed = json.loads(succeed("ps", "--json"))["launches"]
        assert [one["tree"] for one in listed if one["name"] == name] == ["box:1"]
    finally:
        succeed("stop", name)
    assert json.loads(succeed("gc", "--store", store, "--json"))["unpacked"] == 1


def test_killed_while_unpacking(store: str) -> None:
    """What was killed in the middle left nothing that is taken for a layer."""
    many = [member("many"), *(file(f"many/{number}", b"x" * 5000) for number in range(4000))]
    add_stack(store, "many:1", [busybox_layer(), many])
    line = [ROOTGEN, "run", "--store", store, "many:1", "--", "true"]
    with subprocess.Popen(line, start_new_session=True) as going:
        until = time.monotonic() + _LONGEST
        while not list(Path(store).glob("unpacked/*/.new-*/files/20")):
            assert time.monotonic() < until
            assert going.poll() is None or list(Path(store).glob("unpacked/*/.new-*"))
        os.killpg(going.pid, signal.SIGKILL)
    assert len(_layers(store)) < 2
    assert _inside(store, "many:1", "ls /many | wc -l") == "4000\n"
    assert not list(Path(store).glob("unpacked/*/.*"))


def test_damaged_layer(store: str) -> None:
    """A blob that is not what it should be becomes no layer; the message says which."""
    manifest = add_stack(store, "box:1", [busybox_layer()])
    digest = manifest.layers[0].digest.removeprefix("sha256:")
    blob = Path(store, "blobs/sha256", digest)
    data = bytearray(blob.read_bytes())
    data[1 << 16] ^= 1
    blob.write_bytes(data)
    done = rootgen("run", "--store", store, "box:1", "--", "true")
    assert done.returncode == 125
    assert digest in done.stderr
    assert _layers(store) == []
    assert not list(Path(store).glob("unpacked/*/.*"))


def test_made_by_others(store: str, tmp_path: Path) -> None:
    """An image that umoci made and skopeo brought into the store runs as well."""
    busybox = tmp_path / "root"
    (busybox / "bin").mkdir(parents=True)
    add_stack(store, "other:1", [busybox_layer()])
    other = tmp_path / "layout"
    rootless = ["--rootless"] if os.geteuid() else []
    tree = tmp_path / "bundle"
    for line in (
        ["skopeo", "copy", "--quiet", f"oci:{store}:other:1", f"oci:{other}:a"],
        ["umoci", "unpack", *rootless, "--image", f"{other}:a", str(tree)],
    ):
        subprocess.run(line, check=True, capture_output=True)
    (tree / "rootfs/etc/umoci").write_text("made by umoci\n")
    (tree / "rootfs/etc/old").unlink()
    for line in (
        ["umoci", "repack", "--image", f"{other}:b", str(tree)],
        ["umoci", "config", "--image", f"{other}:b", "--config.cmd", "cat",
         "--config.cmd", "/etc/umoci"],
        ["skopeo", "copy", "--quiet", f"oci:{other}:b", f"oci:{store}:by/umoci:1"],
    ):  # fmt: skip
        subprocess.run(line, check=True, capture_output=True)
    assert succeed("run", "--store", store, "by/umoci:1") == "made by umoci\n"
    assert _inside(store, "by/umoci:1", "ls /etc") == "umoci\n"


def test_shell(shared: str) -> None:
    """The best shell that the image has."""
    options = ("--store", shared, "--user", "0")
    done = rootgen("shell", *options, "shop/box:1", stdin=b"cat /etc/old\n")
    assert (done.returncode, done.stdout) == (0, "old\n")


@pytest.mark.parametrize("line", ["run nosuch", "shell nosuch", "pack --to oci nosuch x"])
def test_mistyped(shared: str, store: str, tmp_path: Path, line: str) -> None:
    """What is neither a directory nor an image is told by its name, with or without a store."""
    verb, *words = line.split()
    wanted = 1 if verb == "pack" else 125
    for given in (store, shared):
        done = rootgen(verb, "--store", given, *words, directory=tmp_path)
        assert (done.returncode, done.stdout) == (wanted, "")
        assert "nosuch: neither a directory nor an image" in done.stderr
        assert given in done.stderr
        assert "hint: " in done.stderr
        assert "rootgen make bash ls --out DIR" in done.stderr


def test_image_without_store(store: str) -> None:
    """Who names an image and has no store is told of the image as well."""
    for verb in ("inspect", "history", "rm"):
        done = rootgen(verb, "--store", store, "nosuch")
        assert done.returncode == 1
        assert f"no image nosuch: there is no store {store}" in done.stderr
