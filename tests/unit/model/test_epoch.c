/*
 * The epoch: the journal's own until a record renews it.
 */
#include "world.h"

static bool epoch_is(const struct world *w, struct uuid wanted)
{
    struct uuid epoch = model_epoch(w->m);
    return uuid_equal(&epoch, &wanted);
}

static void test_it_is_renewed(void **state)
{
    struct world *w = *state;
    assert_true(epoch_is(w, (struct uuid){{0}}));
    assert_int_equal(world_renew(w, world_uuid(1)), ERR_ok);
    assert_true(epoch_is(w, world_uuid(1)));
    world_user(w, "anna");
    assert_true(epoch_is(w, world_uuid(1)));
    assert_int_equal(world_renew(w, world_uuid(2)), ERR_ok);
    assert_true(epoch_is(w, world_uuid(2)));
    /* One of before could only come from somewhere else, and is another epoch too. */
    assert_int_equal(world_renew(w, world_uuid(1)), ERR_ok);
    assert_true(epoch_is(w, world_uuid(1)));
}

static void test_what_is_refused(void **state)
{
    struct world *w = *state;
    assert_int_equal(world_renew(w, (struct uuid){{0}}), ERR_refused);
    assert_true(epoch_is(w, (struct uuid){{0}}));
    assert_int_equal(world_renew(w, world_uuid(1)), ERR_ok);
    assert_int_equal(world_renew(w, world_uuid(1)), ERR_refused);
    assert_int_equal(world_renew(w, (struct uuid){{0}}), ERR_refused);
    assert_true(epoch_is(w, world_uuid(1)));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        WORLD_TEST(test_it_is_renewed),
        WORLD_TEST(test_what_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
