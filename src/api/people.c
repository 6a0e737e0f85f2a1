/*
 * people: looking at users, others and oneself.
 */
#include "api/field.h"
#include "api/query.h"
#include "api/resource.h"
#include "base/text.h"

static enum err show(struct call *call, const struct user *u)
{
    struct api *a = call->api;

    if (u == NULL)
        return ERR_user_not_found;
    buf_reset(&a->body);
    resource_user(&a->body, u, u == call->user);
    rest_answer(a, call->conn, 200, buf_bytes(&a->body));
    return ERR_ok;
}

enum err people_me(struct call *call, struct problem *problem)
{
    (void)problem;
    return show(call, call->user);
}

enum err people_get(struct call *call, struct problem *problem)
{
    (void)problem;
    return show(call, model_user_by_id(engine_model(call->api->engine), &call->id));
}

/* GET /users?username=: whoever has exactly this name, under the rules that make names unique. */
enum err people_find(struct call *call, struct problem *problem)
{
    struct api *a = call->api;
    struct bytes name;
    bool there;

    enum err err = query_text(call, "username", &name, &there, problem);
    if (err != ERR_ok)
        return err;
    if (!there)
        return field_fault(a, problem, "username must be there.");
    buf_reset(&a->scratch);
    if (!text_fold_name(name, &a->scratch))
        return ERR_user_not_found;
    return show(call, model_user_by_name(engine_model(a->engine), buf_bytes(&a->scratch)));
}
