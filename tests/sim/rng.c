#include "tests/sim/rng.h"

#include <string.h>

static uint64_t state;
static uint64_t trace;

void rng_seed(uint64_t seed)
{
    state = seed * UINT64_C(0xD1342543DE82EF95) + 1;
    trace = seed;
}

static uint64_t mix(uint64_t z)
{
    z = (z ^ (z >> 30)) * UINT64_C(0xBF58476D1CE4E5B9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94D049BB133111EB);
    return z ^ (z >> 31);
}

uint64_t rng_next(void)
{
    state += UINT64_C(0x9E3779B97F4A7C15);
    return mix(state);
}

uint64_t rng_skewed(uint64_t max)
{
    unsigned bits = 0;
    while (bits < 63 && UINT64_C(1) << bits <= max)
        bits++;
    uint64_t value = rng_next() & ((UINT64_C(1) << rng_below(bits + 1)) - 1);
    return value > max ? max : value;
}

void rng_fill(void *out, size_t len)
{
    uint8_t *p = out;
    while (len > 0) {
        uint64_t word = rng_next();
        size_t part = len < sizeof word ? len : sizeof word;
        memcpy(p, &word, part);
        p += part;
        len -= part;
    }
}

void trace_add(uint64_t what, uint64_t a, uint64_t b)
{
    trace = mix(trace ^ mix(what ^ mix(a ^ mix(b + 1))));
}

uint64_t trace_value(void)
{
    return trace;
}
