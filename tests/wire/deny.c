/* deny.c - runs a program to which the kernel refuses something, as the filter of a container does.
 *
 *   deny io_uring ERROR PROGRAM [ARGUMENT]...   io_uring_setup
 *   deny mlock ERROR PROGRAM [ARGUMENT]...      mlock, mlock2
 *   deny mlockall ERROR PROGRAM [ARGUMENT]...   mlockall
 *   deny direct ERROR PROGRAM [ARGUMENT]...     openat with O_DIRECT
 *   deny populate ERROR PROGRAM [ARGUMENT]...   madvise with MADV_POPULATE_WRITE
 *
 * The filter is for good and for everything that the program starts. ERROR: EPERM, ENOSYS, EINVAL,
 * ENOMEM.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#define LOAD(field)      BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, field))
#define IS(value)        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, value, 0, 1) /* else skips one */
#define ANY_BIT(bits)    BPF_JUMP(BPF_JMP | BPF_JSET | BPF_K, bits, 0, 1)
#define REFUSE(error)    BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | (error))
#define ALLOW            BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW)
#define JUMP_OVER(count) BPF_STMT(BPF_JMP | BPF_JA, count)

static int install(struct sock_filter *filter, size_t count)
{
    struct sock_fprog program = {.len = (unsigned short)count, .filter = filter};
    return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0 ||
           prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) != 0;
}

static int deny(const char *what, unsigned error)
{
    struct sock_filter io_uring[] = {LOAD(nr), IS(SYS_io_uring_setup), REFUSE(error), ALLOW};
    struct sock_filter mlockall[] = {LOAD(nr), IS(SYS_mlockall), REFUSE(error), ALLOW};
    struct sock_filter mlock[] = {LOAD(nr),       IS(SYS_mlock), REFUSE(error),
                                  IS(SYS_mlock2), REFUSE(error), ALLOW};
    /* The lower half of the flags: little endian. */
    struct sock_filter direct[] = {LOAD(nr),      IS(SYS_openat),    JUMP_OVER(1),  ALLOW,
                                   LOAD(args[2]), ANY_BIT(O_DIRECT), REFUSE(error), ALLOW};
    struct sock_filter populate[] = {LOAD(nr),      IS(SYS_madvise),         JUMP_OVER(1),  ALLOW,
                                     LOAD(args[2]), IS(MADV_POPULATE_WRITE), REFUSE(error), ALLOW};
    const struct {
        const char *what;
        struct sock_filter *filter;
        size_t count;
    } rows[] = {
        {"io_uring", io_uring, sizeof io_uring / sizeof *io_uring},
        {"mlockall", mlockall, sizeof mlockall / sizeof *mlockall},
        {"mlock", mlock, sizeof mlock / sizeof *mlock},
        {"direct", direct, sizeof direct / sizeof *direct},
        {"populate", populate, sizeof populate / sizeof *populate},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        if (strcmp(what, rows[i].what) == 0) {
            return install(rows[i].filter, rows[i].count);
        }
    }
    return 1;
}

int main(int argc, char **argv)
{
    static const struct {
        const char *name;
        unsigned number;
    } errors[] = {{"EPERM", EPERM}, {"ENOSYS", ENOSYS}, {"EINVAL", EINVAL}, {"ENOMEM", ENOMEM}};
    for (size_t i = 0; argc >= 4 && i < sizeof errors / sizeof *errors; i++) {
        if (strcmp(argv[2], errors[i].name) == 0 && deny(argv[1], errors[i].number) == 0) {
            (void)execvp(argv[3], argv + 3);
            perror(argv[3]);
            return 126;
        }
    }
    (void)fputs("usage: deny io_uring|mlock|mlockall|direct|populate ERROR PROGRAM...\n", stderr);
    return 125;
}
