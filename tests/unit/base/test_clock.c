#include "unit.h"

#include <time.h>

#include "base/clock.h"

static void test_wall_is_the_system_time_in_milliseconds(void **state)
{
    (void)state;
    int64_t before = clock_wall_ms();
    struct timespec ts;
    assert_int_equal(clock_gettime(CLOCK_REALTIME, &ts), 0);
    int64_t after = clock_wall_ms();
    int64_t now = (int64_t)ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
    assert_true(before <= now && now <= after);
}

static void test_mono_never_goes_back(void **state)
{
    (void)state;
    int64_t last = clock_mono_ms();
    for (int i = 0; i < 10000; i++) {
        int64_t now = clock_mono_ms();
        assert_true(now >= last);
        last = now;
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_wall_is_the_system_time_in_milliseconds),
        cmocka_unit_test(test_mono_never_goes_back),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
