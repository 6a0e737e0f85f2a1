#include "hooks/hooks.h"

#include "base/clock.h"
#include "base/crypto.h"
#include "base/ensure.h"
#include "base/hash.h"
#include "hooks/fare.h"
#include "hooks/poster.h"
#include "hooks/sign.h"
#include "hooks/tail.h"

#include <stdio.h>
#include <stdlib.h>

/* Looks at something in one turn, of all hooks: about a third of a millisecond, where little is
 * in a cache. */
#define TURN_WORK 2000u
/* How often a hook's progress is written, at most. */
#define PROGRESS_MS 1000

static const char user_agent[] = "user-agent: groups-chat/" GROUPS_CHAT_VERSION;

/* One hook: what is under way for it. */
struct runner {
    struct post post;         /* first: the poster hands it back */
    struct proposal proposal; /* of its progress */
    struct loop_timer timer;  /* the end of a pause */
    struct list list;         /* in hooks->runners */
    struct hooks *hooks;
    struct uuid id;
    uint32_t edition;  /* of the hook, as it is being told */
    uint64_t position; /* everything up to here was taken, or is not wanted */
    uint64_t told;     /* up to here something was taken */
    uint64_t gathered; /* and up to here it is in the batch, or is not wanted */
    bool is_resting;   /* until the timer ends it */
    bool idle;         /* nothing was there when it looked last */
    bool is_proposing;
    bool gone;              /* the hook was deleted: ends when nothing is under way */
    bool is_written;        /* the batch's text is whole */
    struct feed_scan *scan; /* of what is behind the tail; NULL: none */
    bool scan_done;
    uint32_t scan_at; /* place of its next entry */
    struct batch batch;
    struct fare fare;
    int64_t next_try_ms, next_progress_ms; /* of clock_mono_ms */
};

struct hooks {
    struct engine *engine;
    struct loop *loop;
    struct hooks_options options;
    struct poster *poster; /* NULL: there was no hook yet, or it cannot be had */
    bool is_running;       /* started, and not stopped */
    struct tail tail;
    uint64_t taken, failed, events; /* counted for hooks_stats */
    struct list runners;            /* in the order in which their turns come */
    uint32_t changes;               /* model_hook_changes, as the runners are */
};

static const struct hook *hook_of(const struct runner *r)
{
    return model_hook_by_id(engine_model(r->hooks->engine), &r->id);
}

/* ---- progress --------------------------------------------------------------------------------
 */

static void free_runner(struct runner *r)
{
    post_cancel(&r->post);
    loop_timer_stop(r->hooks->loop, &r->timer);
    list_remove(&r->list);
    batch_release(&r->batch);
    free(r->scan);
    free(r);
}

static void progress_written(struct proposal *p, enum err err, uint64_t cursor)
{
    struct runner *r = LIST_OWNER(p, struct runner, proposal);

    /* What the disk refuses is said again with the next. */
    (void)err;
    (void)cursor;
    r->is_proposing = false;
    if (r->gone)
        free_runner(r);
}

/* How far it is, where the journal does not know of something that was taken. (What was not wanted
 * costs a restart nothing but a look.) */
static void propose_progress(struct runner *r)
{
    const struct hook *hook = hook_of(r);

    if (r->is_proposing || hook == NULL || r->told <= hook->position)
        return;
    struct record record = {.type = RECORD_hook_progress,
                            .hook_progress = {.time = engine_now(r->hooks->engine),
                                              .id = r->id,
                                              .cursor = r->position}};
    r->is_proposing = engine_propose(r->hooks->engine, &record, &r->proposal) == ERR_ok;
    r->next_progress_ms = clock_mono_ms() + PROGRESS_MS;
    if (r->is_proposing)
        loop_again(r->hooks->loop); /* the turn's end gives it to the disk */
}

/* ---- gathering -------------------------------------------------------------------------------
 */

static void end_scan(struct runner *r)
{
    free(r->scan);
    r->scan = NULL;
}

/* The next entry behind r->gathered; NULL where there is none, or not yet: then *work is used up.
 */
static const struct feed_entry *next_entry(struct runner *r, uint32_t *work)
{
    struct hooks *h = r->hooks;
    const struct model *m = engine_model(h->engine);

    if (r->scan == NULL && r->gathered >= h->tail.from)
        return tail_next(&h->tail, r->gathered);
    if (r->scan == NULL) {
        r->scan = xmalloc(sizeof *r->scan);
        r->scan_done = false;
        r->scan_at = 0;
        feed_scan_begin(r->scan, m, r->gathered);
    }
    if (!r->scan_done) {
        r->scan_done = feed_scan_step(r->scan, m, *work);
        *work = 0;
        return NULL;
    }
    if (r->scan_at < r->scan->count)
        return &r->scan->entries[r->scan_at++];
    if (r->scan->covered > r->gathered)
        r->gathered = r->scan->covered;
    end_scan(r);
    *work -= *work > 0;
    return next_entry(r, work);
}

/* Fills the batch. True where it is as full as it can be now. */
static bool gather(struct runner *r, const struct hook *hook, uint32_t *work)
{
    const struct model *m = engine_model(r->hooks->engine);
    struct event e;

    while (r->batch.count < r->hooks->options.batch_max) {
        if (*work == 0)
            return false;
        const struct feed_entry *entry = next_entry(r, work);
        if (entry == NULL)
            return *work > 0;
        *work -= 1;
        r->gathered = entry->cursor;
        if (feed_event(m, entry, &e) && hook_wants(hook, e.type))
            batch_add(&r->batch, entry);
        else if (r->batch.count == 0)
            r->position = r->gathered;
    }
    return true;
}

/* ---- posting ---------------------------------------------------------------------------------
 */

/* The same for the same events of the same hook, after a restart too. Between the same two there
 * are others where it wants other types. */
static void name_batch(const struct runner *r, const struct hook *hook, char out[static 64])
{
    const struct batch *b = &r->batch;
    struct uuid epoch = engine_epoch(r->hooks->engine);
    uint8_t digest[15];
    struct hash h;

    hash_init(&h, sizeof digest);
    hash_add(&h, epoch.b, sizeof epoch.b);
    hash_add(&h, r->id.b, sizeof r->id.b);
    hash_add_u64(&h, batch_entry(b, 0)->cursor);
    hash_add_u64(&h, batch_entry(b, b->count - 1)->cursor);
    if (hook->type_count > 0)
        hash_add_bytes(&h, bytes_of(hook->types, hook->type_count));
    hash_final(&h, digest);
    size_t len = (size_t)snprintf(out, 64, "msg_");
    crypto_base64_encode(bytes_of(digest, sizeof digest), out + len);
    out[len + crypto_base64_len(sizeof digest)] = '\0';
}

static void taken(struct runner *r)
{
    if (r->batch.told > 0)
        r->told = r->gathered;
    r->position = r->gathered;
    r->is_written = false;
    batch_reset(&r->batch);
}

/* The turn's end looks whose time has come. */
static void pause_over(void *ctx)
{
    LIST_OWNER(ctx, struct runner, timer)->is_resting = false;
}

/* The text is made anew for the next try. */
static void failed(struct runner *r, const struct post_result *result)
{
    uint32_t pause = fare_failed(&r->fare, &r->id, result, &r->hooks->options.fare);

    r->hooks->failed++;
    r->next_try_ms = clock_mono_ms() + pause;
    r->is_resting = true;
    loop_timer_start(r->hooks->loop, &r->timer, pause, pause_over);
    r->is_written = false;
    batch_reset_text(&r->batch);
}

static void posted(struct post *post, struct post_result result)
{
    struct runner *r = (struct runner *)(void *)post;

    if (result.end == POST_ANSWERED && result.status >= 200 && result.status < 300) {
        r->hooks->taken++;
        r->hooks->events += r->batch.told;
        fare_taken(&r->fare, &r->id);
        taken(r);
    } else {
        failed(r, &result);
    }
}

static void post_batch(struct runner *r, const struct hook *hook)
{
    struct hooks *h = r->hooks;
    int64_t now_ms = clock_wall_ms(), now_s = now_ms / 1000;
    struct buf url = {0}, signature = {0};
    char id[64], id_field[96], time_field[64];

    name_batch(r, hook, id);
    snprintf(id_field, sizeof id_field, "webhook-id: %s", id);
    snprintf(time_field, sizeof time_field, "webhook-timestamp: %lld", (long long)now_s);
    BUF_ADD_LIT(&signature, "webhook-signature: ");
    sign_add(hook->secret, id, now_s, buf_bytes(&r->batch.text), &signature);
    if (hook->old_secret.len > 0 && now_ms < hook->old_until) {
        BUF_ADD_LIT(&signature, " ");
        sign_add(hook->old_secret, id, now_s, buf_bytes(&r->batch.text), &signature);
    }
    buf_add_u8(&signature, 0);
    buf_add_bytes(&url, hook->url);
    buf_add_u8(&url, 0);
    struct post_request request = {.url = (const char *)url.p,
                                   .fields = {"content-type: application/json", user_agent,
                                              id_field, time_field, (const char *)signature.p},
                                   .body = buf_bytes(&r->batch.text),
                                   .timeout_ms = h->options.fare.timeout_ms};
    r->post.done = posted;
    if (!poster_send(h->poster, &r->post, &request))
        failed(r, &(struct post_result){.end = POST_BROKEN, .why = ""});
    buf_release(&url);
    buf_release(&signature);
}

/* ---- the turns of a hook ---------------------------------------------------------------------
 */

/* Entries that the text did not get to are gathered again. */
static void cut_to_text(struct runner *r, uint32_t before)
{
    if (r->batch.count == before)
        return;
    r->gathered = batch_entry(&r->batch, r->batch.count - 1)->cursor;
    while (r->scan != NULL && r->scan_at > 0 &&
           r->scan->entries[r->scan_at - 1].cursor > r->gathered)
        r->scan_at--;
}

/* One step; `work` is at least 1. True where there is another one to do at once. */
static bool step(struct runner *r, uint32_t *work)
{
    struct hooks *h = r->hooks;
    const struct hook *hook = hook_of(r);
    struct uuid epoch = engine_epoch(h->engine);
    struct batch_options o = {h->options.render, h->options.offline_max};

    if (hook == NULL || h->poster == NULL || r->post.poster != NULL || r->is_resting)
        return false;
    if (!r->batch.cut) {
        bool full = gather(r, hook, work);
        r->idle = full && r->batch.count == 0;
        if (!full)
            return true;
        if (r->idle)
            return false;
    }
    uint32_t before = r->batch.count;
    r->is_written = batch_write(&r->batch, engine_model(h->engine), hook, &epoch, &o, *work);
    if (!r->is_written) {
        *work = 0;
        return true;
    }
    cut_to_text(r, before);
    *work = 0;
    if (r->batch.told == 0) {
        taken(r); /* of what was wanted nothing is left */
        return true;
    }
    post_batch(r, hook);
    return false;
}

/* ---- all of them -----------------------------------------------------------------------------
 */

static struct runner *find_runner(const struct hooks *h, const struct uuid *id)
{
    for (struct list *l = h->runners.next; l != &h->runners; l = l->next) {
        struct runner *r = LIST_OWNER(l, struct runner, list);
        if (uuid_equal(&r->id, id))
            return r;
    }
    return NULL;
}

static void add_runner(struct hooks *h, const struct hook *hook)
{
    struct runner *r = xcalloc(1, sizeof *r);

    r->hooks = h;
    r->id = hook->id;
    r->edition = hook->edition;
    r->position = r->gathered = hook->position;
    r->proposal.done = progress_written;
    list_append(&h->runners, &r->list);
}

/* It was changed: what was not taken yet is told as it is now, and at once. */
static void begin_anew(struct runner *r, const struct hook *hook)
{
    post_cancel(&r->post);
    loop_timer_stop(r->hooks->loop, &r->timer);
    end_scan(r);
    batch_reset(&r->batch);
    r->is_written = r->is_resting = r->idle = false;
    r->gathered = r->position;
    r->fare = (struct fare){0};
    r->edition = hook->edition;
}

/* As many as the model has. */
static void follow_model(struct hooks *h)
{
    const struct model *m = engine_model(h->engine);
    struct list *next;

    tail_sync(&h->tail, model_hook_changes(m), model_cursor(m));
    if (h->changes == model_hook_changes(m))
        return;
    h->changes = model_hook_changes(m);
    for (struct list *l = h->runners.next; l != &h->runners; l = next) {
        struct runner *r = LIST_OWNER(l, struct runner, list);
        const struct hook *hook = hook_of(r);
        next = l->next;
        if (hook != NULL && hook->edition != r->edition)
            begin_anew(r, hook);
        if (hook != NULL)
            continue;
        post_cancel(&r->post);
        r->gone = true;
        if (!r->is_proposing)
            free_runner(r);
    }
    for (uint32_t i = 0; i < model_hook_count(m); i++) {
        if (find_runner(h, &model_hook(m, i)->id) == NULL)
            add_runner(h, model_hook(m, i));
    }
    if (model_hook_count(m) == 0)
        tail_release(&h->tail);
    else if (h->poster == NULL)
        h->poster = poster_new(h->loop, h->options.authorities);
}

void hooks_note(struct hooks *h, const struct event *event)
{
    const struct model *m = engine_model(h->engine);

    if (model_hook_count(m) == 0 || !hook_offers(event->type))
        return;
    tail_sync(&h->tail, model_hook_changes(m), event->cursor - 1);
    tail_note(&h->tail, feed_entry_of(event));
}

void hooks_turn(struct hooks *h)
{
    uint32_t work = TURN_WORK;
    bool more = false;

    if (!h->is_running)
        return;
    follow_model(h);
    for (struct list *l = h->runners.next; l != &h->runners && work > 0; l = l->next)
        more |= step(LIST_OWNER(l, struct runner, list), &work);
    if (list_empty(&h->runners))
        return;
    if (work == 0) {
        /* Who used it up is the last the next time. */
        struct list *first = h->runners.next;
        list_remove(first);
        list_append(&h->runners, first);
        more = true;
    }
    if (more)
        loop_again(h->loop);
}

void hooks_tick(struct hooks *h)
{
    int64_t now = clock_mono_ms();

    if (!h->is_running)
        return;
    for (struct list *l = h->runners.next; l != &h->runners; l = l->next) {
        struct runner *r = LIST_OWNER(l, struct runner, list);
        if (now >= r->next_progress_ms)
            propose_progress(r);
    }
}

struct hooks *hooks_new(struct engine *engine, struct loop *loop,
                        const struct hooks_options *options)
{
    struct hooks *h = xcalloc(1, sizeof *h);

    h->engine = engine;
    h->loop = loop;
    h->options = *options;
    list_init(&h->runners);
    return h;
}

void hooks_start(struct hooks *h)
{
    const struct model *m = engine_model(h->engine);

    h->is_running = true;
    /* Nobody knows the runners of the hooks that were there already. */
    h->changes = model_hook_changes(m) - 1;
    h->tail.changes = h->changes;
    follow_model(h);
}

void hooks_stop(struct hooks *h)
{
    if (!h->is_running)
        return;
    h->is_running = false;
    for (struct list *l = h->runners.next; l != &h->runners; l = l->next) {
        struct runner *r = LIST_OWNER(l, struct runner, list);
        post_cancel(&r->post);
        propose_progress(r);
    }
    poster_free(h->poster);
    h->poster = NULL;
}

void hooks_free(struct hooks *h)
{
    if (h == NULL)
        return;
    hooks_stop(h);
    struct list *next;
    for (struct list *l = h->runners.next; l != &h->runners; l = next) {
        next = l->next;
        free_runner(LIST_OWNER(l, struct runner, list));
    }
    tail_release(&h->tail);
    free(h);
}

struct hooks_stats hooks_stats(const struct hooks *h)
{
    struct hooks_stats s = {.taken = h->taken, .failed = h->failed, .events = h->events};
    uint64_t cursor = model_cursor(engine_model(h->engine));

    for (struct list *l = h->runners.next; l != &h->runners; l = l->next) {
        const struct runner *r = LIST_OWNER(l, struct runner, list);
        uint64_t behind = r->idle || r->gone ? 0 : cursor - r->position;
        s.failing += r->fare.failures > 0 && !r->gone;
        s.behind_max = behind > s.behind_max ? behind : s.behind_max;
    }
    return s;
}

struct hook_status hooks_status(const struct hooks *h, const struct model *m,
                                const struct hook *hook)
{
    const struct runner *r = h != NULL ? find_runner(h, &hook->id) : NULL;
    struct hook_status s = {.position = hook->position};

    if (r == NULL) {
        s.behind = model_cursor(m) - s.position;
        return s;
    }
    int64_t left = r->next_try_ms - clock_mono_ms();

    left = left > 0 ? left : 0;
    s.position = r->position;
    s.behind = r->idle ? 0 : model_cursor(m) - s.position;
    s.failures = r->fare.failures;
    s.error = h->poster != NULL ? r->fare.error : "no_library";
    s.status = r->fare.status;
    s.next_try_ms = r->is_resting ? clock_wall_ms() + left : 0;
    return s;
}
