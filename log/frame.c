#include "log/frame.h"

#include "base/ensure.h"
#include "base/hash.h"

static inline void put_u16(uint8_t *p, uint16_t v)
{
    p[0] = (uint8_t)v;
    p[1] = (uint8_t)(v >> 8);
}

static inline void put_u32(uint8_t *p, uint32_t v)
{
    put_u16(p, (uint16_t)v);
    put_u16(p + 2, (uint16_t)(v >> 16));
}

static inline void put_u64(uint8_t *p, uint64_t v)
{
    put_u32(p, (uint32_t)v);
    put_u32(p + 4, (uint32_t)(v >> 32));
}

static inline uint64_t rotate(uint64_t x, int by)
{
    return x << by | x >> (64 - by);
}

struct sip {
    uint64_t v0, v1, v2, v3;
};

static inline void sip_rounds(struct sip *s, int count)
{
    for (int i = 0; i < count; i++) {
        s->v0 += s->v1;
        s->v1 = rotate(s->v1, 13) ^ s->v0;
        s->v0 = rotate(s->v0, 32);
        s->v2 += s->v3;
        s->v3 = rotate(s->v3, 16) ^ s->v2;
        s->v0 += s->v3;
        s->v3 = rotate(s->v3, 21) ^ s->v0;
        s->v2 += s->v1;
        s->v1 = rotate(s->v1, 17) ^ s->v2;
        s->v2 = rotate(s->v2, 32);
    }
}

/* libsodium's is keyed by the process; this one's value is part of the file format. */
uint64_t frame_siphash(const struct frame_key *key, const uint8_t *p, size_t len)
{
    uint64_t k0 = frame_u64(key->b), k1 = frame_u64(key->b + 8);
    struct sip s = {k0 ^ 0x736f6d6570736575, k1 ^ 0x646f72616e646f6d, k0 ^ 0x6c7967656e657261,
                    k1 ^ 0x7465646279746573};
    uint64_t last = (uint64_t)len << 56;
    size_t whole = len & ~(size_t)7;
    for (size_t i = 0; i < whole; i += 8) {
        uint64_t m = frame_u64(p + i);
        s.v3 ^= m;
        sip_rounds(&s, 2);
        s.v0 ^= m;
    }
    for (size_t i = whole; i < len; i++)
        last |= (uint64_t)p[i] << 8 * (i - whole);
    s.v3 ^= last;
    sip_rounds(&s, 2);
    s.v0 ^= last;
    s.v2 ^= 0xff;
    sip_rounds(&s, 4);
    return s.v0 ^ s.v1 ^ s.v2 ^ s.v3;
}

void frame_header_encode(const struct frame_header *h, const struct frame_key *key,
                         uint8_t out[static FRAME_HEADER_LEN])
{
    put_u32(out, h->len);
    put_u16(out + 4, h->type);
    put_u16(out + 6, h->back);
    put_u64(out + 8, h->seq);
    put_u64(out + 16, frame_siphash(key, out, 16));
}

bool frame_header_decode(const uint8_t *in, const struct frame_key *key, struct frame_header *out)
{
    if (frame_siphash(key, in, 16) != frame_u64(in + 16))
        return false;
    out->len = frame_u32(in);
    out->type = frame_u16(in + 4);
    out->back = frame_u16(in + 6);
    out->seq = frame_u64(in + 8);
    return out->type != 0 || out->len == 0;
}

void frame_chain_step(struct frame_chain *chain, const uint8_t *header, struct bytes payload)
{
    struct hash hash;
    uint8_t head[FRAME_CHAIN_LEN + FRAME_HEADER_LEN];
    memcpy(head, chain->b, FRAME_CHAIN_LEN);
    memcpy(head + FRAME_CHAIN_LEN, header, FRAME_HEADER_LEN);
    hash_init(&hash, FRAME_CHAIN_LEN);
    hash_add(&hash, head, sizeof head);
    hash_add(&hash, payload.p, payload.len);
    hash_final(&hash, chain->b);
}

void frame_add(struct buf *out, const struct frame_header *h, const struct frame_key *key,
               struct frame_chain *chain, struct bytes payload)
{
    ENSURE(h->len == payload.len && h->type != 0);
    buf_reserve(out, FRAME_OVERHEAD + payload.len);
    uint8_t *p = out->p + out->len;
    frame_header_encode(h, key, p);
    frame_chain_step(chain, p, payload);
    if (payload.len > 0)
        memcpy(p + FRAME_HEADER_LEN, payload.p, payload.len);
    memcpy(p + FRAME_HEADER_LEN + payload.len, chain->b, FRAME_CHAIN_LEN);
    out->len += FRAME_OVERHEAD + payload.len;
}

struct frame_chain frame_chain_start(const uint8_t epoch[static 16])
{
    struct frame_chain chain = {{0}};
    hash_bytes(bytes_of(epoch, 16), chain.b, sizeof chain.b);
    return chain;
}
