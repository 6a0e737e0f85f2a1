/*
 * floor: what a chat server must cost at the least, to measure ours against.
 *
 * A raw epoll server that knows no JSON, no users and no journal: GET /g/N upgrades a connection
 * (with the one key that bench's generator uses) and puts it into group N; each text message that a
 * member sends gives one prebuilt frame to each other member and one prebuilt acknowledgement to
 * the sender. What one turn of the loop produced for a socket goes out in one send (--no-join: one
 * send a frame). With --journal a record a message is made durable by a second thread first.
 *
 *   floor [--no-join] [--journal FILE] [--record BYTES] [--event BYTES] [--ack BYTES]
 *
 * --event and --ack are the bytes of JSON in a frame: the runner sets them to what groups-chat
 * sends, so that both move the same bytes. Prints its address, serves until it is killed.
 */
#include <arpa/inet.h>
#include <err.h>
#include <errno.h>
#include <getopt.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/ensure.h"
#include "floor_journal.h"

enum { EVENTS_MAX = 1024, GROUPS_MAX = 65536, FDS_MAX = 65536 };
enum { SCRATCH_LEN = 1 << 18, JOURNAL_LEN = 64 << 20 };
enum { OP_TEXT = 1, OP_CLOSE = 8, OP_PING = 9, OP_PONG = 10 };

struct conn {
    int fd;
    uint32_t generation; /* tells a ticket whether this is still its connection */
    uint32_t group;
    uint32_t acks;  /* due at the end of the turn */
    bool open;      /* the handshake is done */
    struct buf in;  /* an incomplete head or frame */
    struct buf out; /* what the kernel did not take */
};

/* What a turn produced for a group: its frames in one piece, copied once a message, not once a
 * member; and who sent each, for the sender gets all but its own. */
struct group {
    struct conn **members;
    uint32_t count, cap;
    struct buf frames;
    struct buf senders; /* struct conn * each */
    bool dirty;
};

static struct {
    int epoll, listener;
    bool join;
    struct floor_journal *journal;
    struct buf event, ack; /* the prebuilt frames */
    struct conn *conns[FDS_MAX];
    struct group groups[GROUPS_MAX];
    uint32_t dirty[GROUPS_MAX], dirty_count;
    uint32_t generation;
    struct buf mixed; /* for a member who both sent and receives */
    uint8_t scratch[SCRATCH_LEN];
} f;

/* ---- frames ---------------------------------------------------------------------------------- */

/* A text frame of `len` bytes of JSON with this type; the rest is padding. */
static struct buf frame_build(int type, size_t len)
{
    struct buf json = {0}, frame = {0};

    if (len < 64 || len > 65535)
        errx(1, "--event and --ack take 64 to 65535");
    buf_printf(&json, "{\"type\":%d,\"timestamp\":0,\"body\":{\"pad\":\"", type);
    while (json.len < len - 3)
        buf_add_u8(&json, 'x');
    BUF_ADD_LIT(&json, "\"}}");
    buf_add_u8(&frame, 0x80 | OP_TEXT);
    if (len < 126) {
        buf_add_u8(&frame, (uint8_t)len);
    } else {
        buf_add_u8(&frame, 126);
        buf_add_u8(&frame, (uint8_t)(len >> 8));
        buf_add_u8(&frame, (uint8_t)len);
    }
    buf_add(&frame, json.p, json.len);
    buf_release(&json);
    return frame;
}

static void unmask(uint8_t *p, size_t len, const uint8_t key[4])
{
    uint64_t wide;
    uint32_t k;
    size_t i = 0;

    memcpy(&k, key, 4);
    wide = (uint64_t)k << 32 | k;
    for (; i + 8 <= len; i += 8) {
        uint64_t v;
        memcpy(&v, p + i, 8);
        v ^= wide;
        memcpy(p + i, &v, 8);
    }
    for (; i < len; i++)
        p[i] ^= key[i & 3];
}

/* ---- connections ----------------------------------------------------------------------------- */

static void conn_watch(struct conn *c, int op, bool out)
{
    struct epoll_event ev = {.events = EPOLLIN | (out ? EPOLLOUT : 0), .data.fd = c->fd};

    if (epoll_ctl(f.epoll, op, c->fd, &ev) != 0)
        err(1, "epoll_ctl");
}

static void conn_close(struct conn *c)
{
    if (c->open) {
        struct group *g = &f.groups[c->group];
        for (uint32_t i = 0; i < g->count; i++) {
            if (g->members[i] == c) {
                g->members[i] = g->members[--g->count];
                break;
            }
        }
    }
    f.conns[c->fd] = NULL;
    close(c->fd);
    buf_release(&c->in);
    buf_release(&c->out);
    free(c);
}

/* A connection that fails here is closed by its next EPOLLIN, so that no walk over the members is
 * disturbed. */
static void conn_send(struct conn *c, const uint8_t *p, size_t len)
{
    ssize_t n = 0;

    if (c->out.len == 0) {
        n = send(c->fd, p, len, MSG_NOSIGNAL);
        if (n < 0 && errno != EAGAIN)
            return;
        if (n == (ssize_t)len)
            return;
        n = n < 0 ? 0 : n;
        conn_watch(c, EPOLL_CTL_MOD, true);
    }
    buf_add(&c->out, p + n, len - (size_t)n);
}

static void conn_writable(struct conn *c)
{
    ssize_t n = send(c->fd, c->out.p, c->out.len, MSG_NOSIGNAL);

    if (n > 0)
        buf_consume(&c->out, (size_t)n);
    if (c->out.len == 0) {
        buf_release(&c->out);
        conn_watch(c, EPOLL_CTL_MOD, false);
    }
}

static void accept_all(void)
{
    for (;;) {
        int one = 1, fd = accept4(f.listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
        struct conn *c;

        if (fd < 0 && (errno == EAGAIN || errno == EINTR || errno == ECONNABORTED))
            return;
        if (fd < 0)
            err(1, "accept");
        if (fd >= FDS_MAX)
            errx(1, "more connections than the floor has room for");
        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
        c = xcalloc(1, sizeof(*c));
        c->fd = fd;
        c->generation = ++f.generation;
        f.conns[fd] = c;
        conn_watch(c, EPOLL_CTL_ADD, false);
    }
}

/* ---- fan-out --------------------------------------------------------------------------------- */

static void group_deliver_now(struct group *g, struct conn *sender)
{
    for (uint32_t i = 0; i < g->count; i++) {
        if (g->members[i] != sender)
            conn_send(g->members[i], f.event.p, f.event.len);
    }
    conn_send(sender, f.ack.p, f.ack.len);
}

/* A message that may be seen: joined to what the turn sends, or sent. */
static void deliver(struct conn *sender)
{
    struct group *g = &f.groups[sender->group];

    if (!f.join) {
        group_deliver_now(g, sender);
        return;
    }
    if (!g->dirty) {
        g->dirty = true;
        f.dirty[f.dirty_count++] = sender->group;
    }
    buf_add(&g->frames, f.event.p, f.event.len);
    buf_add(&g->senders, &sender, sizeof(struct conn *));
    sender->acks++;
}

static void member_send_mixed(struct group *g, struct conn *c)
{
    struct conn **senders = (struct conn **)(void *)g->senders.p;
    size_t frames = g->senders.len / sizeof(struct conn *);

    buf_reset(&f.mixed);
    for (size_t i = 0; c->acks < frames && i < frames; i++) {
        if (senders[i] != c)
            buf_add(&f.mixed, g->frames.p + i * f.event.len, f.event.len);
    }
    for (; c->acks > 0; c->acks--)
        buf_add(&f.mixed, f.ack.p, f.ack.len);
    conn_send(c, f.mixed.p, f.mixed.len);
}

static void turn_end(void)
{
    /* First, so that the disk works while the loop sends. */
    if (f.journal)
        floor_journal_submit(f.journal);
    for (uint32_t d = 0; d < f.dirty_count; d++) {
        struct group *g = &f.groups[f.dirty[d]];
        for (uint32_t i = 0; i < g->count; i++) {
            struct conn *c = g->members[i];
            if (c->acks > 0)
                member_send_mixed(g, c);
            else
                conn_send(c, g->frames.p, g->frames.len);
        }
        buf_reset(&g->frames);
        buf_reset(&g->senders);
        g->dirty = false;
    }
    f.dirty_count = 0;
}

static void journal_done(void)
{
    const uint64_t *tickets;
    size_t n = floor_journal_take(f.journal, &tickets);

    for (size_t i = 0; i < n; i++) {
        struct conn *c = f.conns[tickets[i] & (FDS_MAX - 1)];
        if (c && c->open && c->generation == (uint32_t)(tickets[i] >> 32))
            deliver(c);
    }
}

static void message_in(struct conn *c)
{
    if (f.journal)
        floor_journal_add(f.journal, (uint64_t)c->generation << 32 | (uint32_t)c->fd);
    else
        deliver(c);
}

/* ---- input ----------------------------------------------------------------------------------- */

/* GET /g/N …: joins group N. Returns the bytes of the head, 0 when it is incomplete, -1 to close.
 */
static ssize_t head_in(struct conn *c, const uint8_t *p, size_t len)
{
    static const char answer[] = "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n"
                                 "Connection: Upgrade\r\n"
                                 "Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n";
    const uint8_t *end = memmem(p, len, "\r\n\r\n", 4);
    uint32_t number = 0;
    struct group *g;

    if (!end)
        return len > 8192 ? -1 : 0;
    if (len < 8 || memcmp(p, "GET /g/", 7) != 0)
        return -1;
    for (p += 7; p < end && *p >= '0' && *p <= '9' && number < GROUPS_MAX; p++)
        number = number * 10 + (*p - '0');
    if (number >= GROUPS_MAX || *p != ' ')
        return -1;
    g = &f.groups[number];
    if (g->count == g->cap) {
        g->cap = g->cap ? g->cap * 2 : 4;
        g->members = xrealloc(g->members, g->cap * sizeof(struct conn *));
    }
    g->members[g->count++] = c;
    c->group = number;
    c->open = true;
    conn_send(c, (const uint8_t *)answer, sizeof(answer) - 1);
    return end + 4 - f.scratch;
}

/* One frame. Returns its bytes, 0 when it is incomplete, -1 to close. */
static ssize_t frame_in(struct conn *c, uint8_t *p, size_t len)
{
    size_t head = 6, body;

    if (len < head)
        return 0;
    body = p[1] & 0x7f;
    if (!(p[1] & 0x80) || body == 127)
        return -1;
    if (body == 126) {
        head = 8;
        if (len < head)
            return 0;
        body = (size_t)p[2] << 8 | p[3];
    }
    if (len < head + body)
        return 0;
    unmask(p + head, body, p + head - 4);
    switch (p[0] & 0x0f) {
    case OP_TEXT:
        message_in(c);
        break;
    case OP_PING:
        if (head != 6)
            return -1;
        p[4] = 0x80 | OP_PONG;
        p[5] = (uint8_t)body;
        conn_send(c, p + 4, body + 2);
        break;
    case OP_CLOSE:
        return -1;
    default:
        break;
    }
    return (ssize_t)(head + body);
}

static void conn_readable(struct conn *c)
{
    size_t have = c->in.len, at = 0;
    ssize_t n;

    memcpy(f.scratch, c->in.p ? c->in.p : f.scratch, have);
    n = recv(c->fd, f.scratch + have, SCRATCH_LEN - have, 0);
    if (n < 0 && (errno == EAGAIN || errno == EINTR))
        return;
    if (n <= 0) {
        conn_close(c);
        return;
    }
    have += (size_t)n;
    while (at < have) {
        n = c->open ? frame_in(c, f.scratch + at, have - at) : head_in(c, f.scratch, have);
        if (n < 0) {
            conn_close(c);
            return;
        }
        if (n == 0)
            break;
        at += (size_t)n;
    }
    if (at == have) {
        buf_release(&c->in);
    } else {
        buf_reset(&c->in);
        buf_add(&c->in, f.scratch + at, have - at);
    }
}

/* ---- life ------------------------------------------------------------------------------------ */

static void listen_any(void)
{
    struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    struct epoll_event ev = {.events = EPOLLIN};
    socklen_t len = sizeof(a);

    f.listener = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (f.listener < 0 || bind(f.listener, (struct sockaddr *)&a, len) != 0 ||
        listen(f.listener, 4096) != 0 || getsockname(f.listener, (struct sockaddr *)&a, &len) != 0)
        err(1, "listen");
    ev.data.fd = f.listener;
    if (epoll_ctl(f.epoll, EPOLL_CTL_ADD, f.listener, &ev) != 0)
        err(1, "epoll_ctl");
    printf("floor listening on http://127.0.0.1:%u\n", ntohs(a.sin_port));
    fflush(stdout);
}

static void serve(void)
{
    static struct epoll_event events[EVENTS_MAX];

    for (;;) {
        int n = epoll_wait(f.epoll, events, EVENTS_MAX, -1);
        if (n < 0 && errno != EINTR)
            err(1, "epoll_wait");
        for (int i = 0; i < n; i++) {
            int fd = events[i].data.fd;
            if (fd == f.listener) {
                accept_all();
            } else if (f.journal && fd == floor_journal_fd(f.journal)) {
                journal_done();
            } else {
                if (f.conns[fd] && (events[i].events & EPOLLOUT))
                    conn_writable(f.conns[fd]);
                if (f.conns[fd] && (events[i].events & (EPOLLIN | EPOLLHUP | EPOLLERR)))
                    conn_readable(f.conns[fd]);
            }
        }
        turn_end();
    }
}

int main(int argc, char **argv)
{
    static const struct option options[] = {
        {"no-join", no_argument, NULL, 'n'},      {"journal", required_argument, NULL, 'j'},
        {"record", required_argument, NULL, 'r'}, {"event", required_argument, NULL, 'e'},
        {"ack", required_argument, NULL, 'a'},    {NULL, 0, NULL, 0},
    };
    size_t event_len = 330, ack_len = 200, record_len = 200;
    const char *journal = NULL;
    struct rlimit limit;
    int o;

    f.join = true;
    while ((o = getopt_long(argc, argv, "", options, NULL)) != -1) {
        if (o == 'n')
            f.join = false;
        else if (o == 'j')
            journal = optarg;
        else if (o == 'r')
            record_len = strtoul(optarg, NULL, 10);
        else if (o == 'e')
            event_len = strtoul(optarg, NULL, 10);
        else if (o == 'a')
            ack_len = strtoul(optarg, NULL, 10);
        else
            return 2;
    }
    if (getrlimit(RLIMIT_NOFILE, &limit) == 0) {
        limit.rlim_cur = limit.rlim_max;
        setrlimit(RLIMIT_NOFILE, &limit);
    }
    f.event = frame_build(20, event_len);
    f.ack = frame_build(21, ack_len);
    f.epoll = epoll_create1(EPOLL_CLOEXEC);
    if (f.epoll < 0)
        err(1, "epoll_create1");
    if (journal) {
        struct epoll_event ev = {.events = EPOLLIN};
        f.journal = floor_journal_new(journal, JOURNAL_LEN, record_len);
        ev.data.fd = floor_journal_fd(f.journal);
        if (epoll_ctl(f.epoll, EPOLL_CTL_ADD, ev.data.fd, &ev) != 0)
            err(1, "epoll_ctl");
    }
    listen_any();
    serve();
}
