#include "unit.h"

#include "base/crypto.h"

static void hex_of(const uint8_t *p, size_t len, char *out)
{
    for (size_t i = 0; i < len; i++)
        sprintf(out + 2 * i, "%02x", p[i]);
}

static void test_random_fills_all_and_differs(void **state)
{
    (void)state;
    /* Up to 32 bytes it is one generator, beyond that another. */
    static const size_t lens[] = {16, 32, 48, 64, 4096};
    for (size_t i = 0; i < sizeof lens / sizeof *lens; i++) {
        uint8_t a[4096 + 1] = {0};
        uint8_t b[4096 + 1] = {0};
        crypto_random(a, lens[i]);
        crypto_random(b, lens[i]);
        for (size_t at = 0; at < lens[i]; at += 16) {
            assert_memory_not_equal(a + at, b + at, 16);
            assert_true(at == 0 || memcmp(a + at, a, 16) != 0);
        }
        assert_int_equal(a[lens[i]], 0);
    }
    uint8_t none = 7;
    crypto_random(&none, 0);
    assert_int_equal(none, 7);
}

static void test_siphash_is_a_function_of_the_bytes(void **state)
{
    (void)state;
    char text[] = "some name";
    uint64_t h = crypto_siphash(bytes_of(text, 9));
    crypto_init();
    assert_true(crypto_siphash(BYTES("some name")) == h);
    assert_true(crypto_siphash(BYTES("some namf")) != h);
    assert_true(crypto_siphash(BYTES("some nam")) != h);
    assert_true(crypto_siphash((struct bytes){0}) == crypto_siphash(BYTES("")));
}

static void assert_hmac(struct bytes key, struct bytes message, const char *wanted)
{
    uint8_t out[CRYPTO_HMAC_LEN];
    char hex[2 * CRYPTO_HMAC_LEN + 1];
    crypto_hmac_sha256(key, message, out);
    hex_of(out, sizeof out, hex);
    assert_string_equal(hex, wanted);
}

/* RFC 4231: keys of 4, 20, 25 and 131 bytes. */
static void test_hmac_with_keys_of_any_length(void **state)
{
    (void)state;
    assert_hmac(BYTES("Jefe"), BYTES("what do ya want for nothing?"),
                "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843");
    uint8_t key[131];
    memset(key, 0x0b, sizeof key);
    assert_hmac(bytes_of(key, 20), BYTES("Hi There"),
                "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7");
    memset(key, 0xaa, sizeof key);
    assert_hmac(bytes_of(key, 131), BYTES("Test Using Larger Than Block-Size Key - Hash Key First"),
                "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54");
}

static void test_equal_and_wipe(void **state)
{
    (void)state;
    char a[4] = "abc";
    assert_true(crypto_equal(a, "abc", 4));
    assert_false(crypto_equal(a, "abd", 4));
    assert_true(crypto_equal(a, "abd", 2));
    crypto_wipe(a, sizeof a);
    assert_memory_equal(a, "\0\0\0\0", 4);
}

static void test_base64_there_and_back_for_every_length(void **state)
{
    (void)state;
    uint64_t seed = 5;
    for (size_t len = 0; len <= 200; len++) {
        uint8_t in[200];
        for (size_t i = 0; i < len; i++)
            in[i] = (uint8_t)unit_random(&seed);
        size_t text_len = crypto_base64_len(len);
        char *text = malloc(text_len + 1);
        assert_non_null(text);
        text[text_len] = '#';
        crypto_base64_encode(bytes_of(in, len), text);
        assert_int_equal(text[text_len], '#');
        uint8_t out[200];
        assert_int_equal(crypto_base64_decode(bytes_of(text, text_len), out, sizeof out), len);
        assert_memory_equal(out, in, len);
        if (len > 0)
            assert_int_equal(crypto_base64_decode(bytes_of(text, text_len), out, len - 1), -1);
        free(text);
    }
}

static void test_base64_known_and_strict(void **state)
{
    (void)state;
    char text[8];
    crypto_base64_encode(BYTES("\xfb\xff\xbf\xfb"), text);
    assert_memory_equal(text, "-_-_-w", 6);

    uint8_t out[16];
    assert_int_equal(crypto_base64_decode(BYTES("Zm9v"), out, sizeof out), 3);
    assert_memory_equal(out, "foo", 3);
    assert_int_equal(crypto_base64_decode((struct bytes){0}, out, sizeof out), 0);
    const struct bytes refused[] = {BYTES("Zg=="), BYTES("Zm9v="),  BYTES("Zm9v\n"), BYTES(" Zm9v"),
                                    BYTES("Z"),    BYTES("Zm9vY"),  BYTES("Zh"),     BYTES("Zm9"),
                                    BYTES("+/+/"), BYTES("Zm9v\0"), BYTES("Zm.v")};
    for (size_t i = 0; i < COUNT_OF(refused); i++)
        assert_int_equal(crypto_base64_decode(refused[i], out, sizeof out), -1);
}

static void test_password(void **state)
{
    (void)state;
    char encoded[CRYPTO_PASSWORD_LEN];
    char again[CRYPTO_PASSWORD_LEN];
    const struct bytes password = BYTES("correct\0horse");
    assert_true(crypto_password_hash(password, CRYPTO_PASSWORD_PASSES_MIN,
                                     CRYPTO_PASSWORD_MEMORY_MIN, encoded));
    assert_int_equal(strncmp(encoded, "$argon2id$v=19$m=8,t=1,p=1$", 27), 0);
    assert_int_equal(crypto_password_verify(encoded, password), ERR_ok);
    assert_int_equal(crypto_password_verify(encoded, BYTES("correct")), ERR_bad_credentials);
    assert_int_equal(crypto_password_verify(encoded, BYTES("correct\0horsf")), ERR_bad_credentials);
    assert_int_equal(crypto_password_verify(encoded, BYTES("")), ERR_bad_credentials);

    /* A salt of its own each time. */
    assert_true(crypto_password_hash(password, CRYPTO_PASSWORD_PASSES_MIN,
                                     CRYPTO_PASSWORD_MEMORY_MIN, again));
    assert_string_not_equal(encoded, again);

    assert_int_equal(crypto_password_verify("", password), ERR_bad_credentials);
    /* Each character changed, or the end. */
    for (size_t i = 0; encoded[i] != '\0'; i++) {
        char other[CRYPTO_PASSWORD_LEN];
        memcpy(other, encoded, sizeof other);
        other[i] = other[i] == '2' ? '3' : '2';
        assert_int_not_equal(crypto_password_verify(other, password), ERR_ok);
        other[i] = '\0';
        assert_int_equal(crypto_password_verify(other, password), ERR_bad_credentials);
    }
    char longer[CRYPTO_PASSWORD_LEN + 1];
    snprintf(longer, sizeof longer, "%sA", encoded);
    assert_int_equal(crypto_password_verify(longer, password), ERR_bad_credentials);
    assert_int_equal(crypto_password_verify("$argon2id$v=19$m=8,t=1,p=1$", password),
                     ERR_bad_credentials);
    assert_int_equal(crypto_password_verify("correct", BYTES("correct")), ERR_bad_credentials);
}

static void test_memory_that_cannot_be_had_is_no_hash(void **state)
{
    (void)state;
    char encoded[CRYPTO_PASSWORD_LEN];
    /* More than the algorithm can name. */
    assert_false(crypto_password_hash(BYTES("x"), 1, (size_t)1 << 43, encoded));
    /* 4 TiB: a machine that has them is yet to come; it is not said that the password is wrong. */
    assert_int_equal(crypto_password_verify("$argon2id$v=19$m=4294967295,t=1,p=1$"
                                            "c2FsdHNhbHRzYWx0c2FsdA$"
                                            "aGFzaGhhc2hoYXNoaGFzaGhhc2hoYXNoaGFzaGhhc2g",
                                            BYTES("x")),
                     ERR_busy);
}

static int start(void **state)
{
    (void)state;
    crypto_init();
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_random_fills_all_and_differs),
        cmocka_unit_test(test_siphash_is_a_function_of_the_bytes),
        cmocka_unit_test(test_hmac_with_keys_of_any_length),
        cmocka_unit_test(test_equal_and_wipe),
        cmocka_unit_test(test_base64_there_and_back_for_every_length),
        cmocka_unit_test(test_base64_known_and_strict),
        cmocka_unit_test(test_password),
        cmocka_unit_test(test_memory_that_cannot_be_had_is_no_hash),
    };
    return cmocka_run_group_tests(tests, start, NULL);
}
