#include "world.h"

static void test_an_app_user_is_a_user(void **state)
{
    struct world *w = *state;
    world_user(w, "anna");
    struct record r = world_app_user_record(w, "customer:7", "Dora");
    r.app_user_create.username_key = BYTES("dora");
    assert_int_equal(world_commit(w, &r), ERR_ok);

    const struct user *u = model_user(w->m, 2);
    assert_ptr_equal(model_user_by_external_id(w->m, BYTES("customer:7")), u);
    assert_ptr_equal(model_user_by_name(w->m, BYTES("dora")), u);
    assert_ptr_equal(model_user_by_id(w->m, &r.app_user_create.id), u);
    assert_true(bytes_equal(user_external_id(u), BYTES("customer:7")));
    assert_true(bytes_equal(u->username, BYTES("Dora")));
    assert_int_equal(u->password.len, 0);
    assert_int_equal(u->email_key.len, 0);
    assert_int_equal(user_external_id(model_user(w->m, 1)).len, 0);
    assert_null(model_user_by_external_id(w->m, BYTES("customer:")));
    assert_null(model_user_by_external_id(w->m, BYTES("")));
    assert_null(model_user_by_external_id(w->m, BYTES("Customer:7")));
}

static void test_ids(void **state)
{
    uint8_t longest[65];
    (void)state;
    memset(longest, 'x', sizeof longest);
    assert_true(external_id_valid(bytes_of(longest, 64)));
    assert_false(external_id_valid(bytes_of(longest, 65)));
    assert_false(external_id_valid(BYTES("")));
    for (unsigned c = 0; c < 256; c++) {
        uint8_t byte = (uint8_t)c;
        bool fits = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                    (c != 0 && strchr("-._~:@", (int)c) != NULL);
        assert_int_equal(external_id_valid(bytes_of(&byte, 1)), fits);
    }
}

static void test_what_is_refused(void **state)
{
    struct world *w = *state;
    world_user(w, "anna");
    world_app_user(w, "7", "dora");

    struct record r = world_app_user_record(w, "7", "emma");
    assert_int_equal(world_commit(w, &r), ERR_duplicate);
    r = world_app_user_record(w, "8", "anna");
    assert_int_equal(world_commit(w, &r), ERR_username_taken);
    r = world_app_user_record(w, "8", "");
    assert_int_equal(world_commit(w, &r), ERR_refused);
    r = world_app_user_record(w, "", "emma");
    assert_int_equal(world_commit(w, &r), ERR_refused);
    r = world_app_user_record(w, "8 9", "emma");
    assert_int_equal(world_commit(w, &r), ERR_refused);
    r = world_app_user_record(w, "8", "emma");
    r.app_user_create.id = model_user(w->m, 1)->id;
    assert_int_equal(world_commit(w, &r), ERR_refused);
    assert_int_equal(model_user_count(w->m), 2);
    /* Nor may anybody else have the name. */
    r = world_user_record(w, "dora");
    assert_int_equal(world_commit(w, &r), ERR_username_taken);
}

static void test_rename(void **state)
{
    struct world *w = *state;
    world_user(w, "anna");
    uint32_t dora = world_app_user(w, "7", "dora");
    const struct user *u = model_user(w->m, dora);

    assert_int_equal(world_rename(w, dora, "Anna", "anna"), ERR_username_taken);
    assert_int_equal(world_rename(w, dora, "", ""), ERR_refused);
    assert_int_equal(world_rename(w, 1, "emma", "emma"), ERR_refused);
    assert_int_equal(world_rename(w, 3, "emma", "emma"), ERR_refused);
    assert_int_equal(world_rename(w, 0, "emma", "emma"), ERR_refused);
    assert_true(bytes_equal(u->username, BYTES("dora")));

    assert_int_equal(world_rename(w, dora, "Emma", "emma"), ERR_ok);
    assert_true(bytes_equal(u->username, BYTES("Emma")));
    assert_ptr_equal(model_user_by_name(w->m, BYTES("emma")), u);
    assert_null(model_user_by_name(w->m, BYTES("dora")));
    /* The same name in other letters, and again another; what was given up is free. */
    assert_int_equal(world_rename(w, dora, "EMMA", "emma"), ERR_ok);
    assert_int_equal(world_rename(w, dora, "Frida", "frida"), ERR_ok);
    world_user(w, "emma");
    world_user(w, "dora");
    assert_ptr_equal(model_user_by_external_id(w->m, BYTES("7")), u);
}

static void test_many(void **state)
{
    struct world *w = *state;
    char id[] = "0000", name[] = "u0000";

    w->unproven = true;
    for (int i = 0; i < 3000; i++) {
        for (int k = 0, n = i; k < 4; k++, n /= 10)
            id[3 - k] = name[4 - k] = (char)('0' + n % 10);
        assert_int_equal(world_app_user(w, id, name), i + 1);
    }
    assert_int_equal(model_user_by_external_id(w->m, BYTES("2999"))->number, 3000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        WORLD_TEST(test_an_app_user_is_a_user),
        WORLD_TEST(test_ids),
        WORLD_TEST(test_what_is_refused),
        WORLD_TEST(test_rename),
        WORLD_TEST(test_many),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
