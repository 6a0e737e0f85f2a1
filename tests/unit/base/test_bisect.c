#include "base/bisect.h"

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdlib.h>

#include <setjmp.h>

#include <cmocka.h>

/* Against a walk, for every length, every part, and numbers that repeat. */
static void as_a_walk_does(void **state)
{
    static const uint32_t numbers[] = {1, 1, 2, 4, 4, 4, 7, 8, 8, UINT32_MAX};
    uint32_t count = sizeof numbers / sizeof *numbers;

    (void)state;
    for (uint32_t from = 0; from <= count; from++) {
        for (uint32_t to = from; to <= count; to++) {
            for (uint32_t wanted = 0; wanted <= 10; wanted++) {
                uint32_t below = from, until = from;
                while (below < to && numbers[below] < wanted)
                    below++;
                while (until < to && numbers[until] <= wanted)
                    until++;
                assert_int_equal(BISECT(i, from, to, numbers[i] < wanted), below);
                assert_int_equal(BISECT(i, from, to, numbers[i] <= wanted), until);
            }
        }
    }
}

static bool note(uint32_t i, uint32_t *looks)
{
    (*looks)++;
    return i < UINT32_MAX - 2;
}

/* No sum of two places is too large, and few are looked at. */
static void at_the_end_of_the_range(void **state)
{
    uint32_t looks = 0, asked = 0;

    (void)state;
    assert_int_equal(BISECT(i, 0, UINT32_MAX, note(i, &looks)), UINT32_MAX - 2);
    assert_in_range(looks, 1, 32);
    assert_int_equal(BISECT(i, asked++, 5, false), 0);
    assert_int_equal(asked, 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(as_a_walk_does),
        cmocka_unit_test(at_the_end_of_the_range),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
