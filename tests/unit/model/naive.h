/*
 * naive: random histories, and what everybody should hear of them, worked out the slow way.
 *
 * The oracle keeps its own lists of what happened, from the records alone: who was a member when,
 * which message came where, how the marks moved. It asks the model for nothing but whether a record
 * was taken. From the lists it says what must be told live (naive_step checks that at each commit)
 * and what a timeline must give (naive_want).
 */
#ifndef UNIT_MODEL_NAIVE_H
#define UNIT_MODEL_NAIVE_H

#include "world.h"

#include "model/timeline.h"

#define NAIVE_USERS  9 /* numbers 1 to 8 */
#define NAIVE_GROUPS 5 /* numbers 1 to 4 */
#define NAIVE_MAX    2048

/* An event as numbers, in the order in which events are given. */
struct naive_event {
    uint64_t cursor;
    int64_t time;
    enum event_type type;
    uint32_t group, user, by;
    uint32_t seq;   /* of the message, or 0 */
    uint32_t owner; /* who owns the group since somebody went, or 0 */
    enum role role; /* that was given */
    uint64_t seen;
};

struct naive_mark {
    uint32_t seq;
    uint64_t cursor;
    int64_t time;
    uint64_t seen; /* who was a member when it moved */
};

struct naive {
    struct world w;
    uint64_t random;
    uint32_t users, groups_max;
    bool stay; /* nobody leaves */
    bool keep; /* no message expires and no group is deleted */
    uint64_t active[NAIVE_GROUPS];
    uint64_t since[NAIVE_GROUPS]
                  [NAIVE_USERS]; /* of the newest coming, then the place in the list */
    uint32_t owner[NAIVE_GROUPS];
    enum role role[NAIVE_GROUPS][NAIVE_USERS];
    struct naive_event grants[NAIVE_GROUPS][NAIVE_USERS]; /* the newest; cursor 0: none */
    struct naive_event notice[NAIVE_GROUPS];              /* newest settings, or the end */
    bool deleted[NAIVE_GROUPS];
    uint32_t authors[NAIVE_GROUPS][NAIVE_MAX]; /* by seq; 0: it has expired */
    uint32_t posts[NAIVE_GROUPS], expired[NAIVE_GROUPS];
    struct naive_mark marks[NAIVE_GROUPS][NAIVE_USERS][2]; /* delivered, read */
    struct naive_event events[NAIVE_MAX];                  /* messages and changes */
    uint32_t event_count;
    struct naive_event receipts[NAIVE_MAX]; /* told live; seen: the one person */
    uint32_t receipt_count;
};

static inline uint32_t naive_below(struct naive *n, uint32_t limit)
{
    return (uint32_t)(world_random(&n->random) % limit);
}

static inline uint32_t naive_user(struct naive *n)
{
    return 1 + naive_below(n, n->users);
}

static inline bool naive_in(uint64_t bits, uint32_t user)
{
    return (bits >> user & 1) != 0;
}

static inline void naive_add(struct naive_event *list, uint32_t *count, struct naive_event e)
{
    assert_true(*count < NAIVE_MAX);
    list[(*count)++] = e;
}

/* The newest message of `author` with a number in (from, to], or 0. */
static inline uint32_t naive_newest(const struct naive *n, uint32_t group, uint32_t author,
                                    uint32_t from, uint32_t to)
{
    for (uint32_t seq = to; seq > from; seq--) {
        if (n->authors[group][seq] == author)
            return seq;
    }
    return 0;
}

/* ---- what is told live ----------------------------------------------------------------------- */

/* Is `want` among what the model told for its newest record? */
static inline bool naive_was_told(const struct naive *n, const struct naive_event *want)
{
    for (uint32_t i = 0; i < n->w.told_count; i++) {
        const struct event *e = &n->w.told[i].event;
        if (e->type == want->type && e->cursor == want->cursor && e->group->number == want->group &&
            e->user->number == want->user && (e->by != NULL ? e->by->number : 0) == want->by &&
            (e->message != NULL ? e->message->seq : 0) == want->seq &&
            (e->owner != NULL ? e->owner->number : 0) == want->owner && e->role == want->role &&
            n->w.told[i].seen == want->seen)
            return true;
    }
    return false;
}

static inline void naive_heard(struct naive *n, struct naive_event e)
{
    assert_int_equal(n->w.told_count, 1);
    /* The model gives `by` with those who come and go only; the timeline always. */
    struct naive_event live = e;
    if (e.type == EVENT_group_created)
        live.by = 0;
    assert_true(naive_was_told(n, &live));
    naive_add(n->events, &n->event_count, e);
}

/* A mark was moved: each member who wrote in what it passed hears of their newest there, the reader
 * of the last. Returns how many are told. */
static inline uint32_t naive_told(struct naive *n, uint32_t group, uint32_t reader, int kind,
                                  uint32_t to)
{
    uint32_t from = n->marks[group][reader][kind].seq, told = 0;

    for (uint32_t user = 1; user <= n->users; user++) {
        uint32_t seq = user == reader ? to : naive_newest(n, group, user, from, to);
        if (seq == 0 || !naive_in(n->active[group], user))
            continue;
        struct naive_event e = {.cursor = n->w.cursor,
                                .time = model_time(n->w.m),
                                .type = kind == 1 ? EVENT_message_read : EVENT_message_delivered,
                                .group = group,
                                .user = reader,
                                .seq = seq,
                                .seen = UINT64_C(1) << user};
        assert_true(naive_was_told(n, &e));
        naive_add(n->receipts, &n->receipt_count, e);
        told++;
    }
    return told;
}

static inline void naive_move(struct naive *n, uint32_t group, uint32_t reader, int kind,
                              uint32_t to)
{
    struct naive_mark *mark = &n->marks[group][reader][kind];
    if (to > mark->seq)
        *mark = (struct naive_mark){to, n->w.cursor, model_time(n->w.m), n->active[group]};
}

/* Somebody came or went: the owner stays while they are there, then it is who came first, of the
 * admins where there are some. What was said of the new owner's role before is not told any more.
 */
static inline void naive_owner(struct naive *n, uint32_t group)
{
    const struct user *owner = model_group(n->w.m, group)->owner;
    uint32_t eldest = 0;

    for (uint32_t user = 1; user <= n->users; user++) {
        bool admin = n->role[group][user] == ROLE_ADMIN;
        bool other = eldest != 0 && n->role[group][eldest] == ROLE_ADMIN;
        if (naive_in(n->active[group], user) &&
            (eldest == 0 ||
             (admin == other ? n->since[group][user] < n->since[group][eldest] : admin)))
            eldest = user;
    }
    if (!naive_in(n->active[group], n->owner[group])) {
        n->owner[group] = eldest;
        n->role[group][eldest] = ROLE_OWNER;
        n->grants[group][eldest].cursor = 0;
    }
    assert_int_equal(owner != NULL ? owner->number : 0, n->owner[group]);
}

/* Somebody goes: their role, and what was said of it, go with them. */
static inline void naive_goes(struct naive *n, uint32_t group, uint32_t user)
{
    n->active[group] &= ~(UINT64_C(1) << user);
    n->role[group][user] = ROLE_MEMBER;
    n->grants[group][user].cursor = 0;
    naive_owner(n, group);
}

/* ---- random records -------------------------------------------------------------------------- */

static inline struct naive_event naive_event_now(const struct naive *n, enum event_type type,
                                                 uint32_t group, uint32_t user)
{
    return (struct naive_event){.cursor = n->w.cursor,
                                .time = model_time(n->w.m),
                                .type = type,
                                .group = group,
                                .user = user,
                                .seen = n->active[group]};
}

static inline void naive_new_group(struct naive *n)
{
    uint8_t members[4 * 3] = {0};
    uint32_t owner = naive_user(n), group = model_group_count(n->w.m) + 1;

    members[0] = (uint8_t)owner;
    members[4] = (uint8_t)naive_user(n);
    members[8] = (uint8_t)naive_user(n);
    assert_int_equal(world_group(&n->w, owner, (struct record_u32s){members, 3}), group);
    n->active[group] =
        UINT64_C(1) << members[0] | UINT64_C(1) << members[4] | UINT64_C(1) << members[8];
    struct naive_event e = naive_event_now(n, EVENT_group_created, group, owner);
    e.by = owner;
    naive_heard(n, e);
    n->owner[group] = owner;
    n->role[group][owner] = ROLE_OWNER;
    for (uint32_t i = 3; i-- > 0;)
        n->since[group][members[4 * i]] = n->w.cursor * 4 + i;
    naive_owner(n, group);
}

static inline void naive_come_or_go(struct naive *n, uint32_t group)
{
    uint32_t user = naive_user(n), by = naive_below(n, 3) > 0 ? user : naive_user(n);
    uint64_t bit = UINT64_C(1) << user;

    if ((n->active[group] & bit) == 0) {
        if (world_add(&n->w, group, user, by) != ERR_ok &&
            world_add(&n->w, group, user, naive_user(n)) != ERR_ok)
            return;
        n->active[group] |= bit;
        struct naive_event e = naive_event_now(n, EVENT_member_added, group, user);
        e.by = n->w.told[0].event.by->number;
        naive_heard(n, e);
        n->since[group][user] = n->w.cursor * 4;
        naive_owner(n, group);
    } else if (!n->stay && naive_below(n, 2) == 0 &&
               world_remove(&n->w, group, user, by) == ERR_ok) {
        struct naive_event e = naive_event_now(n, EVENT_member_removed, group, user);
        e.by = by;
        naive_goes(n, group, user);
        naive_heard(n, e);
    } else if (!n->stay && world_leave(&n->w, group, user, by) == ERR_ok) {
        struct naive_event e = naive_event_now(n, EVENT_member_removed, group, user);
        bool owned = n->owner[group] == user;
        e.by = by;
        naive_goes(n, group, user);
        e.owner = owned ? n->owner[group] : 0;
        naive_heard(n, e);
    }
}

/* A role is given. One event says that the group has another owner and that the one before is an
 * admin now. */
static inline void naive_role(struct naive *n, uint32_t group)
{
    uint32_t user = naive_user(n), by = naive_below(n, 3) > 0 ? n->owner[group] : naive_user(n);
    enum role role = (enum role)naive_below(n, ROLE_COUNT);
    enum role before = n->role[group][user];

    if (world_role(&n->w, group, user, by, role) != ERR_ok)
        return;
    assert_true(before != role && (by == n->owner[group] || (by == user && before == ROLE_ADMIN)));
    struct naive_event e = naive_event_now(n, EVENT_role_given, group, user);
    e.by = by;
    e.role = role;
    assert_int_equal(n->w.told_count, 1);
    assert_true(naive_was_told(n, &e));
    n->grants[group][user] = e;
    n->role[group][user] = role;
    if (role != ROLE_OWNER)
        return;
    n->owner[group] = user;
    n->role[group][by] = ROLE_ADMIN;
    e.user = by;
    e.role = ROLE_ADMIN;
    n->grants[group][by] = e;
    naive_owner(n, group);
}

static inline void naive_notice(struct naive *n, struct naive_event e)
{
    e.by = e.user;
    assert_int_equal(n->w.told_count, 1);
    assert_true(naive_was_told(n, &e));
    n->notice[e.group] = e;
}

static inline void naive_settings(struct naive *n, uint32_t group)
{
    uint32_t by = naive_user(n), fields = naive_below(n, 8);
    struct settings to = {bytes_of("a name", naive_below(n, 3)), (uint8_t)naive_below(n, 2),
                          (uint8_t)naive_below(n, 2)};

    if (world_update(&n->w, group, by, fields, to) == ERR_ok)
        naive_notice(n, naive_event_now(n, EVENT_group_changed, group, by));
}

/* Nothing is told any more of what was, but that it is over. */
static inline void naive_delete(struct naive *n, uint32_t group)
{
    uint32_t by = naive_user(n), kept = 0;

    if (world_delete(&n->w, group, by) != ERR_ok)
        return;
    naive_notice(n, naive_event_now(n, EVENT_group_deleted, group, by));
    for (uint32_t i = 0; i < n->event_count; i++) {
        /* Whoever has been there hears of it later: everybody came with an event that they saw. */
        if (n->events[i].group == group)
            n->notice[group].seen |= n->events[i].seen;
        else
            n->events[kept++] = n->events[i];
    }
    n->event_count = kept;
    memset(n->marks[group], 0, sizeof n->marks[group]);
    memset(n->grants[group], 0, sizeof n->grants[group]);
    n->active[group] = 0;
    n->deleted[group] = true;
}

/* Does it name a message that is gone? */
static inline bool naive_is_gone(const struct naive *n, const struct naive_event *e)
{
    return e->seq > 0 && e->seq <= n->expired[e->group];
}

/* Will what was to be told be told no more, since something newer says it? */
static inline bool naive_is_stale(const struct naive *n, const struct naive_event *e)
{
    if (n->deleted[e->group])
        return e->type != EVENT_group_deleted;
    if (naive_is_gone(n, e))
        return true;
    return e->type == EVENT_group_changed && n->notice[e->group].cursor != e->cursor;
}

static inline void naive_post(struct naive *n, uint32_t group)
{
    uint32_t author = naive_user(n);
    struct record r = world_post_record(&n->w, group, author, "", "x");

    if (world_commit(&n->w, &r) != ERR_ok)
        return;
    n->authors[group][++n->posts[group]] = author;
    struct naive_event e = naive_event_now(n, EVENT_message_posted, group, author);
    e.seq = n->posts[group];
    naive_heard(n, e);
}

/* Nobody hears of it. Somebody may want too much, or what is gone already. */
static inline void naive_expire(struct naive *n, uint32_t group)
{
    if (n->deleted[group])
        return;
    uint32_t posts = n->posts[group], before = n->expired[group];
    uint32_t up_to = naive_below(n, 3) == 0 ? naive_below(n, posts + 3)
                                            : before + naive_below(n, (posts - before) / 2 + 2);
    enum err err = world_expire(&n->w, group, up_to);

    assert_int_equal(err, up_to > posts ? ERR_refused : up_to > before ? ERR_ok : ERR_duplicate);
    assert_int_equal(n->w.told_count, 0);
    for (uint32_t seq = before + 1; err == ERR_ok && seq <= up_to; seq++)
        n->authors[group][seq] = 0;
    if (err == ERR_ok)
        n->expired[group] = up_to;
}

static inline void naive_receipt(struct naive *n, uint32_t group)
{
    uint32_t reader = naive_user(n), seq = 1 + naive_below(n, n->posts[group] + 1);
    uint8_t kind = (uint8_t)naive_below(n, 2);

    if (world_mark(&n->w, group, reader, seq, kind) != ERR_ok)
        return;
    assert_int_equal(n->w.told_count, naive_told(n, group, reader, kind, seq));
    naive_move(n, group, reader, 0, seq);
    if (kind == 1)
        naive_move(n, group, reader, 1, seq);
}

/* Two want to be by themselves: in a group that is new, or in theirs, to which one of them comes
 * back. */
static inline void naive_direct(struct naive *n)
{
    uint32_t by = naive_user(n), user = naive_user(n), groups = model_group_count(n->w.m);
    const struct group *g =
        by == user ? NULL : model_direct(n->w.m, model_user(n->w.m, by), model_user(n->w.m, user));

    if ((g == NULL && groups == n->groups_max) || world_direct(&n->w, by, user) != ERR_ok)
        return;
    uint32_t group = g != NULL ? g->number : groups + 1;
    uint32_t who = g == NULL || !naive_in(n->active[group], by) ? by : user;
    assert_false(naive_in(n->active[group], who));
    n->active[group] |= UINT64_C(1) << who;
    n->since[group][who] = n->w.cursor * 4;
    if (g == NULL) {
        n->active[group] |= UINT64_C(1) << user;
        n->since[group][user] = n->w.cursor * 4 + 1;
        n->owner[group] = by;
        n->role[group][by] = ROLE_OWNER;
    }
    struct naive_event e =
        naive_event_now(n, g == NULL ? EVENT_group_created : EVENT_member_added, group, who);
    e.by = by;
    naive_heard(n, e);
    naive_owner(n, group);
    g = model_group(n->w.m, group);
    assert_int_equal(g->kind, GROUP_DIRECT);
    assert_int_equal(g->members.count, 2);
}

/* Commits one random record, or two where the first is refused, and checks what is told. */
static inline void naive_step(struct naive *n)
{
    uint32_t groups = model_group_count(n->w.m), what = naive_below(n, 20);

    world_hush(&n->w);
    /* A clock that stands still, and one that was set back. */
    n->w.now -= 5 * (int64_t)naive_below(n, 4);
    if (groups == 0 || (what == 0 && groups < n->groups_max && naive_below(n, 2) == 0))
        naive_new_group(n);
    else if (what == 0 || (what == 1 && groups == n->groups_max))
        naive_direct(n);
    else if (!n->keep && naive_below(n, 30) == 0)
        naive_expire(n, 1 + naive_below(n, groups));
    else if (what < 4)
        naive_come_or_go(n, 1 + naive_below(n, groups));
    else if (what < 10)
        naive_post(n, 1 + naive_below(n, groups));
    else if (what < 16)
        naive_receipt(n, 1 + naive_below(n, groups));
    else if (what < 18)
        naive_role(n, 1 + naive_below(n, groups));
    else if (what < 19 || n->stay || n->keep || naive_below(n, 5) > 0)
        naive_settings(n, 1 + naive_below(n, groups));
    else
        naive_delete(n, 1 + naive_below(n, groups));
}

static inline void naive_init(struct naive *n, uint64_t seed, uint32_t users, uint32_t groups)
{
    *n = (struct naive){.random = seed, .users = users, .groups_max = groups};
    world_init(&n->w);
    world_users(&n->w, users);
}

/* ---- what a timeline gives ------------------------------------------------------------------- */

struct naive_list {
    struct naive_event events[NAIVE_MAX];
    uint32_t count;
};

/* What to ask for: all from the beginning, or what comes after a cursor and a time. */
struct naive_question {
    uint32_t user;
    bool all;
    uint64_t after;
    int64_t newer_than; /* INT64_MIN: any */
};

static inline bool naive_counts(const struct naive_question *q, const struct naive_mark *mark)
{
    return mark->cursor > q->after && mark->time > q->newer_than && naive_in(mark->seen, q->user);
}

static inline void naive_want_receipt(struct naive_list *out, const struct naive_mark *mark,
                                      uint32_t group, uint32_t reader, int kind, uint32_t seq)
{
    naive_add(out->events, &out->count,
              (struct naive_event){.cursor = mark->cursor,
                                   .time = mark->time,
                                   .type = kind == 1 ? EVENT_message_read : EVENT_message_delivered,
                                   .group = group,
                                   .user = reader,
                                   .seq = seq});
}

/* After a cursor: each mark once, with the newest own message below it. Where one change moved both
 * marks, read says it all, as it did live. */
static inline void naive_want_newest(const struct naive *n, const struct naive_question *q,
                                     uint32_t group, int kind, struct naive_list *out)
{
    for (uint32_t reader = 1; reader <= n->users; reader++) {
        const struct naive_mark *mark = &n->marks[group][reader][kind];
        uint32_t seq = reader == q->user ? (mark->seq > n->expired[group] ? mark->seq : 0)
                                         : naive_newest(n, group, q->user, 0, mark->seq);
        bool said = kind == 0 && mark->cursor == n->marks[group][reader][1].cursor;
        if (seq != 0 && !said && naive_counts(q, mark))
            naive_want_receipt(out, mark, group, reader, kind, seq);
    }
}

/* From the beginning: each own message with its newest receipt. */
static inline void naive_want_each(const struct naive *n, const struct naive_question *q,
                                   uint32_t group, int kind, struct naive_list *out)
{
    for (uint32_t seq = 1; seq <= n->posts[group]; seq++) {
        uint32_t best = 0;
        for (uint32_t reader = 1; reader <= n->users; reader++) {
            const struct naive_mark *mark = &n->marks[group][reader][kind];
            if (reader != q->user && mark->seq >= seq && naive_counts(q, mark) &&
                (best == 0 || mark->cursor > n->marks[group][best][kind].cursor))
                best = reader;
        }
        if (best != 0 && n->authors[group][seq] == q->user)
            naive_want_receipt(out, &n->marks[group][best][kind], group, best, kind, seq);
    }
}

/* The newest that was said of each member's role; of a group that changed hands the new owner's,
 * while it is there, says it all. */
static inline void naive_want_grants(const struct naive *n, const struct naive_question *q,
                                     uint32_t group, struct naive_list *out)
{
    for (uint32_t user = 1; user <= n->users; user++) {
        const struct naive_event *e = &n->grants[group][user];
        bool said = false;
        for (uint32_t other = 1; other <= n->users; other++)
            said |= e->role != ROLE_OWNER && n->grants[group][other].cursor == e->cursor &&
                    n->grants[group][other].role == ROLE_OWNER;
        if (!said && e->cursor > q->after && e->time > q->newer_than && naive_in(e->seen, q->user))
            naive_add(out->events, &out->count, *e);
    }
}

static inline int naive_order(const void *a, const void *b)
{
    const struct naive_event *x = a, *y = b;
    if (x->cursor != y->cursor)
        return x->cursor < y->cursor ? -1 : 1;
    if (x->type != y->type)
        return x->type < y->type ? -1 : 1;
    return x->seq > y->seq ? -1 : x->seq < y->seq ? 1 : 0;
}

/* What a round that starts now must give. */
static inline void naive_want(const struct naive *n, const struct naive_question *q,
                              struct naive_list *out)
{
    out->count = 0;
    for (uint32_t i = 0; i < n->event_count; i++) {
        const struct naive_event *e = &n->events[i];
        if (naive_in(e->seen, q->user) && e->cursor > q->after && e->time > q->newer_than &&
            !naive_is_gone(n, e))
            naive_add(out->events, &out->count, *e);
    }
    for (uint32_t group = 1; group <= n->groups_max; group++) {
        for (int kind = 0; kind < 2; kind++)
            (q->all ? naive_want_each : naive_want_newest)(n, q, group, kind, out);
        naive_want_grants(n, q, group, out);
        const struct naive_event *e = &n->notice[group];
        if (e->cursor > q->after && e->time > q->newer_than && naive_in(e->seen, q->user))
            naive_add(out->events, &out->count, *e);
    }
    qsort(out->events, out->count, sizeof *out->events, naive_order);
}

static inline void naive_assert_event(const struct naive *n, const struct event *got,
                                      const struct naive_event *want, uint32_t user)
{
    bool receipt = want->type == EVENT_message_delivered || want->type == EVENT_message_read;

    assert_int_equal(got->cursor, want->cursor);
    assert_int_equal(got->type, want->type);
    assert_int_equal(got->time, want->time);
    assert_ptr_equal(got->group, model_group(n->w.m, want->group));
    assert_ptr_equal(got->user, model_user(n->w.m, want->user));
    assert_ptr_equal(got->by, model_user(n->w.m, want->by));
    assert_ptr_equal(got->owner, model_user(n->w.m, want->owner));
    assert_int_equal(got->role, want->role);
    assert_ptr_equal(got->message, group_message(got->group, want->seq));
    assert_ptr_equal(got->to, receipt ? model_user(n->w.m, user) : NULL);
    assert_null(got->session);
}

#endif
