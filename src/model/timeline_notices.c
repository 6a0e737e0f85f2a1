/* timeline_notices: a group's settings, roles and end as they are now, for those who catch up. */
#include "model/timeline_inside.h"

static bool is_of_round(const struct timeline *t, uint64_t cursor, int64_t time)
{
    return cursor > t->position && cursor <= t->horizon && time > t->newer_than;
}

static bool notice_counts(const struct timeline *t, const struct member *own, uint64_t cursor,
                          int64_t time)
{
    return is_of_round(t, cursor, time) && member_saw(own, cursor);
}

/*
 * The roles that were given since the position, the newest first. A group that changed hands gave
 * two, the new owner's behind the other, and is told as one, as it was live: only where the new
 * owner's role has changed again or they are gone does the other's say what is left of it.
 */
static void add_grants(struct timeline *t, const struct member *own)
{
    const struct list *head = &own->group->notices->grants;
    uint64_t told = 0;

    for (const struct list *l = head->prev; l != head; l = l->prev) {
        const struct grant *gr = LIST_OWNER(l, struct grant, list);
        if (gr->cursor <= t->position)
            break;
        if (gr->cursor == told || !notice_counts(t, own, gr->cursor, gr->time))
            continue;
        told = gr->cursor;
        timeline_push(t, (struct source){.cursor = gr->cursor,
                                         .time = gr->time,
                                         .member = gr->member,
                                         .by = gr->by,
                                         .notice = EVENT_role_given,
                                         .role = gr->member->role});
    }
}

/* The newest change of the group's settings, or its end. */
static void add_notice(struct timeline *t, const struct member *own, enum event_type type)
{
    const struct notices *n = own->group->notices;

    timeline_push(t, (struct source){.cursor = n->cursor,
                                     .time = n->time,
                                     .member = own,
                                     .by = n->by,
                                     .notice = (uint8_t)type});
}

/* The end is for those too who had gone before: whether they have heard of that nobody knows, and
 * their going went with all that the group could tell. */
void timeline_add_notices(struct timeline *t, const struct member *own)
{
    const struct notices *n = own->group->notices;

    if (own->group->deleted) {
        if (is_of_round(t, n->cursor, n->time))
            add_notice(t, own, EVENT_group_deleted);
        return;
    }
    if (n->cursor != 0 && notice_counts(t, own, n->cursor, n->time))
        add_notice(t, own, EVENT_group_changed);
    add_grants(t, own);
}

bool timeline_notice_next(const struct source *s, struct event *out)
{
    *out = (struct event){.type = (enum event_type)s->notice,
                          .cursor = s->cursor,
                          .time = s->time,
                          .group = s->member->group,
                          .user = s->notice == EVENT_role_given ? s->member->user : s->by,
                          .by = s->by,
                          .role = (enum role)s->role};
    return false;
}
