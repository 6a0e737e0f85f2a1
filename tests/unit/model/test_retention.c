#include "world.h"

#include "model/timeline.h"
#include "model/view.h"

static struct message *post_with_id(struct world *w, uint32_t author, const char *client_id)
{
    struct record r = world_post_record(w, 1, author, client_id, "text");
    assert_int_equal(world_commit(w, &r), ERR_ok);
    const struct group *g = model_group(w->m, 1);
    return (struct message *)group_message(g, g->messages.count);
}

static void begin(struct world *w)
{
    world_users(w, 3);
    world_group(w, 1, WORLD_U32S(1, 2));
}

static void test_what_expires(void **state)
{
    struct world *w = *state;
    begin(w);
    assert_int_equal(world_expire(w, 1, 1), ERR_refused);
    struct uuid first = post_with_id(w, 1, "a")->id;
    post_with_id(w, 2, "b");
    struct uuid third = post_with_id(w, 1, "c")->id;
    const struct group *g = model_group(w->m, 1);
    uint64_t last_cursor = g->last_cursor;

    assert_int_equal(world_expire(w, 2, 1), ERR_refused);
    assert_int_equal(world_expire(w, 1, 4), ERR_refused);
    assert_int_equal(world_expire(w, 1, 0), ERR_duplicate);
    world_hush(w);
    assert_int_equal(world_expire(w, 1, 2), ERR_ok);
    assert_int_equal(w->told_count, 0);
    assert_int_equal(world_expire(w, 1, 2), ERR_duplicate);
    assert_int_equal(world_expire(w, 1, 1), ERR_duplicate);
    assert_int_equal(g->expired, 2);
    assert_int_equal(g->last_cursor, last_cursor);
    assert_null(group_message(g, 1));
    assert_null(group_message(g, 2));
    assert_null(model_message_by_id(w->m, &first));
    assert_ptr_equal(model_message_by_id(w->m, &third), group_message(g, 3));
    assert_int_equal(model_message_count(w->m), 1);
    assert_true(model_memory_unused(w->m) > 100);

    /* All of them, and numbers go on. */
    assert_int_equal(world_expire(w, 1, 3), ERR_ok);
    assert_int_equal(model_message_count(w->m), 0);
    assert_int_equal(world_post(w, 1, 2, "next")->seq, 4);
    assert_null(group_message(g, 3));
}

/* A client_id is remembered as long as its message is kept. */
static void test_client_ids_are_free_again(void **state)
{
    struct world *w = *state;
    begin(w);
    post_with_id(w, 1, "a");
    struct record again = world_post_record(w, 1, 1, "a", "text");
    assert_int_equal(world_commit(w, &again), ERR_duplicate);
    assert_int_equal(world_expire(w, 1, 1), ERR_ok);
    again = world_post_record(w, 1, 1, "a", "another text");
    assert_int_equal(world_commit(w, &again), ERR_ok);
    assert_int_equal(group_message(model_group(w->m, 1), 2)->previous_own, 0);
}

static void test_marks_and_unread(void **state)
{
    struct world *w = *state;
    begin(w);
    for (int i = 0; i < 10; i++)
        world_post(w, 1, 1 + (uint32_t)i % 2, "x"); /* user 1's have odd numbers */
    const struct member *one = world_member(w, 1, 1), *two = world_member(w, 1, 2);
    assert_int_equal(world_mark(w, 1, 2, 4, WORLD_READ), ERR_ok);
    assert_int_equal(view_unread(one), 5);
    assert_int_equal(view_unread(two), 3);

    /* A mark below what is gone stays; what is gone does not count as unread. */
    assert_int_equal(world_expire(w, 1, 6), ERR_ok);
    assert_int_equal(two->read.seq, 4);
    assert_int_equal(view_unread(one), 2);
    assert_int_equal(one->own_unread, 2);
    assert_int_equal(view_unread(two), 2);
    assert_int_equal(world_mark(w, 1, 2, 5, WORLD_READ), ERR_message_not_found);
    /* From a mark below to one above: the author hears of their newest, which is there. */
    world_hush(w);
    assert_int_equal(world_mark(w, 1, 2, 8, WORLD_READ), ERR_ok);
    assert_int_equal(w->told_count, 2);
    assert_int_equal(w->told[0].event.message->seq, 7);
    assert_int_equal(view_unread(two), 1);

    /* All that somebody wrote. */
    assert_int_equal(world_expire(w, 1, 9), ERR_ok);
    assert_int_equal(one->last_own, 0);
    assert_int_equal(two->last_own, 10);
    assert_null(member_own_message(one, 10));
    assert_int_equal(view_unread(two), 0);
    assert_int_equal(view_unread(one), 1);
    world_hush(w);
    assert_int_equal(world_mark(w, 1, 1, 10, WORLD_READ), ERR_ok);
    assert_int_equal(w->told_count, 2);
}

/* A reader of pieces stands in the middle of what goes. */
static void test_timeline_goes_over_what_is_gone(void **state)
{
    struct world *w = *state;
    struct event e;
    begin(w);
    for (int i = 0; i < 5; i++)
        world_post(w, 1, 1, "x");
    assert_int_equal(world_mark(w, 1, 2, 5, WORLD_READ), ERR_ok);
    struct timeline *t = timeline_new(w->m, model_user(w->m, 1), 0, true);
    assert_true(timeline_next(t, &e)); /* 70 */
    assert_true(timeline_next(t, &e));
    assert_int_equal(e.message->seq, 1);
    assert_int_equal(world_expire(w, 1, 3), ERR_ok);
    assert_true(timeline_next(t, &e));
    assert_int_equal(e.message->seq, 4);
    assert_int_equal(world_expire(w, 1, 4), ERR_ok);
    assert_true(timeline_next(t, &e));
    assert_int_equal(e.message->seq, 5);
    /* Delivered and read, of the one that is left. */
    for (int i = 0; i < 2; i++) {
        assert_true(timeline_next(t, &e));
        assert_int_equal(e.type, i == 0 ? EVENT_message_delivered : EVENT_message_read);
        assert_int_equal(e.message->seq, 5);
    }
    assert_false(timeline_next(t, &e));
    assert_int_equal(timeline_position(t), model_cursor(w->m));
    timeline_free(t);
}

/* Over the chunks of the list, into a snapshot and on. */
static void test_many(void **state)
{
    struct world *w = *state;
    begin(w);
    w->unproven = true;
    for (uint32_t i = 1; i <= 1700; i++) {
        assert_int_equal(world_post(w, 1, 1 + i % 2, "x")->seq, i);
        if (i % 100 == 0 && i - i / 7 > model_group(w->m, 1)->expired)
            assert_int_equal(world_expire(w, 1, i - i / 7), ERR_ok);
        if (i == 512 || i == 1024 || i == 1300) {
            assert_int_equal(world_expire(w, 1, i), ERR_ok);
            struct model *copy = saved_copy(w->m);
            assert_non_null(copy);
            model_verify(copy);
            world_assert_same(w->m, copy);
            model_free(copy);
        }
    }
    model_verify(w->m);
    assert_int_equal(model_group(w->m, 1)->messages.count, 1700);
}

static void test_who_may_set_it(void **state)
{
    struct world *w = *state;
    begin(w);
    assert_int_equal(model_limited_groups(w->m), 0);
    assert_int_equal(world_retention(w, 2, 1, 7), ERR_refused);
    assert_int_equal(world_retention(w, 1, 9, 7), ERR_refused);
    assert_int_equal(world_retention(w, 1, 3, 7), ERR_group_not_found);
    assert_int_equal(world_retention(w, 1, 2, 7), ERR_forbidden);
    assert_int_equal(world_retention(w, 1, 1, 0), ERR_duplicate);
    assert_int_equal(world_retention(w, 1, 1, 7), ERR_ok);
    assert_int_equal(model_group(w->m, 1)->retention_days, 7);
    assert_int_equal(model_limited_groups(w->m), 1);
    assert_int_equal(world_role(w, 1, 2, 1, ROLE_ADMIN), ERR_ok);
    assert_int_equal(world_retention(w, 1, 2, 8), ERR_ok);
    assert_int_equal(world_retention(w, 1, 2, 8), ERR_duplicate);
    assert_int_equal(model_limited_groups(w->m), 1);
    assert_int_equal(world_leave(w, 1, 2, 2), ERR_ok);
    assert_int_equal(world_retention(w, 1, 2, 9), ERR_not_a_member);
    assert_int_equal(world_retention(w, 1, 1, 0), ERR_ok);
    assert_int_equal(model_limited_groups(w->m), 0);

    /* Either of two, in a direct group. A group that goes is limited no more. */
    assert_int_equal(world_direct(w, 1, 2), ERR_ok);
    assert_int_equal(world_retention(w, 2, 2, 5), ERR_ok);
    assert_int_equal(world_retention(w, 2, 1, 6), ERR_ok);
    assert_int_equal(world_retention(w, 1, 1, 6), ERR_ok);
    assert_int_equal(model_limited_groups(w->m), 2);
    world_post(w, 1, 1, "x");
    world_post(w, 1, 1, "y");
    assert_int_equal(world_expire(w, 1, 1), ERR_ok);
    assert_int_equal(world_delete(w, 1, 1), ERR_ok);
    assert_int_equal(model_limited_groups(w->m), 1);
    assert_int_equal(world_expire(w, 1, 2), ERR_refused);
    assert_int_equal(world_retention(w, 1, 1, 7), ERR_group_not_found);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        WORLD_TEST(test_what_expires),
        WORLD_TEST(test_client_ids_are_free_again),
        WORLD_TEST(test_marks_and_unread),
        WORLD_TEST(test_timeline_goes_over_what_is_gone),
        WORLD_TEST(test_many),
        WORLD_TEST(test_who_may_set_it),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
