#include "net/frame.h"

#include <stdlib.h>

#include "base/asan.h"
#include "base/ensure.h"

#define FRAME_MAX (64u << 20)
#define FRAME_FIN 0x80

/* Writes the header of an unmasked final frame; returns its length, at most 10. */
static size_t header_write(uint8_t *p, unsigned opcode, size_t payload_len)
{
    p[0] = (uint8_t)(FRAME_FIN | opcode);
    if (payload_len < 126) {
        p[1] = (uint8_t)payload_len;
        return 2;
    }
    if (payload_len <= 0xFFFF) {
        p[1] = 126;
        p[2] = (uint8_t)(payload_len >> 8);
        p[3] = (uint8_t)payload_len;
        return 4;
    }
    p[1] = 127;
    for (int i = 0; i < 8; i++)
        p[2 + i] = (uint8_t)((uint64_t)payload_len >> (56 - 8 * i));
    return 10;
}

/*
 * Frames come and go by thousands a turn, most of them a few hundred bytes long, and malloc joins
 * and splits such pieces again and again. So small ones are kept in lists by size: one list for
 * each step of 128 bytes.
 */
#define POOL_STEP  128u
#define POOL_LISTS 8u
/* Kept in a list: 4 MiB at most in the longest. */
#define POOL_MAX (UNDER_ASAN ? 0u : 4096u)

struct pooled {
    struct pooled *next;
};

static struct {
    struct pooled *first;
    uint32_t count;
} pool[POOL_LISTS];

/* The list for frames of `size` bytes with their head; POOL_LISTS and above: none. */
static size_t pool_list(size_t size)
{
    return (size - 1) / POOL_STEP;
}

static void *pool_take(size_t size)
{
    size_t i = pool_list(size);

    if (i >= POOL_LISTS)
        return xmalloc(size);
    struct pooled *p = pool[i].first;
    if (p == NULL)
        return xmalloc((i + 1) * POOL_STEP);
    pool[i].first = p->next;
    pool[i].count--;
    __builtin_prefetch(p->next); /* the next frame is not far off */
    return p;
}

static void pool_give(void *memory, size_t size)
{
    size_t i = pool_list(size);
    struct pooled *p = memory;

    if (i >= POOL_LISTS || pool[i].count == POOL_MAX) {
        free(memory);
        return;
    }
    p->next = pool[i].first;
    pool[i].first = p;
    pool[i].count++;
}

void frame_pool_release(void)
{
    for (size_t i = 0; i < POOL_LISTS; i++) {
        while (pool[i].first != NULL) {
            struct pooled *p = pool[i].first;
            pool[i].first = p->next;
            free(p);
        }
        pool[i].count = 0;
    }
}

static struct frame *frame_alloc(size_t len)
{
    ENSURE(len <= FRAME_MAX);
    struct frame *f = pool_take(sizeof *f + len);
    f->refs = 1;
    f->len = (uint32_t)len;
    return f;
}

struct frame *frame_new_text(struct bytes payload)
{
    uint8_t header[10];
    ENSURE(payload.len <= FRAME_MAX - sizeof header);
    size_t n = header_write(header, 1, payload.len);
    struct frame *f = frame_alloc(n + payload.len);
    memcpy(f->bytes, header, n);
    if (payload.len)
        memcpy(f->bytes + n, payload.p, payload.len);
    return f;
}

struct frame *frame_new_raw(struct bytes bytes)
{
    struct frame *f = frame_alloc(bytes.len);
    if (bytes.len)
        memcpy(f->bytes, bytes.p, bytes.len);
    return f;
}

void frame_unref(struct frame *f)
{
    ENSURE(f->refs > 0);
    if (--f->refs == 0)
        pool_give(f, sizeof *f + f->len);
}

void frame_add_header(struct buf *out, unsigned opcode, size_t payload_len)
{
    buf_reserve(out, 10);
    out->len += header_write(out->p + out->len, opcode, payload_len);
}
