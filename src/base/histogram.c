#include "base/histogram.h"

#include "base/ensure.h"

/* Buckets of one power of two, and the durations below which each has its own. */
#define SUB_BITS 3
#define LINEAR   (2u << SUB_BITS)

/* Durations are rounded up, so that what is told is never less than what was. */
static uint64_t whole_us(uint64_t ns)
{
    return ns / 1000 + (ns % 1000 != 0);
}

static unsigned bucket_of(uint64_t us)
{
    if (us < LINEAR)
        return (unsigned)us;
    unsigned power = 63 - (unsigned)__builtin_clzll(us);
    unsigned shift = power - SUB_BITS;
    uint64_t bucket = ((uint64_t)(shift + 1) << SUB_BITS) + (us >> shift) - (1u << SUB_BITS);
    return bucket < HISTOGRAM_BUCKETS ? (unsigned)bucket : HISTOGRAM_BUCKETS - 1;
}

/* The longest duration that is counted there. */
static uint64_t bucket_end(unsigned bucket)
{
    if (bucket < LINEAR)
        return bucket;
    unsigned shift = (bucket >> SUB_BITS) - 1;
    uint64_t part = (bucket & ((1u << SUB_BITS) - 1)) + (1u << SUB_BITS);
    return ((part + 1) << shift) - 1;
}

void histogram_add(struct histogram *h, uint64_t ns)
{
    h->count++;
    if (ns > h->max_ns)
        h->max_ns = ns;
    h->buckets[bucket_of(whole_us(ns))]++;
}

uint64_t histogram_us(const struct histogram *h, unsigned parts)
{
    uint64_t max = whole_us(h->max_ns);
    uint64_t seen = 0;

    ENSURE(parts <= 10000);
    /* Rounded up: of 10 durations, 9,900 of 10,000 are all 10. */
    uint64_t want = h->count / 10000 * parts + (h->count % 10000 * parts + 9999) / 10000;
    for (unsigned i = 0; i + 1 < HISTOGRAM_BUCKETS; i++) {
        seen += h->buckets[i];
        if (seen >= want)
            return bucket_end(i) < max ? bucket_end(i) : max;
    }
    return max;
}
