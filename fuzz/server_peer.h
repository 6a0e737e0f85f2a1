/*
 * server_peer: a client of the server in fuzz_server: the other end of a socket pair. It reads what
 * it is sent, holds it to the protocol, and remembers the ids and tokens in it, by which a script
 * can name what the server made.
 */
#ifndef FUZZ_SERVER_PEER_H
#define FUZZ_SERVER_PEER_H

#include "base/arena.h"
#include "base/buf.h"

/* What a script can name. */
enum seen_kind { SEEN_ID, SEEN_TOKEN, SEEN_URL, SEEN_MESSAGE, SEEN_KINDS };
#define SEEN_MAX  32 /* of a kind; the first ones */
#define VALUE_MAX 256

struct seen {
    struct {
        uint8_t len[SEEN_MAX];
        char text[SEEN_MAX][VALUE_MAX];
        unsigned count;
    } kinds[SEEN_KINDS];
};

struct peer {
    int fd;           /* -1: there is none */
    bool deaf;        /* reads nothing for now */
    bool websocket;   /* the server has answered 101 */
    bool closed;      /* its close frame, or an answer that ends it, has come: nothing may follow */
    struct buf in;    /* what was not judged yet */
    struct seen *all; /* shared by all peers */
    struct arena arena;
};

/* A peer on this end. */
void peer_open(struct peer *p, int fd, struct seen *all);
/* Closes its end. Idempotent. */
void peer_close(struct peer *p);

void peer_send(struct peer *p, struct bytes data);
/* Sends one masked frame of text. */
void peer_send_text(struct peer *p, struct bytes text);
/* Sends a request: `in` is "METHOD PATH", "METHOD PATH TOKEN" or "METHOD PATH TOKEN FIELD: VALUE"
 * (the token may be empty), a line end, and the body. */
void peer_send_request(struct peer *p, struct bytes in);
/* Sends nothing more. */
void peer_end(struct peer *p);

/* Reads all there is; true where there was something. What is against the protocol is a broken
 * contract. */
bool peer_read(struct peer *p);

/* The nth that was seen of a kind, counted around; a word that names nothing where none was. */
struct bytes seen_get(const struct seen *all, enum seen_kind kind, unsigned n);

#endif
