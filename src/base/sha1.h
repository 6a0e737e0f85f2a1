/*
 * sha1: SHA-1 (FIPS 180-4) and base64 with padding (RFC 4648, 4), for the WebSocket handshake only
 * (RFC 6455, 4.2.2), which rests no security on either. libsodium has no SHA-1.
 */
#ifndef BASE_SHA1_H
#define BASE_SHA1_H

#include "base/bytes.h"

#define SHA1_LEN 20
void sha1_bytes(struct bytes in, uint8_t out[static SHA1_LEN]);

/* Writes 4 * ceil(len / 3) characters and no NUL. */
void base64_encode(struct bytes in, char *out);

#endif
