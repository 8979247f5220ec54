/* System calls that reach past the namespaces, or widen what of the kernel can be attacked. */
#include "attack.h"
#include <linux/bpf.h>
#include <linux/perf_event.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/timex.h>
#include <sys/un.h>
#include <sys/utsname.h>

#ifndef AF_VSOCK
#define AF_VSOCK 40
#endif

/* surface NAME: a call that Docker's default profile forbids. */
ATTACK(surface)
{
    (void)argc;
    const char *name = argv[1];
    long result = -1;
    if (!strcmp(name, "bpf")) {
        union bpf_attr wanted;
        memset(&wanted, 0, sizeof wanted);
        wanted.map_type = BPF_MAP_TYPE_ARRAY;
        wanted.key_size = wanted.value_size = 4;
        wanted.max_entries = 1;
        result = syscall(SYS_bpf, BPF_MAP_CREATE, &wanted, sizeof wanted);
    } else if (!strcmp(name, "perf_event_open")) {
        struct perf_event_attr wanted;
        memset(&wanted, 0, sizeof wanted);
        wanted.type = PERF_TYPE_SOFTWARE;
        wanted.size = sizeof wanted;
        wanted.config = PERF_COUNT_SW_CPU_CLOCK;
        wanted.exclude_kernel = 1;
        result = syscall(SYS_perf_event_open, &wanted, 0, -1, -1, 0);
    } else if (!strcmp(name, "io_uring")) {
        char parameters[256] = {0};
        result = syscall(425, 4, parameters);
    } else if (!strcmp(name, "userfaultfd")) {
        result = syscall(SYS_userfaultfd, O_CLOEXEC | 1 /* UFFD_USER_MODE_ONLY */);
    } else if (!strcmp(name, "add_key")) {
        result = syscall(SYS_add_key, "user", "attack:surface", "x", 1, -2 /* process keyring */);
    } else if (!strcmp(name, "vsock")) {
        result = socket(AF_VSOCK, SOCK_STREAM, 0);
    }
    return result < 0 ? lost(name) : won("%s", name);
}

/* user_namespace: be root of a new user namespace, with all capabilities in it, and mount. */
ATTACK(user_namespace)
{
    (void)argc, (void)argv;
    if (unshare(CLONE_NEWUSER | CLONE_NEWNS))
        return lost("unshare");
    if (mount("none", "/tmp", "tmpfs", 0, NULL))
        return lost("mount");
    return won("mounted a file system in a user namespace of our own");
}

/* hostname NAMESPACE: set the host name (to what it is) in this UTS namespace. */
ATTACK(hostname)
{
    (void)argc;
    char where[64] = "";
    struct utsname name;
    if (readlink("/proc/self/ns/uts", where, sizeof where - 1) < 0)
        return lost("/proc/self/ns/uts");
    uname(&name);
    if (sethostname(name.nodename, strlen(name.nodename)))
        return lost("sethostname");
    errno = ENOENT;
    return strcmp(where, argv[1]) ? lost("another UTS namespace") : won("set the host's name");
}

/* clock_change: set the kernel's clock frequency to what it is. */
ATTACK(clock_change)
{
    (void)argc, (void)argv;
    struct timex now = {0};
    if (adjtimex(&now) < 0)
        return lost("adjtimex, reading");
    now.modes = ADJ_FREQUENCY;
    return adjtimex(&now) < 0 ? lost("adjtimex") : won("set the host's clock");
}

/* kernel_log: read the kernel's messages. */
ATTACK(kernel_log)
{
    (void)argc, (void)argv;
    static char text[1 << 16];
    int length = syscall(SYS_syslog, 3 /* SYSLOG_ACTION_READ_ALL */, text, sizeof text);
    return length < 0 ? lost("syslog") : won("read %d bytes of the kernel's log", length);
}

/* abstract_socket NAME: reach a service of the host that listens on an abstract socket. */
ATTACK(abstract_socket)
{
    (void)argc;
    struct sockaddr_un place = {.sun_family = AF_UNIX};
    strncpy(place.sun_path + 1, argv[1], sizeof place.sun_path - 2);
    int fd = socket(AF_UNIX, SOCK_STREAM, 0);
    socklen_t length = offsetof(struct sockaddr_un, sun_path) + 1 + strlen(argv[1]);
    if (connect(fd, (struct sockaddr *)&place, length))
        return lost("connect");
    char text[256];
    ssize_t got = read(fd, text, sizeof text - 1);
    if (got <= 0)
        return lost("read");
    text[got] = 0;
    return won("the host's service says %s", text);
}
