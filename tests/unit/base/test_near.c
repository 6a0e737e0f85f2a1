#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/near.h"

static void assert_distance(const char *a, const char *b, unsigned expected)
{
    assert_int_equal(near_distance(bytes_cstr(a), bytes_cstr(b)), expected);
    assert_int_equal(near_distance(bytes_cstr(b), bytes_cstr(a)), expected);
}

static void distances(void **state)
{
    (void)state;
    assert_distance("", "", 0);
    assert_distance("verify", "verify", 0);
    assert_distance("", "dump", 4);
    assert_distance("verfy", "verify", 1);
    assert_distance("vreify", "verify", 1);
    assert_distance("dumb", "dump", 1);
    assert_distance("stat", "repair", 5);
    assert_distance("ab", "ba", 1);
    assert_distance("ca", "abc", 3); /* restricted: a pair that was exchanged stays as it is */
}

static void long_names_are_compared_by_their_beginning(void **state)
{
    char a[200], b[200];
    (void)state;
    memset(a, 'x', sizeof a);
    memset(b, 'x', sizeof b);
    b[NEAR_MAX] = 'y';
    assert_int_equal(near_distance(bytes_of(a, sizeof a), bytes_of(b, sizeof b)), 0);
    b[NEAR_MAX - 1] = 'y';
    assert_int_equal(near_distance(bytes_of(a, sizeof a), bytes_of(b, sizeof b)), 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(distances),
        cmocka_unit_test(long_names_are_compared_by_their_beginning),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
