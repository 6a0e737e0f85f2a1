/*
 * hooks: tells the receivers of hooks (model/hook) what happened, each in the order of the journal.
 *
 * Each hook goes its own way: it gathers the next events that it wants, posts them, and goes on
 * when they were taken (2xx). Anything else, and no answer, is tried again, with growing pauses,
 * for as long as the hook is there: nothing is passed over. How far it has got is written to the
 * journal about once a second while it moves, so a restart repeats about a second of it.
 *
 *   idle ──► gathering ──► writing ──► posting ──► idle        one request under way at most
 *                             ▲           │ failed
 *                             └─ resting ◄┘             changed: from anywhere to gathering
 *
 * Where there is no hook this costs a comparison an event. Loop thread only.
 */
#ifndef HOOKS_HOOKS_H
#define HOOKS_HOOKS_H

#include "core/engine.h"
#include "hooks/batch.h"
#include "hooks/fare.h"
#include "net/loop.h"

struct hooks;

struct hooks_options {
    batch_render_fn *render;
    uint32_t batch_max;   /* events in a request */
    uint32_t offline_max; /* ids in an event */
    struct fare_options fare;
    struct bytes authorities; /* in PEM, stays where it is; empty: those of the system */
};

struct hooks *hooks_new(struct engine *engine, struct loop *loop,
                        const struct hooks_options *options);
/* Stopped before the engine is closed, freed behind that. NULL is nothing. */
void hooks_free(struct hooks *h);

/* The journal is open: from now on requests are sent. */
void hooks_start(struct hooks *h);
/* The server goes away: no request is sent any more, those under way are given up, and what was
 * taken is proposed. Harmless twice. */
void hooks_stop(struct hooks *h);

/* An event was committed, and is being told. */
void hooks_note(struct hooks *h, const struct event *event);

/* To be called in each turn, and about twice a second. */
void hooks_turn(struct hooks *h);
void hooks_tick(struct hooks *h);

/* How all of them fare, since the server started. */
struct hooks_stats {
    uint64_t taken, failed; /* requests */
    uint64_t events;        /* that were taken */
    uint32_t failing;       /* hooks whose last request failed */
    uint64_t behind_max;    /* records that the slowest has not taken */
};
struct hooks_stats hooks_stats(const struct hooks *h);

/* How a hook fares. */
struct hook_status {
    uint64_t position;   /* everything up to here was taken */
    uint64_t behind;     /* how many records are behind that; 0: it is up to date */
    uint32_t failures;   /* in a row */
    const char *error;   /* one word for the last of them, NULL where there is none */
    int status;          /* of the answer that was not taken, or 0 */
    int64_t next_try_ms; /* wall clock; 0: no pause */
};

/* `h` may be NULL: then nothing was done for it yet. */
struct hook_status hooks_status(const struct hooks *h, const struct model *m,
                                const struct hook *hook);

#endif
