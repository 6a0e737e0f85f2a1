#include "control.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/bytes.h"
#include "base/ensure.h"

#define CLIENTS_MAX 8
#define DEADLINE_MS 10000
#define ANSWER_MAX  512

/*
 * A client.
 *
 *   FREE ──accept──► READING ──line──► answered at once ──► READING
 *     ▲                │ └──"snapshot"──► WAITING ──control_snapshot_done──► READING
 *     └── end, deadline, too long a line, a write that would block ──┘ (any)
 *
 * One that waits may have ended its half of the connection: it still gets its answer.
 */
enum client_state { CLIENT_FREE, CLIENT_READING, CLIENT_WAITING };

struct client {
    struct loop_io io; /* first: its callback finds the client by it */
    struct control *control;
    enum client_state state;
    bool begun; /* what it waits for */
    bool ended; /* it sends nothing more */
    int fd;
    int64_t since_ms; /* the deadline runs from here */
    size_t len;
    char line[CONTROL_LINE_MAX];
};

struct control {
    struct loop_io io; /* first, as above */
    struct loop *loop;
    struct control_hooks hooks;
    int dir;
    int fd;
    struct client clients[CLIENTS_MAX];
};

static void client_close(struct client *c)
{
    loop_io_stop(c->control->loop, &c->io);
    close(c->fd);
    c->fd = -1;
    c->state = CLIENT_FREE;
}

/* One send: an answer is shorter than any socket's buffer, so a client whose buffer is full has
 * asked and never read. False: it was closed. */
__attribute__((format(printf, 2, 3))) static bool answer(struct client *c, const char *format, ...)
{
    char text[ANSWER_MAX];
    va_list args;
    va_start(args, format);
    int n = vsnprintf(text, sizeof text - 1, format, args);
    va_end(args);
    size_t len = n < 0 ? 0 : (size_t)n < sizeof text - 1 ? (size_t)n : sizeof text - 2;
    for (size_t i = 0; i < len; i++)
        if (text[i] == '\n')
            text[i] = ' ';
    text[len++] = '\n';
    if (send(c->fd, text, len, MSG_NOSIGNAL | MSG_DONTWAIT) == (ssize_t)len)
        return true;
    client_close(c);
    return false;
}

static bool answer_error(struct client *c, enum err err)
{
    return answer(c, "error %s: %s", err_code(err), err_sentence(err));
}

/* Asks for a snapshot. False: the client was closed. */
static bool client_snapshot(struct client *c)
{
    struct control *k = c->control;
    enum err err = k->hooks.snapshot(k->hooks.ctx);
    c->state = CLIENT_READING;
    if (err == ERR_refused)
        return answer(c, "ok unchanged");
    if (err != ERR_ok && err != ERR_busy)
        return answer_error(c, err);
    c->state = CLIENT_WAITING;
    c->begun = err == ERR_ok;
    return true;
}

/* ---- turns --------------------------------------------------------------------------------- */

static void quantiles(const struct histogram *h, char out[static 128])
{
    (void)snprintf(
        out, 128, "{\"p50\":%llu,\"p99\":%llu,\"p999\":%llu,\"p9999\":%llu,\"max\":%llu}",
        (unsigned long long)histogram_us(h, 5000), (unsigned long long)histogram_us(h, 9900),
        (unsigned long long)histogram_us(h, 9990), (unsigned long long)histogram_us(h, 9999),
        (unsigned long long)histogram_us(h, 10000));
}

/* Tells how long the loop's turns took, and counts from zero again. */
static bool client_turns(struct client *c)
{
    struct turns *t = loop_turns(c->control->loop);
    char wall[128], cpu[128];
    quantiles(&t->wall, wall);
    quantiles(&t->cpu, cpu);
    bool open = answer(c,
                       "ok {\"turns\":%llu,\"period_ms\":%llu,\"wall_us\":%s,\"cpu_us\":%s,"
                       "\"forks\":%llu,\"fork_us\":%llu}",
                       (unsigned long long)t->wall.count, (unsigned long long)turns_period_ms(t),
                       wall, cpu, (unsigned long long)t->apart.count,
                       (unsigned long long)histogram_us(&t->apart, 10000));
    turns_reset(t);
    return open;
}

/* ---- lines --------------------------------------------------------------------------------- */

static bool client_command(struct client *c, struct bytes line)
{
    if (bytes_equal(line, BYTES("ping")))
        return answer(c, "ok");
    if (bytes_equal(line, BYTES("snapshot")))
        return client_snapshot(c);
    if (bytes_equal(line, BYTES("turns")))
        return client_turns(c);
    return answer(c, "error unknown_command: There are ping, snapshot and turns.");
}

/* Takes the whole lines that are there, as long as none of them makes the client wait. */
static void client_lines(struct client *c)
{
    while (c->state == CLIENT_READING) {
        char *end = memchr(c->line, '\n', c->len);
        if (!end) {
            if (c->len == sizeof c->line && answer(c, "error too_large: The line is too long."))
                client_close(c);
            return;
        }
        size_t len = (size_t)(end - c->line);
        if (!client_command(c, bytes_of(c->line, len)))
            return;
        c->len -= len + 1;
        memmove(c->line, end + 1, c->len);
        c->since_ms = loop_now_ms(c->control->loop);
    }
}

/* What is to do for a client that got its answer. */
static void client_goes_on(struct client *c)
{
    c->since_ms = loop_now_ms(c->control->loop);
    client_lines(c);
    if (c->state == CLIENT_READING && c->ended)
        client_close(c);
}

static void on_client(void *ctx, int events)
{
    struct client *c = ctx;
    (void)events;
    if (c->len == sizeof c->line) { /* waiting, and it sends and sends */
        client_close(c);
        return;
    }
    ssize_t n = recv(c->fd, c->line + c->len, sizeof c->line - c->len, MSG_DONTWAIT);
    if (n < 0 && (errno == EAGAIN || errno == EINTR))
        return;
    if (n == 0 && c->state == CLIENT_WAITING) {
        c->ended = true;
        loop_io_set(c->control->loop, &c->io, 0);
        return;
    }
    if (n <= 0) {
        client_close(c);
        return;
    }
    c->len += (size_t)n;
    client_lines(c);
}

static void on_listener(void *ctx, int events)
{
    static const char full[] = "error busy: Too many others are connected here.\n";
    struct control *k = ctx;
    (void)events;
    int fd = accept4(k->fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (fd < 0)
        return; /* gone again, or no descriptors left: level-triggered, so it is tried again */
    for (size_t i = 0; i < CLIENTS_MAX; i++) {
        struct client *c = &k->clients[i];
        if (c->state != CLIENT_FREE)
            continue;
        c->control = k;
        c->state = CLIENT_READING;
        c->fd = fd;
        c->len = 0;
        c->ended = false;
        c->since_ms = loop_now_ms(k->loop);
        loop_io_start(k->loop, &c->io, fd, LOOP_READ, on_client);
        return;
    }
    (void)send(fd, full, sizeof full - 1, MSG_NOSIGNAL | MSG_DONTWAIT);
    close(fd);
}

/* Tells a client how its snapshot ended. False: it was closed. */
static bool tell_done(struct client *c, enum err err, uint64_t seq, uint64_t bytes,
                      const char *text)
{
    c->state = CLIENT_READING;
    if (err == ERR_ok)
        return answer(c, "ok seq=%llu bytes=%llu", (unsigned long long)seq,
                      (unsigned long long)bytes);
    if (text[0] != '\0')
        return answer(c, "error %s: %s", err_code(err), text);
    return answer_error(c, err);
}

void control_snapshot_done(struct control *k, enum err err, uint64_t seq, uint64_t bytes,
                           const char *text)
{
    bool was_begun[CLIENTS_MAX] = {false};
    if (!k)
        return;
    for (size_t i = 0; i < CLIENTS_MAX; i++)
        was_begun[i] = k->clients[i].state == CLIENT_WAITING && k->clients[i].begun;
    for (size_t i = 0; i < CLIENTS_MAX; i++)
        if (was_begun[i] && tell_done(&k->clients[i], err, seq, bytes, text))
            client_goes_on(&k->clients[i]);
    for (size_t i = 0; i < CLIENTS_MAX; i++) {
        struct client *c = &k->clients[i];
        if (!was_begun[i] && c->state == CLIENT_WAITING && !c->begun && client_snapshot(c) &&
            c->state == CLIENT_READING)
            client_goes_on(c);
    }
}

void control_tick(struct control *k)
{
    if (!k)
        return;
    for (size_t i = 0; i < CLIENTS_MAX; i++) {
        struct client *c = &k->clients[i];
        if (c->state == CLIENT_READING && loop_now_ms(k->loop) - c->since_ms > DEADLINE_MS)
            client_close(c);
    }
}

/* ---- life ---------------------------------------------------------------------------------- */

/* The data directory's path may be longer than a socket's address; its descriptor has a short one.
 */
static void control_address(int dir, struct sockaddr_un *address)
{
    *address = (struct sockaddr_un){.sun_family = AF_UNIX};
    (void)snprintf(address->sun_path, sizeof address->sun_path, "/proc/self/fd/%d/" CONTROL_NAME,
                   dir);
}

static bool control_listen(struct control *k)
{
    struct sockaddr_un address;
    control_address(k->dir, &address);
    if (unlinkat(k->dir, CONTROL_NAME, 0) != 0 && errno != ENOENT)
        return false;
    k->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (k->fd < 0)
        return false;
    mode_t before = umask(0177);
    int rc = bind(k->fd, (const struct sockaddr *)&address, sizeof address);
    umask(before);
    return rc == 0 && listen(k->fd, CLIENTS_MAX) == 0;
}

struct control *control_new(struct loop *loop, const char *data_dir,
                            const struct control_hooks *hooks, char *why, unsigned long why_len)
{
    struct control *k = xcalloc(1, sizeof *k);
    k->loop = loop;
    k->hooks = *hooks;
    k->fd = -1;
    k->dir = open(data_dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (k->dir < 0 || !control_listen(k)) {
        (void)snprintf(why, why_len, "%s", strerror(errno));
        if (k->fd >= 0)
            close(k->fd);
        if (k->dir >= 0)
            close(k->dir);
        free(k);
        return NULL;
    }
    loop_io_start(loop, &k->io, k->fd, LOOP_READ, on_listener);
    return k;
}

void control_free(struct control *k)
{
    if (!k)
        return;
    for (size_t i = 0; i < CLIENTS_MAX; i++)
        if (k->clients[i].state != CLIENT_FREE)
            client_close(&k->clients[i]);
    loop_io_stop(k->loop, &k->io);
    (void)unlinkat(k->dir, CONTROL_NAME, 0);
    close(k->fd);
    close(k->dir);
    free(k);
}
