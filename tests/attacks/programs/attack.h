/* What the attack programs share: each is one function, called by its name.
 *
 * It prints one line: "SUCCEEDED: what was gained" (and returns 0), or
 * "failed: which step: why" (and returns 1). "started" comes before it, on
 * standard error, so that a launcher that refused can be told from an attack that failed.
 */
#ifndef ATTACK_H
#define ATTACK_H
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/types.h>
#include <unistd.h>

#define ATTACK(name) int name(int argc, char **argv)

int won(const char *format, ...) __attribute__((format(printf, 1, 2)));
int lost(const char *step);
/* Print what the file relative to a directory (or AT_FDCWD) says; the token is in it. */
int show(int directory, const char *path);
/* Write text to a file; 0, or -1 with errno. */
int put(const char *path, const char *text);

/* root.c */
ATTACK(chroot_descriptor);
ATTACK(chroot_dotdot);
ATTACK(left_descriptor);
ATTACK(directory);
ATTACK(reopen);
ATTACK(exe_overwrite);
ATTACK(file_handle);
ATTACK(host_device);
ATTACK(node);
/* proc.c */
ATTACK(proc_root);
ATTACK(write_same);
ATTACK(read_any);
ATTACK(unmasked);
ATTACK(chmod_mask);
ATTACK(keyring_with);
ATTACK(keyring);
ATTACK(move_manifest);
/* kernel.c */
ATTACK(surface);
ATTACK(user_namespace);
ATTACK(hostname);
ATTACK(clock_change);
ATTACK(kernel_log);
ATTACK(abstract_socket);
/* process.c */
ATTACK(kill_process);
ATTACK(trace);
ATTACK(kill_parent);
ATTACK(outlive);
ATTACK(wait_long);
ATTACK(forks);
ATTACK(memory);
ATTACK(euid);
ATTACK(drop_groups);
ATTACK(kill_one);
ATTACK(environment);
/* terminal.c */
ATTACK(push_input);
ATTACK(push_input_high);
ATTACK(take_and_push);
ATTACK(controlling);
/* cgroup.c */
ATTACK(release_agent);
ATTACK(raise_limit);
ATTACK(leave_group);
#endif
