#include "unit.h"

#define JSMN_STATIC
#define JSMN_STRICT
#define JSMN_PARENT_LINKS
#include <jsmn.h>

#include "base/buf.h"
#include "base/json_scan.h"

static const struct json_limits limits = {.depth_max = 8, .token_max = 100};

static const char *scan_within(struct bytes text, uint32_t depth_max, uint32_t token_max,
                               uint32_t *count)
{
    struct arena arena = {0};
    struct json_tokens tokens = {0};
    const char *why = json_scan(text, (struct json_limits){depth_max, token_max}, &arena, &tokens);
    *count = tokens.count;
    arena_release(&arena);
    return why;
}

/* Reads a copy that ends where its memory ends, so that a sanitizer sees a byte read too many. */
static const char *scan(struct bytes text, uint32_t *tokens)
{
    uint8_t *copy = malloc(text.len == 0 ? 1 : text.len);
    assert_non_null(copy);
    if (text.len != 0)
        memcpy(copy, text.p, text.len);
    const char *why =
        scan_within(bytes_of(copy, text.len), limits.depth_max, limits.token_max, tokens);
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

static const char *bounded(struct bytes text, uint32_t depth_max, uint32_t token_max)
{
    uint32_t count;
    return scan_within(text, depth_max, token_max, &count);
}

static void test_depth_is_bounded(void **state)
{
    (void)state;
    assert_null(bounded(BYTES("1"), 0, 10));
    assert_non_null(bounded(BYTES("[]"), 0, 10));
    assert_null(bounded(BYTES("{}"), 1, 10));
    assert_null(bounded(BYTES("[[],{},[]]"), 2, 10));
    assert_non_null(bounded(BYTES("[[],{},[[]]]"), 2, 10));
    assert_non_null(bounded(BYTES("[{\"a\":{}}]"), 2, 10));

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
        assert_null(bounded(bytes_of(text, n), depth, 1000));
        assert_non_null(bounded(bytes_of(text, n), depth - 1, 1000));
        text[n - 60] = text[n - 60] == ']' ? '}' : ']';
        assert_non_null(bounded(bytes_of(text, n), depth, 1000));
    }

    /* However high the limit is set, there is no stack that could end. */
    enum { DEEP = 100000 };
    char *deep = malloc(2 * DEEP);
    assert_non_null(deep);
    memset(deep, '[', DEEP);
    memset(deep + DEEP, ']', DEEP);
    assert_null(bounded(bytes_of(deep, 2 * DEEP), UINT32_MAX, UINT32_MAX));
    assert_non_null(bounded(bytes_of(deep, 2 * DEEP - 1), UINT32_MAX, UINT32_MAX));
    assert_non_null(bounded(bytes_of(deep, 2 * DEEP), DEEP - 1, UINT32_MAX));
    free(deep);
}

static void assert_token(const struct json_tokens *tokens, uint32_t i, struct json_token wanted)
{
    const struct json_token *t = &tokens->at[i];
    assert_int_equal(t->type, wanted.type);
    assert_int_equal(t->start, wanted.start);
    assert_int_equal(t->end, wanted.end);
    assert_int_equal(t->parent, wanted.parent);
    assert_int_equal(t->count, wanted.count);
    assert_int_equal(t->escaped, wanted.escaped);
    if (wanted.after != 0) /* a key has none */
        assert_int_equal(t->after, wanted.after);
}

static void test_tokens_say_where(void **state)
{
    (void)state;
    /*                                   0         1         2         3
     *                                   0123456789012345678901234567890123456 */
    const struct bytes text = BYTES(" { \"a\" : [1,{\"\\n\":-2e1}, null] ,\"b\":\"\"}");
    const struct json_token wanted[] = {{1, 39, 10, JSON_NO_PARENT, 2, JSON_OBJECT, false},
                                        {4, 5, 0, 0, 0, JSON_STRING, false},
                                        {9, 30, 8, 0, 3, JSON_ARRAY, false},
                                        {10, 11, 4, 2, 0, JSON_NUMBER, false},
                                        {12, 23, 7, 2, 1, JSON_OBJECT, false},
                                        {14, 16, 0, 4, 0, JSON_STRING, true},
                                        {18, 22, 7, 4, 0, JSON_NUMBER, false},
                                        {25, 29, 8, 2, 0, JSON_NULL, false},
                                        {33, 34, 0, 0, 0, JSON_STRING, false},
                                        {37, 37, 10, 0, 0, JSON_STRING, false}};
    struct arena arena = {0};
    struct json_tokens tokens = {0};
    assert_null(json_scan(text, limits, &arena, &tokens));
    assert_int_equal(tokens.count, COUNT_OF(wanted));
    for (uint32_t i = 0; i < tokens.count; i++)
        assert_token(&tokens, i, wanted[i]);
    arena_release(&arena);
}

/* More tokens than the first room holds: they are where they were. */
static void test_tokens_survive_growth(void **state)
{
    (void)state;
    char text[4001];
    for (size_t i = 0; i < sizeof text; i++)
        text[i] = i % 2 == 0 ? ',' : '7';
    text[0] = '[';
    text[sizeof text - 1] = ']';
    struct arena arena = {0};
    struct json_tokens tokens = {0};
    assert_null(
        json_scan(bytes_of(text, sizeof text), (struct json_limits){1, 2001}, &arena, &tokens));
    assert_int_equal(tokens.count, 2001);
    for (uint32_t i = 1; i < tokens.count; i++)
        assert_token(&tokens, i,
                     (struct json_token){2 * i - 1, 2 * i, i + 1, 0, 0, JSON_NUMBER, false});
    arena_release(&arena);
}

/* ---- jsmn as the oracle: it finds the tokens of a text that is known to be valid ---- */

static void add_random_value(struct buf *b, uint64_t *seed, int depth);

static void add_random_string(struct buf *b, uint64_t *seed)
{
    static const char *const parts[] = {"a", "bcdefghijklmnopqr", "\\n", "\\u00e9", "\xc3\xa9", " ",
                                        ":"};
    buf_add_u8(b, '"');
    for (uint64_t n = unit_random(seed) % 5; n > 0; n--)
        buf_add_bytes(b, bytes_cstr(parts[unit_random(seed) % COUNT_OF(parts)]));
    buf_add_u8(b, '"');
}

static void add_random_space(struct buf *b, uint64_t *seed)
{
    static const char space[] = " \t\r\n";
    for (uint64_t n = unit_random(seed) % 6; n > 3; n--)
        buf_add_u8(b, (uint8_t)space[unit_random(seed) % 4]);
}

static void add_random_container(struct buf *b, uint64_t *seed, int depth, bool object)
{
    uint64_t count = unit_random(seed) % 5;
    buf_add_u8(b, object ? '{' : '[');
    for (uint64_t i = 0; i < count; i++) {
        if (i > 0)
            buf_add_u8(b, ',');
        if (object) {
            add_random_space(b, seed);
            add_random_string(b, seed);
            add_random_space(b, seed);
            buf_add_u8(b, ':');
        }
        add_random_value(b, seed, depth - 1);
    }
    add_random_space(b, seed);
    buf_add_u8(b, object ? '}' : ']');
}

static void add_random_value(struct buf *b, uint64_t *seed, int depth)
{
    static const char *const plain[] = {"0", "-1.5e+10", "true", "false", "null", "123456789"};
    add_random_space(b, seed);
    uint64_t kind = unit_random(seed) % (depth > 0 ? 4 : 2);
    if (kind == 0)
        buf_add_bytes(b, bytes_cstr(plain[unit_random(seed) % COUNT_OF(plain)]));
    else if (kind == 1)
        add_random_string(b, seed);
    else
        add_random_container(b, seed, depth, kind == 2);
    add_random_space(b, seed);
}

static enum json_type type_of(const jsmntok_t *t, const char *text)
{
    switch (t->type) {
    case JSMN_OBJECT:
        return JSON_OBJECT;
    case JSMN_ARRAY:
        return JSON_ARRAY;
    case JSMN_STRING:
        return JSON_STRING;
    case JSMN_PRIMITIVE:
    case JSMN_UNDEFINED:
        break;
    }
    return text[t->start] == 'n'                            ? JSON_NULL
           : text[t->start] == 't' || text[t->start] == 'f' ? JSON_BOOL
                                                            : JSON_NUMBER;
}

static void assert_same_token(const struct json_tokens *ours, const jsmntok_t *theirs, uint32_t i,
                              const char *text)
{
    const struct json_token *t = &ours->at[i];
    const jsmntok_t *j = &theirs[i];
    bool is_key = j->parent >= 0 && theirs[j->parent].type == JSMN_OBJECT;
    /* To jsmn a value is its key's child. */
    int parent = j->parent >= 0 && theirs[j->parent].type == JSMN_STRING ? theirs[j->parent].parent
                                                                         : j->parent;
    assert_int_equal(t->type, type_of(j, text));
    assert_int_equal(t->start, j->start);
    assert_int_equal(t->end, j->end);
    assert_int_equal(t->parent, parent < 0 ? JSON_NO_PARENT : (uint32_t)parent);
    assert_int_equal(t->count, is_key ? 0 : j->size);
    if (!is_key && t->after < ours->count)
        assert_true(theirs[t->after].start >= j->end);
}

static void test_tokens_are_those_of_jsmn(void **state)
{
    (void)state;
    enum { TOKENS = 4096 };
    uint64_t seed = 17;
    jsmntok_t *theirs = calloc(TOKENS, sizeof *theirs);
    assert_non_null(theirs);
    for (int round = 0; round < 3000; round++) {
        struct buf text = {0};
        struct arena arena = {0};
        struct json_tokens ours = {0};
        jsmn_parser parser;
        add_random_container(&text, &seed, 5, round % 2 == 0);
        assert_null(json_scan(buf_bytes(&text), (struct json_limits){6, TOKENS}, &arena, &ours));
        jsmn_init(&parser);
        const char *p = (const char *)text.p;
        assert_int_equal(jsmn_parse(&parser, p, text.len, theirs, TOKENS), ours.count);
        for (uint32_t i = 0; i < ours.count; i++)
            assert_same_token(&ours, theirs, i, p);
        arena_release(&arena);
        buf_release(&text);
    }
    free(theirs);
}

static void test_tokens_are_bounded(void **state)
{
    (void)state;
    assert_non_null(bounded(BYTES("1"), 10, 0));
    assert_null(bounded(BYTES("1"), 10, 1));
    assert_null(bounded(BYTES("[1,2,3]"), 10, 4));
    assert_non_null(bounded(BYTES("[1,2,3]"), 10, 3));
    assert_null(bounded(BYTES("{\"a\":1}"), 10, 3));
    assert_non_null(bounded(BYTES("{\"a\":1}"), 10, 2));
    assert_non_null(bounded(BYTES("{\"a\":1}"), 10, 1));
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
        cmocka_unit_test(test_tokens_say_where),
        cmocka_unit_test(test_tokens_survive_growth),
        cmocka_unit_test(test_tokens_are_those_of_jsmn),
        cmocka_unit_test(test_tokens_are_bounded),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
