/*
 * The one group of two.
 */
#include "world.h"

static void test_one_group_for_two(void **state)
{
    struct world *w = *state;
    world_users(w, 3);
    assert_int_equal(world_direct(w, 1, 2), ERR_ok);
    const struct group *g = model_group(w->m, 1);
    assert_int_equal(g->kind, GROUP_DIRECT);
    assert_int_equal(g->name.len, 0);
    assert_int_equal(world_direct(w, 1, 2), ERR_duplicate);
    assert_int_equal(world_direct(w, 2, 1), ERR_duplicate);
    assert_int_equal(model_group_count(w->m), 1);
    assert_ptr_equal(model_direct(w->m, model_user(w->m, 2), model_user(w->m, 1)), g);
    assert_null(model_direct(w->m, model_user(w->m, 2), model_user(w->m, 3)));
    assert_int_equal(world_direct(w, 3, 2), ERR_ok);
    assert_int_equal(world_direct(w, 1, 1), ERR_refused);
    assert_int_equal(world_direct(w, 1, 4), ERR_refused);
    /* An id that is another group's. */
    struct record r = {.type = RECORD_direct_open,
                       .direct_open = {.time = w->now, .id = g->id, .by = 1, .user = 3}};
    assert_int_equal(world_commit(w, &r), ERR_refused);
}

static void test_nobody_else(void **state)
{
    struct world *w = *state;
    struct settings to = {BYTES("name"), JOIN_OPEN, HISTORY_ALL};
    world_users(w, 3);
    assert_int_equal(world_direct(w, 1, 2), ERR_ok);
    assert_int_equal(world_add(w, 1, 3, 1), ERR_forbidden);
    assert_int_equal(world_add(w, 1, 3, 3), ERR_group_not_found);
    assert_int_equal(world_leave(w, 1, 2, 1), ERR_forbidden);
    assert_int_equal(world_remove(w, 1, 2, 1), ERR_forbidden);
    assert_int_equal(world_role(w, 1, 2, 1, ROLE_OWNER), ERR_forbidden);
    assert_int_equal(world_role(w, 1, 2, 1, ROLE_ADMIN), ERR_forbidden);
    assert_int_equal(world_update(w, 1, 1, SETTING_ALL, to), ERR_forbidden);
    assert_int_equal(world_delete(w, 1, 1), ERR_forbidden);
}

/* Who asks comes back first, then the other, and never beyond their limit. */
static void test_leaving_and_coming_back(void **state)
{
    struct world *w = *state;
    world_users(w, 3);
    assert_int_equal(world_direct(w, 1, 2), ERR_ok);
    assert_int_equal(world_leave(w, 1, 1, 1), ERR_ok);
    assert_int_equal(model_group(w->m, 1)->owner->number, 2);
    assert_int_equal(world_add(w, 1, 1, 1), ERR_forbidden);
    assert_int_equal(world_add(w, 1, 1, 2), ERR_forbidden);
    assert_int_equal(world_leave(w, 1, 2, 2), ERR_ok);
    world_hush(w);
    assert_int_equal(world_direct(w, 2, 1), ERR_ok);
    assert_int_equal(w->told[0].event.type, EVENT_member_added);
    assert_int_equal(w->told[0].event.user->number, 2);
    assert_int_equal(model_group(w->m, 1)->owner->number, 2);
    assert_int_equal(world_direct(w, 2, 1), ERR_ok);
    assert_int_equal(w->told[1].event.user->number, 1);
    assert_int_equal(w->told[1].event.by->number, 2);
    assert_int_equal(world_direct(w, 2, 1), ERR_duplicate);

    world_group(w, 1, WORLD_U32S(1));
    assert_int_equal(world_leave(w, 1, 1, 1), ERR_ok);
    struct record r = {
        .type = RECORD_direct_open,
        .direct_open = {.time = w->now, .id = world_uuid(99), .by = 2, .user = 1, .groups_max = 1}};
    assert_int_equal(world_commit(w, &r), ERR_too_many_groups);
    r.direct_open.user = 3;
    assert_int_equal(world_commit(w, &r), ERR_too_many_groups);
    r.direct_open.groups_max = 2;
    assert_int_equal(world_commit(w, &r), ERR_ok);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        WORLD_TEST(test_one_group_for_two),
        WORLD_TEST(test_nobody_else),
        WORLD_TEST(test_leaving_and_coming_back),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
