#include "unit.h"

#include "base/json_scan.h"

static const struct json_limits limits = {.depth_max = 8, .token_max = 100};

/* Reads a copy that ends where its memory ends, so that a sanitizer sees a byte read too many. */
static const char *scan(struct bytes text, uint32_t *tokens)
{
    uint8_t *copy = malloc(text.len == 0 ? 1 : text.len);
    assert_non_null(copy);
    if (text.len != 0)
        memcpy(copy, text.p, text.len);
    const char *why = json_scan(bytes_of(copy, text.len), limits, tokens);
    free(copy);
    return why;
}

static void accept(struct bytes text, uint32_t wanted)
{
    uint32_t tokens = 0;
    const char *why = scan(text, &tokens);
    if (why != NULL)
        fail_msg("%.*s: %s", (int)text.len, (const char *)text.p, why);
    assert_int_equal(tokens, wanted);
}

static void refuse(struct bytes text)
{
    uint32_t tokens = 0;
    if (scan(text, &tokens) == NULL)
        fail_msg("accepted: %.*s", (int)text.len, (const char *)text.p);
}

static void test_values_are_counted(void **state)
{
    (void)state;
    accept(BYTES("null"), 1);
    accept(BYTES(" \t\r\n true \n"), 1);
    accept(BYTES("false"), 1);
    accept(BYTES("\"\""), 1);
    accept(BYTES("[]"), 1);
    accept(BYTES("{}"), 1);
    accept(BYTES("[ ]"), 1);
    accept(BYTES("{ }"), 1);
    accept(BYTES("[1,[2,{}],\"x\"]"), 6);
    accept(BYTES("{\"a\":1,\"b\":{\"c\":[]},\"d\" : null }"), 9);
}

static void test_numbers(void **state)
{
    (void)state;
    const struct bytes valid[] = {BYTES("0"),
                                  BYTES("-0"),
                                  BYTES("10"),
                                  BYTES("-1.5"),
                                  BYTES("0.0"),
                                  BYTES("1e5"),
                                  BYTES("1E+05"),
                                  BYTES("1.25e-3"),
                                  BYTES("0e0"),
                                  BYTES("1e9999"),
                                  BYTES("123456789012345678901234")};
    const struct bytes invalid[] = {
        BYTES("-"),     BYTES("+1"),    BYTES("01"),       BYTES("-01"),      BYTES("1."),
        BYTES(".5"),    BYTES("1.e1"),  BYTES("1e"),       BYTES("1e+"),      BYTES("0x1"),
        BYTES("1a"),    BYTES("- 1"),   BYTES("NaN"),      BYTES("1 2"),      BYTES("--1"),
        BYTES("1.2.3"), BYTES("1e1.5"), BYTES("Infinity"), BYTES("-Infinity")};
    for (size_t i = 0; i < COUNT_OF(valid); i++)
        accept(valid[i], 1);
    for (size_t i = 0; i < COUNT_OF(invalid); i++)
        refuse(invalid[i]);
}

static void test_structure(void **state)
{
    (void)state;
    const struct bytes invalid[] = {
        BYTES(""),
        BYTES(" "),
        BYTES("["),
        BYTES("]"),
        BYTES("[1"),
        BYTES("[1,"),
        BYTES("[1,]"),
        BYTES("[,1]"),
        BYTES("[1 2]"),
        BYTES("[1}"),
        BYTES("{"),
        BYTES("}"),
        BYTES("{1:2}"),
        BYTES("{\"a\"}"),
        BYTES("{\"a\":}"),
        BYTES("{\"a\":1,}"),
        BYTES("{,}"),
        BYTES("{\"a\" 1}"),
        BYTES("{\"a\":1]"),
        BYTES("{\"a\":1 \"b\":2}"),
        BYTES("[] []"),
        BYTES("{}x"),
        BYTES("nul"),
        BYTES("nulll"),
        BYTES("True"),
        BYTES("[a]"),
        BYTES("'a'"),
        BYTES("{a:1}"),
        BYTES("[1,//x\n2]"),
        BYTES("\xef\xbb\xbf[]"),
        BYTES("[1]\0"),
        BYTES("\v1"),
        BYTES("[\"a\":1]"),
        BYTES("{\"a\":\"b\":1}"),
        BYTES("{\"a\":1:2}"),
        BYTES("\xc2\xa0[]"),
        BYTES("{[]:1}"),
        BYTES("[\"a"),
        BYTES("\""),
        BYTES("{\""),
        BYTES("{\"a\""),
        BYTES("{\"a\":"),
        BYTES("{\"a\":1"),
        BYTES("{\"a\":1,"),
    };
    for (size_t i = 0; i < COUNT_OF(invalid); i++)
        refuse(invalid[i]);
}

static void test_strings(void **state)
{
    (void)state;
    const struct bytes valid[] = {
        BYTES("\"\\\"\\\\\\/\\b\\f\\n\\r\\t\""),
        BYTES("\"\\u0000\\u00e9\\uABCD\\uffff\""),
        BYTES("\"\\ud83d\\ude00\""),
        BYTES("\"\\uDBFF\\uDFFF\""),
        BYTES("\"\x7f\xc2\x80\xf4\x8f\xbf\xbf\""),
        BYTES("\"\\\\u\""),
    };
    const struct bytes invalid[] = {
        BYTES("\"\\\""),
        BYTES("\"\\x\""),
        BYTES("\"\\U0041\""),
        BYTES("\"\\u004\""),
        BYTES("\"\\u004g\""),
        BYTES("\"\\u\""),
        BYTES("\"\\ud800\""),
        BYTES("\"\\ud800x\""),
        BYTES("\"\\ud800\\n\""),
        BYTES("\"\\udc00\""),
        BYTES("\"\\ud800\\u0041\""),
        BYTES("\"\\ud800\\ud800\""),
        BYTES("\"\\ude00\\ud83d\""),
        BYTES("\"\\ud83d\\ude0\""),
        BYTES("\"\\u+041\""),
        BYTES("\"a\nb\""),
        BYTES("\"\0\""),
        BYTES("\"\x1f\""),
        BYTES("\"\t\""),
        BYTES("\"\x80\""),
        BYTES("\"\xc0\x80\""),
        BYTES("\"\xed\xa0\x80\""),
        BYTES("\"\xe2\x82\""),
        BYTES("\"\xf0\x9f\x98\""),
        BYTES("\"\\u00e\xc3\xa9\""),
        BYTES("\"\\"),
        BYTES("\"\\u12"),
        BYTES("\"\\ud83d\\ud"),
    };
    for (size_t i = 0; i < COUNT_OF(valid); i++)
        accept(valid[i], 1);
    for (size_t i = 0; i < COUNT_OF(invalid); i++)
        refuse(invalid[i]);
}

/* A wrong byte or a quote at each place around the eight bytes that are looked at together. */
static void test_every_byte_at_every_place_of_a_string(void **state)
{
    (void)state;
    for (size_t len = 1; len <= 20; len++) {
        for (size_t place = 0; place < len; place++) {
            for (int c = 0; c < 256; c++) {
                uint8_t p[22];
                memset(p, 'a', sizeof p);
                p[0] = '"';
                p[len + 1] = '"';
                p[1 + place] = (uint8_t)c;
                /* "\a" is no escape; before the closing quote it hides that. */
                bool valid = c >= 0x20 && c < 0x80 && c != '"' && c != '\\';
                if (valid)
                    accept(bytes_of(p, len + 2), 1);
                else
                    refuse(bytes_of(p, len + 2));
            }
        }
    }
}

static const char *scan_within(struct bytes text, uint32_t depth_max, uint32_t token_max)
{
    uint32_t tokens;
    return json_scan(text, (struct json_limits){depth_max, token_max}, &tokens);
}

static void test_depth_is_bounded(void **state)
{
    (void)state;
    assert_null(scan_within(BYTES("1"), 0, 10));
    assert_non_null(scan_within(BYTES("[]"), 0, 10));
    assert_null(scan_within(BYTES("{}"), 1, 10));
    assert_null(scan_within(BYTES("[[],{},[]]"), 2, 10));
    assert_non_null(scan_within(BYTES("[[],{},[[]]]"), 2, 10));
    assert_non_null(scan_within(BYTES("[{\"a\":{}}]"), 2, 10));

    /* Arrays and objects mixed, around the 64 levels that one word holds, each closed by its own
     * kind of bracket. */
    for (uint32_t depth = 60; depth < 140; depth++) {
        char text[1200];
        size_t n = 0;
        for (uint32_t d = 0; d < depth; d++)
            n += (size_t)sprintf(text + n, "%s", d % 3 == 0 ? "[" : "{\"a\":");
        text[n++] = '1';
        for (uint32_t d = depth; d-- > 0;)
            text[n++] = d % 3 == 0 ? ']' : '}';
        assert_null(scan_within(bytes_of(text, n), depth, 1000));
        assert_non_null(scan_within(bytes_of(text, n), depth - 1, 1000));
        text[n - 60] = text[n - 60] == ']' ? '}' : ']';
        assert_non_null(scan_within(bytes_of(text, n), depth, 1000));
    }

    /* However high the limit is set, the stack is what it is. */
    char deep[4 * JSON_DEPTH_MAX];
    memset(deep, '[', sizeof deep);
    assert_non_null(scan_within(bytes_of(deep, sizeof deep), UINT32_MAX, UINT32_MAX));
    memset(deep + JSON_DEPTH_MAX - 1, ']', JSON_DEPTH_MAX - 1);
    assert_null(scan_within(bytes_of(deep, 2 * (JSON_DEPTH_MAX - 1)), UINT32_MAX, UINT32_MAX));
}

static void test_tokens_are_bounded(void **state)
{
    (void)state;
    assert_non_null(scan_within(BYTES("1"), 10, 0));
    assert_null(scan_within(BYTES("1"), 10, 1));
    assert_null(scan_within(BYTES("[1,2,3]"), 10, 4));
    assert_non_null(scan_within(BYTES("[1,2,3]"), 10, 3));
    assert_null(scan_within(BYTES("{\"a\":1}"), 10, 3));
    assert_non_null(scan_within(BYTES("{\"a\":1}"), 10, 2));
    assert_non_null(scan_within(BYTES("{\"a\":1}"), 10, 1));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_values_are_counted),
        cmocka_unit_test(test_numbers),
        cmocka_unit_test(test_structure),
        cmocka_unit_test(test_strings),
        cmocka_unit_test(test_every_byte_at_every_place_of_a_string),
        cmocka_unit_test(test_depth_is_bounded),
        cmocka_unit_test(test_tokens_are_bounded),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
