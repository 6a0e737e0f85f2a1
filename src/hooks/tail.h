/*
 * tail: the newest entries of the feed, as they were told, so that a hook that is up to date need
 * not look through all groups for the next one.
 *
 * It holds every entry behind `from`. It begins anew whenever the set of hooks has changed: while
 * there was none, nothing was noted.
 */
#ifndef HOOKS_TAIL_H
#define HOOKS_TAIL_H

#include "model/feed.h"

#define TAIL_MAX 65536u

struct tail {
    struct feed_entry *entries; /* a ring of TAIL_MAX; NULL: nothing was noted yet */
    uint64_t from;
    uint32_t first, count;
    uint32_t changes; /* model_hook_changes, when it began */
};

/* Idempotent. */
void tail_release(struct tail *t);

/* Begins anew where the set of hooks is another; `cursor`: that of the newest record. */
void tail_sync(struct tail *t, uint32_t changes, uint64_t cursor);

/* One more; its cursor is that of the one before, or higher. What was told of the same change
 * already is left out; the oldest goes where there is no room. */
void tail_note(struct tail *t, struct feed_entry entry);

/* The first entry behind `after`, which is `from` or more; NULL where there is none. */
const struct feed_entry *tail_next(const struct tail *t, uint64_t after);

#endif
