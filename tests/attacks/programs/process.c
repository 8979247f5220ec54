/* Other processes, what outlives the launch, and how much is taken. */
#include "attack.h"
#include <grp.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/ptrace.h>
#include <sys/wait.h>

/* kill_process PID: end a process of the host by its number there. */
ATTACK(kill_process)
{
    (void)argc;
    return kill(atoi(argv[1]), SIGKILL) ? lost("kill") : won("killed %s", argv[1]);
}

/* trace PID...: look into the memory of a process. */
ATTACK(trace)
{
    for (int i = 1; i < argc; i++) {
        int process = atoi(argv[i]);
        if (!ptrace(PTRACE_SEIZE, process, NULL, NULL))
            return won("traces %d", process);
    }
    return lost("ptrace");
}

/* kill_parent: end whoever started us. */
ATTACK(kill_parent)
{
    (void)argc, (void)argv;
    return kill(getppid(), SIGKILL) ? lost("kill") : won("killed the parent");
}

/* kill_one: end process 1, by every signal. */
ATTACK(kill_one)
{
    (void)argc, (void)argv;
    if (getpid() < 2)
        return lost("we are process 1");
    for (int number = 1; number < 65; number++)
        if (number != SIGCHLD)
            kill(1, number);
    usleep(200000);
    errno = 0;
    return lost("process 1 goes on");
}

static void close_all(void)
{
    for (int fd = 0; fd < 1024; fd++)
        close(fd);
}

/* outlive WAY MARK: leave a process that is still there when the launch is over. */
ATTACK(outlive)
{
    (void)argc;
    int daemon = !strcmp(argv[1], "daemon");
    pid_t child = fork();
    if (child == 0) {
        setsid();
        signal(SIGTERM, SIG_IGN);
        signal(SIGHUP, SIG_IGN);
        signal(SIGINT, SIG_IGN);
        if (fork() > 0)
            _exit(0);
        close_all();
        execl("/bin/attack", argv[2], "wait_long", argv[1], NULL);
        _exit(1);
    }
    if (child < 0)
        return lost("fork");
    waitpid(child, NULL, 0);
    usleep(100000);
    printf("left\n");
    fflush(stdout);
    if (daemon)
        return 0;
    signal(SIGTERM, SIG_IGN);
    if (!strcmp(argv[1], "stopped"))
        raise(SIGSTOP);
    for (;;)
        pause();
}

/* wait_long WAY: be there. */
ATTACK(wait_long)
{
    (void)argc;
    if (!strcmp(argv[1], "stopped"))
        raise(SIGSTOP);
    sleep(60);
    return 0;
}

/* forks COUNT: as many processes at once. */
ATTACK(forks)
{
    (void)argc;
    int wanted = atoi(argv[1]);
    for (int i = 0; i < wanted; i++) {
        pid_t child = fork();
        if (child < 0) {
            printf("%d processes\n", i);
            return lost("fork");
        }
        if (child == 0) {
            sleep(20);
            _exit(0);
        }
    }
    won("%d processes at once", wanted);
    fflush(stdout);
    kill(0, SIGKILL);
    return 0;
}

/* memory BYTES: take and touch that much. */
ATTACK(memory)
{
    (void)argc;
    size_t size = strtoull(argv[1], NULL, 10);
    char *taken = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (taken == MAP_FAILED)
        return lost("mmap");
    memset(taken, 1, size);
    return won("has %zu bytes", size);
}

/* euid: run as a set-user-ID program: are we root by it? */
ATTACK(euid)
{
    (void)argc, (void)argv;
    errno = EPERM;
    return getuid() && !geteuid() ? won("is root by set-user-ID") : lost("effective user is not 0");
}

/* drop_groups PATH: leave the group that is refused a file, and read it. */
ATTACK(drop_groups)
{
    (void)argc;
    if (setgroups(0, NULL))
        return lost("setgroups");
    return show(AT_FDCWD, argv[1]);
}

/* environment NAME: a variable of whoever started us. */
ATTACK(environment)
{
    (void)argc;
    const char *value = getenv(argv[1]);
    errno = ENOENT;
    return value ? won("%s=%s", argv[1], value) : lost("getenv");
}
