#include "log/sys.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "base/clock.h"

/* A new segment is zeroed in writes of this size. */
#define ZEROS_LEN (256 * 1024)

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
    static uint8_t zeros[ZEROS_LEN]; /* not const: so it lies in .bss, not in the binary */
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
