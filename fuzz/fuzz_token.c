/*
 * The bearer token. The first byte says how the rest becomes a token, so that the fuzzer reaches
 * what lies behind the signature: as it is; signed as header and claims; signed as claims. Whatever
 * is taken must be, byte for byte, what token_issue makes of the claims in it.
 *
 * With its highest bit it is a token of the app, read as JSON: as it is; signed as it is; or the
 * next byte says how long the header is, and claims follow, both still to be encoded. Whatever is
 * taken must say to another reader of JSON what it was taken for.
 */
#include <jansson.h>
#include <stdlib.h>

#include "auth/app_token.h"
#include "auth/token.h"
#include "base/crypto.h"
#include "base/ensure.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const struct token_key key = {.b = "0123456789abcdef0123456789abcdef"};
static const struct bytes header = {(const uint8_t *)"eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.", 37};

static void add_base64(struct buf *out, struct bytes s)
{
    if (s.len == 0)
        return;
    buf_reserve(out, crypto_base64_len(s.len));
    crypto_base64_encode(s, (char *)out->p + out->len);
    out->len += crypto_base64_len(s.len);
}

static void add_signature(struct buf *out)
{
    uint8_t mac[CRYPTO_HMAC_LEN];

    crypto_hmac_sha256(bytes_of(key.b, sizeof key.b), buf_bytes(out), mac);
    buf_add_u8(out, '.');
    add_base64(out, bytes_of(mac, sizeof mac));
}

/* `token` was taken. Reads its exp and gen in a way of its own, and has the token made again. */
static void check_taken(struct bytes token, const struct uuid *user_id)
{
    uint8_t claims[128] = {0};
    struct buf again = {0};

    ENSURE(token.len > header.len + 44);
    struct bytes part = bytes_of(token.p + header.len, token.len - header.len - 44);
    long len = crypto_base64_decode(part, claims, sizeof claims - 1);
    ENSURE(len > 56);
    char *end;
    struct token_claims said = {.user_id = *user_id,
                                .expires_s = strtoll((const char *)claims + 56, &end, 10)};
    if (*end == ',')
        said.generation = (uint32_t)strtoul(end + 7, NULL, 10);
    token_issue(&key, &said, &again);
    ENSURE(bytes_equal(token, buf_bytes(&again)));
    buf_release(&again);
}

/* ---- tokens of the app ------------------------------------------------------------------------
 */

#define NOW   1700000000
#define AHEAD 86400

/* A part of a token that was taken, as jansson reads it: NULL where it cannot, for a number beyond
 * what it can hold or a NUL in a name, which are none that anybody looks at. */
static json_t *part_of(struct bytes part)
{
    uint8_t text[APP_TOKEN_MAX];
    long len = crypto_base64_decode(part, text, sizeof text);
    json_error_t error;

    ENSURE(len > 0);
    json_t *v = json_loadb((const char *)text, (size_t)len, JSON_REJECT_DUPLICATES | JSON_ALLOW_NUL,
                           &error);
    if (v == NULL) {
        enum json_error_code why = json_error_code(&error);
        ENSURE(why == json_error_numeric_overflow || why == json_error_null_byte_in_key);
        return NULL;
    }
    ENSURE(json_is_object(v));
    return v;
}

static void check_claims(const json_t *header_part, const json_t *claims, struct bytes sub)
{
    const json_t *who = json_object_get(claims, "sub");
    json_int_t exp = json_integer_value(json_object_get(claims, "exp"));

    ENSURE(bytes_equal(bytes_cstr(json_string_value(json_object_get(header_part, "alg"))),
                       BYTES("HS256")));
    ENSURE(json_object_get(header_part, "crit") == NULL && json_object_get(claims, "aud") == NULL);
    ENSURE(exp > NOW && exp <= NOW + AHEAD);
    ENSURE(json_is_string(who) && sub.len > 0);
    ENSURE(bytes_equal(sub, bytes_of(json_string_value(who), json_string_length(who))));
}

static void check_taken_of_app(struct bytes token, struct bytes sub)
{
    ENSURE(token.p != NULL && token.len > 44);
    const uint8_t *first = memchr(token.p, '.', token.len);
    const uint8_t *second = memchr(first + 1, '.', (size_t)(token.p + token.len - first - 1));

    ENSURE(second != NULL && token.p + token.len - second == 44);
    json_t *header_part = part_of(bytes_of(token.p, (size_t)(first - token.p)));
    json_t *claims = part_of(bytes_of(first + 1, (size_t)(second - first - 1)));
    if (header_part != NULL && claims != NULL)
        check_claims(header_part, claims, sub);
    json_decref(header_part);
    json_decref(claims);
}

static void add_parts(struct buf *token, struct bytes in)
{
    size_t header_len = in.len > 0 ? in.p[0] : 0;

    in = in.len > 0 ? bytes_of(in.p + 1, in.len - 1) : in;
    header_len = header_len < in.len ? header_len : in.len;
    add_base64(token, bytes_of(in.p, header_len));
    BUF_ADD_LIT(token, ".");
    add_base64(token, bytes_of(in.p + header_len, in.len - header_len));
}

static void app_token(uint8_t how, struct bytes in)
{
    struct secret secret = {.len = sizeof key.b};
    struct arena arena = {0};
    struct buf token = {0};
    struct bytes sub;

    memcpy(secret.b, key.b, sizeof key.b);
    if (how % 3 == 2)
        add_parts(&token, in);
    else
        buf_add_bytes(&token, in);
    if (how % 3 != 0)
        add_signature(&token);
    if (app_token_verify(&secret, buf_bytes(&token), NOW, AHEAD, &arena, &sub) == ERR_ok)
        check_taken_of_app(buf_bytes(&token), sub);
    buf_release(&token);
    arena_release(&arena);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct buf token = {0};
    struct token_claims claims;

    crypto_init();
    if (size == 0)
        return 0;
    if ((data[0] & 0x80) != 0) {
        app_token(data[0] & 0x7f, bytes_of(data + 1, size - 1));
        return 0;
    }
    if (data[0] % 3 == 2) {
        buf_add_bytes(&token, header);
        add_base64(&token, bytes_of(data + 1, size - 1));
    } else {
        buf_add(&token, data + 1, size - 1);
    }
    if (data[0] % 3 != 0)
        add_signature(&token);
    if (token_verify(&key, buf_bytes(&token), 1700000000, &claims) == ERR_ok)
        check_taken(buf_bytes(&token), &claims.user_id);
    buf_release(&token);
    return 0;
}
