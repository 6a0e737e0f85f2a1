/*
 * snapshots: when the server writes one: after --snapshot-after bytes of journal, and when somebody
 * asks through the control socket, which this room owns. How one is written is log/journal.h's.
 *
 * One that failed is said, and tried again by itself after a minute, or when as many bytes came
 * again, whichever is first. Loop thread only.
 */
#ifndef SNAPSHOTS_H
#define SNAPSHOTS_H

#include "control.h"
#include "core/engine.h"

struct snapshots {
    struct engine *engine;
    struct loop *loop;
    struct control *control; /* NULL: there is none */
    uint64_t after;          /* bytes; 0: never by itself */
    bool running;
    int64_t begun_ms;
    /* After a failure: */
    bool failed;
    int64_t retry_ms;
    uint64_t retry_bytes;
    /* How the last one ended, until the turn's end tells it: the journal does not want to be asked
     * for the next from within its own hook. */
    bool ended;
    enum err err;
    uint64_t seq;
    uint64_t bytes;
    char why[320];
};

/* Opens the control socket in `data_dir`, whose lock is held; `engine` is open and outlives this.
 * Where the file system will not have a socket, diag says so, and all else goes on without. */
void snapshots_init(struct snapshots *s, struct engine *engine, struct loop *loop,
                    const char *data_dir, uint64_t after);

/* At each turn's end, behind journal_dispatch. */
void snapshots_turn(struct snapshots *s);

/* Now and then. */
void snapshots_tick(struct snapshots *s);

/* Behind engine_close: tells who still waits, and closes the socket. Idempotent, safe on zero. */
void snapshots_release(struct snapshots *s);

#endif
