/*
 * histogram: how often durations of which length came, in a fixed place, without allocation.
 *
 * Durations are in nanoseconds and are counted in microseconds: one counter each up to 16, then
 * eight for each power of two, up to about 15 seconds;
 * what is longer is told as the longest. So a quantile is at most an eighth too high,
 * and never too low; the longest is exact. A zeroed one is empty.
 */
#ifndef BASE_HISTOGRAM_H
#define BASE_HISTOGRAM_H

#include <stdint.h>

#define HISTOGRAM_BUCKETS 176

struct histogram {
    uint64_t count;
    uint64_t max_ns;
    uint64_t buckets[HISTOGRAM_BUCKETS];
};

void histogram_add(struct histogram *h, uint64_t ns);

/* The microseconds that at least `parts` of 10,000 durations did not exceed; 0 of an empty one.
 * `parts` is at most 10,000, which is the longest. */
uint64_t histogram_us(const struct histogram *h, unsigned parts);

#endif
