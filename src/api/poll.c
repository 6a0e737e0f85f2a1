#include "api/poll.h"

#include <stdlib.h>

#include "api/query.h"
#include "api/render.h"
#include "base/clock.h"
#include "base/ensure.h"
#include "base/json_write.h"
#include "model/timeline.h"

#define LIMIT_DEFAULT 100
#define LIMIT_MAX     1000
#define WAIT_DEFAULT  30
/* An answer ends early where it has so many bytes, but never inside a cursor. */
#define ANSWER_BYTES ((size_t)256 << 10)
/* So many are answered before the sockets are written and others have their turn. */
#define ANSWERS_PER_TURN 64
/* Of so many it is asked, twice a second, whether their client is still there. */
#define PEEKS_PER_TICK 256u

#define LIT(text) buf_add_bytes(&a->body, BYTES(text))

struct poll {
    struct listener listener; /* first: the hub hands it back */
    struct conn *conn;        /* held */
    struct list node;         /* in api.polls, or api.woken_polls */
    uint64_t after;
    uint64_t limit;
    int64_t until_ms; /* clock_mono_ms */
};

/* ---- the answer ------------------------------------------------------------------------------ */

/* One event as a socket gets it; one's own messages come as 20 and as 21. */
static void add_event(struct api *a, const struct user *u, const struct event *e, bool first)
{
    if (!first)
        LIT(",");
    render_event(&a->body, e);
    if (e->type == EVENT_message_posted && e->user == u) {
        LIT(",");
        render_sent(&a->body, engine_model(a->engine), e->message, false);
    }
}

static void end_answer(struct api *a, struct conn *c, uint64_t cursor, bool more, bool reset)
{
    struct uuid epoch = engine_epoch(a->engine);

    LIT("],\"cursor\":");
    json_add_uint(&a->body, cursor);
    LIT(",\"epoch\":");
    json_add_uuid(&a->body, &epoch);
    LIT(",\"more\":");
    buf_add_bytes(&a->body, more ? BYTES("true") : BYTES("false"));
    LIT(",\"reset\":");
    buf_add_bytes(&a->body, reset ? BYTES("true") : BYTES("false"));
    LIT("}");
    rest_answer(a, c, 200, buf_bytes(&a->body));
}

static void begin_answer(struct api *a)
{
    buf_reset(&a->body);
    LIT("{\"events\":[");
}

static void answer_nothing(struct api *a, struct conn *c, bool reset)
{
    begin_answer(a);
    end_answer(a, c, model_cursor(engine_model(a->engine)), false, reset);
}

/* Answers with what came after *after. False where that is nothing; then *after is where to look
 * from the next time. */
static bool answer_events(struct api *a, struct conn *c, const struct user *u, uint64_t *after,
                          uint64_t limit)
{
    const struct model *m = engine_model(a->engine);
    struct timeline *t = timeline_new(m, u, *after, false);
    struct event e = {.cursor = 0};
    uint64_t count = 0;
    bool more = false;

    begin_answer(a);
    while (!more && timeline_next(t, &e)) {
        add_event(a, u, &e, count == 0);
        count++;
        if ((count >= limit || a->body.len >= ANSWER_BYTES) && timeline_position(t) >= e.cursor)
            more = timeline_position(t) < model_cursor(m);
    }
    *after = timeline_position(t);
    timeline_free(t);
    if (count > 0)
        end_answer(a, c, *after, more, false);
    return count > 0;
}

/* ---- those that wait ------------------------------------------------------------------------- */

static void poll_free(struct api *a, struct poll *p)
{
    hub_detach(&p->listener, engine_now(a->engine));
    list_remove(&p->node);
    conn_release(p->conn);
    a->poll_count--;
    free(p);
}

/* Answers, with nothing if need be, and ends the wait. */
static void poll_end(struct api *a, struct poll *p)
{
    if (!answer_events(a, p->conn, p->listener.user, &p->after, p->limit))
        answer_nothing(a, p->conn, false);
    poll_free(a, p);
}

static struct poll *poll_at(const struct list *node)
{
    return LIST_OWNER(node, struct poll, node);
}

void poll_wake(struct api *a, struct listener *l)
{
    struct poll *p = (struct poll *)(void *)l;

    list_remove(&p->node);
    list_append(&a->woken_polls, &p->node);
}

bool polls_turn(struct api *a)
{
    for (int i = 0; i < ANSWERS_PER_TURN && !list_empty(&a->woken_polls); i++) {
        struct poll *p = poll_at(a->woken_polls.next);
        if (answer_events(a, p->conn, p->listener.user, &p->after, p->limit)) {
            poll_free(a, p);
            continue;
        }
        /* What it was told is nothing that stays: somebody typed. */
        list_remove(&p->node);
        list_append(&a->polls, &p->node);
    }
    return !list_empty(&a->woken_polls);
}

/* Whoever waits for an answer is not read, so whether they are still there must be asked: some of
 * them now, the others the next times. */
static void end_those_who_left(struct api *a)
{
    uint32_t count = a->poll_count < PEEKS_PER_TICK ? a->poll_count : PEEKS_PER_TICK;

    for (uint32_t i = 0; i < count && !list_empty(&a->polls); i++) {
        struct poll *p = poll_at(a->polls.next);
        if (conn_has_left(p->conn)) {
            poll_end(a, p);
            continue;
        }
        list_remove(&p->node);
        list_append(&a->polls, &p->node);
    }
}

void polls_tick(struct api *a)
{
    int64_t now_ms = clock_mono_ms();
    struct list *next;

    for (struct list *at = a->polls.next; at != &a->polls; at = next) {
        struct poll *p = poll_at(at);
        next = at->next;
        if (now_ms >= p->until_ms || !conn_is_open(p->conn))
            poll_end(a, p);
    }
    end_those_who_left(a);
}

void polls_refuse(struct api *a, const struct user *u)
{
    struct listener *next;

    for (struct listener *l = hub_first(u); l != NULL; l = next) {
        struct poll *p = (struct poll *)(void *)l;
        next = l->next;
        if (!l->waits)
            continue;
        rest_refuse(a, p->conn, ERR_unauthorized, NULL);
        poll_free(a, p);
    }
}

void polls_end(struct api *a)
{
    while (!list_empty(&a->woken_polls))
        poll_end(a, poll_at(a->woken_polls.next));
    while (!list_empty(&a->polls))
        poll_end(a, poll_at(a->polls.next));
}

/* As many of one user wait as sockets may share a messaging URL: the oldest gives way. */
static void make_way(struct api *a, const struct user *u)
{
    struct listener *oldest = NULL;
    uint32_t count = 0;

    for (struct listener *l = hub_first(u); l != NULL; l = l->next) {
        if (l->waits) {
            count++;
            oldest = l;
        }
    }
    if (oldest != NULL && count >= a->limits.session_sockets_max)
        poll_end(a, (struct poll *)(void *)oldest);
}

static enum err poll_begin(struct call *call, uint64_t after, uint64_t limit, uint64_t wait_s)
{
    struct api *a = call->api;

    make_way(a, call->user);
    if (a->poll_count >= a->limits.polls_max)
        return ERR_busy;
    struct poll *p = xcalloc(1, sizeof *p);
    p->conn = call->conn;
    p->after = after;
    p->limit = limit;
    p->until_ms = clock_mono_ms() + (int64_t)wait_s * 1000;
    conn_hold(p->conn);
    hub_attach_user(&p->listener, call->user);
    p->listener.waits = true;
    list_append(&a->polls, &p->node);
    a->poll_count++;
    return ERR_ok;
}

enum err poll_events(struct call *call, struct problem *problem)
{
    struct api *a = call->api;
    uint64_t after = UINT64_MAX, limit = LIMIT_DEFAULT, wait_s = WAIT_DEFAULT;
    uint64_t newest = model_cursor(engine_model(a->engine));
    struct uuid epoch, ours = engine_epoch(a->engine);
    bool has_epoch;

    if (wait_s > a->limits.poll_wait_s_max)
        wait_s = a->limits.poll_wait_s_max;
    enum err err = query_uint(call, "after", 0, INT64_MAX, &after, problem);
    if (err == ERR_ok)
        err = query_uint(call, "limit", 1, LIMIT_MAX, &limit, problem);
    if (err == ERR_ok)
        err = query_uint(call, "wait", 0, a->limits.poll_wait_s_max, &wait_s, problem);
    if (err == ERR_ok)
        err = query_uuid(call, "epoch", &epoch, &has_epoch, problem);
    if (err != ERR_ok)
        return err;
    if (after == UINT64_MAX) {
        answer_nothing(a, call->conn, false); /* where to begin */
        return ERR_ok;
    }
    if (after > newest || (has_epoch && !uuid_equal(&epoch, &ours))) {
        answer_nothing(a, call->conn, true);
        return ERR_ok;
    }
    if (answer_events(a, call->conn, call->user, &after, limit))
        return ERR_ok;
    if (wait_s > 0)
        return poll_begin(call, after, limit, wait_s);
    answer_nothing(a, call->conn, false);
    return ERR_ok;
}
