/*
 * What is left in memory of a deleted group is there for nobody.
 */
#include "world.h"

#include <stdio.h>

#define MANY 600u /* messages: more than one chunk of a list */

struct posted {
    struct uuid id;
    char client_id[8];
};

static void post_one(struct world *w, uint32_t i, struct posted *posted)
{
    snprintf(posted->client_id, sizeof posted->client_id, "c%u", i);
    struct bytes client_id = bytes_cstr(posted->client_id);
    if (i % 2 == 0) {
        struct record r = world_send_record(w, 1, 1, i, WORLD_U32S(2), "{}");
        r.message_send.client_id = client_id;
        posted->id = r.message_send.id;
        assert_int_equal(world_commit(w, &r), ERR_ok);
        return;
    }
    struct record r = world_post_record(w, 1, 2, posted->client_id, "text");
    posted->id = r.message_post.id;
    assert_int_equal(world_commit(w, &r), ERR_ok);
}

/* Group 1 of users 1 and 2, with so many messages; every second one has details. */
static void fill(struct world *w, struct posted *posted, uint32_t count)
{
    w->unproven = true;
    world_users(w, 2);
    world_group(w, 1, WORLD_U32S(1, 2));
    for (uint32_t i = 0; i < count; i++)
        post_one(w, i, &posted[i]);
    assert_int_equal(world_edit(w, 1, count, 1 + (count - 1) % 2, "edited"), ERR_ok);
    assert_int_equal(world_react(w, 1, count, 2, "+", false), ERR_ok);
}

static void assert_gone(const struct model *m, const struct posted *posted, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        struct bytes client_id = bytes_cstr(posted[i].client_id);
        assert_null(model_message_by_id(m, &posted[i].id));
        assert_null(model_message_by_client_id(m, model_user(m, 1 + i % 2), client_id));
    }
    assert_int_equal(model_message_count(m), 0);
    model_verify(m);
}

static void test_gone_at_once_and_freed_in_pieces(void **state)
{
    static struct posted posted[MANY];
    struct world *w = *state;

    fill(w, posted, MANY);
    assert_false(model_reclaim(w->m, 1)); /* nothing waits */
    uint64_t unused = model_memory_unused(w->m);
    assert_int_equal(world_delete(w, 1, 1), ERR_ok);
    assert_gone(w->m, posted, MANY);
    while (model_reclaim(w->m, 100)) {
        assert_true(model_memory_unused(w->m) > unused);
        unused = model_memory_unused(w->m);
        assert_gone(w->m, posted, MANY);
    }
    assert_gone(w->m, posted, MANY);
    assert_false(model_reclaim(w->m, 1));
}

/* The same ids and client_ids come again while those of before wait; freeing these takes nothing
 * from them. */
static void test_what_is_named_the_same(void **state)
{
    static struct posted posted[MANY];
    struct world *w = *state;

    fill(w, posted, MANY);
    assert_int_equal(world_delete(w, 1, 1), ERR_ok);
    assert_int_equal(world_group(w, 1, WORLD_U32S(1, 2)), 2);
    for (uint32_t i = MANY - 20; i < MANY; i++) {
        struct record r = world_post_record(w, 2, 1 + i % 2, posted[i].client_id, "new");
        r.message_post.id = posted[i].id;
        assert_int_equal(world_commit(w, &r), ERR_ok);
        assert_int_equal(world_commit(w, &r), ERR_duplicate);
    }
    assert_true(model_reclaim(w->m, 1)); /* there were some left all the time */
    while (model_reclaim(w->m, 100))
        ;
    for (uint32_t i = MANY - 20; i < MANY; i++) {
        struct bytes client_id = bytes_cstr(posted[i].client_id);
        const struct message *msg = model_message_by_id(w->m, &posted[i].id);
        assert_int_equal(msg->group, 2);
        assert_ptr_equal(model_message_by_client_id(w->m, model_user(w->m, 1 + i % 2), client_id),
                         msg);
    }
    model_verify(w->m);
}

/* Two groups wait at once, one of which has lost its beginning already; the replay and the snapshot
 * of the teardown find them waiting, too. */
static void test_more_than_one(void **state)
{
    static struct posted posted[MANY];
    struct world *w = *state;

    fill(w, posted, MANY);
    assert_int_equal(world_expire(w, 1, 5), ERR_ok);
    assert_int_equal(world_group(w, 1, WORLD_U32S(1, 2)), 2);
    for (uint32_t i = 0; i < 40; i++)
        world_post(w, 2, 1, "text");
    assert_int_equal(world_delete(w, 1, 1), ERR_ok);
    assert_int_equal(world_delete(w, 2, 1), ERR_ok);
    assert_gone(w->m, posted, MANY);
    assert_true(model_reclaim(w->m, 50));
    assert_gone(w->m, posted, MANY);
}

/* Commits alone come to the end of it. */
static void test_commits_do_it_as_well(void **state)
{
    static struct posted posted[64];
    struct world *w = *state;

    fill(w, posted, COUNT_OF(posted));
    assert_int_equal(world_group(w, 1, WORLD_U32S(1, 2)), 2);
    assert_int_equal(world_delete(w, 1, 1), ERR_ok);
    for (uint32_t i = 0; i < COUNT_OF(posted) / 2; i++)
        assert_int_equal(world_retention(w, 2, 1, 1 + i), ERR_ok);
    assert_false(model_reclaim(w->m, 0));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        WORLD_TEST(test_gone_at_once_and_freed_in_pieces),
        WORLD_TEST(test_what_is_named_the_same),
        WORLD_TEST(test_more_than_one),
        WORLD_TEST(test_commits_do_it_as_well),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
