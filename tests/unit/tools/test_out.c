#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <jansson.h>

#include "tools/out.h"

static void an_object(void **state)
{
    struct buf b = {0};
    (void)state;
    out_open(&b, NULL, '{');
    out_cstr(&b, "text", "a \"quoted\"\nline, [brackets] {and braces");
    out_uint(&b, "most", UINT64_MAX);
    out_int(&b, "least", INT64_MIN);
    out_open(&b, "empty", '[');
    out_close(&b, ']');
    out_open(&b, "list", '[');
    out_uint(&b, NULL, 1);
    out_open(&b, NULL, '{');
    out_bool(&b, "yes", true);
    out_bool(&b, "no", false);
    out_null(&b, "nothing");
    out_close(&b, '}');
    out_text(&b, NULL, BYTES("\xff\xfe"));
    out_close(&b, ']');
    out_close(&b, '}');
    json_error_t error;
    json_t *root = json_loadb((const char *)b.p, b.len, JSON_DECODE_INT_AS_REAL, &error);
    assert_non_null(root);
    assert_string_equal(json_string_value(json_object_get(root, "text")),
                        "a \"quoted\"\nline, [brackets] {and braces");
    assert_int_equal(json_array_size(json_object_get(root, "empty")), 0);
    json_t *list = json_object_get(root, "list");
    assert_int_equal(json_array_size(list), 3);
    assert_true(json_is_true(json_object_get(json_array_get(list, 1), "yes")));
    assert_true(json_is_false(json_object_get(json_array_get(list, 1), "no")));
    assert_true(json_is_null(json_object_get(json_array_get(list, 1), "nothing")));
    assert_string_equal(json_string_value(json_array_get(list, 2)), "(not UTF-8)");
    json_decref(root);
    buf_release(&b);
}

static void assert_time(int64_t ms, const char *expected)
{
    struct buf b = {0};
    out_time(&b, ms);
    assert_int_equal(b.len, strlen(expected));
    assert_memory_equal(b.p, expected, b.len);
    buf_release(&b);
}

static void times(void **state)
{
    (void)state;
    assert_time(0, "1970-01-01T00:00:00.000Z");
    assert_time(-1, "1969-12-31T23:59:59.999Z");
    assert_time(1795388391807, "2026-11-22T22:59:51.807Z");
    assert_time(253402300799999, "9999-12-31T23:59:59.999Z");
    assert_time(253402300800000, "253402300800000ms");
    assert_time(INT64_MAX, "9223372036854775807ms");
    assert_time(INT64_MIN, "-9223372036854775808ms");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_object),
        cmocka_unit_test(times),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
