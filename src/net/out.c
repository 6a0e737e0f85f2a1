#include <stdlib.h>

#include "base/ensure.h"
#include "net/inside.h"
#include "net/stream.h"

#define IOVECS 64

static struct out_block *block_new(struct net *n)
{
    struct out_block *b = n->free_blocks;
    if (b) {
        n->free_blocks = b->next;
        n->free_block_count--;
        __builtin_prefetch(n->free_blocks); /* the next one's link */
    } else {
        b = xmalloc(sizeof *b);
    }
    b->next = NULL;
    return b;
}

static void block_free(struct net *n, struct out_block *b)
{
    if (n->free_block_count == NET_BLOCKS_KEPT) {
        free(b);
        return;
    }
    b->next = n->free_blocks;
    n->free_blocks = b;
    n->free_block_count++;
}

static __attribute__((noinline)) void block_append(struct conn *c)
{
    struct out_block *b = block_new(c->net);
    if (c->tail) {
        c->tail->next = b;
    } else {
        c->head = b;
        c->head_at = 0;
    }
    c->tail = b;
    c->tail_at = 0;
}

/* At rest there is no block and tail_at is OUT_SLOTS, so that one test tells all cases. */
static inline void push(struct conn *c, struct frame *f)
{
    if (c->tail_at == OUT_SLOTS)
        block_append(c);
    c->tail->slots[c->tail_at++] = f;
    f->refs++;
    c->queued += f->len;
    net_list(c);
}

void out_add(struct conn *c, struct frame *f)
{
    push(c, f);
}

void out_add_bytes(struct conn *c, struct bytes bytes)
{
    struct frame *f = frame_new_raw(bytes);
    push(c, f);
    frame_unref(f);
}

/* More waits than may. What the kernel was not offered yet does not count against the reader. */
static __attribute__((noinline)) bool make_room(struct conn *c)
{
    if (!c->blocked)
        out_write(c);
    c->net->joined_count = 0; /* hooks run around here, and frames may be made and freed */
    if (c->state != CONN_WEBSOCKET)
        return false;
    if (c->queued <= c->net->options.send_queue_max)
        return true;
    conn_ws_slow(c);
    return false;
}

void conn_send(struct conn *c, struct frame *f)
{
    if (__builtin_expect(c->state != CONN_WEBSOCKET, 0))
        return;
    if (__builtin_expect(c->queued > c->net->options.send_queue_max, 0) && !make_room(c))
        return;
    c->net->stats.sent++;
    push(c, f);
}

void conn_prefetch(const struct conn *c)
{
    /* As in base/map.c: else the compiler takes this for a function that does nothing. */
    __asm__ volatile("");
    __builtin_prefetch(c);
}

size_t conn_queued(const struct conn *c)
{
    return c->queued;
}

static void queue_empty(struct conn *c)
{
    if (c->tail)
        block_free(c->net, c->tail);
    c->head = c->tail = NULL;
    c->head_at = 0;
    c->tail_at = OUT_SLOTS;
    c->head_sent = 0;
    c->queued = 0;
}

/* Takes the first frame, which is wholly written, off the queue. */
static inline void pop(struct conn *c)
{
    struct frame *f = c->head->slots[c->head_at++];
    c->head_sent = 0;
    frame_unref(f);
    if (c->head == c->tail) {
        if (c->head_at == c->tail_at)
            queue_empty(c);
    } else if (c->head_at == OUT_SLOTS) {
        struct out_block *b = c->head;
        c->head = b->next;
        c->head_at = 0;
        block_free(c->net, b);
    }
}

/* The kernel took `n` bytes. */
static void consume(struct conn *c, size_t n)
{
    c->queued -= (uint32_t)n;
    while (c->head) {
        size_t left = c->head->slots[c->head_at]->len - c->head_sent;
        if (n < left) {
            c->head_sent += (uint32_t)n;
            return;
        }
        n -= left;
        pop(c);
    }
}

/* A walk over the frames that wait. */
struct walk {
    const struct out_block *block;
    unsigned at;
};

static struct frame *walk_next(const struct conn *c, struct walk *w)
{
    if (w->block && w->at == OUT_SLOTS) {
        w->block = w->block->next;
        w->at = 0;
    }
    if (!w->block || (w->block == c->tail && w->at == c->tail_at))
        return NULL;
    return w->block->slots[w->at++];
}

/* Do the same frames wait that were joined last? */
static bool is_joined(const struct net *n, struct frame *const *frames, unsigned count)
{
    if (count == 0 || count != n->joined_count)
        return false;
    for (unsigned i = 0; i < count; i++)
        if (frames[i] != n->joined[i])
            return false;
    return true;
}

/*
 * Copies all that waits into one run of bytes. Many receivers wait for the same frames at the end
 * of a turn: then the copy that was made for the last one serves again.
 */
static size_t join(struct conn *c)
{
    struct net *n = c->net;
    unsigned count = c->head == c->tail && c->head_sent == 0 ? c->tail_at - c->head_at : 0;
    struct frame *const *frames = c->head->slots + c->head_at;
    if (is_joined(n, frames, count))
        return n->joined_len;
    struct walk w = {c->head, c->head_at};
    size_t len = 0, skip = c->head_sent;
    for (struct frame *f; (f = walk_next(c, &w));) {
        memcpy(n->join + len, f->bytes + skip, f->len - skip);
        len += f->len - skip;
        skip = 0;
    }
    n->joined_count = count;
    n->joined_len = (uint32_t)len;
    for (unsigned i = 0; i < count; i++)
        n->joined[i] = frames[i];
    return len;
}

static long write_parts(struct conn *c, size_t *offered)
{
    struct iovec parts[IOVECS];
    struct walk w = {c->head, c->head_at};
    size_t skip = c->head_sent;
    int count = 0;
    *offered = 0;
    for (struct frame *f; count < IOVECS && (f = walk_next(c, &w)); count++) {
        parts[count] = (struct iovec){f->bytes + skip, f->len - skip};
        *offered += f->len - skip;
        skip = 0;
    }
    return stream_writev(c->fd, parts, count);
}

/* Offers the kernel all that waits or a good part of it. */
static long write_some(struct conn *c, size_t *offered)
{
    if (c->head == c->tail && c->tail_at - c->head_at == 1) {
        struct frame *f = c->head->slots[c->head_at];
        *offered = f->len - c->head_sent;
        return stream_write(c->fd, f->bytes + c->head_sent, *offered);
    }
    if (c->queued > NET_JOIN_MAX)
        return write_parts(c, offered);
    *offered = join(c);
    return stream_write(c->fd, c->net->join, *offered);
}

void out_write(struct conn *c)
{
    while (c->head) {
        size_t offered;
        long n = write_some(c, &offered);
        if (n == STREAM_GONE) {
            conn_kill(c);
            return;
        }
        if (n >= 0) {
            c->net->stats.bytes_out += (uint64_t)n;
            if (c->due == DUE_IDLE)
                c->since_s = c->net->now_s; /* a client that takes its answer is not idle */
            consume(c, (size_t)n);
        }
        if (n != (long)offered) {
            c->blocked = 1;
            return;
        }
    }
}

void out_drop_all(struct conn *c)
{
    while (c->head)
        pop(c);
    queue_empty(c);
}

void out_drop_waiting(struct conn *c)
{
    if (c->head_sent == 0) {
        out_drop_all(c);
        return;
    }
    struct frame *first = c->head->slots[c->head_at];
    uint32_t sent = c->head_sent;
    frame_ref(first);
    out_drop_all(c);
    push(c, first);
    frame_unref(first);
    c->head_sent = sent;
    c->queued -= sent;
}
