/*
 * messages: sending.
 */
#include "api/channel.h"
#include "api/field.h"
#include "base/clock.h"

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
        answer_duplicate(
            a, p->conn, &reply,
            model_message_by_client_id(m, p->user, bytes_of(p->client_id, p->client_id_len)));
    } else if (err != ERR_ok) {
        rpc_refuse(a, p->conn, &reply, err, NULL);
    }
    pending_finish(p);
}

static enum err read_message(struct rpc *rpc, struct record_message_post *r,
                             struct problem *problem)
{
    struct api *a = rpc->api;
    struct uuid group_id;

    enum err err = field_uuid(a, rpc->body, "group_id", &group_id, problem);
    if (err == ERR_ok)
        err = field_bytes(a, rpc->body, "data", 0, a->limits.message_max, &r->data, problem);
    if (err == ERR_ok && field_there(rpc->body, "client_id"))
        err = field_bytes(a, rpc->body, "client_id", 1, CLIENT_ID_MAX, &r->client_id, problem);
    if (err != ERR_ok)
        return err;
    const struct group *g = model_group_by_id(engine_model(a->engine), &group_id);
    if (g == NULL)
        return ERR_group_not_found;
    r->group = g->number;
    return ERR_ok;
}

enum err rpc_send(struct rpc *rpc, struct problem *problem)
{
    struct api *a = rpc->api;
    struct record r = {.type = RECORD_message_post};
    struct record_message_post *post = &r.message_post;
    struct limit_bucket *bucket = (struct limit_bucket *)(void *)hub_user_words(rpc->user);

    problem->retry_ms = limit_take(bucket, &a->limits.send, clock_mono_ms());
    if (problem->retry_ms > 0)
        return ERR_too_many_requests;
    post->id = uuid_random();
    enum err err = read_message(rpc, post, problem);
    if (err != ERR_ok)
        return err;
    struct pending *p = pending_new(a, rpc->channel->conn);
    p->id = post->id;
    p->user = rpc->user;
    pending_keep_reply(p, rpc->reply.id, rpc->reply.method);
    p->client_id_len = (uint8_t)post->client_id.len;
    if (post->client_id.len > 0)
        memcpy(p->client_id, post->client_id.p, post->client_id.len);
    p->proposal.done = message_committed;
    post->time = engine_now(a->engine);
    post->author = rpc->user->number;
    err = engine_propose(a->engine, &r, &p->proposal);
    if (err != ERR_ok)
        pending_finish(p);
    if (err == ERR_duplicate) {
        answer_duplicate(
            a, rpc->channel->conn, &rpc->reply,
            model_message_by_client_id(engine_model(a->engine), rpc->user, post->client_id));
        return ERR_ok;
    }
    return err;
}
