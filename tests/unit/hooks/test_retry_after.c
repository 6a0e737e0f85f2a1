/*
 * Retry-After: seconds and the three forms of a date, and what is none of them.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "hooks/retry_after.h"

#define NOW INT64_C(784111777) /* Sun, 06 Nov 1994 08:49:37 GMT */

static int64_t read_at(const char *value, int64_t now)
{
    int64_t seconds = -1;
    if (!retry_after_read(bytes_cstr(value), now, &seconds))
        assert_int_equal(seconds, -1);
    return seconds;
}

static void test_seconds(void **state)
{
    (void)state;
    assert_int_equal(read_at("0", NOW), 0);
    assert_int_equal(read_at("120", NOW), 120);
    assert_int_equal(read_at("007", NOW), 7);
    assert_int_equal(read_at("315360000", NOW), RETRY_AFTER_MAX_S);
    assert_int_equal(read_at("315360001", NOW), RETRY_AFTER_MAX_S);
    assert_int_equal(read_at("99999999999999999999999999999999999999999", NOW), RETRY_AFTER_MAX_S);
}

static void test_dates(void **state)
{
    (void)state;
    assert_int_equal(read_at("Sun, 06 Nov 1994 08:49:37 GMT", NOW - 5), 5);
    assert_int_equal(read_at("Sunday, 06-Nov-94 08:49:37 GMT", NOW - 5), 5);
    assert_int_equal(read_at("Sun Nov  6 08:49:37 1994", NOW - 5), 5);
    assert_int_equal(read_at("Sun Nov 06 08:49:37 1994", NOW - 5), 5);
    assert_int_equal(read_at("Thu, 01 Jan 1970 00:01:00 GMT", 0), 60);
    assert_int_equal(read_at("Thu, 29 Feb 1996 00:00:00 GMT", INT64_C(825552000) - 1), 1);
    assert_int_equal(read_at("Sat, 31 Dec 2016 23:59:60 GMT", INT64_C(1483228799)), 1);
    /* What is over is over. */
    assert_int_equal(read_at("Sun, 06 Nov 1994 08:49:37 GMT", NOW), 0);
    assert_int_equal(read_at("Sun, 06 Nov 1994 08:49:37 GMT", NOW + 5), 0);
    assert_int_equal(read_at("Fri, 31 Dec 9999 23:59:59 GMT", NOW), RETRY_AFTER_MAX_S);
    /* Two digits: at most 50 years ahead. */
    assert_int_equal(read_at("Sunday, 06-Nov-44 08:49:37 GMT", NOW), RETRY_AFTER_MAX_S);
    assert_int_equal(read_at("Sunday, 06-Nov-45 08:49:37 GMT", NOW), 0);
}

static void test_what_is_neither(void **state)
{
    static const char *const values[] = {
        "",
        " ",
        "-1",
        "+1",
        "1.5",
        "1s",
        " 1",
        "1 ",
        "0x10",
        "soon",
        "1,2",
        "12 bananas",
        "Sun, 06 Nov 1994 08:49:37",
        "Sun, 06 Nov 1994 08:49:37 UTC",
        "sun, 06 nov 1994 08:49:37 gmt",
        "Sun, 06 Nov 1994 08:49:37 GMT ",
        "Sun, 6 Nov 1994 08:49:37 GMT",
        "Sun, 06 Nov 94 08:49:37 GMT",
        "Sun, 06 Nov 1994 24:00:00 GMT",
        "Sun, 06 Nov 1994 08:60:00 GMT",
        "Sun, 06 Nov 1994 08:00:61 GMT",
        "Sun, 31 Feb 1994 08:49:37 GMT",
        "Sun, 00 Nov 1994 08:49:37 GMT",
        "Sun, 06 Foo 1994 08:49:37 GMT",
        "Foo, 06 Nov 1994 08:49:37 GMT",
        "Sunday, 06 Nov 1994 08:49:37 GMT",
        "Sun, 06-Nov-94 08:49:37 GMT",
        "Sun Nov  6 08:49:37 1994 GMT",
        "Sun Nov 6 08:49:37 1994",
        "Sunday",
        "Sun",
        "Sun, 06 Nov 1899 08:49:37 GMT",
        "Sunday, 06-Nov-1994 08:49:37 GMT",
        "Sun Nov  6 08:49:37 94",
    };
    (void)state;
    for (size_t i = 0; i < sizeof values / sizeof values[0]; i++) {
        if (read_at(values[i], NOW) != -1)
            fail_msg("taken: %s", values[i]);
    }
    /* Cut anywhere, and with bytes of any kind in it. */
    char text[] = "Sun, 06 Nov 1994 08:49:37 GMT";
    int64_t seconds;
    for (size_t len = 0; len + 1 < sizeof text; len++)
        assert_int_equal(retry_after_read(bytes_of((uint8_t *)text, len), NOW, &seconds), false);
    for (size_t i = 0; i + 1 < sizeof text; i++) {
        char kept = text[i];
        text[i] = '\x80';
        assert_int_equal(read_at(text, NOW), -1);
        text[i] = kept;
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_seconds),
        cmocka_unit_test(test_dates),
        cmocka_unit_test(test_what_is_neither),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
