#include "base/sorted.h"

#include "base/bisect.h"
#include "base/ensure.h"

#include <stdlib.h>

#define BLOCK_MAX 256u

struct sorted_block {
    uint32_t count;
    void *entries[BLOCK_MAX];
};

/* Is the entry in front of what is looked for? */
static bool is_before(const struct sorted *s, const void *entry, struct bytes key, bool above)
{
    int order = bytes_compare(s->key(entry), key);
    return order < 0 || (above && order == 0);
}

/* The last block whose first entry is in front, which is where the place is; else the first. */
static uint32_t find_block(const struct sorted *s, struct bytes key, bool above)
{
    uint32_t at = BISECT(i, 0, s->count, is_before(s, s->blocks[i]->entries[0], key, above));

    return at > 0 ? at - 1 : 0;
}

static uint32_t find_place(const struct sorted *s, const struct sorted_block *b, struct bytes key,
                           bool above)
{
    return BISECT(i, 0, b->count, is_before(s, b->entries[i], key, above));
}

static struct sorted_block *insert_block(struct sorted *s, uint32_t at)
{
    if (s->count == s->cap) {
        s->cap += s->cap / 2 + 1;
        s->blocks = xrealloc(s->blocks, s->cap * sizeof(void *));
    }
    memmove(s->blocks + at + 1, s->blocks + at, (s->count - at) * sizeof(void *));
    s->count++;
    s->blocks[at] = xmalloc(sizeof *s->blocks[at]);
    s->blocks[at]->count = 0;
    return s->blocks[at];
}

/* The upper half of the full block becomes one of its own; the last block of all stays full, for
 * keys that come in order. */
static void split(struct sorted *s, uint32_t at, uint32_t place)
{
    struct sorted_block *upper = insert_block(s, at + 1);
    struct sorted_block *lower = s->blocks[at];
    uint32_t kept = at + 2 == s->count && place == BLOCK_MAX ? BLOCK_MAX - 1 : BLOCK_MAX / 2;

    upper->count = BLOCK_MAX - kept;
    memcpy(upper->entries, lower->entries + kept, upper->count * sizeof(void *));
    lower->count = kept;
}

void sorted_add(struct sorted *s, void *entry)
{
    struct bytes key = s->key(entry);

    if (s->count == 0) {
        struct sorted_block *first = insert_block(s, 0);
        first->entries[first->count++] = entry;
        return;
    }
    uint32_t at = find_block(s, key, false);
    uint32_t place = find_place(s, s->blocks[at], key, false);
    if (s->blocks[at]->count == BLOCK_MAX) {
        split(s, at, place);
        if (place > s->blocks[at]->count) {
            place -= s->blocks[at]->count;
            at++;
        }
    }
    struct sorted_block *b = s->blocks[at];
    ENSURE(place == b->count || bytes_compare(s->key(b->entries[place]), key) > 0);
    memmove(b->entries + place + 1, b->entries + place, (b->count - place) * sizeof(void *));
    b->entries[place] = entry;
    b->count++;
}

void sorted_remove(struct sorted *s, const void *entry)
{
    struct bytes key = s->key(entry);
    /* The first entry of a block is not in front of itself. */
    uint32_t at = find_block(s, key, true);
    struct sorted_block *b = s->blocks[at];
    uint32_t place = find_place(s, b, key, false);

    ENSURE(place < b->count && b->entries[place] == entry);
    b->count--;
    memmove(b->entries + place, b->entries + place + 1, (b->count - place) * sizeof(void *));
    if (b->count > 0)
        return;
    free(b);
    s->count--;
    memmove(s->blocks + at, s->blocks + at + 1, (s->count - at) * sizeof(void *));
}

void *sorted_find(const struct sorted *s, struct bytes key, bool above)
{
    if (s->count == 0)
        return NULL;
    uint32_t at = find_block(s, key, above);
    uint32_t place = find_place(s, s->blocks[at], key, above);
    if (place < s->blocks[at]->count)
        return s->blocks[at]->entries[place];
    return at + 1 < s->count ? s->blocks[at + 1]->entries[0] : NULL;
}

uint64_t sorted_count(const struct sorted *s)
{
    uint64_t count = 0;

    for (uint32_t i = 0; i < s->count; i++)
        count += s->blocks[i]->count;
    return count;
}

void sorted_release(struct sorted *s)
{
    for (uint32_t i = 0; i < s->count; i++)
        free(s->blocks[i]);
    free(s->blocks);
    s->blocks = NULL;
    s->count = s->cap = 0;
}
