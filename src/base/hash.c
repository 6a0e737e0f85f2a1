#include "base/hash.h"

#include <endian.h>

#include "base/ensure.h"

/* The numbers are those of RFC 7693: the constants of 2.6 and 2.1, the permutations of 2.7 (rounds
 * 10 and 11 begin them anew), the function G of 3.1, the compression F of 3.2. */
#define ROUNDS 12

static const uint64_t iv[8] = {0x6a09e667f3bcc908, 0xbb67ae8584caa73b, 0x3c6ef372fe94f82b,
                               0xa54ff53a5f1d36f1, 0x510e527fade682d1, 0x9b05688c2b3e6c1f,
                               0x1f83d9abfb41bd6b, 0x5be0cd19137e2179};

static const uint8_t sigma[ROUNDS][16] = {{0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15},
                                          {14, 10, 4, 8, 9, 15, 13, 6, 1, 12, 0, 2, 11, 7, 5, 3},
                                          {11, 8, 12, 0, 5, 2, 15, 13, 10, 14, 3, 6, 7, 1, 9, 4},
                                          {7, 9, 3, 1, 13, 12, 11, 14, 2, 6, 5, 10, 4, 0, 15, 8},
                                          {9, 0, 5, 7, 2, 4, 10, 15, 14, 1, 11, 12, 6, 8, 3, 13},
                                          {2, 12, 6, 10, 0, 11, 8, 3, 4, 13, 7, 5, 15, 14, 1, 9},
                                          {12, 5, 1, 15, 14, 13, 4, 10, 0, 7, 6, 3, 9, 2, 8, 11},
                                          {13, 11, 7, 14, 12, 1, 3, 9, 5, 0, 15, 4, 8, 6, 2, 10},
                                          {6, 15, 14, 9, 11, 3, 0, 8, 12, 2, 13, 7, 1, 4, 10, 5},
                                          {10, 2, 8, 4, 7, 6, 1, 5, 15, 11, 9, 14, 3, 12, 13, 0},
                                          {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15},
                                          {14, 10, 4, 8, 9, 15, 13, 6, 1, 12, 0, 2, 11, 7, 5, 3}};

static inline uint64_t rotate(uint64_t x, int by)
{
    return x >> by | x << (64 - by);
}

static inline void mix(uint64_t v[16], int a, int b, int c, int d, uint64_t x, uint64_t y)
{
    v[a] += v[b] + x;
    v[d] = rotate(v[d] ^ v[a], 32);
    v[c] += v[d];
    v[b] = rotate(v[b] ^ v[c], 24);
    v[a] += v[b] + y;
    v[d] = rotate(v[d] ^ v[a], 16);
    v[c] += v[d];
    v[b] = rotate(v[b] ^ v[c], 63);
}

/* Unrolled, so that sigma and the places in v are no memory, and v is in registers mostly. */
static void compress(struct hash *h, const uint8_t block[static HASH_BLOCK_LEN], bool last)
{
    uint64_t m[16], v[16];

    memcpy(m, block, sizeof m);
    memcpy(v, h->h, sizeof h->h);
    memcpy(v + 8, iv, sizeof iv);
    v[12] ^= h->count;
    v[14] ^= last ? UINT64_MAX : 0;
    for (int i = 0; i < 16; i++)
        m[i] = le64toh(m[i]);
#pragma GCC unroll 12
    for (int r = 0; r < ROUNDS; r++) {
        const uint8_t *s = sigma[r];
        mix(v, 0, 4, 8, 12, m[s[0]], m[s[1]]);
        mix(v, 1, 5, 9, 13, m[s[2]], m[s[3]]);
        mix(v, 2, 6, 10, 14, m[s[4]], m[s[5]]);
        mix(v, 3, 7, 11, 15, m[s[6]], m[s[7]]);
        mix(v, 0, 5, 10, 15, m[s[8]], m[s[9]]);
        mix(v, 1, 6, 11, 12, m[s[10]], m[s[11]]);
        mix(v, 2, 7, 8, 13, m[s[12]], m[s[13]]);
        mix(v, 3, 4, 9, 14, m[s[14]], m[s[15]]);
    }
    for (int i = 0; i < 8; i++)
        h->h[i] ^= v[i] ^ v[i + 8];
}

void hash_init(struct hash *h, size_t out_len)
{
    ENSURE(out_len >= 1 && out_len <= 64);
    memcpy(h->h, iv, sizeof iv);
    h->h[0] ^= 0x01010000 ^ out_len; /* fanout 1, depth 1, no key: 2.5 */
    h->count = 0;
    h->block_len = 0;
    h->out_len = out_len;
}

/* The last block, also a whole one, waits for hash_final. */
void hash_add(struct hash *h, const void *p, size_t len)
{
    const uint8_t *at = p;
    size_t room = HASH_BLOCK_LEN - h->block_len;

    if (len > room) {
        memcpy(h->block + h->block_len, at, room);
        h->count += HASH_BLOCK_LEN;
        compress(h, h->block, false);
        h->block_len = 0;
        at += room;
        len -= room;
        for (; len > HASH_BLOCK_LEN; at += HASH_BLOCK_LEN, len -= HASH_BLOCK_LEN) {
            h->count += HASH_BLOCK_LEN;
            compress(h, at, false);
        }
    }
    if (len > 0)
        memcpy(h->block + h->block_len, at, len);
    h->block_len += len;
}

void hash_final(struct hash *h, uint8_t *out)
{
    memset(h->block + h->block_len, 0, HASH_BLOCK_LEN - h->block_len);
    h->count += h->block_len;
    compress(h, h->block, true);
    for (int i = 0; i < 8; i++)
        h->h[i] = htole64(h->h[i]);
    memcpy(out, h->h, h->out_len);
}

void hash_bytes(struct bytes in, uint8_t *out, size_t out_len)
{
    struct hash h;
    hash_init(&h, out_len);
    hash_add(&h, in.p, in.len);
    hash_final(&h, out);
}

void hash_add_u64(struct hash *h, uint64_t v)
{
    uint64_t le = htole64(v);
    hash_add(h, &le, sizeof le);
}

void hash_add_bytes(struct hash *h, struct bytes s)
{
    hash_add_u64(h, s.len);
    hash_add(h, s.p, s.len);
}
