/*
 * buf: a byte buffer that grows.
 *
 * p[0..len) is what was added; it is not NUL-terminated. {0} is a valid empty buffer. Growth
 * doubles, so adding n bytes one by one costs O(n). Out of memory ends the process. Pointers into
 * p die with the next call that adds. Little-endian helpers write the journal's integers.
 */
#ifndef BASE_BUF_H
#define BASE_BUF_H

#include "base/bytes.h"

struct buf {
    uint8_t *p;
    size_t len;
    size_t cap;
};

/* Frees the memory; the buffer is {0} afterwards. Idempotent. */
void buf_release(struct buf *b);

/* Forgets the content, keeps the memory. */
static inline void buf_reset(struct buf *b)
{
    b->len = 0;
}

/* Frees the memory where it is more than `keep_max` bytes, and forgets the content. */
void buf_shrink(struct buf *b, size_t keep_max);

/* Makes room for `more` bytes behind len without changing len. */
void buf_grow(struct buf *b, size_t more);

static inline void buf_reserve(struct buf *b, size_t more)
{
    if (b->cap - b->len < more)
        buf_grow(b, more);
}

/* Adds `len` bytes; `p` may be NULL where len is 0 and must not point into b. */
static inline void buf_add(struct buf *b, const void *p, size_t len)
{
    if (len == 0)
        return;
    buf_reserve(b, len);
    /* NOLINTNEXTLINE(clang-analyzer-core.NonNullParamChecker): room means that p is there */
    memcpy(b->p + b->len, p, len);
    b->len += len;
}

static inline void buf_add_bytes(struct buf *b, struct bytes s)
{
    buf_add(b, s.p, s.len);
}

static inline void buf_add_u8(struct buf *b, uint8_t v)
{
    buf_reserve(b, 1);
    b->p[b->len++] = v;
}

/* Adds a string literal without its NUL. */
#define BUF_ADD_LIT(b, literal) buf_add((b), "" literal, sizeof(literal) - 1)

void buf_add_u16le(struct buf *b, uint16_t v);
void buf_add_u32le(struct buf *b, uint32_t v);
void buf_add_u64le(struct buf *b, uint64_t v);

/* Adds text as printf makes it. */
void buf_printf(struct buf *b, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Removes the first `n` bytes (n <= len), moving the rest to the front. */
void buf_consume(struct buf *b, size_t n);

/* The content, borrowed until the next change. */
static inline struct bytes buf_bytes(const struct buf *b)
{
    return bytes_of(b->p, b->len);
}

#endif
