/*
 * Who is blocked writes no more to the one who wants to hear nothing from them.
 */
#include "world.h"

static enum err post(struct world *w, uint32_t group, uint32_t author, const char *client_id)
{
    struct record r = world_post_record(w, group, author, client_id, "text");
    return world_commit(w, &r);
}

static void test_the_list(void **state)
{
    struct world *w = *state;
    world_users(w, 5);
    const struct user *u = model_user(w->m, 3);
    static const uint32_t order[] = {4, 1, 5, 2};
    for (uint32_t i = 0; i < 4; i++) {
        const struct user *whom = model_user(w->m, order[i]);
        assert_false(user_blocks(u, whom));
        assert_int_equal(world_block(w, 3, order[i], true), ERR_duplicate);
        assert_int_equal(world_block(w, 3, order[i], false), ERR_ok);
        assert_int_equal(world_block(w, 3, order[i], false), ERR_duplicate);
        assert_true(user_blocks(u, whom));
        assert_false(user_blocks(whom, u));
    }
    for (uint32_t i = 0; i < 4; i++) {
        assert_int_equal(world_block(w, 3, order[i], true), ERR_ok);
        assert_false(user_blocks(u, model_user(w->m, order[i])));
        for (uint32_t k = i + 1; k < 4; k++)
            assert_true(user_blocks(u, model_user(w->m, order[k])));
    }
    assert_int_equal(w->told_count, 0);
}

static void test_what_is_refused(void **state)
{
    struct world *w = *state;
    world_users(w, 2);
    assert_int_equal(world_block(w, 1, 1, false), ERR_refused);
    assert_int_equal(world_block(w, 1, 3, false), ERR_user_not_found);
    assert_int_equal(world_block(w, 3, 1, false), ERR_refused);
    struct record r = world_block_record(w, 1, 2, false);
    r.user_block.tokens = 1;
    assert_int_equal(world_commit(w, &r), ERR_unauthorized);
    r = world_block_record(w, 1, 2, false);
    r.user_block.remove = 2;
    assert_int_equal(world_commit(w, &r), ERR_refused);
}

static enum err block_upto(struct world *w, uint32_t whom, uint32_t max)
{
    struct record r = world_block_record(w, 1, whom, false);
    r.user_block.blocks_max = max;
    return world_commit(w, &r);
}

static void test_the_limit(void **state)
{
    struct world *w = *state;
    world_users(w, 5);
    assert_int_equal(block_upto(w, 2, 2), ERR_ok);
    assert_int_equal(block_upto(w, 3, 2), ERR_ok);
    assert_int_equal(block_upto(w, 4, 2), ERR_too_many_blocks);
    assert_int_equal(block_upto(w, 3, 2), ERR_duplicate);
    /* Who is no more does not count, and is forgotten with the next. */
    assert_int_equal(world_forget(w, 2, 0), ERR_ok);
    assert_int_equal(model_user(w->m, 1)->profile->block_count, 2);
    assert_int_equal(block_upto(w, 4, 2), ERR_ok);
    assert_int_equal(model_user(w->m, 1)->profile->block_count, 2);
    assert_int_equal(block_upto(w, 5, 2), ERR_too_many_blocks);
    assert_int_equal(world_block(w, 1, 3, true), ERR_ok);
    assert_int_equal(block_upto(w, 5, 2), ERR_ok);
    assert_int_equal(world_block(w, 1, 2, true), ERR_user_not_found);
}

static void test_a_direct_group(void **state)
{
    struct world *w = *state;
    world_users(w, 3);
    assert_int_equal(world_direct(w, 2, 1), ERR_ok);
    assert_int_equal(post(w, 1, 2, "c1"), ERR_ok);
    assert_int_equal(world_block(w, 1, 2, false), ERR_ok);
    assert_int_equal(post(w, 1, 2, "c2"), ERR_blocked);
    assert_int_equal(world_edit(w, 1, 1, 2, "new"), ERR_blocked);
    assert_int_equal(world_react(w, 1, 1, 2, "+", false), ERR_blocked);
    assert_int_equal(world_direct(w, 2, 1), ERR_blocked);
    /* What was said stays said, may be said again, and may be taken back. */
    assert_int_equal(post(w, 1, 2, "c1"), ERR_duplicate);
    assert_int_equal(world_erase(w, 1, 1, 2), ERR_ok);
    /* The other way nothing is in the way. */
    assert_int_equal(post(w, 1, 1, "c3"), ERR_ok);
    assert_int_equal(world_direct(w, 1, 2), ERR_duplicate);
    /* Who came to talk cannot come back to it. */
    assert_int_equal(world_leave(w, 1, 2, 2), ERR_ok);
    assert_int_equal(world_direct(w, 2, 1), ERR_blocked);
    assert_int_equal(world_block(w, 1, 2, true), ERR_ok);
    assert_int_equal(world_direct(w, 2, 1), ERR_ok);
    assert_int_equal(post(w, 1, 2, "c2"), ERR_ok);
}

static void test_a_larger_group(void **state)
{
    struct world *w = *state;
    world_users(w, 2);
    world_group(w, 1, WORLD_U32S(1, 2));
    assert_int_equal(world_block(w, 1, 2, false), ERR_ok);
    assert_int_equal(post(w, 1, 2, "c1"), ERR_ok);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        WORLD_TEST(test_the_list),       WORLD_TEST(test_what_is_refused),
        WORLD_TEST(test_the_limit),      WORLD_TEST(test_a_direct_group),
        WORLD_TEST(test_a_larger_group),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
