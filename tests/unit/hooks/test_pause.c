#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "hooks/pause.h"

static void test_it_grows(void **state)
{
    static const uint32_t whole[] = {100, 200, 400, 800, 1000, 1000};
    (void)state;
    for (uint32_t i = 0; i < 6; i++) {
        assert_int_equal(pause_ms(100, 1000, i + 1, 0), whole[i]);
        assert_int_equal(pause_ms(100, 1000, i + 1, UINT32_MAX), whole[i] - whole[i] / 4);
        for (uint32_t k = 1; k < 16; k++) {
            uint32_t pause = pause_ms(100, 1000, i + 1, k << 28);
            assert_in_range(pause, whole[i] - whole[i] / 4, whole[i]);
            assert_true(pause <= pause_ms(100, 1000, i + 1, (k - 1) << 28));
        }
    }
}

static void test_the_ends(void **state)
{
    (void)state;
    assert_int_equal(pause_ms(10, 86400000, UINT32_MAX, 0), 86400000);
    assert_int_equal(pause_ms(3600000, 86400000, 40, 0), 86400000);
    /* The largest counts where the smallest is above it. */
    assert_int_equal(pause_ms(1000, 10, 1, 0), 10);
    assert_int_equal(pause_ms(10, 10, 1, UINT32_MAX), 8);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_it_grows),
        cmocka_unit_test(test_the_ends),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
