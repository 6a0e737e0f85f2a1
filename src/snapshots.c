#include "snapshots.h"

#include <stdio.h>

#include "base/clock.h"
#include "base/diag.h"

#define RETRY_MS 60000

static void on_ended(void *ctx, const struct engine_snapshot_result *result)
{
    struct snapshots *s = ctx;
    s->ended = true;
    s->err = result->err;
    s->seq = result->seq;
    s->bytes = result->bytes;
    (void)snprintf(s->why, sizeof s->why, "%s", result->why);
}

static void failed(struct snapshots *s, enum err err, const char *why)
{
    diag_warn("no snapshot was written: %s", why[0] != '\0' ? why : err_sentence(err));
    s->failed = true;
    s->retry_ms = clock_mono_ms() + RETRY_MS;
    s->retry_bytes = engine_bytes_since_snapshot(s->engine) + s->after;
}

static enum err begin(struct snapshots *s)
{
    enum err err = engine_snapshot(s->engine);
    if (err == ERR_ok) {
        s->running = true;
        /* Until the child has ended, each page that is written for the first time is copied. */
        loop_set_brief(s->loop, true);
        turns_apart(loop_turns(s->loop)); /* it forked */
        s->begun_ms = clock_mono_ms();
    }
    return err;
}

static enum err on_asked(void *ctx)
{
    return begin(ctx);
}

/* Says how the last one ended. */
static void tell(struct snapshots *s)
{
    s->ended = s->running = false;
    loop_set_brief(s->loop, false);
    if (s->err == ERR_ok) {
        diag_info("a snapshot holds the state behind record %llu: %llu bytes, in %lld ms",
                  (unsigned long long)s->seq, (unsigned long long)s->bytes,
                  (long long)(clock_mono_ms() - s->begun_ms));
        s->failed = false;
    } else if (s->err != ERR_shutting_down) {
        failed(s, s->err, s->why);
    }
    control_snapshot_done(s->control, s->err, s->seq, s->bytes, s->why);
}

static bool is_due(const struct snapshots *s)
{
    uint64_t bytes;
    if (s->after == 0 || s->running)
        return false;
    bytes = engine_bytes_since_snapshot(s->engine);
    if (bytes < s->after || journal_state(engine_journal(s->engine)) != JOURNAL_LIVE)
        return false;
    return !s->failed || bytes >= s->retry_bytes || clock_mono_ms() >= s->retry_ms;
}

void snapshots_turn(struct snapshots *s)
{
    if (s->ended)
        tell(s);
    if (!is_due(s))
        return;
    enum err err = begin(s);
    if (err != ERR_ok)
        failed(s, err, "");
}

void snapshots_tick(struct snapshots *s)
{
    control_tick(s->control);
}

void snapshots_init(struct snapshots *s, struct engine *engine, struct loop *loop,
                    const char *data_dir, uint64_t after)
{
    struct control_hooks hooks = {.ctx = s, .snapshot = on_asked};
    char why[160];

    *s = (struct snapshots){.engine = engine, .loop = loop, .after = after};
    s->control = control_new(loop, data_dir, &hooks, why, sizeof why);
    if (s->control == NULL)
        diag_warn("there is no socket %s/" CONTROL_NAME ", so nobody can ask for snapshots: %s",
                  data_dir, why);
    engine_on_snapshot(engine, on_ended, s);
}

void snapshots_release(struct snapshots *s)
{
    if (s->ended)
        tell(s);
    control_free(s->control);
    s->control = NULL;
}
