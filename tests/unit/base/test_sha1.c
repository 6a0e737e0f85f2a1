#include "unit.h"

#include "base/sha1.h"

static void assert_sha1(struct bytes in, const char *wanted)
{
    uint8_t out[SHA1_LEN];
    char hex[2 * SHA1_LEN + 1];
    sha1_bytes(in, out);
    for (size_t i = 0; i < SHA1_LEN; i++)
        sprintf(hex + 2 * i, "%02x", out[i]);
    assert_string_equal(hex, wanted);
}

/* FIPS 180-4's examples, and the lengths around one block as sha1sum has them. */
static void test_known_values(void **state)
{
    (void)state;
    assert_sha1(BYTES(""), "da39a3ee5e6b4b0d3255bfef95601890afd80709");
    assert_sha1((struct bytes){0}, "da39a3ee5e6b4b0d3255bfef95601890afd80709");
    assert_sha1(BYTES("abc"), "a9993e364706816aba3e25717850c26c9cd0d89d");
    assert_sha1(BYTES("abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq"),
                "84983e441c3bd26ebaae4aa1f95129e5e54670f1");
    char *million = malloc(1000000);
    assert_non_null(million);
    memset(million, 'a', 1000000);
    assert_sha1(bytes_of(million, 55), "c1c8bbdc22796e28c0e15163d20899b65621d65a");
    assert_sha1(bytes_of(million, 56), "c2db330f6083854c99d4b5bfb6e8f29f201be699");
    assert_sha1(bytes_of(million, 63), "03f09f5b158a7a8cdad920bddc29b81c18a551f5");
    assert_sha1(bytes_of(million, 64), "0098ba824b5c16427bd7a1122a5a442a25ec644d");
    assert_sha1(bytes_of(million, 1000000), "34aa973cd4c4daa4f61eeb2bdbad27316534016f");
    free(million);
}

static void assert_base64(struct bytes in, const char *wanted)
{
    char out[64] = {0};
    base64_encode(in, out);
    assert_string_equal(out, wanted);
}

/* RFC 4648, 10. */
static void test_base64(void **state)
{
    (void)state;
    assert_base64(BYTES(""), "");
    assert_base64(BYTES("f"), "Zg==");
    assert_base64(BYTES("fo"), "Zm8=");
    assert_base64(BYTES("foo"), "Zm9v");
    assert_base64(BYTES("foob"), "Zm9vYg==");
    assert_base64(BYTES("fooba"), "Zm9vYmE=");
    assert_base64(BYTES("foobar"), "Zm9vYmFy");
    assert_base64(BYTES("\xfb\xff\xbf"), "+/+/");
}

/* RFC 6455, 1.3. */
static void test_websocket_accept(void **state)
{
    (void)state;
    uint8_t sha[SHA1_LEN];
    sha1_bytes(BYTES("dGhlIHNhbXBsZSBub25jZQ==258EAFA5-E914-47DA-95CA-C5AB0DC85B11"), sha);
    assert_base64(bytes_of(sha, sizeof sha), "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_known_values),
        cmocka_unit_test(test_base64),
        cmocka_unit_test(test_websocket_accept),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
