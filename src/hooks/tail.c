#include "hooks/tail.h"

#include "base/ensure.h"

#include <stdlib.h>

void tail_release(struct tail *t)
{
    free(t->entries);
    *t = (struct tail){.changes = t->changes};
}

void tail_sync(struct tail *t, uint32_t changes, uint64_t cursor)
{
    if (t->changes == changes)
        return;
    t->changes = changes;
    t->first = t->count = 0;
    t->from = cursor;
}

static struct feed_entry *at(const struct tail *t, uint32_t i)
{
    return &t->entries[(t->first + i) % TAIL_MAX];
}

void tail_note(struct tail *t, struct feed_entry entry)
{
    if (t->entries == NULL)
        t->entries = xmalloc(TAIL_MAX * sizeof *t->entries);
    if (t->count > 0 && at(t, t->count - 1)->cursor == entry.cursor)
        return;
    if (t->count == TAIL_MAX) {
        t->from = at(t, 0)->cursor;
        t->first = (t->first + 1) % TAIL_MAX;
        t->count--;
    }
    *at(t, t->count++) = entry;
}

const struct feed_entry *tail_next(const struct tail *t, uint64_t after)
{
    uint32_t low = 0, high = t->count;

    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (at(t, middle)->cursor > after)
            high = middle;
        else
            low = middle + 1;
    }
    return low < t->count ? at(t, low) : NULL;
}
