/*
 * limit: how often somebody may do something: token buckets.
 *
 * A `struct limit_bucket` is 8 bytes inside its owner ({0} is full). A `struct limit_table` keeps
 * buckets by key (an address, an account) in a table of fixed size: when it is full the bucket
 * that was idle longest (which is the fullest, so the least is lost) gives way.
 */
#ifndef AUTH_LIMIT_H
#define AUTH_LIMIT_H

#include "base/bytes.h"

struct limit_rate {
    uint32_t per_minute; /* how many come back a minute; 0: no limit */
    uint32_t burst;      /* how many may come at once, >= 1 */
};

struct limit_bucket {
    uint32_t spent_milli; /* thousandths of a request that are missing from a full bucket */
    uint32_t stamp_ms;    /* clock_mono_ms, its low 32 bits, of the last look; 0: never */
};

/* Takes one. 0 where it may; else the milliseconds until it may, and nothing is taken. */
uint32_t limit_take(struct limit_bucket *bucket, const struct limit_rate *rate, int64_t now_ms);

/* The same without taking. */
uint32_t limit_peek(const struct limit_bucket *bucket, const struct limit_rate *rate, int64_t now_ms);

struct limit_table;

/* `entries`: how many keys are remembered, a power of two from 64 up. */
struct limit_table *limit_table_new(uint32_t entries, const struct limit_rate *rate);
void limit_table_free(struct limit_table *t);

/* limit_take and limit_peek for the bucket of `key`. */
uint32_t limit_table_take(struct limit_table *t, struct bytes key, int64_t now_ms);
uint32_t limit_table_peek(const struct limit_table *t, struct bytes key, int64_t now_ms);

#endif
