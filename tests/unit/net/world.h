/*
 * world: a loop, a net that listens on loopback, and clients that live in the same loop. Nothing
 * here waits for time: a test says what must come, and the loop runs until it has come. A minute of
 * the clock without it fails the test.
 */
#ifndef TESTS_NET_WORLD_H
#define TESTS_NET_WORLD_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

#include "net/inside.h"

#define CLIENTS  16
#define PATIENCE 60 /* ticks of a second */
#define HANDSHAKE                                                                                  \
    "GET /ws HTTP/1.1\r\nHost: h\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"                 \
    "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
#define GET(path) "GET " path " HTTP/1.1\r\nHost: h\r\n\r\n"

struct world;

struct client {
    struct loop_io io;
    struct world *w;
    int fd;
    bool eof;
    bool reset;
    struct buf in;
};

struct world {
    struct loop *loop;
    struct net *net;
    struct client clients[CLIENTS];
    /* What the hooks saw. */
    struct buf log; /* one word an event */
    unsigned requests, messages, drained, closed;
    struct conn *held;             /* of "/later" */
    struct conn *sockets[CLIENTS]; /* open WebSockets, in the order of their upgrades */
    unsigned socket_count;
    /* What the loop runs for. */
    bool (*goal)(struct world *w, const void *arg);
    const void *goal_arg;
    bool reached;
    unsigned ticks;
};

/* ---- the server's side ---- */

static inline void answer(struct conn *c, int status, struct bytes body)
{
    struct http_answer a = {.status = status, .type = BYTES("text/plain"), .body = body};
    conn_answer(c, &a);
}

static inline void on_request(void *ctx, struct conn *c, const struct http_request *request)
{
    struct world *w = ctx;
    w->requests++;
    buf_printf(&w->log, "%.*s ", (int)request->path.len, (const char *)request->path.p);
    if (request->upgrade == HTTP_UPGRADE_WEBSOCKET) {
        conn_upgrade(c, request);
        w->sockets[w->socket_count++] = c;
    } else if (bytes_equal(request->path, BYTES("/later"))) {
        conn_hold(c);
        w->held = c;
    } else if (bytes_equal(request->path, BYTES("/big"))) {
        struct buf b = {0};
        buf_reserve(&b, 300000);
        memset(b.p, 'b', 300000);
        b.len = 300000;
        answer(c, 200, buf_bytes(&b));
        buf_release(&b);
    } else if (bytes_equal(request->path, BYTES("/body"))) {
        answer(c, 200, request->body);
    } else {
        answer(c, 200, request->path);
    }
}

static inline void on_bad_request(void *ctx, struct conn *c, enum err why)
{
    struct world *w = ctx;
    buf_printf(&w->log, "bad:%s ", err_code(why));
    answer(c, err_status(why), bytes_cstr(err_code(why)));
}

static inline void send_text(struct conn *c, struct bytes text)
{
    struct frame *f = frame_new_text(text);
    conn_send(c, f);
    frame_unref(f);
}

static inline void on_message(void *ctx, struct conn *c, struct bytes text)
{
    struct world *w = ctx;
    w->messages++;
    buf_printf(&w->log, "<%.*s> ", (int)text.len, (const char *)text.p);
    if (bytes_equal(text, BYTES("quit")))
        conn_close(c, WS_CLOSE_SESSION_ENDED, BYTES("gone"));
    else
        send_text(c, text);
}

static inline void on_drained(void *ctx, struct conn *c)
{
    struct world *w = ctx;
    assert_int_equal(conn_queued(c), 0);
    w->drained++;
}

static inline void on_closed(void *ctx, struct conn *c)
{
    struct world *w = ctx;
    w->closed++;
    assert_false(conn_is_open(c));
    for (unsigned i = 0; i < w->socket_count; i++)
        if (w->sockets[i] == c)
            w->sockets[i] = NULL;
}

/* ---- the clients' side ---- */

static inline void on_client(void *ctx, int events)
{
    struct client *k = LIST_OWNER(ctx, struct client, io);
    uint8_t bytes[65536];
    (void)events;
    ssize_t n = recv(k->fd, bytes, sizeof bytes, 0);
    if (n > 0) {
        buf_add(&k->in, bytes, (size_t)n);
    } else if (n == 0 || errno != EAGAIN) {
        k->eof = true;
        k->reset = n < 0;
        loop_io_stop(k->w->loop, &k->io);
    }
}

static inline struct client *client_new(struct world *w)
{
    struct client *k = w->clients;
    int one = 1;
    while (k->w)
        k++;
    assert_true(k < w->clients + CLIENTS);
    k->w = w;
    k->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_true(k->fd >= 0);
    struct sockaddr_in to = {.sin_family = AF_INET,
                             .sin_port = htons(net_port(w->net, NET_DOOR_PUBLIC)),
                             .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    assert_int_equal(connect(k->fd, (struct sockaddr *)&to, sizeof to), 0);
    (void)setsockopt(k->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    loop_io_start(w->loop, &k->io, k->fd, LOOP_READ, on_client);
    return k;
}

static inline void client_pause(struct client *k)
{
    loop_io_set(k->w->loop, &k->io, 0);
}

static inline void client_go_on(struct client *k)
{
    loop_io_set(k->w->loop, &k->io, LOOP_READ);
}

static inline void client_close(struct client *k)
{
    loop_io_stop(k->w->loop, &k->io);
    close(k->fd);
    k->fd = -1;
}

/* Sends all of it. What a test sends fits the socket's buffers, so this does not wait. */
static inline void say(struct client *k, struct bytes s)
{
    assert_int_equal(send(k->fd, s.p, s.len, MSG_NOSIGNAL), s.len);
}

/* Sends a masked frame; `first` is FIN and opcode. At most 65,535 bytes. */
static inline void say_frame(struct client *k, unsigned first, struct bytes payload)
{
    struct buf b = {0};
    buf_add_u8(&b, (uint8_t)first);
    if (payload.len < 126) {
        buf_add_u8(&b, (uint8_t)(0x80 | payload.len));
    } else {
        buf_add_u8(&b, 0x80 | 126);
        buf_add_u8(&b, (uint8_t)(payload.len >> 8));
        buf_add_u8(&b, (uint8_t)payload.len);
    }
    buf_add(&b, "\1\2\3\4", 4);
    for (size_t i = 0; i < payload.len; i++)
        buf_add_u8(&b, (uint8_t)(payload.p[i] ^ (i % 4 + 1)));
    say(k, buf_bytes(&b));
    buf_release(&b);
}

/* ---- running ---- */

static inline void on_world_turn_end(void *ctx)
{
    struct world *w = ctx;
    if (w->goal && w->goal(w, w->goal_arg)) {
        w->reached = true;
        loop_stop(w->loop);
    }
}

static inline void on_world_tick(void *ctx)
{
    struct world *w = ctx;
    if (++w->ticks >= PATIENCE)
        loop_stop(w->loop);
}

static inline void until(struct world *w, bool (*goal)(struct world *, const void *),
                         const void *arg)
{
    w->goal = goal;
    w->goal_arg = arg;
    w->reached = false;
    w->ticks = 0;
    loop_run(w->loop);
    w->goal = NULL;
    w->goal_arg = NULL;
    if (!w->reached) {
        print_error("log: %.*s\n", (int)w->log.len, (const char *)w->log.p);
        for (struct client *k = w->clients; k < w->clients + CLIENTS && k->w; k++)
            print_error("client %d: %zu bytes, eof %d: %.*s\n", (int)(k - w->clients), k->in.len,
                        k->eof, k->in.len < 2000 ? (int)k->in.len : 2000, (const char *)k->in.p);
    }
    assert_true(w->reached);
}

static inline bool any_turn(struct world *w, const void *arg)
{
    unsigned *left = (unsigned *)(uintptr_t)arg;
    loop_again(w->loop);
    return (*left)-- == 0;
}

/* A few turns that do not wait. */
static inline void turns(struct world *w, unsigned count)
{
    until(w, any_turn, &count);
}

struct wanted {
    struct client *k;
    struct bytes text;
};

static inline bool has_text(struct world *w, const void *arg)
{
    const struct wanted *x = arg;
    (void)w;
    return x->k->in.len >= x->text.len &&
           memmem(x->k->in.p, x->k->in.len, x->text.p, x->text.len) != NULL;
}

static inline void until_text(struct client *k, struct bytes text)
{
    struct wanted x = {k, text};
    until(k->w, has_text, &x);
}

static inline bool has_len(struct world *w, const void *arg)
{
    const struct wanted *x = arg;
    (void)w;
    return x->k->in.len >= x->text.len;
}

static inline void until_len(struct client *k, size_t len)
{
    struct wanted x = {k, {NULL, len}};
    until(k->w, has_len, &x);
}

static inline bool is_eof(struct world *w, const void *arg)
{
    (void)w;
    return ((const struct client *)arg)->eof;
}

/* The server ended the stream, and not by a reset. */
static inline void until_eof(struct client *k)
{
    until(k->w, is_eof, k);
    assert_false(k->reset);
}

static inline bool all_gone(struct world *w, const void *arg)
{
    (void)arg;
    return net_count(w->net) == 0;
}

struct count {
    const unsigned *counter;
    unsigned value;
};

static inline bool has_count(struct world *w, const void *arg)
{
    const struct count *x = arg;
    (void)w;
    return *x->counter >= x->value;
}

static inline void until_count(struct world *w, const unsigned *counter, unsigned value)
{
    struct count x = {counter, value};
    until(w, has_count, &x);
}

static inline void log_is(struct world *w, const char *text)
{
    buf_add_u8(&w->log, 0);
    assert_string_equal((char *)w->log.p, text);
    w->log.len--;
}

/* Everything that the client got, and nothing else. */
static inline void got_is(struct client *k, struct bytes text)
{
    if (!bytes_equal(buf_bytes(&k->in), text))
        print_error("got [%.*s]\n", (int)k->in.len, (const char *)k->in.p);
    assert_true(bytes_equal(buf_bytes(&k->in), text));
}

static inline void forget(struct client *k)
{
    buf_reset(&k->in);
}

/* ---- life ---- */

static const struct net_options world_options = {
    .http = {.head_max = 4096, .field_max = 20, .body_max = 100000},
    .message_max = 100000,
    .send_queue_max = 200000,
    .connections_max = 100,
    .head_timeout_s = 10,
    .body_timeout_s = 15,
    .idle_timeout_s = 60,
    .message_timeout_s = 30,
    .ping_interval_s = 25,
};

static inline void world_init_with(struct world *w, const struct net_options *options)
{
    const struct net_hooks hooks = {w,          on_request, on_bad_request,
                                    on_message, on_drained, on_closed};
    const char *why = "";
    memset(w, 0, sizeof *w);
    w->loop = loop_new();
    w->net = net_new(w->loop, options, &hooks);
    assert_int_equal(net_listen(w->net, "127.0.0.1:0", NET_DOOR_PUBLIC, &why), ERR_ok);
    assert_true(net_port(w->net, NET_DOOR_PUBLIC) > 0);
    net_start(w->net);
    net_skip_time(w->net, 0);
    loop_add_turn_end(w->loop, on_world_turn_end, w);
    loop_add_tick(w->loop, 1000, on_world_tick, w);
}

static inline void world_init(struct world *w)
{
    world_init_with(w, &world_options);
}

static inline void world_release(struct world *w)
{
    uint32_t open = net_count(w->net);
    unsigned before = w->closed;
    net_free(w->net);
    assert_true(w->closed - before <= open);
    for (struct client *k = w->clients; k < w->clients + CLIENTS && k->w; k++) {
        if (k->fd >= 0)
            client_close(k);
        buf_release(&k->in);
    }
    loop_free(w->loop);
    buf_release(&w->log);
}

/* A client whose WebSocket is open and who has read the 101. */
static inline struct client *client_ws(struct world *w)
{
    struct client *k = client_new(w);
    say(k, BYTES(HANDSHAKE));
    until_text(k, BYTES("\r\n\r\n"));
    forget(k);
    return k;
}

#endif
