/*
 * blocks: people from whom one wants to hear nothing.
 */
#include "api/field.h"
#include "api/rest.h"
#include "base/json_write.h"

enum err blocks_list(struct call *call, struct problem *problem)
{
    struct api *a = call->api;
    const struct model *m = engine_model(a->engine);
    const struct profile *p = call->user->profile;
    const char *comma = "";

    (void)problem;
    buf_reset(&a->body);
    BUF_ADD_LIT(&a->body, "{\"user_ids\":[");
    for (uint32_t i = 0; p != NULL && i < p->block_count; i++) {
        const struct user *whom = model_user(m, p->blocks[i]);
        if (whom->erasure != ERASURE_NONE)
            continue;
        buf_add_bytes(&a->body, bytes_cstr(comma));
        json_add_uuid(&a->body, &whom->id);
        comma = ",";
    }
    BUF_ADD_LIT(&a->body, "]}");
    rest_answer(a, call->conn, 200, buf_bytes(&a->body));
    return ERR_ok;
}

static enum err change(struct call *call, bool remove, struct problem *problem)
{
    struct api *a = call->api;
    const struct user *whom = model_user_by_id(engine_model(a->engine), &call->user_id);

    if (whom == NULL)
        return ERR_user_not_found;
    if (whom == call->user)
        return field_fault(a, problem, "Nobody can block themselves.");
    struct record r = {.type = RECORD_user_block,
                       .user_block = {.time = engine_now(a->engine),
                                      .user = call->user->number,
                                      .tokens = call->tokens,
                                      .whom = whom->number,
                                      .remove = remove,
                                      .blocks_max = a->limits.user_blocks_max}};
    return rest_propose(call, &r);
}

enum err blocks_add(struct call *call, struct problem *problem)
{
    return change(call, false, problem);
}

enum err blocks_remove(struct call *call, struct problem *problem)
{
    return change(call, true, problem);
}
