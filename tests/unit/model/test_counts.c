/* What is counted for the page of metrics, over a small history. */
#include "world.h"

static void counts_are(const struct world *w, uint64_t users, uint64_t groups, uint64_t memberships,
                       uint64_t sessions, uint64_t messages)
{
    struct model_counts n = model_counts(w->m);
    assert_int_equal(n.users, users);
    assert_int_equal(n.groups, groups);
    assert_int_equal(n.memberships, memberships);
    assert_int_equal(n.sessions, sessions);
    assert_int_equal(n.messages, messages);
    assert_int_equal(n.hooks, 0);
}

static void test_counts(void **state)
{
    struct world *w = *state;
    counts_are(w, 0, 0, 0, 0, 0);
    world_users(w, 3);
    struct record session = world_session_record(w, 1);
    assert_int_equal(world_commit(w, &session), ERR_ok);
    uint32_t group = world_group(w, 1, WORLD_U32S(1, 2, 3));
    world_post(w, group, 1, "x");
    world_post(w, group, 2, "y");
    counts_are(w, 3, 1, 3, 1, 2);
    /* Who has left was there. */
    assert_int_equal(world_leave(w, group, 3, 3), ERR_ok);
    counts_are(w, 3, 1, 3, 1, 2);
    assert_int_equal(world_expire(w, group, 1), ERR_ok);
    counts_are(w, 3, 1, 3, 1, 1);
    assert_int_equal(world_delete(w, group, 1), ERR_ok);
    counts_are(w, 3, 0, 0, 1, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_counts, world_begin, world_end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
