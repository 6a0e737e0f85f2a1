/*
 * await: how a test waits for another thread or process: for what it says, never for a time, and
 * never for ever. What does not come within AWAIT_S seconds is said on stderr, and ends the process
 * there (SIGABRT): nobody knows what its threads still hold, so the tests behind it cannot go on.
 *
 * AWAIT_S is no measure of speed: a machine that is a hundred times slower than ours is fine.
 */
#ifndef TESTS_AWAIT_H
#define TESTS_AWAIT_H

#include <errno.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define AWAIT_S 120

static inline time_t await_now_s(void)
{
    struct timespec t;
    (void)clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec;
}

static inline void await_over(const char *what, const char *file, int line)
{
    (void)fflush(stdout);
    (void)fprintf(stderr, "%s:%d: waited %d s for: %s\n", file, line, AWAIT_S, what);
    abort();
}

/* Ends the process where AWAIT_S have passed since `begun`. */
static inline void await_check(time_t begun, const char *what, const char *file, int line)
{
    if (await_now_s() - begun > AWAIT_S)
        await_over(what, file, line);
}

/* Does `step`, and lets the others run, until `condition`, an atomic's or a function's, holds. */
#define AWAIT_BY(step, condition)                                                                  \
    do {                                                                                           \
        time_t await_begun = await_now_s();                                                        \
        while (!(condition)) {                                                                     \
            await_check(await_begun, #condition, __FILE__, __LINE__);                              \
            (void)(step);                                                                          \
            (void)sched_yield();                                                                   \
        }                                                                                          \
    } while (0)

#define AWAIT(condition) AWAIT_BY(0, condition)

/* Until the descriptor can be read. */
#define AWAIT_READABLE(fd) await_readable(fd, #fd, __FILE__, __LINE__)

static inline void await_readable(int fd, const char *what, const char *file, int line)
{
    struct pollfd p = {.fd = fd, .events = POLLIN};
    time_t begun = await_now_s();
    int count;
    while ((count = poll(&p, 1, AWAIT_S * 1000)) < 0 && errno == EINTR)
        await_check(begun, what, file, line);
    if (count != 1)
        await_over(what, file, line);
}

/* In a child that a test has made: it is ended where it takes longer than AWAIT_S. */
static inline void await_as_child(void)
{
    (void)alarm(AWAIT_S);
}

/* Until the child ends, which has called await_as_child(): the status that waitpid gives. */
#define AWAIT_CHILD(pid) await_child(pid, __FILE__, __LINE__)

static inline int await_child(pid_t pid, const char *file, int line)
{
    int status = 0;
    pid_t ended;
    while ((ended = waitpid(pid, &status, 0)) < 0 && errno == EINTR)
        ;
    if (ended != pid || (WIFSIGNALED(status) && WTERMSIG(status) == SIGALRM))
        await_over("the end of a child", file, line);
    return status;
}

#endif
