#include "net/inside.h"

#define PONGS_MAX  64  /* of one read; above, the newest takes the last one's place */
#define REASON_MAX 123 /* RFC 6455, 5.5: a control frame's payload less the code */

/* What one read has gathered. */
struct taking {
    struct conn *c;
    unsigned pongs;
    size_t last_pong; /* where in net->text it starts */
    bool closed;      /* the peer's close frame came */
    enum ws_close code;
};

static void send_close(struct conn *c, enum ws_close code, struct bytes reason)
{
    struct buf *b = &c->net->text;
    if (reason.len > REASON_MAX)
        reason.len = 0; /* cutting might cut a code point */
    buf_reset(b);
    frame_add_header(b, WS_OPCODE_CLOSE, 2 + reason.len);
    buf_add_u8(b, (uint8_t)(code >> 8));
    buf_add_u8(b, (uint8_t)code);
    buf_add_bytes(b, reason);
    out_add_bytes(c, buf_bytes(b));
}

void conn_close(struct conn *c, enum ws_close code, struct bytes reason)
{
    if (c->state == CONN_WEBSOCKET) {
        send_close(c, code, reason);
        conn_enter(c, CONN_CLOSING);
        due_set(c, DUE_CLOSE);
        net_list(c);
    } else if (c->state == CONN_READING || c->state == CONN_ANSWERING) {
        conn_shut(c);
    }
}

void conn_ws_slow(struct conn *c)
{
    c->net->stats.cut[NET_CUT_SLOW]++;
    out_drop_waiting(c);
    conn_close(c, WS_CLOSE_TRY_AGAIN, BYTES("too slow"));
}

/* A flood of pings costs a bounded answer: RFC 6455, 5.5.3 asks only for the newest. */
static void add_pong(struct taking *t, struct bytes payload)
{
    struct buf *b = &t->c->net->text;
    if (t->pongs == PONGS_MAX)
        b->len = t->last_pong;
    else
        t->pongs++;
    t->last_pong = b->len;
    frame_add_header(b, WS_OPCODE_PONG, payload.len);
    buf_add_bytes(b, payload);
}

/* Pongs are gathered in net->text and must be out of it before anything else is made there. */
static void flush_pongs(struct taking *t)
{
    if (t->pongs)
        out_add_bytes(t->c, buf_bytes(&t->c->net->text));
    t->pongs = 0;
    buf_reset(&t->c->net->text);
}

static bool on_event(void *ctx, enum ws_event event, struct bytes payload, enum ws_close code)
{
    struct taking *t = ctx;
    struct conn *c = t->c;
    struct net *n = c->net;
    switch (event) {
    case WS_TEXT:
        if (c->state != CONN_WEBSOCKET)
            break; /* we are closing; only the peer's close counts */
        flush_pongs(t);
        n->hooks.on_message(n->hooks.ctx, c, payload);
        buf_reset(&n->text);
        break;
    case WS_PING:
        if (c->state == CONN_WEBSOCKET)
            add_pong(t, payload);
        break;
    case WS_PONG:
        break;
    case WS_CLOSED:
        t->closed = true;
        t->code = code;
        break;
    }
    return c->state == CONN_WEBSOCKET || c->state == CONN_CLOSING;
}

/* Both halves of the closing handshake are there, or the peer's will never be. */
static void both_closed(struct conn *c)
{
    if (c->state == CONN_WEBSOCKET) {
        conn_shut(c);
    } else if (c->state == CONN_CLOSING) {
        c->last = 1;
        c->drop_max = NET_READ_MAX;
        net_list(c);
    }
}

/* What has just become partial has its deadline from now on; what was partial before keeps its. */
static void wait_for_rest(struct conn *c)
{
    if (!ws_is_partial(&c->ws) || c->ws.late_s > 0)
        return;
    c->ws.late_s = c->net->now_s + c->net->options.message_timeout_s + 1;
    due_set(c, DUE_PING); /* it may be nearer than the next ping */
}

void conn_ws_take(struct conn *c, struct bytes in)
{
    static const struct ws_hooks hooks = {.on_event = on_event};
    struct taking t = {.c = c};
    struct net *n = c->net;
    c->since_s = c->state == CONN_WEBSOCKET ? n->now_s : c->since_s;
    c->pinged = 0;
    buf_shrink(&n->text, NET_JOIN_MAX);
    enum ws_close fault = ws_read(&c->ws, in, n->options.message_max, &hooks, &t);
    if (c->state == CONN_WEBSOCKET) {
        flush_pongs(&t);
        wait_for_rest(c);
    }
    if (t.closed || fault) {
        n->stats.cut[NET_CUT_FRAME] += !t.closed;
        if (c->state == CONN_WEBSOCKET)
            send_close(c, t.closed ? t.code : fault, (struct bytes){NULL, 0});
        both_closed(c);
    }
    if (c->last)
        ws_state_release(&c->ws); /* nothing more is read as frames */
}

void conn_ws_silent(struct conn *c)
{
    if (c->pinged) {
        c->net->stats.cut[NET_CUT_SILENT]++;
        conn_kill(c);
        return;
    }
    c->pinged = 1;
    out_add_bytes(c, BYTES("\x89\x00"));
}

void conn_ws_late(struct conn *c)
{
    c->net->stats.cut[NET_CUT_MESSAGE]++;
    conn_close(c, WS_CLOSE_POLICY, BYTES("the message took too long"));
}
