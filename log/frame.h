/*
 * frame: one record as bytes. Pure functions: no files, no state of their own.
 *
 *   0      4     6     8              16             24            24+length
 *   ├──────┼─────┼─────┼──────────────┼──────────────┼──────────────┼──────────────┤
 *   │length│type │back │ seq          │ check        │ payload      │ chain (16)   │
 *   └──────┴─────┴─────┴──────────────┴──────────────┴──────────────┴──────────────┘
 *
 * Little-endian, no padding: 40 bytes beside the payload.
 *
 * check  SipHash-2-4 of the 16 bytes before it, under the journal's key. So a damaged length is
 *        known as damage before anybody follows it, and no payload can carry bytes that pass for a
 *        header: who writes payloads does not know the key. (A CRC would find flipped bits as well,
 *        but anybody can compute one, and recovery searches bytes that clients chose.)
 * chain  BLAKE2b-128 of the chain value before, the header and the payload.
 * back   what was durable when the record was written: every record below seq - back. 65535:
 * nothing is claimed. A batch is written only after the one before is on disk, so `back` is the
 *        record's place in its batch. Recovery lives by this (see recover.h).
 *
 * Type 0 is the journal's own: a mark, a header alone (length 0, no payload, no chain) that a clean
 * close leaves behind the last record. It says that all below its seq is durable; the next record
 * overwrites it.
 */
#ifndef LOG_FRAME_H
#define LOG_FRAME_H

#include "base/buf.h"

#define FRAME_HEADER_LEN 24
#define FRAME_CHAIN_LEN  16
#define FRAME_OVERHEAD   (FRAME_HEADER_LEN + FRAME_CHAIN_LEN)
#define FRAME_KEY_LEN    16
#define FRAME_UNCLAIMED  0xffff

struct frame_key {
    uint8_t b[FRAME_KEY_LEN];
};

struct frame_chain {
    uint8_t b[FRAME_CHAIN_LEN];
};

struct frame_header {
    uint32_t len;  /* of the payload */
    uint16_t type; /* 0: a mark */
    uint16_t back;
    uint64_t seq;
};

static inline uint16_t frame_u16(const uint8_t *p)
{
    return (uint16_t)(p[0] | p[1] << 8);
}

static inline uint32_t frame_u32(const uint8_t *p)
{
    return (uint32_t)p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 24;
}

static inline uint64_t frame_u64(const uint8_t *p)
{
    return (uint64_t)frame_u32(p) | (uint64_t)frame_u32(p + 4) << 32;
}

/* The bytes of a whole record with this header. */
static inline uint64_t frame_len(const struct frame_header *h)
{
    return h->type == 0 ? FRAME_HEADER_LEN : (uint64_t)FRAME_OVERHEAD + h->len;
}

/* The number below which every record was durable when this header was written; 0 for no claim. */
static inline uint64_t frame_claim(const struct frame_header *h)
{
    return h->back == FRAME_UNCLAIMED || h->back > h->seq ? 0 : h->seq - h->back;
}

/* `back` of record `seq` where everything below `durable` is on disk before it is written. */
static inline uint16_t frame_back(uint64_t seq, uint64_t durable)
{
    return seq - durable < FRAME_UNCLAIMED ? (uint16_t)(seq - durable) : FRAME_UNCLAIMED;
}

/* Writes the 24 bytes of a header. */
void frame_header_encode(const struct frame_header *h, const struct frame_key *key,
                         uint8_t out[static FRAME_HEADER_LEN]);

/* Reads the 24 bytes of a header. False, and *out undefined, where the check does not hold. */
bool frame_header_decode(const uint8_t *in, const struct frame_key *key, struct frame_header *out);

/* Steps *chain over the 24 bytes of a header and its payload. */
void frame_chain_step(struct frame_chain *chain, const uint8_t *header, struct bytes payload);

/* Adds a whole record to *out and steps *chain. h->len must be payload.len. */
void frame_add(struct buf *out, const struct frame_header *h, const struct frame_key *key,
               struct frame_chain *chain, struct bytes payload);

/* The chain value before the first record of a journal: BLAKE2b-128 of its epoch. */
struct frame_chain frame_chain_start(const uint8_t epoch[static 16]);

/* SipHash-2-4 (Aumasson and Bernstein, 2012) of `len` bytes. */
uint64_t frame_siphash(const struct frame_key *key, const uint8_t *p, size_t len);

static inline bool frame_chain_equal(const struct frame_chain *a, const struct frame_chain *b)
{
    return memcmp(a->b, b->b, sizeof a->b) == 0;
}

#endif
