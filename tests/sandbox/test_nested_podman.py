"""Launches within a container of podman's, whose tree has Python and rootgen."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

import rootgen
from tests.sandbox.tree import ROOTGEN, build_tree
from tests.truth.engines import podman

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    Nested = Callable[..., subprocess.CompletedProcess[str]]

pytestmark = pytest.mark.root

_MAIN = "from rootgen.cli import main; main()"
_UNMASKED = ("--security-opt", "unmask=ALL")
_SCRIPT = "id -u; id -g; ls /sys/class/net; exit 5"


@pytest.fixture(scope="module")
def nested(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Nested]:
    """Give what runs a script in a tree, within a container that ``outer`` are options of."""
    place = tmp_path_factory.mktemp("nested")
    package = Path(rootgen.__file__).parent
    programs = ["python3", "bash", "--add", f"{package}:/opt/rootgen", "--out", f"{place}/outer"]
    subprocess.run([ROOTGEN, "make", *programs], check=True, capture_output=True, timeout=300)
    build_tree(place / "tree")
    with podman() as its:
        # Not with --rm: on a busy machine podman 4.3 then loses an exit code (podman issue 14859).
        engine = [*its.command, "run", "--network", "none"]
        engine += ["--volume", f"{place}/tree:/tree", "--env", "PYTHONPATH=/opt"]
        env = {**os.environ, **its.environment}

        def run(
            *options: str, outer: tuple[str, ...] = (), script: str = _SCRIPT
        ) -> subprocess.CompletedProcess[str]:
            line = [*engine, *outer, "--rootfs", f"{place}/outer", "python3", "-c", _MAIN]
            line += ["run", *options, "/tree", "--", "sh", "-c", script]
            return subprocess.run(
                line, capture_output=True, text=True, check=False, timeout=120, env=env
            )

        yield run


@pytest.mark.parametrize(
    "outer",
    [
        _UNMASKED,
        (*_UNMASKED, "--cap-add", "SYS_ADMIN"),
        (*_UNMASKED, "--user", "1000:1000"),
        ("--cap-add", "SYS_ADMIN", "--cap-add", "NET_ADMIN"),
        ("--privileged",),
    ],
    ids=["unmasked", "SYS_ADMIN", "a user", "both capabilities", "privileged"],
)
def test_works(nested: Nested, outer: tuple[str, ...]) -> None:
    """User 0 in namespaces of its own: of podman's options one is enough."""
    done = nested(outer=outer)
    assert done.returncode == 5, done.stderr
    assert done.stdout.split() == ["0", "0", "lo"]


@pytest.mark.parametrize(
    "options",
    [
        ("--ephemeral",),
        ("--read-only",),
        ("--net", "host"),
        ("--tmpfs", "/srv", "--bind", "/etc:/mnt:ro", "--device", "/dev/null"),
        ("--ulimit", "nofile=100", "--uptime", "host", "--clear-env"),
    ],
    ids=lambda options: options[0],
)
def test_options(nested: Nested, options: tuple[str, ...]) -> None:
    """What needs no more than a user namespace works as anywhere."""
    done = nested(*options, outer=_UNMASKED)
    assert done.returncode == 5, done.stderr


def test_ids(nested: Nested) -> None:
    """Root of the container has all of its ids inside as well, and groups."""
    script = "id -u; id -G; touch /tmp/mine; stat -c %u:%g /tmp/mine"
    done = nested("--user", "app", "--tmpfs", "/tmp", outer=_UNMASKED, script=script)
    assert done.stdout.splitlines() == ["1000", "1000 2000", "1000:1000"], done.stderr


def test_host_name(nested: Nested) -> None:
    """Podman's filter refuses host names: who asks for one is told, who does not has podman's."""
    named = ("--hostname", "outside")
    done = nested(outer=(*_UNMASKED, *named), script="hostname")
    assert (done.returncode, done.stdout) == (0, "outside\n"), done.stderr
    refused = nested("--hostname", "box", outer=_UNMASKED)
    assert refused.returncode == 125
    assert "(box): Operation not permitted" in refused.stderr
    assert "seccomp=unconfined" in refused.stderr
    unconfined = (*_UNMASKED, "--security-opt", "seccomp=unconfined")
    assert nested("--hostname", "box", outer=unconfined, script="hostname").stdout == "box\n"


@pytest.mark.parametrize(
    ("options", "outer", "told"),
    [
        ((), (), "podman run --security-opt unmask=ALL"),
        ((), ("--user", "1000"), "podman run --security-opt unmask=ALL"),
        (("--memory", "64M"), _UNMASKED, "have its engine limit that one"),
        (("--net", "pasta"), _UNMASKED, "pasta is not installed"),
    ],
    ids=["root", "a user", "limit", "network"],
)
def test_told(nested: Nested, options: tuple[str, ...], outer: tuple[str, ...], told: str) -> None:
    """What the container does not let us do is named, with what would help."""
    done = nested(*options, outer=outer)
    assert done.returncode == 125, done.stdout
    assert told in done.stderr
    assert "hint: " in done.stderr
    assert "Traceback" not in done.stderr
