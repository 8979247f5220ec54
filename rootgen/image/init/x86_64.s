# The first process of an initramfs, for x86-64: mounts, sets the console up, starts one program,
# collects what is orphaned, and powers off when the program has ended.
#
# Beside it stands x86_64.hex, what `as` and `objcopy -O binary` make of it: a test makes it anew.
# At the end of the code `elf.py` puts the parameters: a table of 64-bit values, addresses of what
# follows it. A failed system call before the program's start is passed over, as a kernel may lack
# the file system, or a machine the console; not so one that would leave the program privileges.

        .intel_syntax noprefix
        .globl  _start
_start:
        lea     rbx, [rip + parameters]
        sub     rsp, 512
        mov     r12, [rbx]              # mounts: source, target, type, flags, data
mounts:
        mov     rdi, [r12 + 8]
        test    rdi, rdi
        jz      console
        mov     esi, 0755
        mov     eax, 83                 # mkdir
        syscall
        mov     rdi, [r12]
        mov     rsi, [r12 + 8]
        mov     rdx, [r12 + 16]
        mov     r10, [r12 + 24]
        mov     r8, [r12 + 32]
        mov     eax, 165                # mount
        syscall
        add     r12, 40
        jmp     mounts

console:                                # the last word of the active consoles is what /dev/console
        lea     rdi, [rip + active]     # is; by its own name it can be a controlling terminal
        xor     esi, esi
        mov     eax, 2                  # open
        syscall
        test    eax, eax
        js      start
        mov     edi, eax
        lea     rsi, [rsp + 16]
        mov     edx, 400
        xor     eax, eax                # read
        syscall
        test    eax, eax
        jle     start
        lea     rcx, [rsi + rax - 1]    # where the line break is
        mov     byte ptr [rcx], 0
backward:
        cmp     rcx, rsi
        je      open
        cmp     byte ptr [rcx - 1], ' '
        je      open
        dec     rcx
        jmp     backward
open:
        mov     byte ptr [rcx - 1], '/'
        mov     dword ptr [rcx - 5], 0x7665642f # "/dev"
        lea     rdi, [rcx - 5]
        mov     esi, 2                  # O_RDWR
        mov     eax, 2                  # open
        syscall
        test    eax, eax
        js      start
        mov     r13d, eax
        xor     esi, esi
streams:
        mov     edi, r13d
        mov     eax, 33                 # dup2
        syscall
        inc     esi
        cmp     esi, 3
        jne     streams

start:
        mov     eax, 57                 # fork
        syscall
        test    eax, eax
        jz      program
        mov     r14d, eax
collect:
        mov     edi, -1
        xor     esi, esi
        xor     edx, edx
        xor     r10d, r10d
        mov     eax, 61                 # wait4
        syscall
        cmp     eax, -10                # ECHILD: fork failed
        je      finish
        cmp     eax, r14d
        jne     collect
finish:
        mov     eax, 162                # sync
        syscall
        mov     edx, 0x4321fedc         # LINUX_REBOOT_CMD_POWER_OFF
        call    reboot
        mov     edx, 0x01234567         # LINUX_REBOOT_CMD_RESTART, where there is no power to cut
        call    reboot
forever:
        mov     eax, 34                 # pause
        syscall
        jmp     forever
reboot:
        mov     edi, 0xfee1dead
        mov     esi, 672274793
        mov     eax, 169                # reboot
        syscall
        ret

program:
        mov     eax, 112                # setsid
        syscall
        xor     edi, edi
        mov     esi, 0x540e             # TIOCSCTTY
        mov     edx, 1
        mov     eax, 16                 # ioctl
        syscall
        mov     rdi, [rbx + 32]
        mov     eax, 80                 # chdir
        syscall
        test    eax, eax
        jnz     failed
        mov     rdi, [rbx + 56]
        mov     rsi, [rbx + 64]
        mov     eax, 116                # setgroups
        syscall
        test    eax, eax
        jnz     failed
        mov     rdi, [rbx + 48]
        mov     eax, 106                # setgid
        syscall
        test    eax, eax
        jnz     failed
        mov     rdi, [rbx + 40]
        mov     eax, 105                # setuid
        syscall
        test    eax, eax
        jnz     failed
        mov     rdi, [rbx + 8]
        mov     rsi, [rbx + 16]
        mov     rdx, [rbx + 24]
        mov     eax, 59                 # execve
        syscall
failed:
        mov     edi, 2
        mov     rsi, [rbx + 72]
        mov     rdx, [rbx + 80]
        mov     eax, 1                  # write
        syscall
        mov     edi, 127
        mov     eax, 60                 # exit
        syscall

active: .asciz  "/sys/class/tty/console/active"
        .balign 8
parameters:
