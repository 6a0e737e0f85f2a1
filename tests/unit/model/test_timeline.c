/*
 * The timeline against an oracle, over random histories (naive.h says what must come), and a few
 * histories by hand.
 */
#include "naive.h"

#define SEEDS 120

/* The timeline gives exactly what is wanted, and then is where the model is. */
static void assert_gives(const struct naive *n, struct timeline *t, const struct naive_question *q)
{
    static struct naive_list want;
    struct event e;

    naive_want(n, q, &want);
    for (uint32_t i = 0; i < want.count; i++) {
        assert_true(timeline_next(t, &e));
        naive_assert_event(n, &e, &want.events[i], q->user);
        uint64_t next = i + 1 < want.count ? want.events[i + 1].cursor : n->w.cursor + 1;
        assert_in_range(timeline_position(t), next > e.cursor ? e.cursor : e.cursor - 1, next - 1);
    }
    for (int i = 0; i < 2; i++) {
        assert_false(timeline_next(t, &e));
        assert_int_equal(timeline_position(t), n->w.cursor);
    }
    timeline_free(t);
}

/* ---- at rest --------------------------------------------------------------------------------- */

static void check_every_cursor(const struct naive *n, uint32_t user)
{
    const struct user *u = model_user(n->w.m, user);
    struct naive_question q = {.user = user, .all = true, .newer_than = INT64_MIN};

    assert_gives(n, timeline_new(n->w.m, u, 0, true), &q);
    q.all = false;
    for (q.after = 0; q.after <= n->w.cursor; q.after++)
        assert_gives(n, timeline_new(n->w.m, u, q.after, false), &q);
}

static void check_every_time(const struct naive *n, uint32_t user)
{
    const struct user *u = model_user(n->w.m, user);
    struct naive_question q = {.user = user};

    for (q.newer_than = 900; q.newer_than <= model_time(n->w.m) + 10; q.newer_than += 5)
        assert_gives(n, timeline_new_since(n->w.m, u, q.newer_than), &q);
    q.newer_than = INT64_MIN;
    assert_gives(n, timeline_new_since(n->w.m, u, INT64_MIN), &q);
    q.newer_than = INT64_MAX;
    assert_gives(n, timeline_new_since(n->w.m, u, INT64_MAX), &q);
}

static void play(struct naive *n, uint32_t steps)
{
    for (uint32_t i = 0; i < steps; i++)
        naive_step(n);
}

static void test_every_cursor_and_time(void **state)
{
    static struct naive n;
    (void)state;
    for (uint64_t seed = 1; seed <= SEEDS; seed++) {
        naive_init(&n, seed, 2 + (uint32_t)seed % 5, 1 + (uint32_t)seed % 4);
        play(&n, 150);
        for (uint32_t user = 1; user <= n.users; user++) {
            check_every_cursor(&n, user);
            check_every_time(&n, user);
        }
        world_prove(&n.w);
        world_release(&n.w);
    }
}

/* A long history in one small group: marks jump over more messages than there are members. */
static void test_long_history(void **state)
{
    static struct naive n;
    (void)state;
    naive_init(&n, 77, 3, 1);
    n.keep = true;
    play(&n, 1500);
    assert_true(n.posts[1] > 200);
    for (uint32_t user = 1; user <= n.users; user++) {
        struct naive_question q = {.user = user, .all = true, .newer_than = INT64_MIN};
        assert_gives(&n, timeline_new(n.w.m, model_user(n.w.m, user), 0, true), &q);
        q.all = false;
        for (q.after = 0; q.after <= n.w.cursor; q.after += 97)
            assert_gives(&n, timeline_new(n.w.m, model_user(n.w.m, user), q.after, false), &q);
    }
    world_prove(&n.w);
    world_release(&n.w);
}

/* ---- while others commit --------------------------------------------------------------------- */

/* A reader of pieces, who knows what each round must give. */
struct reader {
    struct timeline *t;
    struct naive_question q; /* of the next round */
    struct naive_list want;  /* what is left of this one, from `at` on */
    uint32_t at;
    uint64_t horizon;
};

/* Reads one event; false at the end, where the timeline is where the model is. */
static bool read_one(const struct naive *n, struct reader *r)
{
    struct event e;

    for (;;) {
        /* What expires meanwhile does not come any more. */
        while (r->at < r->want.count && naive_is_stale(n, &r->want.events[r->at]))
            r->at++;
        if (r->at < r->want.count || r->q.after >= n->w.cursor)
            break;
        naive_want(n, &r->q, &r->want);
        r->at = 0;
        r->q = (struct naive_question){
            .user = r->q.user, .after = n->w.cursor, .newer_than = INT64_MIN};
    }
    if (r->at == r->want.count) {
        assert_false(timeline_next(r->t, &e));
        assert_int_equal(timeline_position(r->t), n->w.cursor);
        return false;
    }
    assert_true(timeline_next(r->t, &e));
    naive_assert_event(n, &e, &r->want.events[r->at++], r->q.user);
    return true;
}

static void read_while_others_commit(struct naive *n, struct reader *r)
{
    uint32_t ends = 0;

    for (int i = 0; i < 60; i++) {
        play(n, naive_below(n, 4));
        for (uint32_t k = naive_below(n, 8); k > 0; k--)
            ends += !read_one(n, r);
    }
    while (read_one(n, r))
        ;
    timeline_free(r->t);
}

static void test_in_pieces(void **state)
{
    static struct naive n;
    static struct reader r;
    (void)state;
    for (uint64_t seed = 1; seed <= SEEDS; seed++) {
        naive_init(&n, 1000 + seed, 2 + (uint32_t)seed % 5, 1 + (uint32_t)seed % 4);
        play(&n, 60);
        for (uint32_t user = 1; user <= n.users; user++) {
            const struct user *u = model_user(n.w.m, user);
            r = (struct reader){.q = {.user = user, .newer_than = INT64_MIN}};
            if (user % 3 == 0) {
                r.q.all = true;
                r.t = timeline_new(n.w.m, u, 0, true);
            } else if (user % 3 == 1) {
                r.q.after = naive_below(&n, (uint32_t)n.w.cursor + 1);
                r.t = timeline_new(n.w.m, u, r.q.after, false);
            } else {
                /* Also a time that is still to come: what is new since the question counts. */
                r.q.newer_than = 1000 + naive_below(&n, (uint32_t)model_time(n.w.m));
                r.t = timeline_new_since(n.w.m, u, r.q.newer_than);
                naive_want(&n, &r.q, &r.want);
                r.q = (struct naive_question){
                    .user = user, .after = n.w.cursor, .newer_than = INT64_MIN};
                struct event e;
                if (r.want.count > 0) {
                    assert_true(timeline_next(r.t, &e));
                    naive_assert_event(&n, &e, &r.want.events[r.at++], user);
                } else {
                    assert_false(timeline_next(r.t, &e));
                }
            }
            read_while_others_commit(&n, &r);
        }
        world_prove(&n.w);
        world_release(&n.w);
    }
}

/* ---- live and catching up are the same ------------------------------------------------------- */

/* The newest own message of `user` in the group that they know to be delivered to, or read by,
 * each reader. */
struct knowledge {
    uint32_t seq[NAIVE_GROUPS][NAIVE_USERS][2];
};

/* Read implies delivered. */
static void learn(struct knowledge *k, enum event_type type, uint32_t group, uint32_t reader,
                  uint32_t seq)
{
    uint32_t *known = k->seq[group][reader];
    if (seq > known[0])
        known[0] = seq;
    if (type == EVENT_message_read && seq > known[1])
        known[1] = seq;
}

static void learn_live(const struct naive *n, struct knowledge *k, uint32_t user, uint64_t until)
{
    *k = (struct knowledge){0};
    for (uint32_t i = 0; i < n->receipt_count && n->receipts[i].cursor <= until; i++) {
        const struct naive_event *e = &n->receipts[i];
        if (naive_in(e->seen, user))
            learn(k, e->type, e->group, e->user, e->seq);
    }
}

/* Who was there until `after` and resumes knows what they would know who was there all the time. */
static void check_resume(const struct naive *n, uint32_t user, uint64_t after)
{
    static struct knowledge live, resumed;
    struct event e;
    struct timeline *t = timeline_new(n->w.m, model_user(n->w.m, user), after, false);

    learn_live(n, &live, user, UINT64_MAX);
    learn_live(n, &resumed, user, after);
    while (timeline_next(t, &e)) {
        if (e.type == EVENT_message_delivered || e.type == EVENT_message_read)
            learn(&resumed, e.type, e.group->number, e.user->number, e.message->seq);
    }
    assert_memory_equal(&live, &resumed, sizeof live);
    timeline_free(t);
}

static void test_resuming_knows_what_live_knew(void **state)
{
    static struct naive n;
    (void)state;
    for (uint64_t seed = 1; seed <= SEEDS; seed++) {
        naive_init(&n, 2000 + seed, 2 + (uint32_t)seed % 5, 1 + (uint32_t)seed % 4);
        n.stay = true;
        n.keep = true;
        play(&n, 150);
        for (uint32_t user = 1; user <= n.users; user++) {
            for (uint64_t after = 0; after <= n.w.cursor; after++)
                check_resume(&n, user, after);
        }
        world_release(&n.w);
    }
}

/* ---- by hand --------------------------------------------------------------------------------- */

static void assert_next(struct timeline *t, enum event_type type, uint64_t cursor, uint32_t user,
                        uint32_t seq)
{
    struct event e;
    assert_true(timeline_next(t, &e));
    assert_int_equal(e.type, type);
    assert_int_equal(e.cursor, cursor);
    assert_int_equal(e.user->number, user);
    assert_int_equal(e.message != NULL ? e.message->seq : 0, seq);
}

static void assert_end(struct timeline *t, const struct world *w)
{
    struct event e;
    assert_false(timeline_next(t, &e));
    assert_int_equal(timeline_position(t), w->cursor);
    timeline_free(t);
}

static void test_nothing(void **state)
{
    struct world *w = *state;
    world_users(w, 2);
    struct timeline *t = timeline_new(w->m, model_user(w->m, 1), 0, true);
    assert_int_equal(timeline_position(t), 0);
    assert_end(t, w);
    world_group(w, 2, WORLD_U32S(2));
    world_post(w, 1, 2, "x");
    assert_end(timeline_new(w->m, model_user(w->m, 1), 0, true), w);
    assert_end(timeline_new(w->m, model_user(w->m, 1), w->cursor, false), w);
    timeline_free(timeline_new(w->m, model_user(w->m, 2), 0, true));
    timeline_free(NULL);
}

/* Messages 1, 3, 5 are Anna's (1). Carla (3) reads up to 5, later Berta (2) up to 3. */
static void test_staircase(void **state)
{
    struct world *w = *state;
    world_users(w, 3);
    world_group(w, 1, WORLD_U32S(1, 2, 3)); /* 4 */
    for (uint32_t i = 0; i < 5; i++)        /* 5 to 9 */
        world_post(w, 1, 1 + i % 2, "x");
    assert_int_equal(world_mark(w, 1, 3, 5, WORLD_DELIVERED), ERR_ok); /* 10 */
    assert_int_equal(world_mark(w, 1, 3, 5, WORLD_READ), ERR_ok);      /* 11 */
    assert_int_equal(world_mark(w, 1, 2, 3, WORLD_READ), ERR_ok);      /* 12 */

    struct timeline *t = timeline_new(w->m, model_user(w->m, 1), 0, true);
    assert_next(t, EVENT_group_created, 4, 1, 0);
    for (uint32_t i = 0; i < 5; i++)
        assert_next(t, EVENT_message_posted, 5 + i, 1 + i % 2, 1 + i);
    assert_next(t, EVENT_message_delivered, 10, 3, 5);
    assert_next(t, EVENT_message_read, 11, 3, 5);
    assert_next(t, EVENT_message_delivered, 12, 2, 3);
    assert_next(t, EVENT_message_delivered, 12, 2, 1);
    assert_next(t, EVENT_message_read, 12, 2, 3);
    assert_next(t, EVENT_message_read, 12, 2, 1);
    assert_end(t, w);

    t = timeline_new(w->m, model_user(w->m, 1), 9, false);
    assert_next(t, EVENT_message_delivered, 10, 3, 5);
    assert_next(t, EVENT_message_read, 11, 3, 5);
    assert_next(t, EVENT_message_read, 12, 2, 3);
    assert_end(t, w);
}

/* The time in between is not theirs, on any side of it. */
static void test_leave_and_return(void **state)
{
    struct world *w = *state;
    world_users(w, 2);
    world_group(w, 1, WORLD_U32S(1, 2));                /* 3 */
    world_post(w, 1, 2, "x");                           /* 4 */
    assert_int_equal(world_remove(w, 1, 2, 2), ERR_ok); /* 5 */
    world_post(w, 1, 1, "unseen");                      /* 6 */
    assert_int_equal(world_mark(w, 1, 1, 2, WORLD_READ), ERR_ok);
    assert_int_equal(world_add(w, 1, 2, 2), ERR_ok); /* 8 */
    world_post(w, 1, 1, "x");                        /* 9 */

    struct timeline *t = timeline_new(w->m, model_user(w->m, 2), 0, true);
    assert_next(t, EVENT_group_created, 3, 1, 0);
    assert_next(t, EVENT_message_posted, 4, 2, 1);
    assert_next(t, EVENT_member_removed, 5, 2, 0);
    assert_int_equal(timeline_position(t), 7);
    assert_next(t, EVENT_member_added, 8, 2, 0);
    assert_next(t, EVENT_message_posted, 9, 1, 3);
    assert_end(t, w);
}

/* A time to come leaves out what there is, receipts included, and nothing that comes later. */
static void test_since_a_time_to_come(void **state)
{
    struct world *w = *state;
    world_users(w, 2);
    world_group(w, 1, WORLD_U32S(1, 2));
    world_post(w, 1, 1, "x");
    world_post(w, 1, 1, "x");
    assert_int_equal(world_mark(w, 1, 2, 1, WORLD_DELIVERED), ERR_ok);
    struct timeline *t = timeline_new_since(w->m, model_user(w->m, 1), INT64_MAX);
    struct event e;
    assert_false(timeline_next(t, &e));
    assert_int_equal(world_mark(w, 1, 2, 2, WORLD_DELIVERED), ERR_ok);
    assert_next(t, EVENT_message_delivered, w->cursor, 2, 2);
    assert_end(t, w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_cursor_and_time),
        cmocka_unit_test(test_long_history),
        cmocka_unit_test(test_in_pieces),
        cmocka_unit_test(test_resuming_knows_what_live_knew),
        WORLD_TEST(test_nothing),
        WORLD_TEST(test_staircase),
        WORLD_TEST(test_leave_and_return),
        WORLD_TEST(test_since_a_time_to_come),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
