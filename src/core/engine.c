#include "core/engine.h"

#include "base/clock.h"
#include "base/ensure.h"
#include "model/save.h"

#include <stdio.h>
#include <stdlib.h>

struct engine {
    struct model *model;
    struct journal *journal;
    struct engine_hooks hooks;
    struct event_sink sink;
    engine_snapshot_fn *on_snapshot; /* NULL: nobody asks */
    void *on_snapshot_ctx;
    engine_progress_fn *on_progress; /* NULL: nobody asks */
    void *on_progress_ctx;
    struct buf payload; /* of the record that is being proposed */
    void *origin;       /* of the record that is being committed */
    struct memory memory;
    struct engine_stats stats; /* of snapshots; the rest is asked for */
    int64_t snapshot_begun_ms;
    int64_t now;         /* the newest time that was given */
    bool live;           /* replay is over */
    uint64_t bad_record; /* the first record at replay that is not of this format, or 0 */
    uint16_t bad_type;
};

static void engine_tell(void *ctx, const struct event *event)
{
    struct engine *e = ctx;
    e->hooks.tell(e->hooks.ctx, event, e->origin);
}

static void engine_commit(void *ctx, const struct journal_record *record, void *ticket)
{
    struct engine *e = ctx;
    struct proposal *p = ticket;

    if (e->bad_record != 0)
        return;
    e->origin = p != NULL ? p->origin : NULL;
    enum err err = model_commit(e->model, record->seq, record->type, record->payload,
                                e->live ? &e->sink : NULL);
    if (err == ERR_damaged) {
        ENSURE(!e->live);
        e->bad_record = record->seq;
        e->bad_type = record->type;
    }
    if (p != NULL)
        p->done(p, err, record->seq);
}

/*
 * With thousands of users and groups none of what a message touches is in a cache, and it hangs
 * together by pointers, so that each would be waited for after the other. So it is fetched for some
 * messages at once, in steps, each of which looks at what the one before has fetched: what the
 * model needs, then of the first members each the member, the user, the user's first listener, and
 * what that one needs.
 */
#define SOON_MEMBERS 16u /* of a group */

struct soon {
    const struct member *members[JOURNAL_SOON_MAX * SOON_MEMBERS];
    uint32_t count;
};

static void soon_add_members(struct soon *s, const struct group *g)
{
    for (uint32_t i = 0; i < g->active.count && i < SOON_MEMBERS; i++) {
        s->members[s->count] = vec_at(&g->active, i);
        __builtin_prefetch(s->members[s->count++]);
    }
}

static void soon_tell(const struct engine *e, const struct soon *s)
{
    for (uint32_t i = 0; i < s->count; i++)
        __builtin_prefetch(&s->members[i]->user->annotation);
    for (uint32_t i = 0; i < s->count; i++)
        __builtin_prefetch(hub_first(s->members[i]->user));
    for (uint32_t i = 0; i < s->count; i++) {
        const struct listener *l = hub_first(s->members[i]->user);
        if (l != NULL)
            e->hooks.soon(e->hooks.ctx, l);
    }
}

static void engine_soon(void *ctx, const struct journal_record *records, void *const *tickets,
                        uint32_t count)
{
    const struct engine *e = ctx;
    const struct group *before = NULL;
    struct soon soon;

    for (uint32_t i = 0; tickets != NULL && i < count; i++)
        __builtin_prefetch(tickets[i]);
    for (unsigned step = 0; step < MODEL_PREFETCH_STEPS; step++)
        for (uint32_t i = 0; i < count; i++)
            model_prefetch(e->model, step, records[i].type, records[i].payload);
    if (!e->live || e->hooks.soon == NULL)
        return;
    soon.count = 0;
    for (uint32_t i = 0; i < count; i++) {
        const struct group *g = model_told_of(e->model, records[i].type, records[i].payload);
        if (g != NULL && g != before)
            soon_add_members(&soon, g);
        before = g;
    }
    soon_tell(e, &soon);
}

static void engine_fail(void *ctx, void *ticket, enum err why)
{
    struct proposal *p = ticket;
    (void)ctx;
    p->done(p, why, 0);
}

/* ---- snapshots ------------------------------------------------------------------------------- */

static bool engine_load(void *ctx, uint16_t type, struct bytes payload)
{
    struct engine *e = ctx;
    return model_load(e->model, type, payload);
}

static bool engine_loaded(void *ctx, uint64_t seq)
{
    struct engine *e = ctx;
    return model_loaded(e->model, seq);
}

static void engine_reset(void *ctx)
{
    struct engine *e = ctx;
    model_reset(e->model);
    e->bad_record = 0;
}

static void save_record(void *ctx, uint16_t type, struct bytes payload)
{
    snapshot_add(ctx, type, payload);
}

/* In a forked child, with files: reads only. */
static void engine_save(void *ctx, struct snapshot_writer *w)
{
    const struct engine *e = ctx;
    model_save(e->model, save_record, w);
}

static void engine_snapshot_ended(void *ctx, enum err err, uint64_t seq, uint64_t bytes,
                                  const char *why)
{
    struct engine *e = ctx;
    struct engine_stats *s = &e->stats;

    s->snapshot_running = false;
    if (err == ERR_ok) {
        s->snapshots++;
        s->snapshot_bytes = bytes;
        s->snapshot_time = clock_wall_ms();
        s->snapshot_ms = clock_mono_ms() - e->snapshot_begun_ms;
    } else if (err != ERR_shutting_down) {
        s->snapshots_failed++;
    }
    struct engine_snapshot_result result = {.err = err, .seq = seq, .bytes = bytes, .why = why};
    if (e->on_snapshot != NULL)
        e->on_snapshot(e->on_snapshot_ctx, &result);
}

static struct journal_hooks engine_journal_hooks(struct engine *e)
{
    return (struct journal_hooks){.ctx = e,
                                  .on_commit = engine_commit,
                                  .on_fail = engine_fail,
                                  .on_load = engine_load,
                                  .on_loaded = engine_loaded,
                                  .on_reset = engine_reset,
                                  .on_save = engine_save,
                                  .on_snapshot = engine_snapshot_ended,
                                  .on_soon = engine_soon};
}

/* ---- life ------------------------------------------------------------------------------------ */

struct engine *engine_new(const struct engine_hooks *hooks)
{
    struct engine *e = xcalloc(1, sizeof *e);
    e->model = model_new();
    e->hooks = *hooks;
    e->sink = (struct event_sink){e, engine_tell};
    return e;
}

static enum err engine_opened(struct engine *e, enum err err)
{
    if (err != ERR_ok)
        return err;
    if (e->bad_record != 0) {
        journal_close(e->journal);
        e->journal = NULL;
        return ERR_damaged;
    }
    e->live = true;
    return ERR_ok;
}

static void engine_progress(void *ctx, const struct journal_progress *progress)
{
    const struct engine *e = ctx;
    e->on_progress(e->on_progress_ctx, progress);
}

void engine_on_progress(struct engine *e, engine_progress_fn *fn, void *ctx)
{
    e->on_progress = fn;
    e->on_progress_ctx = ctx;
}

enum err engine_open_files(struct engine *e, const struct journal_options *options,
                           struct journal_report *report)
{
    struct journal_hooks hooks = engine_journal_hooks(e);
    if (e->on_progress != NULL)
        hooks.on_progress = engine_progress;
    enum err err = engine_opened(e, journal_open_files(options, &hooks, report, &e->journal));
    if (err == ERR_damaged && e->bad_record != 0)
        snprintf(report->damage, sizeof report->damage,
                 "record %llu has type %u in a form that this version does not know: start the "
                 "version that wrote it, or a newer one",
                 (unsigned long long)e->bad_record, e->bad_type);
    return err;
}

enum err engine_open_memory(struct engine *e, struct journal_memory *memory)
{
    struct journal_hooks hooks = engine_journal_hooks(e);
    return engine_opened(e, journal_open_memory(memory, &hooks, &e->journal));
}

void engine_close(struct engine *e)
{
    if (e->journal != NULL)
        journal_close(e->journal);
    e->journal = NULL;
}

void engine_free(struct engine *e)
{
    if (e == NULL)
        return;
    engine_close(e);
    model_free(e->model);
    buf_release(&e->payload);
    free(e);
}

enum err engine_propose(struct engine *e, const struct record *r, struct proposal *p)
{
    if (e->journal == NULL)
        return ERR_shutting_down;
    enum err err = model_check(e->model, r);
    if (err != ERR_ok)
        return err;
    buf_reset(&e->payload);
    record_encode(r, &e->payload);
    if (memory_takes(&e->memory, r, e->payload.len))
        err = journal_propose(e->journal, (uint16_t)r->type, buf_bytes(&e->payload), p);
    else
        err = ERR_memory_full;
    buf_shrink(&e->payload, 64 * 1024);
    return err;
}

enum err engine_refuses(struct engine *e)
{
    enum err err = e->journal != NULL ? journal_refuses(e->journal) : ERR_shutting_down;
    return err == ERR_ok && e->memory.full ? ERR_memory_full : err;
}

bool engine_reclaim(struct engine *e, uint32_t messages)
{
    return model_reclaim(e->model, messages);
}

/* What the model gave back stays with the process, for what comes next. */
static uint64_t memory_used(void *ctx)
{
    const struct engine *e = ctx;
    uint64_t resident = memory_resident(), unused = model_memory_unused(e->model);
    return resident > unused ? resident - unused : 0;
}

void engine_limit_memory(struct engine *e, uint64_t max)
{
    memory_init(&e->memory, max, memory_used, e);
}

void engine_look_at_memory(struct engine *e)
{
    memory_look(&e->memory);
}

enum err engine_snapshot(struct engine *e)
{
    enum err err = e->journal != NULL ? journal_snapshot(e->journal) : ERR_shutting_down;

    if (err == ERR_ok) {
        e->stats.snapshot_running = true;
        e->snapshot_begun_ms = clock_mono_ms();
    }
    return err;
}

void engine_stats(struct engine *e, struct engine_stats *out)
{
    *out = e->stats;
    if (e->journal != NULL)
        journal_stats(e->journal, &out->journal);
    out->memory_used = memory_used(e);
    out->memory_max = e->memory.max;
    out->memory_full = e->memory.full;
}

void engine_on_snapshot(struct engine *e, engine_snapshot_fn *fn, void *ctx)
{
    e->on_snapshot = fn;
    e->on_snapshot_ctx = ctx;
}

uint64_t engine_bytes_since_snapshot(const struct engine *e)
{
    return e->journal != NULL ? journal_bytes_since_snapshot(e->journal) : 0;
}

int64_t engine_now(struct engine *e)
{
    int64_t now = clock_wall_ms();
    if (now < model_time(e->model))
        now = model_time(e->model);
    if (now > e->now)
        e->now = now;
    return e->now;
}

const struct model *engine_model(const struct engine *e)
{
    return e->model;
}

struct journal *engine_journal(const struct engine *e)
{
    return e->journal;
}

struct uuid engine_epoch(const struct engine *e)
{
    struct uuid renewed = model_epoch(e->model);
    return uuid_is_zero(&renewed) ? journal_epoch(e->journal) : renewed;
}
