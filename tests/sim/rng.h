/*
 * rng: the one source of chance of a simulation. Everything that is not decided by the code under
 * test is drawn here, so a seed replays exactly.
 */
#ifndef TESTS_SIM_RNG_H
#define TESTS_SIM_RNG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Begins the numbers of `seed`, and a new trace. */
void rng_seed(uint64_t seed);

/* splitmix64. */
uint64_t rng_next(void);

/* A number below `n`; n > 0. */
static inline uint64_t rng_below(uint64_t n)
{
    return rng_next() % n;
}

/* Once in `n` times. */
static inline bool rng_one_in(uint64_t n)
{
    return rng_below(n) == 0;
}

static inline bool rng_percent(unsigned chance)
{
    return rng_below(100) < chance;
}

/* A number up to `max`, small ones more often: each size has the same chance. */
uint64_t rng_skewed(uint64_t max);

void rng_fill(void *out, size_t len);

/* Mixes what happened into the trace: equal traces, equal runs. */
void trace_add(uint64_t what, uint64_t a, uint64_t b);
uint64_t trace_value(void);

#endif
