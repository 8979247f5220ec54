"""What is wrong with a profile: each row a text, and the whole message."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.profile.writing import refusal, refusal_of, write

if TYPE_CHECKING:
    from pathlib import Path

KEYS = (
    "rootgen, name, description, extends, programs, libraries, files, users, image, layers, verify"
)
UID = "uid must be a decimal number from 0 to 4294967294"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("program: [bash]", "2:1: unknown key 'program'; did you mean 'programs'?"),
        ("Programs: [bash]", "2:1: unknown key 'Programs'; did you mean 'programs'?"),
        ("foo: 1", f"2:1: unknown key 'foo'; a profile has {KEYS}"),
        ("<<: {name: a}", f"2:1: unknown key '<<'; a profile has {KEYS}"),
        ("programs: bash", "2:11: programs must be a list, not 'bash'"),
        ("programs: {a: b}", "2:11: programs must be a list, not a mapping"),
        ("programs:", "2:10: programs must be a list, not nothing"),
        (
            "programs: [1.5]",
            '2:12: a program must be text, not the number 1.5; in quotes it is text: "1.5"',
        ),
        (
            "programs: [yes]",
            '2:12: a program must be text, not the truth value yes; in quotes it is text: "yes"',
        ),
        (
            "programs: [2020-01-01]",
            (
                "2:12: a program must be text, not the date 2020-01-01; "
                'in quotes it is text: "2020-01-01"'
            ),
        ),
        ("programs: ['']", "2:12: a program is empty"),
        ("programs: [[a]]", "2:12: a program must be a mapping, not a list"),
        ("programs: [{}]", "2:12: a program needs a 'name'"),
        ("programs: [{optional: true}]", "2:12: a program needs a 'name'"),
        ("programs: [{nam: a}]", "2:13: unknown key 'nam'; did you mean 'name'?"),
        ("programs: [a/b]", "2:12: a program 'a/b' must be an absolute path"),
        ("programs: [/a/../b]", "2:12: a program '/a/../b' must not have '..' in it"),
        (
            "programs: [{name: a, optional: maybe}]",
            "2:32: optional must be true or false, not 'maybe'",
        ),
        ('programs: ["a\\0b"]', "2:12: a character that no file name or text can have"),
        ("libraries: [{}]", "2:13: a library needs a 'name'"),
        ("name: a b", "2:7: name 'a b' must be letters, digits and '_.+-', with '/' between"),
        (
            'name: "a\\nb\\e"',
            "2:7: name 'a\\nb\\x1b' must be letters, digits and '_.+-', with '/' between",
        ),
        ("name: ../x", "2:7: name '../x' must be letters, digits and '_.+-', with '/' between"),
        ("description: [a]", "2:14: description must be text, not a list"),
        ("name: a\nname: b", "3:1: key 'name' is given twice; first in line 2"),
        ("[a]: b", "2:1: a key must be a word"),
        ("verify: [{}]", "2:10: a verify item needs 'run'"),
        ("verify: [[a]]", "2:10: a verify item must be a mapping, not a list"),
        (
            'verify: [{run: a, expect: "("}]',
            (
                "2:27: expect '(' is no regular expression: "
                "missing ), unterminated subpattern at position 0"
            ),
        ),
        ("image: []", "2:8: image must be a mapping, not a list"),
        ("image: {usr: a}", "2:9: unknown key 'usr'; did you mean 'user'?"),
        ("image: {entrypoint: sh}", "2:21: entrypoint must be a list, not 'sh'"),
        ("image: {workdir: a}", "2:18: workdir 'a' must be an absolute path"),
        ("image: {env: {A=B: c}}", "2:15: 'A=B' is no name for a variable"),
        (
            "image: {env: {A: 5}}",
            '2:18: env A must be text, not the number 5; in quotes it is text: "5"',
        ),
        ("image: {labels: [a]}", "2:17: labels must be a mapping, not a list"),
    ],
)
def test_keys_and_types(tmp_path: Path, text: str, message: str) -> None:
    """A wrong key or type is told with what was wanted, what is there and what is near."""
    assert refusal_of(str(tmp_path), text) == f"p.yaml:{message}"


@pytest.mark.parametrize(
    ("item", "message"),
    [
        ("rel", "2:9: a file 'rel' must be an absolute path"),
        ("{}", "2:9: a file needs a 'path'"),
        ("{text: a}", "2:9: a file needs a 'path'"),
        ("{path: /a, form: b}", "2:20: unknown key 'form'; did you mean 'from'?"),
        (
            "{path: /a, text: b, from: .}",
            "2:29: 'from' and 'text' cannot both say what the file is",
        ),
        (
            "{path: '/a*', text: b}",
            "2:16: path '/a*' is a pattern; with 'text' it must be one path",
        ),
        ("{path: /a, text: b, not: c}", "2:29: 'not' has no meaning with 'text'"),
        ("{path: /a, link: b, optional: yes}", "2:29: 'optional' has no meaning with 'link'"),
        ("{path: /a, link: b, mode: '0644'}", "2:29: a symbolic link has no mode of its own"),
        (
            "{path: /a, mode: 0644}",
            '2:26: YAML reads 0644 as the number 420; in quotes it is a mode: "0644"',
        ),
        (
            "{path: /a, mode: 644}",
            '2:26: YAML reads 644 as a number; in quotes it is a mode: "644"',
        ),
        ("{path: /a, mode: '999'}", "2:26: mode '999' is not octal; write it like \"0644\""),
        ("{path: /a, mode: '77777'}", "2:26: mode '77777' is not octal; write it like \"0644\""),
        ("{path: /a, mode: [a]}", "2:26: mode must be text, not a list"),
        ("{path: /a, owner: a b}", "2:27: owner 'a b' is no account name and no id"),
        ("{path: /a, owner: -1}", "2:27: owner the number -1 is no account name and no id"),
        ("{path: /a, group: [a]}", "2:27: group must be text, not a list"),
        ("{path: /a, from: gone}", "2:26: from 'gone' does not exist beneath HERE"),
        (
            "{path: /a, from: gone, optional: false}",
            "2:26: from 'gone' does not exist beneath HERE",
        ),
        (
            "{path: /a, from: ../x}",
            "2:26: from '../x' leads to outside; a profile reads only beneath its own directory",
        ),
        (
            "{path: /a, from: /etc/passwd}",
            (
                "2:26: from '/etc/passwd' leads to outside; "
                "a profile reads only beneath its own directory"
            ),
        ),
        (
            "{path: /a, from: way/passwd}",
            (
                "2:26: from 'way/passwd' leads to /etc/passwd; "
                "a profile reads only beneath its own directory"
            ),
        ),
        (
            "{path: /a, from: way/../x}",
            "2:26: from 'way/../x' leads to /x; a profile reads only beneath its own directory",
        ),
        ("/b, /c, //b/.", "2:17: /b is given twice; first in line 2"),
    ],
)
def test_files(tmp_path: Path, item: str, message: str) -> None:
    """A file rule that contradicts itself, or leads out of the profile's directory, is told."""
    (tmp_path / "way").symlink_to("/etc")
    assert refusal_of(str(tmp_path), f"files: [{item}]") == f"p.yaml:{message}"


@pytest.mark.parametrize(
    ("item", "message"),
    [
        ("{}", "2:9: a user needs 'name'"),
        ("{name: a}", "2:9: a user needs 'uid'"),
        (
            "{name: A, uid: 1}",
            (
                "2:16: user name 'A' must be lower-case letters, digits, '_' and '-', "
                "32 at most, and start with a letter"
            ),
        ),
        ("{name: a, uid: -1}", f"2:24: {UID}, not the number -1"),
        ("{name: a, uid: 010}", f"2:24: {UID}, not the number 010"),
        ("{name: a, uid: 0x10}", f"2:24: {UID}, not the number 0x10"),
        ("{name: a, uid: 4294967295}", f"2:24: {UID}, not the number 4294967295"),
        ("{name: a, uid: x}", f"2:24: {UID}, not 'x'"),
        ("{name: a, uid: 1, home: b}", "2:33: home 'b' must be an absolute path"),
        (
            "{name: a, uid: 1, shell: '/a:b'}",
            "2:34: shell must not have ':' or a line break in it: passwd(5)",
        ),
        ("{name: a, uid: 0}", "2:9: uid 0 of 'a' is that of 'root'"),
        ("{name: root, uid: 7}", "2:9: uid of 'root' must be 0, not 7"),
        ("{name: a, uid: 65534}", "2:9: uid 65534 of 'a' is that of 'nobody'"),
        ("{name: a, uid: 5}, {name: b, uid: 5}", "2:28: uid 5 of 'b' is that of 'a'"),
        ("{name: a, uid: 5}, {name: a, uid: 6}", "2:28: user 'a' is given twice; first in line 2"),
    ],
)
def test_users(tmp_path: Path, item: str, message: str) -> None:
    """A user that passwd(5) could not have, or that shares an id, is told."""
    assert refusal_of(str(tmp_path), f"users: [{item}]") == f"p.yaml:{message}"


def test_ids_across_files(tmp_path: Path) -> None:
    """Two files may each be right, and clash."""
    write(str(tmp_path), "base.yaml", "rootgen: 1\nusers: [{name: a, uid: 9}]\n")
    message = refusal_of(str(tmp_path), "extends: base.yaml\nusers: [{name: b, uid: 9}]\n")
    assert message == "p.yaml:3:9: uid 9 of 'b' is that of 'a'"


def test_all_at_once(tmp_path: Path) -> None:
    """Every mistake of every file in one message, file by file, from top to bottom."""
    write(str(tmp_path), "base.yaml", "rootgen: 1\nusers: [{name: a, uid: 0}]\nnam: x\n")
    text = 'image: {usr: x}\nextends: [base.yaml, gti]\nprograms: [5, "\\0"]\nfiles: [{path: x}]\n'
    assert refusal_of(str(tmp_path), text).splitlines() == [
        "7 mistakes in p.yaml, base.yaml",
        "  p.yaml:2:9: unknown key 'usr'; did you mean 'user'?",
        "  p.yaml:3:22: unknown profile 'gti'; did you mean 'git'?",
        '  p.yaml:4:12: a program must be text, not the number 5; in quotes it is text: "5"',
        "  p.yaml:4:15: a character that no file name or text can have",
        "  p.yaml:5:16: path 'x' must be an absolute path",
        "  base.yaml:2:9: uid 0 of 'a' is that of 'root'",
        "  base.yaml:3:1: unknown key 'nam'; did you mean 'name'?",
    ]


def test_too_many_to_tell(tmp_path: Path) -> None:
    """A hundred mistakes are told, the rest counted; none is longer than a screen."""
    text = "".join(f"k{number}: 1\n" for number in range(500)) + f"name: '{'x/' * 9000}'\n"
    lines = refusal_of(str(tmp_path), text).splitlines()
    assert lines[0] == "501 mistakes in p.yaml"
    assert lines[-1] == "  … and 401 more"
    assert len(lines) == 102
    assert max(map(len, lines)) < 500


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("gti", "unknown profile 'gti'; did you mean 'git'?"),
        ("posix", "unknown profile 'posix'; did you mean 'base/posix'?"),
        ("psix", "unknown profile 'psix'; did you mean 'base/posix'?"),
        (
            "../profiles/git",
            "no profile file profiles/git",
        ),
        ("./pp.yaml", "no profile file pp.yaml; did you mean 'p.yaml'?"),
        ("./folder", "cannot read profile folder: not a regular file"),
        ("/dev/null", "cannot read profile /dev/null: not a regular file"),
        ("loop.yaml", "profile file loop.yaml is a symbolic link that leads nowhere"),
    ],
)
def test_names(tmp_path: Path, name: str, message: str) -> None:
    """A name that is no profile is told with the nearest that is."""
    here = tmp_path / "here"
    (here / "folder").mkdir(parents=True)
    write(str(here), "p.yaml", "rootgen: 1\n")
    (here / "loop.yaml").symlink_to("loop.yaml")
    assert refusal(str(here), name).replace(f"{tmp_path}/", "") == message


def test_a_circle(tmp_path: Path) -> None:
    """Profiles that extend each other are told with the whole round."""
    here = str(tmp_path)
    write(here, "q.yaml", "rootgen: 1\nextends: ./p.yaml\n")
    assert refusal_of(here, "extends: q.yaml") == (
        "q.yaml:2:10: extends goes round in a circle: p.yaml → q.yaml → p.yaml"
    )
    assert refusal_of(here, "extends: [p.yaml]") == (
        "p.yaml:2:11: extends goes round in a circle: p.yaml → p.yaml"
    )


def test_too_many_names(tmp_path: Path) -> None:
    """A profile that extends thousands of others is told so once, and the first are looked at."""
    names = ", ".join(f"gi{number}" for number in range(5000))
    lines = refusal_of(str(tmp_path), f"extends: [{names}]").splitlines()
    assert lines[0] == "257 mistakes in p.yaml"
    assert lines[1] == "  p.yaml:2:11: unknown profile 'gi0'; did you mean 'git'?"


def test_no_version(tmp_path: Path) -> None:
    """A profile says which language it is in."""
    said = "it says which language the profile is in"
    for text, message in [
        ("name: a\n", f"p.yaml:1:1: no 'rootgen: 1'; {said}"),
        ("rootgen: 2\n", "p.yaml:1:10: rootgen must be 1, not the number 2"),
        ("rootgen: '1'\n", "p.yaml:1:10: rootgen must be 1, not '1'"),
        ("", "p.yaml:1:1: the file is empty; a profile starts with 'rootgen: 1'"),
        ("# nothing\n", "p.yaml:1:1: the file is empty; a profile starts with 'rootgen: 1'"),
    ]:
        write(str(tmp_path), "p.yaml", text)
        assert refusal(str(tmp_path), "p.yaml") == message
