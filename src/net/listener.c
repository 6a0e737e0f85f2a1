#include <arpa/inet.h>
#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/diag.h"
#include "net/inside.h"

#define ACCEPTS_PER_TURN 64
#define BACKLOG          4096
#define REFUSED_FOR_S    10 /* what whoever has too many connections is told to wait */

static void pause_all(struct net *n)
{
    n->accept_paused = true;
    for (uint32_t i = 0; i < n->listener_count; i++)
        loop_io_set(n->loop, &n->listeners[i].io, 0);
}

void listener_resume(struct net *n)
{
    if (!n->accept_paused || n->draining || n->count >= n->options.connections_max)
        return;
    n->accept_paused = false;
    for (uint32_t i = 0; i < n->listener_count; i++)
        loop_io_set(n->loop, &n->listeners[i].io, LOOP_READ);
}

void listener_close_all(struct net *n)
{
    for (uint32_t i = 0; i < n->listener_count; i++) {
        struct listener *l = &n->listeners[i];
        if (l->fd < 0)
            continue;
        loop_io_stop(n->loop, &l->io);
        close(l->fd);
        l->fd = -1;
    }
    n->listener_count = 0;
}

static struct conn_address address_of(const struct sockaddr_storage *s)
{
    static const uint8_t mapped[12] = {[10] = 0xFF, [11] = 0xFF};
    struct conn_address a = {{0}};
    if (s->ss_family == AF_INET6) {
        memcpy(a.b, &((const struct sockaddr_in6 *)(const void *)s)->sin6_addr, 16);
    } else if (s->ss_family == AF_INET) {
        memcpy(a.b, mapped, 12);
        memcpy(a.b + 12, &((const struct sockaddr_in *)(const void *)s)->sin_addr, 4);
    }
    return a;
}

/* Is this errno about the one connection, which is gone, rather than about us (accept(2))? */
static bool is_of_peer(int error)
{
    return error == EINTR || error == ECONNABORTED || error == EPROTO || error == ENETDOWN ||
           error == ENOPROTOOPT || error == EHOSTDOWN || error == ENONET || error == EHOSTUNREACH ||
           error == EOPNOTSUPP || error == ENETUNREACH || error == EPERM;
}

/* Says so at most once a minute: whoever has too many connections may try as often as it likes. */
static void say_crowded(struct net *n, struct conn_address a)
{
    char text[INET6_ADDRSTRLEN] = "?";
    if (n->crowd_warned_s != 0 && n->now_s - n->crowd_warned_s < 60)
        return;
    n->crowd_warned_s = n->now_s > 0 ? n->now_s : 1;
    (void)inet_ntop(AF_INET6, a.b, text, sizeof text);
    diag_warn("%s has %u connections; more from there are refused (--address-connections-max)",
              text, n->crowd.max);
}

/* One answer to whatever is asked, and the end. What the kernel does not take at once is lost, and
 * nothing is waited for: the limit is there so that this address costs no more. What it has sent is
 * read first, once, since a socket that is closed with bytes unread is reset. */
static void refuse(struct net *n, int fd)
{
    static const char body[] = "{\"error\":\"There are too many connections from this address.\","
                               "\"code\":\"too_many_requests\"}";
    char extra[32];
    (void)snprintf(extra, sizeof extra, "retry-after: %d\r\n", REFUSED_FOR_S);
    buf_reset(&n->text);
    http_add_answer(&n->text, &(struct http_answer){.status = err_status(ERR_too_many_requests),
                                                    .type = BYTES("application/json"),
                                                    .body = bytes_of(body, sizeof body - 1),
                                                    .extra = bytes_cstr(extra),
                                                    .close = true});
    ssize_t got = recv(fd, n->in, sizeof n->in, MSG_DONTWAIT);
    ssize_t sent = send(fd, n->text.p, n->text.len, MSG_DONTWAIT | MSG_NOSIGNAL);
    (void)got;
    (void)sent;
    close(fd);
}

/* Accepts one. False where there is nothing more to accept for now. */
static bool accept_one(struct listener *l)
{
    struct net *n = l->net;
    struct sockaddr_storage from = {0};
    socklen_t len = sizeof from;
    int one = 1;
    if (n->count >= n->options.connections_max) {
        pause_all(n); /* the others wait in the kernel's backlog until one has gone */
        return false;
    }
    int fd = accept4(l->fd, (struct sockaddr *)&from, &len, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (fd >= 0 && !crowd_has_room(&n->crowd, address_of(&from))) {
        n->stats.refused++;
        say_crowded(n, address_of(&from));
        refuse(n, fd);
        return true;
    }
    if (fd >= 0) {
        (void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
        conn_open(n, fd, address_of(&from))->door = l->door & 1;
        n->accept_warned = false;
        return true;
    }
    if (is_of_peer(errno))
        return true;
    if (errno != EAGAIN && errno != EWOULDBLOCK) {
        n->stats.accept_faults++;
        if (!n->accept_warned)
            diag_warn("cannot accept connections for now: %s", strerror(errno));
        n->accept_warned = true;
        pause_all(n);
    }
    return false;
}

static void on_acceptable(void *ctx, int events)
{
    struct listener *l = LIST_OWNER(ctx, struct listener, io);
    (void)events;
    for (int i = 0; i < ACCEPTS_PER_TURN && accept_one(l); i++) {
    }
}

/* 0 to 65535: getaddrinfo takes larger numbers and uses their lower bits. */
static bool is_port(const char *text)
{
    unsigned n = 0;
    size_t len = strlen(text);
    for (size_t i = 0; i < len; i++) {
        if (text[i] < '0' || text[i] > '9' || i == 5)
            return false;
        n = n * 10 + (unsigned)(text[i] - '0');
    }
    return len > 0 && n <= UINT16_MAX;
}

/* Splits "host:port", "[v6]:port" or ":port" in place. */
static bool split(char *text, char **host, char **port)
{
    char *colon = strrchr(text, ':');
    if (!colon || !is_port(colon + 1))
        return false;
    *colon = '\0';
    *port = colon + 1;
    *host = text;
    if (text[0] == '[') {
        size_t len = strlen(text);
        if (len < 3 || text[len - 1] != ']')
            return false;
        text[len - 1] = '\0';
        *host = text + 1;
    } else if (strchr(text, ':')) {
        return false; /* a bare IPv6 address: whose is the last colon? */
    }
    return true;
}

static uint16_t port_of(int fd)
{
    struct sockaddr_in6 at = {0}; /* the port is at the same place in both families */
    socklen_t len = sizeof at;
    return getsockname(fd, (struct sockaddr *)&at, &len) == 0 ? ntohs(at.sin6_port) : 0;
}

/* A second address of a name gets the port that the first was given. */
static void set_port(struct sockaddr *at, uint16_t port)
{
    if (at->sa_family == AF_INET6)
        ((struct sockaddr_in6 *)(void *)at)->sin6_port = htons(port);
    else if (at->sa_family == AF_INET)
        ((struct sockaddr_in *)(void *)at)->sin_port = htons(port);
}

/* A listening socket, or -1 with errno. */
static int open_one(const struct addrinfo *a)
{
    int one = 1;
    int fd = socket(a->ai_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return -1;
    (void)setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
    if (a->ai_family == AF_INET6)
        (void)setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &one, sizeof one);
    if (bind(fd, a->ai_addr, a->ai_addrlen) == 0 && listen(fd, BACKLOG) == 0)
        return fd;
    int error = errno;
    close(fd);
    errno = error;
    return -1;
}

static void listen_on(struct net *n, int fd, enum net_door door)
{
    struct listener *l = &n->listeners[n->listener_count++];
    l->net = n;
    l->fd = fd;
    l->door = door;
    if (n->ports[door] == 0)
        n->ports[door] = port_of(fd);
    loop_io_start(n->loop, &l->io, fd, LOOP_READ, on_acceptable);
}

static enum err explain(struct net *n, const char *host_port, const char *text, const char **why)
{
    snprintf(n->why, sizeof n->why, "cannot listen on %.80s: %.60s", host_port, text);
    *why = n->why;
    return ERR_io;
}

enum err net_listen(struct net *n, const char *host_port, enum net_door door, const char **why)
{
    char text[256], *host = NULL, *port = NULL;
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_PASSIVE}, *list;
    if (strlen(host_port) >= sizeof text)
        return explain(n, host_port, "the name is too long", why);
    memcpy(text, host_port, strlen(host_port) + 1);
    if (!split(text, &host, &port))
        return explain(n, host_port, "it is not HOST:PORT", why);
    int code = getaddrinfo(*host ? host : NULL, port, &hints, &list);
    if (code)
        return explain(n, host_port, gai_strerror(code), why);
    uint32_t before = n->listener_count;
    uint16_t same = 0;
    enum err e = ERR_ok;
    int error = EADDRNOTAVAIL;
    for (struct addrinfo *a = list; a && n->listener_count < NET_LISTENERS; a = a->ai_next) {
        if (same)
            set_port(a->ai_addr, same);
        int fd = open_one(a);
        if (fd >= 0) {
            same = port_of(fd);
            listen_on(n, fd, door);
        } else if (errno != EADDRNOTAVAIL && errno != EAFNOSUPPORT) {
            e = ERR_io; /* an address of this machine that somebody else has */
            error = errno;
            break;
        }
    }
    freeaddrinfo(list);
    if (e || n->listener_count == before)
        return explain(n, host_port, strerror(error), why);
    return ERR_ok;
}

uint16_t net_port(const struct net *n, enum net_door door)
{
    return n->ports[door];
}
