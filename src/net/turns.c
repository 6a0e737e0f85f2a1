#include "net/turns.h"

#include "base/clock.h"

void turns_begin(struct turns *t)
{
    t->running = true;
    t->is_apart = false;
    t->begun_ns = clock_mono_ns();
    if (t->since_ns == 0)
        t->since_ns = t->begun_ns;
    if (t->begun_ns - t->cpu_at_ns > TURNS_STALE_NS) {
        t->cpu_ns = clock_thread_ns();
        t->cpu_at_ns = t->begun_ns;
    }
}

/* The thread's time since the last reading, which was before this turn. */
static uint64_t cpu_since_reading(struct turns *t, uint64_t now_ns)
{
    uint64_t before = t->cpu_ns;
    t->cpu_ns = clock_thread_ns();
    t->cpu_at_ns = now_ns;
    return t->cpu_ns - before;
}

void turns_end(struct turns *t)
{
    if (!t->running)
        return; /* the first wait: no turn was before it */
    uint64_t now = clock_mono_ns();
    uint64_t wall = now - t->begun_ns, cpu = wall;
    if (wall >= TURNS_LONG_NS)
        cpu = cpu_since_reading(t, now);
    t->running = false;
    timing_add(&t->all, wall);
    if (t->is_apart) {
        histogram_add(&t->apart, wall);
        return;
    }
    histogram_add(&t->wall, wall);
    histogram_add(&t->cpu, cpu < wall ? cpu : wall);
}

uint64_t turns_age_ns(const struct turns *t)
{
    return t->running ? clock_mono_ns() - t->begun_ns : UINT64_MAX;
}

void turns_apart(struct turns *t)
{
    t->is_apart = true;
}

void turns_forget(struct turns *t)
{
    *t = (struct turns){0};
}

void turns_reset(struct turns *t)
{
    t->wall = t->cpu = t->apart = (struct histogram){0};
    t->since_ns = clock_mono_ns();
}

uint64_t turns_period_ms(const struct turns *t)
{
    return t->since_ns == 0 ? 0 : (clock_mono_ns() - t->since_ns) / 1000000;
}
