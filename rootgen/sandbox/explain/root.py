"""Act three, told: what is mounted in the tree, and how it becomes /."""

from __future__ import annotations

from rootgen.named import TYPE_CHECKING
from rootgen.sandbox.explain.shell import quote
from rootgen.sandbox.launch import DeviceNode, Link, Mount, Node, Protect, Text
from rootgen.sandbox.mounts import LOCALTIME, MACHINE_ID, MANIFEST
from rootgen.sandbox.place import flag_words

if TYPE_CHECKING:
    from collections.abc import Iterator

    from rootgen.sandbox.launch import Launch, Step

_ROOT = "$ROOT"


def root_lines(launch: Launch) -> Iterator[str]:
    """Yield the lines on every mount, in their order, and on the change of root."""
    yield "The tree becomes a mount of its own; what is mounted from now on nobody else sees."
    yield "$ mount --make-rprivate /"
    yield from _stack_lines(launch) if launch.root.stacked else _tree_lines(launch)
    for name in launch.missing:
        yield f"$ mkdir {_ROOT}/{name}"
    told = ""
    for step in launch.steps:
        if (heading := _heading(step)) != told:
            told = heading
            yield told
        yield from (f"$ {command}" for command in step_commands(step))
    if launch.read_only:
        yield f"$ mount -o remount,bind,ro {_ROOT}"
    yield "The tree becomes /, and the old root is let go of: no path leads there any more."
    yield f"$ cd {_ROOT}"
    if launch.pivot == "chroot":
        yield "$ mount --move . /; chroot ."
    else:
        yield "$ pivot_root . . && umount -l ."
        if launch.pivot == "auto":
            yield "or, where that is refused (an initramfs): $ mount --move . /; chroot ."


def _tree_lines(launch: Launch) -> Iterator[str]:
    yield f"$ ROOT={quote(launch.root.top)}"
    yield f"$ mount --rbind {_ROOT} {_ROOT}"
    if launch.root_flags:
        yield f"$ mount -o remount,bind,{flag_words(launch.root_flags)} {_ROOT}"


def _stack_lines(launch: Launch) -> Iterator[str]:
    """Tell of an overlay. Names in its options are quoted for mount(8) as for a shell."""
    upper = launch.root.upper
    words = [f"lowerdir={':'.join(_escape(path) for path in reversed(launch.root.layers))}"]
    if upper is None:
        yield "It is a stack of directories, none of which is written to."
    elif upper.directory:
        yield "It is a stack of directories; what is written goes to one of them."
        words += [f"upperdir={_escape(upper.directory)}", f"workdir={_escape(upper.work)}"]
    else:
        yield "What is written goes to memory, and is gone afterwards: the tree stays as it is."
        size = f",size={upper.size}" if upper.size else ""
        yield f"$ mount -t tmpfs -o mode=700{size} tmpfs /mnt; mkdir /mnt/upper /mnt/work /mnt/root"
        words += ["upperdir=/mnt/upper", "workdir=/mnt/work"]
    yield "$ ROOT=/mnt/root"
    words += [flag_words(launch.root_flags), launch.root_data]
    yield f"$ mount -t overlay -o {quote(','.join(words))} overlay {_ROOT}"
    if launch.fuse:
        directories = quote(",".join(words[:-2]))
        yield f"or, where the kernel refuses that: $ {launch.fuse} -o {directories} {_ROOT}"


def _escape(path: str) -> str:
    for one in ("\\", ":", ","):
        path = path.replace(one, f"\\{one}")
    return path


def _heading(step: Step) -> str:
    match step:
        case Protect(path=path) if path == MANIFEST:
            return "The tree's manifest is a claim that its own programs may not rewrite."
        case Protect(masked=True):
            return "What of the kernel's own files tells of the host is hidden."
        case Text(path=path) if path == MACHINE_ID:
            return "The tree keeps a place for a machine's number: it gets one of this launch."
        case Text():
            return "How names are resolved in its network is shown; the tree's own file stays."
        case Protect():
            return "What turns knobs of the kernel, which all containers share, is read-only."
        case DeviceNode():
            return "Devices that were asked for are shown; who may use them their modes say."
        case Mount(bind=True, target=target) if target == LOCALTIME:
            return "The tree keeps a place for the time zone: it gets the host's."
        case Mount(bind=True, target=target) if not target.startswith("/dev/"):
            return "What was asked for of the host is shown."
        case _:
            return "File systems that it would find on any machine are mounted, fresh ones."


def step_commands(step: Step) -> tuple[str, ...]:
    """Return the shell commands that do as one step does."""
    match step:
        case Mount():
            return _mount_commands(step)
        case Node(path, major, minor, mode):
            return (f"mknod -m {mode:o} {_ROOT}{quote(path)} c {major} {minor}",)
        case DeviceNode(source, target):
            place = f"{_ROOT}{quote(target)}"
            return (f"mount --bind {quote(source)} {place}",
                    f"mount -o remount,bind,ro,nosuid,noexec {place}")  # fmt: skip
        case Link(path, target):
            return (f"ln -s {quote(target)} {_ROOT}{quote(path)}",)
        case Text(path, content):
            place = f"{_ROOT}{quote(path)}"
            made = f"printf %s {quote(content)} >{_ROOT}/dev/.text"
            return (made, f"mount --bind {_ROOT}/dev/.text {place}; rm {_ROOT}/dev/.text",
                    f"mount -o remount,bind,ro {place}")  # fmt: skip
        case Protect(path, masked):
            place = f"{_ROOT}{quote(path)}"
            if masked:
                return (f"mount --bind /dev/null {place}    # a directory: mount -t tmpfs -o ro",)
            return (f"mount --rbind {place} {place}", f"mount -o remount,bind,ro {place}")
        case _:
            return (f"mount --bind /dev/pts/0 {_ROOT}{quote(step.path)}    # a new terminal",)


def _mount_commands(step: Mount) -> tuple[str, ...]:
    target = f"{_ROOT}{quote(step.target)}"
    words = ",".join(word for word in (flag_words(step.flags), step.data) if word)
    if not step.bind:
        options = f" -o {words}" if words else ""
        return (f"mount -t {step.fstype}{options} {quote(step.source)} {target}",)
    bound = f"mount --rbind {quote(step.source)} {target}"
    return (bound, f"mount -o remount,bind,{words} {target}") if words else (bound,)
