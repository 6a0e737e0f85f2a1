#include "hooks/sign.h"

#include "base/crypto.h"

#include <stdio.h>

#define PREFIX "whsec_"

/* Base64 with padding, made of base64url without. */
static void add_base64(struct bytes in, struct buf *out)
{
    size_t len = crypto_base64_len(in.len), at = out->len;

    buf_reserve(out, len);
    crypto_base64_encode(in, (char *)out->p + at);
    out->len += len;
    for (size_t i = at; i < out->len; i++) {
        if (out->p[i] == '-')
            out->p[i] = '+';
        else if (out->p[i] == '_')
            out->p[i] = '/';
    }
    for (; len % 4 != 0; len++)
        buf_add_u8(out, '=');
}

/* The other way; the padding may be left out. */
static bool read_base64(struct bytes text, struct buf *out)
{
    char plain[(SIGN_KEY_MAX + 2) / 3 * 4];
    size_t len = text.len;
    uint8_t bytes[SIGN_KEY_MAX];

    while (text.len % 4 == 0 && len > 0 && text.len - len < 2 && text.p[len - 1] == '=')
        len--;
    if (len > sizeof plain)
        return false;
    for (size_t i = 0; i < len; i++) {
        uint8_t c = text.p[i];
        if (c == '-' || c == '_')
            return false;
        plain[i] = (char)(c == '+' ? '-' : c == '/' ? '_' : c);
    }
    long count = crypto_base64_decode(bytes_of(plain, len), bytes, sizeof bytes);
    if (count > 0)
        buf_add(out, bytes, (size_t)count);
    crypto_wipe(plain, sizeof plain);
    crypto_wipe(bytes, sizeof bytes);
    return count > 0;
}

bool sign_key_read(struct bytes text, struct buf *key)
{
    size_t prefix = sizeof PREFIX - 1;

    if (bytes_begin_with(text, BYTES(PREFIX)))
        return read_base64(bytes_of(text.p + prefix, text.len - prefix), key);
    if (text.len == 0 || text.len > SIGN_KEY_MAX)
        return false;
    buf_add_bytes(key, text);
    return true;
}

void sign_key_write(struct bytes key, struct buf *out)
{
    BUF_ADD_LIT(out, PREFIX);
    add_base64(key, out);
}

void sign_add(struct bytes key, const char *id, int64_t time_s, struct bytes body, struct buf *out)
{
    struct buf message = {0};
    uint8_t mac[CRYPTO_HMAC_LEN];
    char time[32];

    snprintf(time, sizeof time, ".%lld.", (long long)time_s);
    buf_add_bytes(&message, bytes_cstr(id));
    buf_add_bytes(&message, bytes_cstr(time));
    buf_add_bytes(&message, body);
    crypto_hmac_sha256(key, buf_bytes(&message), mac);
    buf_release(&message);
    BUF_ADD_LIT(out, "v1,");
    add_base64(bytes_of(mac, sizeof mac), out);
}
