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
};

struct engine *engine_new(const struct engine_hooks *hooks);

/* Replays the journal of options->dir into the model and goes live. Errors as journal_open_files;
 * ERR_damaged also for a record that this version does not know (report->damage names it). */
enum err engine_open_files(struct engine *e, const struct journal_options *options,
                           struct journal_report *report) MUST_CHECK;
/* The same with a journal in memory. */
enum err engine_open_memory(struct engine *e, struct journal_memory *memory) MUST_CHECK;

/* Finishes what was proposed (done is called), closes the journal. The model stays. */
void engine_close(struct engine *e);
void engine_free(struct engine *e);

/* Proposes; the record's memory is free when this returns. What model_check says now, or
 * journal_propose's errors (ERR_shutting_down also before the open and after the close), come back
 * at once, and done is then never called. */
enum err engine_propose(struct engine *e, const struct record *r, struct proposal *p) MUST_CHECK;

/* The time for a record's `time`: the wall clock, never before what was given before. */
int64_t engine_now(struct engine *e);

const struct model *engine_model(const struct engine *e);
struct journal *engine_journal(const struct engine *e);
struct uuid engine_epoch(const struct engine *e);

#endif
