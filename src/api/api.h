/*
 * api: what the outside may say and what it gets back. The rest of the server is reached from
 * here: requests and RPCs come in through the net's hooks, become records for the engine, and the
 * engine's events go out through the hub's listeners.
 *
 * server.c makes one struct api, fills the public part and calls api_init; then api_net_hooks and
 * api_engine_hooks wire it up.
 */
#ifndef API_API_H
#define API_API_H

#include "api/origin.h"
#include "auth/app_key.h"
#include "auth/app_token.h"
#include "auth/limit.h"
#include "auth/password.h"
#include "auth/token.h"
#include "base/json_read.h"
#include "base/list.h"
#include "base/map.h"
#include "base/timing.h"
#include "core/engine.h"
#include "core/hub.h"
#include "net/conn.h"

/* Policy: sizes and rates; see src/config.def for what they mean. */
struct api_limits {
    uint32_t password_min, password_max;
    uint32_t name_max, username_max;
    uint32_t user_ids_max, group_members_max, user_groups_max;
    uint32_t user_blocks_max, user_sessions_max, session_sockets_max, polls_max, poll_wait_s_max;
    uint32_t user_reactions_max, message_reactions_max, message_emojis_max;
    uint32_t mentions_max, meta_max;
    uint32_t hooks_max, hook_url_max;
    int64_t hook_secret_ms; /* for which one that was replaced signs too */
    uint32_t message_max, ping_interval_s, send_queue_max;
    uint32_t token_days, app_token_days;
    uint32_t typing_ms, presence_grace_ms, presence_group_max;
    struct json_limits json;
    struct limit_rate send, rpc, request_user, request_address, register_, login_account,
        login_address;
};

/* What is counted since api_init, for the page of metrics. */
enum {
    API_ROUTES = 0
#define ROUTE(method, path, handler, needs) +1
#include "api/route.def"
#undef ROUTE
};
enum throttled {
    THROTTLED_ADDRESS,
    THROTTLED_USER,
    THROTTLED_SEND,
    THROTTLED_RPC,
    THROTTLED_REGISTER,
    THROTTLED_LOGIN,
    THROTTLED_KINDS
};
#define API_METHODS 256
struct api_stats {
    int64_t start_ms; /* of the wall's clock */
    /* By the line of route.def, the last: by none; and by the status' first digit. */
    uint64_t requests[API_ROUTES + 1][6];
    struct timing request_time; /* from the request to its answer, in the kernel's ticks */
    uint64_t rpcs[API_METHODS]; /* by the number of the method */
    uint64_t rpc_refusals[ERR_COUNT];
    uint64_t throttled[THROTTLED_KINDS];
    uint64_t messages; /* that were committed */
};

struct hooks;   /* hooks/hooks.h */
struct net;     /* net/conn.h */
struct pending; /* pending.h */

/* What is wrong, beyond the error itself: a sentence (static or in the arena) that says more than
 * the error's own, or NULL; and when it may be tried again, or 0. */
struct problem {
    const char *detail;
    uint32_t retry_ms;
};

struct api {
    /* Set before api_init, borrowed. */
    struct engine *engine;
    const struct hooks *hooks; /* NULL: nobody tells them */
    const struct net *net;
    struct loop *loop;
    struct password_pool *passwords;
    const struct token_key *token_key;
    const struct app_key *app_key;
    const struct secret *app_token_key;
    uint16_t public_port;   /* where users come in; 0: nowhere, or not yet */
    const char *public_url; /* "" or a base without a final slash */
    const struct origins *origins;
    const struct address_nets *trusted_proxies;
    struct api_limits limits;

    /* Its own. */
    struct api_stats stats;
    struct arena arena; /* of the request or RPC that is being handled */
    struct buf body;    /* the JSON that is being written */
    struct buf frames;  /* several frames for one socket */
    struct buf scratch; /* folded names and the like */
    struct limit_table *requests_by_user;
    struct limit_table *requests_by_address;
    struct limit_table *register_by_address;
    struct limit_table *login_by_account;
    struct limit_table *login_by_address;
    struct pending *free_pendings;
    uint32_t free_pending_count;
    uint32_t pending_count;  /* requests and RPCs that wait for a worker or a commit */
    struct list polls;       /* GET /events that wait, longest waiting first, about */
    struct list woken_polls; /* those for which there may be something */
    uint32_t poll_count;
    struct list typings; /* typing.c: who is typing, the first to end first */
    struct map typists;  /* the same, by user */
    struct {
        struct map users;         /* presence.c: those who are, or were just now, there */
        struct list leaving;      /* whose grace runs, the first to end first */
        struct list changed;      /* of whom the others may not know */
        struct presence *telling; /* of whom they are told now, or NULL */
        struct frame *frame;      /* what they are told */
        uint32_t membership;      /* place of the next one of `telling` */
        struct buf seen, reached; /* who was told: a bit a user's number; and the numbers */
    } presence;
    bool tells_commit;                /* what is told now was committed, so polls are woken */
    bool starting;                    /* the journal is being read: only probes are answered */
    struct journal_progress progress; /* how far that is */
    bool draining;                    /* the server goes away: nothing new is begun */
};

void api_init(struct api *a);
void api_release(struct api *a);

/* What the net and the engine call; `a` is their ctx. */
struct net_hooks api_net_hooks(struct api *a);
struct engine_hooks api_engine_hooks(struct api *a);

/* May the user send one more message just now, or what is told to as many? It counts, if so;
 * ERR_too_many_requests, with problem->retry_ms. `now_ms` is of clock_mono_ms. */
enum err api_take_send(struct api *a, const struct user *u, int64_t now_ms,
                       struct problem *problem) MUST_CHECK;

/* At each turn's end, when what was committed has been told; true where it wants another turn. */
bool api_turn(struct api *a) MUST_CHECK;
/* Now and then. */
void api_tick(struct api *a);

/* Requests that wait for a worker or the journal. */
uint32_t api_pending(const struct api *a);

/* Tells every WebSocket of `n` that the server goes away (event 13); from now on changes are
 * refused with ERR_shutting_down, and no request waits for events. */
void api_drain(struct api *a, struct net *n);

/* Lets go of the connections that wait for events: before the net is freed. */
void api_stop(struct api *a);

#endif
