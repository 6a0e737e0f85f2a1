#include <stdlib.h>
#include <unistd.h>

#include "base/ensure.h"
#include "net/inside.h"
#include "net/stream.h"

#define READS_PER_TURN 2
#define DROP_MAX       (1u << 20) /* bytes that are read and dropped from one who is being closed */

void conn_enter(struct conn *c, enum conn_state state)
{
    static const uint8_t allowed[] = {
        [CONN_FREE] = 1 << CONN_READING,
        [CONN_READING] = 1 << CONN_ANSWERING | 1 << CONN_CLOSING | 1 << CONN_CLOSED,
        [CONN_ANSWERING] =
            1 << CONN_READING | 1 << CONN_WEBSOCKET | 1 << CONN_CLOSING | 1 << CONN_CLOSED,
        [CONN_WEBSOCKET] = 1 << CONN_CLOSING | 1 << CONN_CLOSED,
        [CONN_CLOSING] = 1 << CONN_LINGERING | 1 << CONN_CLOSED,
        [CONN_LINGERING] = 1 << CONN_CLOSED,
        [CONN_CLOSED] = 1 << CONN_FREE,
    };
    ENSURE(allowed[c->state] >> state & 1);
    c->state = (uint8_t)state;
}

static bool wants_read(const struct conn *c)
{
    if (c->eof)
        return false;
    switch ((enum conn_state)c->state) {
    case CONN_READING:
        return c->http.rest == NULL;
    case CONN_WEBSOCKET:
        return true;
    case CONN_CLOSING:
    case CONN_LINGERING:
        return !c->last || c->drop_max > 0;
    case CONN_ANSWERING:
    case CONN_CLOSED:
    case CONN_FREE:
        break;
    }
    return false;
}

/* Tells the loop what this connection waits for now. */
static void watch(struct conn *c)
{
    int events = (wants_read(c) ? LOOP_READ : 0) | (c->blocked ? LOOP_WRITE : 0);
    if (events == c->watched || c->state == CONN_CLOSED)
        return;
    c->watched = (uint16_t)events;
    loop_io_set(c->net->loop, &c->io, events);
}

void conn_kill(struct conn *c)
{
    if (c->state == CONN_CLOSED)
        return;
    loop_io_stop(c->net->loop, &c->io);
    due_set(c, DUE_NONE);
    conn_enter(c, CONN_CLOSED);
    net_list(c);
}

void conn_shut(struct conn *c)
{
    conn_enter(c, CONN_CLOSING);
    c->last = 1;
    c->drop_max = DROP_MAX;
    due_set(c, c->websocket ? DUE_CLOSE : DUE_IDLE);
    net_list(c);
}

static void on_eof(struct conn *c)
{
    c->eof = 1;
    if (c->state == CONN_WEBSOCKET || c->state == CONN_LINGERING || c->queued == 0) {
        conn_kill(c);
        return;
    }
    /* The peer may still read what it is owed (RFC 9112, 9.6). A request that is partly there
     * never becomes whole. */
    c->last = 1;
    net_list(c);
}

/* Reads and drops, so that the peer can read our last words before its stack sees a reset. */
static void drop(struct conn *c, size_t n)
{
    c->drop_max -= n < c->drop_max ? (uint32_t)n : c->drop_max;
    if (c->drop_max == 0 && c->state == CONN_LINGERING)
        conn_kill(c);
}

static void take(struct conn *c, struct bytes in)
{
    switch ((enum conn_state)c->state) {
    case CONN_READING:
        conn_http_take(c, in);
        return;
    case CONN_WEBSOCKET:
        conn_ws_take(c, in);
        return;
    case CONN_CLOSING:
    case CONN_LINGERING:
        if (c->last)
            drop(c, in.len);
        else
            conn_ws_take(c, in); /* the peer's close frame is waited for */
        return;
    case CONN_ANSWERING:
    case CONN_CLOSED:
    case CONN_FREE:
        return;
    }
}

size_t conn_read(struct conn *c)
{
    struct net *n = c->net;
    size_t most = loop_piece(n->loop, sizeof n->in), sum = 0;
    for (int i = 0; i < READS_PER_TURN && wants_read(c); i++) {
        long got = stream_read(c->fd, n->in, most);
        if (got == STREAM_AGAIN)
            break;
        if (got == STREAM_GONE) {
            conn_kill(c);
            break;
        }
        if (got == 0) {
            on_eof(c);
            break;
        }
        sum += (size_t)got;
        n->stats.bytes_in += (size_t)got;
        take(c, bytes_of(n->in, (size_t)got));
        if ((size_t)got < most)
            break;
    }
    watch(c);
    return sum;
}

static void on_io(void *ctx, int events)
{
    struct conn *c = LIST_OWNER(ctx, struct conn, io);
    if (events & LOOP_WRITE) {
        c->blocked = 0;
        net_list(c);
    }
    if (events & LOOP_READ)
        net_ready(c);
}

struct conn *conn_open(struct net *n, int fd, struct conn_address address)
{
    struct conn *c = net_conn_new(n);
    c->net = n;
    c->fd = fd;
    c->address = address;
    c->tail_at = OUT_SLOTS;
    list_init(&c->due_node);
    conn_enter(c, CONN_READING);
    due_set(c, DUE_HEAD);
    c->watched = LOOP_READ;
    loop_io_start(n->loop, &c->io, fd, LOOP_READ, on_io);
    n->count++;
    n->stats.accepted++;
    crowd_enter(&n->crowd, address);
    return c;
}

void conn_let_go(struct conn *c)
{
    if (c->fd < 0)
        return;
    out_drop_all(c);
    if (c->websocket)
        ws_state_release(&c->ws);
    else
        conn_http_release(c);
    loop_io_stop(c->net->loop, &c->io);
    list_remove(&c->due_node);
    close(c->fd);
    c->fd = -1;
    c->net->count--;
    c->net->stats.closed++;
    c->net->stats.websockets_closed += c->websocket;
    crowd_leave(&c->net->crowd, c->address);
    listener_resume(c->net);
}

/* CLOSING: once the last output is written, ends our half and waits for the peer to end its. */
static void linger(struct conn *c)
{
    if (c->eof) {
        conn_kill(c);
        return;
    }
    stream_end(c->fd);
    conn_enter(c, CONN_LINGERING);
    due_set(c, DUE_CLOSE);
    if (c->drop_max == 0)
        conn_kill(c);
}

/* What only a few connections need at a turn's end. Hooks are called from here, so whatever was
 * joined for the connection before may be stale afterwards. */
static void turn_rest(struct conn *c)
{
    struct net *n = c->net;
    n->joined_count = 0;
    if (c->state == CONN_WEBSOCKET && c->want_drained && c->queued == 0) {
        c->want_drained = 0;
        n->hooks.on_drained(n->hooks.ctx, c);
    }
    if (c->state == CONN_READING && !c->websocket && c->http.rest) {
        conn_http_resume(c);
        loop_again(n->loop); /* what it began is taken up at the end of the next turn */
    }
    if (c->state == CONN_READING && c->eof && c->queued == 0)
        conn_kill(c);
    if (c->state == CONN_CLOSING && c->last && c->queued == 0)
        linger(c);
    if (c->state >= CONN_CLOSING && !c->told) {
        c->told = 1;
        n->hooks.on_closed(n->hooks.ctx, c);
    }
    if (c->state != CONN_CLOSED)
        return;
    conn_let_go(c);
    if (c->holds == 0 && !c->listed && !c->ready)
        net_conn_free(c);
}

void conn_turn(struct conn *c)
{
    if (c->head && !c->blocked && c->state != CONN_CLOSED)
        out_write(c);
    if (c->state != CONN_WEBSOCKET || c->want_drained)
        turn_rest(c);
    if (c->state != CONN_FREE)
        watch(c);
}

bool conn_is_open(const struct conn *c)
{
    return c->state == CONN_READING || c->state == CONN_ANSWERING || c->state == CONN_WEBSOCKET;
}

bool conn_has_left(const struct conn *c)
{
    return c->fd < 0 || c->eof || stream_has_ended(c->fd);
}

void conn_hold(struct conn *c)
{
    ENSURE(c->holds < UINT32_MAX);
    c->holds++;
}

void conn_release(struct conn *c)
{
    ENSURE(c->holds > 0);
    if (--c->holds == 0 && c->state == CONN_CLOSED)
        net_list(c);
}

void conn_want_drained(struct conn *c)
{
    c->want_drained = 1;
    net_list(c);
}

void *conn_data(const struct conn *c)
{
    return c->data;
}

void conn_set_data(struct conn *c, void *data)
{
    c->data = data;
}

uint16_t conn_note(const struct conn *c)
{
    return c->note;
}

void conn_set_note(struct conn *c, uint16_t note)
{
    c->note = note;
}

struct conn_mark conn_mark(const struct conn *c)
{
    struct conn_mark none = {0, 0};

    return c->websocket ? none : c->http.mark;
}

void conn_set_mark(struct conn *c, struct conn_mark mark)
{
    if (!c->websocket)
        c->http.mark = mark;
}

enum net_door conn_door(const struct conn *c)
{
    return (enum net_door)c->door;
}

struct conn_address conn_address(const struct conn *c)
{
    return c->address;
}
