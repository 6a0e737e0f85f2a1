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
        WORLD_TEST(test_a_hook),
        WORLD_TEST(test_progress),
        WORLD_TEST(test_what_is_refused),
        cmocka_unit_test(test_what_is_offered),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
