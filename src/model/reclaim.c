/*
 * reclaim: the memory of groups that were deleted.
 *
 * A group of a million messages is deleted by one record, and freeing them takes most of a second.
 * So the record only takes the messages off their group, and they go from the tables and from
 * memory afterwards, some at a time. Until then no look-up finds them (message.c: the group that
 * they name is deleted), and the digest, the snapshot and message_count do not know them.
 */
#include "base/ensure.h"
#include "model/state.h"

#include <stdlib.h>

struct reclaim {
    struct reclaim *next;
    struct vec messages; /* struct message *, the first `gone` of them freed */
    uint32_t gone;
};

void state_reclaim(struct model *m, struct group *g)
{
    uint32_t left = g->messages.count - g->expired;

    if (left > 0) {
        struct reclaim *r = xmalloc(sizeof *r);
        *r = (struct reclaim){m->reclaim, g->messages, g->expired};
        m->reclaim = r;
    } else {
        vec_release(&g->messages);
    }
    m->message_count -= left;
    g->messages = (struct vec){0};
    g->expired = 0;
}

/* The tables are larger than any cache, and a message's place in them is at random. */
static void prefetch(const struct model *m, const struct reclaim *r, uint32_t i)
{
    if (i < r->messages.count)
        state_prefetch_message(m, vec_at(&r->messages, i));
}

static void reclaim_one(struct model *m)
{
    struct reclaim *r = m->reclaim;
    uint32_t i = r->gone++;

    prefetch(m, r, i + STATE_BATCH);
    state_drop_message(m, vec_at(&r->messages, i));
    vec_drop(&r->messages, i, i + 1);
    if (r->gone < r->messages.count)
        return;
    m->reclaim = r->next;
    vec_release(&r->messages);
    free(r);
}

bool model_reclaim(struct model *m, uint32_t count)
{
    for (; count > 0 && m->reclaim != NULL; count--)
        reclaim_one(m);
    return m->reclaim != NULL;
}

void state_free_reclaim(struct model *m)
{
    struct reclaim *r;

    while ((r = m->reclaim) != NULL) {
        m->reclaim = r->next;
        for (uint32_t i = r->gone; i < r->messages.count; i++)
            state_free_message(m, vec_at(&r->messages, i));
        vec_release(&r->messages);
        free(r);
    }
}

void state_count_reclaim(const struct model *m, uint64_t *messages, uint64_t *client_ids)
{
    *messages = *client_ids = 0;
    for (const struct reclaim *r = m->reclaim; r != NULL; r = r->next) {
        for (uint32_t i = r->gone; i < r->messages.count; i++) {
            const struct message *msg = vec_at(&r->messages, i);
            *client_ids += msg->client_id_len > 0;
        }
        *messages += r->messages.count - r->gone;
    }
}
