"""A static program that makes single system calls and says what came of them."""

from __future__ import annotations

import subprocess
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

_SOURCE = r"""
#define _GNU_SOURCE
#include <errno.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/un.h>

#define FIELD(name) BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, name))
#define PASS(call) BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (call), 0, 1), \
                   BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW)
#define ALLOWED 200 /* what the filter beneath answers where ours allows */

struct call { unsigned long kind, number, arguments[6]; };

static void fail(const char *what) { perror(what); exit(99); }

#ifdef __x86_64__
#define NATIVE AUDIT_ARCH_X86_64
/* A call of a 32-bit program; the sixth argument is whatever rbp is. */
static long call_i386(const struct call *c) {
    long result;
    __asm__ volatile("int $0x80" : "=a"(result)
        : "a"(c->number), "b"(c->arguments[0]), "c"(c->arguments[1]), "d"(c->arguments[2]),
          "S"(c->arguments[3]), "D"(c->arguments[4])
        : "memory", "r8", "r9", "r10", "r11");
    return (int)result;
}
#else
#define NATIVE 0
static long call_i386(const struct call *c) { return -ENOSYS; }
#endif

static long call_native(const struct call *c) {
    const unsigned long *a = c->arguments;
    errno = 0;
    long result = syscall(c->number, a[0], a[1], a[2], a[3], a[4], a[5]);
    return result == -1 ? -errno : result;
}

static void install(struct sock_filter *filter, unsigned short length) {
    struct sock_fprog program = { length, filter };
    if (syscall(SYS_seccomp, 1, 0, &program)) fail("seccomp");
}

/* Which of the calls on standard input would be made? None is: a filter beneath answers. */
static int survey(char **words) {
    static struct sock_filter filter[4096];
    static struct call calls[65536];
    static int answers[65536];
    struct sock_filter beneath[] = {
        FIELD(arch), BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, NATIVE, 1, 0),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | ALLOWED),
        FIELD(nr), PASS(SYS_write), PASS(SYS_exit_group), PASS(SYS_seccomp),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | ALLOWED),
    };
    FILE *file = fopen(words[0], "rb");
    if (!file) fail(words[0]);
    size_t length = fread(filter, sizeof filter[0], 4096, file);
    size_t count = fread(calls, sizeof calls[0], 65536, stdin);
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)) fail("prctl");
    install(beneath, sizeof beneath / sizeof beneath[0]);
    install(filter, length);
    for (size_t i = 0; i < count; i++)
        answers[i] = -(calls[i].kind ? call_i386(&calls[i]) : call_native(&calls[i]));
    syscall(SYS_write, 1, answers, count * sizeof answers[0]);
    syscall(SYS_exit_group, 0);
    return 1;
}

/* NUMBER ARGUMENT...: one call; an argument that is no number is the address of the word. */
static int one_call(char **words) {
    struct call c = { 0 };
    c.number = strtoul(words[0], NULL, 0);
    for (int i = 0; i < 6 && words[1 + i]; i++) {
        char *end;
        c.arguments[i] = strtoul(words[1 + i], &end, 0);
        if (*end) c.arguments[i] = (unsigned long)words[1 + i];
    }
    long result = call_native(&c);
    printf("%s\n", result < 0 && result > -4096 ? strerrorname_np(-result) : "ok");
    return 0;
}

/* A session keyring with a key in it, and then a command. */
static int with_key(char **words) {
    if (syscall(SYS_keyctl, 1, NULL) < 0) fail("join");
    if (syscall(SYS_add_key, "user", "rootgen-secret", "value", 5, -3) < 0) fail("add_key");
    execvp(words[0], words);
    fail(words[0]);
    return 1;
}

static int find_key(void) {
    long found = syscall(SYS_keyctl, 10, -3, "user", "rootgen-secret", 0);
    puts(found < 0 ? strerrorname_np(errno) : "found");
    return 0;
}

static int connect_abstract(const char *name) {
    struct sockaddr_un address = { AF_UNIX };
    strcpy(address.sun_path + 1, name);
    int s = socket(AF_UNIX, SOCK_STREAM, 0);
    socklen_t size = offsetof(struct sockaddr_un, sun_path) + 1 + strlen(name);
    puts(connect(s, (void *)&address, size) ? strerrorname_np(errno) : "connected");
    return 0;
}

int main(int count, char **words) {
    if (count > 2 && !strcmp(words[1], "survey")) return survey(words + 2);
    if (count > 2 && !strcmp(words[1], "call")) return one_call(words + 2);
    if (count > 2 && !strcmp(words[1], "with-key")) return with_key(words + 2);
    if (count > 1 && !strcmp(words[1], "find-key")) return find_key();
    if (count > 2 && !strcmp(words[1], "connect")) return connect_abstract(words[2]);
    puts("interpreted");
    return 0;
}
"""


def build_probe(path: Path) -> Path:
    """Compile the probe to ``path``; return it."""
    command = ["gcc", "-O1", "-static", "-w", "-x", "c", "-o", str(path), "-"]
    subprocess.run(command, input=_SOURCE, text=True, check=True)
    return path
