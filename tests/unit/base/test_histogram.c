#include "base/histogram.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static void test_empty(void **state)
{
    struct histogram h = {0};
    (void)state;
    assert_int_equal(histogram_us(&h, 0), 0);
    assert_int_equal(histogram_us(&h, 5000), 0);
    assert_int_equal(histogram_us(&h, 10000), 0);
}

/* What one duration becomes: itself where it has a counter of its own or is the longest, else at
 * most an eighth more; the next power of two never less than the one before. */
static void test_each_length(void **state)
{
    uint64_t before = 0;
    (void)state;
    for (uint64_t us = 1; us < (1u << 25); us += us < 5000 ? 1 : us / 700) {
        struct histogram h = {0};
        histogram_add(&h, us * 1000);
        assert_int_equal(histogram_us(&h, 10000), us);
        histogram_add(&h, 60000000000u);
        uint64_t told = histogram_us(&h, 5000);
        if (us >= 15u << 20) { /* beyond what is told apart */
            assert_int_equal(told, 60000000);
            continue;
        }
        assert_true(told >= us && told >= before);
        assert_true(told <= us + us / 8);
        if (us < 16)
            assert_int_equal(told, us);
        before = told;
    }
}

static void test_every_duration_has_a_bucket(void **state)
{
    struct histogram h = {0};
    (void)state;
    for (unsigned i = 0; i < 64; i++) {
        histogram_add(&h, UINT64_MAX >> i);
        histogram_add(&h, (UINT64_MAX >> i) - 1);
    }
    histogram_add(&h, 0);
    uint64_t sum = 0;
    for (unsigned i = 0; i < HISTOGRAM_BUCKETS; i++)
        sum += h.buckets[i];
    assert_int_equal(sum, h.count);
    assert_int_equal(h.max_ns, UINT64_MAX);
}

/* Part of a microsecond is one: what is told is never less than what was. */
static void test_rounds_up(void **state)
{
    struct histogram h = {0};
    (void)state;
    histogram_add(&h, 1);
    assert_int_equal(histogram_us(&h, 10000), 1);
    histogram_add(&h, 2001);
    assert_int_equal(histogram_us(&h, 10000), 3);
    assert_int_equal(histogram_us(&h, 5000), 1);
}

static void test_quantiles(void **state)
{
    struct histogram h = {0};
    (void)state;
    for (unsigned i = 0; i < 9989; i++)
        histogram_add(&h, 2000);
    for (unsigned i = 0; i < 10; i++)
        histogram_add(&h, 10000);
    histogram_add(&h, 1234567);
    assert_int_equal(h.count, 10000);
    assert_int_equal(histogram_us(&h, 5000), 2);
    assert_int_equal(histogram_us(&h, 9989), 2);
    assert_int_equal(histogram_us(&h, 9990), 10);
    assert_int_equal(histogram_us(&h, 9999), 10);
    assert_int_equal(histogram_us(&h, 10000), 1235);
    h = (struct histogram){0};
    for (unsigned i = 0; i < 10; i++)
        histogram_add(&h, 1000 * (i + 1));
    assert_int_equal(histogram_us(&h, 1000), 1);
    assert_int_equal(histogram_us(&h, 5000), 5);
    assert_int_equal(histogram_us(&h, 9001), 10);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_empty),
        cmocka_unit_test(test_each_length),
        cmocka_unit_test(test_every_duration_has_a_bucket),
        cmocka_unit_test(test_rounds_up),
        cmocka_unit_test(test_quantiles),
    };
    return cmocka_run_group_tests_name("histogram", tests, NULL, NULL);
}
