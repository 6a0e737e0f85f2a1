/*
 * batch: some events behind each other, and the text that tells a receiver of them.
 *
 * Entries are gathered first; the text is made of what the model holds when it is made, so that a
 * repeat shows no message that was deleted meanwhile. It is made in steps, since an event names
 * those of its group who are away, and a group may be large.
 *
 *   {"hook_id":…,"epoch":…,"events":[EVENT,…]}
 *
 * An EVENT is as a client gets it; those of messages (20, 24, 25, 26) say "offline" too: the ids of
 * the members who were there, see the message, have no connection now, and did not do it
 * themselves; and "offline_more":true where there are more than it names.
 */
#ifndef HOOKS_BATCH_H
#define HOOKS_BATCH_H

#include "base/buf.h"
#include "model/feed.h"
#include "model/hook.h"

/* Where the text is this long, no further event is begun: it is signed in one go. */
#define BATCH_BYTES (128u << 10)

/* Writes an event as a client gets it: api/render's. */
typedef void batch_render_fn(struct buf *out, const struct event *event);

struct batch {
    struct buf entries; /* struct feed_entry */
    struct buf text;
    uint32_t count;    /* of entries */
    uint32_t rendered; /* of these */
    uint32_t told;     /* events in the text */
    uint32_t member;   /* of the event that is being written: place of the next in group->members */
    uint32_t offline;  /* of them, so far */
    bool cut;          /* it was written once, and is what it is since */
    size_t event_at;   /* where in the text that event begins; 0: none is being written */
};

struct batch_options {
    batch_render_fn *render;
    uint32_t offline_max; /* ids in an event; 0: no list at all */
};

void batch_release(struct batch *b);

/* Forgets the entries and the text. */
void batch_reset(struct batch *b);
/* Forgets the text only. */
void batch_reset_text(struct batch *b);

void batch_add(struct batch *b, const struct feed_entry *entry);
const struct feed_entry *batch_entry(const struct batch *b, uint32_t i);

/* Goes on with the text, for about `work` looks at something; true when it is done. Then b->told
 * says how many events it tells. The first time, entries that it did not get to go out of the
 * batch; later it is those entries again, so that a repeat is one. */
bool batch_write(struct batch *b, const struct model *m, const struct hook *hook,
                 const struct uuid *epoch, const struct batch_options *options,
                 uint32_t work) MUST_CHECK;

#endif
