/*
 * arena: memory that is given back all at once.
 *
 * A request or an RPC allocates here and never frees; arena_reset gives everything back and keeps
 * one block, so that the next request costs no malloc. {0} is a valid empty arena.
 */
#ifndef BASE_ARENA_H
#define BASE_ARENA_H

#include "base/bytes.h"

struct arena_block;

struct arena {
    struct arena_block *block; /* the newest block; older ones are chained behind it */
    size_t used;               /* bytes used in it */
};

/* `size` bytes, aligned to 16, not zeroed, valid until the next reset or release. Never NULL. */
void *arena_alloc(struct arena *a, size_t size);

/* A copy of `s` in the arena. */
struct bytes arena_copy(struct arena *a, struct bytes s);

/* Gives everything back but one block of at most 64 KiB. */
void arena_reset(struct arena *a);

/* Gives everything back. Idempotent. */
void arena_release(struct arena *a);

#endif
