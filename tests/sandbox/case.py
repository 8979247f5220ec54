"""Facts that a test may change: a caller, a tree and a machine that are nowhere."""

from __future__ import annotations

from rootgen.linux.capability import NAMES, mask
from rootgen.sandbox.account import Accounts
from rootgen.sandbox.facts import Facts
from rootgen.sandbox.id_map import Caller
from rootgen.sandbox.launch import Root
from rootgen.sandbox.seccomp.machine import Machine

PASSWD = b"root:x:0:0:root:/root:/bin/bash\napp:x:1000:1000::/home/app:/bin/sh\n"
GROUP = b"root:x:0:\napp:x:1000:\naudio:x:2000:app,other\nfar:x:70000:app\n"

ROOT = Facts(
    root=Root(("/srv/tree",)),
    caller=Caller(0, 0),
    privileged=True,
    all_ids=True,
    device_nodes=True,
    setgroups=True,
    capabilities=mask(NAMES),
    environ={"TERM": "xterm", "SECRET": "token"},
    accounts=Accounts(PASSWD, GROUP),
    terminal=False,
    machine=Machine("SCMP_ARCH_X86_64", (6, 1)),
    landlock=7,
)
ALONE = ROOT._replace(
    caller=Caller(1234, 1234, "me"),
    privileged=False,
    device_nodes=False,
    capabilities=0,
)
RANGED = ALONE._replace(
    caller=Caller(
        1234,
        1234,
        "me",
        b"me:100000:65536\n",
        b"me:200000:65536\n",
        ("/usr/bin/newuidmap", "/usr/bin/newgidmap"),
    )
)
