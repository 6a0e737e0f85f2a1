/*
 * inside: what the files of a connection share: conn, conn_http, conn_ws, out, due, net, listener.
 * For src/net and its tests only; everybody else has conn.h.
 *
 * A connection's work in a turn has two halves. While the loop tells events, input is read and
 * judged, and output is only queued. At the turn's end each connection that asked for it (net_list)
 * gets one conn_turn, the only place where output is written in the ordinary case, where hooks
 * are told that it is over, and where its memory is given back.
 */
#ifndef NET_INSIDE_H
#define NET_INSIDE_H

#include "base/list.h"
#include "net/conn.h"
#include "net/crowd.h"

#define NET_READ_MAX    (64u << 10) /* bytes of one recv */
#define NET_TURN_READ   (64u << 10) /* a step reads so much, and a connection's worth more */
#define NET_JOIN_MAX    (64u << 10) /* bytes that are joined into one send */
#define NET_LISTENERS   8
#define NET_READERS     64    /* HTTP readers that are kept for the next requests */
#define NET_BLOCKS_KEPT 16384 /* free output blocks that are kept: 2 MiB */
#define NET_CHUNK       64    /* connections of one allocation */
#define DUE_SLOTS       256   /* power of two */
#define OUT_SLOTS       15

/*
 *   FREE       ──conn_open──────────────────────────► READING
 *   READING    ──a request, whole or faulty──────────► ANSWERING
 *   READING    ──conn_shut (drain, conn_close)───────► CLOSING
 *   ANSWERING  ──conn_answer─────────────────────────► READING
 *   ANSWERING  ──conn_answer, the last one───────────► CLOSING
 *   ANSWERING  ──conn_upgrade────────────────────────► WEBSOCKET
 *   WEBSOCKET  ──conn_close, or the peer's close─────► CLOSING
 *   CLOSING    ──conn_turn: all is written───────────► LINGERING
 *   LINGERING  ──the peer's end, or its deadline─────► CLOSED
 *   any        ──conn_kill───────────────────────────► CLOSED
 *   CLOSED     ──conn_turn: nobody holds it──────────► FREE
 */
enum conn_state {
    CONN_FREE,
    CONN_READING,
    CONN_ANSWERING,
    CONN_WEBSOCKET,
    CONN_CLOSING,
    CONN_LINGERING,
    CONN_CLOSED
};

/* What a connection waits for, and how long at most. */
enum due {
    DUE_NONE,
    DUE_HEAD, /* the head of a request */
    DUE_BODY, /* its body */
    DUE_IDLE, /* the next request, or that the client takes its answer */
    DUE_PING, /* a sign of life on a WebSocket, and the end of a message that has begun */
    DUE_CLOSE /* the peer's half of the closing handshake, or its end of the stream */
};
#define DUE_CLOSE_S 5

/* Output that waits: pointers to frames, in blocks of two cache lines. */
struct out_block {
    struct out_block *next;
    struct frame *slots[OUT_SLOTS];
};

struct conn {
    /* The first line is all that queueing a frame and writing it touch. */
    uint8_t state;
    uint8_t due;
    uint16_t listed : 1;  /* in the net's list for the turn's end */
    uint16_t blocked : 1; /* the kernel takes nothing until it says so */
    uint16_t eof : 1;     /* the peer has ended its half */
    uint16_t last : 1;    /* CLOSING: nothing is waited for but that the output goes out */
    uint16_t told : 1;    /* on_closed was called */
    uint16_t want_drained : 1;
    uint16_t pinged : 1;
    uint16_t websocket : 1; /* which half of the union is in use */
    uint16_t head_only : 1; /* of the request that waits for its answer */
    uint16_t keep_alive : 1;
    uint16_t version_1_0 : 1;
    uint16_t watched : 2; /* LOOP_READ, LOOP_WRITE: what the loop watches */
    uint16_t ready : 1;   /* in the net's list of those that have something to read */
    uint16_t door : 1;    /* enum net_door */
    uint32_t queued;      /* bytes that wait */
    uint32_t head_sent;   /* bytes of the first frame that the kernel has */
    int fd;               /* -1 once closed */
    struct net *net;
    struct conn *next; /* in the net's list, or in the free list */
    struct out_block *head, *tail;
    uint8_t head_at, tail_at; /* the first slot in use, the first free one behind it */
    uint16_t note;            /* the user's, of the request that waits for its answer */
    uint32_t since_s;         /* when `due` began, or the last sign of life */
    void *data;
    /* The second: what reading and deadlines touch. */
    struct loop_io io;
    struct list due_node;
    /* The third. */
    union {
        struct {
            struct http_reader *reader; /* while a request is partly there */
            struct buf *rest;           /* bytes that were read behind a request; pauses reading */
            struct conn_mark mark;      /* the user's, of the request that waits for its answer */
        } http;
        struct ws_state ws;
    };
    struct conn_address address;
    uint32_t drop_max; /* bytes that are still read and dropped while closing */
    uint32_t holds;
    struct conn *next_ready;
} __attribute__((aligned(64)));
_Static_assert(sizeof(struct conn) == 192, "a resting connection is three cache lines");
_Static_assert(offsetof(struct conn, io) == 64, "the hot fields fill one line");

struct listener {
    struct loop_io io;
    struct net *net;
    enum net_door door;
    int fd; /* -1: closed */
};

struct net {
    struct loop *loop;
    struct net_options options;
    struct net_hooks hooks;
    uint32_t count; /* connections with a descriptor */
    struct net_stats stats;
    struct crowd crowd;
    uint32_t now_s;     /* seconds of the loop's clock, as of the last tick */
    bool clock_stopped; /* net_skip_time alone moves it */
    bool draining;
    bool accept_paused;
    bool accept_warned;
    uint32_t crowd_warned_s; /* when it was last said that an address has too many */
    /* Those that have something to read, longest ready first. */
    struct conn *ready_first, *ready_last;
    /* The list for the turn's end. */
    struct conn *first, *last;
    /* Memory. */
    struct conn *free_conns;
    struct conn **chunks;
    uint32_t chunk_count;
    struct out_block *free_blocks;
    uint32_t free_block_count;
    struct http_reader *readers[NET_READERS];
    uint32_t reader_count;
    struct buf text; /* answers and control frames are made here */
    /* What was joined last: while the next connection waits for the same frames, it is reused. */
    struct frame *joined[OUT_SLOTS];
    uint32_t joined_count; /* 0: nothing to reuse */
    uint32_t joined_len;
    struct list due[DUE_SLOTS];
    uint32_t due_s; /* the last second that was swept */
    struct listener listeners[NET_LISTENERS];
    uint32_t listener_count;
    uint16_t ports[NET_DOORS];
    char why[160];
    uint8_t in[NET_READ_MAX];
    uint8_t join[NET_JOIN_MAX];
};

/* ---- conn.c ---- */

/* Takes a connected, non-blocking socket. */
struct conn *conn_open(struct net *n, int fd, struct conn_address address);
/* Moves to `state`; only the moves of the diagram. */
void conn_enter(struct conn *c, enum conn_state state);
/* The connection is broken or no longer worth anything: no more I/O; the turn's end does the
 * rest. Harmless twice. */
void conn_kill(struct conn *c);
/* Nothing more is taken; closes once the output is written. */
void conn_shut(struct conn *c);
/* Reads what there is for one connection; returns how many bytes it was. */
size_t conn_read(struct conn *c);
/* The turn's end for one connection. */
void conn_turn(struct conn *c);
/* Gives everything back but the struct. */
void conn_let_go(struct conn *c);

/* ---- conn_http.c ---- */

void conn_http_take(struct conn *c, struct bytes in);
/* Goes on with what was read behind the last request. */
void conn_http_resume(struct conn *c);
/* DUE_HEAD or DUE_BODY has passed. */
void conn_http_late(struct conn *c);
void conn_http_release(struct conn *c);

/* ---- conn_ws.c ---- */

void conn_ws_take(struct conn *c, struct bytes in);
/* A ping_interval_s of silence has passed. */
void conn_ws_silent(struct conn *c);
/* A message or frame began message_timeout_s ago and is not whole yet. */
void conn_ws_late(struct conn *c);
/* More than send_queue_max waits: drops what can be dropped and closes with 1013. */
void conn_ws_slow(struct conn *c);

/* ---- out.c ---- */

/* Queues a frame whatever the state, with a reference of its own. */
void out_add(struct conn *c, struct frame *f);
/* Queues bytes. */
void out_add_bytes(struct conn *c, struct bytes bytes);
/* Writes what waits, as far as the kernel takes it. */
void out_write(struct conn *c);
/* Drops what waits but a frame that is partly written. */
void out_drop_waiting(struct conn *c);
/* Drops everything. */
void out_drop_all(struct conn *c);

/* ---- due.c: deadlines in a wheel of one slot a second ---- */

void due_init(struct net *n);
/* The connection waits for `due` from now on. */
void due_set(struct conn *c, enum due due);
/* Fires what has passed. */
void due_sweep(struct net *n);

/* ---- net.c ---- */

/* Puts the connection in the list for the turn's end. */
static inline void net_list(struct conn *c)
{
    struct net *n = c->net;
    if (c->listed)
        return;
    c->listed = 1;
    c->next = NULL;
    if (n->last)
        n->last->next = c;
    else
        n->first = c;
    n->last = c;
}

/* Puts the connection behind those that wait to be read. */
static inline void net_ready(struct conn *c)
{
    struct net *n = c->net;
    if (c->ready)
        return;
    c->ready = 1;
    c->next_ready = NULL;
    if (n->ready_last)
        n->ready_last->next_ready = c;
    else
        n->ready_first = c;
    n->ready_last = c;
}

struct conn *net_conn_new(struct net *n);
void net_conn_free(struct conn *c);
/* Stops the net's clock, moves it forward and sweeps, as if so much time had passed. For tests,
 * which must not depend on how long they take. */
void net_skip_time(struct net *n, uint32_t seconds);

/* ---- listener.c ---- */

/* Accepts again, where it was paused and there is room. */
void listener_resume(struct net *n);
void listener_close_all(struct net *n);

#endif
