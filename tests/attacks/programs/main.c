/* attack NAME [ARGUMENT...]: perform one attack from inside. */
#include "attack.h"
#include <stdarg.h>

static const struct {
    const char *name;
    int (*perform)(int, char **);
} attacks[] = {
#define ROW(name) {#name, name}
    ROW(chroot_descriptor), ROW(chroot_dotdot), ROW(left_descriptor), ROW(directory),
    ROW(reopen), ROW(exe_overwrite), ROW(file_handle), ROW(host_device),
    ROW(node), ROW(proc_root), ROW(write_same), ROW(read_any), ROW(unmasked), ROW(chmod_mask),
    ROW(keyring_with), ROW(keyring), ROW(move_manifest), ROW(surface), ROW(user_namespace),
    ROW(hostname), ROW(clock_change), ROW(kernel_log), ROW(abstract_socket), ROW(kill_process),
    ROW(trace), ROW(kill_parent), ROW(outlive), ROW(wait_long), ROW(forks), ROW(memory), ROW(euid),
    ROW(drop_groups), ROW(kill_one), ROW(push_input), ROW(push_input_high), ROW(take_and_push),
    ROW(controlling), ROW(release_agent), ROW(raise_limit), ROW(leave_group),
    ROW(environment),
};

int won(const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    printf("SUCCEEDED: ");
    vprintf(format, arguments);
    printf("\n");
    fflush(stdout);
    va_end(arguments);
    return 0;
}

int lost(const char *step)
{
    printf("failed: %s: %s\n", step, strerror(errno));
    fflush(stdout);
    return 1;
}

int show(int directory, const char *path)
{
    char text[256];
    int fd = openat(directory, path, O_RDONLY | O_NONBLOCK);
    if (fd < 0)
        return lost(path);
    ssize_t length = read(fd, text, sizeof text - 1);
    close(fd);
    if (length < 0)
        return lost(path);
    text[length] = 0;
    text[strcspn(text, "\n")] = 0;
    return won("read %s: %s", path, text);
}

int put(const char *path, const char *text)
{
    int fd = open(path, O_WRONLY);
    if (fd < 0)
        return -1;
    ssize_t written = write(fd, text, strlen(text));
    int number = errno;
    close(fd);
    errno = number;
    return written < 0 ? -1 : 0;
}

int main(int argc, char **argv)
{
    if (argc < 2)
        return 2;
    for (size_t i = 0; i < sizeof attacks / sizeof *attacks; i++)
        if (!strcmp(argv[1], attacks[i].name)) {
            (void)!write(2, "started\n", 8);
            return attacks[i].perform(argc - 1, argv + 1);
        }
    return 2;
}
