/*
 * Snapshots of models: random histories are saved and loaded, and the copy must be the model in all
 * that anybody can see, now and after everything that follows. Then what must be refused.
 */
#include "naive.h"

#include "base/varint.h"

#define SEEDS 60

/* ---- the same in all that can be seen ---------------------------------------------------------
 */

static uint32_t number_of(const struct user *u)
{
    return u != NULL ? u->number : 0;
}

static void assert_same_event(const struct event *a, const struct event *b)
{
    assert_int_equal(a->type, b->type);
    assert_int_equal(a->cursor, b->cursor);
    assert_int_equal(a->time, b->time);
    assert_int_equal(a->group->number, b->group->number);
    assert_int_equal(number_of(a->user), number_of(b->user));
    assert_int_equal(number_of(a->by), number_of(b->by));
    assert_int_equal(number_of(a->owner), number_of(b->owner));
    assert_int_equal(a->role, b->role);
    assert_int_equal(number_of(a->to), number_of(b->to));
    assert_int_equal(a->message != NULL, b->message != NULL);
    if (a->message != NULL && b->message != NULL)
        assert_true(uuid_equal(&a->message->id, &b->message->id));
}

/* Reads both to the end; frees them. */
static void assert_same_timeline(struct timeline *a, struct timeline *b)
{
    struct event x, y;

    while (timeline_next(a, &x)) {
        assert_true(timeline_next(b, &y));
        assert_same_event(&x, &y);
        assert_int_equal(timeline_position(a), timeline_position(b));
    }
    assert_false(timeline_next(b, &y));
    assert_int_equal(timeline_position(a), timeline_position(b));
    timeline_free(a);
    timeline_free(b);
}

static void assert_same_seen(const struct model *a, const struct model *b, uint64_t step)
{
    world_assert_same(a, b);
    for (uint32_t i = 1; i <= model_user_count(a); i++) {
        const struct user *u = model_user(a, i), *v = model_user(b, i);
        assert_same_timeline(timeline_new(a, u, 0, true), timeline_new(b, v, 0, true));
        for (uint64_t after = 0; after <= model_cursor(a); after += step)
            assert_same_timeline(timeline_new(a, u, after, false),
                                 timeline_new(b, v, after, false));
        for (int64_t time = 990; time <= model_time(a); time += 50)
            assert_same_timeline(timeline_new_since(a, u, time), timeline_new_since(b, v, time));
    }
}

/* Commits what `w` got from record number `from` on to `m`, which told the same when it came. */
static void follow(const struct world *w, uint32_t from, struct model *m)
{
    for (uint32_t i = from; i < w->count; i++) {
        const struct world_record *r = &w->records[i];
        struct bytes payload = bytes_of(w->payloads.p + r->at, r->len);
        assert_int_equal(model_commit(m, r->cursor, r->type, payload, NULL), r->err);
    }
}

/* Sessions and client_ids, which naive.h has not. */
static void more(struct naive *n)
{
    struct world *w = &n->w;
    struct record r = world_session_record(w, naive_user(n));
    char client_id[] = "a", data[] = "x";

    r.session_create.sessions_max = naive_below(n, 4);
    r.session_create.name = bytes_of("a name", naive_below(n, 7));
    if (naive_below(n, 3) == 0)
        assert_int_equal(world_commit(w, &r), ERR_ok);
    if (model_group_count(w->m) == 0)
        return;
    client_id[0] = (char)('a' + naive_below(n, 26));
    data[0] = (char)('x' + naive_below(n, 2));
    uint32_t group = 1 + naive_below(n, model_group_count(w->m));
    r = world_post_record(w, group, naive_user(n), client_id, data);
    enum err err = world_commit(w, &r);
    assert_true(err == ERR_ok || err == ERR_duplicate || err == ERR_client_id_reused ||
                err == ERR_not_a_member || err == ERR_group_not_found);
}

static void play(struct naive *n, uint32_t steps)
{
    for (uint32_t i = 0; i < steps; i++) {
        /* naive.h wants to know of every message, so these come behind what it checks. */
        naive_step(n);
    }
}

static void play_more(struct naive *n, uint32_t steps)
{
    for (uint32_t i = 0; i < steps; i++)
        more(n);
}

static void test_copy_sees_the_same(void **state)
{
    static struct naive n;
    (void)state;
    for (uint64_t seed = 1; seed <= SEEDS; seed++) {
        naive_init(&n, 5000 + seed, 2 + (uint32_t)seed % 5, 1 + (uint32_t)seed % 4);
        play(&n, 10 + 2 * (uint32_t)seed);
        struct model *copy = saved_copy(n.w.m);
        assert_non_null(copy);
        assert_same_seen(n.w.m, copy, 1);

        /* Both go on, and a copy of the copy. */
        struct model *second = saved_copy(copy);
        assert_non_null(second);
        uint32_t from = n.w.count;
        play(&n, 60);
        play_more(&n, 40);
        follow(&n.w, from, copy);
        follow(&n.w, from, second);
        assert_same_seen(n.w.m, copy, 3);
        assert_same_seen(n.w.m, second, 7);
        model_free(copy);
        model_free(second);
        world_prove(&n.w);
        world_release(&n.w);
    }
}

/* After each record of a history: what the copy of that moment makes of the rest is the whole. */
static void test_every_moment(void **state)
{
    static struct naive n;
    (void)state;
    naive_init(&n, 9, 4, 3);
    play(&n, 40);
    play_more(&n, 60);
    for (uint32_t count = 0; count <= n.w.count; count++) {
        struct model *m = world_replay(&n.w, count);
        if (model_cursor(m) > 0) {
            struct model *copy = saved_copy(m);
            assert_non_null(copy);
            model_free(m);
            m = copy;
        }
        follow(&n.w, count, m);
        world_assert_same(n.w.m, m);
        model_free(m);
    }
    world_release(&n.w);
}

/* Lists longer than a record, a message longer than any record, times and builds at their ends. */
static void test_large(void **state)
{
    struct world *w = *state;
    struct saved s;
    size_t large = 3 * SAVE_RECORD_BYTES;
    uint8_t *text = xmalloc(large);

    w->unproven = true;
    world_users(w, 3);
    struct record r = world_session_record(w, 2);
    r.session_create.build = UINT32_MAX;
    r.session_create.device_id = r.session_create.name = BYTES("");
    r.session_create.model = bytes_of(text, 300);
    memset(text, 'm', large);
    assert_int_equal(world_commit(w, &r), ERR_ok);
    world_group(w, 1, WORLD_U32S(1, 2, 3));
    for (int i = 0; i < 4000; i++)
        world_post(w, 1, 1 + (uint32_t)i % 2, "a text of some length");
    r = world_post_record(w, 1, 3, "", "");
    r.message_post.data = bytes_of(text, large);
    r.message_post.time = MODEL_TIME_MAX;
    assert_int_equal(world_commit(w, &r), ERR_ok);
    world_post(w, 1, 1, "");
    for (int i = 0; i < 12000; i++) {
        assert_int_equal(world_remove(w, 1, 3, 3), ERR_ok);
        assert_int_equal(world_add(w, 1, 3, 3), ERR_ok);
    }
    saved_of(&s, w->m);
    uint32_t counts[SAVED_messages + 1] = {0};
    for (uint32_t i = 0; i < s.count; i++) {
        assert_in_range(s.records[i].type, SAVED_head, SAVED_messages);
        counts[s.records[i].type]++;
        assert_true(s.records[i].len <= SAVE_RECORD_BYTES + large + 64);
    }
    assert_true(counts[SAVED_messages] > 2);
    assert_true(counts[SAVED_changes] > 1);
    assert_int_equal(counts[SAVED_head], 1);
    saved_release(&s);
    free(text);
}

/* A model that was reset takes another snapshot, or begins anew. */
static void test_reset(void **state)
{
    struct world *w = *state;
    struct saved s;
    struct model *m = model_new();

    world_users(w, 2);
    world_group(w, 1, WORLD_U32S(1, 2));
    world_post(w, 1, 2, "hello");
    saved_of(&s, w->m);
    for (uint32_t stop = 0; stop <= s.count; stop++) {
        for (uint32_t i = 0; i < stop; i++)
            assert_true(saved_load_one(&s, i, m));
        model_reset(m);
        assert_int_equal(model_user_count(m), 0);
        assert_int_equal(model_cursor(m), 0);
    }
    assert_true(saved_load(&s, m, model_cursor(w->m)));
    world_assert_same(w->m, m);
    model_reset(m);
    follow(w, 0, m);
    world_assert_same(w->m, m);
    model_free(m);
    saved_release(&s);
}

/* ---- what must be refused ---------------------------------------------------------------------
 */

static void rich_hooks(struct world *w)
{
    struct record r = world_hook_record(w, "http://h/1");
    r.hook_create.after = 7;
    assert_int_equal(world_commit(w, &r), ERR_ok);
    r = world_hook_record(w, "http://h/2");
    r.hook_create.after = 9;
    assert_int_equal(world_commit(w, &r), ERR_ok);
    assert_int_equal(world_hook_progress(w, r.hook_create.id, w->cursor), ERR_ok);
    r = world_hook_update_record(w, r.hook_create.id);
    assert_int_equal(world_commit(w, &r), ERR_ok);
    r = world_hook_record(w, "http://h/3");
    assert_int_equal(world_commit(w, &r), ERR_ok);
}

/* A history in which every list of saved.def has something. */
static void rich(struct world *w)
{
    world_users(w, 3);
    struct record r = world_session_record(w, 1);
    assert_int_equal(world_commit(w, &r), ERR_ok);
    r = world_session_record(w, 1);
    assert_int_equal(world_commit(w, &r), ERR_ok);
    world_group(w, 1, WORLD_U32S(1, 2));
    world_group(w, 2, WORLD_U32S(2));
    assert_int_equal(world_add(w, 2, 1, 2), ERR_ok);
    assert_int_equal(world_add(w, 1, 3, 1), ERR_ok);
    world_post(w, 1, 3, "first");
    r = world_post_record(w, 1, 1, "c1", "second");
    assert_int_equal(world_commit(w, &r), ERR_ok);
    assert_int_equal(world_mark(w, 1, 2, 1, WORLD_READ), ERR_ok);
    assert_int_equal(world_mark(w, 1, 3, 2, WORLD_DELIVERED), ERR_ok);
    /* One bit makes 2 read of 3 delivered to 6 of 7 that there are. */
    for (int i = 0; i < 5; i++)
        world_post(w, 1, 1, "more");
    assert_int_equal(world_mark(w, 1, 1, 2, WORLD_READ), ERR_ok);
    assert_int_equal(world_mark(w, 1, 1, 3, WORLD_DELIVERED), ERR_ok);
    assert_int_equal(world_remove(w, 1, 2, 1), ERR_ok);
    assert_int_equal(world_add(w, 1, 2, 1), ERR_ok);
    assert_int_equal(world_remove(w, 1, 3, 3), ERR_ok);
    world_post(w, 2, 1, "third");
    /* Two grants with one cursor, one of their own; the ownership passes on twice. */
    assert_int_equal(world_add(w, 1, 3, 1), ERR_ok);
    assert_int_equal(world_role(w, 1, 3, 1, ROLE_ADMIN), ERR_ok);
    assert_int_equal(world_role(w, 1, 2, 1, ROLE_OWNER), ERR_ok);
    assert_int_equal(world_leave(w, 1, 2, 2), ERR_ok);
    assert_int_equal(world_add(w, 1, 2, 1), ERR_ok);
    assert_int_equal(world_leave(w, 1, 1, 1), ERR_ok);
    assert_int_equal(world_role(w, 1, 2, 3, ROLE_OWNER), ERR_ok);
    /* Settings as they were made, settings that were changed, and the end. */
    r = world_make_record(w, 3, WORLD_U32S(3, 1), JOIN_OPEN, HISTORY_ALL);
    assert_int_equal(world_commit(w, &r), ERR_ok);
    assert_int_equal(world_update(w, 2, 2, SETTING_NAME | SETTING_HISTORY,
                                  (struct settings){BYTES("now"), JOIN_MEMBERS, HISTORY_ALL}),
                     ERR_ok);
    /* The first message is gone; another group has lost all it had, its newest record among them.
     */
    assert_int_equal(world_expire(w, 1, 1), ERR_ok);
    assert_int_equal(world_retention(w, 1, 2, 30), ERR_ok);
    world_group(w, 1, WORLD_U32S(1));
    world_post(w, 4, 1, "fourth");
    assert_int_equal(world_expire(w, 4, 1), ERR_ok);
    world_group(w, 1, WORLD_U32S(1, 2, 3));
    assert_int_equal(world_leave(w, 5, 3, 3), ERR_ok);
    assert_int_equal(world_add(w, 5, 3, 1), ERR_ok);
    assert_int_equal(world_leave(w, 5, 2, 2), ERR_ok);
    world_post(w, 5, 1, "over");
    assert_int_equal(world_mark(w, 5, 3, 1, WORLD_READ), ERR_ok);
    assert_int_equal(world_delete(w, 5, 1), ERR_ok);
    assert_int_equal(world_direct(w, 3, 1), ERR_ok);
    assert_int_equal(world_direct(w, 2, 1), ERR_ok);
    assert_int_equal(world_leave(w, 7, 2, 2), ERR_ok);
    assert_int_equal(world_direct(w, 1, 2), ERR_ok);
    world_app_user(w, "7", "dora");
    world_app_user(w, "8", "emma");
    assert_int_equal(world_rename(w, 4, "Dorothea", "dorothea"), ERR_ok);
    r = world_profile_record(w, 3, 0);
    r.user_update.fields = PROFILE_ALL;
    r.user_update.display_name = BYTES("Carla C.");
    r.user_update.email = r.user_update.email_key = BYTES("new@b");
    r.user_update.password = BYTES("$another$");
    assert_int_equal(world_commit(w, &r), ERR_ok);
    r = world_open_record(w, 3, 1);
    assert_int_equal(world_commit(w, &r), ERR_ok);
    r = world_profile_record(w, 5, 0);
    r.user_update.fields = PROFILE_NAME;
    r.user_update.display_name = BYTES("Emma E.");
    assert_int_equal(world_commit(w, &r), ERR_ok);
    /* One who has gone and one who is going, both with something in a group. */
    world_user(w, "frida");
    world_user(w, "greta");
    assert_int_equal(world_block(w, 5, 3, false), ERR_ok);
    assert_int_equal(world_block(w, 5, 7, false), ERR_ok);
    world_group(w, 1, WORLD_U32S(1, 6, 7));
    world_post(w, 8, 6, "mine");
    world_post(w, 8, 7, "mine too");
    assert_int_equal(world_forget(w, 6, 0), ERR_ok);
    assert_int_equal(world_leave(w, 8, 6, 6), ERR_ok);
    assert_int_equal(world_erase_message(w, 8, 1), ERR_ok);
    assert_int_equal(world_erased(w, 6), ERR_ok);
    assert_int_equal(world_forget(w, 7, 0), ERR_ok);
    rich_hooks(w);
    assert_int_equal(world_renew(w, world_uuid(9)), ERR_ok);
}

/* What stands behind another user is that user's, which is another sound state: would changing
 * places with the next record do that? */
static bool goes_to_another(const struct saved *s, uint32_t i)
{
    enum saved_type this = s->records[i].type;
    enum saved_type next = s->records[i + 1].type;

    if (next == SAVED_user)
        return this == SAVED_session || this == SAVED_profile;
    if (this == SAVED_hook || this == SAVED_hook_secret)
        return next != this && s->records[i - 1].type == SAVED_hook;
    return this == SAVED_user && next == SAVED_profile && s->records[i - 1].type == SAVED_user;
}

/* What was done to messages, a secret of before, and the epoch: only the file, whose hash sees it.
 */
static bool counted_by_nobody(enum saved_type type)
{
    return type == SAVED_amendments || type == SAVED_hook_secret || type == SAVED_epoch;
}

/* Without one record, with one of them twice, with two of them in the other order: never the state
 * that was saved, and where it is taken at all, a sound one. */
static void test_records_missing_or_moved(void **state)
{
    struct world *w = *state;
    struct saved s;

    rich(w);
    saved_of(&s, w->m);
    for (uint32_t i = 0; i < s.count; i++) {
        struct saved_record kept = s.records[i];
        struct saved t = s;
        for (int how = 0; how < 3; how++) {
            struct saved_record *list = xcalloc(s.count + 1, sizeof *list);
            uint32_t count = 0;
            for (uint32_t k = 0; k < s.count; k++) {
                if (k == i && how == 0)
                    continue; /* missing */
                list[count++] = s.records[k];
                if (k == i && how == 1)
                    list[count++] = kept; /* twice */
            }
            if (how == 2 && i + 1 < s.count) {
                list[i] = s.records[i + 1];
                list[i + 1] = kept;
            }
            t.records = list;
            t.count = count;
            struct model *m = model_new();
            bool same = how == 2 && i + 1 == s.count;
            bool other = how == 2 && !same && goes_to_another(&s, i);
            other |= how == 0 && counted_by_nobody(s.records[i].type);
            bool taken = saved_load(&t, m, model_cursor(w->m));
            assert_int_equal(taken, same || other);
            if (taken)
                model_verify(m);
            model_free(m);
            free(list);
        }
    }
    saved_release(&s);
}

/* Each record cut at each byte, with a byte more, and each bit turned round. */
static void test_every_bit(void **state)
{
    struct world *w = *state;
    struct saved s;
    uint32_t taken = 0, refused = 0;

    rich(w);
    saved_of(&s, w->m);
    for (size_t bit = 0; bit < 8 * s.bytes.len; bit++) {
        struct model *m = model_new();
        s.bytes.p[bit / 8] ^= (uint8_t)(1 << bit % 8);
        if (saved_load(&s, m, model_cursor(w->m))) {
            model_verify(m);
            taken++;
        } else {
            refused++;
        }
        s.bytes.p[bit / 8] ^= (uint8_t)(1 << bit % 8);
        model_free(m);
    }
    /* A changed letter of a text is for the hash of the file to find, not for the model. */
    assert_true(refused > 0 && taken > 0);
    for (uint32_t i = 0; i < s.count; i++) {
        size_t len = s.records[i].len;
        bool open_end = s.records[i].type == SAVED_session || s.records[i].type == SAVED_group ||
                        s.records[i].type == SAVED_extra || s.records[i].type == SAVED_profile ||
                        s.records[i].type == SAVED_hook || s.records[i].type == SAVED_hook_secret;
        for (size_t cut = 0; cut <= len + 1; cut++) {
            s.records[i].len = cut;
            if (s.records[i].at + cut > s.bytes.len || cut == len)
                continue;
            struct model *m = model_new();
            bool ok = saved_load(&s, m, model_cursor(w->m));
            assert_true(!ok || open_end);
            if (ok)
                model_verify(m);
            model_free(m);
        }
        s.records[i].len = len;
    }
    saved_release(&s);
}

/* The id of one thing given to another of its kind, wherever it stands. */
static void test_same_ids(void **state)
{
    struct world *w = *state;
    struct saved s;
    struct model *m = model_new();

    rich(w);
    saved_of(&s, w->m);
    for (int kind = SAVED_user; kind <= SAVED_group; kind++) {
        uint8_t *ids[2] = {NULL, NULL};
        for (uint32_t i = 0; i < s.count; i++) {
            if (s.records[i].type != kind)
                continue;
            ids[0] = ids[1];
            ids[1] = s.bytes.p + s.records[i].at;
        }
        assert_non_null(ids[0]);
        uint8_t kept[16];
        memcpy(kept, ids[1], sizeof kept);
        memcpy(ids[1], ids[0], sizeof kept);
        assert_false(saved_load(&s, m, model_cursor(w->m)));
        model_reset(m);
        memcpy(ids[1], kept, sizeof kept);
    }
    assert_true(saved_load(&s, m, model_cursor(w->m)));
    model_free(m);
    saved_release(&s);
}

static bool known(uint32_t type)
{
    switch ((enum saved_type)type) {
#define SAVED(number, name) case SAVED_##name:
#include "model/saved.def"
#undef SAVED
        return true;
    }
    return false;
}

static void test_types(void **state)
{
    struct model *m = model_new();
    (void)state;
    for (uint32_t type = 0; type <= UINT16_MAX; type++) {
        if (type != SAVED_head)
            assert_false(model_load(m, (uint16_t)type, BYTES("\1\1\1\1\1\1\1\1")));
        assert_int_equal(saved_name((uint16_t)type) != NULL, known(type));
    }
    assert_false(model_loaded(m, 0));
    assert_string_equal(saved_name(SAVED_by_mark), "by_mark");
    /* Counts that no memory holds. */
    struct buf head = {0};
    buf_add_varint(&head, 5);
    buf_add_varint(&head, 5);
    for (int i = 0; i < 6; i++)
        buf_add_varint(&head, i == 0 || i == 2 ? UINT32_MAX - 2 : UINT64_MAX);
    assert_true(model_load(m, SAVED_head, buf_bytes(&head)));
    assert_false(model_load(m, SAVED_head, buf_bytes(&head)));
    assert_false(model_loaded(m, 5));
    buf_release(&head);
    model_free(m);
}

/* The state of another record than the snapshot's name says. */
static void test_another_cursor(void **state)
{
    struct world *w = *state;
    struct saved s;

    rich(w);
    saved_of(&s, w->m);
    for (int off = -1; off <= 1; off++) {
        struct model *m = model_new();
        assert_int_equal(saved_load(&s, m, model_cursor(w->m) + (uint64_t)off), off == 0);
        model_free(m);
    }
    saved_release(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_copy_sees_the_same),
        cmocka_unit_test(test_every_moment),
        WORLD_TEST(test_large),
        WORLD_TEST(test_reset),
        WORLD_TEST(test_records_missing_or_moved),
        WORLD_TEST(test_every_bit),
        WORLD_TEST(test_same_ids),
        cmocka_unit_test(test_types),
        WORLD_TEST(test_another_cursor),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
