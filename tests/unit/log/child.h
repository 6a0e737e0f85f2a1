/*
 * child: the child of a snapshot, played within this process, so that a test can fail each of its
 * system calls. It has ended when it was started.
 */
#ifndef TESTS_UNIT_LOG_CHILD_H
#define TESTS_UNIT_LOG_CHILD_H

#include <stdatomic.h>
#include <sys/eventfd.h>

#include "log/sys.h"

static atomic_int child_status;

static inline int child_start_here(int keep_fd, int (*run)(void *arg), void *arg)
{
    (void)keep_fd;
    child_status = run(arg);
    return eventfd(0, EFD_CLOEXEC); /* something to close */
}

static inline int child_wait_here(int pidfd, int *status)
{
    (void)pidfd;
    *status = child_status;
    return 0;
}

static inline int child_kill_here(int pidfd)
{
    (void)pidfd;
    return 0;
}

static inline void child_here(void)
{
    sys.child_start = child_start_here;
    sys.child_wait = child_wait_here;
    sys.child_kill = child_kill_here;
}

#endif
