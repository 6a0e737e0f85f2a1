#include "base/buf.h"

#include <endian.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/ensure.h"

#define BUF_CAP_MIN 64

void buf_release(struct buf *b)
{
    free(b->p);
    *b = (struct buf){0};
}

void buf_shrink(struct buf *b, size_t keep_max)
{
    if (b->cap > keep_max)
        buf_release(b);
    b->len = 0;
}

void buf_grow(struct buf *b, size_t more)
{
    /* Far below where doubling could overflow; no limit of ours comes near it. */
    ENSURE(more <= SIZE_MAX / 4 && b->len <= SIZE_MAX / 4);

    size_t need = b->len + more;
    if (need <= b->cap)
        return;
    size_t cap = b->cap < BUF_CAP_MIN / 2 ? BUF_CAP_MIN : b->cap * 2;
    if (cap < need)
        cap = need;
    b->p = xrealloc(b->p, cap);
    b->cap = cap;
}

void buf_add_u16le(struct buf *b, uint16_t v)
{
    uint16_t le = htole16(v);
    buf_add(b, &le, sizeof le);
}

void buf_add_u32le(struct buf *b, uint32_t v)
{
    uint32_t le = htole32(v);
    buf_add(b, &le, sizeof le);
}

void buf_add_u64le(struct buf *b, uint64_t v)
{
    uint64_t le = htole64(v);
    buf_add(b, &le, sizeof le);
}

void buf_printf(struct buf *b, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    va_list again;
    va_copy(again, args);

    /* vsnprintf wants room for a NUL, which is then not counted. */
    buf_reserve(b, BUF_CAP_MIN);
    size_t room = b->cap - b->len;
    int n = vsnprintf((char *)b->p + b->len, room, format, args);
    ENSURE(n >= 0);
    if ((size_t)n >= room) {
        buf_reserve(b, (size_t)n + 1);
        int second = vsnprintf((char *)b->p + b->len, (size_t)n + 1, format, again);
        ENSURE(second == n);
    }
    b->len += (size_t)n;

    va_end(again);
    va_end(args);
}

void buf_consume(struct buf *b, size_t n)
{
    ENSURE(n <= b->len);
    if (n == 0)
        return;
    memmove(b->p, b->p + n, b->len - n);
    b->len -= n;
}
