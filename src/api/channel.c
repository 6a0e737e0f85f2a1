#include "api/channel.h"

#include "api/presence.h"
#include "api/query.h"
#include "api/rest.h"
#include "api/typing.h"
#include "base/clock.h"
#include "base/ensure.h"

#include <stdlib.h>

void channel_send_body(struct api *a, struct conn *c)
{
    struct frame *f = frame_new_text(buf_bytes(&a->body));
    conn_send(c, f);
    frame_unref(f);
}

void rpc_done(const struct rpc *rpc)
{
    struct api *a = rpc->api;

    if (rpc->reply.id.len == 0)
        return;
    buf_reset(&a->body);
    render_ok(&a->body, &rpc->reply, engine_now(a->engine), NULL, NULL, false);
    channel_send_body(a, rpc->channel->conn);
}

void rpc_refuse(struct api *a, struct conn *c, const struct reply *reply, enum err err,
                const struct problem *problem)
{
    a->stats.rpc_refusals[err]++;
    buf_reset(&a->body);
    render_refusal(&a->body, reply, engine_now(a->engine), err, problem);
    channel_send_body(a, c);
}

static void rpc_committed(struct proposal *proposal, enum err err, uint64_t cursor)
{
    struct pending *p = pending_of(proposal);
    struct api *a = p->api;
    struct reply reply = {bytes_of(p->rpc_id, p->rpc_id_len), p->method};

    (void)cursor;
    /* What overtook a duplicate made it so. */
    if (err != ERR_ok && err != ERR_duplicate) {
        rpc_refuse(a, p->conn, &reply, err, NULL);
    } else if (reply.id.len > 0) {
        buf_reset(&a->body);
        render_ok(&a->body, &reply, engine_now(a->engine), NULL, NULL, false);
        channel_send_body(a, p->conn);
    }
    pending_finish(p);
}

enum err rpc_propose_new(struct rpc *rpc, const struct record *r)
{
    struct pending *p = pending_new(rpc->api, rpc->channel->conn);

    pending_keep_reply(p, rpc->reply.id, rpc->reply.method);
    p->proposal.done = rpc_committed;
    enum err err = engine_propose(rpc->api->engine, r, &p->proposal);
    if (err != ERR_ok)
        pending_finish(p);
    return err;
}

enum err rpc_propose(struct rpc *rpc, const struct record *r)
{
    enum err err = rpc_propose_new(rpc, r);

    if (err != ERR_duplicate)
        return err;
    rpc_done(rpc);
    return ERR_ok;
}

/* ---- opening --------------------------------------------------------------------------------- */

static bool query_field(struct bytes name, struct bytes value, struct catchup_request *r)
{
    if (bytes_equal(name, BYTES("after")))
        return r->has_after = query_number(value, &r->after);
    if (bytes_equal(name, BYTES("limit")))
        return r->has_limit = query_number(value, &r->limit) && r->limit > 0;
    if (bytes_equal(name, BYTES("epoch")))
        return r->has_epoch = uuid_parse(value, &r->epoch);
    return true; /* unknown fields are ignored */
}

/* ?after=CURSOR&epoch=UUID&limit=N; no value of these needs percent-encoding. */
static bool read_query(struct bytes query, struct catchup_request *r)
{
    struct bytes name, value;

    while (query_next(&query, &name, &value)) {
        if (!query_field(name, value, r))
            return false;
    }
    return true;
}

void channel_detach(struct api *a, struct channel *ch)
{
    const struct user *u = ch->listener.user;

    hub_detach(&ch->listener, engine_now(a->engine));
    if (u == NULL || hub_has_socket(u))
        return;
    typing_end_all(a, u);
    presence_went(a, u);
}

static void close_oldest(struct api *a, const struct session *s)
{
    struct listener *oldest;

    if (hub_session_sockets(s, &oldest) < a->limits.session_sockets_max)
        return;
    hub_detach(oldest, engine_now(a->engine));
    conn_close(channel_of(oldest)->conn, WS_CLOSE_REPLACED, BYTES("a newer socket took its place"));
}

enum err channel_open(struct call *call, struct problem *problem)
{
    struct api *a = call->api;
    struct catchup_request request = {0};
    struct record_hash token;

    if (call->request->upgrade != HTTP_UPGRADE_NONE && !origins_admit(a->origins, call->request)) {
        problem->detail = "Pages of this Origin may not connect.";
        return ERR_forbidden;
    }
    hash_bytes(bytes_of(call->id.b, sizeof call->id.b), token.b, sizeof token.b);
    const struct session *s = model_session_by_token(engine_model(a->engine), &token);
    if (s == NULL)
        return ERR_not_found;
    switch (call->request->upgrade) {
    case HTTP_UPGRADE_NONE:
    case HTTP_UPGRADE_VERSION:
        return ERR_upgrade_required;
    case HTTP_UPGRADE_INVALID:
        return ERR_bad_upgrade;
    case HTTP_UPGRADE_WEBSOCKET:
        break;
    }
    if (!read_query(call->request->query, &request)) {
        problem->detail = "after and limit must be numbers, epoch a UUID.";
        return ERR_invalid_field;
    }
    close_oldest(a, s);
    struct channel *ch = xcalloc(1, sizeof *ch);
    ch->conn = call->conn;
    conn_set_data(call->conn, ch);
    hub_attach(&ch->listener, s);
    ch->listener.live = true;
    rest_count(a, call->conn, 101);
    conn_upgrade(call->conn, call->request);
    presence_came(a, s->user);
    if (request.has_after || request.has_limit)
        catchup_start(a, ch, &request);
    return ERR_ok;
}

void channel_on_closed(void *ctx, struct conn *c)
{
    struct api *a = ctx;
    struct channel *ch = conn_data(c);

    if (ch == NULL)
        return;
    catchup_free(ch);
    channel_detach(a, ch);
    conn_set_data(c, NULL);
    free(ch);
}

void channel_on_drained(void *ctx, struct conn *c)
{
    struct channel *ch = conn_data(c);
    if (ch != NULL && ch->catchup != NULL)
        catchup_pump(ctx, ch);
}

/* ---- RPCs ------------------------------------------------------------------------------------ */

static enum err rpc_run(struct rpc *rpc, struct problem *problem)
{
    switch (rpc->reply.method) {
#define RPC(method, handler)                                                                       \
    case method:                                                                                   \
        return handler(rpc, problem);
#include "api/rpc.def"
#undef RPC
    }
    return ERR_unknown_method;
}

/* Reads the envelope: method, id, body. What can be read of it is in *rpc also after an error, so
 * that the refusal can echo it. */
static enum err envelope_read(struct rpc *rpc, struct bytes text, struct problem *problem)
{
    struct json root;
    int64_t method;

    enum err err =
        json_read(text, rpc->api->limits.json, &rpc->api->arena, &root, &problem->detail);
    if (err != ERR_ok)
        return err;
    if (json_type(root) != JSON_OBJECT) {
        problem->detail = "A message must be a JSON object.";
        return ERR_invalid_json;
    }
    struct json id = json_member(root, "id");
    int64_t number;
    if (json_type(id) != JSON_NONE) {
        struct bytes raw = json_raw(id);
        if (raw.len > RPC_ID_MAX || (json_type(id) != JSON_STRING && !json_int(id, &number))) {
            problem->detail = "id must be a string or an integer of at most 128 bytes.";
            return ERR_invalid_field;
        }
        rpc->reply.id = raw;
    }
    if (!json_int(json_member(root, "method"), &method) || method < 0 || method > 255) {
        problem->detail = "method must be the number of an RPC.";
        return ERR_unknown_method;
    }
    rpc->reply.method = (int)method;
    rpc->body = json_member(root, "body");
    if (json_type(rpc->body) != JSON_OBJECT && json_type(rpc->body) != JSON_NONE) {
        problem->detail = "body must be a JSON object.";
        return ERR_invalid_field;
    }
    return ERR_ok;
}

/* May the socket have one more RPC? One that goes on as if nobody had said no is closed. */
static enum err take_rpc(struct rpc *rpc, struct problem *problem)
{
    const struct limit_rate *rate = &rpc->api->limits.rpc;
    struct channel *ch = rpc->channel;

    problem->retry_ms = limit_take(&ch->rpcs, rate, rpc->now_ms);
    if (problem->retry_ms == 0) {
        ch->refused = 0;
        return ERR_ok;
    }
    rpc->api->stats.throttled[THROTTLED_RPC]++;
    problem->detail = NULL; /* not what is wrong with the text */
    if (++ch->refused >= rate->burst)
        conn_close(ch->conn, WS_CLOSE_POLICY, BYTES("too fast"));
    return ERR_too_many_requests;
}

void channel_on_message(void *ctx, struct conn *c, struct bytes text)
{
    struct api *a = ctx;
    struct channel *ch = conn_data(c);
    struct problem problem = {NULL, 0};

    /* A session that was ended has its sockets closed; what still arrives is not heard. */
    if (ch == NULL || ch->listener.user == NULL)
        return;
    struct rpc rpc = {
        .api = a, .channel = ch, .user = ch->listener.user, .now_ms = clock_mono_ms()};
    enum err err = envelope_read(&rpc, text, &problem);
    a->stats.rpcs[rpc.reply.method]++;
    enum err rate = take_rpc(&rpc, &problem); /* also what cannot be read takes its place */
    if (rate != ERR_ok)
        err = rate;
    if (err == ERR_ok)
        err = a->draining ? ERR_shutting_down : rpc_run(&rpc, &problem);
    if (err != ERR_ok)
        rpc_refuse(a, c, &rpc.reply, err, &problem);
    arena_reset(&a->arena);
}

enum err rpc_hello(struct rpc *rpc, struct problem *problem)
{
    struct api *a = rpc->api;

    (void)problem;
    buf_reset(&a->body);
    render_hello(&a->body, a, rpc->channel->listener.session, engine_now(a->engine));
    channel_send_body(a, rpc->channel->conn);
    rpc_done(rpc);
    return ERR_ok;
}
