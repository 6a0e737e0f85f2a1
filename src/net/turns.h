/*
 * turns: how long each turn of the loop took, which is how long a socket that became ready may have
 * waited to be noticed. A zeroed one is ready for use; the loop (net/loop) owns one.
 *
 * Two clocks: the wall's, which also counts while the scheduler let others run, and the thread's
 * own processor time, which is what the server itself can answer for. The latter costs most of a
 * microsecond to read on some machines, so it is read only where it says something new: before a
 * turn where the last reading is more than TURNS_STALE_NS old, and behind a turn of TURNS_LONG_NS
 * or more. A shorter turn counts by the wall; a longer one may be told up to TURNS_STALE_NS too
 * long, never too short.
 */
#ifndef NET_TURNS_H
#define NET_TURNS_H

#include <stdbool.h>

#include "base/histogram.h"
#include "base/timing.h"

#define TURNS_STALE_NS 100000
#define TURNS_LONG_NS  250000

struct turns {
    struct histogram wall, cpu; /* of all but those told apart */
    struct histogram apart;     /* of these, the wall's time */
    struct timing all;          /* the wall's time of every turn; no reset forgets it */
    uint64_t since_ns;          /* the first turn since it was zeroed began then */
    /* the turn under way */
    bool running, is_apart;
    uint64_t begun_ns;
    uint64_t cpu_ns, cpu_at_ns; /* the last reading of the thread's clock, and when it was */
};

/* The wait is over; the wait begins. */
void turns_begin(struct turns *t);
void turns_end(struct turns *t);

/* Of the turn under way; outside a turn UINT64_MAX. */
uint64_t turns_age_ns(const struct turns *t);

/* The turn under way is told apart. Nothing outside a turn. */
void turns_apart(struct turns *t);

/* Forgets all, the turn under way too: it was none. */
void turns_forget(struct turns *t);

/* Forgets all that was counted but for `all`; the turn under way counts for what comes. */
void turns_reset(struct turns *t);

/* Milliseconds since it was reset, or since the first turn. */
uint64_t turns_period_ms(const struct turns *t);

#endif
