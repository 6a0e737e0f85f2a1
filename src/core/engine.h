/*
 * engine: propose -> durable -> commit -> tell. The one rule lives here: the model is exactly the
 * replay of the durable journal, at every instant.
 *
 * A handler fills a record and proposes it. Nothing has happened then. When the journal has made it
 * durable, the engine commits it to the model, tells the events that it yields, and only then calls
 * the proposal's done. At start-up the same commit runs for what is on disk, with nobody to tell.
 * Loop thread only.
 */
#ifndef CORE_ENGINE_H
#define CORE_ENGINE_H

#include "core/hub.h"
#include "core/memory.h"
#include "log/journal.h"
#include "model/model.h"

struct engine;

/*
 * What waits for a commit; embedded in the caller's own struct, which lives until `done`, called
 * exactly once unless engine_propose fails: with ERR_ok and the record's cursor, with what
 * model_check said at commit (cursor is then the refused record's), or with ERR_disk_full or
 * ERR_read_only. `origin` is handed to tell: who asked, so that they can be answered in another
 * way.
 */
struct proposal {
    void (*done)(struct proposal *p, enum err err, uint64_t cursor);
    void *origin;
};

struct engine_hooks {
    void *ctx;
    /* An event of a commit, live; `origin` is the proposal's, or NULL where it came from elsewhere.
     */
    void (*tell)(void *ctx, const struct event *event, void *origin);
    /* This listener will be told of an event a moment later; a good time to prefetch what that
     * takes. May be NULL. */
    void (*soon)(void *ctx, const struct listener *l);
};

struct engine *engine_new(const struct engine_hooks *hooks);

/* Sets who hears how far engine_open_files has got (journal_hooks.on_progress): before the open. */
typedef void engine_progress_fn(void *ctx, const struct journal_progress *progress);
void engine_on_progress(struct engine *e, engine_progress_fn *fn, void *ctx);

/* Loads the newest snapshot of options->dir, replays the journal behind it into the model and goes
 * live. Errors as journal_open_files;
 * ERR_damaged also for a record that this version does not know (report->damage names it). */
enum err engine_open_files(struct engine *e, const struct journal_options *options,
                           struct journal_report *report) MUST_CHECK;
/* The same with a journal in memory. */
enum err engine_open_memory(struct engine *e, struct journal_memory *memory) MUST_CHECK;

/* What a change that makes the state grow would be refused with just now: ERR_ok, ERR_disk_full,
 * ERR_memory_full, ERR_read_only, or ERR_shutting_down before the open and after the close. Where
 * the disk was full it asks for a look at it. */
enum err engine_refuses(struct engine *e);

/* From now on, what makes the state grow is refused with ERR_memory_full while the process has
 * `max` bytes of memory or more; 0: never. */
void engine_limit_memory(struct engine *e, uint64_t max);
/* To be called about twice a second: looks how much there is. */
void engine_look_at_memory(struct engine *e);

/* Finishes what was proposed (done is called), closes the journal. The model stays. */
void engine_close(struct engine *e);
void engine_free(struct engine *e);

/* Proposes; the record's memory is free when this returns. What model_check says now, or
 * journal_propose's errors (ERR_shutting_down also before the open and after the close), and
 * ERR_memory_full come back at once, and done is then never called. */
enum err engine_propose(struct engine *e, const struct record *r, struct proposal *p) MUST_CHECK;

/*
 * Begins to write a snapshot of the model (journal_snapshot says how, and which errors there are;
 * ERR_shutting_down also before the open and after the close): the next start loads it and replays
 * what came later only. Not from within a hook or a done. After ERR_ok, engine_on_snapshot's
 * function hears how it ended.
 */
enum err engine_snapshot(struct engine *e) MUST_CHECK;

/* How a snapshot ended: ERR_ok, ERR_disk_full, ERR_io, ERR_shutting_down; then `why` is a sentence
 * for the operator, borrowed for the call. */
struct engine_snapshot_result {
    enum err err;
    uint64_t seq;   /* the state is that behind this record */
    uint64_t bytes; /* of its file */
    const char *why;
};

/* Sets who hears of it, on the loop thread: from journal_dispatch, or from engine_close. */
typedef void engine_snapshot_fn(void *ctx, const struct engine_snapshot_result *result);
void engine_on_snapshot(struct engine *e, engine_snapshot_fn *fn, void *ctx);

/* To be called in each turn: frees so many messages, or somewhat more, of what was deleted. True
 * where more is left. */
bool engine_reclaim(struct engine *e, uint32_t messages);

/* What happened since the engine was made, for a page of metrics. */
struct engine_stats {
    struct journal_stats journal; /* zeros before the open and after the close */
    uint64_t memory_used;         /* what counts against the limit */
    uint64_t memory_max;          /* 0: no limit */
    bool memory_full;
    bool snapshot_running;
    uint64_t snapshots, snapshots_failed; /* that ended so */
    uint64_t snapshot_bytes;              /* of the newest; 0: none yet */
    int64_t snapshot_time;                /* when it ended, of the wall's clock */
    int64_t snapshot_ms;                  /* how long it took */
};
void engine_stats(struct engine *e, struct engine_stats *out);

/* Bytes of records that a start would replay. */
uint64_t engine_bytes_since_snapshot(const struct engine *e);

/* The time for a record's `time`: the wall clock, never before what was given before. */
int64_t engine_now(struct engine *e);

const struct model *engine_model(const struct engine *e);
struct journal *engine_journal(const struct engine *e);
/* Of the cursors: the one that was made with the journal, or what renewed it. */
struct uuid engine_epoch(const struct engine *e);

#endif
