#include "base/clock.h"

#include <time.h>

#include "base/ensure.h"

static int64_t clock_ms(clockid_t id)
{
    struct timespec ts;
    ENSURE(clock_gettime(id, &ts) == 0);
    return (int64_t)ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
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
