/*
 * varint: unsigned numbers in as many bytes as they need.
 *
 * Seven bits a byte, the lowest first; the high bit says that another byte follows (LEB128). 1 to
 * 10 bytes. Numbers that are mostly small, in files of which every byte is read.
 */
#ifndef BASE_VARINT_H
#define BASE_VARINT_H

#include "base/buf.h"

#define VARINT_LEN_MAX 10

/* Adds `v`. */
static inline void buf_add_varint(struct buf *b, uint64_t v)
{
    buf_reserve(b, VARINT_LEN_MAX);
    for (; v >= 0x80; v >>= 7)
        b->p[b->len++] = (uint8_t)(v | 0x80);
    b->p[b->len++] = (uint8_t)v;
}

/* Reads the number at the front of *in and takes it off. False, and both untouched, where *in ends
 * first or the number does not fit. */
static inline bool varint_take(struct bytes *in, uint64_t *out)
{
    uint64_t v = 0;

    for (size_t i = 0; i < in->len && i < VARINT_LEN_MAX; i++) {
        uint8_t b = in->p[i];
        if (i == VARINT_LEN_MAX - 1 && b > 1)
            return false;
        v |= (uint64_t)(b & 0x7f) << (7 * i);
        if (b < 0x80) {
            *out = v;
            *in = bytes_of(in->p + i + 1, in->len - i - 1);
            return true;
        }
    }
    return false;
}

#endif
