#include "world.h"

static struct record renamed(struct world *w, uint32_t user, uint32_t tokens, const char *name)
{
    struct record r = world_profile_record(w, user, tokens);
    r.user_update.fields = PROFILE_NAME;
    r.user_update.display_name = bytes_cstr(name);
    return r;
}

static struct record moved(struct world *w, uint32_t user, uint32_t tokens, const char *email)
{
    struct record r = world_profile_record(w, user, tokens);
    r.user_update.fields = PROFILE_EMAIL;
    r.user_update.email = r.user_update.email_key = bytes_cstr(email);
    return r;
}

static struct record locked(struct world *w, uint32_t user, uint32_t tokens, const char *password)
{
    struct record r = world_profile_record(w, user, tokens);
    r.user_update.fields = PROFILE_PASSWORD;
    r.user_update.password = bytes_cstr(password);
    return r;
}

static void assert_text(struct bytes text, const char *is)
{
    assert_true(bytes_equal(text, bytes_cstr(is)));
}

static void test_display_name(void **state)
{
    struct world *w = *state;
    world_user(w, "anna");
    const struct user *u = model_user(w->m, 1);
    assert_text(user_display_name(u), "");
    struct record r = renamed(w, 1, 0, "Anna A.");
    assert_int_equal(world_commit(w, &r), ERR_ok);
    assert_text(user_display_name(u), "Anna A.");
    assert_text(u->username, "anna");
    assert_int_equal(world_commit(w, &r), ERR_duplicate);
    r = renamed(w, 1, 0, "Anna B.");
    assert_int_equal(world_commit(w, &r), ERR_ok);
    r = renamed(w, 1, 0, "");
    assert_int_equal(world_commit(w, &r), ERR_ok);
    assert_text(user_display_name(u), "");
    assert_int_equal(w->told_count, 0);
    assert_int_equal(user_tokens(u), 0);
}

static void test_email(void **state)
{
    struct world *w = *state;
    world_users(w, 2);
    const struct user *u = model_user(w->m, 1);
    struct record r = moved(w, 1, 0, "a@b");
    assert_int_equal(world_commit(w, &r), ERR_ok);
    assert_ptr_equal(model_user_by_email(w->m, BYTES("a@b")), u);
    assert_int_equal(world_commit(w, &r), ERR_duplicate);
    r = moved(w, 2, 0, "a@b");
    assert_int_equal(world_commit(w, &r), ERR_email_taken);
    /* The same in other letters, another, and none; what was given up is free. */
    r = moved(w, 1, 0, "a@b");
    r.user_update.email = BYTES("A@b");
    assert_int_equal(world_commit(w, &r), ERR_ok);
    assert_text(u->email, "A@b");
    r = moved(w, 1, 0, "c@d");
    assert_int_equal(world_commit(w, &r), ERR_ok);
    r = moved(w, 2, 0, "a@b");
    assert_int_equal(world_commit(w, &r), ERR_ok);
    r = moved(w, 1, 0, "");
    assert_int_equal(world_commit(w, &r), ERR_ok);
    assert_null(model_user_by_email(w->m, BYTES("c@d")));
    assert_int_equal(u->email.len, 0);
    r = moved(w, 1, 0, "e@f");
    r.user_update.email_key.len = 0;
    assert_int_equal(world_commit(w, &r), ERR_refused);
}

static void test_password(void **state)
{
    struct world *w = *state;
    world_users(w, 2);
    const struct user *u = model_user(w->m, 1);
    struct uuid ids[3];
    for (int i = 0; i < 3; i++) {
        struct record s = world_session_record(w, 1);
        ids[i] = s.session_create.id;
        assert_int_equal(world_commit(w, &s), ERR_ok);
    }
    struct record others = world_session_record(w, 2);
    assert_int_equal(world_commit(w, &others), ERR_ok);

    struct record r = locked(w, 1, 0, "$new$");
    r.user_update.except = ids[1];
    assert_int_equal(world_commit(w, &r), ERR_ok);
    assert_text(u->password, "$new$");
    assert_int_equal(user_tokens(u), 1);
    assert_int_equal(u->session_count, 1);
    assert_true(uuid_equal(&u->sessions->id, &ids[1]));
    assert_int_equal(model_user(w->m, 2)->session_count, 1);
    assert_int_equal(w->told_count, 3);
    assert_int_equal(w->told[0].event.type, EVENT_session_ended);
    assert_int_equal(w->told[2].event.type, EVENT_tokens_ended);
    assert_ptr_equal(w->told[2].event.user, u);

    /* Whoever comes with a token of before is late, whatever they want. */
    assert_int_equal(world_commit(w, &r), ERR_unauthorized);
    r = renamed(w, 1, 0, "x");
    assert_int_equal(world_commit(w, &r), ERR_unauthorized);
    r = world_open_record(w, 1, 0);
    assert_int_equal(world_commit(w, &r), ERR_unauthorized);
    r = world_open_record(w, 1, 2);
    assert_int_equal(world_commit(w, &r), ERR_unauthorized);
    r = world_open_record(w, 1, 1);
    assert_int_equal(world_commit(w, &r), ERR_ok);
    assert_int_equal(u->session_count, 2);
    /* The same hash again is a new password too. */
    r = locked(w, 1, 1, "$new$");
    assert_int_equal(world_commit(w, &r), ERR_ok);
    assert_int_equal(user_tokens(u), 2);
    assert_int_equal(u->session_count, 0);
}

static void test_what_is_refused(void **state)
{
    struct world *w = *state;
    world_user(w, "anna");
    struct record r = renamed(w, 2, 0, "x");
    assert_int_equal(world_commit(w, &r), ERR_refused);
    r = renamed(w, 0, 0, "x");
    assert_int_equal(world_commit(w, &r), ERR_refused);
    r = renamed(w, 1, 0, "x");
    r.user_update.fields = PROFILE_ALL + 1;
    assert_int_equal(world_commit(w, &r), ERR_refused);
    r = locked(w, 1, 0, "");
    assert_int_equal(world_commit(w, &r), ERR_refused);
    r = world_open_record(w, 2, 0);
    assert_int_equal(world_commit(w, &r), ERR_refused);
    r = world_open_record(w, 1, 0);
    r.session_open.platform = PLATFORM_COUNT;
    assert_int_equal(world_commit(w, &r), ERR_refused);
    r = world_profile_record(w, 1, 0);
    assert_int_equal(world_commit(w, &r), ERR_duplicate);
    assert_int_equal(w->told_count, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        WORLD_TEST(test_display_name),
        WORLD_TEST(test_email),
        WORLD_TEST(test_password),
        WORLD_TEST(test_what_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
