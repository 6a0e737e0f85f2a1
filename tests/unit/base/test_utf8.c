#include "unit.h"

#include "base/utf8.h"

static void test_every_code_point_there_and_back(void **state)
{
    (void)state;
    for (uint32_t code = 0; code <= 0x10FFFF; code++) {
        if (code >= 0xD800 && code <= 0xDFFF)
            continue;
        uint8_t p[4] = {0};
        size_t len = utf8_encode(code, p);
        uint32_t read = UINT32_MAX;
        if (utf8_decode(p, len, &read) != len || read != code)
            fail_msg("U+%04X", code);
        for (size_t cut = 1; cut < len; cut++) {
            if (utf8_decode(p, cut, &read) != 0)
                fail_msg("U+%04X cut to %zu", code, cut);
        }
    }
}

/* Of all sequences of up to four bytes exactly those are accepted that some code point has: what
 * is decoded is encoded as it was. The first two bytes are tried in full, the others at the ends
 * of their ranges. */
static void test_nothing_else_is_accepted(void **state)
{
    (void)state;
    const uint8_t ends[] = {0x00, 0x7F, 0x80, 0x8F, 0x90, 0x9F, 0xA0, 0xBF, 0xC0, 0xFF};
    size_t accepted = 0;
    for (unsigned first = 0; first < 65536; first++) {
        for (size_t i = 0; i < COUNT_OF(ends) * COUNT_OF(ends); i++) {
            uint8_t p[4] = {(uint8_t)(first >> 8), (uint8_t)first, ends[i / COUNT_OF(ends)],
                            ends[i % COUNT_OF(ends)]};
            uint32_t code = 0;
            size_t n = utf8_decode(p, 4, &code);
            if (n == 0)
                continue;
            accepted++;
            uint8_t again[4];
            if (code > 0x10FFFF || (code >= 0xD800 && code <= 0xDFFF) ||
                utf8_encode(code, again) != n || memcmp(p, again, n) != 0)
                fail_msg("%02x %02x %02x %02x", p[0], p[1], p[2], p[3]);
        }
    }
    assert_true(accepted > 65536);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_code_point_there_and_back),
        cmocka_unit_test(test_nothing_else_is_accepted),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
