#include "api/settings.h"

#include "api/field.h"
#include "api/resource.h"

/* A text of the body that is one of a few words. */
static enum err read_word(struct call *call, const char *name, const char *words,
                          bool (*parse)(struct bytes text, uint8_t *out), uint8_t *out,
                          struct problem *problem)
{
    struct bytes text;

    if (!field_there(call->body, name))
        return ERR_ok;
    enum err err = field_bytes(call->api, call->body, name, 0, SIZE_MAX, &text, problem);
    if (err != ERR_ok)
        return err;
    return parse(text, out) ? ERR_ok
                            : field_fault(call->api, problem, "%s must be %s.", name, words);
}

enum err settings_read_rules(struct call *call, struct settings *out, struct problem *problem)
{
    enum err err = read_word(call, "join", "\"members\" or \"open\"", resource_join_parse,
                             &out->join, problem);
    if (err == ERR_ok)
        err = read_word(call, "history", "\"joined\" or \"all\"", resource_history_parse,
                        &out->history, problem);
    return err;
}

/* ---- PATCH and DELETE /groups/:id ------------------------------------------------------------ */

enum err settings_change(struct call *call, struct problem *problem)
{
    struct api *a = call->api;
    const struct group *g = model_group_by_id(engine_model(a->engine), &call->id);
    struct settings to = {0};
    unsigned fields = 0;

    enum err err = settings_read_rules(call, &to, problem);
    if (err == ERR_ok && field_there(call->body, "name")) {
        err = field_name(a, call->body, "name", 1, a->limits.name_max, &to.name, problem);
        fields |= SETTING_NAME;
    }
    if (err != ERR_ok)
        return err;
    if (g == NULL)
        return ERR_group_not_found;
    fields |= field_there(call->body, "join") ? SETTING_JOIN : 0;
    fields |= field_there(call->body, "history") ? SETTING_HISTORY : 0;
    struct record r = {.type = RECORD_group_update,
                       .group_update = {.time = engine_now(a->engine),
                                        .group = g->number,
                                        .by = call->user->number,
                                        .fields = (uint8_t)fields,
                                        .join = to.join,
                                        .history = to.history,
                                        .name = to.name}};
    return rest_propose(call, &r);
}

enum err settings_delete(struct call *call, struct problem *problem)
{
    struct api *a = call->api;
    const struct group *g = model_group_by_id(engine_model(a->engine), &call->id);

    (void)problem;
    if (g == NULL)
        return ERR_group_not_found;
    struct record r = {.type = RECORD_group_delete,
                       .group_delete = {.time = engine_now(a->engine),
                                        .group = g->number,
                                        .by = call->user->number}};
    return rest_propose(call, &r);
}
