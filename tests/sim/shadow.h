/*
 * shadow: what the world outside knows about a server: each record that was proposed, in order, and
 * which of them were acknowledged. And a second model, made of these records alone.
 *
 * Record number n stands at place n - 1 of the log; the numbers behind the newest acknowledged one
 * are those of proposals that are on their way. A proposal that failed for want of room must never
 * be seen again; one that failed with the journal may be.
 */
#ifndef TESTS_SIM_SHADOW_H
#define TESTS_SIM_SHADOW_H

#include "core/engine.h"

struct shadow_counts {
    uint64_t proposed, acknowledged, refused_by_law, no_room, read_only;
    uint64_t
        recovered_unacknowledged; /* proposals without an answer that were there after a crash */
    uint64_t lost_unacknowledged;
};

extern struct shadow_counts shadow_counts;

void shadow_reset(enum journal_sync sync);
void shadow_release(void);

/* Proposes to the engine. What engine_propose says. */
enum err shadow_propose(struct engine *e, const struct record *r);

/* How many were proposed and acknowledged. */
uint64_t shadow_proposed(void);
uint64_t shadow_acknowledged(void);

/* Has the journal said that it failed? Until the next start. */
bool shadow_failed(void);

/* The server went down; `power`: the machine with it. How many records must be there again. */
uint64_t shadow_floor(bool power);

/*
 * A server has started: its model must be that of the first n records, n between `floor` and the
 * number of those that were proposed. Then these are what there is.

 */
void shadow_prove(const struct engine *e, uint64_t floor);

#endif
