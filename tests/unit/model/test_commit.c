#include "world.h"

#include <signal.h>
#include <unistd.h>

#include "tests/await.h"

static void digest_of(const struct world *w, uint8_t out[static MODEL_DIGEST_LEN])
{
    model_digest(w->m, out);
}

static void test_new_model_is_empty(void **state)
{
    struct world *w = *state;
    assert_int_equal(model_cursor(w->m), 0);
    assert_int_equal(model_time(w->m), 0);
    assert_int_equal(model_user_count(w->m), 0);
    assert_int_equal(model_group_count(w->m), 0);
    assert_int_equal(model_message_count(w->m), 0);
    model_verify(w->m);
    model_free(NULL);
}

static void test_time_only_rises(void **state)
{
    struct world *w = *state;
    static const int64_t clock[] = {5000, 4000, INT64_MIN, 0, 5000, 5001, -1, MODEL_TIME_MAX, 1};
    static const int64_t wanted[] = {5000, 5000, 5000,           5000,          5000,
                                     5001, 5001, MODEL_TIME_MAX, MODEL_TIME_MAX};
    char name[] = "a";
    for (size_t i = 0; i < COUNT_OF(clock); i++, name[0]++) {
        struct record r = world_user_record(w, name);
        r.user_create.time = clock[i];
        assert_int_equal(world_commit(w, &r), ERR_ok);
        assert_true(model_time(w->m) == wanted[i]);
        assert_true(model_user(w->m, (uint32_t)i + 1)->created_at == wanted[i]);
    }
}

/* No clock says that; and time would stand still for ever. */
static void test_a_time_that_never_comes(void **state)
{
    struct world *w = *state;
    struct record r = world_user_record(w, "anna");
    r.user_create.time = MODEL_TIME_MAX + 1;
    assert_int_equal(model_check(w->m, &r), ERR_refused);
    assert_int_equal(world_commit(w, &r), ERR_refused);
    assert_int_equal(model_time(w->m), 0);
    r.user_create.time = MODEL_TIME_MAX;
    assert_int_equal(world_commit(w, &r), ERR_ok);
}

/* A message keeps its time and its cursor whole. */
static void test_the_last_time_and_cursor(void **state)
{
    struct world *w = *state;
    world_users(w, 1);
    world_group(w, 1, WORLD_U32S(1));
    w->cursor = MODEL_CURSOR_MAX - 1;
    w->now = MODEL_TIME_MAX;
    const struct message *msg = world_post(w, 1, 1, "the last");
    assert_true(msg->cursor == MODEL_CURSOR_MAX);
    assert_true(message_time(msg) == MODEL_TIME_MAX);
}

/* A refused record takes its number and its time, and nothing else. */
static void test_refused_record(void **state)
{
    struct world *w = *state;
    world_user(w, "anna");
    w->now = 9000;
    struct record r = world_user_record(w, "anna");
    assert_int_equal(world_commit(w, &r), ERR_username_taken);
    assert_int_equal(model_cursor(w->m), 2);
    assert_int_equal(model_time(w->m), 9000);
    assert_int_equal(model_user_count(w->m), 1);
    assert_int_equal(w->told_count, 0);
    r.user_create.time = 0;
    r.user_create.username_key = BYTES("berta");
    assert_int_equal(world_commit(w, &r), ERR_ok);
    assert_int_equal(model_user(w->m, 2)->created_at, 9000);
    assert_int_equal(model_user(w->m, 2)->cursor, 3);
}

static void test_damaged_changes_nothing(void **state)
{
    struct world *w = *state;
    uint8_t before[MODEL_DIGEST_LEN], after[MODEL_DIGEST_LEN];
    struct buf payload = {0};

    world_user(w, "anna");
    struct record r = world_user_record(w, "berta");
    r.user_create.time = 50000;
    record_encode(&r, &payload);
    digest_of(w, before);
    for (size_t len = 0; len < payload.len; len++)
        assert_int_equal(world_commit_raw(w, RECORD_user_create, bytes_of(payload.p, len)),
                         ERR_damaged);
    buf_add_u8(&payload, 0);
    assert_int_equal(world_commit_raw(w, RECORD_user_create, buf_bytes(&payload)), ERR_damaged);
    payload.len--;
    static const uint16_t unknown[] = {0, 8, 255, 256 + RECORD_user_create, UINT16_MAX};
    for (size_t i = 0; i < COUNT_OF(unknown); i++)
        assert_int_equal(world_commit_raw(w, unknown[i], buf_bytes(&payload)), ERR_damaged);
    digest_of(w, after);
    assert_memory_equal(before, after, sizeof before);
    assert_int_equal(model_cursor(w->m), 1);
    assert_int_equal(world_commit_raw(w, RECORD_user_create, buf_bytes(&payload)), ERR_ok);
    buf_release(&payload);
}

/* The journal's numbers may have holes here: what others keep in the same journal. */
static void test_cursors_may_jump(void **state)
{
    struct world *w = *state;
    world_user(w, "anna");
    w->cursor = 99;
    world_user(w, "berta");
    assert_int_equal(model_user(w->m, 2)->cursor, 100);
    assert_int_equal(model_cursor(w->m), 100);
    w->cursor = UINT64_C(1) << 40;
    world_group(w, 1, WORLD_U32S(1, 2));
    world_post(w, 1, 1, "x");
    assert_int_equal(world_mark(w, 1, 2, 1, WORLD_READ), ERR_ok);
    assert_true(model_cursor(w->m) == (UINT64_C(1) << 40) + 3);
}

/* Runs in a child: a cursor that does not rise is a bug of the caller. */
static void test_cursors_must_rise(void **state)
{
    struct world *w = *state;
    world_user(w, "anna");
    for (uint64_t cursor = 0; cursor <= 1; cursor++) {
        pid_t pid = fork();
        assert_true(pid >= 0);
        if (pid == 0) {
            await_as_child();
            close(STDERR_FILENO);
            if (model_commit(w->m, cursor, 0, BYTES(""), NULL) == ERR_damaged)
                _exit(1);
            _exit(0);
        }
        int status = AWAIT_CHILD(pid);
        assert_true(WIFSIGNALED(status));
        assert_int_equal(WTERMSIG(status), SIGABRT);
    }
}

/* An event is told when the change is there for all to see. */
struct looking {
    struct world *w;
    uint32_t events;
};

static void look(void *ctx, const struct event *event)
{
    struct looking *l = ctx;
    const struct model *m = l->w->m;
    const struct group *g = event->group;

    l->events++;
    assert_int_equal(event->cursor, model_cursor(m));
    assert_int_equal(g->last_cursor, event->cursor);
    if (event->type == EVENT_message_posted) {
        assert_ptr_equal(group_message(g, g->messages.count), event->message);
        assert_ptr_equal(model_message_by_id(m, &event->message->id), event->message);
    } else {
        assert_int_equal(((const struct change *)vec_at(&g->changes, g->changes.count - 1))->cursor,
                         event->cursor);
    }
    model_verify(m);
}

static void test_told_after_the_change(void **state)
{
    struct world *w = *state;
    struct looking l = {.w = w};
    struct event_sink sink = {&l, look};
    struct model *first = w->m;

    world_users(w, 3);
    world_group(w, 1, WORLD_U32S(1, 2));
    world_post(w, 1, 2, "x");
    assert_int_equal(world_add(w, 1, 3, 1), ERR_ok);
    assert_int_equal(world_remove(w, 1, 1, 1), ERR_ok);
    w->m = model_new();
    for (uint32_t i = 0; i < w->count; i++) {
        const struct world_record *r = &w->records[i];
        assert_int_equal(
            model_commit(w->m, r->cursor, r->type, bytes_of(w->payloads.p + r->at, r->len), &sink),
            ERR_ok);
    }
    assert_int_equal(l.events, 4);
    model_free(first);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        WORLD_TEST(test_new_model_is_empty),      WORLD_TEST(test_time_only_rises),
        WORLD_TEST(test_a_time_that_never_comes), WORLD_TEST(test_the_last_time_and_cursor),
        WORLD_TEST(test_refused_record),          WORLD_TEST(test_damaged_changes_nothing),
        WORLD_TEST(test_cursors_may_jump),        WORLD_TEST(test_cursors_must_rise),
        WORLD_TEST(test_told_after_the_change),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
