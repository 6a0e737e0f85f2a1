#include "auth/limit.h"

#include <stdlib.h>

#include "base/crypto.h"
#include "base/ensure.h"

/* One request, in the unit of spent_milli. */
#define ONE 1000u

/* `per_minute` requests in 60,000 ms are per_minute / 60 thousandths in one. */
#define DIVISOR 60u

/*
 * How much is missing from a full bucket now. Both factors are below 2^32, so the product fits.
 * Where 32 bits of milliseconds have wrapped since the stamp, the time since then counts as shorter
 * than it was, which is to the caller's disadvantage only.
 */
static uint32_t spent_now(const struct limit_bucket *bucket, const struct limit_rate *rate,
                          int64_t now_ms)
{
    uint32_t elapsed_ms = (uint32_t)now_ms - bucket->stamp_ms;
    uint64_t back = (uint64_t)elapsed_ms * rate->per_minute / DIVISOR;

    return back < bucket->spent_milli ? bucket->spent_milli - (uint32_t)back : 0;
}

/*
 * The milliseconds until a bucket that is too empty has room for one more: the smallest t with
 * (elapsed + t) * per_minute / DIVISOR >= missing, rounded down as spent_now does it.
 */
static uint32_t wait_ms(const struct limit_bucket *bucket, const struct limit_rate *rate,
                        int64_t now_ms)
{
    uint32_t elapsed_ms = (uint32_t)now_ms - bucket->stamp_ms;
    uint64_t missing = (uint64_t)bucket->spent_milli + ONE - (uint64_t)rate->burst * ONE;
    uint64_t whole_ms = (missing * DIVISOR + rate->per_minute - 1) / rate->per_minute;
    uint64_t rest_ms = whole_ms - elapsed_ms;

    return rest_ms < UINT32_MAX ? (uint32_t)rest_ms : UINT32_MAX;
}

uint32_t limit_peek(const struct limit_bucket *bucket, const struct limit_rate *rate,
                    int64_t now_ms)
{
    if (rate->per_minute == 0)
        return 0;
    ENSURE(rate->burst >= 1 && rate->burst <= LIMIT_BURST_MAX);
    if ((uint64_t)spent_now(bucket, rate, now_ms) + ONE <= (uint64_t)rate->burst * ONE)
        return 0;
    return wait_ms(bucket, rate, now_ms);
}

uint32_t limit_take(struct limit_bucket *bucket, const struct limit_rate *rate, int64_t now_ms)
{
    uint32_t wait = limit_peek(bucket, rate, now_ms);

    if (wait != 0 || rate->per_minute == 0)
        return wait;
    /* Only what is granted moves the stamp: who asks often while refused loses no fraction. */
    bucket->spent_milli = spent_now(bucket, rate, now_ms) + ONE;
    bucket->stamp_ms = (uint32_t)now_ms;
    return 0;
}

void limit_give_back(struct limit_bucket *bucket, const struct limit_rate *rate, int64_t now_ms)
{
    if (rate->per_minute == 0)
        return;
    uint32_t spent = spent_now(bucket, rate, now_ms);
    bucket->spent_milli = spent > ONE ? spent - ONE : 0;
    bucket->stamp_ms = (uint32_t)now_ms;
}

/* ---- the table -------------------------------------------------------------------------------
 * Sets of WAYS places. A key may only be in the set that its hash selects, so looking, adding and
 * giving way touch two cache lines, and an attacker cannot choose the set: SipHash is keyed. */

#define WAYS 8u

struct place {
    uint64_t fingerprint; /* SipHash of the key; 0: free */
    struct limit_bucket bucket;
};

struct limit_table {
    struct limit_rate rate;
    uint32_t set_mask;
    struct place places[];
};

struct limit_table *limit_table_new(uint32_t entries, const struct limit_rate *rate)
{
    ENSURE(entries >= 64 && (entries & (entries - 1)) == 0);
    ENSURE(rate->burst >= 1 && rate->burst <= LIMIT_BURST_MAX);

    struct limit_table *t = xcalloc(1, sizeof *t + (size_t)entries * sizeof t->places[0]);
    t->rate = *rate;
    t->set_mask = entries / WAYS - 1;
    return t;
}

void limit_table_free(struct limit_table *t)
{
    free(t);
}

static uint64_t fingerprint_of(struct bytes key)
{
    uint64_t h = crypto_siphash(key);
    return h != 0 ? h : 1;
}

static size_t set_start(const struct limit_table *t, uint64_t fingerprint)
{
    return (size_t)(fingerprint & t->set_mask) * WAYS;
}

/* The first of two places to give way: a free one, then the fuller one, then the longer idle. */
static bool gives_way_first(const struct limit_table *t, const struct place *a,
                            const struct place *b, int64_t now_ms)
{
    if (a->fingerprint == 0 || b->fingerprint == 0)
        return a->fingerprint == 0 && b->fingerprint != 0;

    uint32_t spent_a = spent_now(&a->bucket, &t->rate, now_ms);
    uint32_t spent_b = spent_now(&b->bucket, &t->rate, now_ms);
    if (spent_a != spent_b)
        return spent_a < spent_b;
    return (uint32_t)now_ms - a->bucket.stamp_ms > (uint32_t)now_ms - b->bucket.stamp_ms;
}

uint32_t limit_table_take(struct limit_table *t, struct bytes key, int64_t now_ms)
{
    if (t->rate.per_minute == 0)
        return 0;

    uint64_t fingerprint = fingerprint_of(key);
    struct place *set = &t->places[set_start(t, fingerprint)];
    struct place *victim = &set[0];
    for (unsigned i = 0; i < WAYS; i++) {
        if (set[i].fingerprint == fingerprint)
            return limit_take(&set[i].bucket, &t->rate, now_ms);
        if (gives_way_first(t, &set[i], victim, now_ms))
            victim = &set[i];
    }
    *victim = (struct place){.fingerprint = fingerprint};
    return limit_take(&victim->bucket, &t->rate, now_ms);
}

void limit_table_give_back(struct limit_table *t, struct bytes key, int64_t now_ms)
{
    uint64_t fingerprint = fingerprint_of(key);
    struct place *set = &t->places[set_start(t, fingerprint)];

    for (unsigned i = 0; i < WAYS; i++)
        if (set[i].fingerprint == fingerprint)
            limit_give_back(&set[i].bucket, &t->rate, now_ms);
}

uint32_t limit_table_peek(const struct limit_table *t, struct bytes key, int64_t now_ms)
{
    uint64_t fingerprint = fingerprint_of(key);
    const struct place *set = &t->places[set_start(t, fingerprint)];

    for (unsigned i = 0; i < WAYS; i++)
        if (set[i].fingerprint == fingerprint)
            return limit_peek(&set[i].bucket, &t->rate, now_ms);
    return 0;
}
