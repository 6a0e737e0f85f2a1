#include "world.h"

static void test_fields_are_kept(void **state)
{
    struct world *w = *state;
    struct record r = world_user_record(w, "Anna");
    r.user_create.username_key = BYTES("anna");
    r.user_create.email = BYTES("Anna@Example.org");
    r.user_create.email_key = BYTES("anna@example.org");
    r.user_create.password = BYTES("a\0b");
    assert_int_equal(world_commit(w, &r), ERR_ok);

    const struct user *u = model_user(w->m, 1);
    assert_non_null(u);
    assert_int_equal(u->number, 1);
    assert_int_equal(u->cursor, 1);
    assert_int_equal(u->created_at, 1000);
    assert_true(uuid_equal(&u->id, &r.user_create.id));
    assert_true(bytes_equal(u->username, BYTES("Anna")));
    assert_true(bytes_equal(u->username_key, BYTES("anna")));
    assert_true(bytes_equal(u->email, BYTES("Anna@Example.org")));
    assert_true(bytes_equal(u->email_key, BYTES("anna@example.org")));
    assert_true(bytes_equal(u->password, BYTES("a\0b")));
    assert_null(u->sessions);
    assert_null(u->annotation.p);
    assert_int_equal(w->told_count, 0);
}

static void test_found_by_key_only(void **state)
{
    struct world *w = *state;
    struct record r = world_user_record(w, "Anna");
    r.user_create.username_key = BYTES("anna");
    r.user_create.email = BYTES("A@b");
    r.user_create.email_key = BYTES("a@b");
    assert_int_equal(world_commit(w, &r), ERR_ok);
    const struct user *u = model_user(w->m, 1);

    assert_ptr_equal(model_user_by_id(w->m, &r.user_create.id), u);
    assert_ptr_equal(model_user_by_name(w->m, BYTES("anna")), u);
    assert_ptr_equal(model_user_by_email(w->m, BYTES("a@b")), u);
    assert_null(model_user_by_name(w->m, BYTES("Anna")));
    assert_null(model_user_by_name(w->m, BYTES("anna\0")));
    assert_null(model_user_by_name(w->m, BYTES("")));
    assert_null(model_user_by_email(w->m, BYTES("A@b")));
    assert_null(model_user_by_email(w->m, BYTES("")));
    assert_null(model_user(w->m, 0));
    assert_null(model_user(w->m, 2));
    assert_null(model_user(w->m, UINT32_MAX));
}

static void test_what_is_taken(void **state)
{
    struct world *w = *state;
    struct record first = world_user_record(w, "anna");
    first.user_create.email_key = BYTES("a@b");
    assert_int_equal(world_commit(w, &first), ERR_ok);

    struct record r = world_user_record(w, "anna");
    assert_int_equal(world_commit(w, &r), ERR_username_taken);
    /* The name is said first where both are taken. */
    r.user_create.email_key = BYTES("a@b");
    assert_int_equal(world_commit(w, &r), ERR_username_taken);
    r.user_create.username_key = BYTES("berta");
    assert_int_equal(world_commit(w, &r), ERR_email_taken);
    r.user_create.email_key = BYTES("");
    r.user_create.username_key = BYTES("");
    assert_int_equal(world_commit(w, &r), ERR_refused);
    r.user_create.username_key = BYTES("berta");
    r.user_create.id = first.user_create.id;
    assert_int_equal(world_commit(w, &r), ERR_refused);
    assert_int_equal(model_user_count(w->m), 1);

    /* What was refused took no number. */
    assert_int_equal(world_user(w, "berta"), 2);
    assert_int_equal(model_user(w->m, 2)->cursor, 7);
}

static void test_no_email_is_not_the_same_email(void **state)
{
    struct world *w = *state;
    world_user(w, "anna");
    world_user(w, "berta");
    assert_int_equal(model_user_count(w->m), 2);
}

static void test_longest_texts(void **state)
{
    struct world *w = *state;
    uint8_t text[255];
    memset(text, 'x', sizeof text);
    struct record r = world_user_record(w, "anna");
    r.user_create.username = bytes_of(text, sizeof text);
    r.user_create.username_key = bytes_of(text, sizeof text);
    r.user_create.email = bytes_of(text, sizeof text);
    r.user_create.email_key = bytes_of(text, sizeof text);
    r.user_create.password = bytes_of(text, sizeof text);
    assert_int_equal(world_commit(w, &r), ERR_ok);
    assert_ptr_equal(model_user_by_name(w->m, bytes_of(text, sizeof text)), model_user(w->m, 1));
    assert_null(model_user_by_name(w->m, bytes_of(text, sizeof text - 1)));
}

static void test_many(void **state)
{
    struct world *w = *state;
    char name[] = "user-0000";

    w->unproven = true;
    for (int i = 0; i < 3000; i++) {
        for (int k = 0, n = i; k < 4; k++, n /= 10)
            name[8 - k] = (char)('0' + n % 10);
        struct record r = world_user_record(w, name);
        r.user_create.email_key = bytes_cstr(name);
        assert_int_equal(world_commit(w, &r), ERR_ok);
    }
    assert_int_equal(model_user_count(w->m), 3000);
    assert_int_equal(model_user_by_name(w->m, BYTES("user-2999"))->number, 3000);
    assert_int_equal(model_user_by_email(w->m, BYTES("user-1499"))->number, 1500);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        WORLD_TEST(test_fields_are_kept), WORLD_TEST(test_found_by_key_only),
        WORLD_TEST(test_what_is_taken),   WORLD_TEST(test_no_email_is_not_the_same_email),
        WORLD_TEST(test_longest_texts),   WORLD_TEST(test_many),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
