/*
 * messages: sending.
 */
#include "api/channel.h"
#include "api/details.h"
#include "api/field.h"
#include "base/clock.h"
#include "base/json_write.h"
#include "base/text.h"

/* The message that took this one's client_id first. */
static const struct message *message_before(const struct api *a, const struct pending *p)
{
    return model_message_by_client_id(engine_model(a->engine), p->user,
                                      bytes_of(p->client_id, p->client_id_len));
}

/* Tells the sender of a message that was sent before what the first send was told. */
static void answer_duplicate(struct api *a, struct conn *c, const struct reply *reply,
                             const struct message *msg)
{
    const struct model *m = engine_model(a->engine);

    buf_reset(&a->body);
    render_sent(&a->body, m, msg, true);
    channel_send_body(a, c);
    if (reply->id.len == 0)
        return;
    buf_reset(&a->body);
    render_ok(&a->body, reply, engine_now(a->engine), m, msg, true);
    channel_send_body(a, c);
}

/* Event 21 was told with the commit's other events; here is the reply for who asked for one. */
static void message_committed(struct proposal *proposal, enum err err, uint64_t cursor)
{
    struct pending *p = pending_of(proposal);
    struct api *a = p->api;
    const struct model *m = engine_model(a->engine);
    struct reply reply = {bytes_of(p->rpc_id, p->rpc_id_len), p->method};

    (void)cursor;
    if (err == ERR_ok && reply.id.len > 0) {
        buf_reset(&a->body);
        render_ok(&a->body, &reply, engine_now(a->engine), m, model_message_by_id(m, &p->id),
                  false);
        channel_send_body(a, p->conn);
    } else if (err == ERR_duplicate) {
        /* Two sends with one client_id were on their way at once. */
        answer_duplicate(a, p->conn, &reply, message_before(a, p));
    } else if (err != ERR_ok) {
        rpc_refuse(a, p->conn, &reply, err, NULL);
    }
    pending_finish(p);
}

enum err api_take_send(struct api *a, const struct user *u, int64_t now_ms, struct problem *problem)
{
    struct limit_bucket *bucket = (struct limit_bucket *)(void *)hub_user_words(u);

    problem->retry_ms = limit_take(bucket, &a->limits.send, now_ms);
    if (problem->retry_ms == 0)
        return ERR_ok;
    a->stats.throttled[THROTTLED_SEND]++;
    return ERR_too_many_requests;
}

/* "data" and "client_id" of a body, and the group, and what more it has than the `known` fields. */
static enum err read_message(struct api *a, struct json body, const struct uuid *group_id,
                             uint32_t known, struct record_message_send *r, struct problem *problem)
{
    enum err err = field_bytes(a, body, "data", 0, a->limits.message_max, &r->data, problem);
    if (err == ERR_ok && field_there(body, "client_id"))
        err = field_bytes(a, body, "client_id", 1, CLIENT_ID_MAX, &r->client_id, problem);
    if (err != ERR_ok)
        return err;
    const struct group *g = model_group_by_id(engine_model(a->engine), group_id);
    if (g == NULL)
        return ERR_group_not_found;
    r->group = g->number;
    known += r->client_id.len > 0;
    return json_count(body) > known ? details_read(a, body, r, problem) : ERR_ok;
}

/* The record that says no more than it must. */
static struct record record_of(const struct record_message_send *s)
{
    if (details_there(s))
        return (struct record){.type = RECORD_message_send, .message_send = *s};
    return (struct record){
        .type = RECORD_message_post,
        .message_post = {s->time, s->id, s->group, s->author, s->client_id, s->data}};
}

/* Proposes the message of `p`, which is given back where it is refused at once. */
static enum err propose_message(struct pending *p, struct record_message_send *send,
                                struct problem *problem)
{
    struct api *a = p->api;

    send->id = p->id = uuid_random();
    send->author = p->user->number;
    send->time = engine_now(a->engine);
    p->client_id_len = (uint8_t)send->client_id.len;
    if (send->client_id.len > 0)
        memcpy(p->client_id, send->client_id.p, send->client_id.len);
    struct record r = record_of(send);
    enum err err = engine_propose(a->engine, &r, &p->proposal);
    if (err != ERR_ok)
        pending_finish(p);
    if (err == ERR_invalid_field)
        return field_fault(a, problem,
                           "reply_to must be a message of the group that you may see, mentions "
                           "its members.");
    return err;
}

enum err rpc_send(struct rpc *rpc, struct problem *problem)
{
    struct api *a = rpc->api;
    struct record_message_send send = {0};
    struct uuid group_id;

    enum err err = api_take_send(a, rpc->user, rpc->now_ms, problem);
    if (err == ERR_ok)
        err = field_uuid(a, rpc->body, "group_id", &group_id, problem);
    if (err == ERR_ok)
        err = read_message(a, rpc->body, &group_id, 2, &send, problem);
    if (err != ERR_ok)
        return err;
    struct pending *p = pending_new(a, rpc->channel->conn);
    p->user = rpc->user;
    pending_keep_reply(p, rpc->reply.id, rpc->reply.method);
    p->proposal.done = message_committed;
    err = propose_message(p, &send, problem);
    if (err == ERR_duplicate) {
        answer_duplicate(
            a, rpc->channel->conn, &rpc->reply,
            model_message_by_client_id(engine_model(a->engine), rpc->user, send.client_id));
        return ERR_ok;
    }
    return err;
}

/* ---- POST /groups/:id/messages --------------------------------------------------------------- */

static void answer_message(struct api *a, struct conn *c, const struct message *msg, bool duplicate)
{
    struct buf *out = &a->body;

    buf_reset(out);
    BUF_ADD_LIT(out, "{\"message_id\":");
    json_add_uuid(out, &msg->id);
    BUF_ADD_LIT(out, ",\"seq\":");
    json_add_uint(out, msg->seq);
    BUF_ADD_LIT(out, ",\"timestamp\":");
    json_add_int(out, message_time(msg));
    BUF_ADD_LIT(out, ",\"cursor\":");
    json_add_uint(out, msg->cursor);
    if (duplicate)
        BUF_ADD_LIT(out, ",\"duplicate\":true");
    BUF_ADD_LIT(out, "}");
    rest_answer(a, c, duplicate ? 200 : 201, buf_bytes(out));
}

static void message_created(struct proposal *proposal, enum err err, uint64_t cursor)
{
    struct pending *p = pending_of(proposal);
    struct api *a = p->api;

    (void)cursor;
    if (err == ERR_ok)
        answer_message(a, p->conn, model_message_by_id(engine_model(a->engine), &p->id), false);
    else if (err == ERR_duplicate)
        answer_message(a, p->conn, message_before(a, p), true);
    else
        rest_refuse(a, p->conn, err, NULL);
    pending_finish(p);
}

/* The Idempotency-Key of a request is its client_id, where the body has none. */
static enum err read_key(struct call *call, struct record_message_send *send,
                         struct problem *problem)
{
    struct bytes key;
    size_t count = http_field_count(call->request, "idempotency-key");

    if (count == 0 || send->client_id.len > 0)
        return ERR_ok;
    if (count > 1 || !http_field(call->request, "idempotency-key", &key) || key.len == 0 ||
        key.len > CLIENT_ID_MAX || !text_utf8_valid(key))
        return field_fault(call->api, problem, "Idempotency-Key must have 1 to %u bytes of UTF-8.",
                           CLIENT_ID_MAX);
    send->client_id = key;
    return ERR_ok;
}

enum err messages_create(struct call *call, struct problem *problem)
{
    struct api *a = call->api;
    struct record_message_send send = {0};

    enum err err = api_take_send(a, call->user, clock_mono_ms(), problem);
    if (err == ERR_ok)
        err = read_message(a, call->body, &call->id, 1, &send, problem);
    if (err == ERR_ok)
        err = read_key(call, &send, problem);
    if (err != ERR_ok)
        return err;
    struct pending *p = pending_new(a, call->conn);
    p->user = call->user;
    p->proposal.done = message_created;
    err = propose_message(p, &send, problem);
    if (err == ERR_duplicate) {
        answer_message(
            a, call->conn,
            model_message_by_client_id(engine_model(a->engine), call->user, send.client_id), true);
        return ERR_ok;
    }
    return err;
}
