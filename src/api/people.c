/*
 * people: looking at users, others and oneself.
 */
#include "api/field.h"
#include "api/query.h"
#include "api/resource.h"
#include "base/json_write.h"
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

/* ---- GET /users ------------------------------------------------------------------------------ */

#define PAGE_MAX     50
#define PAGE_DEFAULT 20

/* Folded as names are; empty where no name is so. */
static struct bytes folded(struct call *call, struct bytes name)
{
    struct bytes key;
    return field_fold(call->api, name, text_fold_name, &key) ? key : bytes_of(NULL, 0);
}

/* Those whose name begins with `prefix`, in the order of their names, behind `after` where that is
 * there. */
static void list_users(struct call *call, struct bytes prefix, struct bytes after, uint64_t limit)
{
    struct api *a = call->api;
    const struct model *m = engine_model(a->engine);
    const struct user *u =
        after.len > 0 ? model_user_from(m, after, true) : model_user_from(m, prefix, false);
    const char *comma = "";

    buf_reset(&a->body);
    BUF_ADD_LIT(&a->body, "{\"users\":[");
    for (; limit > 0 && u != NULL && bytes_begin_with(u->username_key, prefix); limit--) {
        buf_add_bytes(&a->body, bytes_cstr(comma));
        resource_user(&a->body, u, false);
        comma = ",";
        u = model_user_from(m, u->username_key, true);
    }
    bool more = u != NULL && bytes_begin_with(u->username_key, prefix);
    BUF_ADD_LIT(&a->body, "],\"more\":");
    buf_add_bytes(&a->body, more ? BYTES("true}") : BYTES("false}"));
    rest_answer(a, call->conn, 200, buf_bytes(&a->body));
}

static enum err find_by_prefix(struct call *call, struct bytes prefix, struct problem *problem)
{
    uint64_t limit = PAGE_DEFAULT;
    struct bytes after = {NULL, 0};
    bool goes_on = false;

    enum err err = query_uint(call, "limit", 1, PAGE_MAX, &limit, problem);
    if (err == ERR_ok)
        err = query_text(call, "after", &after, &goes_on, problem);
    if (err != ERR_ok)
        return err;
    prefix = folded(call, prefix);
    after = folded(call, after);
    if (prefix.len == 0 || (goes_on && after.len == 0))
        return field_fault(call->api, problem, "prefix must begin a name, and after be one.");
    /* A name in front of all of them is where they begin. */
    if (after.len > 0 && bytes_compare(after, prefix) < 0)
        after.len = 0;
    list_users(call, prefix, after, limit);
    return ERR_ok;
}

/* By exactly this name, under the rules that make names unique; or by its beginning. */
enum err people_find(struct call *call, struct problem *problem)
{
    struct bytes name, prefix;
    bool has_name, has_prefix;

    enum err err = query_text(call, "username", &name, &has_name, problem);
    if (err == ERR_ok)
        err = query_text(call, "prefix", &prefix, &has_prefix, problem);
    if (err != ERR_ok)
        return err;
    if (has_name == has_prefix)
        return field_fault(call->api, problem, "Either username or prefix must be there.");
    if (has_prefix)
        return find_by_prefix(call, prefix, problem);
    return show(call, model_user_by_name(engine_model(call->api->engine), folded(call, name)));
}
