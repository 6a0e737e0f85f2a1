/*
 * timing: how often something took how long, as a page of metrics tells it: a few buckets with
 * round bounds, the sum and the longest. base/histogram is finer, for whoever looks closer.
 *
 * A zeroed one is empty. One thread adds; others may read meanwhile, and then see each number as it
 * was at some moment.
 */
#ifndef BASE_TIMING_H
#define BASE_TIMING_H

#include <stdatomic.h>
#include <stdint.h>

#define TIMING_BOUNDS 15

struct timing {
    atomic_uint_least64_t counts[TIMING_BOUNDS + 1]; /* the last: longer than all bounds */
    atomic_uint_least64_t sum_ns;
    atomic_uint_least64_t max_ns;
};

/* Nanoseconds, rising: counts[i] is of what took that long at most, and longer than the one before.
 */
extern const uint64_t timing_bounds_ns[TIMING_BOUNDS];

void timing_add(struct timing *t, uint64_t ns);

/* Reads one number of one that another thread may be adding to. */
static inline uint64_t timing_read(const atomic_uint_least64_t *n)
{
    return atomic_load_explicit(n, memory_order_relaxed);
}

#endif
