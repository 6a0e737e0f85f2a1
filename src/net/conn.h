/*
 * conn: one TCP connection, from accept to close: HTTP requests first, then perhaps a WebSocket.
 *
 *   READING ──request complete──► ANSWERING ──conn_answer──► READING (keep-alive) or CLOSING
 *                                     └──────conn_upgrade──► WEBSOCKET ──► CLOSING ──► closed
 *
 * Loop thread only. A connection at rest holds this struct and nothing else: the read buffer is the
 * net's, parsers and output queues have memory only while there is something in them. Output is
 * collected and goes out in one send a socket at the end of the loop's turn. Nothing is freed
 * inside its own callback: closing marks, the end of the turn sweeps. Deadlines (head, body, idle,
 * ping, closing handshake) are kept in one wheel, so that a connection has no timer.
 *
 * While a request waits for its answer nothing more is read from its connection, so a client that
 * goes away meanwhile is noticed only when the answer is written.
 *
 * Who answers later than in on_request keeps the connection with conn_hold: the struct then lives
 * until conn_release, and conn_is_open says whether an answer still reaches anybody.
 */
#ifndef NET_CONN_H
#define NET_CONN_H

#include "net/address.h"
#include "net/frame.h"
#include "net/http.h"
#include "net/loop.h"
#include "net/ws.h"

struct conn;
struct net;

struct net_options {
    struct http_limits http;
    uint32_t message_max;    /* bytes */
    uint32_t send_queue_max; /* bytes that may wait for one reader */
    uint32_t connections_max;
    uint32_t address_connections_max;   /* 0: no limit */
    const struct address_nets *proxies; /* these have no limit of their own; may be NULL */
    uint32_t head_timeout_s, body_timeout_s, idle_timeout_s, ping_interval_s;
    uint32_t message_timeout_s; /* from the first byte of a WebSocket message to its last */
};

struct net_hooks {
    void *ctx;
    /* A complete request; everything in `request` is borrowed for the call. Answer with exactly one
     * conn_answer or conn_upgrade, now or later. */
    void (*on_request)(void *ctx, struct conn *c, const struct http_request *request);
    /* A request that cannot be read: make the answer's body for this error (the net closes after
     * it). */
    void (*on_bad_request)(void *ctx, struct conn *c, enum err why);
    /* A complete text message of a WebSocket, valid UTF-8, borrowed for the call. */
    void (*on_message)(void *ctx, struct conn *c, struct bytes text);
    /* Everything that was queued on a WebSocket has gone to the kernel; told once each time after
     * conn_want_drained. */
    void (*on_drained)(void *ctx, struct conn *c);
    /* The connection, upgraded or not, is over; the last call for it. conn_data is the user's to
     * free. Told at the end of the turn in which it began to close: the closing handshake and the
     * last bytes are the net's own business, and nothing that is sent from then on arrives. */
    void (*on_closed)(void *ctx, struct conn *c);
};

/* What was counted since net_new. */
enum net_cut {
    NET_CUT_HEAD,    /* a request's head did not arrive in time */
    NET_CUT_BODY,    /* nor its body */
    NET_CUT_IDLE,    /* no further request came, or the answer was not taken */
    NET_CUT_SILENT,  /* a WebSocket gave no sign of life */
    NET_CUT_MESSAGE, /* a WebSocket message did not arrive in time */
    NET_CUT_SLOW,    /* more than send_queue_max waited for the reader */
    NET_CUT_CLOSING, /* the peer did not end its half */
    NET_CUT_FRAME,   /* the peer broke RFC 6455, or a limit of messages */
    NET_CUTS
};
struct net_stats {
    uint64_t accepted;
    uint64_t refused;       /* at once: their address had too many */
    uint64_t accept_faults; /* of ours, as no descriptor */
    uint64_t closed;
    uint64_t upgraded, websockets_closed;
    uint64_t cut[NET_CUTS]; /* connections that were ended from our side, and why */
    uint64_t bytes_in, bytes_out;
    uint64_t sent; /* texts that were queued for WebSockets */
};

struct net *net_new(struct loop *loop, const struct net_options *options,
                    const struct net_hooks *hooks);

/* Where somebody came in: conn_door says through which net_listen. */
enum net_door { NET_DOOR_PUBLIC, NET_DOOR_APP, NET_DOORS };

/* Listens on host:port ("127.0.0.1:3000", "[::1]:0", "localhost:80", ":80"), on all addresses that
 * the name has on this machine, with one port a door. ERR_io, with a sentence in *why that lives as
 * long as the net. May ask the resolver: before the loop runs. */
enum err net_listen(struct net *n, const char *host_port, enum net_door door,
                    const char **why) MUST_CHECK;
/* The port that the door has got; 0 where there is none. */
uint16_t net_port(const struct net *n, enum net_door door);

/* Queues the frame for every WebSocket. */
void net_send_all(struct net *n, struct frame *f);

/* Stops accepting; closes what rests; WebSockets get 1001; answers on their way are finished. */
void net_drain(struct net *n);
/* Connections that still are there. */
uint32_t net_count(const struct net *n);
const struct net_stats *net_stats(const struct net *n);
/* Closes everything at once and frees; on_closed is called for those that did not hear it. Nobody
 * may hold a connection, or touch one afterwards. */
void net_free(struct net *n);

/* A turn's end has two halves: net_new adds the first to the loop, which reads what is ready;
 * net_start the second, which writes what was queued and sweeps. What the caller adds between the
 * two runs between the two. */
void net_start(struct net *n);

/* Answers the request that on_request or on_bad_request gave. `a->close`, `head_only` and
 * `version_1_0` are set by the connection. Harmless on a closed connection. */
void conn_answer(struct conn *c, struct http_answer *a);

/* Answers a request whose upgrade is HTTP_UPGRADE_WEBSOCKET with 101; from here it is a
 * WebSocket. Only from inside on_request. */
void conn_upgrade(struct conn *c, const struct http_request *request);

/* Queues a frame; takes a reference of its own. A reader with more than send_queue_max waiting,
 * after the kernel has taken what it can, is closed with 1013. Harmless on a connection that closes
 * or is no WebSocket. */
void conn_send(struct conn *c, struct frame *f);

/* Fetches into the cache what conn_send will touch. */
void conn_prefetch(const struct conn *c);

/* Bytes that wait to be written. */
size_t conn_queued(const struct conn *c);

/* Asks for one on_drained: at the end of this turn's writing, or later, when nothing waits. */
void conn_want_drained(struct conn *c);

/* Starts the closing handshake (RFC 6455, 7): nothing is read as a message any more. A reason of
 * more than 123 bytes is left out. A connection that is no WebSocket is closed once its output is
 * written. */
void conn_close(struct conn *c, enum ws_close code, struct bytes reason);

bool conn_is_open(const struct conn *c);
/* Asks the system whether the peer of a connection whose answer is not there yet has ended its half
 * or is gone: nothing is read meanwhile, so nobody has noticed. */
bool conn_has_left(const struct conn *c);
void conn_hold(struct conn *c);
void conn_release(struct conn *c);

/* One pointer of the user's. NULL at the start. */
void *conn_data(const struct conn *c);
void conn_set_data(struct conn *c, void *data);

/* A number of the user's about the request that waits for its answer; 0 when a request comes. */
uint16_t conn_note(const struct conn *c);
void conn_set_note(struct conn *c, uint16_t note);

/* What else the user knows of that request; {0} when it comes. Gone with conn_upgrade. */
struct conn_mark {
    uint32_t what;
    uint32_t at_ms;
};
struct conn_mark conn_mark(const struct conn *c);
void conn_set_mark(struct conn *c, struct conn_mark mark);

enum net_door conn_door(const struct conn *c);
/* The peer's address. */
struct conn_address conn_address(const struct conn *c);

#endif
