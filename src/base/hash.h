/*
 * hash: BLAKE2b (RFC 7693), without a key.
 *
 * Each record of the journal is hashed, most of them in two blocks, which is a good part of what a
 * message costs. libsodium's and libb2's took twice as long where it was measured, so this is plain
 * code of ours; a unit test compares it with libb2's.
 */
#ifndef BASE_HASH_H
#define BASE_HASH_H

#include "base/bytes.h"

#define HASH_BLOCK_LEN 128

/* A running BLAKE2b. */
struct hash {
    uint64_t h[8];
    uint64_t count; /* bytes that are in h */
    uint8_t block[HASH_BLOCK_LEN];
    size_t block_len;
    size_t out_len;
};

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
