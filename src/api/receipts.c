/*
 * receipts: delivered and read, as watermarks.
 */
#include "api/channel.h"
#include "api/field.h"
#include "model/view.h"

enum { KIND_DELIVERED = 0, KIND_READ = 1 };

/* The message that is acknowledged: by its id, or by group and number. One that the reader may not
 * see is not there. */
static enum err read_acknowledged(struct rpc *rpc, const struct message **msg,
                                  const struct member **reader, struct problem *problem)
{
    const struct model *m = engine_model(rpc->api->engine);
    struct uuid id;
    int64_t seq;
    enum err err;

    if (field_there(rpc->body, "message_id")) {
        err = field_uuid(rpc->api, rpc->body, "message_id", &id, problem);
        if (err != ERR_ok)
            return err;
        *msg = model_message_by_id(m, &id);
    } else {
        err = field_uuid(rpc->api, rpc->body, "group_id", &id, problem);
        if (err == ERR_ok)
            err = field_int(rpc->api, rpc->body, "seq", 1, UINT32_MAX, &seq, problem);
        if (err != ERR_ok)
            return err;
        const struct group *g = model_group_by_id(m, &id);
        *msg = g != NULL ? group_message(g, (uint32_t)seq) : NULL;
    }
    if (*msg == NULL)
        return ERR_message_not_found;
    *reader = model_member(m, model_group(m, (*msg)->group), rpc->user);
    if (*reader == NULL || !view_sees(*reader, *msg))
        return ERR_message_not_found;
    return member_is_active(*reader) ? ERR_ok : ERR_not_a_member;
}

/* An acknowledgement that moves nothing: its author is told live, as of when the mark moved. */
static void tell_again(struct rpc *rpc, const struct message *msg, const struct member *reader,
                       int kind)
{
    struct api *a = rpc->api;
    const struct model *m = engine_model(a->engine);
    const struct mark *mark = kind == KIND_READ ? &reader->read : &reader->delivered;
    const struct user *author = model_user(m, msg->author);
    struct event e = {.type = kind == KIND_READ ? EVENT_message_read : EVENT_message_delivered,
                      .cursor = mark->cursor,
                      .time = mark->time,
                      .group = reader->group,
                      .user = rpc->user,
                      .message = msg};

    if (author != rpc->user && member_is_active(model_member(m, reader->group, author))) {
        buf_reset(&a->body);
        render_event(&a->body, &e);
        tell_user(a, author, NULL);
    }
}

static enum err acknowledge(struct rpc *rpc, int kind, struct problem *problem)
{
    struct api *a = rpc->api;
    const struct message *msg;
    const struct member *reader;

    enum err err = read_acknowledged(rpc, &msg, &reader, problem);
    if (err != ERR_ok)
        return err;
    struct record r = {.type = RECORD_receipt_mark,
                       .receipt_mark = {.time = engine_now(a->engine),
                                        .group = msg->group,
                                        .user = rpc->user->number,
                                        .seq = msg->seq,
                                        .kind = (uint8_t)kind}};
    err = rpc_propose_new(rpc, &r);
    if (err == ERR_duplicate) {
        tell_again(rpc, msg, reader, kind);
        rpc_done(rpc);
        return ERR_ok;
    }
    return err;
}

enum err rpc_delivered(struct rpc *rpc, struct problem *problem)
{
    return acknowledge(rpc, KIND_DELIVERED, problem);
}

enum err rpc_read(struct rpc *rpc, struct problem *problem)
{
    return acknowledge(rpc, KIND_READ, problem);
}
