#include <stdlib.h>

#include "base/ensure.h"
#include "net/inside.h"

#define REQUESTS_PER_TURN 32          /* of one connection: the others want their turn too */
#define ANSWERS_WAITING   (64u << 10) /* bytes; above, no further request is read */

static struct http_reader *reader_get(struct net *n)
{
    if (n->reader_count)
        return n->readers[--n->reader_count];
    return http_reader_new(&n->options.http);
}

static void reader_put(struct net *n, struct http_reader *r)
{
    if (n->reader_count == NET_READERS) {
        http_reader_free(r);
        return;
    }
    http_reader_reset(r);
    n->readers[n->reader_count++] = r;
}

static void reader_drop(struct conn *c)
{
    if (c->http.reader)
        reader_put(c->net, c->http.reader);
    c->http.reader = NULL;
}

static void rest_free(struct buf *rest)
{
    if (rest)
        buf_release(rest);
    free(rest);
}

void conn_http_release(struct conn *c)
{
    reader_drop(c);
    rest_free(c->http.rest);
    c->http.rest = NULL;
}

/* A request that cannot be read: the answer is the user's, the end is ours. */
static void bad_request(struct conn *c, enum err why)
{
    struct net *n = c->net;
    reader_drop(c);
    conn_enter(c, CONN_ANSWERING);
    due_set(c, DUE_NONE);
    c->keep_alive = c->head_only = c->version_1_0 = 0;
    c->note = 0;
    c->http.mark = (struct conn_mark){0};
    n->hooks.on_bad_request(n->hooks.ctx, c, why);
}

/* A whole request. The reader lives until the hook has returned, since it lends the request. */
static void complete(struct conn *c)
{
    struct net *n = c->net;
    struct http_reader *reader = c->http.reader;
    const struct http_request *request = http_reader_request(reader);
    c->http.reader = NULL;
    conn_enter(c, CONN_ANSWERING);
    due_set(c, DUE_NONE);
    c->keep_alive = request->keep_alive;
    c->head_only = request->method == HTTP_HEAD_;
    c->version_1_0 = !request->version_1_1;
    c->note = 0;
    c->http.mark = (struct conn_mark){0};
    n->hooks.on_request(n->hooks.ctx, c, request);
    reader_put(n, reader);
}

/* Pushes bytes of one request; returns how many were taken. */
static size_t push(struct conn *c, struct bytes in)
{
    size_t taken;
    if (!c->http.reader) {
        c->http.reader = reader_get(c->net);
        due_set(c, DUE_HEAD);
    }
    enum http_progress progress = http_reader_push(c->http.reader, in, &taken);
    if (c->due == DUE_HEAD && http_reader_in_body(c->http.reader))
        due_set(c, DUE_BODY);
    switch (progress) {
    case HTTP_NEED_MORE:
        break;
    case HTTP_WANT_CONTINUE:
        out_add_bytes(c, BYTES("HTTP/1.1 100 Continue\r\n\r\n"));
        break;
    case HTTP_COMPLETE:
        complete(c);
        break;
    case HTTP_FAILED:
        bad_request(c, http_reader_error(c->http.reader));
        break;
    }
    return taken;
}

/* Keeps what is behind a request whose answer is not there yet; reading pauses meanwhile. */
static void keep_rest(struct conn *c, struct bytes rest)
{
    if (rest.len == 0 || (c->state == CONN_ANSWERING && !c->keep_alive))
        return;
    c->http.rest = xcalloc(1, sizeof *c->http.rest);
    buf_add_bytes(c->http.rest, rest);
}

void conn_http_take(struct conn *c, struct bytes in)
{
    size_t at = 0;
    for (int i = 0; i < REQUESTS_PER_TURN && c->queued <= ANSWERS_WAITING; i++) {
        if (c->state != CONN_READING || at == in.len)
            break;
        at += push(c, bytes_of(in.p + at, in.len - at));
    }
    struct bytes rest = {in.p + at, in.len - at};
    if (c->state == CONN_WEBSOCKET)
        conn_ws_take(c, rest);
    else if (c->state == CONN_READING || c->state == CONN_ANSWERING)
        keep_rest(c, rest);
}

void conn_http_resume(struct conn *c)
{
    struct buf *rest = c->http.rest;
    if (c->queued > ANSWERS_WAITING)
        return; /* again when it is written */
    c->http.rest = NULL;
    conn_http_take(c, buf_bytes(rest));
    rest_free(rest);
    if (c->state == CONN_READING && c->http.rest)
        net_list(c);
}

void conn_http_late(struct conn *c)
{
    if (c->http.reader)
        bad_request(c, ERR_request_timeout);
    else
        conn_kill(c); /* it has said nothing, so nothing is said */
}

void conn_answer(struct conn *c, struct http_answer *a)
{
    struct net *n = c->net;
    if (c->state != CONN_ANSWERING)
        return;
    a->close = !c->keep_alive || n->draining;
    a->head_only = c->head_only;
    a->version_1_0 = c->version_1_0;
    buf_shrink(&n->text, NET_JOIN_MAX);
    http_add_answer(&n->text, a);
    out_add_bytes(c, buf_bytes(&n->text));
    if (a->close) {
        conn_shut(c);
    } else {
        conn_enter(c, CONN_READING);
        due_set(c, DUE_IDLE);
    }
}

void conn_upgrade(struct conn *c, const struct http_request *request)
{
    struct net *n = c->net;
    ENSURE(c->state == CONN_ANSWERING && request->upgrade == HTTP_UPGRADE_WEBSOCKET);
    ENSURE(!c->http.reader && !c->http.rest);
    buf_reset(&n->text);
    http_add_websocket_answer(&n->text, request->websocket_key);
    out_add_bytes(c, buf_bytes(&n->text));
    c->websocket = 1;
    n->stats.upgraded++;
    c->ws = (struct ws_state){0};
    conn_enter(c, CONN_WEBSOCKET);
    due_set(c, DUE_PING);
    if (n->draining)
        conn_close(c, WS_CLOSE_GOING_AWAY, (struct bytes){NULL, 0});
}
