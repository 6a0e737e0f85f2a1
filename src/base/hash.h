/*
 * hash: BLAKE2b (RFC 7693), libsodium's; a unit test compares it with libb2. crypto_init comes
 * first, which chooses what this processor does fastest.
 */
#ifndef BASE_HASH_H
#define BASE_HASH_H

#include "base/bytes.h"

/* A running BLAKE2b. Size and alignment are checked against the library's in hash.c. */
struct hash {
    uint8_t opaque[384];
    size_t out_len;
} __attribute__((aligned(64)));

/* Starts a hash of `out_len` bytes, 1 to 64. */
void hash_init(struct hash *h, size_t out_len);
void hash_add(struct hash *h, const void *p, size_t len);
/* Writes the out_len bytes that hash_init was told; h is used up. */
void hash_final(struct hash *h, uint8_t *out);

/* All three at once. */
void hash_bytes(struct bytes in, uint8_t *out, size_t out_len);

/* Little-endian integers into a hash, for canonical walks. */
void hash_add_u64(struct hash *h, uint64_t v);
/* Length, then bytes. */
void hash_add_bytes(struct hash *h, struct bytes s);

#endif
