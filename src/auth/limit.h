/*
 * limit: how often somebody may do something: token buckets.
 *
 * A `struct limit_bucket` is 8 bytes inside its owner ({0} is full). A `struct limit_table` keeps
 * buckets by key (an address, an account) in a table of fixed size. Where there is no room for
 * another, the fullest bucket near it gives way, so that the least is lost; of equals the one that
 * was idle longest. A flood of new keys therefore never washes out a bucket that is spent deeper
 * than theirs. The table holds fingerprints, never keys.
 *
 * Arithmetic is integer, in thousandths of a request, and rounds against the caller, by less than a
 * thousandth of a request each time one is taken. Times are clock_mono_ms. A bucket keeps 32 bits
 * of them: after 49 idle days it looks less rested than it is, and never more. One thread, the
 * owner's.
 */
#ifndef AUTH_LIMIT_H
#define AUTH_LIMIT_H

#include "base/bytes.h"

#define LIMIT_BURST_MAX 4000000

struct limit_rate {
    uint32_t per_minute; /* how many come back a minute; 0: no limit */
    uint32_t burst;      /* how many may come at once, 1 to LIMIT_BURST_MAX */
};

struct limit_bucket {
    uint32_t spent_milli; /* thousandths of a request that were missing from a full bucket ... */
    uint32_t stamp_ms;    /* ... at this time, its low 32 bits */
};

/* Takes one. 0 where it may; else the milliseconds until it may, and nothing is changed. */
uint32_t limit_take(struct limit_bucket *bucket, const struct limit_rate *rate, int64_t now_ms);

/* Gives back one that was taken: the bucket is as if it had not been, but for the rounding. Never
 * more than full. */
void limit_give_back(struct limit_bucket *bucket, const struct limit_rate *rate, int64_t now_ms);

/* limit_take without taking. */
uint32_t limit_peek(const struct limit_bucket *bucket, const struct limit_rate *rate,
                    int64_t now_ms);

struct limit_table;

/* `entries`: how many keys are remembered, a power of two from 64 up, at 16 bytes each. */
struct limit_table *limit_table_new(uint32_t entries, const struct limit_rate *rate);

/* NULL is fine. */
void limit_table_free(struct limit_table *t);

/* The same for the bucket of `key`; that of a key not remembered is full. Where the key was
 * forgotten meanwhile, nothing is given back. */
uint32_t limit_table_take(struct limit_table *t, struct bytes key, int64_t now_ms);
void limit_table_give_back(struct limit_table *t, struct bytes key, int64_t now_ms);
uint32_t limit_table_peek(const struct limit_table *t, struct bytes key, int64_t now_ms);

#endif
