/*
 * sys: the system calls of the journal, in a table, so that a test can fail any of them.
 *
 * `sys` points at the real ones. A test puts its own functions in before it opens a journal (the
 * threads of a journal read the table without a lock, so never while one is open) and calls
 * sys_reset afterwards. Nothing else in log/ calls the system about files.
 */
#ifndef LOG_SYS_H
#define LOG_SYS_H

#include <dirent.h>
#include <pthread.h>
#include <stdint.h>
#include <sys/stat.h>
#include <sys/types.h>

struct sys {
    int (*open_at)(int dir, const char *name, int flags, mode_t mode);
    int (*mkdir_at)(int dir, const char *name, mode_t mode);
    DIR *(*open_list)(int fd); /* fdopendir: owns fd on success */
    int (*stat_fd)(int fd, struct stat *st);
    ssize_t (*pread)(int fd, void *p, size_t len, off_t offset);
    ssize_t (*pwrite)(int fd, const void *p, size_t len, off_t offset);
    int (*allocate)(int fd, int mode, off_t offset, off_t len); /* fallocate */
    int (*fdatasync)(int fd);
    int (*fsync)(int fd);
    int (*rename_at)(int old_dir, const char *old_name, int new_dir, const char *new_name);
    int (*unlink_at)(int dir, const char *name, int flags);
    int (*close)(int fd);
    int (*eventfd)(unsigned count, int flags);
    int (*wake)(int fd);   /* adds 1 to an eventfd */
    int (*unwake)(int fd); /* reads an eventfd; EAGAIN where nobody woke it */
    int (*thread_start)(pthread_t *thread, const pthread_attr_t *attr, void *(*run)(void *),
                        void *arg);
    int (*wait_until)(pthread_cond_t *cond, pthread_mutex_t *lock, const struct timespec *when);
    int64_t (*now_ms)(void); /* monotonic */
    /* Forks. The child has no descriptors but 0, 1, 2 and `keep_fd`, runs as the least important,
     * dies with the thread that called, and exits with run(arg). In the parent: a pidfd, or -1. */
    int (*child_start)(int keep_fd, int (*run)(void *arg), void *arg);
    /* Waits for its end; *status is its exit code, or -1 where it was killed. The pidfd stays. */
    int (*child_wait)(int pidfd, int *status);
    int (*child_kill)(int pidfd); /* does not wait */
};

extern struct sys sys;

/* Puts the real calls back. */
void sys_reset(void);

/* Reads until `len` bytes are there or the file ends; EINTR and short reads go on. The number of
 * bytes read, or -1 with errno. */
ssize_t sys_read_full(int fd, void *p, size_t len, uint64_t offset);

/* Writes all `len` bytes; EINTR and short writes go on. The number of bytes that were written:
 * less than `len` means that the call behind them failed with errno. */
size_t sys_write_full(int fd, const void *p, size_t len, uint64_t offset);

/* Writes `len` zeros; 0 or -1 with errno. Where `fd` is past the page cache (O_DIRECT), `offset`
 * and `len` are in whole pages. */
int sys_write_zeros(int fd, uint64_t offset, uint64_t len);

/* The calls of these names, repeated after EINTR. Any other failure of a sync is final: the
 * kernel may have forgotten what it could not write, so nobody may ask again. */
int sys_fdatasync(int fd);
int sys_fsync(int fd);
int sys_allocate(int fd, uint64_t len);
int sys_open_at(int dir, const char *name, int flags, mode_t mode);

/* Starts a thread that takes no signals: they are the loop's. */
int sys_thread_start(pthread_t *thread, void *(*run)(void *), void *arg);

#endif
