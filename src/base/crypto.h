/*
 * crypto: libsodium, in this one place. crypto_init comes first, in main and in every test.
 */
#ifndef BASE_CRYPTO_H
#define BASE_CRYPTO_H

#include "base/bytes.h"
#include "base/err.h"

/* Ends the process where the library cannot start. Idempotent. */
void crypto_init(void);

/* `len` bytes that nobody can foresee: up to 32 are the system's own, more are a ChaCha20 stream
 * (RFC 8439) under a key of the system's that is wiped behind it. Any thread. */
void crypto_random(void *out, size_t len);

/* SipHash-2-4 under a key that is drawn at crypto_init: for tables whose keys a client chooses.
 * The value differs from run to run: it must reach no file and no digest. */
uint64_t crypto_siphash(struct bytes s);

#define CRYPTO_HMAC_LEN 32
/* HMAC-SHA256 (RFC 2104, FIPS 180-4) with a key of any length. */
void crypto_hmac_sha256(struct bytes key, struct bytes message,
                        uint8_t out[static CRYPTO_HMAC_LEN]);

/* Equal bytes? Takes the same time wherever they differ; lengths are not secret. */
bool crypto_equal(const void *a, const void *b, size_t len);

/* Overwrites memory in a way that the compiler keeps. */
void crypto_wipe(void *p, size_t len);

/* Base64url without padding (RFC 4648, 5). encode writes crypto_base64_len(len) characters and no
 * NUL. decode is strict (no padding, no foreign character, zero trailing bits): the number of
 * bytes written, or -1. */
size_t crypto_base64_len(size_t len);
void crypto_base64_encode(struct bytes in, char *out);
long crypto_base64_decode(struct bytes in, uint8_t *out, size_t out_max);

#define CRYPTO_PASSWORD_LEN 128
/* The least work that libsodium takes: for tests. */
#define CRYPTO_PASSWORD_PASSES_MIN 1
#define CRYPTO_PASSWORD_MEMORY_MIN 8192
/* Argon2id (RFC 9106), encoded as "$argon2id$v=19$m=…", NUL-terminated. `memory` in bytes. False
 * where memory could not be had. Slow and big by intention: worker threads only. */
bool crypto_password_hash(struct bytes password, uint64_t passes, size_t memory,
                          char out[static CRYPTO_PASSWORD_LEN]);
/* Is `password` the one behind `encoded` (NUL-terminated)? ERR_bad_credentials: no, or `encoded` is
 * no hash. ERR_busy: memory could not be had, so it is not known. Worker threads only. */
enum err crypto_password_verify(const char *encoded, struct bytes password) MUST_CHECK;

#endif
