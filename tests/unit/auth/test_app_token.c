#include "auth/app_token.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/buf.h"
#include "base/crypto.h"

#define NOW    1700000000
#define AHEAD  86400
#define HEADER "{\"alg\":\"HS256\",\"typ\":\"JWT\"}"
#define CLAIMS "{\"sub\":\"customer:7\",\"exp\":1700003600}"

static struct secret key = {.b = "0123456789abcdef0123456789abcdef", .len = 32};
static struct arena arena;

static int setup(void **state)
{
    (void)state;
    crypto_init();
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    arena_release(&arena);
    return 0;
}

static void add_base64(struct buf *out, struct bytes s)
{
    buf_reserve(out, crypto_base64_len(s.len));
    crypto_base64_encode(s, (char *)out->p + out->len);
    out->len += crypto_base64_len(s.len);
}

static void add_signature(struct buf *out)
{
    uint8_t mac[CRYPTO_HMAC_LEN];

    crypto_hmac_sha256(secret_bytes(&key), buf_bytes(out), mac);
    buf_add_bytes(out, BYTES("."));
    add_base64(out, bytes_of(mac, sizeof mac));
}

static void make(struct buf *out, struct bytes header, struct bytes claims)
{
    buf_reset(out);
    add_base64(out, header);
    buf_add_bytes(out, BYTES("."));
    add_base64(out, claims);
    add_signature(out);
}

static bool taken(struct bytes token)
{
    struct bytes sub = {NULL, 0};

    arena_reset(&arena);
    bool ok = app_token_verify(&key, token, NOW, AHEAD, &arena, &sub) == ERR_ok;
    assert_int_equal(sub.len > 0, ok);
    return ok;
}

static bool takes(const char *header, const char *claims)
{
    struct buf token = {0};

    make(&token, bytes_cstr(header), bytes_cstr(claims));
    bool ok = taken(buf_bytes(&token));
    buf_release(&token);
    return ok;
}

/* Made with another implementation of RFC 7515 (Python: hmac, base64). */
static void test_known_token(void **state)
{
    struct bytes sub;
    (void)state;
    assert_int_equal(
        app_token_verify(
            &key,
            BYTES("eyJ0eXAiOiJKV1QiLCJhbGciOiJIUzI1NiJ9."
                  "eyJzdWIiOiJjdXN0b21lcjo3IiwiZXhwIjoxNzAwMDAzNjAwLCJpYXQiOjE3MDAwMDAwMDB9."
                  "gBt4h0693yHG_tLVU6PivrFtlvy4Y7t7LnanZ4Rf3Bc"),
            NOW, AHEAD, &arena, &sub),
        ERR_ok);
    assert_true(bytes_equal(sub, BYTES("customer:7")));
}

static void test_headers(void **state)
{
    static const char *const good[] = {
        HEADER, "{\"alg\":\"HS256\"}",
        " { \"typ\" : \"JWT\" , \"kid\" : \"1\", \"alg\" : \"HS256\" } ",
        "{\"alg\":\"\\u0048S256\"}"};
    static const char *const bad[] = {"",
                                      "{}",
                                      "[]",
                                      "null",
                                      "\"HS256\"",
                                      "{\"typ\":\"JWT\"}",
                                      "{\"alg\":\"none\"}",
                                      "{\"alg\":\"None\"}",
                                      "{\"alg\":\"hs256\"}",
                                      "{\"alg\":\"HS512\"}",
                                      "{\"alg\":\"RS256\"}",
                                      "{\"alg\":\"HS256 \"}",
                                      "{\"alg\":256}",
                                      "{\"alg\":null}",
                                      "{\"alg\":[\"HS256\"]}",
                                      "{\"alg\":\"HS256\",\"alg\":\"HS256\"}",
                                      "{\"alg\":\"HS256\",\"\\u0061lg\":\"none\"}",
                                      "{\"Alg\":\"HS256\"}",
                                      "{\"alg\":\"HS256\",\"typ\":\"jwe\"}",
                                      "{\"alg\":\"HS256\",\"typ\":null}",
                                      "{\"alg\":\"HS256\",\"crit\":[\"exp\"]}",
                                      "{\"alg\":\"HS256\",\"crit\":[]}",
                                      "{\"alg\":\"HS256\",\"crit\":null}",
                                      "{\"alg\":\"HS256\"}x",
                                      "{\"alg\":\"HS256\"",
                                      "\xef\xbb\xbf{\"alg\":\"HS256\"}",
                                      "{\"alg\":\"HS256\",\"x\":\"\xff\"}"};
    (void)state;
    for (size_t i = 0; i < sizeof good / sizeof *good; i++)
        assert_true(takes(good[i], CLAIMS));
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        assert_false(takes(bad[i], CLAIMS));
}

static void test_claims(void **state)
{
    static const char *const good[] = {
        CLAIMS, "{\"exp\":1700000001,\"sub\":\"a\"}", "{\"exp\":1700086400,\"sub\":\"a\"}",
        "{\"exp\":1700000001,\"sub\":\"a\",\"nbf\":1700000000,\"iat\":1.5,\"name\":{\"x\":[]}}"};
    static const char *const bad[] = {
        "",
        "[]",
        "{}",
        "{\"sub\":\"a\"}",
        "{\"exp\":1700003600}",
        "{\"exp\":1700000000,\"sub\":\"a\"}",
        "{\"exp\":1699999999,\"sub\":\"a\"}",
        "{\"exp\":1700086401,\"sub\":\"a\"}",
        "{\"exp\":9223372036854775807,\"sub\":\"a\"}",
        "{\"exp\":-9223372036854775808,\"sub\":\"a\"}",
        "{\"exp\":99999999999999999999,\"sub\":\"a\"}",
        "{\"exp\":1700003600.0,\"sub\":\"a\"}",
        "{\"exp\":17e8,\"sub\":\"a\"}",
        "{\"exp\":\"1700003600\",\"sub\":\"a\"}",
        "{\"exp\":null,\"sub\":\"a\"}",
        "{\"exp\":1700003600,\"sub\":\"\"}",
        "{\"exp\":1700003600,\"sub\":7}",
        "{\"exp\":1700003600,\"sub\":null}",
        "{\"exp\":1700003600,\"sub\":\"a\",\"sub\":\"b\"}",
        "{\"exp\":1700003600,\"exp\":1700003600,\"sub\":\"a\"}",
        "{\"exp\":1700003600,\"sub\":\"a\",\"nbf\":1700000001}",
        "{\"exp\":1700003600,\"sub\":\"a\",\"nbf\":\"0\"}",
        "{\"exp\":1700003600,\"sub\":\"a\",\"nbf\":null}",
        "{\"exp\":1700003600,\"sub\":\"a\",\"aud\":\"chat\"}",
        "{\"exp\":1700003600,\"sub\":\"a\",\"aud\":[]}",
        "{\"exp\":1700003600,\"sub\":\"a\",\"x\":[[[[[[[[[]]]]]]]]]}"};
    (void)state;
    for (size_t i = 0; i < sizeof good / sizeof *good; i++)
        assert_true(takes(HEADER, good[i]));
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        assert_false(takes(HEADER, bad[i]));
    assert_false(takes(HEADER, CLAIMS CLAIMS));
}

/* One bit of any of its characters, one character less, one more, in each place. */
static void test_every_bit(void **state)
{
    struct buf token = {0}, other = {0};
    (void)state;
    make(&token, BYTES(HEADER), BYTES(CLAIMS));
    assert_true(taken(buf_bytes(&token)));
    for (size_t at = 0; at < token.len; at++) {
        for (int bit = 0; bit < 8; bit++) {
            token.p[at] ^= (uint8_t)(1 << bit);
            assert_false(taken(buf_bytes(&token)));
            token.p[at] ^= (uint8_t)(1 << bit);
        }
        buf_reset(&other);
        buf_add(&other, token.p, at);
        assert_false(taken(buf_bytes(&other)));
        buf_add(&other, token.p + at + 1, token.len - at - 1);
        assert_false(taken(buf_bytes(&other)));
        for (size_t i = 0; i < 4; i++) {
            buf_reset(&other);
            buf_add(&other, token.p, at + 1);
            buf_add_u8(&other, (uint8_t) ".=A\n"[i]);
            buf_add(&other, token.p + at + 1, token.len - at - 1);
            assert_false(taken(buf_bytes(&other)));
        }
    }
    buf_release(&token);
    buf_release(&other);
}

/* Signed well, but not in base64url as it is written without padding. */
static void test_spelling(void **state)
{
    static const char *const bad[] = {"e30.e30", "e30=.e30=", "..",      ".",          "e30",
                                      "a.b",     "e3 0.e30",  "e31.e30", "e30.e30.e30"};
    struct buf token = {0};
    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        buf_reset(&token);
        buf_add_bytes(&token, bytes_cstr(bad[i]));
        add_signature(&token);
        assert_false(taken(buf_bytes(&token)));
    }
    buf_release(&token);
}

static void test_sizes(void **state)
{
    struct buf claims = {0}, token = {0};
    bool longest = false;
    (void)state;
    for (size_t len = 2900; len < 3100; len++) {
        buf_reset(&claims);
        BUF_ADD_LIT(&claims, "{\"sub\":\"a\",\"exp\":1700003600,\"x\":\"");
        while (claims.len < len)
            buf_add_u8(&claims, 'x');
        BUF_ADD_LIT(&claims, "\"}");
        make(&token, BYTES(HEADER), buf_bytes(&claims));
        assert_int_equal(taken(buf_bytes(&token)), token.len <= APP_TOKEN_MAX);
        longest = longest || token.len > APP_TOKEN_MAX;
    }
    assert_true(longest);
    buf_release(&claims);
    buf_release(&token);
}

static void test_without_a_key(void **state)
{
    struct secret none = {.len = 0};
    struct buf token = {0};
    struct bytes sub;
    uint8_t mac[CRYPTO_HMAC_LEN];
    (void)state;
    add_base64(&token, BYTES(HEADER));
    buf_add_bytes(&token, BYTES("."));
    add_base64(&token, BYTES(CLAIMS));
    crypto_hmac_sha256(bytes_of("", 0), buf_bytes(&token), mac);
    buf_add_bytes(&token, BYTES("."));
    add_base64(&token, bytes_of(mac, sizeof mac));
    assert_int_equal(app_token_verify(&none, buf_bytes(&token), NOW, AHEAD, &arena, &sub),
                     ERR_unauthorized);
    buf_release(&token);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_known_token),  cmocka_unit_test(test_headers),
        cmocka_unit_test(test_claims),       cmocka_unit_test(test_every_bit),
        cmocka_unit_test(test_spelling),     cmocka_unit_test(test_sizes),
        cmocka_unit_test(test_without_a_key)};
    return cmocka_run_group_tests(tests, setup, teardown);
}
