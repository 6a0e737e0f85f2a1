#include "base/clock.h"

#include <time.h>

#include "base/ensure.h"

static int64_t clock_ms(clockid_t id)
{
    struct timespec ts;
    ENSURE(clock_gettime(id, &ts) == 0);
    return (int64_t)ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

static uint64_t clock_ns(clockid_t id)
{
    struct timespec ts;
    ENSURE(clock_gettime(id, &ts) == 0);
    return (uint64_t)ts.tv_sec * 1000000000 + (uint64_t)ts.tv_nsec;
}

int64_t clock_wall_ms(void)
{
    return clock_ms(CLOCK_REALTIME);
}

int64_t clock_mono_ms(void)
{
    /* The kernel's last tick, some ms old: deadlines and rates need no more, and it costs a third.
     */
    return clock_ms(CLOCK_MONOTONIC_COARSE);
}

uint64_t clock_mono_ns(void)
{
    return clock_ns(CLOCK_MONOTONIC);
}

uint64_t clock_thread_ns(void)
{
    return clock_ns(CLOCK_THREAD_CPUTIME_ID);
}
