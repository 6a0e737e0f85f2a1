#include "auth/app_token.h"

#include "base/crypto.h"
#include "base/json_read.h"

#define SIGNATURE_LEN 43 /* of 32 bytes in base64url */

/* Far more than a token needs. */
static const struct json_limits LIMITS = {8, 256};

/* Is it the signature of `text`? As text, which has one spelling (RFC 4648, 3.5). */
static bool signed_by(const struct secret *key, struct bytes text, struct bytes signature)
{
    uint8_t mac[CRYPTO_HMAC_LEN];
    char expected[SIGNATURE_LEN];

    if (signature.len != SIGNATURE_LEN)
        return false;
    crypto_hmac_sha256(secret_bytes(key), text, mac);
    crypto_base64_encode(bytes_of(mac, sizeof mac), expected);
    return crypto_equal(expected, signature.p, SIGNATURE_LEN);
}

/* A part of the token, as a JSON object. */
static bool read_part(struct bytes part, struct arena *arena, struct json *out)
{
    uint8_t *text = arena_alloc(arena, part.len + 1);
    long len = crypto_base64_decode(part, text, part.len);

    return len >= 0 && json_read(bytes_of(text, (size_t)len), LIMITS, arena, out, NULL) == ERR_ok &&
           json_type(*out) == JSON_OBJECT;
}

static bool is_text(struct json v, struct bytes expected, struct arena *arena)
{
    struct bytes s;
    return json_string(v, arena, &s) && bytes_equal(s, expected);
}

static bool header_fits(struct json header, struct arena *arena)
{
    struct json typ = json_member(header, "typ");

    return is_text(json_member(header, "alg"), BYTES("HS256"), arena) &&
           (json_type(typ) == JSON_NONE || is_text(typ, BYTES("JWT"), arena)) &&
           json_type(json_member(header, "crit")) == JSON_NONE;
}

static bool claims_fit(struct json claims, int64_t now_s, int64_t ahead_s)
{
    struct json nbf = json_member(claims, "nbf");
    int64_t exp, from = now_s;

    if (!json_int(json_member(claims, "exp"), &exp) || exp <= now_s || exp - now_s > ahead_s)
        return false;
    if (json_type(nbf) != JSON_NONE && !json_int(nbf, &from))
        return false;
    return from <= now_s && json_type(json_member(claims, "aud")) == JSON_NONE;
}

/* The parts of header.claims.signature; two dots, no more. */
static bool split(struct bytes token, struct bytes parts[3])
{
    for (int i = 0; i < 2; i++) {
        const uint8_t *dot = token.len > 0 ? memchr(token.p, '.', token.len) : NULL;
        if (dot == NULL)
            return false;
        parts[i] = bytes_of(token.p, (size_t)(dot - token.p));
        token = bytes_of(dot + 1, token.len - parts[i].len - 1);
    }
    parts[2] = token;
    return true;
}

enum err app_token_verify(const struct secret *key, struct bytes token, int64_t now_s,
                          int64_t ahead_s, struct arena *arena, struct bytes *sub)
{
    struct json header, claims;
    struct bytes parts[3], who;

    if (key->len == 0 || token.len > APP_TOKEN_MAX || !split(token, parts))
        return ERR_unauthorized;
    struct bytes text = bytes_of(token.p, parts[0].len + 1 + parts[1].len);
    /* The signature first: nothing is read that somebody else wrote. */
    if (!signed_by(key, text, parts[2]) || !read_part(parts[0], arena, &header) ||
        !header_fits(header, arena) || !read_part(parts[1], arena, &claims) ||
        !claims_fit(claims, now_s, ahead_s) ||
        !json_string(json_member(claims, "sub"), arena, &who) || who.len == 0)
        return ERR_unauthorized;
    *sub = arena_copy(arena, who);
    return ERR_ok;
}
