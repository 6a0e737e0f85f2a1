#include "core/engine.h"

#include "base/clock.h"
#include "base/ensure.h"

#include <stdio.h>
#include <stdlib.h>

struct engine {
    struct model *model;
    struct journal *journal;
    struct engine_hooks hooks;
    struct event_sink sink;
    struct buf payload;  /* of the record that is being proposed */
    void *origin;        /* of the record that is being committed */
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

static void engine_fail(void *ctx, void *ticket, enum err why)
{
    struct proposal *p = ticket;
    (void)ctx;
    p->done(p, why, 0);
}

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

enum err engine_open_files(struct engine *e, const struct journal_options *options,
                           struct journal_report *report)
{
    struct journal_hooks hooks = {e, engine_commit, engine_fail};
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
    struct journal_hooks hooks = {e, engine_commit, engine_fail};
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
    err = journal_propose(e->journal, (uint16_t)r->type, buf_bytes(&e->payload), p);
    buf_shrink(&e->payload, 64 * 1024);
    return err;
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
    return journal_epoch(e->journal);
}
