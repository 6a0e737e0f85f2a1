#include "log/sys.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"

/* Zeros are written in calls of this size, from memory that O_DIRECT takes. */
#define ZEROS_LEN   (1024 * 1024)
#define ZEROS_ALIGN 4096

static int real_open_at(int dir, const char *name, int flags, mode_t mode)
{
    return openat(dir, name, flags | O_CLOEXEC, mode);
}

static int real_eventfd(unsigned count, int flags)
{
    return eventfd(count, flags);
}

static int real_wake(int fd)
{
    return eventfd_write(fd, 1);
}

static int real_unwake(int fd)
{
    eventfd_t count;
    return eventfd_read(fd, &count);
}

static int open_pidfd(pid_t pid)
{
    return (int)syscall(SYS_pidfd_open, pid, 0);
}

/* The child holds copies of all descriptors: of connections, which would stay open when the parent
 * closes them, and of the lock of the data directory. */
static void close_all_but(int keep_fd)
{
    bool below = keep_fd <= 3 || close_range(3, (unsigned)keep_fd - 1, 0) == 0;
    if (below && close_range((unsigned)keep_fd + 1, UINT_MAX, 0) == 0)
        return;
    for (int fd = 3; fd < (int)sysconf(_SC_OPEN_MAX); fd++)
        if (fd != keep_fd)
            close(fd);
}

/* Waits until the parent has closed its end: then it has the pidfd. A child that ended before could
 * be forgotten already, where SIGCHLD is ignored, and its number be another's. */
static void await_parent(const int gate[2])
{
    char nothing;
    close(gate[1]);
    while (read(gate[0], &nothing, 1) < 0 && errno == EINTR)
        ;
}

static _Noreturn void child_run(pid_t parent, const int gate[2], int keep_fd, int (*run)(void *arg),
                                void *arg)
{
    /* What it would do is worth nothing without the parent, which may be gone already. */
    if (prctl(PR_SET_PDEATHSIG, SIGKILL) != 0 || getppid() != parent)
        _exit(EXIT_FAILURE);
    await_parent(gate);
    close_all_but(keep_fd);
    errno = 0;
    (void)!nice(10);
    _exit(run(arg));
}

/* Forks a child that keeps all signals blocked: the handlers are those of the loop, and write to
 * descriptors that are something else there. */
static pid_t fork_blocked(void)
{
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    pid_t pid = fork();
    int saved = errno;
    if (pid != 0)
        pthread_sigmask(SIG_SETMASK, &before, NULL);
    errno = saved;
    return pid;
}

static int real_child_start(int keep_fd, int (*run)(void *arg), void *arg)
{
    pid_t parent = getpid();
    int gate[2], pidfd = -1;
    if (pipe2(gate, O_CLOEXEC) != 0)
        return -1;
    pid_t pid = fork_blocked();
    if (pid == 0)
        child_run(parent, gate, keep_fd, run, arg);
    int saved = errno;
    if (pid > 0 && (pidfd = open_pidfd(pid)) < 0) {
        saved = errno;
        kill(pid, SIGKILL);
        while (waitpid(pid, NULL, 0) < 0 && errno == EINTR)
            ;
    }
    close(gate[0]);
    close(gate[1]);
    errno = saved;
    return pidfd;
}

static int real_child_wait(int pidfd, int *status)
{
    siginfo_t info;
    while (waitid(P_PIDFD, (id_t)pidfd, &info, WEXITED) != 0)
        if (errno != EINTR)
            return -1;
    *status = info.si_code == CLD_EXITED ? info.si_status : -1;
    return 0;
}

static int real_child_kill(int pidfd)
{
    return (int)syscall(SYS_pidfd_send_signal, pidfd, SIGKILL, NULL, 0);
}

/* clang-format off */
#define REAL_CALLS {                    \
    .open_at = real_open_at,            \
    .mkdir_at = mkdirat,                \
    .open_list = fdopendir,             \
    .stat_fd = fstat,                   \
    .pread = pread,                     \
    .pwrite = pwrite,                   \
    .allocate = fallocate,              \
    .fdatasync = fdatasync,             \
    .fsync = fsync,                     \
    .rename_at = renameat,              \
    .unlink_at = unlinkat,              \
    .close = close,                     \
    .eventfd = real_eventfd,            \
    .wake = real_wake,                  \
    .unwake = real_unwake,              \
    .thread_start = pthread_create,     \
    .wait_until = pthread_cond_timedwait, \
    .now_ms = clock_mono_ms,            \
    .child_start = real_child_start,    \
    .child_wait = real_child_wait,      \
    .child_kill = real_child_kill,      \
}
/* clang-format on */

struct sys sys = REAL_CALLS;

void sys_reset(void)
{
    sys = (struct sys)REAL_CALLS;
}

ssize_t sys_read_full(int fd, void *p, size_t len, uint64_t offset)
{
    size_t done = 0;
    while (done < len) {
        ssize_t n = sys.pread(fd, (uint8_t *)p + done, len - done, (off_t)(offset + done));
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return -1;
        if (n == 0)
            break;
        done += (size_t)n;
    }
    return (ssize_t)done;
}

size_t sys_write_full(int fd, const void *p, size_t len, uint64_t offset)
{
    size_t done = 0;
    while (done < len) {
        ssize_t n = sys.pwrite(fd, (const uint8_t *)p + done, len - done, (off_t)(offset + done));
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            break;
        if (n == 0) {
            errno = ENOSPC; /* a device that takes nothing and says nothing is full */
            break;
        }
        done += (size_t)n;
    }
    return done;
}

int sys_write_zeros(int fd, uint64_t offset, uint64_t len)
{
    /* Not const: so it lies in .bss, not in the binary. */
    static _Alignas(ZEROS_ALIGN) uint8_t zeros[ZEROS_LEN];
    while (len > 0) {
        size_t part = len < sizeof zeros ? (size_t)len : sizeof zeros;
        if (sys_write_full(fd, zeros, part, offset) != part)
            return -1;
        offset += part;
        len -= part;
    }
    return 0;
}

int sys_fdatasync(int fd)
{
    int rc;
    do
        rc = sys.fdatasync(fd);
    while (rc != 0 && errno == EINTR);
    return rc;
}

int sys_fsync(int fd)
{
    int rc;
    do
        rc = sys.fsync(fd);
    while (rc != 0 && errno == EINTR);
    return rc;
}

int sys_allocate(int fd, uint64_t len)
{
    int rc;
    do
        rc = sys.allocate(fd, 0, 0, (off_t)len);
    while (rc != 0 && errno == EINTR);
    return rc;
}

int sys_open_at(int dir, const char *name, int flags, mode_t mode)
{
    int fd;
    do
        fd = sys.open_at(dir, name, flags, mode);
    while (fd < 0 && errno == EINTR);
    return fd;
}

int sys_thread_start(pthread_t *thread, void *(*run)(void *), void *arg)
{
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    int rc = sys.thread_start(thread, NULL, run, arg);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return rc;
}
