#include "unit.h"

#include "base/json_write.h"

static void assert_string(struct bytes in, struct bytes wanted)
{
    struct buf b = {0};
    BUF_ADD_LIT(&b, "x");
    json_add_string(&b, in);
    assert_int_equal(b.p[0], 'x');
    unit_assert_bytes(bytes_of(b.p + 1, b.len - 1), wanted);
    buf_release(&b);
}

static void test_strings(void **state)
{
    (void)state;
    assert_string((struct bytes){0}, BYTES("\"\""));
    assert_string(BYTES("abc"), BYTES("\"abc\""));
    assert_string(BYTES("a\"b\\c/d"), BYTES("\"a\\\"b\\\\c/d\""));
    assert_string(BYTES("\b\f\n\r\t"), BYTES("\"\\b\\f\\n\\r\\t\""));
    assert_string(BYTES("\0\x01\x1f\x7f"), BYTES("\"\\u0000\\u0001\\u001f\x7f\""));
    assert_string(BYTES("h\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80"),
                  BYTES("\"h\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80\""));
}

/* Each byte at each place of strings around the eight bytes that are looked at together. */
static void test_every_byte_at_every_place(void **state)
{
    (void)state;
    static const char *const shorts[256] = {
        ['"'] = "\\\"", ['\\'] = "\\\\", ['\b'] = "\\b", ['\f'] = "\\f",
        ['\n'] = "\\n", ['\r'] = "\\r",  ['\t'] = "\\t"};
    for (size_t len = 1; len <= 25; len++) {
        for (size_t place = 0; place < len; place++) {
            for (int c = 0; c < 256; c++) {
                uint8_t in[25];
                memset(in, 'a', sizeof in);
                in[place] = (uint8_t)c;
                char wanted[64];
                int n = 0;
                wanted[n++] = '"';
                for (size_t i = 0; i < len; i++) {
                    if (shorts[in[i]] != NULL)
                        n += sprintf(wanted + n, "%s", shorts[in[i]]);
                    else if (in[i] < 0x20)
                        n += sprintf(wanted + n, "\\u%04x", in[i]);
                    else
                        wanted[n++] = (char)in[i];
                }
                wanted[n++] = '"';
                assert_string(bytes_of(in, len), bytes_of(wanted, (size_t)n));
            }
        }
    }
}

static void test_integers(void **state)
{
    (void)state;
    const int64_t values[] = {0, 1, -1, 9, 10, -10, 1700000000000, INT64_MAX, INT64_MIN};
    for (size_t i = 0; i < COUNT_OF(values); i++) {
        struct buf b = {0};
        json_add_int(&b, values[i]);
        char wanted[32];
        int n = snprintf(wanted, sizeof wanted, "%lld", (long long)values[i]);
        unit_assert_bytes(buf_bytes(&b), bytes_of(wanted, (size_t)n));
        buf_release(&b);
    }
    struct buf b = {0};
    json_add_uint(&b, UINT64_MAX);
    unit_assert_bytes(buf_bytes(&b), BYTES("18446744073709551615"));
    buf_release(&b);
}

static void test_uuid(void **state)
{
    (void)state;
    const struct uuid u = {{0x12, 0x3e, 0x45, 0x67, 0xe8, 0x9b, 0x42, 0xd3, 0xa4, 0x56, 0x42, 0x66,
                            0x14, 0x17, 0x40, 0x0f}};
    struct buf b = {0};
    json_add_uuid(&b, &u);
    unit_assert_bytes(buf_bytes(&b), BYTES("\"123e4567-e89b-42d3-a456-42661417400f\""));
    buf_release(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_strings),
        cmocka_unit_test(test_every_byte_at_every_place),
        cmocka_unit_test(test_integers),
        cmocka_unit_test(test_uuid),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
