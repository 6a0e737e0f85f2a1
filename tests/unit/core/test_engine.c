#include "tests/unit/model/world.h"

#include <dirent.h>
#include <stdio.h>
#include <unistd.h>

#include "base/clock.h"
#include "core/engine.h"
#include "tests/await.h"

/* The test's clock stands in for base/clock. */
static int64_t wall_ms;

int64_t clock_wall_ms(void)
{
    return wall_ms;
}

int64_t clock_mono_ms(void)
{
    return wall_ms;
}

/* Syncs are measured with it. */
uint64_t clock_mono_ns(void)
{
    return (uint64_t)wall_ms * 1000000;
}

/* ---- an engine, and what its hooks heard ------------------------------------------------------
 */

enum what { TOLD = 1, DONE, SOON };

struct step {
    enum what what;
    uint64_t cursor;
    enum event_type type; /* TOLD */
    enum err err;         /* DONE */
    const void *who;      /* TOLD: origin; DONE: the proposal; SOON: the listener */
};

struct fixture {
    struct journal_memory memory;
    struct engine *engine;
    struct world ids; /* only its ids and time are used */
    struct step steps[64];
    uint32_t count;
};

struct asked {
    struct proposal proposal; /* first */
    struct fixture *f;
    int calls;
    /* What `done` proposes next, and how that ended. */
    const struct record *then;
    struct asked *then_asked;
    enum err then_err;
};

static void add_step(struct fixture *f, struct step step)
{
    assert_true(f->count < COUNT_OF(f->steps));
    f->steps[f->count++] = step;
}

static void on_tell(void *ctx, const struct event *event, void *origin)
{
    struct fixture *f = ctx;
    /* What is told is in the model. */
    assert_int_equal(model_cursor(engine_model(f->engine)), event->cursor);
    add_step(f, (struct step){TOLD, event->cursor, event->type, ERR_ok, origin});
}

static void on_soon(void *ctx, const struct listener *l)
{
    struct fixture *f = ctx;
    add_step(f, (struct step){SOON, model_cursor(engine_model(f->engine)), EVENT_session_ended,
                              ERR_ok, l});
}

static void on_done(struct proposal *p, enum err err, uint64_t cursor)
{
    struct asked *a = (struct asked *)p;
    a->calls++;
    assert_true(cursor == 0 || model_cursor(engine_model(a->f->engine)) == cursor);
    add_step(a->f, (struct step){DONE, cursor, EVENT_session_ended, err, a});
    if (a->then != NULL)
        a->then_err = engine_propose(a->f->engine, a->then, &a->then_asked->proposal);
}

static struct asked ask(struct fixture *f, void *origin)
{
    return (struct asked){.proposal = {on_done, origin}, .f = f};
}

static void open_engine(struct fixture *f)
{
    struct engine_hooks hooks = {.ctx = f, .tell = on_tell, .soon = on_soon};
    f->engine = engine_new(&hooks);
    assert_int_equal(engine_open_memory(f->engine, &f->memory), ERR_ok);
}

/* What one turn of the loop does. */
static void turn(struct fixture *f)
{
    journal_submit(engine_journal(f->engine));
    journal_dispatch(engine_journal(f->engine), JOURNAL_ALL);
}

static void assert_step(const struct fixture *f, uint32_t i, enum what what, uint64_t cursor,
                        int type_or_err, const void *who)
{
    assert_true(i < f->count);
    assert_int_equal(f->steps[i].what, what);
    assert_int_equal(f->steps[i].cursor, cursor);
    assert_int_equal(what == TOLD ? (int)f->steps[i].type : (int)f->steps[i].err, type_or_err);
    assert_ptr_equal(f->steps[i].who, who);
}

static void must(struct fixture *f, const struct record *r)
{
    struct asked a = ask(f, NULL);
    assert_int_equal(engine_propose(f->engine, r, &a.proposal), ERR_ok);
    turn(f);
    assert_int_equal(a.calls, 1);
    assert_int_equal(f->steps[f->count - 1].err, ERR_ok);
    f->count = 0;
}

/* Users 1 to 3 and a group of all: records 1 to 4. */
static int begin(void **state)
{
    struct fixture *f = xcalloc(1, sizeof *f);
    crypto_init();
    wall_ms = 1000;
    open_engine(f);
    static const char *const names[] = {"anna", "berta", "carla"};
    for (size_t i = 0; i < COUNT_OF(names); i++) {
        struct record r = world_user_record(&f->ids, names[i]);
        must(f, &r);
    }
    struct record r = world_group_record(&f->ids, 1, WORLD_U32S(1, 2, 3));
    must(f, &r);
    *state = f;
    return 0;
}

static void digest_of(const struct fixture *f, uint8_t out[static MODEL_DIGEST_LEN])
{
    model_verify(engine_model(f->engine));
    model_digest(engine_model(f->engine), out);
}

/* Closes and opens again: nobody is told, and the model is the same. */
static void restart(struct fixture *f)
{
    uint8_t before[MODEL_DIGEST_LEN], after[MODEL_DIGEST_LEN];
    struct uuid epoch = engine_epoch(f->engine);

    engine_close(f->engine);
    digest_of(f, before);
    engine_free(f->engine);
    f->count = 0;
    open_engine(f);
    digest_of(f, after);
    assert_memory_equal(before, after, sizeof before);
    assert_int_equal(f->count, 0);
    struct uuid again = engine_epoch(f->engine);
    assert_true(uuid_equal(&epoch, &again));
}

/* Every test is a replay test. */
static int end(void **state)
{
    struct fixture *f = *state;
    restart(f);
    engine_free(f->engine);
    journal_memory_release(&f->memory);
    free(f);
    return 0;
}

/* ---- the order of things --------------------------------------------------------------------- */

static void test_nothing_before_it_is_durable(void **state)
{
    struct fixture *f = *state;
    struct record r = world_post_record(&f->ids, 1, 2, "", "hello");
    char origin;
    struct asked a = ask(f, &origin);

    assert_int_equal(engine_propose(f->engine, &r, &a.proposal), ERR_ok);
    journal_dispatch(engine_journal(f->engine), JOURNAL_ALL);
    assert_int_equal(f->count, 0);
    assert_int_equal(model_message_count(engine_model(f->engine)), 0);
    assert_int_equal(model_cursor(engine_model(f->engine)), 4);

    turn(f);
    assert_int_equal(f->count, 2);
    assert_step(f, 0, TOLD, 5, EVENT_message_posted, &origin);
    assert_step(f, 1, DONE, 5, ERR_ok, &a);
    assert_int_equal(model_message_count(engine_model(f->engine)), 1);
    turn(f);
    assert_int_equal(a.calls, 1);
}

static void test_in_the_order_of_proposing(void **state)
{
    struct fixture *f = *state;
    char origins[3];
    struct asked a[3];
    for (int i = 0; i < 3; i++) {
        struct record r = world_post_record(&f->ids, 1, 1 + (uint32_t)i, "", "x");
        a[i] = ask(f, &origins[i]);
        assert_int_equal(engine_propose(f->engine, &r, &a[i].proposal), ERR_ok);
    }
    turn(f);
    assert_int_equal(f->count, 6);
    for (uint32_t i = 0; i < 3; i++) {
        assert_step(f, 2 * i, TOLD, 5 + i, EVENT_message_posted, &origins[i]);
        assert_step(f, 2 * i + 1, DONE, 5 + i, ERR_ok, &a[i]);
    }
}

/* All events of a commit are told before it is done. */
static void test_several_events(void **state)
{
    struct fixture *f = *state;
    struct record r = world_post_record(&f->ids, 1, 1, "", "x");
    must(f, &r);
    struct record mark = {.type = RECORD_receipt_mark,
                          .receipt_mark = {f->ids.now, 1, 2, 1, WORLD_READ}};
    struct asked a = ask(f, f);
    assert_int_equal(engine_propose(f->engine, &mark, &a.proposal), ERR_ok);
    turn(f);
    assert_int_equal(f->count, 3);
    assert_step(f, 0, TOLD, 6, EVENT_message_read, f);
    assert_step(f, 1, TOLD, 6, EVENT_message_read, f);
    assert_step(f, 2, DONE, 6, ERR_ok, &a);
}

/* The record's texts may go as soon as it is proposed. */
static void test_texts_are_borrowed_for_the_call(void **state)
{
    struct fixture *f = *state;
    char *text = xmalloc(6);
    memcpy(text, "hello", 6);
    struct record r = world_post_record(&f->ids, 1, 1, "", text);
    struct asked a = ask(f, NULL);
    assert_int_equal(engine_propose(f->engine, &r, &a.proposal), ERR_ok);
    memset(text, 'x', 5);
    free(text);
    turn(f);
    const struct message *msg = group_message(model_group(engine_model(f->engine), 1), 1);
    assert_true(bytes_equal(message_data(msg), BYTES("hello")));
}

/* `done` may propose: that is the next batch. */
static void test_propose_from_done(void **state)
{
    struct fixture *f = *state;
    struct record first = world_post_record(&f->ids, 1, 1, "", "1");
    struct record second = world_post_record(&f->ids, 1, 2, "", "2");
    struct asked b = ask(f, NULL), a = ask(f, NULL);
    a.then = &second;
    a.then_asked = &b;
    assert_int_equal(engine_propose(f->engine, &first, &a.proposal), ERR_ok);
    turn(f);
    assert_int_equal(a.then_err, ERR_ok);
    assert_int_equal(b.calls, 0);
    turn(f);
    assert_int_equal(b.calls, 1);
    assert_step(f, 3, DONE, 6, ERR_ok, &b);
}

/* ---- refusals -------------------------------------------------------------------------------- */

static void test_refused_at_propose(void **state)
{
    struct fixture *f = *state;
    struct record r = world_user_record(&f->ids, "anna");
    struct asked a = ask(f, NULL);
    assert_int_equal(engine_propose(f->engine, &r, &a.proposal), ERR_username_taken);
    assert_int_equal(journal_pending(engine_journal(f->engine)), 0);
    turn(f);
    assert_int_equal(a.calls, 0);
    assert_int_equal(model_cursor(engine_model(f->engine)), 4);
}

/* Proposes both, which nothing speaks against, and lets them meet: the second is refused. */
static void race(struct fixture *f, const struct record *first, const struct record *second,
                 enum err err)
{
    struct asked a = ask(f, NULL), b = ask(f, NULL);
    assert_int_equal(engine_propose(f->engine, first, &a.proposal), ERR_ok);
    assert_int_equal(engine_propose(f->engine, second, &b.proposal), ERR_ok);
    uint64_t cursor = model_cursor(engine_model(f->engine));
    turn(f);
    assert_int_equal(a.calls, 1);
    assert_int_equal(b.calls, 1);
    /* The refused record has a number, and nothing of it is told. */
    assert_step(f, f->count - 2, DONE, cursor + 1, ERR_ok, &a);
    assert_step(f, f->count - 1, DONE, cursor + 2, (int)err, &b);
    assert_int_equal(model_cursor(engine_model(f->engine)), cursor + 2);
    assert_int_equal(journal_committed(engine_journal(f->engine)), cursor + 2);
}

static void test_two_want_one_name(void **state)
{
    struct fixture *f = *state;
    struct record first = world_user_record(&f->ids, "dora");
    struct record second = world_user_record(&f->ids, "dora");
    race(f, &first, &second, ERR_username_taken);
    assert_int_equal(f->count, 2);
    assert_int_equal(model_user_count(engine_model(f->engine)), 4);
    const struct user *u = model_user_by_name(engine_model(f->engine), BYTES("dora"));
    assert_true(uuid_equal(&u->id, &first.user_create.id));
}

static void test_removed_before_the_message_lands(void **state)
{
    struct fixture *f = *state;
    struct record removal = {.type = RECORD_member_remove, .member_remove = {f->ids.now, 1, 2, 1}};
    struct record post = world_post_record(&f->ids, 1, 2, "", "x");
    race(f, &removal, &post, ERR_not_a_member);
    assert_int_equal(f->count, 3);
    assert_int_equal(f->steps[0].type, EVENT_member_removed);
    assert_int_equal(model_message_count(engine_model(f->engine)), 0);
}

static void test_client_id_twice_in_flight(void **state)
{
    struct fixture *f = *state;
    struct record first = world_post_record(&f->ids, 1, 2, "c", "x");
    struct record again = world_post_record(&f->ids, 1, 2, "c", "x");
    race(f, &first, &again, ERR_duplicate);
    struct record other = world_post_record(&f->ids, 1, 3, "c", "x");
    struct record reused = world_post_record(&f->ids, 1, 3, "c", "y");
    race(f, &other, &reused, ERR_client_id_reused);
    assert_int_equal(model_message_count(engine_model(f->engine)), 2);
}

static void test_too_large(void **state)
{
    enum { LEN = 5 << 20 };
    struct fixture *f = *state;
    uint8_t *text = xcalloc(1, LEN);
    struct record r = world_post_record(&f->ids, 1, 1, "", "");
    struct asked a = ask(f, NULL);
    r.message_post.data = bytes_of(text, LEN);
    assert_int_equal(engine_propose(f->engine, &r, &a.proposal), ERR_too_large);
    turn(f);
    assert_int_equal(a.calls, 0);
    r.message_post.data = BYTES("small");
    must(f, &r);
    free(text);
}

/* ---- the disk -------------------------------------------------------------------------------- */

/* Of four, the nth finds no room: it and those behind it fail, and their numbers are used again. */
static void test_disk_full(void **state)
{
    struct fixture *f = *state;
    for (uint32_t nth = 1; nth <= 4; nth++) {
        uint64_t cursor = model_cursor(engine_model(f->engine));
        uint64_t messages = model_message_count(engine_model(f->engine));
        struct asked a[4];
        f->count = 0;
        f->memory.fail_at = nth;
        for (uint32_t i = 0; i < 4; i++) {
            struct record r = world_post_record(&f->ids, 1, 1, "", "x");
            a[i] = ask(f, NULL);
            assert_int_equal(engine_propose(f->engine, &r, &a[i].proposal), ERR_ok);
        }
        turn(f);
        assert_int_equal(f->count, 2 * (nth - 1) + (4 - (nth - 1)));
        for (uint32_t i = 0; i < 4; i++) {
            assert_int_equal(a[i].calls, 1);
            if (i + 1 < nth)
                assert_step(f, 2 * i + 1, DONE, cursor + 1 + i, ERR_ok, &a[i]);
            else
                assert_step(f, nth - 1 + i, DONE, 0, ERR_disk_full, &a[i]);
        }
        assert_int_equal(model_message_count(engine_model(f->engine)), messages + nth - 1);
        assert_int_equal(model_cursor(engine_model(f->engine)), cursor + nth - 1);
        restart(f);
        struct record r = world_post_record(&f->ids, 1, 1, "", "x");
        must(f, &r);
        assert_int_equal(model_cursor(engine_model(f->engine)), cursor + nth);
    }
}

/* What would be refused is known without trying. */
static void test_refuses(void **state)
{
    struct fixture *f = *state;
    struct engine_hooks hooks = {.ctx = f, .tell = on_tell};
    struct engine *unopened = engine_new(&hooks);
    assert_int_equal(engine_refuses(unopened), ERR_shutting_down);
    engine_free(unopened);
    assert_int_equal(engine_refuses(f->engine), ERR_ok);
    engine_limit_memory(f->engine, 1);
    assert_int_equal(engine_refuses(f->engine), ERR_memory_full);
    engine_limit_memory(f->engine, 0);
    assert_int_equal(engine_refuses(f->engine), ERR_ok);
    engine_close(f->engine);
    assert_int_equal(engine_refuses(f->engine), ERR_shutting_down);
    engine_free(f->engine);
    open_engine(f);
}

/* Who will be told is announced before, once for messages of one group in a row; what is no message
 * is not. */
static void test_listeners_are_announced(void **state)
{
    struct fixture *f = *state;
    const struct model *m = engine_model(f->engine);
    struct listener first = {0}, second = {0};
    struct record posts[] = {world_post_record(&f->ids, 1, 1, "", "x"),
                             world_post_record(&f->ids, 1, 2, "", "y"),
                             world_user_record(&f->ids, "dora")};
    struct asked asked[COUNT_OF(posts)];

    hub_attach_user(&first, model_user(m, 1));
    hub_attach_user(&second, model_user(m, 2));
    for (size_t i = 0; i < COUNT_OF(posts); i++) {
        asked[i] = ask(f, NULL);
        assert_int_equal(engine_propose(f->engine, &posts[i], &asked[i].proposal), ERR_ok);
    }
    turn(f);
    assert_int_equal(f->count, 7);
    assert_step(f, 0, SOON, 4, ERR_ok, &first);
    assert_step(f, 1, SOON, 4, ERR_ok, &second);
    assert_step(f, 2, TOLD, 5, EVENT_message_posted, NULL);
    assert_step(f, 3, DONE, 5, ERR_ok, &asked[0]);
    assert_step(f, 4, TOLD, 6, EVENT_message_posted, NULL);
    assert_step(f, 5, DONE, 6, ERR_ok, &asked[1]);
    assert_step(f, 6, DONE, 7, ERR_ok, &asked[2]);
    hub_detach(&first, 0);
    hub_detach(&second, 0);
}

static void test_replay_then_live(void **state)
{
    struct fixture *f = *state;
    struct record taken = world_user_record(&f->ids, "dora");
    struct record refused = world_user_record(&f->ids, "dora");
    race(f, &taken, &refused, ERR_username_taken);
    for (int i = 0; i < 3; i++) {
        struct record r = world_post_record(&f->ids, 1, 1, "", "x");
        must(f, &r);
        restart(f);
    }
    assert_int_equal(model_cursor(engine_model(f->engine)), 9);
    assert_int_equal(model_message_count(engine_model(f->engine)), 3);
}

static void ignore_commit(void *ctx, const struct journal_record *record, void *ticket)
{
    (void)ctx;
    (void)record;
    (void)ticket;
}

static void ignore_failure(void *ctx, void *ticket, enum err why)
{
    (void)ctx;
    (void)ticket;
    (void)why;
}

/* A record of a type that this version does not know ends the replay, whatever comes behind it. */
static void test_unknown_record(void **state)
{
    struct fixture *f = *state, g = {0};
    struct journal_hooks hooks = {.on_commit = ignore_commit, .on_fail = ignore_failure};
    struct engine_hooks engine_hooks = {.ctx = &g, .tell = on_tell};
    struct journal *j;
    struct buf payload = {0};
    struct record r = world_user_record(&f->ids, "anna");

    record_encode(&r, &payload);
    assert_int_equal(journal_open_memory(&g.memory, &hooks, &j), ERR_ok);
    assert_int_equal(journal_propose(j, RECORD_user_create, buf_bytes(&payload), NULL), ERR_ok);
    assert_int_equal(journal_propose(j, 99, BYTES("new"), NULL), ERR_ok);
    assert_int_equal(journal_propose(j, RECORD_user_create, BYTES("short"), NULL), ERR_ok);
    journal_close(j);
    g.engine = engine_new(&engine_hooks);
    assert_int_equal(engine_open_memory(g.engine, &g.memory), ERR_damaged);
    assert_null(engine_journal(g.engine));
    assert_int_equal(model_cursor(engine_model(g.engine)), 1);
    engine_free(g.engine);
    journal_memory_release(&g.memory);
    buf_release(&payload);
}

/* ---- files ----------------------------------------------------------------------------------- */

static void remove_dir(const char *path)
{
    DIR *d = opendir(path);
    const struct dirent *entry;
    char inner[4096];

    assert_non_null(d);
    while ((entry = readdir(d)) != NULL) {
        if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0)
            continue;
        snprintf(inner, sizeof inner, "%s/%s", path, entry->d_name);
        if (unlink(inner) != 0)
            remove_dir(inner);
    }
    closedir(d);
    assert_int_equal(rmdir(path), 0);
}

static struct journal_options options_of(const char *dir)
{
    return (struct journal_options){.dir = dir,
                                    .sync = JOURNAL_SYNC_OFF,
                                    .segment_size = 64 << 10,
                                    .record_max = 1 << 20,
                                    .queue_max = 1 << 20};
}

static void turn_of_files(struct journal *j)
{
    AWAIT_READABLE(journal_fd(j));
    journal_dispatch(j, JOURNAL_ALL);
}

static void test_files(void **state)
{
    struct fixture *f = *state, g = {0};
    char dir[] = "/tmp/groups-chat-engine-XXXXXX";
    struct engine_hooks hooks = {.ctx = &g, .tell = on_tell};
    struct journal_report report = {0};

    assert_non_null(mkdtemp(dir));
    struct journal_options options = options_of(dir);
    g.engine = engine_new(&hooks);
    assert_int_equal(engine_open_files(g.engine, &options, &report), ERR_ok);
    struct record r = world_user_record(&f->ids, "anna");
    struct asked a = ask(&g, NULL);
    assert_int_equal(engine_propose(g.engine, &r, &a.proposal), ERR_ok);
    journal_submit(engine_journal(g.engine));
    AWAIT_BY(turn_of_files(engine_journal(g.engine)), a.calls > 0);
    engine_free(g.engine);

    g.engine = engine_new(&hooks);
    assert_int_equal(engine_open_files(g.engine, &options, &report), ERR_ok);
    assert_int_equal(report.records, 1);
    assert_non_null(model_user_by_name(engine_model(g.engine), BYTES("anna")));
    engine_free(g.engine);

    /* Somebody newer wrote into it. */
    struct journal_hooks journal_hooks = {.on_commit = ignore_commit, .on_fail = ignore_failure};
    struct journal *j;
    assert_int_equal(journal_open_files(&options, &journal_hooks, &report, &j), ERR_ok);
    assert_int_equal(journal_propose(j, 99, BYTES("new"), NULL), ERR_ok);
    journal_close(j);
    g.engine = engine_new(&hooks);
    assert_int_equal(engine_open_files(g.engine, &options, &report), ERR_damaged);
    assert_non_null(strstr(report.damage, "record 2 has type 99"));
    engine_free(g.engine);
    remove_dir(dir);
}

/* ---- the clock ------------------------------------------------------------------------------- */

static void test_time_never_goes_back(void **state)
{
    struct fixture *f = *state;
    static const int64_t clock[] = {2000, 1500, 2000, 2001, 0, -5, 3000};
    static const int64_t wanted[] = {2000, 2000, 2000, 2001, 2001, 2001, 3000};
    for (size_t i = 0; i < COUNT_OF(clock); i++) {
        wall_ms = clock[i];
        assert_int_equal(engine_now(f->engine), wanted[i]);
    }
    /* Nor behind what the journal has: another machine's clock may have been ahead. */
    struct record r = world_post_record(&f->ids, 1, 1, "", "x");
    r.message_post.time = 9000;
    must(f, &r);
    assert_int_equal(engine_now(f->engine), 9000);
    restart(f);
    wall_ms = 10;
    assert_int_equal(engine_now(f->engine), 9000);
    wall_ms = 9001;
    assert_int_equal(engine_now(f->engine), 9001);
}

/* ---- the end --------------------------------------------------------------------------------- */

static void test_close_finishes(void **state)
{
    struct fixture *f = *state;
    struct record first = world_post_record(&f->ids, 1, 1, "", "1");
    struct record second = world_post_record(&f->ids, 1, 2, "", "2");
    struct asked a = ask(f, NULL), b = ask(f, NULL);
    a.then = &second;
    a.then_asked = &b;
    assert_int_equal(engine_propose(f->engine, &first, &a.proposal), ERR_ok);
    engine_close(f->engine);
    assert_int_equal(a.calls, 1);
    assert_step(f, 1, DONE, 5, ERR_ok, &a);
    assert_int_equal(a.then_err, ERR_shutting_down);
    assert_int_equal(b.calls, 0);
    /* The model stays to be read; nothing can be proposed any more. */
    assert_int_equal(model_message_count(engine_model(f->engine)), 1);
    assert_int_equal(engine_propose(f->engine, &second, &b.proposal), ERR_shutting_down);
    engine_close(f->engine);
    engine_free(f->engine);
    engine_free(NULL);
    open_engine(f);
    assert_int_equal(model_message_count(engine_model(f->engine)), 1);
}

int main(void)
{
#define ENGINE_TEST(f) cmocka_unit_test_setup_teardown(f, begin, end)
    const struct CMUnitTest tests[] = {
        ENGINE_TEST(test_nothing_before_it_is_durable),
        ENGINE_TEST(test_in_the_order_of_proposing),
        ENGINE_TEST(test_several_events),
        ENGINE_TEST(test_texts_are_borrowed_for_the_call),
        ENGINE_TEST(test_propose_from_done),
        ENGINE_TEST(test_refused_at_propose),
        ENGINE_TEST(test_two_want_one_name),
        ENGINE_TEST(test_removed_before_the_message_lands),
        ENGINE_TEST(test_client_id_twice_in_flight),
        ENGINE_TEST(test_too_large),
        ENGINE_TEST(test_disk_full),
        ENGINE_TEST(test_refuses),
        ENGINE_TEST(test_listeners_are_announced),
        ENGINE_TEST(test_replay_then_live),
        ENGINE_TEST(test_unknown_record),
        ENGINE_TEST(test_files),
        ENGINE_TEST(test_time_never_goes_back),
        ENGINE_TEST(test_close_finishes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
