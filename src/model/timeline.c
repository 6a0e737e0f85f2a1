#include "model/timeline_inside.h"

#include "base/bisect.h"
#include "base/ensure.h"
#include "model/view.h"

#include <stdlib.h>

/* ---- the heap -------------------------------------------------------------------------------- */

/* Delivered comes before read where one change moved both. */
static bool source_before(const struct source *a, const struct source *b)
{
    return a->cursor != b->cursor ? a->cursor < b->cursor : a->receipt < b->receipt;
}

static void heap_swap(struct source *heap, uint32_t a, uint32_t b)
{
    struct source t = heap[a];
    heap[a] = heap[b];
    heap[b] = t;
}

static void heap_sink(struct timeline *t, uint32_t i)
{
    for (;;) {
        uint32_t least = i;
        for (uint32_t child = 2 * i + 1; child <= 2 * i + 2 && child < t->count; child++) {
            if (source_before(&t->heap[child], &t->heap[least]))
                least = child;
        }
        if (least == i)
            return;
        heap_swap(t->heap, i, least);
        i = least;
    }
}

void timeline_push(struct timeline *t, struct source s)
{
    if (t->count == t->cap) {
        t->cap = t->cap == 0 ? 8 : 2 * t->cap;
        t->heap = xrealloc(t->heap, t->cap * sizeof *t->heap);
    }
    uint32_t i = t->count++;
    t->heap[i] = s;
    for (; i > 0 && source_before(&t->heap[i], &t->heap[(i - 1) / 2]); i = (i - 1) / 2)
        heap_swap(t->heap, i, (i - 1) / 2);
}

static void heap_pop(struct timeline *t)
{
    t->heap[0] = t->heap[--t->count];
    heap_sink(t, 0);
}

/* ---- spans ----------------------------------------------------------------------------------- */

/* The place of the first message or change, from place `low` on, whose key, which rises, is above
 * `key`. */
static uint32_t first_above(const struct vec *v, uint32_t low, uint64_t key,
                            uint64_t (*key_of)(const void *element))
{
    return BISECT(i, low, v->count, key_of(vec_at(v, i)) <= key);
}

static uint64_t message_cursor(const void *element)
{
    return ((const struct message *)element)->cursor;
}

static uint64_t change_cursor(const void *element)
{
    return ((const struct change *)element)->cursor;
}

/* No event is older than 1970: model_time starts there. */
static uint64_t time_of_message(const void *element)
{
    return (uint64_t)message_time(element);
}

static uint64_t time_of_change(const void *element)
{
    return (uint64_t)((const struct change *)element)->time;
}

/* Sets s->cursor to that of the source's next event; false where it has none. */
static bool span_advance(struct source *s)
{
    const struct group *g = s->member->group;
    uint64_t next = UINT64_MAX;

    if (s->message < g->messages.count)
        next = message_cursor(vec_at(&g->messages, s->message));
    if (s->change < g->changes.count) {
        uint64_t change = change_cursor(vec_at(&g->changes, s->change));
        next = change < next ? change : next;
    }
    s->cursor = next;
    return next <= s->last;
}

static void add_span(struct timeline *t, const struct member *mb, const struct span *span)
{
    uint64_t after = span->from - 1 > t->position ? span->from - 1 : t->position;
    uint64_t last = span->to < t->horizon ? span->to : t->horizon;
    const struct group *g = mb->group;

    if (last <= after)
        return;
    struct source s = {.member = mb,
                       .last = last,
                       .message = first_above(&g->messages, g->expired, after, message_cursor),
                       .change = first_above(&g->changes, 0, after, change_cursor)};
    if (span_advance(&s))
        timeline_push(t, s);
}

static void event_of_change(const struct timeline *t, const struct group *g,
                            const struct change *ch, struct event *out)
{
    static const enum event_type types[] = {[CHANGE_CREATED] = EVENT_group_created,
                                            [CHANGE_ADDED] = EVENT_member_added,
                                            [CHANGE_REMOVED] = EVENT_member_removed,
                                            [CHANGE_SUCCEEDED] = EVENT_member_removed};
    *out = (struct event){.type = types[ch->kind],
                          .cursor = ch->cursor,
                          .time = ch->time,
                          .group = g,
                          .user = ch->user,
                          .by = ch->by,
                          .owner = model_user(t->m, ch->owner)};
}

static void event_of_message(const struct timeline *t, const struct group *g,
                             const struct message *msg, struct event *out)
{
    *out = (struct event){.type = EVENT_message_posted,
                          .cursor = msg->cursor,
                          .time = message_time(msg),
                          .group = g,
                          .user = model_user(t->m, msg->author),
                          .message = msg};
}

/* Gives the event at s->cursor; false when the span has no more. */
static bool span_next(const struct timeline *t, struct source *s, struct event *out)
{
    const struct group *g = s->member->group;
    const struct message *msg =
        s->message < g->messages.count ? vec_at(&g->messages, s->message) : NULL;

    if (msg != NULL && msg->cursor == s->cursor) {
        event_of_message(t, g, msg, out);
        s->message++;
    } else {
        event_of_change(t, g, vec_at(&g->changes, s->change), out);
        s->change++;
    }
    return span_advance(s);
}

/* ---- amendments ------------------------------------------------------------------------------ */

static const struct message *message_of_step(const struct group *g, const struct amend_step *step)
{
    return group_message(g, step->seq);
}

/* Sets s->cursor to that of the next step, from `from` on, that the user sees; false where there is
 * none. */
static bool amends_advance(struct source *s, uint64_t from)
{
    const struct group *g = s->member->group;
    const struct amend_step *step;

    for (; (step = amends_from(&g->notices->amends, from)) != NULL; from = step->cursor + 1) {
        if (step->cursor > s->last)
            return false;
        if (step->time > s->time && member_saw(s->member, step->cursor) &&
            view_sees(s->member, message_of_step(g, step))) {
            s->cursor = step->cursor;
            return true;
        }
    }
    return false;
}

static void add_amends(struct timeline *t, const struct member *own)
{
    struct source s = {.member = own, .last = t->horizon, .time = t->newer_than, .amends = true};
    if (amends_advance(&s, t->position + 1))
        timeline_push(t, s);
}

/* The step at s->cursor; NULL where a change that came meanwhile replaced it: that one is in the
 * next round. */
static const struct amend_step *amends_step(const struct source *s)
{
    const struct amend_step *step = amends_from(&s->member->group->notices->amends, s->cursor);
    return step != NULL && step->cursor == s->cursor ? step : NULL;
}

/* Gives the step at s->cursor, which is there; false where there is no further one. */
static bool amends_next(const struct timeline *t, struct source *s, struct event *out)
{
    const struct group *g = s->member->group;
    const struct amend_step *step = amends_step(s);
    const struct message *msg = message_of_step(g, step);
    const struct amendment *am = message_amendment(msg);
    const struct reaction *re = step->reaction > 0 ? &am->reactions[step->reaction - 1] : NULL;
    uint32_t user = re != NULL ? re->user : msg->deleted ? am->by : msg->author;

    *out = (struct event){.type = re != NULL     ? EVENT_message_reacted
                                  : msg->deleted ? EVENT_message_deleted
                                                 : EVENT_message_updated,
                          .cursor = step->cursor,
                          .time = step->time,
                          .group = g,
                          .user = model_user(t->m, user),
                          .message = msg,
                          .reaction = re};
    return amends_advance(s, s->cursor + 1);
}

/* ---- rounds ---------------------------------------------------------------------------------- */

/* Starts a round; false where the model holds nothing beyond the position. */
static bool timeline_round(struct timeline *t)
{
    t->horizon = model_cursor(t->m);
    if (t->horizon == t->position)
        return false;
    for (uint32_t i = 0; i < t->user->memberships.count; i++) {
        const struct member *mb = vec_at(&t->user->memberships, i);
        if (mb->group->last_cursor > t->position) {
            for (uint32_t k = 0; k + 1 < mb->span_count; k++)
                add_span(t, mb, &mb->earlier[k]);
            add_span(t, mb, &mb->span);
            if (mb->group->notices != NULL) {
                timeline_add_notices(t, mb);
                add_amends(t, mb);
            }
        }
        timeline_add_receipts(t, mb);
    }
    t->in_round = true;
    return true;
}

struct timeline *timeline_new(const struct model *m, const struct user *user, uint64_t after,
                              bool all)
{
    struct timeline *t = xcalloc(1, sizeof *t);
    t->m = m;
    t->user = user;
    t->position = after;
    t->all = all;
    t->newer_than = INT64_MIN;
    return t;
}

/* Times rise with cursors, so the newest cursor of the user's groups at or before `time` parts
 * them. */
static uint64_t last_cursor_until(const struct group *g, int64_t time)
{
    uint64_t cursor = 0;

    uint32_t count = first_above(&g->messages, g->expired, (uint64_t)time, time_of_message);
    if (count > g->expired)
        cursor = message_cursor(vec_at(&g->messages, count - 1));
    count = first_above(&g->changes, 0, (uint64_t)time, time_of_change);
    if (count > 0 && change_cursor(vec_at(&g->changes, count - 1)) > cursor)
        cursor = change_cursor(vec_at(&g->changes, count - 1));
    return cursor;
}

struct timeline *timeline_new_since(const struct model *m, const struct user *user, int64_t time)
{
    uint64_t after = 0;

    for (uint32_t i = 0; time >= 0 && i < user->memberships.count; i++) {
        const struct member *mb = vec_at(&user->memberships, i);
        uint64_t cursor = last_cursor_until(mb->group, time);
        after = cursor > after ? cursor : after;
    }
    struct timeline *t = timeline_new(m, user, after, false);
    t->newer_than = time;
    return t;
}

void timeline_free(struct timeline *t)
{
    if (t == NULL)
        return;
    free(t->heap);
    free(t);
}

/*
 * Is there nothing left to give, though there was when the round began? Of a group that was deleted
 * meanwhile, and of settings that were changed again: that is told in the next round. (A grant's
 * source holds all that it says, and stays true.)
 */
static bool source_is_stale(const struct source *s)
{
    const struct group *g = s->member->group;

    if (g->deleted)
        return s->notice != EVENT_group_deleted;
    if (s->receipt != 0)
        return s->message <= g->expired;
    return s->notice == EVENT_group_changed && g->notices->cursor != s->cursor;
}

/* Have messages expired since the span said what comes next? Then it goes on behind them. */
static bool source_lags(struct source *s)
{
    uint32_t expired = s->member->group->expired;

    if (s->receipt != 0 || s->notice != 0 || s->amends || s->message >= expired)
        return false;
    s->message = expired;
    return true;
}

/* Has the first source something to give? Else it is moved on, or taken off. */
static bool first_is_good(struct timeline *t)
{
    struct source *s = &t->heap[0];
    bool more = false;

    if (!source_is_stale(s)) {
        bool lags = source_lags(s);
        if (!lags && (!s->amends || amends_step(s) != NULL))
            return true;
        more = lags ? span_advance(s) : amends_advance(s, s->cursor + 1);
    }
    if (more)
        heap_sink(t, 0);
    else
        heap_pop(t);
    return false;
}

/* The source with the next event; NULL where there is nothing left at this instant. */
static struct source *timeline_source(struct timeline *t)
{
    for (;;) {
        while (t->count > 0) {
            if (first_is_good(t))
                return &t->heap[0];
        }
        if (t->in_round) {
            t->in_round = false;
            t->position = t->horizon;
        }
        bool more = timeline_round(t);
        /* The question was about what is there; what comes later is news, whatever its time. */
        t->all = false;
        t->newer_than = INT64_MIN;
        if (!more)
            return NULL;
    }
}

bool timeline_next(struct timeline *t, struct event *out)
{
    struct source *s = timeline_source(t);

    if (s == NULL)
        return false;
    bool more = s->receipt != 0  ? timeline_receipt_next(t, s, out)
                : s->notice != 0 ? timeline_notice_next(s, out)
                : s->amends      ? amends_next(t, s, out)
                                 : span_next(t, s, out);
    if (more)
        heap_sink(t, 0);
    else
        heap_pop(t);
    return true;
}

uint64_t timeline_position(const struct timeline *t)
{
    if (!t->in_round)
        return t->position;
    return t->count > 0 ? t->heap[0].cursor - 1 : t->horizon;
}
