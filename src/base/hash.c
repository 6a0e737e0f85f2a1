#include "base/hash.h"

#include <sodium/crypto_generichash_blake2b.h>

#include "base/ensure.h"

_Static_assert(sizeof((struct hash *)0)->opaque == sizeof(crypto_generichash_blake2b_state),
               "struct hash must hold libsodium's state");
_Static_assert(offsetof(struct hash, opaque) == 0, "aligned as the struct is");
_Static_assert(_Alignof(struct hash) >= _Alignof(crypto_generichash_blake2b_state),
               "aligned as libsodium's state");

static crypto_generichash_blake2b_state *state(struct hash *h)
{
    return (crypto_generichash_blake2b_state *)(void *)h->opaque;
}

void hash_init(struct hash *h, size_t out_len)
{
    ENSURE(out_len >= 1 && out_len <= crypto_generichash_blake2b_BYTES_MAX);
    h->out_len = out_len;
    ENSURE(crypto_generichash_blake2b_init(state(h), NULL, 0, out_len) == 0);
}

void hash_add(struct hash *h, const void *p, size_t len)
{
    if (len == 0)
        return;
    ENSURE(crypto_generichash_blake2b_update(state(h), p, len) == 0);
}

void hash_final(struct hash *h, uint8_t *out)
{
    ENSURE(crypto_generichash_blake2b_final(state(h), out, h->out_len) == 0);
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
    uint8_t le[8];
    for (size_t i = 0; i < sizeof le; i++)
        le[i] = (uint8_t)(v >> (8 * i));
    hash_add(h, le, sizeof le);
}

void hash_add_bytes(struct hash *h, struct bytes s)
{
    hash_add_u64(h, s.len);
    hash_add(h, s.p, s.len);
}
