#include "unit.h"

#include <limits.h>

#include "base/crypto.h"
#include "base/json_read.h"
#include "base/json_write.h"

static const struct json_limits limits = {.depth_max = 32, .token_max = 20000};
static struct arena arena;

static struct json read_(struct bytes text)
{
    struct json root;
    const char *why = NULL;
    if (json_read(text, limits, &arena, &root, &why) != ERR_ok)
        fail_msg("%.*s: %s", (int)text.len, (const char *)text.p, why);
    assert_null(why);
    return root;
}

static void refuse(struct bytes text)
{
    struct json root = {0};
    const char *why = NULL;
    assert_int_equal(json_read(text, limits, &arena, &root, &why), ERR_invalid_json);
    assert_non_null(why);
    assert_null(root.doc);
    assert_int_equal(json_read(text, limits, &arena, &root, NULL), ERR_invalid_json);
}

static void assert_string(struct json v, struct bytes wanted)
{
    struct bytes s;
    assert_true(json_string(v, &arena, &s));
    unit_assert_bytes(s, wanted);
}

static void test_a_message(void **state)
{
    (void)state;
    struct json root =
        read_(BYTES("{\"method\":40, \"id\": null,\n\"body\":{\"group_id\":\"g\",\"data\":"
                    "\"hi\",\"mentions\":[\"a\",\"b\"],\"silent\":true}}"));
    assert_int_equal(json_type(root), JSON_OBJECT);
    assert_int_equal(json_count(root), 3);
    int64_t n = 0;
    assert_true(json_int(json_member(root, "method"), &n));
    assert_int_equal(n, 40);
    assert_int_equal(json_type(json_member(root, "id")), JSON_NULL);
    assert_int_equal(json_type(json_member(root, "timestamp")), JSON_NONE);
    struct json body = json_member(root, "body");
    assert_int_equal(json_count(body), 4);
    assert_string(json_member(body, "data"), BYTES("hi"));
    bool silent = false;
    assert_true(json_bool(json_member(body, "silent"), &silent));
    assert_true(silent);
    struct json mention = json_first(json_member(body, "mentions"));
    assert_string(mention, BYTES("a"));
    mention = json_next(mention);
    assert_string(mention, BYTES("b"));
    assert_int_equal(json_type(json_next(mention)), JSON_NONE);
    unit_assert_bytes(json_raw(json_member(body, "mentions")), BYTES("[\"a\",\"b\"]"));
}

static void test_a_scalar_alone(void **state)
{
    (void)state;
    int64_t n = 0;
    assert_true(json_int(read_(BYTES(" 12\n")), &n));
    assert_int_equal(n, 12);
    assert_int_equal(json_type(read_(BYTES("null"))), JSON_NULL);
    assert_int_equal(json_type(read_(BYTES("-1.5e3"))), JSON_NUMBER);
    assert_string(read_(BYTES("\t\"a\\nb\" ")), BYTES("a\nb"));
    unit_assert_bytes(json_raw(read_(BYTES("\t\"a\\nb\" "))), BYTES("\"a\\nb\""));
    bool b = true;
    assert_true(json_bool(read_(BYTES("false")), &b));
    assert_false(b);
    struct json empty = read_(BYTES(" [ ] "));
    assert_int_equal(json_type(empty), JSON_ARRAY);
    assert_int_equal(json_type(json_first(empty)), JSON_NONE);
    unit_assert_bytes(json_raw(empty), BYTES("[ ]"));
    unit_assert_bytes(json_raw(read_(BYTES("{ }"))), BYTES("{ }"));
}

static void test_what_is_not_there(void **state)
{
    (void)state;
    const struct json none = {0};
    struct bytes s;
    int64_t n;
    bool b;
    assert_int_equal(json_type(none), JSON_NONE);
    assert_int_equal(json_type(json_member(none, "a")), JSON_NONE);
    assert_int_equal(json_type(json_first(none)), JSON_NONE);
    assert_int_equal(json_type(json_next(none)), JSON_NONE);
    assert_int_equal(json_count(none), 0);
    assert_false(json_string(none, &arena, &s));
    assert_false(json_int(none, &n));
    assert_false(json_bool(none, &b));
    assert_int_equal(json_raw(none).len, 0);
}

static void test_a_value_of_another_type(void **state)
{
    (void)state;
    struct bytes s;
    int64_t n;
    bool b;
    struct json root = read_(BYTES("{\"s\":\"1\",\"n\":1,\"t\":true,\"a\":[1],\"o\":{\"x\":1}}"));
    assert_false(json_string(json_member(root, "n"), &arena, &s));
    assert_false(json_int(json_member(root, "s"), &n));
    assert_false(json_int(json_member(root, "t"), &n));
    assert_false(json_int(json_member(root, "a"), &n));
    assert_false(json_bool(json_member(root, "n"), &b));
    assert_false(json_string(root, &arena, &s));
    assert_int_equal(json_type(json_member(json_member(root, "a"), "x")), JSON_NONE);
    assert_int_equal(json_type(json_member(json_member(root, "s"), "x")), JSON_NONE);
    assert_int_equal(json_type(json_first(json_member(root, "o"))), JSON_NONE);
    assert_int_equal(json_count(json_member(root, "s")), 0);
    /* Members are not in a row, nor is the root. */
    assert_int_equal(json_type(json_next(json_member(root, "s"))), JSON_NONE);
    assert_int_equal(json_type(json_next(root)), JSON_NONE);
}

static void test_integers(void **state)
{
    (void)state;
    const struct {
        struct bytes text;
        bool ok;
        int64_t value;
    } cases[] = {
        {BYTES("0"), true, 0},
        {BYTES("-0"), true, 0},
        {BYTES("-7"), true, -7},
        {BYTES("9223372036854775807"), true, INT64_MAX},
        {BYTES("-9223372036854775808"), true, INT64_MIN},
        {BYTES("9223372036854775808"), false, 0},
        {BYTES("-9223372036854775809"), false, 0},
        {BYTES("92233720368547758070"), false, 0},
        {BYTES("1.0"), false, 0},
        {BYTES("1e3"), false, 0},
        {BYTES("1E3"), false, 0},
        {BYTES("-1.5"), false, 0},
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        int64_t n = 5;
        assert_int_equal(json_int(read_(cases[i].text), &n), cases[i].ok);
        assert_true(n == (cases[i].ok ? cases[i].value : 5));
    }
}

static void test_strings_are_borrowed_or_unescaped(void **state)
{
    (void)state;
    const struct bytes text = BYTES("[\"plain \xc3\xa9\",\"\",\"a\\\"\\\\\\/\\b\\f\\n\\r\\tz\","
                                    "\"\\u0000\\u00e9\\u20AC\\ud83d\\uDE00\",\"\\\\u0041\"]");
    struct json v = json_first(read_(text));
    struct bytes s;
    assert_true(json_string(v, &arena, &s));
    unit_assert_bytes(s, BYTES("plain \xc3\xa9"));
    assert_true(s.p > text.p && s.p < text.p + text.len);
    v = json_next(v);
    assert_string(v, BYTES(""));
    v = json_next(v);
    assert_string(v, BYTES("a\"\\/\b\f\n\r\tz"));
    v = json_next(v);
    assert_string(v, BYTES("\0\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80"));
    v = json_next(v);
    assert_string(v, BYTES("\\u0041"));
    assert_int_equal(json_type(json_next(v)), JSON_NONE);
}

static void test_members_are_found_by_their_value(void **state)
{
    (void)state;
    struct json root = read_(BYTES("{\"\\u0061b\":1,\"a\\nc\":2,\"\":3,\"a\\\\n\":4,\"x\":5,"
                                   "\"a\\u0000\":6}"));
    const struct {
        const char *name;
        int64_t value;
    } cases[] = {{"ab", 1}, {"a\nc", 2},     {"", 3},    {"a\\n", 4},  {"x", 5},     {"a", 0},
                 {"y", 0},  {"\\u0061b", 0}, {"abc", 0}, {"a\\nc", 0}, {"a\\\\n", 0}};
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        int64_t n = 0;
        assert_int_equal(json_int(json_member(root, cases[i].name), &n), cases[i].value != 0);
        assert_true(n == cases[i].value);
    }
}

static void test_a_key_twice(void **state)
{
    (void)state;
    refuse(BYTES("{\"a\":1,\"a\":1}"));
    refuse(BYTES("{\"a\":1,\"b\":{\"c\":1,\"d\":2,\"c\":3}}"));
    refuse(BYTES("[{},{\"\":1,\"\":2}]"));
    refuse(BYTES("{\"a\":1,\"\\u0061\":2}"));
    refuse(BYTES("{\"\\u0061\":1,\"a\":2}"));
    refuse(BYTES("{\"\\u00e9\":1,\"\xc3\xa9\":2}"));
    refuse(BYTES("{\"\\ud83d\\ude00\":1,\"\xf0\x9f\x98\x80\":2}"));
    refuse(BYTES("{\"/\":1,\"\\/\":2}"));
    /* The same key in other objects, or as a value. */
    read_(BYTES("{\"a\":{\"a\":[{\"a\":\"a\"},{\"a\":1}]},\"b\":\"a\"}"));
    read_(BYTES("{\"a\":1,\"A\":2,\"a\\u0000\":3,\"a \":4}"));
}

/* Objects below and above the size from which a set tells keys apart, with a repeated key at each
 * pair of places. */
static void test_a_key_twice_in_objects_of_every_size(void **state)
{
    (void)state;
    for (int count = 2; count <= 40; count++) {
        for (int twice = 0; twice < count; twice++) {
            for (int of = 0; of <= twice; of++) {
                struct buf b = {0};
                for (int i = 0; i < count; i++) {
                    int key = i == twice ? of : i;
                    buf_printf(&b, "%s\"%s%d\":[%d,{}]", i == 0 ? "{" : ",",
                               i % 2 == 0 ? "k" : "\\u006b", key, i);
                }
                BUF_ADD_LIT(&b, "}");
                if (of == twice)
                    assert_int_equal(json_count(read_(buf_bytes(&b))), count);
                else
                    refuse(buf_bytes(&b));
                arena_reset(&arena);
                buf_release(&b);
            }
        }
    }
}

static void test_large_documents(void **state)
{
    (void)state;
    struct buf b = {0};
    enum { COUNT = 9000 };
    for (int i = 0; i < COUNT; i++)
        buf_printf(&b, "%s\"key%d\":%d", i == 0 ? "{" : ",", i, i);
    BUF_ADD_LIT(&b, "}");
    struct json root = read_(buf_bytes(&b));
    assert_int_equal(json_count(root), COUNT);
    int64_t n = 0;
    assert_true(json_int(json_member(root, "key8999"), &n));
    assert_int_equal(n, 8999);

    buf_reset(&b);
    for (int i = 0; i < COUNT; i++)
        buf_printf(&b, "%s[[],%d]", i == 0 ? "[" : ",", i);
    BUF_ADD_LIT(&b, "]");
    struct json limited;
    assert_int_equal(json_read(buf_bytes(&b), limits, &arena, &limited, NULL), ERR_invalid_json);
    const struct json_limits more = {.depth_max = 3, .token_max = 3 * COUNT + 1};
    assert_int_equal(json_read(buf_bytes(&b), more, &arena, &root, NULL), ERR_ok);
    int64_t seen = 0;
    for (struct json v = json_first(root); json_type(v) != JSON_NONE; v = json_next(v)) {
        assert_int_equal(json_count(v), 2);
        struct json second = json_next(json_first(v));
        assert_true(json_int(second, &n));
        assert_int_equal(n, seen++);
        assert_int_equal(json_type(json_next(second)), JSON_NONE);
    }
    assert_int_equal(seen, COUNT);
    buf_release(&b);
}

static void test_a_text_that_is_too_large_is_not_looked_at(void **state)
{
    (void)state;
    struct json root;
    const uint8_t byte = '1';
    assert_int_equal(json_read(bytes_of(&byte, (size_t)INT32_MAX + 1), limits, &arena, &root, NULL),
                     ERR_invalid_json);
}

/* What is written is read again as it was, for random text of every kind of character. */
static void test_write_then_read(void **state)
{
    (void)state;
    static const char *const pieces[] = {"a",
                                         "\"",
                                         "\\",
                                         "/",
                                         "\n",
                                         "\x01",
                                         "\x1f",
                                         "\x7f",
                                         "\xc3\xa9",
                                         "\xe2\x82\xac",
                                         "\xf0\x9f\x98\x80",
                                         "bcdefghij"};
    uint64_t seed = 9;
    for (int round = 0; round < 3000; round++) {
        struct buf text = {0};
        for (uint64_t n = unit_random(&seed) % 30; n > 0; n--) {
            size_t piece = unit_random(&seed) % (COUNT_OF(pieces) + 1);
            if (piece == COUNT_OF(pieces))
                buf_add_u8(&text, 0);
            else
                buf_add_bytes(&text, bytes_cstr(pieces[piece]));
        }
        struct buf json = {0};
        json_add_string(&json, buf_bytes(&text));
        assert_string(read_(buf_bytes(&json)), buf_bytes(&text));
        arena_reset(&arena);
        buf_release(&json);
        buf_release(&text);
    }
}

static int start(void **state)
{
    (void)state;
    crypto_init();
    return 0;
}

static int stop(void **state)
{
    (void)state;
    arena_release(&arena);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_message),
        cmocka_unit_test(test_a_scalar_alone),
        cmocka_unit_test(test_what_is_not_there),
        cmocka_unit_test(test_a_value_of_another_type),
        cmocka_unit_test(test_integers),
        cmocka_unit_test(test_strings_are_borrowed_or_unescaped),
        cmocka_unit_test(test_members_are_found_by_their_value),
        cmocka_unit_test(test_a_key_twice),
        cmocka_unit_test(test_a_key_twice_in_objects_of_every_size),
        cmocka_unit_test(test_large_documents),
        cmocka_unit_test(test_a_text_that_is_too_large_is_not_looked_at),
        cmocka_unit_test(test_write_then_read),
    };
    return cmocka_run_group_tests(tests, start, stop);
}
