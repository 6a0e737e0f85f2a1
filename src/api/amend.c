/*
 * amend: another text for a message, its deletion, reactions to it; over RPC and REST.
 */
#include "api/channel.h"
#include "api/field.h"
#include "api/query.h"
#include "base/clock.h"
#include "base/text.h"

/* What both ways have in common: who asks, for which message. */
struct ask {
    struct api *api;
    const struct user *user;
    struct uuid id;
};

/* The message's place, for a record. Whether the user may see it is the law's. */
static enum err find(const struct ask *ask, uint32_t *group, uint32_t *seq)
{
    const struct message *msg = model_message_by_id(engine_model(ask->api->engine), &ask->id);

    if (msg == NULL)
        return ERR_message_not_found;
    *group = msg->group;
    *seq = msg->seq;
    return ERR_ok;
}

/* An edit is told to as many as a message is, and takes its place in the rate. */
static enum err fill_update(const struct ask *ask, struct json body, int64_t now_ms,
                            struct record *r, struct problem *problem)
{
    struct api *a = ask->api;
    struct record_message_update *u = &r->message_update;

    *r = (struct record){.type = RECORD_message_update};
    enum err err = api_take_send(a, ask->user, now_ms, problem);
    if (err == ERR_ok)
        err = field_bytes(a, body, "data", 0, a->limits.message_max, &u->data, problem);
    if (err == ERR_ok)
        err = find(ask, &u->group, &u->seq);
    u->by = ask->user->number;
    u->time = engine_now(a->engine);
    return err;
}

static enum err fill_delete(const struct ask *ask, struct record *r)
{
    struct record_message_delete *d = &r->message_delete;

    *r = (struct record){.type = RECORD_message_delete};
    d->by = ask->user->number;
    d->time = engine_now(ask->api->engine);
    return find(ask, &d->group, &d->seq);
}

static bool is_emoji(struct bytes s)
{
    return s.len >= 1 && s.len <= EMOJI_MAX && !text_has_control(s) &&
           memchr(s.p, ' ', s.len) == NULL;
}

static enum err fill_react(const struct ask *ask, struct bytes emoji, bool remove, int64_t now_ms,
                           struct record *r, struct problem *problem)
{
    struct api *a = ask->api;
    struct record_message_react *re = &r->message_react;

    *r = (struct record){.type = RECORD_message_react};
    if (!is_emoji(emoji))
        return field_fault(a, problem,
                           "emoji must have 1 to %d bytes, no spaces or control characters.",
                           EMOJI_MAX);
    enum err err = api_take_send(a, ask->user, now_ms, problem);
    if (err != ERR_ok)
        return err;
    re->by = ask->user->number;
    re->time = engine_now(a->engine);
    re->remove = remove;
    re->user_max = a->limits.user_reactions_max;
    re->message_max = a->limits.message_reactions_max;
    re->emojis_max = a->limits.message_emojis_max;
    re->emoji = emoji;
    return find(ask, &re->group, &re->seq);
}

/* ---- RPCs ------------------------------------------------------------------------------------ */

static enum err read_ask(struct rpc *rpc, struct ask *ask, struct problem *problem)
{
    *ask = (struct ask){.api = rpc->api, .user = rpc->user};
    return field_uuid(rpc->api, rpc->body, "message_id", &ask->id, problem);
}

enum err rpc_update(struct rpc *rpc, struct problem *problem)
{
    struct record r;
    struct ask ask;

    enum err err = read_ask(rpc, &ask, problem);
    if (err == ERR_ok)
        err = fill_update(&ask, rpc->body, rpc->now_ms, &r, problem);
    return err == ERR_ok ? rpc_propose(rpc, &r) : err;
}

enum err rpc_delete(struct rpc *rpc, struct problem *problem)
{
    struct record r;
    struct ask ask;

    enum err err = read_ask(rpc, &ask, problem);
    if (err == ERR_ok)
        err = fill_delete(&ask, &r);
    return err == ERR_ok ? rpc_propose(rpc, &r) : err;
}

enum err rpc_react(struct rpc *rpc, struct problem *problem)
{
    struct bytes emoji = {0};
    bool remove = false;
    struct record r;
    struct ask ask;

    enum err err = read_ask(rpc, &ask, problem);
    if (err == ERR_ok)
        err = field_bytes(rpc->api, rpc->body, "emoji", 1, EMOJI_MAX, &emoji, problem);
    if (err == ERR_ok && field_there(rpc->body, "remove") &&
        !json_bool(json_member(rpc->body, "remove"), &remove))
        err = field_fault(rpc->api, problem, "remove must be true or false.");
    if (err == ERR_ok)
        err = fill_react(&ask, emoji, remove, rpc->now_ms, &r, problem);
    return err == ERR_ok ? rpc_propose(rpc, &r) : err;
}

/* ---- REST ------------------------------------------------------------------------------------ */

enum err messages_update(struct call *call, struct problem *problem)
{
    struct ask ask = {call->api, call->user, call->id};
    struct record r;

    enum err err = fill_update(&ask, call->body, clock_mono_ms(), &r, problem);
    return err == ERR_ok ? rest_propose(call, &r) : err;
}

enum err messages_delete(struct call *call, struct problem *problem)
{
    struct ask ask = {call->api, call->user, call->id};
    struct record r;

    (void)problem;
    enum err err = fill_delete(&ask, &r);
    return err == ERR_ok ? rest_propose(call, &r) : err;
}

static enum err react(struct call *call, struct bytes emoji, bool remove, struct problem *problem)
{
    struct ask ask = {call->api, call->user, call->id};
    struct record r;

    enum err err = fill_react(&ask, emoji, remove, clock_mono_ms(), &r, problem);
    return err == ERR_ok ? rest_propose(call, &r) : err;
}

enum err reactions_add(struct call *call, struct problem *problem)
{
    struct bytes emoji = {0};

    enum err err = field_bytes(call->api, call->body, "emoji", 1, EMOJI_MAX, &emoji, problem);
    return err == ERR_ok ? react(call, emoji, false, problem) : err;
}

enum err reactions_remove(struct call *call, struct problem *problem)
{
    struct bytes emoji = {0};
    bool there;

    enum err err = query_text(call, "emoji", &emoji, &there, problem);
    if (err == ERR_ok && !there)
        return field_fault(call->api, problem, "emoji must be there.");
    return err == ERR_ok ? react(call, emoji, true, problem) : err;
}
