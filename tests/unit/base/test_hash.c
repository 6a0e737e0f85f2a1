#include "unit.h"

#include <blake2.h>

#include "base/crypto.h"
#include "base/hash.h"

static void hex_of(const uint8_t *p, size_t len, char *out)
{
    for (size_t i = 0; i < len; i++)
        sprintf(out + 2 * i, "%02x", p[i]);
}

/* RFC 7693, appendix A, and the shorter one as b2sum -l 256 prints it. */
static void test_known_values(void **state)
{
    (void)state;
    uint8_t out[64];
    char hex[129];
    hash_bytes(BYTES("abc"), out, 64);
    hex_of(out, 64, hex);
    assert_string_equal(hex, "ba80a53f981c4d0d6a2797b69f12f6e94c212f14685ac4b74b12bb6fdbffa2d1"
                             "7d87c5392aab792dc252d5de4533cc9518d38aa8dbf1925ab92386edd4009923");
    hash_bytes(BYTES("abc"), out, 32);
    hex_of(out, 32, hex);
    assert_string_equal(hex, "bddd813c634239723171ef3fee98579b94964e3bb1cb3e427262c8c068d52319");
}

static void test_pieces_give_what_the_whole_gives(void **state)
{
    (void)state;
    uint8_t text[1000];
    uint64_t seed = 3;
    for (size_t i = 0; i < sizeof text; i++)
        text[i] = (uint8_t)unit_random(&seed);
    uint8_t whole[32];
    hash_bytes(bytes_of(text, sizeof text), whole, sizeof whole);
    for (int round = 0; round < 100; round++) {
        struct hash h;
        hash_init(&h, sizeof whole);
        for (size_t at = 0; at < sizeof text;) {
            size_t n = unit_random(&seed) % 300;
            n = n < sizeof text - at ? n : sizeof text - at;
            hash_add(&h, text + at, n);
            at += n;
        }
        uint8_t out[32];
        hash_final(&h, out);
        assert_memory_equal(out, whole, sizeof whole);
    }
}

/* Another library says the same of every length around the edges of blocks, and of all lengths of
 * the result; in one piece and in three. */
static void test_agrees_with_libb2(void **state)
{
    (void)state;
    uint8_t text[700];
    uint64_t seed = 4;
    for (size_t i = 0; i < sizeof text; i++)
        text[i] = (uint8_t)unit_random(&seed);
    for (size_t len = 0; len <= sizeof text; len++) {
        size_t out_len = len % 64 + 1, first = unit_random(&seed) % (len + 1);
        size_t second = unit_random(&seed) % (len - first + 1);
        uint8_t want[64], out[64];
        struct hash h;
        assert_int_equal(blake2b(want, text, NULL, out_len, len, 0), 0);
        hash_bytes(bytes_of(text, len), out, out_len);
        assert_memory_equal(out, want, out_len);
        hash_init(&h, out_len);
        hash_add(&h, text, first);
        hash_add(&h, text + first, second);
        hash_add(&h, text + first + second, len - first - second);
        hash_final(&h, out);
        assert_memory_equal(out, want, out_len);
    }
}

static void test_helpers_write_lengths_and_little_endian(void **state)
{
    (void)state;
    uint8_t a[16];
    uint8_t b[16];
    struct hash h;
    hash_init(&h, sizeof a);
    hash_add_u64(&h, UINT64_C(0x0102030405060708));
    hash_add_bytes(&h, BYTES("xyz"));
    hash_add_bytes(&h, (struct bytes){0});
    hash_final(&h, a);
    hash_bytes(BYTES("\x08\x07\x06\x05\x04\x03\x02\x01"
                     "\x03\0\0\0\0\0\0\0xyz"
                     "\0\0\0\0\0\0\0\0"),
               b, sizeof b);
    assert_memory_equal(a, b, sizeof a);
}

int main(void)
{
    crypto_init();
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_known_values),
        cmocka_unit_test(test_agrees_with_libb2),
        cmocka_unit_test(test_pieces_give_what_the_whole_gives),
        cmocka_unit_test(test_helpers_write_lengths_and_little_endian),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
