#include "base/timing.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

static uint64_t total(const struct timing *t)
{
    uint64_t sum = 0;
    for (unsigned i = 0; i <= TIMING_BOUNDS; i++)
        sum += timing_read(&t->counts[i]);
    return sum;
}

static void test_bounds_rise(void **state)
{
    (void)state;
    for (unsigned i = 1; i < TIMING_BOUNDS; i++)
        assert_true(timing_bounds_ns[i] > timing_bounds_ns[i - 1]);
}

/* Each bound belongs to its own bucket, what is longer by a nanosecond to the next. */
static void test_each_bound(void **state)
{
    (void)state;
    for (unsigned i = 0; i < TIMING_BOUNDS; i++) {
        struct timing t = {0};
        timing_add(&t, timing_bounds_ns[i]);
        assert_int_equal(timing_read(&t.counts[i]), 1);
        timing_add(&t, timing_bounds_ns[i] + 1);
        assert_int_equal(timing_read(&t.counts[i + 1]), 1);
        assert_int_equal(total(&t), 2);
        assert_int_equal(timing_read(&t.sum_ns), 2 * timing_bounds_ns[i] + 1);
        assert_int_equal(timing_read(&t.max_ns), timing_bounds_ns[i] + 1);
        timing_add(&t, 0);
        assert_int_equal(total(&t), 3);
        assert_int_equal(timing_read(&t.max_ns), timing_bounds_ns[i] + 1);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_bounds_rise),
        cmocka_unit_test(test_each_bound),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
