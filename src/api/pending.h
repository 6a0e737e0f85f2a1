/*
 * pending: a request or an RPC that waits: for a password worker, for the journal, or for both.
 *
 * It holds the connection, so that an answer always has a place to go; whether anybody still reads
 * it is the connection's business. Taken from a free list, given back by pending_finish.
 */
#ifndef API_PENDING_H
#define API_PENDING_H

#include "api/api.h"

/* Bytes of an RPC's "id", as it stood in the JSON. */
#define RPC_ID_MAX 128
/* Bytes of a message's client_id. */
#define CLIENT_ID_MAX 64

struct pending {
    /* The first line is all that a message without an id or client_id touches: thousands wait for
     * the disk at once. */
    struct proposal proposal; /* first: the engine hands it back */
    struct api *api;
    struct conn *conn;
    union {
        const struct user *user;
        struct pending *next_free; /* in the free list */
    };
    struct uuid id; /* what is being made: the user, session, group or message */
    uint8_t method; /* RPC */
    uint8_t rpc_id_len;
    uint8_t client_id_len;
    bool has_text;
    /* The rest is set where it is used. */
    uint32_t other;              /* groups_create: the other user of a direct group */
    struct uuid token;           /* sessions_create: the messaging URL's UUID */
    struct conn_address address; /* users_login: whom the attempt counts against */
    struct buf text;             /* REST, has_text: what the answer or the record still needs */
    uint8_t client_id[CLIENT_ID_MAX];
    uint8_t rpc_id[RPC_ID_MAX];
} __attribute__((aligned(64)));
_Static_assert(offsetof(struct pending, token) <= 64, "what is hot fills one line");

/* A pending for this connection, which it holds. */
struct pending *pending_new(struct api *a, struct conn *c);

/* Adds `text` to p->text, which is wiped and freed with the pending. */
void pending_keep_text(struct pending *p, struct bytes text);

/* Keeps what an RPC's reply echoes; at most RPC_ID_MAX bytes. */
void pending_keep_reply(struct pending *p, struct bytes rpc_id, int method);

/* Lets the connection go and gives the pending back. */
void pending_finish(struct pending *p);

/* The pending of a proposal. */
static inline struct pending *pending_of(struct proposal *p)
{
    return (struct pending *)(void *)p;
}

/* Frees the free list. */
void pending_release(struct api *a);

#endif
