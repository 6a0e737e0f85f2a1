/*
 * Batches: the text that a receiver gets, however small the steps in which it is made.
 */
#include "tests/unit/model/world.h"

#include "base/json_write.h"
#include "core/hub.h"
#include "hooks/batch.h"

static size_t padding; /* bytes of each event more */

static void render(struct buf *out, const struct event *e)
{
    BUF_ADD_LIT(out, "{\"c\":");
    json_add_uint(out, e->cursor);
    for (size_t i = 0; i < padding; i++)
        buf_add_u8(out, ' ');
    BUF_ADD_LIT(out, "}");
}

/* A hook, so many users, and a group of them all. */
static const struct hook *fill(struct world *w, uint32_t users)
{
    uint8_t numbers[4 * 60] = {0};
    struct record r = world_hook_record(w, "http://h/");

    padding = 0;
    w->unproven = true;
    r.hook_create.after = 0;
    assert_int_equal(world_commit(w, &r), ERR_ok);
    world_users(w, users);
    for (uint32_t i = 0; i < users; i++)
        numbers[4 * i] = (uint8_t)(i + 1);
    world_group(w, 1, (struct record_u32s){numbers, users});
    return model_hook(w->m, 0);
}

/* The newest message or change of group 1. */
static void add_newest(struct batch *b, const struct world *w, enum event_type type)
{
    batch_add(b, &(struct feed_entry){.cursor = model_cursor(w->m), .group = 1, .type = type});
}

/* Writes the text in steps of so much work, and compares its events. */
static void assert_written(struct world *w, const struct hook *hook, struct batch *b,
                           uint32_t offline_max, uint32_t work, const char *events)
{
    static const struct uuid epoch = {{1}};
    struct batch_options o = {render, offline_max};
    struct buf want = {0};

    batch_reset_text(b);
    for (uint32_t steps = 0; !batch_write(b, w->m, hook, &epoch, &o, work); steps++)
        assert_true(steps < 10000);
    BUF_ADD_LIT(&want, "{\"hook_id\":");
    json_add_uuid(&want, &hook->id);
    BUF_ADD_LIT(&want, ",\"epoch\":\"01000000-0000-0000-0000-000000000000\",\"events\":[");
    buf_add_bytes(&want, bytes_cstr(events));
    BUF_ADD_LIT(&want, "]}");
    if (!bytes_equal(buf_bytes(&b->text), buf_bytes(&want)))
        fail_msg("%.*s\ninstead of\n%.*s", (int)b->text.len, (char *)b->text.p, (int)want.len,
                 (char *)want.p);
    buf_release(&want);
}

static void add_id(struct buf *out, const struct world *w, uint32_t user)
{
    json_add_uuid(out, &model_user(w->m, user)->id);
}

static void test_who_is_offline(void **state)
{
    struct world *w = *state;
    const struct hook *hook = fill(w, 6);
    struct listener socket = {.live = true};
    struct batch b = {0};
    struct buf want = {0};

    add_newest(&b, w, EVENT_group_created);
    hub_attach_user(&socket, model_user(w->m, 3));
    world_post(w, 1, 2, "x"); /* 2 wrote it, 3 is connected */
    add_newest(&b, w, EVENT_message_posted);
    assert_int_equal(world_leave(w, 1, 4, 4), ERR_ok); /* 4 is no member any more */
    assert_int_equal(world_leave(w, 1, 5, 5), ERR_ok); /* 5 is again, but was away then */
    world_post(w, 1, 1, "y");
    add_newest(&b, w, EVENT_message_posted);
    assert_int_equal(world_add(w, 1, 5, 1), ERR_ok);
    buf_printf(&want, "{\"c\":%d},{\"c\":%d,\"offline\":[", 8, 9);
    add_id(&want, w, 1);
    BUF_ADD_LIT(&want, ",");
    add_id(&want, w, 5);
    BUF_ADD_LIT(&want, ",");
    add_id(&want, w, 6);
    buf_printf(&want, "]},{\"c\":%d,\"offline\":[", 12);
    add_id(&want, w, 2);
    BUF_ADD_LIT(&want, ",");
    add_id(&want, w, 6);
    BUF_ADD_LIT(&want, "]}");
    buf_add_u8(&want, 0);
    for (uint32_t work = 1; work < 60; work++)
        assert_written(w, hook, &b, 3, work, (const char *)want.p);
    assert_int_equal(b.told, 3);
    assert_written(w, hook, &b, 0, 5, "{\"c\":8},{\"c\":9},{\"c\":12}");

    buf_reset(&want);
    buf_printf(&want, "{\"c\":%d},{\"c\":%d,\"offline\":[", 8, 9);
    add_id(&want, w, 1);
    buf_printf(&want, "],\"offline_more\":true},{\"c\":%d,\"offline\":[", 12);
    add_id(&want, w, 2);
    BUF_ADD_LIT(&want, "],\"offline_more\":true}");
    buf_add_u8(&want, 0);
    for (uint32_t work = 1; work < 60; work++)
        assert_written(w, hook, &b, 1, work, (const char *)want.p);
    hub_detach(&socket, 0);
    batch_release(&b);
    buf_release(&want);
}

/* What goes while it is being written is not told, wherever the writing was. */
static void test_what_goes_meanwhile(void **state)
{
    static const struct uuid epoch = {{1}};
    struct world *w = *state;
    const struct hook *hook = fill(w, 40);
    struct batch_options o = {render, 100};
    struct batch b = {0};
    struct event e;
    uint32_t steps = 0;

    for (int i = 0; i < 3; i++) {
        world_post(w, 1, 1, "x");
        add_newest(&b, w, EVENT_message_posted);
    }
    /* Some way into the second. */
    while (b.told < 1 || b.member < 10) {
        assert_false(batch_write(&b, w->m, hook, &epoch, &o, 3));
        steps++;
    }
    assert_true(steps > 10);
    assert_int_equal(world_expire(w, 1, 2), ERR_ok);
    while (!batch_write(&b, w->m, hook, &epoch, &o, 3))
        continue;
    assert_int_equal(b.told, 2);
    assert_int_equal(b.count, 3);
    buf_add_u8(&b.text, 0);
    const char *text = (const char *)b.text.p;
    assert_non_null(strstr(text, "\"events\":[{\"c\":43,\"offline\":[\""));
    assert_null(strstr(text, "\"c\":44"));
    assert_non_null(strstr(text, "\"]},{\"c\":45,\"offline\":[\""));
    /* The next time the first has gone, too; then all. */
    batch_reset_text(&b);
    while (!batch_write(&b, w->m, hook, &epoch, &o, 1000))
        continue;
    assert_int_equal(b.told, 1);
    assert_int_equal(world_delete(w, 1, 1), ERR_ok);
    assert_written(w, hook, &b, 100, 7, "");
    assert_int_equal(b.told, 0);
    assert_int_equal(b.count, 3);
    assert_false(feed_event(w->m, batch_entry(&b, 2), &e));
    batch_release(&b);
}

/* Long events: no further one is begun; a repeat is of the same. */
static void test_it_is_cut(void **state)
{
    static const struct uuid epoch = {{1}};
    struct world *w = *state;
    const struct hook *hook = fill(w, 2);
    struct batch_options o = {render, 0};
    struct batch b = {0};

    for (int i = 0; i < 8; i++) {
        world_post(w, 1, 1, "x");
        add_newest(&b, w, EVENT_message_posted);
    }
    padding = 50 << 10;
    while (!batch_write(&b, w->m, hook, &epoch, &o, 1))
        continue;
    assert_int_equal(b.told, 3);
    assert_int_equal(b.count, 3);
    assert_int_equal(batch_entry(&b, 2)->cursor, model_cursor(w->m) - 5);
    padding = 100 << 10;
    batch_reset_text(&b);
    while (!batch_write(&b, w->m, hook, &epoch, &o, 1))
        continue;
    assert_int_equal(b.told, 3);
    assert_int_equal(b.count, 3);
    batch_reset(&b);
    assert_int_equal(b.count, 0);
    add_newest(&b, w, EVENT_message_posted);
    padding = 2 * BATCH_BYTES;
    while (!batch_write(&b, w->m, hook, &epoch, &o, 1))
        continue;
    assert_int_equal(b.told, 1);
    batch_release(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        WORLD_TEST(test_who_is_offline),
        WORLD_TEST(test_what_goes_meanwhile),
        WORLD_TEST(test_it_is_cut),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
