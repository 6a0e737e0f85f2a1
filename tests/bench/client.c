#include "client.h"

#include <arpa/inet.h>
#include <err.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "base/ensure.h"

enum { EVENTS_MAX = 1024, SCRATCH_LEN = 1 << 18, TEXT_MAX = 1 << 16 };
enum { CONNECTING_MAX = 128, WAIT_S = 30 };
enum { OP_TEXT = 1, OP_CLOSE = 8, OP_PING = 9, OP_PONG = 10 };
#define NS_PER_S 1000000000ull

/* The sample of RFC 6455, section 1.3: the answer is known without computing it. */
#define KEY    "dGhlIHNhbXBsZSBub25jZQ=="
#define ACCEPT "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="

static uint8_t scratch[SCRATCH_LEN];

uint64_t now_ns(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * NS_PER_S + (uint64_t)t.tv_nsec;
}

static void watch(struct clients *s, struct client *c, int op, bool out)
{
    struct epoll_event ev = {.events = EPOLLIN | (out ? EPOLLOUT : 0), .data.ptr = c};

    if (epoll_ctl(s->epoll, op, c->fd, &ev) != 0)
        err(1, "epoll_ctl");
    c->watches_out = out;
}

static void flush(struct clients *s, struct client *c)
{
    ssize_t n = send(c->fd, c->out.p, c->out.len, MSG_NOSIGNAL);

    if (n < 0 && errno != EAGAIN)
        err(1, "send");
    if (n > 0)
        buf_consume(&c->out, (size_t)n);
    if (c->out.len == 0)
        buf_release(&c->out);
    if (c->watches_out != (c->out.len > 0))
        watch(s, c, EPOLL_CTL_MOD, c->out.len > 0);
}

void client_send(struct clients *s, struct client *c, const uint8_t *p, size_t len)
{
    ssize_t n = 0;

    if (c->out.len == 0) {
        n = send(c->fd, p, len, MSG_NOSIGNAL);
        if (n < 0 && errno != EAGAIN)
            err(1, "send");
        n = n < 0 ? 0 : n;
    }
    if (n == (ssize_t)len)
        return;
    buf_add(&c->out, p + n, len - (size_t)n);
    if (!c->watches_out)
        watch(s, c, EPOLL_CTL_MOD, true);
}

/* ---- opening --------------------------------------------------------------------------------- */

static void start(struct clients *s, struct client *c)
{
    struct sockaddr_in a = {.sin_family = AF_INET,
                            .sin_port = htons(s->port),
                            .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int one = 1;

    c->fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (c->fd < 0)
        err(1, "socket");
    setsockopt(c->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
    if (connect(c->fd, (struct sockaddr *)&a, sizeof(a)) != 0 && errno != EINPROGRESS)
        err(1, "connect");
    buf_printf(&c->out,
               "GET %s HTTP/1.1\r\nHost: 127.0.0.1:%u\r\nUpgrade: websocket\r\n"
               "Connection: Upgrade\r\nSec-WebSocket-Key: " KEY
               "\r\nSec-WebSocket-Version: 13\r\n\r\n",
               c->path, s->port);
    watch(s, c, EPOLL_CTL_ADD, true);
}

void clients_open(struct clients *s)
{
    uint32_t started = 0;
    uint64_t until = now_ns() + WAIT_S * NS_PER_S;

    s->epoll = epoll_create1(EPOLL_CLOEXEC);
    if (s->epoll < 0)
        err(1, "epoll_create1");
    while (s->open_count < s->count) {
        uint32_t before = s->open_count;
        while (started < s->count && started - s->open_count < CONNECTING_MAX)
            start(s, &s->all[started++]);
        clients_poll(s, until);
        if (s->open_count != before)
            until = now_ns() + WAIT_S * NS_PER_S;
        else if (now_ns() >= until)
            errx(1, "%u of %u connections opened, then nothing", s->open_count, s->count);
    }
}

/* Returns the bytes of the answer's head, 0 when it is incomplete. */
static size_t head_in(struct clients *s, struct client *c, const uint8_t *p, size_t len)
{
    const uint8_t *end = memmem(p, len, "\r\n\r\n", 4);
    size_t head;

    if (!end && len < 8192)
        return 0;
    head = end ? (size_t)(end + 4 - p) : len;
    if (!end || memcmp(p, "HTTP/1.1 101 ", 13) != 0 || !memmem(p, head, ACCEPT, strlen(ACCEPT)))
        errx(1, "the upgrade of %s was answered: %.*s", c->path, (int)head, (const char *)p);
    c->open = true;
    s->open_count++;
    return head;
}

/* ---- frames ---------------------------------------------------------------------------------- */

static void control_send(struct clients *s, struct client *c, int op, const uint8_t *p, size_t len)
{
    uint8_t frame[6 + 125] = {(uint8_t)(0x80 | op), (uint8_t)(0x80 | len)}; /* a mask of zeros */

    memcpy(frame + 6, p, len);
    client_send(s, c, frame, 6 + len);
}

static void text_in(struct clients *s, struct client *c, const uint8_t *p, size_t len)
{
    static const char start_of[] = "{\"type\":";
    size_t at = sizeof(start_of) - 1;

    if (len < at + 3 || memcmp(p, start_of, at) != 0)
        errx(1, "not an event: %.*s", (int)len, (const char *)p);
    if (p[at] == '2' && p[at + 2] == ',') {
        if (p[at + 1] == '0') {
            s->on_event(c, p, len);
            c->events++;
            return;
        }
        if (p[at + 1] == '1') {
            c->acks++;
            s->on_ack(c, p, len);
            return;
        }
    }
    if (p[at] == '1' && p[at + 1] == '1')
        errx(1, "refused: %.*s", (int)len, (const char *)p);
}

/* One frame. Returns its bytes, 0 when it is incomplete. */
static size_t frame_in(struct clients *s, struct client *c, const uint8_t *p, size_t len)
{
    size_t head = 2, body;

    if (len < head)
        return 0;
    body = p[1];
    if (body == 126) {
        head = 4;
        if (len < head)
            return 0;
        body = (size_t)p[2] << 8 | p[3];
    } else if (body > 126) {
        errx(1, "a masked frame or one of more than 64 KiB");
    }
    if (len < head + body)
        return 0;
    switch (p[0]) {
    case 0x80 | OP_TEXT:
        text_in(s, c, p + head, body);
        break;
    case 0x80 | OP_PING:
        control_send(s, c, OP_PONG, p + head, body);
        break;
    case 0x80 | OP_PONG:
        c->pongs++;
        s->pong_count++;
        break;
    case 0x80 | OP_CLOSE:
        errx(1, "closed by the server with code %d", body < 2 ? 0 : p[head] << 8 | p[head + 1]);
    default:
        errx(1, "a frame that starts with byte %#x", p[0]);
    }
    return head + body;
}

static void readable(struct clients *s, struct client *c)
{
    size_t have = c->in.len, at = 0;
    ssize_t n;

    if (have > 0)
        memcpy(scratch, c->in.p, have);
    n = recv(c->fd, scratch + have, sizeof(scratch) - have, 0);
    if (n < 0 && (errno == EAGAIN || errno == EINTR))
        return;
    if (n < 0)
        err(1, "recv");
    if (n == 0)
        errx(1, "the server closed a connection");
    s->read_count++;
    have += (size_t)n;
    while (at < have) {
        size_t used = c->open ? frame_in(s, c, scratch + at, have - at)
                              : head_in(s, c, scratch + at, have - at);
        if (used == 0)
            break;
        at += used;
    }
    if (at == have) {
        buf_release(&c->in);
    } else {
        buf_reset(&c->in);
        buf_add(&c->in, scratch + at, have - at);
    }
}

void clients_poll(struct clients *s, uint64_t until_ns)
{
    static struct epoll_event events[EVENTS_MAX];
    uint64_t now = now_ns(), wait = until_ns > now ? until_ns - now : 0;
    struct timespec t = {.tv_sec = (time_t)(wait / NS_PER_S), .tv_nsec = (long)(wait % NS_PER_S)};
    int n = epoll_pwait2(s->epoll, events, EVENTS_MAX, &t, NULL);

    if (n < 0 && errno != EINTR)
        err(1, "epoll_pwait2");
    for (int i = 0; i < n; i++) {
        struct client *c = events[i].data.ptr;
        if ((events[i].events & EPOLLOUT) && c->watches_out)
            flush(s, c);
        if (events[i].events & (EPOLLIN | EPOLLHUP | EPOLLERR))
            readable(s, c);
    }
}

void clients_barrier(struct clients *s)
{
    uint64_t due = s->pong_count + s->count, until = now_ns() + WAIT_S * NS_PER_S;

    for (uint32_t i = 0; i < s->count; i++) {
        control_send(s, &s->all[i], OP_PING, (const uint8_t *)"b", 1);
        /* Not all pings at once: their pongs would only fill the buffers. */
        if (i % EVENTS_MAX == 0)
            clients_poll(s, 0);
    }
    while (s->pong_count < due) {
        clients_poll(s, until);
        if (now_ns() >= until)
            errx(1, "%llu pongs are missing", (unsigned long long)(due - s->pong_count));
    }
}
