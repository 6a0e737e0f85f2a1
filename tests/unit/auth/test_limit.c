#include "auth/limit.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/crypto.h"

/* A generator with a fixed seed: the same run every time. */
static uint64_t random_state;

static uint32_t random_u32(void)
{
    random_state = random_state * 6364136223846793005u + 1442695040888963407u;
    return (uint32_t)(random_state >> 32);
}

static void test_burst_then_refill(void **state)
{
    (void)state;
    struct limit_bucket bucket = {0};
    struct limit_rate rate = {.per_minute = 60, .burst = 3};

    for (int i = 0; i < 3; i++)
        assert_int_equal(limit_take(&bucket, &rate, 5000), 0);
    assert_int_equal(limit_take(&bucket, &rate, 5000), 1000);
    assert_int_equal(limit_take(&bucket, &rate, 5400), 600);
    assert_int_equal(limit_take(&bucket, &rate, 5999), 1);
    assert_int_equal(limit_take(&bucket, &rate, 6000), 0);
    assert_int_equal(limit_take(&bucket, &rate, 6000), 1000);
    /* A long rest fills it to the burst and no further. */
    for (int i = 0; i < 3; i++)
        assert_int_equal(limit_take(&bucket, &rate, 600000), 0);
    assert_int_equal(limit_take(&bucket, &rate, 600000), 1000);
}

static void test_peek_changes_nothing(void **state)
{
    (void)state;
    struct limit_bucket bucket = {0};
    struct limit_rate rate = {.per_minute = 6, .burst = 1};

    assert_int_equal(limit_peek(&bucket, &rate, 77), 0);
    assert_int_equal(limit_peek(&bucket, &rate, 77), 0);
    assert_int_equal(limit_take(&bucket, &rate, 77), 0);
    assert_int_equal(limit_peek(&bucket, &rate, 78), 9999);
    assert_int_equal(limit_peek(&bucket, &rate, 78), 9999);
    assert_int_equal(limit_peek(&bucket, &rate, 10077), 0);
}

/* However much came back meanwhile: the bucket is as if the one that is given back had never been
 * taken, but for a thousandth a step. */
static void test_giving_back(void **state)
{
    (void)state;
    random_state = 3;
    for (int round = 0; round < 2000; round++) {
        struct limit_rate rate = {.per_minute = 1 + random_u32() % 5000,
                                  .burst = 2 + random_u32() % 8};
        struct limit_bucket with = {0}, without = {0};
        int64_t now = random_u32();
        uint32_t others = random_u32() % (rate.burst - 1);

        for (uint32_t i = 0; i < others; i++) {
            assert_int_equal(limit_take(&with, &rate, now), 0);
            assert_int_equal(limit_take(&without, &rate, now), 0);
        }
        assert_int_equal(limit_take(&with, &rate, now), 0);
        now += random_u32() % 3000;
        limit_give_back(&with, &rate, now);
        for (uint32_t i = 0; i < rate.burst; i++) {
            uint32_t a = limit_take(&with, &rate, now), b = limit_take(&without, &rate, now);
            uint32_t thousandth_ms = 2 * 60 / rate.per_minute + 2;
            assert_true(a <= b + thousandth_ms && b <= a + thousandth_ms);
        }
    }
}

static void test_giving_back_never_overfills(void **state)
{
    (void)state;
    struct limit_bucket bucket = {0};
    struct limit_rate rate = {.per_minute = 60, .burst = 2};
    struct limit_rate none = {.per_minute = 0, .burst = 1};

    for (int i = 0; i < 5; i++)
        limit_give_back(&bucket, &rate, 100);
    assert_int_equal(limit_take(&bucket, &rate, 100), 0);
    assert_int_equal(limit_take(&bucket, &rate, 100), 0);
    assert_int_equal(limit_take(&bucket, &rate, 100), 1000);
    limit_give_back(&bucket, &rate, 100);
    assert_int_equal(limit_take(&bucket, &rate, 100), 0);
    assert_int_equal(limit_take(&bucket, &rate, 100), 1000);

    bucket = (struct limit_bucket){0};
    limit_give_back(&bucket, &none, 100);
    assert_int_equal(bucket.spent_milli, 0);
    assert_int_equal(bucket.stamp_ms, 0);
}

static void test_no_limit(void **state)
{
    (void)state;
    struct limit_bucket bucket = {0};
    struct limit_rate rate = {.per_minute = 0, .burst = 1};

    for (int i = 0; i < 1000; i++)
        assert_int_equal(limit_take(&bucket, &rate, 1), 0);
    assert_int_equal(bucket.spent_milli, 0);
}

/* Asking again and again while refused must not lose the fractions of what comes back. */
static void test_refused_looks_cost_nothing(void **state)
{
    (void)state;
    struct limit_bucket bucket = {0};
    struct limit_rate rate = {.per_minute = 1, .burst = 1};
    int64_t now = 123;

    assert_int_equal(limit_take(&bucket, &rate, now), 0);
    for (int64_t t = 0; t < 60000; t += 7)
        assert_int_equal(limit_take(&bucket, &rate, now + t), 60000 - t);
    assert_int_equal(limit_take(&bucket, &rate, now + 60000), 0);
}

/* A wait that was told is exact: one millisecond earlier it is refused. */
static void test_wait_is_exact(void **state)
{
    (void)state;
    random_state = 1;
    for (int round = 0; round < 200; round++) {
        struct limit_bucket bucket = {0};
        struct limit_rate rate = {.per_minute = 1 + random_u32() % 100000,
                                  .burst = 1 + random_u32() % 5};
        int64_t now = random_u32();

        for (int i = 0; i < 100; i++) {
            uint32_t wait = limit_take(&bucket, &rate, now);
            if (wait == 0) {
                now += random_u32() % 50;
                continue;
            }
            assert_int_not_equal(limit_peek(&bucket, &rate, now + wait - 1), 0);
            assert_int_equal(limit_peek(&bucket, &rate, now + wait), 0);
            now += random_u32() % (wait + 2);
        }
    }
}

/* However it is asked, no more is granted than burst + rate * time. Who asks again in time, before
 * the bucket runs over, gets all of that, less what is still in the bucket and a thousandth a
 * grant. */
static void test_grants_follow_the_rate(void **state)
{
    (void)state;
    static const uint32_t rates[] = {1, 7, 59, 60, 61, 600, 6000, 59999, 60000000, 60000001};

    random_state = 2;
    for (size_t r = 0; r < sizeof rates / sizeof rates[0]; r++) {
        /* Room for one request and for what comes back in one millisecond. */
        struct limit_rate rate = {.per_minute = rates[r],
                                  .burst = 3 + rates[r] / 60000 + random_u32() % 1000};
        struct limit_bucket bucket = {0};
        int64_t start = random_u32();
        int64_t now = start;
        uint64_t granted = 0;

        for (int i = 0; i < 20000; i++) {
            uint32_t wait = limit_take(&bucket, &rate, now);
            uint64_t allowed_milli =
                (uint64_t)rate.burst * 1000 + (uint64_t)(now - start) * rate.per_minute / 60;
            if (wait == 0) {
                granted++;
                assert_true(granted * 1000 <= allowed_milli);
            } else {
                assert_true(granted * 1000 + 1000 + granted >= allowed_milli);
                now += random_u32() % 2 ? wait : 1 + random_u32() % wait;
            }
        }
        assert_true(granted > rate.burst);
    }
}

/* Over the wrap of 32-bit milliseconds time goes on as if there were none. */
static void test_wrap_of_the_stamp(void **state)
{
    (void)state;
    struct limit_rate rate = {.per_minute = 60, .burst = 2};

    for (int64_t start = INT64_C(0xfffffff0); start < INT64_C(0x100000010); start++) {
        struct limit_bucket bucket = {0};

        assert_int_equal(limit_take(&bucket, &rate, start), 0);
        assert_int_equal(limit_take(&bucket, &rate, start), 0);
        assert_int_equal(limit_take(&bucket, &rate, start), 1000);
        assert_int_equal(limit_take(&bucket, &rate, start + 20), 980);
        assert_int_equal(limit_take(&bucket, &rate, start + 1000), 0);
    }
}

static void test_long_idleness(void **state)
{
    (void)state;
    struct limit_bucket spent;
    struct limit_rate slow = {.per_minute = 1, .burst = 2};
    struct limit_rate fast = {.per_minute = UINT32_MAX, .burst = LIMIT_BURST_MAX};

    /* Just short of the wrap everything has come back. */
    spent = (struct limit_bucket){.spent_milli = 2000, .stamp_ms = 10};
    assert_int_equal(limit_peek(&spent, &slow, 10 + INT64_C(0xffffffff)), 0);
    /* At the wrap it looks as if no time had passed: never more than there is. */
    assert_int_equal(limit_peek(&spent, &slow, 10 + INT64_C(0x100000000)), 60000);
    assert_int_equal(limit_peek(&spent, &slow, 10 + INT64_C(0x100000000) + 60000), 0);

    /* The largest numbers that there can be. */
    spent = (struct limit_bucket){.spent_milli = LIMIT_BURST_MAX * 1000u, .stamp_ms = 0};
    assert_int_equal(limit_peek(&spent, &fast, 0), 1);
    assert_int_equal(limit_peek(&spent, &fast, INT64_C(0xffffffff)), 0);
    assert_int_equal(limit_take(&spent, &fast, INT64_C(0xffffffff)), 0);
    assert_int_equal(spent.spent_milli, 1000);

    /* A burst that was lowered meanwhile: a wait beyond 32 bits is told as the largest. */
    spent = (struct limit_bucket){.spent_milli = UINT32_MAX, .stamp_ms = 0};
    slow.burst = 1;
    assert_int_equal(limit_peek(&spent, &slow, 0), UINT32_MAX);
}

/* ---- the table ---------------------------------------------------------------------------- */

static struct bytes key_of(const uint32_t *n)
{
    return bytes_of(n, sizeof *n);
}

static void test_table_keeps_keys_apart(void **state)
{
    (void)state;
    struct limit_rate rate = {.per_minute = 1, .burst = 2};
    struct limit_table *t = limit_table_new(64, &rate);

    assert_int_equal(limit_table_peek(t, BYTES("a"), 50), 0);
    assert_int_equal(limit_table_take(t, BYTES("a"), 50), 0);
    assert_int_equal(limit_table_take(t, BYTES("a"), 50), 0);
    assert_int_equal(limit_table_take(t, BYTES("a"), 50), 60000);
    assert_int_equal(limit_table_peek(t, BYTES("a"), 60), 59990);
    assert_int_equal(limit_table_take(t, BYTES("b"), 60), 0);
    assert_int_equal(limit_table_take(t, BYTES(""), 60), 0);
    assert_int_equal(limit_table_take(t, BYTES("a"), 60050), 0);
    limit_table_free(t);
}

static void test_table_gives_back(void **state)
{
    (void)state;
    struct limit_rate rate = {.per_minute = 1, .burst = 1};
    struct limit_table *t = limit_table_new(64, &rate);

    /* A key that nobody took from is not made, and has no more than others afterwards. */
    limit_table_give_back(t, BYTES("a"), 50);
    assert_int_equal(limit_table_take(t, BYTES("a"), 50), 0);
    assert_int_equal(limit_table_take(t, BYTES("a"), 50), 60000);
    limit_table_give_back(t, BYTES("b"), 50);
    assert_int_equal(limit_table_peek(t, BYTES("a"), 50), 60000);
    limit_table_give_back(t, BYTES("a"), 50);
    assert_int_equal(limit_table_take(t, BYTES("a"), 50), 0);
    assert_int_equal(limit_table_take(t, BYTES("a"), 50), 60000);
    limit_table_free(t);
}

static void test_table_without_limit(void **state)
{
    (void)state;
    struct limit_rate rate = {.per_minute = 0, .burst = 1};
    struct limit_table *t = limit_table_new(64, &rate);

    for (int i = 0; i < 10; i++)
        assert_int_equal(limit_table_take(t, BYTES("a"), 1), 0);
    assert_int_equal(limit_table_peek(t, BYTES("a"), 1), 0);
    limit_table_free(t);
}

/* Far more keys than places, each taking one: the key that is spent deeper stays refused. */
static void test_flood_keeps_what_is_spent(void **state)
{
    (void)state;
    struct limit_rate rate = {.per_minute = 1, .burst = 5};
    struct limit_table *t = limit_table_new(64, &rate);

    for (int i = 0; i < 5; i++)
        assert_int_equal(limit_table_take(t, BYTES("victim"), 1000), 0);
    for (uint32_t i = 0; i < 10000; i++) {
        assert_int_equal(limit_table_take(t, key_of(&i), 1000), 0);
        assert_int_equal(limit_table_peek(t, BYTES("victim"), 1000), 60000);
    }
    assert_int_equal(limit_table_take(t, BYTES("victim"), 1000), 60000);
    limit_table_free(t);
}

/* However many keys, no more are remembered than there are places. */
static void test_table_is_bounded(void **state)
{
    (void)state;
    struct limit_rate rate = {.per_minute = 1, .burst = 1};
    struct limit_table *t = limit_table_new(64, &rate);
    uint32_t remembered = 0;

    for (uint32_t i = 0; i < 1000; i++) {
        assert_int_equal(limit_table_take(t, key_of(&i), 7), 0);
        assert_int_not_equal(limit_table_peek(t, key_of(&i), 7), 0);
    }
    for (uint32_t i = 0; i < 1000; i++)
        remembered += limit_table_peek(t, key_of(&i), 7) != 0;
    assert_int_equal(remembered, 64);
    limit_table_free(t);
}

/* Eight new keys in a full table are all remembered, in one set or in several, where every other
 * place is older or fuller. */
static void check_eight_fit(const struct limit_rate *rate, int64_t then, int64_t step)
{
    struct limit_table *t = limit_table_new(64, rate);

    for (uint32_t i = 0; i < 2000; i++)
        assert_int_equal(limit_table_take(t, key_of(&i), 0), 0);
    for (uint32_t i = 2000; i < 2008; i++)
        assert_int_equal(limit_table_take(t, key_of(&i), then + (i - 2000) * step), 0);
    for (uint32_t i = 2000; i < 2008; i++)
        assert_int_not_equal(limit_table_peek(t, key_of(&i), then + 8 * step), 0);
    limit_table_free(t);
}

/* In less than 60 ms nothing comes back, so all are spent alike and age alone decides. */
static void test_of_equals_the_longest_idle_gives_way(void **state)
{
    (void)state;
    struct limit_rate rate = {.per_minute = 1, .burst = 1};

    for (int round = 0; round < 20; round++)
        check_eight_fit(&rate, 1, 1);
}

static void test_rested_give_way_before_spent(void **state)
{
    (void)state;
    struct limit_rate rate = {.per_minute = 60, .burst = 1};

    for (int round = 0; round < 20; round++)
        check_eight_fit(&rate, 1000000, 0);
}

int main(void)
{
    crypto_init();
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_burst_then_refill),
        cmocka_unit_test(test_peek_changes_nothing),
        cmocka_unit_test(test_giving_back),
        cmocka_unit_test(test_giving_back_never_overfills),
        cmocka_unit_test(test_no_limit),
        cmocka_unit_test(test_refused_looks_cost_nothing),
        cmocka_unit_test(test_wait_is_exact),
        cmocka_unit_test(test_grants_follow_the_rate),
        cmocka_unit_test(test_wrap_of_the_stamp),
        cmocka_unit_test(test_long_idleness),
        cmocka_unit_test(test_table_keeps_keys_apart),
        cmocka_unit_test(test_table_gives_back),
        cmocka_unit_test(test_table_without_limit),
        cmocka_unit_test(test_flood_keeps_what_is_spent),
        cmocka_unit_test(test_table_is_bounded),
        cmocka_unit_test(test_of_equals_the_longest_idle_gives_way),
        cmocka_unit_test(test_rested_give_way_before_spent),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
