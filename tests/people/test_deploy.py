"""The examples of ``deploy/``: what can be checked of them without a cluster."""

from __future__ import annotations

import configparser
import re
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from rootgen.cli.reference import helps
from rootgen.cli.with_click import root

_DEPLOY = Path(__file__).parents[2] / "deploy"


def _yaml(name: str) -> Any:
    return yaml.safe_load((_DEPLOY / name).read_text())


def test_kubernetes() -> None:
    """The Deployment selects its own pods, which may do nothing that they need not."""
    document = _yaml("kubernetes.yaml")
    assert (document["apiVersion"], document["kind"]) == ("apps/v1", "Deployment")
    spec = document["spec"]
    assert spec["selector"]["matchLabels"] == spec["template"]["metadata"]["labels"]
    pod = spec["template"]["spec"]
    (container,) = pod["containers"]
    assert re.fullmatch(r"[\w./]+@sha256:[0-9a-f]{64}", container["image"])
    assert container["securityContext"] == {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
    }
    mounted = {one["name"] for one in container["volumeMounts"]}
    assert mounted == {one["name"] for one in pod["volumes"]}


def test_quadlet() -> None:
    """The quadlet has the sections and the keys that podman-systemd.unit(5) knows."""
    parser = configparser.ConfigParser(strict=True)
    parser.optionxform = str  # type: ignore[assignment,method-assign]
    parser.read(_DEPLOY / "rootgen-site.container")
    assert parser.sections() == ["Unit", "Container", "Service", "Install"]
    known = {"Image", "User", "ReadOnly", "NoNewPrivileges", "DropCapability", "Tmpfs"}
    assert set(parser["Container"]) <= known


def test_workflow() -> None:
    """Each step of the workflow is one, and its shell can be read."""
    document = _yaml("ci-workflow.yml")
    steps = document["jobs"]["image"]["steps"]
    commands = [one["run"] for one in steps if "run" in one]
    assert len(commands) == len(steps) - 1
    for one in commands:
        script = re.sub(r"\$\{\{.*?\}\}", "x", one)
        subprocess.run(["bash", "-n"], input=script.encode(), check=True)


@pytest.mark.parametrize("name", ["ci-workflow.yml", "README.md"])
def test_commands(name: str) -> None:
    """Each command of ours, and each of its options, is there."""
    known = {path: command for path, _, command in helps(root(), "rootgen")}
    lines = re.findall(r"\brootgen (?!made|-)([a-z][^`\n|]*)", (_DEPLOY / name).read_text())
    checked = 0
    for line in lines:
        words = ["rootgen", *line.split()]
        found = [" ".join(words[:count]) for count in (3, 2) if " ".join(words[:count]) in known]
        if not found:
            continue
        options = {one for param in known[found[0]].params for one in param.opts}
        assert {one for one in words if one.startswith("-")} - options == set(), line
        checked += 1
    assert checked >= 2
