/*
 * Somebody is no more: what goes at once, what goes in pieces, and what an id still finds.
 */
#include "world.h"

static void assert_unknown(struct world *w, const struct user *u)
{
    assert_null(model_user_by_id(w->m, &u->id));
    assert_null(model_user_by_name(w->m, BYTES("anna")));
    assert_null(model_user_by_email(w->m, BYTES("a@b")));
    assert_int_equal(u->username.len + u->username_key.len, 0);
    assert_int_equal(u->email.len + u->email_key.len + u->password.len, 0);
    assert_int_equal(user_display_name(u).len, 0);
    assert_int_equal(user_external_id(u).len, 0);
    assert_int_equal(u->session_count, 0);
}

/* Are these bytes anywhere in the user's own allocation? */
static bool holds(const struct user *u, size_t len, const char *text)
{
    return memmem(u, sizeof *u + len, text, strlen(text)) != NULL;
}

static void test_names_go_at_once(void **state)
{
    struct world *w = *state;
    struct record r = world_user_record(w, "anna");
    r.user_create.email = r.user_create.email_key = BYTES("a@b");
    r.user_create.password = BYTES("$secret$");
    size_t texts = 4 + 4 + 3 + 3 + 8;
    assert_int_equal(world_commit(w, &r), ERR_ok);
    const struct user *u = model_user(w->m, 1);
    r = world_profile_record(w, 1, 0);
    r.user_update.fields = PROFILE_NAME;
    r.user_update.display_name = BYTES("Anna A.");
    assert_int_equal(world_commit(w, &r), ERR_ok);
    r = world_session_record(w, 1);
    assert_int_equal(world_commit(w, &r), ERR_ok);
    assert_true(holds(u, texts, "anna") && holds(u, texts, "$secret$"));

    assert_null(model_erasing(w->m));
    assert_int_equal(world_forget(w, 1, 1), ERR_unauthorized);
    assert_int_equal(world_forget(w, 2, 0), ERR_refused);
    assert_int_equal(world_forget(w, 1, 0), ERR_ok);
    assert_unknown(w, u);
    assert_false(holds(u, texts, "anna") || holds(u, texts, "a@b") || holds(u, texts, "$secret$"));
    assert_ptr_equal(model_erasing(w->m), u);
    assert_int_equal(w->told_count, 2);
    assert_int_equal(w->told[0].event.type, EVENT_session_ended);
    assert_int_equal(w->told[1].event.type, EVENT_tokens_ended);
    assert_int_equal(world_forget(w, 1, 0), ERR_unauthorized);

    /* The name and the address are anybody's again. */
    r = world_user_record(w, "anna");
    r.user_create.email = r.user_create.email_key = BYTES("a@b");
    assert_int_equal(world_commit(w, &r), ERR_ok);
    assert_int_equal(model_user_by_name(w->m, BYTES("anna"))->number, 2);
}

static void test_a_user_of_the_app(void **state)
{
    struct world *w = *state;
    world_app_user(w, "7", "anna");
    assert_int_equal(world_rename(w, 1, "Anna", "anna"), ERR_ok);
    const struct user *u = model_user(w->m, 1);
    assert_int_equal(world_forget(w, 1, 0), ERR_ok);
    assert_unknown(w, u);
    assert_null(model_user_by_external_id(w->m, BYTES("7")));
    assert_int_equal(world_rename(w, 1, "Anna", "anna"), ERR_refused);
    /* The app may give its id to somebody else. */
    world_app_user(w, "7", "anna");
    assert_int_equal(model_user_by_external_id(w->m, BYTES("7"))->number, 2);
}

static void test_nobody_brings_them_back(void **state)
{
    struct world *w = *state;
    world_users(w, 3);
    world_group(w, 1, WORLD_U32S(1, 2));
    world_group(w, 1, WORLD_U32S(1));
    assert_int_equal(world_forget(w, 2, 0), ERR_ok);
    assert_int_equal(world_add(w, 2, 2, 1), ERR_user_not_found);
    assert_int_equal(world_direct(w, 1, 2), ERR_user_not_found);
    assert_int_equal(world_direct(w, 2, 1), ERR_unauthorized);
    struct record r = world_group_record(w, 1, WORLD_U32S(1, 2));
    assert_int_equal(world_commit(w, &r), ERR_user_not_found);
    r = world_make_record(w, 1, WORLD_U32S(1, 2), JOIN_OPEN, HISTORY_ALL);
    assert_int_equal(world_commit(w, &r), ERR_user_not_found);
    r = world_session_record(w, 2);
    assert_int_equal(world_commit(w, &r), ERR_refused);
    r = world_open_record(w, 2, 0);
    assert_int_equal(world_commit(w, &r), ERR_unauthorized);
    r = world_profile_record(w, 2, 0);
    r.user_update.fields = PROFILE_NAME;
    r.user_update.display_name = BYTES("x");
    assert_int_equal(world_commit(w, &r), ERR_unauthorized);
    /* They may be removed by others while they are on the way, and do not come back. */
    assert_int_equal(world_remove(w, 1, 2, 1), ERR_ok);
    assert_int_equal(world_add(w, 1, 2, 1), ERR_user_not_found);
    assert_int_equal(world_add(w, 1, 2, 2), ERR_forbidden);
}

static void test_messages_become_tombstones(void **state)
{
    struct world *w = *state;
    world_users(w, 2);
    world_group(w, 1, WORLD_U32S(1, 2));
    world_post(w, 1, 1, "of somebody who goes");
    world_post(w, 1, 2, "of somebody who stays");
    world_post(w, 1, 1, "another");
    const struct group *g = model_group(w->m, 1);
    assert_int_equal(world_erase_message(w, 1, 1), ERR_refused);
    assert_int_equal(world_forget(w, 1, 0), ERR_ok);
    assert_int_equal(world_erased(w, 1), ERR_refused); /* is still a member */
    assert_int_equal(world_leave(w, 1, 1, 1), ERR_ok);
    assert_ptr_equal(g->owner, model_user(w->m, 2));
    w->told_count = 0;
    assert_int_equal(world_erase_message(w, 1, 1), ERR_ok);
    assert_int_equal(w->told_count, 1);
    assert_int_equal(w->told[0].event.type, EVENT_message_deleted);
    assert_int_equal(w->told[0].event.user->number, 1);
    assert_true(group_message(g, 1)->deleted);
    assert_int_equal(world_erase_message(w, 1, 1), ERR_duplicate);
    assert_int_equal(world_erase_message(w, 1, 2), ERR_refused);
    assert_int_equal(world_erase_message(w, 1, 4), ERR_message_not_found);
    assert_int_equal(world_erase_message(w, 2, 1), ERR_message_not_found);
    assert_int_equal(world_erase_message(w, 1, 3), ERR_ok);
    assert_int_equal(world_erased(w, 1), ERR_ok);
    assert_int_equal(world_erased(w, 1), ERR_refused);
    assert_int_equal(world_erased(w, 2), ERR_refused);
    assert_int_equal(world_erased(w, 3), ERR_refused);
    assert_null(model_erasing(w->m));
    assert_int_equal(model_user(w->m, 1)->erasure, ERASURE_DONE);
}

static void test_several_on_the_way(void **state)
{
    struct world *w = *state;
    world_users(w, 3);
    for (uint32_t n = 3; n > 0; n--)
        assert_int_equal(world_forget(w, n, 0), ERR_ok);
    assert_int_equal(model_erasing(w->m)->number, 3);
    assert_int_equal(world_erased(w, 2), ERR_ok);
    assert_int_equal(model_erasing(w->m)->number, 3);
    assert_int_equal(world_erased(w, 3), ERR_ok);
    assert_int_equal(model_erasing(w->m)->number, 1);
    assert_int_equal(world_erased(w, 1), ERR_ok);
    assert_null(model_erasing(w->m));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        WORLD_TEST(test_names_go_at_once),        WORLD_TEST(test_a_user_of_the_app),
        WORLD_TEST(test_nobody_brings_them_back), WORLD_TEST(test_messages_become_tombstones),
        WORLD_TEST(test_several_on_the_way),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
