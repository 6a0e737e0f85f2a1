/*
 * frame: bytes on their way out, shared by everybody who gets them.
 *
 * Immutable once made, counted by reference, loop thread only. An event is encoded once into one
 * frame; each receiver's queue holds a pointer. A frame is either one WebSocket text frame (RFC
 * 6455, 5.2, unmasked, FIN) or raw bytes (an HTTP answer, a control frame, several frames at once).
 */
#ifndef NET_FRAME_H
#define NET_FRAME_H

#include "base/buf.h"

struct frame {
    uint32_t refs;
    uint32_t len;
    uint8_t bytes[];
};

/* A frame with one reference, the caller's. At most 64 MiB. */
struct frame *frame_new_text(struct bytes payload);
struct frame *frame_new_raw(struct bytes bytes);

static inline void frame_ref(struct frame *f)
{
    f->refs++;
}

/* Gives one reference back; the last one frees. */
void frame_unref(struct frame *f);

/* Frees what is kept for the next frames. At the end, when no frame is left. */
void frame_pool_release(void);

/* Adds the header of an unmasked final frame with this opcode to *out; the payload follows. */
void frame_add_header(struct buf *out, unsigned opcode, size_t payload_len);

#endif
