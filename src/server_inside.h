/*
 * server_inside: what the server is made of, for server.c and for fuzz/fuzz_server.c, which stands
 * the same parts on a journal in memory and on socket pairs. Everybody else has server.h.
 *
 *   server_wire ──► a journal is opened ──► server_start ──► loop_run ──► server_unwire
 *
 * Loop thread only.
 */
#ifndef SERVER_INSIDE_H
#define SERVER_INSIDE_H

#include "api/api.h"
#include "config.h"
#include "erasure.h"
#include "hooks/hooks.h"
#include "retention.h"
#include "snapshots.h"

#include <limits.h>

struct server {
    const struct config *config; /* the caller's; outlives this */
    char data_dir[PATH_MAX];
    int lock_fd;
    struct token_key key;
    struct app_key app_key;
    struct secret app_token_key;
    struct buf hook_authorities; /* in PEM; empty: those of the system */
    struct origins origins;
    struct address_nets trusted_proxies;
    struct loop *loop;
    struct engine *engine;
    struct password_pool *passwords;
    struct net *net;
    uint32_t connections_max; /* descriptors allow no more; 0: as many as config says */
    struct api api;
    struct snapshots snapshots; /* zero: there are none */
    struct retention retention;
    struct erasure erasure;
    struct hooks *hooks;           /* send nothing before hooks_start */
    struct engine_hooks api_hooks; /* whom the engine tells of events first */
    struct loop_io journal_io;
    struct loop_io password_io;
    bool draining;
    int64_t drain_until_ms;
};

/* Makes the parts and joins them, as s->config says; s is zero but for config, key,
 * origins and trusted_proxies. Then a
 * journal is opened in s->engine. */
void server_wire(struct server *s);

/* The journal is open: from now on the server serves. Until then its turns (loop_poll) answer
 * probes, and refuse everything else with 503 `starting`. No signal, and no listener. */
void server_start(struct server *s);

/* Begins to go away: the loop stops once what is in flight is finished. Harmless twice. */
void server_drain(struct server *s);

/* Gives back what server_wire made, in the opposite order of life. */
void server_unwire(struct server *s);

#endif
