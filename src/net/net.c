#include <stdlib.h>

#include "base/ensure.h"
#include "net/inside.h"

#define TICK_MS 1000

/* So old is a brief turn when it has read enough: half of what it has for reading and telling. */
#define BRIEF_READ_US 250

static uint32_t clock_s(const struct net *n)
{
    return (uint32_t)(loop_now_ms(n->loop) / 1000);
}

static void on_tick(void *ctx)
{
    struct net *n = ctx;
    if (!n->clock_stopped)
        n->now_s = clock_s(n);
    due_sweep(n);
    listener_resume(n);
}

void net_skip_time(struct net *n, uint32_t seconds)
{
    n->clock_stopped = true;
    n->now_s += seconds;
    on_tick(n);
}

/*
 * Reads for those that have something, in the order in which they became ready, until a piece is
 * done, or, in a brief turn, its time is over. So a turn is short however many are ready: what was
 * read is still in the cache when it is committed and told, the disk gets work early, and nobody is
 * starved, since who was read goes to the end of the queue. The loop says again who is ready; for
 * those that wait here it changes nothing.
 */
static void on_turn_read(void *ctx)
{
    struct net *n = ctx;
    size_t left = loop_piece(n->loop, NET_TURN_READ);
    while (n->ready_first && (left > 0 || loop_has_time(n->loop, BRIEF_READ_US))) {
        struct conn *c = n->ready_first;
        n->ready_first = c->next_ready;
        if (!n->ready_first)
            n->ready_last = NULL;
        c->ready = 0;
        if (c->state == CONN_CLOSED) {
            net_list(c); /* it was kept for this list only */
            continue;
        }
        size_t got = conn_read(c);
        left -= got < left ? got : left;
    }
    if (n->ready_first)
        loop_more(n->loop);
}

/* Each connection that was listed gets its turn once; what is listed meanwhile gets the next. */
static void on_turn_end(void *ctx)
{
    struct net *n = ctx;
    struct conn *c = n->first;
    n->first = n->last = NULL;
    n->joined_count = 0;
    while (c) {
        struct conn *next = c->next;
        if (next)
            __builtin_prefetch(next);
        c->listed = 0;
        conn_turn(c);
        c = next;
    }
    if (n->first)
        loop_again(n->loop);
}

struct net *net_new(struct loop *loop, const struct net_options *options,
                    const struct net_hooks *hooks)
{
    struct net *n = xcalloc(1, sizeof *n);
    n->loop = loop;
    n->options = *options;
    n->hooks = *hooks;
    n->now_s = clock_s(n);
    crowd_init(&n->crowd, options->address_connections_max, options->proxies);
    due_init(n);
    loop_add_turn_end(loop, on_turn_read, n);
    return n;
}

void net_start(struct net *n)
{
    loop_add_turn_end(n->loop, on_turn_end, n);
    loop_add_tick(n->loop, TICK_MS, on_tick, n);
}

static void chunk_new(struct net *n)
{
    struct conn *chunk = xaligned(_Alignof(struct conn), NET_CHUNK * sizeof *chunk);
    n->chunks = xrealloc(n->chunks, (n->chunk_count + 1) * sizeof(void *));
    n->chunks[n->chunk_count++] = chunk;
    memset(chunk, 0, NET_CHUNK * sizeof *chunk);
    for (size_t i = NET_CHUNK; i-- > 0;) {
        chunk[i].next = n->free_conns;
        n->free_conns = &chunk[i];
    }
}

struct conn *net_conn_new(struct net *n)
{
    if (!n->free_conns)
        chunk_new(n);
    struct conn *c = n->free_conns;
    n->free_conns = c->next;
    memset(c, 0, sizeof *c);
    return c;
}

void net_conn_free(struct conn *c)
{
    struct net *n = c->net;
    conn_enter(c, CONN_FREE);
    c->next = n->free_conns;
    n->free_conns = c;
}

/* Calls fn for each connection that has a descriptor. fn may close it. */
static void each_conn(struct net *n, void (*fn)(struct conn *c, struct frame *f), struct frame *f)
{
    for (uint32_t i = 0; i < n->chunk_count; i++)
        for (size_t j = 0; j < NET_CHUNK; j++)
            if (n->chunks[i][j].state != CONN_FREE && n->chunks[i][j].fd >= 0)
                fn(&n->chunks[i][j], f);
}

void net_send_all(struct net *n, struct frame *f)
{
    each_conn(n, conn_send, f); /* nothing happens to those that are no WebSockets */
}

static void drain_one(struct conn *c, struct frame *f)
{
    (void)f;
    if (c->state == CONN_WEBSOCKET)
        conn_close(c, WS_CLOSE_GOING_AWAY, (struct bytes){NULL, 0});
    else if (c->state == CONN_READING && c->queued > 0 && !c->http.reader && !c->http.rest)
        conn_shut(c);
    else if (c->state == CONN_READING && !c->http.reader && !c->http.rest)
        conn_kill(c);
}

void net_drain(struct net *n)
{
    n->draining = true;
    listener_close_all(n);
    each_conn(n, drain_one, NULL);
}

uint32_t net_count(const struct net *n)
{
    return n->count;
}

const struct net_stats *net_stats(const struct net *n)
{
    return &n->stats;
}

static void end_one(struct conn *c, struct frame *f)
{
    (void)f;
    struct net *n = c->net;
    conn_kill(c);
    if (!c->told) {
        c->told = 1;
        n->hooks.on_closed(n->hooks.ctx, c);
    }
    conn_let_go(c);
}

void net_free(struct net *n)
{
    if (!n)
        return;
    listener_close_all(n);
    each_conn(n, end_one, NULL);
    for (uint32_t i = 0; i < n->chunk_count; i++)
        free(n->chunks[i]);
    free(n->chunks);
    while (n->free_blocks) {
        struct out_block *b = n->free_blocks;
        n->free_blocks = b->next;
        free(b);
    }
    while (n->reader_count)
        http_reader_free(n->readers[--n->reader_count]);
    buf_release(&n->text);
    crowd_release(&n->crowd);
    free(n);
    frame_pool_release();
}
