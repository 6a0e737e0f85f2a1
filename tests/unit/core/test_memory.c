#include "tests/unit/model/world.h"

#include <stdlib.h>

#include "core/memory.h"

#define MIB ((uint64_t)1 << 20)

/* The test's memory: what it says is in use, and how often it was asked. */
struct asked {
    uint64_t used;
    unsigned looks;
};

static uint64_t look(void *ctx)
{
    struct asked *a = ctx;
    a->looks++;
    return a->used;
}

static const struct record message = {.type = RECORD_message_post};
static const struct record receipt = {.type = RECORD_receipt_mark};

static void test_no_limit_never_looks(void **state)
{
    struct asked a = {.used = UINT64_MAX};
    struct memory m;

    (void)state;
    memory_init(&m, 0, look, &a);
    for (int i = 0; i < 100; i++)
        assert_true(memory_takes(&m, &message, 100 * MIB));
    memory_look(&m);
    assert_int_equal(a.looks, 0);
}

static void test_full_until_a_sixteenth_is_free(void **state)
{
    struct asked a = {.used = 100 * MIB - 1};
    struct memory m;

    (void)state;
    memory_init(&m, 100 * MIB, look, &a);
    assert_true(memory_takes(&m, &message, 100));
    a.used++;
    memory_look(&m);
    assert_false(memory_takes(&m, &message, 100));
    assert_true(memory_takes(&m, &receipt, 100));
    a.used = 100 * MIB - 100 * MIB / 16;
    memory_look(&m);
    assert_false(memory_takes(&m, &message, 100));
    a.used--;
    memory_look(&m);
    assert_true(memory_takes(&m, &message, 100));
}

/* However much comes between two ticks, and with few looks. */
static void test_a_flood_stops_at_the_limit(void **state)
{
    static const size_t sizes[] = {10, 1000, 100000, 1000000};

    (void)state;
    for (size_t i = 0; i < 4; i++) {
        struct asked a = {.used = 10 * MIB};
        struct memory m;
        memory_init(&m, 200 * MIB, look, &a);
        while (memory_takes(&m, &message, sizes[i]))
            a.used += sizes[i] + 200;
        assert_true(a.used >= 200 * MIB - 2 * MIB);
        assert_true(a.used <= 200 * MIB + 2 * MIB);
        assert_true(a.looks < 300);
    }
}

static void test_what_grows_the_state(void **state)
{
    struct asked a = {.used = MIB};
    struct record r = {0};
    struct memory m;

    (void)state;
    memory_init(&m, MIB, look, &a);
    static const enum record_type refused[] = {RECORD_user_create, RECORD_session_create,
                                               RECORD_group_create, RECORD_member_add,
                                               RECORD_message_post};
    for (size_t i = 0; i < COUNT_OF(refused); i++) {
        memset(&r, 0, sizeof r);
        r.type = refused[i];
        assert_false(memory_takes(&m, &r, 10));
    }
    /* A device in place of another. */
    memset(&r, 0, sizeof r);
    r.type = RECORD_session_create;
    r.session_create.replaces.b[3] = 1;
    assert_true(memory_takes(&m, &r, 10));
    static const enum record_type taken[] = {RECORD_member_remove, RECORD_receipt_mark,
                                             RECORD_session_end, RECORD_sessions_end};
    for (size_t i = 0; i < COUNT_OF(taken); i++) {
        memset(&r, 0, sizeof r);
        r.type = taken[i];
        assert_true(memory_takes(&m, &r, 10));
    }
}

/* A group with many members takes much more than its record has bytes. */
static void test_members_of_a_group_count(void **state)
{
    struct asked a = {.used = 10 * MIB};
    struct record r = {.type = RECORD_group_create};
    struct memory m;

    (void)state;
    memory_init(&m, 100 * MIB, look, &a);
    r.group_create.members.count = 1000;
    while (memory_takes(&m, &r, 4000))
        a.used += 200 * 1000;
    assert_true(a.used <= 102 * MIB);
}

static void test_resident_sees_what_is_used(void **state)
{
    (void)state;
    uint64_t before = memory_resident();
    uint8_t *p = malloc(50 * MIB);
    assert_non_null(p);
    memset(p, 1, 50 * MIB);
    uint64_t after = memory_resident();
    assert_true(before > 0 && p[MIB] == 1);
    assert_true(after >= before + 49 * MIB);
    free(p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_no_limit_never_looks),
        cmocka_unit_test(test_full_until_a_sixteenth_is_free),
        cmocka_unit_test(test_a_flood_stops_at_the_limit),
        cmocka_unit_test(test_what_grows_the_state),
        cmocka_unit_test(test_members_of_a_group_count),
        cmocka_unit_test(test_resident_sees_what_is_used),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
