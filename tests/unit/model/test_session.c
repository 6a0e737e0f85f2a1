#include "world.h"

static const struct session *created(const struct world *w, const struct record *r)
{
    return model_session_by_id(w->m, &r->session_create.id);
}

static void test_fields_are_kept(void **state)
{
    struct world *w = *state;
    uint32_t anna = world_user(w, "anna");
    struct record r = world_session_record(w, anna);
    assert_int_equal(world_commit(w, &r), ERR_ok);

    const struct session *s = created(w, &r);
    assert_non_null(s);
    assert_ptr_equal(model_session_by_token(w->m, &r.session_create.token), s);
    assert_ptr_equal(s->user, model_user(w->m, anna));
    assert_int_equal(s->created_at, 1010);
    assert_int_equal(s->build, 7);
    assert_int_equal(s->platform, PLATFORM_ANDROID);
    assert_int_equal(s->annotation, 0);
    assert_true(bytes_equal(bytes_of(s->texts, s->device_id_len), BYTES("device")));
    assert_true(bytes_equal(bytes_of(s->texts + s->device_id_len, s->model_len), BYTES("a model")));
    assert_true(bytes_equal(bytes_of(s->texts + s->device_id_len + s->model_len, s->name_len),
                            BYTES("a name")));
    assert_int_equal(w->told_count, 0);
}

/* A record that ends all sessions but none would leave this one. */
static void test_an_id_of_zeros_is_none(void **state)
{
    struct world *w = *state;
    struct record r = world_session_record(w, world_user(w, "anna"));
    r.session_create.id = (struct uuid){0};
    assert_int_equal(world_commit(w, &r), ERR_refused);
}

static void test_texts_may_be_empty(void **state)
{
    struct world *w = *state;
    struct record r = world_session_record(w, world_user(w, "anna"));
    r.session_create.device_id = r.session_create.model = r.session_create.name = BYTES("");
    assert_int_equal(world_commit(w, &r), ERR_ok);
    const struct session *s = created(w, &r);
    assert_int_equal(s->device_id_len + s->model_len + s->name_len, 0);
}

static void test_newest_first(void **state)
{
    struct world *w = *state;
    uint32_t anna = world_user(w, "anna");
    struct record r[3];
    for (int i = 0; i < 3; i++) {
        r[i] = world_session_record(w, anna);
        assert_int_equal(world_commit(w, &r[i]), ERR_ok);
    }
    const struct session *at = model_user(w->m, anna)->sessions;
    for (int i = 2; i >= 0; i--, at = at->next)
        assert_ptr_equal(at, created(w, &r[i]));
    assert_null(at);
    assert_int_equal(model_user(w->m, anna)->session_count, 3);
}

static void test_replaced_session_ends(void **state)
{
    struct world *w = *state;
    uint32_t anna = world_user(w, "anna");
    struct record r[4];
    for (int i = 0; i < 4; i++) {
        r[i] = world_session_record(w, anna);
        if (i == 3)
            r[i].session_create.replaces = r[1].session_create.id;
        assert_int_equal(world_commit(w, &r[i]), ERR_ok);
    }
    assert_null(created(w, &r[1]));
    assert_null(model_session_by_token(w->m, &r[1].session_create.token));
    assert_int_equal(model_user(w->m, anna)->session_count, 3);
    const struct session *at = model_user(w->m, anna)->sessions;
    assert_ptr_equal(at, created(w, &r[3]));
    assert_ptr_equal(at->next, created(w, &r[2]));
    assert_ptr_equal(at->next->next, created(w, &r[0]));

    assert_int_equal(w->told_count, 1);
    assert_int_equal(w->told[0].event.type, EVENT_session_ended);
    assert_int_equal(w->told[0].seen, 0);
    assert_ptr_equal(w->told[0].event.user, model_user(w->m, anna));
    assert_true(uuid_equal(&w->told[0].session_id, &r[1].session_create.id));

    /* Its id and its token are free again. */
    r[1].session_create.time = w->now;
    assert_int_equal(world_commit(w, &r[1]), ERR_ok);
    assert_ptr_equal(model_user(w->m, anna)->sessions, created(w, &r[1]));
}

static void test_ends_only_ones_own(void **state)
{
    struct world *w = *state;
    uint32_t anna = world_user(w, "anna"), berta = world_user(w, "berta");
    struct record hers = world_session_record(w, anna);
    assert_int_equal(world_commit(w, &hers), ERR_ok);

    struct record r = world_session_record(w, berta);
    r.session_create.replaces = hers.session_create.id;
    assert_int_equal(world_commit(w, &r), ERR_ok);
    assert_non_null(created(w, &hers));

    /* One that never was is none. */
    struct record again = world_session_record(w, berta);
    again.session_create.replaces = world_uuid(999);
    assert_int_equal(world_commit(w, &again), ERR_ok);
    assert_int_equal(model_user(w->m, berta)->session_count, 2);
    assert_int_equal(w->told_count, 0);
}

/* Two devices that replace the same session at once would leave one too many: the oldest goes. */
static void test_no_more_than_sessions_max(void **state)
{
    struct world *w = *state;
    uint32_t anna = world_user(w, "anna");
    struct record r[6];
    for (int i = 0; i < 4; i++) {
        r[i] = world_session_record(w, anna);
        assert_int_equal(world_commit(w, &r[i]), ERR_ok);
    }
    r[4] = world_session_record(w, anna);
    r[4].session_create.sessions_max = 4;
    r[4].session_create.replaces = r[2].session_create.id;
    assert_int_equal(world_commit(w, &r[4]), ERR_ok);
    assert_int_equal(w->told_count, 1);
    assert_int_equal(model_user(w->m, anna)->session_count, 4);

    r[5] = world_session_record(w, anna);
    r[5].session_create.sessions_max = 3;
    r[5].session_create.replaces = r[2].session_create.id; /* gone already */
    assert_int_equal(world_commit(w, &r[5]), ERR_ok);
    assert_int_equal(w->told_count, 3);
    for (uint32_t i = 0; i < 3; i++) {
        static const int order[] = {2, 0, 1};
        assert_int_equal(w->told[i].event.type, EVENT_session_ended);
        assert_true(uuid_equal(&w->told[i].session_id, &r[order[i]].session_create.id));
        assert_null(created(w, &r[order[i]]));
    }
    assert_int_equal(model_user(w->m, anna)->session_count, 3);

    /* Down to one: only the new one stays. */
    struct record last = world_session_record(w, anna);
    last.session_create.sessions_max = 1;
    assert_int_equal(world_commit(w, &last), ERR_ok);
    assert_ptr_equal(model_user(w->m, anna)->sessions, created(w, &last));
    assert_null(created(w, &last)->next);
}

static void test_refused(void **state)
{
    struct world *w = *state;
    uint32_t anna = world_user(w, "anna");
    struct record first = world_session_record(w, anna);
    assert_int_equal(world_commit(w, &first), ERR_ok);

    struct record r = world_session_record(w, anna + 1);
    assert_int_equal(world_commit(w, &r), ERR_refused);
    r.session_create.user = 0;
    assert_int_equal(world_commit(w, &r), ERR_refused);
    r.session_create.user = anna;
    r.session_create.platform = PLATFORM_COUNT;
    assert_int_equal(world_commit(w, &r), ERR_refused);
    r.session_create.platform = PLATFORM_LIVE;
    r.session_create.id = first.session_create.id;
    assert_int_equal(world_commit(w, &r), ERR_refused);
    r.session_create.id = world_uuid(999);
    r.session_create.token = first.session_create.token;
    assert_int_equal(world_commit(w, &r), ERR_refused);
    /* Not even in place of the session that has the token. */
    r.session_create.replaces = first.session_create.id;
    assert_int_equal(world_commit(w, &r), ERR_refused);
    r.session_create.token = world_hash(999);
    assert_int_equal(world_commit(w, &r), ERR_ok);
    assert_int_equal(model_user(w->m, anna)->session_count, 1);
}

/* Two requests at once may have chosen the same session to end: then the oldest goes too. */
static void test_never_more_than_the_limit(void **state)
{
    struct world *w = *state;
    uint32_t anna = world_user(w, "anna");
    struct record r[4];
    for (int i = 0; i < 4; i++) {
        r[i] = world_session_record(w, anna);
        r[i].session_create.sessions_max = 2;
        if (i > 1)
            r[i].session_create.replaces = r[1].session_create.id;
        assert_int_equal(world_commit(w, &r[i]), ERR_ok);
    }
    assert_int_equal(model_user(w->m, anna)->session_count, 2);
    assert_null(created(w, &r[0]));
    assert_null(created(w, &r[1]));
    assert_non_null(created(w, &r[2]));
    assert_non_null(created(w, &r[3]));
}

/* A person ends one session, or all but one; nobody ends another's. */
static void test_sessions_are_ended(void **state)
{
    struct world *w = *state;
    uint32_t anna = world_user(w, "anna"), berta = world_user(w, "berta");
    struct record mine[4], hers = world_session_record(w, berta);
    assert_int_equal(world_commit(w, &hers), ERR_ok);
    for (int i = 0; i < 4; i++) {
        mine[i] = world_session_record(w, anna);
        assert_int_equal(world_commit(w, &mine[i]), ERR_ok);
    }

    struct record end = {.type = RECORD_session_end};
    end.session_end = (struct record_session_end){w->now, anna, mine[2].session_create.id};
    assert_int_equal(world_commit(w, &end), ERR_ok);
    assert_int_equal(w->told_count, 1);
    assert_int_equal(w->told[0].event.type, EVENT_session_ended);
    assert_true(uuid_equal(&w->told[0].session_id, &mine[2].session_create.id));
    assert_null(created(w, &mine[2]));
    assert_null(model_session_by_token(w->m, &mine[2].session_create.token));
    assert_int_equal(world_commit(w, &end), ERR_session_not_found);
    end.session_end.id = hers.session_create.id;
    assert_int_equal(world_commit(w, &end), ERR_session_not_found);
    end.session_end.user = 9;
    assert_int_equal(world_commit(w, &end), ERR_refused);

    struct record all = {.type = RECORD_sessions_end};
    all.sessions_end = (struct record_sessions_end){w->now, anna, mine[1].session_create.id};
    assert_int_equal(world_commit(w, &all), ERR_ok);
    assert_int_equal(w->told_count, 3);
    assert_int_equal(model_user(w->m, anna)->session_count, 1);
    assert_ptr_equal(model_user(w->m, anna)->sessions, created(w, &mine[1]));
    /* One that is not theirs saves nothing. */
    all.sessions_end.except = hers.session_create.id;
    assert_int_equal(world_commit(w, &all), ERR_ok);
    assert_int_equal(model_user(w->m, anna)->session_count, 0);
    assert_int_equal(world_commit(w, &all), ERR_ok);
    assert_int_equal(w->told_count, 4);
    assert_non_null(created(w, &hers));
    all.sessions_end.user = 9;
    assert_int_equal(world_commit(w, &all), ERR_refused);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        WORLD_TEST(test_fields_are_kept),           WORLD_TEST(test_an_id_of_zeros_is_none),
        WORLD_TEST(test_texts_may_be_empty),        WORLD_TEST(test_newest_first),
        WORLD_TEST(test_replaced_session_ends),     WORLD_TEST(test_ends_only_ones_own),
        WORLD_TEST(test_no_more_than_sessions_max), WORLD_TEST(test_refused),
        WORLD_TEST(test_never_more_than_the_limit), WORLD_TEST(test_sessions_are_ended),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
