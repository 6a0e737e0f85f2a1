/* timeline_receipts: who got and read one's messages, for those who catch up. */
#include "model/timeline_inside.h"

#include <stdlib.h>

#include "base/ensure.h"

static const struct mark *mark_of(const struct member *mb, enum event_type type)
{
    return type == EVENT_message_read ? &mb->read : &mb->delivered;
}

/* The mark is in this round and the user (whose membership is `own`) was there. */
static bool mark_counts(const struct timeline *t, const struct member *own, const struct mark *mark)
{
    return mark->cursor > t->position && mark->cursor <= t->horizon && mark->time > t->newer_than &&
           member_saw(own, mark->cursor);
}

/* After a cursor: one event for the mark of `reader`, naming the newest own message that it covers;
 * for the user's own mark, the message that they acknowledged. */
static void add_newest(struct timeline *t, const struct member *own, const struct member *reader,
                       enum event_type type)
{
    const struct mark *mark = mark_of(reader, type);
    /* A change that moved both marks is told as one event, 23, as it was live. */
    if (!mark_counts(t, own, mark) ||
        (type == EVENT_message_delivered && mark->cursor == reader->read.cursor))
        return;
    const struct message *msg =
        reader == own ? group_message(own->group, mark->seq) : member_own_message(own, mark->seq);
    if (msg != NULL)
        timeline_push(t, (struct source){.cursor = mark->cursor,
                                         .time = mark->time,
                                         .member = reader,
                                         .message = msg->seq,
                                         .message_floor = msg->seq - 1,
                                         .receipt = (uint8_t)type});
}

static int newest_first(const void *a, const void *b)
{
    uint64_t x = ((const struct source *)a)->cursor, y = ((const struct source *)b)->cursor;
    return x < y ? 1 : x > y ? -1 : 0;
}

/*
 * From the beginning: each own message with its newest receipt. The newest mark decides for all
 * messages up to it, the next older one for those above that, and so on: a staircase. Each step is
 * one source, which walks the own messages in (floor, mark].
 */
static void add_staircase(struct timeline *t, const struct member *own, enum event_type type)
{
    const struct group *g = own->group;
    struct source *steps = NULL;
    uint32_t count = 0, cap = 0, floor = 0;

    if (own->last_own == 0)
        return;
    for (const struct list *l = g->by_mark.next; l != &g->by_mark; l = l->next) {
        const struct member *reader = LIST_OWNER(l, struct member, by_mark);
        const struct mark *mark = mark_of(reader, type);
        if (reader == own || !mark_counts(t, own, mark))
            continue;
        if (count == cap) {
            cap = cap == 0 ? 16 : 2 * cap;
            steps = xrealloc(steps, cap * sizeof *steps);
        }
        steps[count++] = (struct source){.cursor = mark->cursor,
                                         .time = mark->time,
                                         .member = reader,
                                         .message = mark->seq,
                                         .receipt = (uint8_t)type};
    }
    if (count > 0)
        qsort(steps, count, sizeof *steps, newest_first);
    for (uint32_t i = 0; i < count; i++) {
        struct source s = steps[i];
        if (s.message <= floor)
            continue;
        const struct message *msg = member_own_message(own, s.message);
        if (msg == NULL || msg->seq <= floor)
            continue;
        s.message_floor = floor;
        floor = s.message;
        s.message = msg->seq;
        timeline_push(t, s);
    }
    free(steps);
}

void timeline_add_receipts(struct timeline *t, const struct member *own)
{
    const struct list *head = &own->group->by_mark;

    if (t->all) {
        add_staircase(t, own, EVENT_message_delivered);
        add_staircase(t, own, EVENT_message_read);
        return;
    }
    for (const struct list *l = head->prev; l != head; l = l->prev) {
        const struct member *reader = LIST_OWNER(l, struct member, by_mark);
        if (reader->delivered.cursor <= t->position && reader->read.cursor <= t->position)
            break;
        add_newest(t, own, reader, EVENT_message_delivered);
        add_newest(t, own, reader, EVENT_message_read);
    }
}

bool timeline_receipt_next(const struct timeline *t, struct source *s, struct event *out)
{
    const struct group *g = s->member->group;
    const struct message *msg = group_message(g, s->message);

    *out = (struct event){.type = (enum event_type)s->receipt,
                          .cursor = s->cursor,
                          .time = s->time,
                          .group = g,
                          .user = s->member->user,
                          .message = msg,
                          .to = t->user};
    s->message = msg->previous_own;
    return s->message > s->message_floor && s->message > g->expired;
}
