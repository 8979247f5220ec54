"""Profiles as JSON: read, written, and refused with the place of each mistake."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rootgen.errors import LaunchError
from rootgen.sandbox.seccomp.compiler import compile_profile
from rootgen.sandbox.seccomp.default import DEFAULT
from rootgen.sandbox.seccomp.machine import Machine
from rootgen.sandbox.seccomp.oci import LIMIT, read_template, to_oci
from rootgen.sandbox.seccomp.profile import (
    ALLOW,
    EPERM,
    ERRNO,
    KILL_PROCESS,
    LOG,
    TRACE,
    Condition,
    Rule,
)  # fmt: skip
from rootgen.sandbox.seccomp.select import select
from tests.sandbox.seccomp.test_compiler import profiles

X86_64 = Machine("SCMP_ARCH_X86_64", (6, 1))
NOTHING: dict[str, Any] = {"defaultAction": "SCMP_ACT_ALLOW"}


def _read(value: object) -> Any:
    return read_template(json.dumps(value).encode(), "profile.json")


@given(profiles(alternatives=True))
def test_round_trip(profile: Any) -> None:
    """What is written is read back, and means the same."""
    written = to_oci(profile)
    machine = Machine(profile.architectures[0], (6, 1))
    assert select(_read(written), machine, ()) == profile


def test_default_round_trip() -> None:
    """The default filter as a file is the default filter."""
    profile = select(DEFAULT, X86_64, ("SYS_CHROOT",))
    again = select(_read(to_oci(profile)), X86_64, ())
    assert compile_profile(again) == compile_profile(profile)


def test_every_field() -> None:
    """All of moby's and podman's form."""
    template = _read(
        {
            "defaultAction": "SCMP_ACT_ERRNO",
            "defaultErrnoRet": 1,
            "defaultErrno": "ENOSYS",
            "archMap": [
                {"architecture": "SCMP_ARCH_X86_64", "subArchitectures": ["SCMP_ARCH_X86"]},
                {"architecture": "SCMP_ARCH_AARCH64", "subArchitectures": None},
            ],
            "flags": [],
            "syscalls": [
                {"names": ["read", "write"], "action": "SCMP_ACT_ALLOW", "args": None},
                {"name": "close", "action": "SCMP_ACT_LOG", "comment": "why"},
                {
                    "names": ["socket"], "action": "SCMP_ACT_ERRNO", "errno": "EACCES",
                    "args": [
                        {"index": 0, "value": 16, "valueTwo": 0, "op": "SCMP_CMP_EQ"},
                        {"index": 2, "value": 2**64 - 1, "valueTwo": 9, "op": "SCMP_CMP_MASKED_EQ"},
                    ],
                    "includes": {"caps": ["CAP_SYS_ADMIN"], "minKernel": "4.8"},
                    "excludes": {"arches": ["s390"]},
                },
                {"names": ["bpf"], "action": "SCMP_ACT_TRACE", "errnoRet": 7},
                {"names": ["acct"], "action": "SCMP_ACT_KILL_PROCESS"},
            ],
        }
    )  # fmt: skip
    assert template.default == ERRNO | 38
    assert template.flags == ()
    first = select(template, X86_64, ())
    assert first.architectures == ("SCMP_ARCH_X86_64", "SCMP_ARCH_X86")
    assert [rule.action for rule in first.rules] == [ALLOW, LOG, TRACE | 7, KILL_PROCESS]
    [rule] = [one for one in select(template, X86_64, ("SYS_ADMIN",)).rules if one.conditions]
    assert rule == Rule(
        ("socket",),
        ERRNO | 13,
        (
            Condition(0, "SCMP_CMP_EQ", 16),
            Condition(2, "SCMP_CMP_MASKED_EQ", 2**64 - 1, 9),
        ),
    )
    old = select(template, X86_64._replace(kernel=(4, 7)), ("SYS_ADMIN",))
    assert "socket" not in {name for rule in old.rules for name in rule.names}


def test_whole_configuration() -> None:
    """A runtime's config.json has the profile in it."""
    bundle = {"ociVersion": "1.0.2", "linux": {"seccomp": {**NOTHING, "syscalls": []}}}
    assert _read(bundle).default == ALLOW


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"defaultAction": None}, "defaultAction: is missing"),
        ({"defaultAction": "ALLOW"}, "defaultAction: 'ALLOW' is not known"),
        ({"defaultAction": "SCMP_ACT_ALOW"}, "did you mean SCMP_ACT_ALLOW?"),
        ({"defaultAction": "SCMP_ACT_NOTIFY"}, "defaultAction: SCMP_ACT_NOTIFY asks another"),
        ({"defaultErrnoRet": 1}, "defaultAction: SCMP_ACT_ALLOW takes no error number"),
        ({"defaultAction": "SCMP_ACT_ERRNO", "defaultErrnoRet": 4096}, "from 0 to 4095"),
        ({"defaultAction": "SCMP_ACT_ERRNO", "defaultErrnoRet": True}, "expected a number"),
        ({"defaultAction": "SCMP_ACT_ERRNO", "defaultErrno": "ENOYS"}, "did you mean ENOSYS?"),
        ({"flags": ["SECCOMP_FILTER_FLAG_LOGS"]}, "flags[0]: 'SECCOMP_FILTER_FLAG_LOGS'"),
        ({"flags": ["SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV"]}, "flags[0]: is for SCMP_ACT_NOTIFY"),
        ({"architectures": ["x86"]}, "architectures[0]: 'x86' is not known"),
        ({"architectures": "SCMP_ARCH_X86"}, "architectures: expected a list"),
        (
            {"architectures": ["SCMP_ARCH_X86"], "archMap": [{"architecture": "SCMP_ARCH_X86"}]},
            "archMap: architectures are given as well",
        ),
        ({"syscals": []}, "no field 'syscals' is known; did you mean syscalls?"),
        ({"syscalls": {}}, "syscalls: expected a list, not an object"),
        ({"syscalls": [3]}, "syscalls[0]: expected an object"),
    ],
)
def test_mistakes(change: dict[str, Any], message: str) -> None:
    """Each is told with its place."""
    with pytest.raises(LaunchError) as caught:
        _read({**NOTHING, **change})
    assert message in str(caught.value)
    assert str(caught.value).startswith("profile.json")


GOOD: dict[str, Any] = {"names": ["read"], "action": "SCMP_ACT_ERRNO"}
ARGUMENT: dict[str, Any] = {"index": 0, "value": 1, "op": "SCMP_CMP_EQ"}


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"names": []}, "syscalls[1]: names no system call"),
        ({"names": [7]}, "syscalls[1].names[0]: expected a name"),
        ({"name": "write"}, "syscalls[1].name: names are given as well"),
        ({"action": "SCMP_ACT_NOTIFY"}, "syscalls[1].action: SCMP_ACT_NOTIFY asks another process"),
        ({"action": "SCMP_ACT_KILL", "errnoRet": 5}, "SCMP_ACT_KILL takes no error number"),
        ({"arg": []}, "syscalls[1]: no field 'arg' is known; did you mean args?"),
        ({"include": {}}, "did you mean includes?"),
        ({"args": [{**ARGUMENT, "index": 6}]}, "args[0].index: expected a number from 0 to 5"),
        ({"args": [{**ARGUMENT, "value": -1}]}, "args[0].value: expected a number from 0"),
        ({"args": [{**ARGUMENT, "value": 2**64}]}, "args[0].value: expected a number from 0"),
        ({"args": [{**ARGUMENT, "value": 1.5}]}, "args[0].value: expected a number, not"),
        ({"args": [{"index": 0, "value": 1}]}, "args[0].op: is missing"),
        ({"args": [{**ARGUMENT, "op": "SCMP_CMP_EG"}]}, "'SCMP_CMP_EG' is not known; did you"),
        ({"includes": {"minKernel": "4"}}, "includes.minKernel: expected a kernel version"),
        ({"includes": {"minKernel": "four.8"}}, "includes.minKernel: expected a kernel version"),
        ({"excludes": {"caps": "CAP_SYS_ADMIN"}}, "excludes.caps: expected a list"),
    ],
)
def test_mistakes_of_a_rule(change: dict[str, Any], message: str) -> None:
    """Each is told with its place, in the list and in the rule."""
    with pytest.raises(LaunchError) as caught:
        _read({**NOTHING, "syscalls": [GOOD, {**GOOD, **change}]})
    assert message in str(caught.value)


def test_all_mistakes_at_once() -> None:
    """Twenty of them, and how many more there are."""
    with pytest.raises(LaunchError) as caught:
        _read({**NOTHING, "syscalls": [{"names": ["x"], "action": "?"}] * 30})
    assert len(caught.value.why) == 21
    assert caught.value.why[-1] == "and 10 more"


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "no JSON"),
        (b"{", "profile.json:1:2: no JSON"),
        (b"[]", "expected an object, not a list"),
        (b"null", "expected an object, not nothing"),
        (b'{"ociVersion": "1.0", "linux": 3}', "expected an object"),
        (b"\xff\xfe", "no seccomp profile"),
        (b"[" * 100_000, "no seccomp profile"),
        (b'{"defaultAction": 1, "defaultAction": 2}', "'defaultAction' is given twice"),
        (b'{"defaultAction": ' + b"9" * 5000 + b"}", "no seccomp profile"),
        (b" " * (LIMIT + 1), "more than 1024 KiB"),
    ],
)
def test_no_profile(data: bytes, message: str) -> None:
    """Bytes that are none, or too many."""
    with pytest.raises(LaunchError) as caught:
        read_template(data, "profile.json")
    assert message in str(caught.value)


def test_too_many_names() -> None:
    """More than any kernel has."""
    with pytest.raises(LaunchError, match="more than 20000 names"):
        _read({**NOTHING, "syscalls": [{**GOOD, "names": ["read"] * 20_001}]})


def test_too_long_a_program() -> None:
    """What the kernel would not take is told as what it is."""
    rules = [{**GOOD, "args": [{**ARGUMENT, "value": value}]} for value in range(2000)]
    template = _read({**NOTHING, "syscalls": rules})
    with pytest.raises(LaunchError, match="the kernel takes 4096"):
        compile_profile(select(template, X86_64, ()))


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8)
    | st.sampled_from(["SCMP_ACT_ALLOW", "SCMP_ACT_ERRNO", "SCMP_CMP_EQ", "read", "4.8"]),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(
        st.sampled_from(
            "defaultAction defaultErrnoRet defaultErrno architectures archMap flags syscalls names "
            "name action errnoRet errno args index value valueTwo op includes excludes caps arches "
            "minKernel architecture subArchitectures".split()
        ),
        inner, max_size=6,
    ),
    max_leaves=30,
)  # fmt: skip


@given(JSON)
def test_any_json(value: object) -> None:
    """Whatever the document is, it is a profile or a mistake that is told."""
    try:
        template = _read(value)
        compile_profile(select(template, X86_64, ()))
    except LaunchError as error:
        told = str(error)
    else:
        return
    assert told.startswith(("profile.json", "the seccomp filter is too long"))


def test_default_errno() -> None:
    """Without a number it is EPERM, as in runc."""
    assert _read({"defaultAction": "SCMP_ACT_ERRNO"}).default == ERRNO | EPERM
    assert _read({"defaultAction": "SCMP_ACT_TRACE"}).default == TRACE | EPERM
