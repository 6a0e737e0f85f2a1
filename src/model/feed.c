#include "model/feed.h"

#include "base/bisect.h"

#include <stdlib.h>

/* ---- places in lists that rise --------------------------------------------------------------- */

static uint64_t message_cursor(const void *element)
{
    return ((const struct message *)element)->cursor;
}

static uint64_t change_cursor(const void *element)
{
    return ((const struct change *)element)->cursor;
}

/* The place of the first, from place `low` on, whose cursor is `cursor` or above. */
static uint32_t first_from(const struct vec *v, uint32_t low, uint64_t cursor,
                           uint64_t (*cursor_of)(const void *element))
{
    return BISECT(i, low, v->count, cursor_of(vec_at(v, i)) < cursor);
}

/* ---- from an event to its entry, and back ---------------------------------------------------- */

struct feed_entry feed_entry_of(const struct event *e)
{
    bool is_receipt = e->type == EVENT_message_delivered || e->type == EVENT_message_read;

    return (struct feed_entry){.cursor = e->cursor,
                               .group = e->group->number,
                               .user = is_receipt ? e->user->number : 0,
                               .type = (uint8_t)e->type};
}

static bool read_message(const struct model *m, const struct group *g, struct event *out)
{
    uint32_t i = first_from(&g->messages, g->expired, out->cursor, message_cursor);
    const struct message *msg = i < g->messages.count ? vec_at(&g->messages, i) : NULL;

    if (msg == NULL || msg->cursor != out->cursor)
        return false;
    out->time = message_time(msg);
    out->user = model_user(m, msg->author);
    out->message = msg;
    return true;
}

static bool read_change(const struct model *m, const struct group *g, struct event *out)
{
    uint32_t i = first_from(&g->changes, 0, out->cursor, change_cursor);
    const struct change *ch = i < g->changes.count ? vec_at(&g->changes, i) : NULL;

    if (ch == NULL || ch->cursor != out->cursor)
        return false;
    out->time = ch->time;
    out->user = ch->user;
    out->by = ch->by;
    out->owner = model_user(m, ch->owner);
    return true;
}

static bool read_step(const struct model *m, const struct group *g, struct event *out)
{
    const struct amend_step *step =
        g->notices != NULL ? amends_from(&g->notices->amends, out->cursor) : NULL;

    if (step == NULL || step->cursor != out->cursor)
        return false;
    const struct message *msg = group_message(g, step->seq);
    const struct amendment *am = message_amendment(msg);
    const struct reaction *re = step->reaction > 0 ? &am->reactions[step->reaction - 1] : NULL;
    out->type = re != NULL     ? EVENT_message_reacted
                : msg->deleted ? EVENT_message_deleted
                               : EVENT_message_updated;
    out->time = step->time;
    out->user = model_user(m, re != NULL ? re->user : msg->deleted ? am->by : msg->author);
    out->message = msg;
    out->reaction = re;
    return true;
}

static bool read_mark(const struct model *m, const struct group *g, uint32_t reader,
                      struct event *out)
{
    const struct user *u = model_user(m, reader);
    const struct member *mb = u != NULL ? model_member(m, g, u) : NULL;

    if (mb == NULL)
        return false;
    const struct mark *mark = out->type == EVENT_message_read ? &mb->read : &mb->delivered;
    const struct message *msg = mark->cursor == out->cursor ? group_message(g, mark->seq) : NULL;
    if (msg == NULL)
        return false;
    out->time = mark->time;
    out->user = u;
    out->message = msg;
    return true;
}

/* Of a change that gave two people a role, the one that comes last: the new owner's. */
static bool read_grant(const struct group *g, struct event *out)
{
    if (g->notices == NULL)
        return false;
    const struct list *head = &g->notices->grants;
    for (const struct list *l = head->prev; l != head; l = l->prev) {
        const struct grant *gr = LIST_OWNER(l, struct grant, list);
        if (gr->cursor > out->cursor)
            continue;
        if (gr->cursor < out->cursor)
            return false;
        out->time = gr->time;
        out->user = gr->member->user;
        out->by = gr->by;
        out->role = (enum role)gr->member->role;
        return true;
    }
    return false;
}

/* The newest change of the settings, or the group's end. */
static bool read_notice(const struct group *g, struct event *out)
{
    const struct notices *n = g->notices;

    if (n == NULL || n->cursor != out->cursor)
        return false;
    out->time = n->time;
    out->user = out->by = n->by;
    return true;
}

bool feed_event(const struct model *m, const struct feed_entry *entry, struct event *out)
{
    const struct group *g = model_group(m, entry->group);
    enum event_type type = (enum event_type)entry->type;

    if (g == NULL || g->deleted != (type == EVENT_group_deleted))
        return false;
    *out = (struct event){.type = type, .cursor = entry->cursor, .group = g};
    switch (type) {
    case EVENT_message_posted:
        return read_message(m, g, out);
    case EVENT_message_delivered:
    case EVENT_message_read:
        return read_mark(m, g, entry->user, out);
    case EVENT_message_updated:
    case EVENT_message_deleted:
    case EVENT_message_reacted:
        return read_step(m, g, out);
    case EVENT_group_created:
    case EVENT_member_added:
    case EVENT_member_removed:
        return read_change(m, g, out);
    case EVENT_role_given:
        return read_grant(g, out);
    case EVENT_group_changed:
    case EVENT_group_deleted:
        return read_notice(g, out);
    case EVENT_session_ended:
    case EVENT_tokens_ended:
        return false;
    }
    return false;
}

/* ---- a scan: the largest entry is the first of a heap, while it goes on ---------------------- */

static void sink(struct feed_scan *s)
{
    for (uint32_t i = 0;;) {
        uint32_t most = i;
        for (uint32_t child = 2 * i + 1; child <= 2 * i + 2 && child < s->count; child++) {
            if (s->entries[child].cursor > s->entries[most].cursor)
                most = child;
        }
        if (most == i)
            return;
        struct feed_entry entry = s->entries[i];
        s->entries[i] = s->entries[most];
        s->entries[most] = entry;
        i = most;
    }
}

/* Keeps it where it is one of those that are wanted; false where nothing behind it can be. */
static bool keep(struct feed_scan *s, uint64_t cursor, enum event_type type, const struct group *g,
                 const struct user *reader)
{
    struct feed_entry entry = {.cursor = cursor,
                               .group = g->number,
                               .user = reader != NULL ? reader->number : 0,
                               .type = (uint8_t)type};

    if (cursor > s->horizon)
        return false;
    if (cursor <= s->after)
        return true;
    if (s->count == FEED_SCAN_MAX) {
        s->full = true;
        if (cursor > s->entries[0].cursor)
            return false;
        s->entries[0] = entry;
        sink(s);
        return true;
    }
    uint32_t i = s->count++;
    for (; i > 0 && s->entries[(i - 1) / 2].cursor < cursor; i = (i - 1) / 2)
        s->entries[i] = s->entries[(i - 1) / 2];
    s->entries[i] = entry;
    return true;
}

static enum event_type type_of_change(const struct change *ch)
{
    switch ((enum change_kind)ch->kind) {
    case CHANGE_CREATED:
        return EVENT_group_created;
    case CHANGE_ADDED:
        return EVENT_member_added;
    case CHANGE_REMOVED:
    case CHANGE_SUCCEEDED:
        return EVENT_member_removed;
    }
    return EVENT_member_removed;
}

/* These look at so many things and say how many. */

static uint32_t scan_messages(struct feed_scan *s, const struct group *g)
{
    uint32_t first = first_from(&g->messages, g->expired, s->after + 1, message_cursor), i = first;

    for (; i < g->messages.count; i++) {
        if (!keep(s, message_cursor(vec_at(&g->messages, i)), EVENT_message_posted, g, NULL))
            break;
    }
    return i - first;
}

static uint32_t scan_changes(struct feed_scan *s, const struct group *g)
{
    uint32_t first = first_from(&g->changes, 0, s->after + 1, change_cursor), i = first;

    for (; i < g->changes.count; i++) {
        const struct change *ch = vec_at(&g->changes, i);
        if (!keep(s, ch->cursor, type_of_change(ch), g, NULL))
            break;
    }
    return i - first;
}

/* Which of the three a step is, feed_event finds. */
static uint32_t scan_notices(struct feed_scan *s, const struct group *g)
{
    const struct notices *n = g->notices;
    const struct amend_step *step;
    uint32_t looks = 1;
    uint64_t told = 0;

    if (n->cursor > 0)
        (void)keep(s, n->cursor, EVENT_group_changed, g, NULL);
    for (uint64_t from = s->after + 1; (step = amends_from(&n->amends, from)) != NULL; looks++) {
        if (!keep(s, step->cursor, EVENT_message_updated, g, NULL))
            break;
        from = step->cursor + 1;
    }
    for (const struct list *l = n->grants.prev; l != &n->grants; l = l->prev, looks++) {
        const struct grant *gr = LIST_OWNER(l, struct grant, list);
        if (gr->cursor <= s->after)
            break;
        if (gr->cursor != told)
            (void)keep(s, gr->cursor, EVENT_role_given, g, NULL);
        told = gr->cursor;
    }
    return looks;
}

/* A change that moved both marks is one event, 23. */
static uint32_t scan_marks(struct feed_scan *s, const struct group *g)
{
    uint32_t looks = 0;

    for (const struct list *l = g->by_mark.prev; l != &g->by_mark; l = l->prev, looks++) {
        const struct member *mb = LIST_OWNER(l, struct member, by_mark);
        if (mb->delivered.cursor <= s->after && mb->read.cursor <= s->after)
            break;
        if (mb->delivered.cursor != mb->read.cursor)
            (void)keep(s, mb->delivered.cursor, EVENT_message_delivered, g, mb->user);
        (void)keep(s, mb->read.cursor, EVENT_message_read, g, mb->user);
    }
    return looks;
}

static uint32_t scan_group(struct feed_scan *s, const struct group *g)
{
    uint32_t looks = 1;

    if (g->deleted) {
        (void)keep(s, g->notices->cursor, EVENT_group_deleted, g, NULL);
        return looks;
    }
    if (g->last_cursor > s->after) {
        looks += scan_messages(s, g) + scan_changes(s, g);
        if (g->notices != NULL)
            looks += scan_notices(s, g);
    }
    return looks + scan_marks(s, g);
}

static int by_cursor(const void *a, const void *b)
{
    uint64_t x = ((const struct feed_entry *)a)->cursor, y = ((const struct feed_entry *)b)->cursor;
    return x < y ? -1 : x > y ? 1 : 0;
}

void feed_scan_begin(struct feed_scan *s, const struct model *m, uint64_t after)
{
    s->after = after;
    s->horizon = s->covered = model_cursor(m);
    s->group = 1;
    s->count = 0;
    s->full = false;
}

bool feed_scan_step(struct feed_scan *s, const struct model *m, uint32_t work)
{
    for (uint32_t done = 0; s->group <= model_group_count(m); s->group++) {
        if (done >= work)
            return false;
        done += scan_group(s, model_group(m, s->group));
    }
    qsort(s->entries, s->count, sizeof *s->entries, by_cursor);
    if (s->full)
        s->covered = s->entries[s->count - 1].cursor;
    return true;
}
