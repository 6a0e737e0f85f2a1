/*
 * The bearer token. The first byte says how the rest becomes a token, so that the fuzzer reaches
 * what lies behind the signature: as it is; signed as header and claims; signed as claims. Whatever
 * is taken must be, byte for byte, what token_issue makes of the claims in it.
 */
#include <stdlib.h>

#include "auth/token.h"
#include "base/crypto.h"
#include "base/ensure.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const struct token_key key = {.b = "0123456789abcdef0123456789abcdef"};
static const struct bytes header = {(const uint8_t *)"eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.", 37};

static void add_base64(struct buf *out, struct bytes s)
{
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

/* `token` was taken. Reads its exp in a way of its own, and has the token made again. */
static void check_taken(struct bytes token, const struct uuid *user_id)
{
    uint8_t claims[128] = {0};
    struct buf again = {0};

    ENSURE(token.len > header.len + 44);
    struct bytes part = bytes_of(token.p + header.len, token.len - header.len - 44);
    long len = crypto_base64_decode(part, claims, sizeof claims - 1);
    ENSURE(len > 56);
    token_issue(&key, user_id, strtoll((const char *)claims + 56, NULL, 10), &again);
    ENSURE(bytes_equal(token, buf_bytes(&again)));
    buf_release(&again);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct buf token = {0};
    struct uuid user_id;

    crypto_init();
    if (size == 0)
        return 0;
    if (data[0] % 3 == 2) {
        buf_add_bytes(&token, header);
        add_base64(&token, bytes_of(data + 1, size - 1));
    } else {
        buf_add(&token, data + 1, size - 1);
    }
    if (data[0] % 3 != 0)
        add_signature(&token);
    if (token_verify(&key, buf_bytes(&token), 1700000000, &user_id) == ERR_ok)
        check_taken(buf_bytes(&token), &user_id);
    buf_release(&token);
    return 0;
}
