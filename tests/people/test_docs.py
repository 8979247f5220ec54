"""The documentation says what is so: help texts, keys of profiles, examples, links."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import click
import pytest

import rootgen as api
from rootgen.cli.entry import run
from rootgen.cli.reference import helps, render
from rootgen.cli.with_click import root
from rootgen.image.store import Store
from rootgen.profile import files, image, schema, users
from rootgen.profile.read import load_profiles
from rootgen.profile.shipped import shipped_directory
from tests.image.stacks import add_stack, file, member
from tests.image.storing import add_image

_ROOT = Path(__file__).parents[2]
_PAGES = sorted([*_ROOT.glob("docs/**/*.md"), _ROOT / "README.md", _ROOT / "benchmarks/README.md"])
_FENCE = re.compile(r"^( *)```(\w+)\n(.*?)^ *```$", re.MULTILINE | re.DOTALL)


def _blocks(page: Path, language: str) -> list[str]:
    found = _FENCE.findall(page.read_text())
    return [
        "\n".join(line.removeprefix(indent) for line in text.split("\n"))
        for indent, kind, text in found
        if kind == language
    ]


def test_reference_is_current() -> None:
    """``docs/cli-reference.md`` is what the commands say of themselves today."""
    written = (_ROOT / "docs/cli-reference.md").read_text()
    assert written == render(), "python -m rootgen.cli.reference > docs/cli-reference.md"


def test_every_option_has_help() -> None:
    """Each command has an example, and each of its options a help text."""
    lacking = [
        f"{path} {parameter.name}"
        for path, _, command in helps(root(), "rootgen")
        for parameter in command.params
        if isinstance(parameter, click.Option) and not parameter.help
    ]
    assert lacking == []
    assert [path for path, text, _ in helps(root(), "rootgen") if f"  {path}" not in text] == []


@pytest.mark.parametrize(
    "keys",
    [schema.KEYS, schema.LAYER_KEYS, files._KEYS, users._KEYS, image._KEYS],
    ids=["profile", "layers", "files", "users", "image"],
)
def test_every_key_is_in_the_reference(keys: tuple[str, ...]) -> None:
    """``docs/profile-reference.md`` has each key that a profile may have, and no other."""
    page = (_ROOT / "docs/profile-reference.md").read_text()
    cells = re.findall(r"^\| (`.*?) \|", page, re.MULTILINE)
    told = {key for cell in cells for key in re.findall(r"`([a-z]+)`", cell)}
    known = {*schema.KEYS, *files._KEYS, *users._KEYS, *image._KEYS}
    assert set(keys) <= told
    assert told <= known


def test_every_member_of_json_is_in_the_formats(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """``docs/formats.md`` has each member that ``--json`` prints, in the command's own row."""
    page = (_ROOT / "docs/formats.md").read_text()
    rows = dict(re.findall(r"^\| `([a-z ]+) --[^|]*\| (.*) \|$", page, re.MULTILINE))
    tree, store = str(tmp_path / "tree"), str(tmp_path / "store")
    profile = str(tmp_path / "p.yaml")
    Path(profile).write_text("rootgen: 1\nprograms: [cat]\n")
    with Store.open_or_make(store) as made:
        add_image(made, "a:1", {"x": b""})
    add_stack(store, "b:1", [[member("etc")]])
    add_stack(store, "c:1", [[member("etc")], [file("etc/x")]])
    for command, arguments in {
        "make": ["make", "true", "--out", tree, "--json"],
        "deps": ["deps", "true", "--format", "json"],
        "why": ["why", tree, "/etc/passwd", "--json"],
        "check": ["check", tree, "--json"],
        "diff": ["diff", tree, tree, "--json"],
        "profile list": ["profile", "list", "--json"],
        "build": ["build", "-f", profile, "-t", "b:1", "--json", "--store", f"{store}-of-build"],
        "rebase": ["rebase", "c:1", "--base", "b:1", "--onto", "b:1", "--json", "--store", store],
        "images": ["images", "--json", "--store", store],
        "history": ["history", "a:1", "--json", "--store", store],
        "inspect": ["inspect", "a:1", "--store", store],
        "sbom": ["sbom", tree, "--json", "--out", str(tmp_path / "bom")],
        "gc": ["gc", "--json", "--store", store],
        "store verify": ["store", "verify", "--json", "--store", store],
        "run --explain": ["run", "--explain", "--json", tree, "--", "true"],
    }.items():
        assert run(arguments) == 0, capsys.readouterr().err
        printed = json.loads(capsys.readouterr().out)
        name = command.partition(" --")[0]
        members = set(printed) - {"rootgen", "command"}
        assert printed["rootgen"] == 1
        assert printed["command"] == name
        assert {one for one in members if f"`{one}`" not in rows[name]} == set(), command


def test_python_example(tmp_path: Path) -> None:
    """The example of ``docs/python-api.md`` runs, and its table has every public name."""
    page = _ROOT / "docs/python-api.md"
    example, _ = _blocks(page, "python")
    done = subprocess.run(
        [sys.executable, "-c", example],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(_ROOT)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert "usr\nvar\n" in done.stdout
    assert [one for one in api.__all__ if f"`{one}`" not in page.read_text()] == []


def test_python_suite(tmp_path: Path) -> None:
    """The test suite of ``docs/python-api.md`` passes."""
    (tmp_path / "test_example.py").write_text(_blocks(_ROOT / "docs/python-api.md", "python")[1])
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "--rootdir=.", "."],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(_ROOT)},
        capture_output=True,
        text=True,
        check=False,
    )
    # Limits are not for everyone to set: then that test says why, and nothing else fails.
    refused = "LaunchError: --memory" in done.stdout
    assert ("1 failed, 101 passed" if refused else "102 passed") in done.stdout, done.stdout


@pytest.mark.parametrize("page", _PAGES, ids=lambda page: page.name)
def test_profiles_of_the_pages_are_valid(page: Path, tmp_path: Path) -> None:
    """Each YAML example is a profile without a mistake."""
    (tmp_path / "app").mkdir()
    for number, text in enumerate(_blocks(page, "yaml")):
        file = tmp_path / f"{number}.yaml"
        file.write_text(text)
        load_profiles([str(file)], shipped=shipped_directory())


@pytest.mark.parametrize("page", _PAGES, ids=lambda page: page.name)
def test_links_lead_somewhere(page: Path) -> None:
    """Each relative link leads to a file, and to a heading that it has."""
    for target in re.findall(r"\]\(([^)]+)\)", page.read_text()):
        if "://" in target:
            continue
        name, _, anchor = target.partition("#")
        path = Path(os.path.normpath(page.parent / name)) if name else page
        assert path.exists(), target
        if anchor:
            headings = re.findall(r"^#+ (.*)$", path.read_text(), re.MULTILINE)
            assert anchor in {one.lower().replace(" ", "-") for one in headings}, target


@pytest.mark.parametrize("page", _PAGES, ids=lambda page: page.name)
def test_commands_of_the_pages_exist(page: Path) -> None:
    """Each command line in an example names a command, and options, that there are."""
    known = {path: command for path, _, command in helps(root(), "rootgen")}
    for block in _blocks(page, "console"):
        for line in re.findall(r"^[$#] (?:.*\| )?(rootgen .*)$", block, re.MULTILINE):
            words = line.partition("  #")[0].split(" -- ")[0].split()
            name = next(
                " ".join(words[:count]) for count in (3, 2) if " ".join(words[:count]) in known
            )
            options = {one for param in known[name].params for one in param.opts}
            unknown = {word for word in words if word.startswith("-")} - options
            assert unknown <= {"-"}, line
