/*
 * Settings, and the end of a group.
 */
#include "world.h"

#include "model/timeline.h"

static struct settings settings(const char *name, enum join join, enum history history)
{
    return (struct settings){bytes_cstr(name), (uint8_t)join, (uint8_t)history};
}

static void assert_name(const struct group *g, const char *name)
{
    assert_true(bytes_equal(g->name, bytes_cstr(name)));
}

/* Only what `fields` names is changed, so that two who change different things do not undo each
 * other's. */
static void test_each_field_for_itself(void **state)
{
    struct world *w = *state;
    world_users(w, 2);
    world_group(w, 1, WORLD_U32S(1, 2));
    const struct group *g = model_group(w->m, 1);
    struct settings to = settings("other", JOIN_OPEN, HISTORY_ALL);
    assert_int_equal(world_update(w, 1, 1, SETTING_JOIN, to), ERR_ok);
    assert_name(g, "the group");
    assert_int_equal(g->join, JOIN_OPEN);
    assert_int_equal(g->history, HISTORY_JOINED);
    assert_int_equal(world_update(w, 1, 1, SETTING_NAME, to), ERR_ok);
    assert_name(g, "other");
    assert_int_equal(world_update(w, 1, 1, SETTING_HISTORY, to), ERR_ok);
    assert_int_equal(g->history, HISTORY_ALL);
    assert_int_equal(world_update(w, 1, 1, SETTING_ALL, to), ERR_duplicate);
    assert_int_equal(world_update(w, 1, 1, 0, to), ERR_duplicate);
    assert_int_equal(world_update(w, 1, 1, SETTING_ALL + 1, to), ERR_refused);
    to.join = JOIN_COUNT;
    assert_int_equal(world_update(w, 1, 1, SETTING_JOIN, to), ERR_refused);
    struct settings first = group_first_settings(g);
    assert_true(bytes_equal(first.name, BYTES("the group")));
    assert_int_equal(first.join, JOIN_MEMBERS);
    assert_int_equal(first.history, HISTORY_JOINED);
}

static void test_who_may(void **state)
{
    struct world *w = *state;
    world_users(w, 5);
    world_group(w, 1, WORLD_U32S(1, 2, 3, 4));
    assert_int_equal(world_role(w, 1, 2, 1, ROLE_ADMIN), ERR_ok);
    assert_int_equal(world_leave(w, 1, 4, 4), ERR_ok);
    struct settings to = settings("a", JOIN_MEMBERS, HISTORY_JOINED);
    assert_int_equal(world_update(w, 1, 3, SETTING_NAME, to), ERR_forbidden);
    assert_int_equal(world_update(w, 1, 4, SETTING_NAME, to), ERR_not_a_member);
    assert_int_equal(world_update(w, 1, 5, SETTING_NAME, to), ERR_group_not_found);
    assert_int_equal(world_update(w, 2, 1, SETTING_NAME, to), ERR_refused);
    assert_int_equal(world_update(w, 1, 2, SETTING_NAME, to), ERR_ok);
    for (uint32_t by = 2; by <= 5; by++)
        assert_int_equal(world_delete(w, 1, by), by < 4    ? ERR_forbidden
                                                 : by == 4 ? ERR_not_a_member
                                                           : ERR_group_not_found);
    assert_int_equal(world_delete(w, 1, 1), ERR_ok);
}

static size_t saved_size(const struct world *w)
{
    struct saved s;
    saved_of(&s, w->m);
    size_t len = s.bytes.len;
    saved_release(&s);
    return len;
}

/* However often it changes, a group keeps what it was at first and what it is. */
static void test_changes_take_no_room(void **state)
{
    struct world *w = *state;
    size_t size = 0;
    world_users(w, 2);
    world_group(w, 1, WORLD_U32S(1, 2));
    w->cursor = 1u << 20; /* numbers of one length from here on */
    for (int i = 0; i < 2000; i++) {
        struct settings to = settings(i % 2 == 0 ? "even" : "odd.", JOIN_MEMBERS, HISTORY_JOINED);
        assert_int_equal(world_update(w, 1, 1, SETTING_NAME, to), ERR_ok);
        assert_int_equal(world_role(w, 1, 2, 1, i % 2 == 0 ? ROLE_ADMIN : ROLE_MEMBER), ERR_ok);
        if (i == 0)
            size = saved_size(w);
    }
    assert_in_range(saved_size(w), size - 8, size + 8);
    struct event e;
    struct timeline *t = timeline_new(w->m, model_user(w->m, 2), 0, true);
    for (int i = 0; i < 3; i++)
        assert_true(timeline_next(t, &e));
    assert_false(timeline_next(t, &e));
    timeline_free(t);
}

static void test_an_open_group(void **state)
{
    struct world *w = *state;
    world_users(w, 4);
    struct record r = world_make_record(w, 1, WORLD_U32S(1), JOIN_OPEN, HISTORY_ALL);
    assert_int_equal(world_commit(w, &r), ERR_ok);
    assert_int_equal(world_add(w, 1, 2, 3), ERR_group_not_found); /* others, from outside */
    assert_int_equal(world_add(w, 1, 2, 2), ERR_ok);
    assert_int_equal(world_leave(w, 1, 2, 2), ERR_ok);
    assert_int_equal(world_add(w, 1, 2, 2), ERR_ok);
    assert_int_equal(world_leave(w, 1, 2, 1), ERR_ok);
    assert_int_equal(world_add(w, 1, 2, 2), ERR_forbidden);
    assert_int_equal(world_add(w, 1, 2, 1), ERR_ok);
    r = (struct record){.type = RECORD_member_add, .member_add = {w->now, 1, 3, 3, 2, 0}};
    assert_int_equal(world_commit(w, &r), ERR_group_full);
    assert_int_equal(world_update(w, 1, 1, SETTING_JOIN, settings("", JOIN_MEMBERS, HISTORY_ALL)),
                     ERR_ok);
    assert_int_equal(world_add(w, 1, 3, 3), ERR_group_not_found);
    r = world_make_record(w, 1, WORLD_U32S(1), JOIN_COUNT, HISTORY_ALL);
    assert_int_equal(world_commit(w, &r), ERR_refused);
}

/* What names the group by its number finds nobody in it, and nothing is left in any table. */
static void test_a_group_that_is_no_more(void **state)
{
    struct world *w = *state;
    world_users(w, 3);
    world_group(w, 1, WORLD_U32S(1, 2));
    struct record r = world_post_record(w, 1, 1, "c1", "gone");
    assert_int_equal(world_commit(w, &r), ERR_ok);
    assert_int_equal(world_mark(w, 1, 2, 1, WORLD_READ), ERR_ok);
    struct uuid id = model_group(w->m, 1)->id, message = r.message_post.id;
    world_hush(w);
    assert_int_equal(world_delete(w, 1, 1), ERR_ok);
    assert_int_equal(w->told_count, 1);
    assert_int_equal(w->told[0].seen, 1u << 1 | 1u << 2);
    assert_null(model_group_by_id(w->m, &id));
    assert_null(model_message_by_id(w->m, &message));
    assert_null(model_message_by_client_id(w->m, model_user(w->m, 1), BYTES("c1")));
    assert_int_equal(model_message_count(w->m), 0);
    assert_int_equal(model_user(w->m, 1)->active_groups, 0);

    r.message_post.id = world_uuid(++w->ids);
    assert_int_equal(world_commit(w, &r), ERR_group_not_found);
    assert_int_equal(world_mark(w, 1, 2, 1, WORLD_READ), ERR_message_not_found);
    assert_int_equal(world_add(w, 1, 3, 1), ERR_group_not_found);
    assert_int_equal(world_add(w, 1, 1, 1), ERR_group_not_found);
    assert_int_equal(world_remove(w, 1, 2, 1), ERR_group_not_found);
    assert_int_equal(world_leave(w, 1, 1, 1), ERR_group_not_found);
    assert_int_equal(world_role(w, 1, 2, 1, ROLE_ADMIN), ERR_group_not_found);
    assert_int_equal(world_update(w, 1, 1, SETTING_ALL, settings("", 0, 0)), ERR_group_not_found);
    assert_int_equal(world_delete(w, 1, 1), ERR_group_not_found);
    /* The next one has a number of its own, and the client_id is free again. */
    assert_int_equal(world_group(w, 1, WORLD_U32S(1, 2)), 2);
    r = world_post_record(w, 2, 1, "c1", "new");
    assert_int_equal(world_commit(w, &r), ERR_ok);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        WORLD_TEST(test_each_field_for_itself),   WORLD_TEST(test_who_may),
        WORLD_TEST(test_changes_take_no_room),    WORLD_TEST(test_an_open_group),
        WORLD_TEST(test_a_group_that_is_no_more),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
