/*
 * typing: told to who is there, never stored.
 */
#include "api/channel.h"
#include "api/field.h"

static enum err typing(struct rpc *rpc, bool starts, struct problem *problem)
{
    struct api *a = rpc->api;
    const struct model *m = engine_model(a->engine);
    struct uuid group_id;

    enum err err = field_uuid(a, rpc->body, "group_id", &group_id, problem);
    if (err != ERR_ok)
        return err;
    const struct group *g = model_group_by_id(m, &group_id);
    const struct member *mb = g != NULL ? model_member(m, g, rpc->user) : NULL;
    if (mb == NULL)
        return ERR_group_not_found;
    if (!member_is_active(mb))
        return ERR_not_a_member;
    buf_reset(&a->body);
    render_typing(&a->body, starts, engine_now(a->engine), g, rpc->user);
    tell_members(a, g, rpc->user, NULL);
    rpc_done(rpc);
    return ERR_ok;
}

enum err rpc_typing_start(struct rpc *rpc, struct problem *problem)
{
    return typing(rpc, true, problem);
}

enum err rpc_typing_end(struct rpc *rpc, struct problem *problem)
{
    return typing(rpc, false, problem);
}
