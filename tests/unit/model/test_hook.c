/*
 * Hooks: made, told of how far they are, deleted.
 */
#include "world.h"

#include "model/hook.h"

static void test_a_hook(void **state)
{
    struct world *w = *state;
    struct record r = world_hook_record(w, "http://host/path");
    world_users(w, 3);
    uint32_t changes = model_hook_changes(w->m);
    r.hook_create.after = 2;
    assert_int_equal(world_commit(w, &r), ERR_ok);
    assert_int_not_equal(model_hook_changes(w->m), changes);
    assert_int_equal(model_hook_count(w->m), 1);
    const struct hook *hook = model_hook(w->m, 0);
    assert_ptr_equal(model_hook_by_id(w->m, &r.hook_create.id), hook);
    assert_true(bytes_equal(hook->url, BYTES("http://host/path")));
    assert_true(bytes_equal(hook->secret, BYTES("a key")));
    assert_int_equal(hook->cursor, 4);
    assert_int_equal(hook->position, 2);
    assert_int_equal(hook->created_at, model_time(w->m));
    assert_true(hook_wants(hook, EVENT_message_posted));
    assert_true(hook_wants(hook, EVENT_group_created));
    assert_false(hook_wants(hook, EVENT_message_read));
    assert_int_equal(w->told_count, 0);

    /* One of now begins with what comes behind it, and without types wants all. */
    struct record all = world_hook_record(w, "https://other/");
    all.hook_create.types = (struct record_u32s){NULL, 0};
    assert_int_equal(world_commit(w, &all), ERR_ok);
    hook = model_hook(w->m, 1);
    assert_int_equal(hook->position, hook->cursor);
    assert_true(hook_wants(hook, EVENT_message_read));
    assert_true(hook_wants(hook, EVENT_group_deleted));

    changes = model_hook_changes(w->m);
    assert_int_equal(world_hook_delete(w, r.hook_create.id), ERR_ok);
    assert_int_not_equal(model_hook_changes(w->m), changes);
    assert_int_equal(model_hook_count(w->m), 1);
    assert_null(model_hook_by_id(w->m, &r.hook_create.id));
    assert_true(bytes_equal(model_hook(w->m, 0)->url, BYTES("https://other/")));
    assert_int_equal(world_hook_delete(w, r.hook_create.id), ERR_hook_not_found);
    assert_int_equal(world_hook_progress(w, r.hook_create.id, 5), ERR_hook_not_found);
    assert_int_equal(world_hook_delete(w, all.hook_create.id), ERR_ok);
    assert_int_equal(model_hook_count(w->m), 0);
}

static void test_progress(void **state)
{
    struct world *w = *state;
    struct record r = world_hook_record(w, "http://host/");
    world_users(w, 5);
    r.hook_create.after = 0;
    assert_int_equal(world_commit(w, &r), ERR_ok);
    const struct hook *hook = model_hook(w->m, 0);
    assert_int_equal(hook->position, 0);
    assert_int_equal(world_hook_progress(w, hook->id, 3), ERR_ok);
    assert_int_equal(hook->position, 3);
    assert_int_equal(world_hook_progress(w, hook->id, 3), ERR_duplicate);
    assert_int_equal(world_hook_progress(w, hook->id, 2), ERR_duplicate);
    assert_int_equal(world_hook_progress(w, hook->id, UINT64_MAX), ERR_refused);
    assert_int_equal(hook->position, 3);
    assert_int_equal(world_hook_progress(w, hook->id, w->cursor), ERR_ok);
    assert_int_equal(w->told_count, 0);
}

static const struct hook *update(struct world *w, const struct record *r)
{
    uint32_t changes = model_hook_changes(w->m);
    assert_int_equal(world_commit(w, r), ERR_ok);
    assert_int_not_equal(model_hook_changes(w->m), changes);
    const struct hook *hook = model_hook_by_id(w->m, &r->hook_update.id);
    assert_int_equal(hook->edition, model_hook_changes(w->m));
    return hook;
}

static void test_it_is_changed(void **state)
{
    struct world *w = *state;
    struct record r = world_hook_record(w, "http://host/1");
    assert_int_equal(world_commit(w, &r), ERR_ok);
    struct uuid id = r.hook_create.id;
    r = world_hook_record(w, "http://host/2");
    assert_int_equal(world_commit(w, &r), ERR_ok);
    assert_int_equal(world_hook_progress(w, id, 1), ERR_duplicate);
    uint64_t position = model_hook_by_id(w->m, &id)->position;

    const struct record all = world_hook_update_record(w, id);
    const struct hook *hook = update(w, &all);
    assert_ptr_equal(model_hook(w->m, 0), hook);
    assert_int_equal(hook->cursor, 1);
    assert_int_equal(hook->position, position);
    assert_true(bytes_equal(hook->url, BYTES("http://another/")));
    assert_true(bytes_equal(hook->secret, BYTES("another key")));
    assert_true(bytes_equal(hook->old_secret, BYTES("a key")));
    assert_int_equal(hook->old_until, all.hook_update.until);
    assert_false(hook_wants(hook, EVENT_message_posted));
    assert_true(hook_wants(hook, EVENT_message_delivered));
    assert_true(hook_wants(hook, EVENT_member_added));

    /* Each alone leaves the others; a repeat leaves the old secret. */
    r = all;
    r.hook_update.fields = HOOK_TYPES;
    r.hook_update.until = 0;
    r.hook_update.secret = r.hook_update.url = BYTES("");
    r.hook_update.types.count = 0;
    hook = update(w, &r);
    assert_int_equal(hook->type_count, 0);
    assert_true(hook_wants(hook, EVENT_message_posted));
    assert_true(bytes_equal(hook->url, BYTES("http://another/")));
    r = all;
    r.hook_update.fields = HOOK_SECRET;
    r.hook_update.types.count = 0;
    r.hook_update.url = BYTES("");
    hook = update(w, &r);
    assert_int_equal(hook->type_count, 0);
    assert_true(bytes_equal(hook->old_secret, BYTES("a key")));
    r.hook_update.secret = BYTES("a third");
    hook = update(w, &r);
    assert_true(bytes_equal(hook->secret, BYTES("a third")));
    assert_true(bytes_equal(hook->old_secret, BYTES("another key")));
    /* At once, or what has long ended. */
    r.hook_update.secret = BYTES("a fourth");
    r.hook_update.until = 0;
    hook = update(w, &r);
    assert_int_equal(hook->old_secret.len, 0);
    assert_int_equal(hook->old_until, 0);
    r.hook_update.secret = BYTES("a fifth");
    r.hook_update.time = w->now;
    r.hook_update.until = w->now + 5;
    hook = update(w, &r);
    assert_int_equal(hook->old_until, r.hook_update.until);
    r = all;
    r.hook_update.time = hook->old_until;
    r.hook_update.fields = HOOK_URL;
    r.hook_update.until = 0;
    r.hook_update.types.count = 0;
    r.hook_update.secret = BYTES("");
    hook = update(w, &r);
    assert_int_equal(hook->old_secret.len, 0);
    assert_int_equal(hook->old_until, 0);
    assert_true(bytes_equal(hook->secret, BYTES("a fifth")));
}

static void test_changes_that_are_refused(void **state)
{
    struct world *w = *state;
    uint8_t *url = xcalloc(HOOK_URL_MAX + 1, 1);
    struct record r = world_hook_record(w, "http://host/");
    assert_int_equal(world_commit(w, &r), ERR_ok);
    const struct record fine = world_hook_update_record(w, r.hook_create.id);
    r = fine;
    r.hook_update.id = world_uuid(99);
    assert_int_equal(world_commit(w, &r), ERR_hook_not_found);
#define REFUSED(what)                                                                              \
    do {                                                                                           \
        r = fine;                                                                                  \
        what;                                                                                      \
        assert_int_equal(world_commit(w, &r), ERR_refused);                                        \
    } while (0)
    for (unsigned fields = 0; fields < HOOK_FIELDS; fields++)
        REFUSED(r.hook_update.fields = (uint8_t)fields);
    REFUSED(r.hook_update.fields = HOOK_FIELDS + 1);
    REFUSED(r.hook_update.url = BYTES(""));
    REFUSED(r.hook_update.url = bytes_of(url, HOOK_URL_MAX + 1));
    REFUSED(r.hook_update.secret = BYTES(""));
    REFUSED(r.hook_update.types = WORLD_U32S(70, 20));
    REFUSED(r.hook_update.types = WORLD_U32S(21));
    REFUSED(r.hook_update.until = -1);
    REFUSED(r.hook_update.until = MODEL_TIME_MAX + 1);
    REFUSED(r.hook_update.fields = HOOK_URL; r.hook_update.types.count = 0;
            r.hook_update.secret = BYTES(""));
#undef REFUSED
    assert_int_equal(model_hook(w->m, 0)->old_secret.len, 0);
    free(url);
}

static void test_what_is_refused(void **state)
{
    struct world *w = *state;
    uint8_t *url = xmalloc(HOOK_URL_MAX + 1);
    memset(url, 'h', HOOK_URL_MAX + 1);
    struct record r = world_hook_record(w, "http://host/");
    r.hook_create.hooks_max = 2;
    assert_int_equal(world_commit(w, &r), ERR_ok);
    assert_int_equal(world_commit(w, &r), ERR_refused);
    r = world_hook_record(w, "");
    assert_int_equal(world_commit(w, &r), ERR_refused);
    r.hook_create.url = bytes_of(url, HOOK_URL_MAX + 1);
    assert_int_equal(world_commit(w, &r), ERR_refused);
    r.hook_create.url = bytes_of(url, HOOK_URL_MAX);
    r.hook_create.secret.len = 0;
    assert_int_equal(world_commit(w, &r), ERR_refused);
    r.hook_create.secret = BYTES("k");
    r.hook_create.types = WORLD_U32S(70, 20);
    assert_int_equal(world_commit(w, &r), ERR_refused);
    r.hook_create.types = WORLD_U32S(20, 20);
    assert_int_equal(world_commit(w, &r), ERR_refused);
    r.hook_create.types = WORLD_U32S(20, 21);
    assert_int_equal(world_commit(w, &r), ERR_refused);
    r.hook_create.types = WORLD_U32S(1);
    assert_int_equal(world_commit(w, &r), ERR_refused);
    r.hook_create.types = WORLD_U32S(0);
    assert_int_equal(world_commit(w, &r), ERR_refused);
    r.hook_create.types = (struct record_u32s){(const uint8_t *)"\x14\1\0\0", 1};
    assert_int_equal(world_commit(w, &r), ERR_refused);
    r.hook_create.types = WORLD_U32S(20, 22, 23, 24, 25, 26, 70, 71, 72, 73, 74, 75);
    r.hook_create.hooks_max = 2;
    assert_int_equal(world_commit(w, &r), ERR_ok);
    r = world_hook_record(w, "http://host/");
    r.hook_create.hooks_max = 2;
    assert_int_equal(world_commit(w, &r), ERR_too_many_hooks);
    r.hook_create.hooks_max = 0;
    assert_int_equal(world_commit(w, &r), ERR_ok);
    free(url);
}

/* Of the events of event.def, those that somebody sees. */
static void test_what_is_offered(void **state)
{
    static const struct {
        uint32_t type;
        enum world_audience audience;
    } events[] = {
#define EVENT(wire, name, audience) {wire, WORLD_SEEN_##audience},
#include "model/event.def"
#undef EVENT
    };
    uint32_t offered = 0;
    (void)state;
    for (size_t i = 0; i < COUNT_OF(events); i++)
        assert_int_equal(hook_offers(events[i].type), events[i].audience != WORLD_SEEN_server);
    for (uint32_t type = 0; type < 70000; type++)
        offered += hook_offers(type);
    assert_int_equal(offered, COUNT_OF(events) - 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        WORLD_TEST(test_a_hook),          WORLD_TEST(test_progress),
        WORLD_TEST(test_it_is_changed),   WORLD_TEST(test_changes_that_are_refused),
        WORLD_TEST(test_what_is_refused), cmocka_unit_test(test_what_is_offered),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
