/*
 * sorted: pointers in the order of their keys, to look up what begins with something.
 *
 * Blocks of up to 256 pointers, in an array: to add is to find the block and the place in it by
 * halving, and to move half a block; a full block becomes two. So ten million entries cost a few
 * more steps than ten, and no pause. {0} with `key` set is a valid empty one. It owns its blocks,
 * not the entries; what changes a key takes the entry out before and adds it again.
 */
#ifndef BASE_SORTED_H
#define BASE_SORTED_H

#include "base/bytes.h"

#include <stdbool.h>

struct sorted_block;

struct sorted {
    struct bytes (*key)(const void *entry); /* compared as bytes */
    struct sorted_block **blocks;
    uint32_t count, cap; /* of blocks; none is empty */
};

/* No other entry may have its key. */
void sorted_add(struct sorted *s, void *entry);

/* The entry must be there. */
void sorted_remove(struct sorted *s, const void *entry);

/* The first entry whose key is not below `key`, with `above` that is above it; NULL where there is
 * none. */
void *sorted_find(const struct sorted *s, struct bytes key, bool above);

uint64_t sorted_count(const struct sorted *s);

void sorted_release(struct sorted *s);

#endif
