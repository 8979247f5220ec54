"""``make --records`` and ``sbom``: what scanners find, and what others' validators say."""

from __future__ import annotations

import hashlib
import json
import os
import re
import subprocess
from typing import TYPE_CHECKING, Any

import pytest
from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator
from google.protobuf.json_format import ParseDict
from in_toto_attestation.predicates.provenance.v1.provenance_pb2 import (
    Provenance as ProvenanceMessage,
)
from in_toto_attestation.v1.statement import Statement
from in_toto_attestation.v1.statement_pb2 import Statement as StatementMessage
from packageurl import PackageURL
from spdx_tools.spdx.parser.jsonlikedict.json_like_dict_parser import JsonLikeDictParser
from spdx_tools.spdx.validation.document_validator import validate_full_spdx_document

from tests.image.validity import layout_mistakes
from tests.people.command import rootgen, succeed
from tests.people.scanner import scan
from tests.sysroot.test_packages import rpm_root

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Make a tree with records and one without, and an image of each."""
    top = tmp_path_factory.mktemp("sbom")
    succeed("make", "bash", "ls", "git", "--records", "--out", "full", directory=top)
    succeed("make", "--bare", "bash", "ls", "--out", "plain", directory=top)
    succeed("commit", "full", "-t", "git:1", "--store", "store", directory=top)
    return top


def document(*arguments: str, directory: Path, said: str = "") -> dict[str, Any]:
    """Return what ``sbom`` printed; its words on standard error must begin with ``said``."""
    done = rootgen("sbom", *arguments, directory=directory)
    assert done.returncode == 0, done.stderr
    assert done.stderr.startswith(said)
    written: dict[str, Any] = json.loads(done.stdout)
    return written


def check_spdx(written: dict[str, Any]) -> None:
    """Have the SPDX project's own library find nothing wrong."""
    problems = validate_full_spdx_document(JsonLikeDictParser().parse(written))  # type: ignore[no-untyped-call]
    assert [one.validation_message for one in problems] == []


def check_cyclonedx(written: dict[str, Any]) -> None:
    """Have the official schema allow it, unknown members forbidden."""
    validator = JsonStrictValidator(SchemaVersion.V1_6)
    assert validator.validate_str(json.dumps(written)) is None


def _path_of(root: Path, name: str) -> Path:
    """Return where a path of dpkg's is: the root may have merged /usr."""
    return root / name.lstrip("/")


def test_scanners_find_every_package(place: Path) -> None:
    """By the scanners' rules: the packages that dpkg names, their versions, every file of them."""
    root = place / "full"
    release, seen = scan(root)
    assert release.split()[0] in {"debian", "ubuntu"}
    assert {"bash", "coreutils", "git", "libc6", "base-files"} <= set(seen)
    for one in seen.values():
        query = ["dpkg-query", "-W", "-f", "${Version}\n", one.name]
        installed = subprocess.run(query, capture_output=True, text=True, check=True)
        assert one.version in installed.stdout.split()
        assert one.licence, one.name
        for name, digest in one.files.items():
            data = _path_of(root, name).read_bytes()
            assert hashlib.md5(data, usedforsecurity=False).hexdigest() == digest, name
    # The other way round: what dpkg says has a file of the tree is there, with that file.
    listed = {
        os.path.realpath(f"/{name.lstrip('/')}") for one in seen.values() for name in one.files
    }
    for program in ("/usr/bin/bash", "/usr/bin/ls", "/usr/bin/git"):
        assert os.path.realpath(program) in listed
    lists = [*_lists(set(seen))]
    for directory, _, names in os.walk(root):
        for name in names:
            path = f"{directory}/{name}"[len(str(root)) :]
            if not os.path.islink(f"{root}{path}") and {path, path.removeprefix("/usr")} & set(
                lists
            ):
                assert {path, path.removeprefix("/usr")} & {
                    name for one in seen.values() for name in one.files
                }, path


def _lists(packages: set[str]) -> set[str]:
    found: set[str] = set()
    for name in packages:
        done = subprocess.run(["dpkg", "-L", name], capture_output=True, text=True, check=True)
        found |= set(done.stdout.splitlines())
    return found


def test_the_same_tree_the_same_record(place: Path, tmp_path: Path) -> None:
    """Records say nothing of the machine, and check finds them as they were made."""
    succeed("make", "bash", "ls", "git", "--records", "--out", str(tmp_path / "again"))
    assert succeed("diff", str(place / "full"), str(tmp_path / "again"), "--times") == ""
    succeed("check", str(place / "full"))
    said = succeed("why", str(place / "full"), "/var/lib/dpkg/status.d/bash")
    assert "record of package bash" in said


def test_an_image_with_records(place: Path) -> None:
    """``make -t`` brings them as well."""
    store = ("--store", "tagged")
    succeed("make", "ls", "--records", "-t", "ls:1", *store, directory=place)
    written = document("ls:1", "--format", "cyclonedx", *store, directory=place)
    assert {"coreutils", "libc6"} <= {one["name"] for one in written["components"]}


def sums(root: Path, package: str) -> set[str]:
    """Return the files that a package's record has checksums of."""
    text = (root / f"var/lib/dpkg/status.d/{package}.md5sums").read_text()
    return {line.split("  ")[1] for line in text.splitlines()}


PROFILE = """\
rootgen: 1
name: layered
layers:
  - {name: shell, programs: [bash]}
  - {name: tools, programs: [ls, bash, sha256sum]}
  - {name: nothing, programs: [bash]}
"""


def test_a_record_of_layers(tmp_path: Path) -> None:
    """Each layer records what it brings; laid over each other they record what is there."""
    (tmp_path / "layered.yaml").write_text(PROFILE)
    store = ("--store", str(tmp_path / "store"))
    succeed("build", "-f", "layered.yaml", "--records", "-t", "l:1", *store, directory=tmp_path)
    image = f"{tmp_path}/store:l:1"
    unpack = ["umoci", "unpack", "--rootless", "--image", image, str(tmp_path / "bundle")]
    subprocess.run(unpack, check=True, capture_output=True)
    root = tmp_path / "bundle/rootfs"
    release, seen = scan(root)
    assert release
    assert {"bash", "coreutils", "libc6"} <= set(seen)
    for one in seen.values():
        for name, digest in one.files.items():
            data = _path_of(root, name).read_bytes()
            assert hashlib.md5(data, usedforsecurity=False).hexdigest() == digest, name
    # As if it were one: what is recorded is what a tree of the same programs has recorded.
    flat = tmp_path / "flat"
    succeed("make", "--bare", "bash", "ls", "sha256sum", "--records", "--out", str(flat))
    assert set(seen) == set(scan(flat)[1])
    for package in seen:
        assert sums(root, package) == sums(flat, package)
    # What brings nothing records nothing.
    last = json.loads(succeed("inspect", "l:1", *store))["layers"][-1]
    listed = subprocess.run(
        ["tar", "tzf", tmp_path / "store/blobs/sha256" / last["digest"][7:]],
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert [name for name in listed.stdout.splitlines() if "dpkg" in name] == []
    written = document("l:1", "--format", "cyclonedx", *store, directory=tmp_path)
    check_cyclonedx(written)
    assert {"bash", "coreutils", "libc6"} <= {one["name"] for one in written["components"]}


def test_a_record_over_a_distribution(tmp_path: Path) -> None:
    """A base with a database of its own goes on saying what it says; what is new is added."""
    base = tmp_path / "base"
    succeed("make", "--bare", "bash", "--out", str(base))
    version = ["dpkg-query", "-W", "-f", "${Version}", "libc6"]
    installed = subprocess.run(version, capture_output=True, text=True, check=True).stdout
    (base / "var/lib/dpkg").mkdir(parents=True)
    machine = subprocess.run(
        ["dpkg", "--print-architecture"], capture_output=True, text=True, check=True
    ).stdout.strip()
    (base / "var/lib/dpkg/status").write_text(
        f"Package: libc6\nArchitecture: {machine}\nVersion: {installed}\n\n"
        f"Package: old\nArchitecture: all\nVersion: 1\n"
    )
    options = ("--base", "base", "--records", "--force")
    succeed("make", "--bare", "ls", *options, "--out", "more", directory=tmp_path)
    record = tmp_path / "more/var/lib/dpkg"
    names = {one.name for one in (record / "status.d").iterdir()}
    assert {"coreutils", "coreutils.md5sums"} <= names
    assert "libc6" not in names
    assert not (record / "status").exists()


def test_spdx(place: Path) -> None:
    """Valid by the SPDX project's library; every file with package, digests, reason."""
    written = document("full", directory=place)
    check_spdx(written)
    files = {one["fileName"]: one for one in written["files"]}
    (bash,) = (one for name, one in files.items() if name.endswith("/bin/bash"))
    data = (place / "full" / bash["fileName"]).read_bytes()
    assert {one["algorithm"]: one["checksumValue"] for one in bash["checksums"]} == {
        "SHA1": hashlib.sha1(data).hexdigest(),
        "SHA256": hashlib.sha256(data).hexdigest(),
    }
    assert "asked for as bash" in bash["comment"]
    packages = {one["SPDXID"]: one for one in written["packages"]}
    # As the JSON schema spells it; the library takes the text's hyphen as well.
    assert packages["SPDXRef-Rootfs"]["primaryPackagePurpose"] == "OPERATING_SYSTEM"
    (owner,) = (
        packages[one["spdxElementId"]]["name"]
        for one in written["relationships"]
        if one["relatedSpdxElement"] == bash["SPDXID"]
    )
    assert owner == "bash"
    depends = {
        (packages[one["spdxElementId"]]["name"], packages[one["relatedSpdxElement"]]["name"])
        for one in written["relationships"]
        if one["relationshipType"] == "DEPENDS_ON"
    }
    assert {("bash", "libc6"), ("git", "zlib1g"), ("bash", "base-files")} <= depends
    (of_bash,) = (one for one in packages.values() if one["name"] == "bash")
    assert of_bash["externalRefs"][0]["referenceLocator"].startswith("pkg:deb/debian/bash@")
    assert "/usr/share/doc/bash/copyright" in of_bash["licenseComments"]
    regular = [
        path for path in (place / "full").rglob("*") if path.is_file() and not path.is_symlink()
    ]
    assert len(files) == len(regular)


def test_cyclonedx(place: Path) -> None:
    """Valid by the official schema; files stand in their package."""
    written = document("full", "--format", "cyclonedx", directory=place)
    check_cyclonedx(written)
    components = {one["name"]: one for one in written["components"]}
    inner = {one["name"] for one in components["bash"]["components"]}
    assert any(name.endswith("/bin/bash") for name in inner)
    refs = {one["ref"]: one["dependsOn"] for one in written["dependencies"]}
    assert components["libc6"]["purl"] in refs[components["bash"]["purl"]]
    for purl in refs.keys() - {"rootfs"}:
        assert PackageURL.from_string(purl).to_string() == purl


def test_without_a_record_the_host_is_asked(place: Path) -> None:
    """Packages come by path and digest, and a changed file is said to be one."""
    said = "rootgen: the tree has no record of packages: those of /, by path and digest"
    written = document("plain", "--format", "cyclonedx", directory=place, said=said)
    assert {"bash", "coreutils", "libc6"} <= {one["name"] for one in written["components"]}
    # A file that is not the host's any more is no package's.
    succeed("make", "--bare", "ls", "--out", "changed", directory=place)
    program = place / "changed/usr/bin/ls"
    program.chmod(0o755)
    program.write_bytes(b"another")
    changed = rootgen("sbom", "changed", directory=place)
    assert "/usr/bin/ls: not as its package has it" in changed.stderr
    comments = [one.get("comment", "") for one in json.loads(changed.stdout)["files"]]
    assert any("not as package coreutils has it" in one for one in comments)


def test_deterministic(place: Path) -> None:
    """No clock, host or place in it: two copies give the same bytes, and the image its own."""
    subprocess.run(["cp", "-a", str(place / "full"), str(place / "copy")], check=True)
    for form in ("spdx", "cyclonedx", "slsa"):
        one, other = (succeed("sbom", str(place / at), "--format", form) for at in ("full", "copy"))
        assert one == other
        assert os.uname().nodename not in one
        assert str(place) not in one


def pack_and_copy(place: Path, digest: str) -> None:
    """Copy by its tag the list of what is attached; an image packed alone has none."""
    store = ("--store", "artifacts", "--to", "oci")
    succeed("pack", "x/git:1", *store, "alone", directory=place)
    assert len(json.loads((place / "alone/index.json").read_text())["manifests"]) == 1
    succeed("pack", "x/git:1", *store, "--attached", "all", directory=place)
    assert layout_mistakes(place / "all") == []
    image, *artifacts, listed = json.loads((place / "all/index.json").read_text())["manifests"]
    assert (image["digest"], len(artifacts)) == (digest, 3)
    tag = digest.replace(":", "-")
    assert listed["annotations"] == {"org.opencontainers.image.ref.name": tag}
    document = json.loads((place / "all/blobs" / listed["digest"].replace(":", "/")).read_text())
    assert document["manifests"] == artifacts
    assert {one["artifactType"] for one in artifacts} == {
        "application/spdx+json",
        "application/vnd.cyclonedx+json",
        "application/vnd.in-toto+json",
    }
    copy = ["skopeo", "copy", "--quiet", "--all", f"oci:all:{tag}", "oci:listed:l"]
    subprocess.run(copy, check=True, cwd=place)
    for one in artifacts:
        assert (place / "listed/blobs" / one["digest"].replace(":", "/")).is_file()


def test_attached(place: Path) -> None:
    """An artifact about the image goes with it: kept by gc, shown to no one as an image."""
    store = ("--store", str(place / "artifacts"))
    succeed("commit", str(place / "full"), "-t", "x/git:1", *store)
    digest = json.loads(succeed("inspect", "x/git:1", *store))["digest"]
    for form in ("spdx", "cyclonedx", "slsa"):
        line = json.loads(
            succeed("sbom", "x/git:1", "--format", form, "--attach", "--json", *store)
        )
        again = json.loads(
            succeed("sbom", "x/git:1", "--format", form, "--attach", "--json", *store)
        )
        assert line == again
        assert line["unknown"] == again["unknown"]
        blob = place / "artifacts/blobs/sha256" / line["artifact"].removeprefix("sha256:")
        manifest = json.loads(blob.read_bytes())
        assert manifest["subject"]["digest"] == digest
        (layer,) = manifest["layers"]
        assert layer["mediaType"] == manifest["artifactType"]
        data = (place / "artifacts/blobs/sha256" / layer["digest"][7:]).read_bytes()
        written = json.loads(data)
        if form == "slsa":
            assert written["subject"] == [{"name": "x/git:1", "digest": {"sha256": digest[7:]}}]
        else:
            {"spdx": check_spdx, "cyclonedx": check_cyclonedx}[form](written)
    index = json.loads((place / "artifacts/index.json").read_text())
    assert len(index["manifests"]) == 4
    assert len(json.loads(succeed("images", "--json", *store))["images"]) == 1
    assert "0 blobs removed" in succeed("gc", *store)
    succeed("store", "verify", *store)
    pack_and_copy(place, digest)
    copied = ["skopeo", "copy", "--quiet", f"oci:{place}/artifacts:x/git:1", f"oci:{place}/c:i"]
    subprocess.run(copied, check=True)
    succeed("rm", "x/git:1", *store)
    succeed("gc", *store)
    assert os.listdir(place / "artifacts/blobs/sha256") == []
    assert json.loads((place / "artifacts/index.json").read_text())["manifests"] == []


def test_provenance(place: Path) -> None:
    """An in-toto statement: the tree's manifest, and every package and file with its digest."""
    written = document("full", "--format", "slsa", directory=place)
    manifest = (place / "full/var/lib/rootgen/manifest.json").read_bytes()
    assert written["_type"] == "https://in-toto.io/Statement/v1"
    assert written["subject"][0]["digest"] == {"sha256": hashlib.sha256(manifest).hexdigest()}
    assert written["predicateType"] == "https://slsa.dev/provenance/v1"
    Statement.copy_from_pb(ParseDict(written, StatementMessage())).validate()
    ParseDict(written["predicate"], ProvenanceMessage())
    materials = written["predicate"]["buildDefinition"]["resolvedDependencies"]
    found = [one for one in materials if one["uri"].endswith("#usr/bin/git")]
    assert [one["digest"]["sha256"] for one in found] == [
        hashlib.sha256((place / "full/usr/bin/git").read_bytes()).hexdigest()
    ]
    # A tree that nobody made with rootgen has no such file.
    (place / "found").mkdir(exist_ok=True)
    written = document("found", "--format", "slsa", "--sysroot", "", directory=place)
    assert written["subject"][0]["name"] == "rootfs"


def test_alpine(tmp_path: Path) -> None:
    """An Alpine root's record has only what is here, and its own sbom reads it."""
    root = tmp_path / "alpine"
    for name, data in {
        "lib/apk/db/installed": "P:tool\nV:1-r0\nA:x86_64\nL:MIT\nF:usr/bin\nR:tool\nR:absent\n\n"
        "P:other\nV:1\nA:noarch\nF:etc\nR:else\n\n",
        "usr/bin/tool": "#!/bin/sh\n",
        "bin/sh": "",
        "etc/alpine-release": "3.20.0\n",
        "etc/os-release": "ID=alpine\nVERSION_ID=3.20.0\n",
    }.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(data)
    subprocess.run(["cp", "/bin/busybox", str(root / "bin/sh")], check=True)
    (root / "usr/bin/tool").chmod(0o755)
    options = ("--sysroot", "alpine", "--records", "--out", "tree")
    succeed("make", "tool", *options, directory=tmp_path)
    record = (tmp_path / "tree/lib/apk/db/installed").read_text()
    assert record == "P:tool\nV:1-r0\nA:x86_64\nL:MIT\nF:usr/bin\nR:tool\n\n"
    assert (tmp_path / "tree/etc/alpine-release").is_file()
    written = document("tree", "--format", "cyclonedx", directory=tmp_path)
    check_cyclonedx(written)
    tool = next(one for one in written["components"] if one["name"] == "tool")
    assert tool["purl"] == "pkg:apk/alpine/tool@1-r0?arch=x86_64&distro=alpine-3.20.0"
    assert [one["name"] for one in tool["components"]] == ["/usr/bin/tool"]
    check_spdx(document("tree", directory=tmp_path))
    # Over a base: one file for both packages, the files of both of one that both have.
    installed = root / "lib/apk/db/installed"
    installed.write_text(installed.read_text().replace("R:absent\n", "R:absent\nR:second\n"))
    for name in ("second", "third"):
        (root / "usr/bin" / name).write_text("#!/bin/sh\n")
        (root / "usr/bin" / name).chmod(0o755)
    with installed.open("a") as file:
        file.write("P:third\nV:3\nA:noarch\nF:usr/bin\nR:third\n\n")
    over = ("--base", "tree", "--records", "--out", "more")
    succeed("make", "second", "third", "--sysroot", "alpine", *over, directory=tmp_path)
    record = (tmp_path / "more/lib/apk/db/installed").read_text()
    assert record == (
        "P:third\nV:3\nA:noarch\nF:usr/bin\nR:third\n\n"
        "P:tool\nV:1-r0\nA:x86_64\nL:MIT\nF:usr/bin\nR:tool\nR:second\n\n"
    )
    assert not (tmp_path / "more/etc/alpine-release").exists()


def test_diverted(tmp_path: Path) -> None:
    """A file that dpkg diverted is recorded by its place, with its own package."""
    root = tmp_path / "root"
    subprocess.run(["mkdir", "-p", root / "bin", root / "usr/bin"], check=True)
    subprocess.run(["cp", "/bin/busybox", root / "bin/sh"], check=True)
    for name, text in {"tool": "#!/bin/sh\n", "tool.real": "#!/bin/sh\n:\n"}.items():
        (root / "usr/bin" / name).write_text(text)
        (root / "usr/bin" / name).chmod(0o755)
    md5 = {one.name: hashlib.md5(one.read_bytes()).hexdigest() for one in root.glob("usr/bin/*")}
    for name, text in {
        "status": "Package: tool\nVersion: 1\n\nPackage: wrapper\nVersion: 1\n",
        "diversions": "/usr/bin/tool\n/usr/bin/tool.real\nwrapper\n",
        "info/tool.list": "/usr/bin/tool\n",
        "info/tool.md5sums": f"{md5['tool.real']}  usr/bin/tool\n",
        "info/wrapper.list": "/usr/bin/tool\n",
        "info/wrapper.md5sums": f"{md5['tool']}  usr/bin/tool\n",
    }.items():
        (root / "var/lib/dpkg" / name).parent.mkdir(parents=True, exist_ok=True)
        (root / "var/lib/dpkg" / name).write_text(text)
    options = ("--sysroot", "root", "--records", "--out", "tree")
    succeed("make", "tool", "tool.real", *options, directory=tmp_path)
    record = tmp_path / "tree/var/lib/dpkg/status.d"
    assert (record / "tool.md5sums").read_text() == f"{md5['tool.real']}  usr/bin/tool.real\n"
    assert (record / "wrapper.md5sums").read_text() == f"{md5['tool']}  usr/bin/tool\n"
    done = rootgen("sbom", "tree", "--format", "cyclonedx", directory=tmp_path)
    assert "not as its package has it" not in done.stderr
    files = {
        one["name"]: [inner["name"] for inner in one.get("components", ())]
        for one in json.loads(done.stdout)["components"]
    }
    assert (files["tool"], files["wrapper"]) == (["/usr/bin/tool.real"], ["/usr/bin/tool"])


@pytest.mark.parametrize("manager", ["deb", "apk"])
def test_two_versions(tmp_path: Path, manager: str) -> None:
    """A base's package and the increment's newer one are both recorded, each with its files."""
    for version in ("1", "2"):
        root = tmp_path / f"root{version}"
        subprocess.run(["mkdir", "-p", root / "bin", root / "usr/bin"], check=True)
        subprocess.run(["cp", "/bin/busybox", root / "bin/sh"], check=True)
        sums = ""
        for name in ("one", "two"):
            path = root / "usr/bin" / name
            path.write_text(f"#!/bin/sh\n: {version}\n")
            path.chmod(0o755)
            digest = hashlib.md5(path.read_bytes()).hexdigest()
            sums += f"{digest}  usr/bin/{name}\n"
        files = {
            "deb": {
                "var/lib/dpkg/status": f"Package: tool\nVersion: {version}\n",
                "var/lib/dpkg/info/tool.list": "/usr/bin/one\n/usr/bin/two\n",
                "var/lib/dpkg/info/tool.md5sums": sums,
            },
            "apk": {
                "lib/apk/db/installed": f"P:tool\nV:{version}\nA:all\nF:usr/bin\nR:one\nR:two\n"
            },
        }
        for name, text in files[manager].items():
            (root / name).parent.mkdir(parents=True, exist_ok=True)
            (root / name).write_text(text)
    succeed("make", "one", "--sysroot", "root1", "--records", "--out", "base", directory=tmp_path)
    options = ("--sysroot", "root2", "--records", "--base", "base", "-t", "i:1", "--store", "s")
    succeed("make", "two", *options, directory=tmp_path)
    written = document("i:1", "--format", "cyclonedx", "--store", "s", directory=tmp_path)
    found = {
        (one["name"], one["version"]): [inner["name"] for inner in one["components"]]
        for one in written["components"]
        if "purl" in one
    }
    assert found == {("tool", "1"): ["/usr/bin/one"], ("tool", "2"): ["/usr/bin/two"]}


def test_rpm(tmp_path: Path) -> None:
    """What rpm says of a package is a line of the manifest, and its licence comes along."""
    rpm_root(tmp_path)
    licence = tmp_path / "root/usr/share/licenses/demo/LICENSE"
    licence.parent.mkdir(parents=True)
    licence.write_text("MIT\n")
    (tmp_path / "demo.yaml").write_text("rootgen: 1\nname: d\nfiles: [/usr/bin/demo]\n")
    options = ("--sysroot", "root", "--records", "--out", "tree")
    succeed("make", "-f", "demo.yaml", *options, directory=tmp_path)
    line = (tmp_path / "tree/var/lib/rpmmanifest/container-manifest-2").read_text()
    assert re.fullmatch(
        r"demo\t1\.2-3\t0\t\d+\tNobody\t4\t\d+\tnoarch\t4\tdemo-1\.2-3\.src\.rpm\n", line
    )
    assert (tmp_path / "tree/usr/share/licenses/demo/LICENSE").is_file()
    # Packages of the host's root by the files that are the same, and the manifest's own.
    written = document("tree", "--format", "cyclonedx", directory=tmp_path)
    check_cyclonedx(written)
    assert [one["purl"] for one in written["components"] if "purl" in one] == [
        "pkg:rpm/demo@1.2-3?arch=noarch&epoch=4&upstream=demo-1.2-3.src.rpm"
    ]


@pytest.mark.parametrize("form", ["spdx", "cyclonedx"])
def test_odd_names(tmp_path: Path, form: str) -> None:
    """Names with newlines and bytes that are no UTF-8 are escaped, and nothing is lost."""
    tree = tmp_path / "tree"
    (tree / "var/lib/dpkg").mkdir(parents=True)
    (tree / "var/lib/dpkg/status").write_bytes(
        b"Package: a\nVersion: 1\nMaintainer: \xff\x1b[2J <x>\nArchitecture: all\n"
    )
    for name in (b"new\nline", b"caf\xe9", b'quo"te', b"back\\slash"):
        (tree / os.fsdecode(name)).write_bytes(b"")
    written = document("tree", "--format", form, "--sysroot", "", directory=tmp_path)
    {"spdx": check_spdx, "cyclonedx": check_cyclonedx}[form](written)
    text = json.dumps(written)
    text.encode("utf-8")
    assert "new\\nline" in text
    assert "caf\\\\xe9" in text
    assert b"/caf\xe9".hex() in text


@pytest.mark.parametrize(
    ("arguments", "status", "said"),
    [
        (("tree", "--attach"), 2, "is a directory: only to an image"),
        (("none:1", "--store", "st"), 1, "store"),
        (("tree", "--json"), 2, "--json and the document cannot both"),
        (("tree", "--json", "--out", "-"), 2, "--json and the document cannot both"),
        (("tree", "--out", "there"), 2, "there is there already"),
    ],
)
def test_mistakes(tmp_path: Path, arguments: tuple[str, ...], status: int, said: str) -> None:
    """What cannot be is one message."""
    (tmp_path / "tree").mkdir()
    (tmp_path / "there").write_text("")
    done = rootgen("sbom", *arguments, directory=tmp_path)
    assert done.returncode == status
    assert said in done.stderr
    assert done.stdout == ""


def test_a_lying_record(tmp_path: Path) -> None:
    """A tree whose database calls a package by a path is an error that says so."""
    status = tmp_path / "tree/var/lib/dpkg/status"
    status.parent.mkdir(parents=True)
    status.write_text("Package: ../../etc/passwd\nVersion: 1\n")
    done = rootgen("sbom", "tree", directory=tmp_path)
    assert done.returncode == 1
    assert "'../../etc/passwd' is no name of a package" in done.stderr
