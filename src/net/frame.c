#include "net/frame.h"

#include <stdlib.h>

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

static struct frame *frame_alloc(size_t len)
{
    ENSURE(len <= FRAME_MAX);
    struct frame *f = xmalloc(sizeof *f + len);
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
        free(f);
}

void frame_add_header(struct buf *out, unsigned opcode, size_t payload_len)
{
    buf_reserve(out, 10);
    out->len += header_write(out->p + out->len, opcode, payload_len);
}
