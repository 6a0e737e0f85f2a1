#include "base/crypto.h"

#include <sodium.h>
#include <stdlib.h>

#include "base/ensure.h"

_Static_assert(CRYPTO_HMAC_LEN == crypto_auth_hmacsha256_BYTES, "HMAC-SHA256 is 32 bytes");
_Static_assert(CRYPTO_PASSWORD_LEN == crypto_pwhash_STRBYTES, "an encoded hash must fit");
_Static_assert(CRYPTO_PASSWORD_PASSES_MIN == crypto_pwhash_argon2id_OPSLIMIT_MIN, "least passes");
_Static_assert(CRYPTO_PASSWORD_MEMORY_MIN == crypto_pwhash_argon2id_MEMLIMIT_MIN, "least memory");
_Static_assert(sizeof(uint64_t) == crypto_shorthash_siphash24_BYTES, "SipHash is 64 bits");

/* Set by crypto_init before there are other threads, then read only. */
static uint8_t siphash_key[crypto_shorthash_siphash24_KEYBYTES];
static bool started;

void crypto_init(void)
{
    if (started)
        return;
    ENSURE(sodium_init() >= 0);
    randombytes_buf(siphash_key, sizeof siphash_key);
    started = true;
}

void crypto_random(void *out, size_t len)
{
    uint8_t seed[randombytes_SEEDBYTES];
    if (len <= sizeof seed) {
        randombytes_buf(out, len);
        return;
    }
    /* The system's own takes eight times as long for 4 KiB, and every message has an id. */
    randombytes_buf(seed, sizeof seed);
    randombytes_buf_deterministic(out, len, seed);
    sodium_memzero(seed, sizeof seed);
}

uint64_t crypto_siphash(struct bytes s)
{
    /* Without a key of its own the hash could be foreseen, and a table be flooded. */
    ENSURE(started);

    uint64_t h;
    crypto_shorthash_siphash24((unsigned char *)&h, s.p, s.len, siphash_key);
    return h;
}

void crypto_hmac_sha256(struct bytes key, struct bytes message, uint8_t out[static CRYPTO_HMAC_LEN])
{
    /* The one-call form takes keys of 32 bytes only. */
    crypto_auth_hmacsha256_state state;
    crypto_auth_hmacsha256_init(&state, key.p, key.len);
    crypto_auth_hmacsha256_update(&state, message.p, message.len);
    crypto_auth_hmacsha256_final(&state, out);
    sodium_memzero(&state, sizeof state);
}

bool crypto_equal(const void *a, const void *b, size_t len)
{
    return sodium_memcmp(a, b, len) == 0;
}

void crypto_wipe(void *p, size_t len)
{
    sodium_memzero(p, len);
}

size_t crypto_base64_len(size_t len)
{
    return len / 3 * 4 + (len % 3 == 0 ? 0 : len % 3 + 1);
}

void crypto_base64_encode(struct bytes in, char *out)
{
    /* The library ends its text with a NUL, for which `out` has no room: piece by piece, each a
     * multiple of three bytes but the last. */
    char piece[65];
    for (size_t at = 0; at < in.len;) {
        size_t n = in.len - at < 48 ? in.len - at : 48;
        sodium_bin2base64(piece, sizeof piece, in.p + at, n,
                          sodium_base64_VARIANT_URLSAFE_NO_PADDING);
        memcpy(out, piece, crypto_base64_len(n));
        out += crypto_base64_len(n);
        at += n;
    }
    sodium_memzero(piece, sizeof piece);
}

long crypto_base64_decode(struct bytes in, uint8_t *out, size_t out_max)
{
    if (in.len == 0)
        return 0;

    size_t len = 0;
    /* No end pointer: then the library refuses what it cannot read to the last character. */
    int failed = sodium_base642bin(out, out_max, (const char *)in.p, in.len, NULL, &len, NULL,
                                   sodium_base64_VARIANT_URLSAFE_NO_PADDING);
    return failed ? -1 : (long)len;
}

bool crypto_password_hash(struct bytes password, uint64_t passes, size_t memory,
                          char out[static CRYPTO_PASSWORD_LEN])
{
    ENSURE(passes >= CRYPTO_PASSWORD_PASSES_MIN && memory >= CRYPTO_PASSWORD_MEMORY_MIN);
    return crypto_pwhash_argon2id_str(out, (const char *)password.p, password.len, passes,
                                      memory) == 0;
}

/* What crypto_password_hash has put into its text. */
struct encoded {
    unsigned long long passes;
    size_t memory;
    uint8_t salt[crypto_pwhash_argon2id_SALTBYTES];
    uint8_t hash[32];
};

/* Reads the number between `before` and `behind`; NULL where it is not there. */
static const char *read_number(const char *s, const char *before, unsigned long *out)
{
    if (strncmp(s, before, strlen(before)) != 0)
        return NULL;
    char *end;
    *out = strtoul(s + strlen(before), &end, 10);
    return end;
}

/* Reads `len` bytes, behind a '$'. */
static const char *read_bytes(const char *s, uint8_t *out, size_t len)
{
    size_t got = 0;
    const char *end = NULL;
    if (*s != '$' || sodium_base642bin(out, len, s + 1, strlen(s + 1), NULL, &got, &end,
                                       sodium_base64_VARIANT_ORIGINAL_NO_PADDING) != 0)
        return NULL;
    return got == len ? end : NULL;
}

static bool decode(const char *s, struct encoded *e)
{
    unsigned long kib = 0, passes = 0, lanes = 0;
    s = read_number(s, "$argon2id$v=19$m=", &kib);
    if (s != NULL)
        s = read_number(s, ",t=", &passes);
    if (s != NULL)
        s = read_number(s, ",p=", &lanes);
    if (s == NULL || lanes != 1 || kib > SIZE_MAX / 1024)
        return false;
    e->passes = passes;
    e->memory = kib * 1024;
    if (e->passes < crypto_pwhash_argon2id_OPSLIMIT_MIN ||
        e->passes > crypto_pwhash_argon2id_OPSLIMIT_MAX ||
        e->memory < crypto_pwhash_argon2id_MEMLIMIT_MIN ||
        e->memory > crypto_pwhash_argon2id_MEMLIMIT_MAX)
        return false;
    s = read_bytes(s, e->salt, sizeof e->salt);
    if (s != NULL)
        s = read_bytes(s, e->hash, sizeof e->hash);
    return s != NULL && *s == '\0';
}

/*
 * Not crypto_pwhash_argon2id_str_verify: it takes memory that it could not have for a password that
 * is wrong.
 */
enum err crypto_password_verify(const char *encoded, struct bytes password)
{
    struct encoded e;
    uint8_t hash[sizeof e.hash];

    if (!decode(encoded, &e))
        return ERR_bad_credentials;
    if (crypto_pwhash_argon2id(hash, sizeof hash, (const char *)password.p, password.len, e.salt,
                               e.passes, e.memory, crypto_pwhash_argon2id_ALG_ARGON2ID13) != 0)
        return ERR_busy; /* the work is one that there is: it was the memory */
    bool same = sodium_memcmp(hash, e.hash, sizeof hash) == 0;
    sodium_memzero(hash, sizeof hash);
    return same ? ERR_ok : ERR_bad_credentials;
}
