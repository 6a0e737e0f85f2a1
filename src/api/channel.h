/*
 * channel: one WebSocket session, from the messaging URL's upgrade to the close.
 *
 *   LIVE ──method 20──► CATCHING_UP ──nothing left──► LIVE
 *                            └──limit reached──► PAUSED ──method 20──► CATCHING_UP
 *
 * LIVE: durable events as they happen. CATCHING_UP: what was missed is streamed as the socket
 * drains, and what happens meanwhile is part of it, so the switch to LIVE has no gap and gives
 * nothing twice. PAUSED: the answer ended with more:true; nothing durable until the client asks on.
 */
#ifndef API_CHANNEL_H
#define API_CHANNEL_H

#include "api/pending.h"
#include "api/render.h"
#include "model/timeline.h"

struct catchup; /* sync.c */

struct channel {
    struct listener listener; /* first: the hub hands it back; listener.live is state LIVE */
    struct conn *conn;
    struct catchup *catchup; /* while CATCHING_UP, else NULL */
    struct limit_bucket rpcs;
    uint32_t refused; /* RPCs in a row for which there was no room in `rpcs` */
};

static inline struct channel *channel_of(struct listener *l)
{
    return (struct channel *)(void *)l;
}

/* One RPC, for the time of its handler. */
struct rpc {
    struct api *api;
    struct channel *channel;
    const struct user *user;
    int64_t now_ms;   /* clock_mono_ms */
    struct json body; /* an object, or nothing: every field is then missing */
    struct reply reply;
};

/* A handler answers itself and returns ERR_ok, or returns ERR_ok and channel sends nothing more; an
 * error is sent as a refusal. rpc_done sends the plain ok where the RPC carried an id. */
#define RPC(method, handler) enum err handler(struct rpc *rpc, struct problem *problem) MUST_CHECK;
#include "api/rpc.def"
#undef RPC

/* Takes the channel off its user's list: events do not come to it any more. Harmless where it is
 * not there. */
void channel_detach(struct api *a, struct channel *ch);

/* Sends the JSON in a->body as one text frame. */
void channel_send_body(struct api *a, struct conn *c);

/* Sends the plain ok of an RPC that carried an id. */
void rpc_done(const struct rpc *rpc);

/* Proposes a change whose reply is the plain ok: once it is on disk, or at once where there is
 * nothing to change. */
enum err rpc_propose(struct rpc *rpc, const struct record *r) MUST_CHECK;
/* The same, but ERR_duplicate, with nothing answered, where there is nothing to change. */
enum err rpc_propose_new(struct rpc *rpc, const struct record *r) MUST_CHECK;

/* Sends a refusal. */
void rpc_refuse(struct api *a, struct conn *c, const struct reply *reply, enum err err,
                const struct problem *problem);

/* The net's hooks. */
void channel_on_message(void *ctx, struct conn *c, struct bytes text);
void channel_on_drained(void *ctx, struct conn *c);
void channel_on_closed(void *ctx, struct conn *c);

/* ---- sync.c ------------------------------------------------------------------------------------
 */

/* What a client asks with method 20 or ?after=. */
struct catchup_request {
    bool has_after, has_epoch, has_limit, has_time;
    uint64_t after;
    struct uuid epoch;
    uint64_t limit;
    int64_t time;
};

/* Starts to answer; the channel is CATCHING_UP until the end. */
void catchup_start(struct api *a, struct channel *ch, const struct catchup_request *request);
/* Goes on where the socket has drained. */
void catchup_pump(struct api *a, struct channel *ch);
void catchup_free(struct channel *ch);

/* ---- tell.c ------------------------------------------------------------------------------------
 */

/* The engine's hook: renders an event once and hands it to everybody who sees it. */
void tell_event(void *ctx, const struct event *event, void *origin);
/* The same for what the listener's socket needs to be sent something. */
void tell_soon(void *ctx, const struct listener *l);

/* Sends the frame of a->body to the live sockets of a group's members, but `except` (a user) and
 * `origin` (a connection), either of which may be NULL. */
void tell_members(struct api *a, const struct group *g, const struct user *except,
                  const struct conn *origin);
/* The same for one user's. */
void tell_user(struct api *a, const struct user *u, const struct conn *origin);
/* The JSON in a->body, to those of the group but `u` who want to hear from them. */
void tell_hearers(struct api *a, const struct group *g, const struct user *u);
/* A frame to all live sockets of the user. */
void tell_frame(struct api *a, struct frame *f, const struct user *u);

#endif
