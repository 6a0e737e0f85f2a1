/*
 * retention: for how long a group keeps its messages.
 */
#include "api/field.h"
#include "api/rest.h"

/* A century is for ever, to a group. */
#define DAYS_MAX 36500

enum err groups_retention(struct call *call, struct problem *problem)
{
    struct api *a = call->api;
    const struct group *g = model_group_by_id(engine_model(a->engine), &call->id);
    int64_t days;

    enum err err = field_int(a, call->body, "days", 0, DAYS_MAX, &days, problem);
    if (err != ERR_ok)
        return err;
    if (g == NULL)
        return ERR_group_not_found;
    struct record r = {.type = RECORD_group_retention,
                       .group_retention = {.time = engine_now(a->engine),
                                           .group = g->number,
                                           .by = call->user->number,
                                           .days = (uint32_t)days}};
    return rest_propose(call, &r);
}
