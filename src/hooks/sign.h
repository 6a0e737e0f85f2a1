/*
 * sign: the signature of Standard Webhooks (standardwebhooks.com), and its secrets.
 *
 * A secret is written "whsec_" and its bytes in base64; anything else is itself the bytes.
 */
#ifndef HOOKS_SIGN_H
#define HOOKS_SIGN_H

#include "base/buf.h"
#include "base/err.h"

/* Bytes of a key, at most: what a record holds. */
#define SIGN_KEY_MAX 255
/* Of one that we make. */
#define SIGN_KEY_LEN 32

/* The bytes of a key as somebody wrote it; false where it is empty, too long, or no base64 behind
 * the prefix. Added to *key. */
bool sign_key_read(struct bytes text, struct buf *key) MUST_CHECK;

/* Adds the key as it is written. */
void sign_key_write(struct bytes key, struct buf *out);

/* Adds "v1," and the signature of id, time (seconds since 1970) and body. */
void sign_add(struct bytes key, const char *id, int64_t time_s, struct bytes body, struct buf *out);

#endif
