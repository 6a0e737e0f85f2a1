/*
 * sync: what was missed, from the timeline to the socket, in pieces as it drains.
 */
#include "api/channel.h"
#include "api/field.h"
#include "base/ensure.h"

#include <stdlib.h>

/* So much is rendered at a time; the next piece follows when this one has gone to the kernel. */
#define PIECE_BYTES (64 * 1024)
/* Events of one piece at most, so that small ones do not hold the loop. */
#define PIECE_EVENTS 256

struct catchup {
    struct timeline *timeline;
    uint64_t left;   /* events that may still be given; UINT64_MAX without a limit */
    bool marker;     /* 12 is to be sent at the end */
    uint64_t cursor; /* of the newest event that was given */
    struct bytes id; /* of the RPC, for its reply; in `id_bytes` */
    int method;
    uint8_t id_bytes[RPC_ID_MAX];
};

/* ---- frames ---------------------------------------------------------------------------------- */

/* Adds the JSON in a->body to a->frames as one text frame. */
static void add_frame(struct api *a)
{
    frame_add_header(&a->frames, WS_OPCODE_TEXT, a->body.len);
    buf_add_bytes(&a->frames, buf_bytes(&a->body));
}

/* One event; one's own messages come as 20 and as 21. */
static void add_event(struct api *a, const struct channel *ch, const struct event *e)
{
    buf_reset(&a->body);
    render_event(&a->body, e);
    add_frame(a);
    if (e->type == EVENT_message_posted && e->user == ch->listener.user) {
        buf_reset(&a->body);
        render_sent(&a->body, engine_model(a->engine), e->message, false);
        add_frame(a);
    }
}

static void send_frames(struct api *a, struct channel *ch)
{
    if (a->frames.len == 0)
        return;
    struct frame *f = frame_new_raw(buf_bytes(&a->frames));
    buf_reset(&a->frames);
    conn_send(ch->conn, f);
    frame_unref(f);
}

static void add_marker(struct api *a, uint64_t cursor, bool more, bool reset)
{
    struct uuid epoch = engine_epoch(a->engine);

    buf_reset(&a->body);
    render_marker(&a->body, engine_now(a->engine), cursor, &epoch, more, reset);
    add_frame(a);
}

/* ---- the answer ------------------------------------------------------------------------------ */

void catchup_free(struct channel *ch)
{
    if (ch->catchup == NULL)
        return;
    timeline_free(ch->catchup->timeline);
    free(ch->catchup);
    ch->catchup = NULL;
}

/* Ends the answer: the marker, the reply, and LIVE or PAUSED. */
static void catchup_end(struct api *a, struct channel *ch, bool more)
{
    struct catchup *cu = ch->catchup;
    struct reply reply = {cu->id, cu->method};

    if (cu->marker)
        add_marker(a, timeline_position(cu->timeline), more, false);
    if (reply.id.len > 0) {
        buf_reset(&a->body);
        render_ok(&a->body, &reply, engine_now(a->engine), NULL, NULL, false);
        add_frame(a);
    }
    ch->listener.live = !more;
    send_frames(a, ch);
    catchup_free(ch);
}

/* The limit is reached and everything of the last cursor was given. */
static bool limit_reached(const struct catchup *cu)
{
    return cu->left == 0 && timeline_position(cu->timeline) >= cu->cursor;
}

void catchup_pump(struct api *a, struct channel *ch)
{
    struct catchup *cu = ch->catchup;
    struct event e;

    buf_reset(&a->frames);
    for (int n = 0; n < PIECE_EVENTS && a->frames.len < PIECE_BYTES; n++) {
        if (limit_reached(cu)) {
            /* Nothing more to come is not "more", however small the limit was. */
            bool more = timeline_position(cu->timeline) < model_cursor(engine_model(a->engine));
            if (more) {
                catchup_end(a, ch, true);
                return;
            }
        }
        if (!timeline_next(cu->timeline, &e)) {
            catchup_end(a, ch, false);
            return;
        }
        cu->cursor = e.cursor;
        cu->left -= cu->left > 0 && cu->left != UINT64_MAX;
        add_event(a, ch, &e);
    }
    send_frames(a, ch);
    conn_want_drained(ch->conn);
}

static struct catchup *catchup_new(struct api *a, struct channel *ch,
                                   const struct catchup_request *r)
{
    const struct model *m = engine_model(a->engine);
    struct catchup *cu = xcalloc(1, sizeof *cu);

    cu->left = r->has_limit ? r->limit : UINT64_MAX;
    cu->marker = r->has_after || r->has_limit;
    cu->timeline = r->has_time && !r->has_after
                       ? timeline_new_since(m, ch->listener.user, r->time)
                       : timeline_new(m, ch->listener.user, r->after, !r->has_after);
    return cu;
}

/* Another journal's cursor, or one that this journal has not reached, says nothing here. */
static bool must_reset(struct api *a, const struct catchup_request *r)
{
    struct uuid epoch = engine_epoch(a->engine);

    return (r->has_epoch && !uuid_equal(&r->epoch, &epoch)) ||
           (r->has_after && r->after > model_cursor(engine_model(a->engine)));
}

void catchup_start(struct api *a, struct channel *ch, const struct catchup_request *r)
{
    ENSURE(ch->catchup == NULL);
    if (must_reset(a, r)) {
        buf_reset(&a->frames);
        add_marker(a, model_cursor(engine_model(a->engine)), false, true);
        ch->listener.live = true;
        send_frames(a, ch);
        return;
    }
    ch->catchup = catchup_new(a, ch, r);
    ch->listener.live = false;
    /* What the socket was told before goes first; the pieces follow as it drains. */
    conn_want_drained(ch->conn);
}

static enum err read_request(struct rpc *rpc, struct catchup_request *r, struct problem *problem)
{
    struct api *a = rpc->api;
    int64_t n;
    enum err err = ERR_ok;

    if (err == ERR_ok && (r->has_after = field_there(rpc->body, "after"))) {
        err = field_int(a, rpc->body, "after", 0, INT64_MAX, &n, problem);
        r->after = err == ERR_ok ? (uint64_t)n : 0;
    }
    if (err == ERR_ok && (r->has_limit = field_there(rpc->body, "limit"))) {
        err = field_int(a, rpc->body, "limit", 1, INT64_MAX, &n, problem);
        r->limit = err == ERR_ok ? (uint64_t)n : 0;
    }
    if (err == ERR_ok && (r->has_time = field_there(rpc->body, "timestamp")))
        err = field_int(a, rpc->body, "timestamp", INT64_MIN, INT64_MAX, &r->time, problem);
    if (err == ERR_ok && (r->has_epoch = field_there(rpc->body, "epoch")))
        err = field_uuid(a, rpc->body, "epoch", &r->epoch, problem);
    return err;
}

enum err rpc_events(struct rpc *rpc, struct problem *problem)
{
    struct channel *ch = rpc->channel;
    struct catchup_request request = {0};

    if (ch->catchup != NULL)
        return ERR_sync_in_progress;
    enum err err = read_request(rpc, &request, problem);
    if (err != ERR_ok)
        return err;
    catchup_start(rpc->api, ch, &request);
    if (ch->catchup == NULL) {
        rpc_done(rpc);
        return ERR_ok;
    }
    struct catchup *cu = ch->catchup;
    cu->method = rpc->reply.method;
    if (rpc->reply.id.len > 0)
        memcpy(cu->id_bytes, rpc->reply.id.p, rpc->reply.id.len);
    cu->id = bytes_of(cu->id_bytes, rpc->reply.id.len);
    return ERR_ok;
}
