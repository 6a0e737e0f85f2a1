#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "hooks/tail.h"

static struct feed_entry entry(uint64_t cursor)
{
    return (struct feed_entry){.cursor = cursor, .group = (uint32_t)cursor, .type = 20};
}

static void test_next(void **state)
{
    struct tail t = {0};
    (void)state;
    tail_sync(&t, 1, 9);
    assert_int_equal(t.from, 9);
    assert_null(tail_next(&t, 9));
    for (uint64_t cursor = 10; cursor <= 30; cursor += 5)
        tail_note(&t, entry(cursor));
    tail_note(&t, (struct feed_entry){.cursor = 30, .type = 23}); /* the same change */
    for (uint64_t after = 9; after < 30; after++)
        assert_int_equal(tail_next(&t, after)->cursor, after / 5 * 5 + 5);
    assert_int_equal(tail_next(&t, 29)->type, 20);
    assert_null(tail_next(&t, 30));
    /* The same hooks: nothing is forgotten; others: all is. */
    tail_sync(&t, 1, 40);
    assert_int_equal(t.count, 5);
    tail_sync(&t, 2, 40);
    assert_int_equal(t.from, 40);
    assert_null(tail_next(&t, 40));
    tail_release(&t);
    tail_release(&t);
}

static void test_the_oldest_goes(void **state)
{
    struct tail t = {0};
    (void)state;
    tail_sync(&t, 1, 0);
    for (uint64_t cursor = 1; cursor <= TAIL_MAX; cursor++)
        tail_note(&t, entry(cursor));
    assert_int_equal(t.from, 0);
    assert_int_equal(tail_next(&t, 0)->cursor, 1);
    for (uint64_t more = 1; more <= 2 * TAIL_MAX + 3; more += 7919) {
        while (t.from < more)
            tail_note(&t, entry(t.from + TAIL_MAX + 1));
        assert_int_equal(t.count, TAIL_MAX);
        assert_int_equal(tail_next(&t, t.from)->cursor, t.from + 1);
        assert_int_equal(tail_next(&t, t.from + TAIL_MAX - 1)->cursor, t.from + TAIL_MAX);
        assert_null(tail_next(&t, t.from + TAIL_MAX));
    }
    tail_release(&t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_next),
        cmocka_unit_test(test_the_oldest_goes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
