/*
 * client: the generator's WebSocket connections, cheap enough not to be what is measured.
 *
 * One epoll loop, one read buffer for all; a connection keeps memory only for an incomplete frame
 * or for what the kernel did not take. Frames are told apart by the first bytes of their text
 * ({"type":N). Whatever the server should not have done ends the process with a sentence.
 */
#ifndef BENCH_CLIENT_H
#define BENCH_CLIENT_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"

struct client {
    int fd;
    uint32_t group;
    bool sender; /* of its group */
    bool open;
    bool watches_out;
    uint32_t pongs;
    uint64_t acks;   /* events 21 */
    uint64_t events; /* events 20 */
    char *path;
    struct buf in, out;
};

/* Told of each event 20 and 21; the text is borrowed. */
typedef void (*client_event_fn)(struct client *c, const uint8_t *text, size_t len);

struct clients {
    int epoll;
    uint16_t port;
    struct client *all;
    uint32_t count;
    uint32_t open_count;
    uint64_t pong_count;
    uint64_t read_count; /* reads that brought something */
    client_event_fn on_event, on_ack;
};

/* Opens every connection and waits until each has its 101; `all`, `count`, `port` are set. */
void clients_open(struct clients *s);

/* Handles what has arrived, waiting for it until `until_ns` of the monotonic clock at most. */
void clients_poll(struct clients *s, uint64_t until_ns);

/* Sends bytes that already are frames. */
void client_send(struct clients *s, struct client *c, const uint8_t *p, size_t len);

/* Pings each connection and waits for each pong: all that the server had queued before has then
 * arrived, and the server has nothing left to read. */
void clients_barrier(struct clients *s);

/* Nanoseconds of the monotonic clock. */
uint64_t now_ns(void);

#endif
