/*
 * admin: what the app's own server may do, on a door of its own and with its key: have users under
 * its own ids, and act for them. A user's rights are then that user's: the app adds none.
 */
#include "api/field.h"
#include "api/pending.h"
#include "api/profile.h"
#include "api/resource.h"
#include "api/tokens.h"
#include "base/json_write.h"

static const struct user *user_of_app(const struct pending *p)
{
    return model_user_by_external_id(engine_model(p->api->engine), buf_bytes(&p->text));
}

static void answer_id(struct api *a, struct conn *c, int status, const struct user *u)
{
    buf_reset(&a->body);
    BUF_ADD_LIT(&a->body, "{\"id\":");
    json_add_uuid(&a->body, &u->id);
    BUF_ADD_LIT(&a->body, "}");
    rest_answer(a, c, status, buf_bytes(&a->body));
}

/* ---- PUT /admin/users/:external_id ----------------------------------------------------------- */

static void user_created(struct proposal *proposal, enum err err, uint64_t cursor)
{
    struct pending *p = pending_of(proposal);

    (void)cursor;
    /* Two came at once: the second finds what the first has made when it comes again. */
    if (err == ERR_duplicate)
        err = ERR_busy;
    if (err == ERR_ok)
        answer_id(p->api, p->conn, 201, user_of_app(p));
    else
        rest_refuse(p->api, p->conn, err, NULL);
    pending_finish(p);
}

static void user_renamed(struct proposal *proposal, enum err err, uint64_t cursor)
{
    struct pending *p = pending_of(proposal);

    (void)cursor;
    if (err == ERR_ok)
        answer_id(p->api, p->conn, 200, user_of_app(p));
    else
        rest_refuse(p->api, p->conn, err, NULL);
    pending_finish(p);
}

static enum err propose_user(struct call *call, const struct record *r,
                             void (*done)(struct proposal *, enum err, uint64_t))
{
    struct pending *p = pending_new(call->api, call->conn);

    pending_keep_text(p, call->external_id);
    p->proposal.done = done;
    enum err err = engine_propose(call->api->engine, r, &p->proposal);
    if (err != ERR_ok)
        pending_finish(p);
    return err;
}

/* Who has no name gets their id without its hyphens: 32 characters that nobody else has. */
static struct bytes name_of_id(struct api *a, const struct uuid *id)
{
    char text[UUID_TEXT_LEN];
    uint8_t *name = arena_alloc(&a->arena, UUID_TEXT_LEN);
    size_t len = 0;

    uuid_format(id, text);
    for (size_t i = 0; i < UUID_TEXT_LEN; i++) {
        if (text[i] != '-')
            name[len++] = (uint8_t)text[i];
    }
    return bytes_of(name, len);
}

enum err admin_user_put(struct call *call, struct problem *problem)
{
    struct api *a = call->api;
    const struct user *u = model_user_by_external_id(engine_model(a->engine), call->external_id);
    struct bytes name = {NULL, 0}, key = {NULL, 0};
    bool named = field_there(call->body, "username");

    if (named) {
        enum err err = field_username(a, call->body, &name, &key, problem);
        if (err != ERR_ok)
            return err;
    }
    if (u == NULL) {
        struct uuid id = uuid_random();
        if (!named)
            name = key = name_of_id(a, &id);
        struct record r = {.type = RECORD_app_user_create,
                           .app_user_create = {.time = engine_now(a->engine),
                                               .id = id,
                                               .external_id = call->external_id,
                                               .username = name,
                                               .username_key = key}};
        return propose_user(call, &r, user_created);
    }
    if (!named || bytes_equal(name, u->username)) {
        answer_id(a, call->conn, 200, u);
        return ERR_ok;
    }
    struct record r = {.type = RECORD_app_user_rename,
                       .app_user_rename = {.time = engine_now(a->engine),
                                           .user = u->number,
                                           .username = name,
                                           .username_key = key}};
    return propose_user(call, &r, user_renamed);
}

/* ---- GET /admin/users/:external_id ----------------------------------------------------------- */

enum err admin_user_get(struct call *call, struct problem *problem)
{
    struct api *a = call->api;
    const struct user *u = model_user_by_external_id(engine_model(a->engine), call->external_id);

    (void)problem;
    if (u == NULL)
        return ERR_user_not_found;
    buf_reset(&a->body);
    BUF_ADD_LIT(&a->body, "{\"id\":");
    json_add_uuid(&a->body, &u->id);
    BUF_ADD_LIT(&a->body, ",\"external_id\":");
    json_add_string(&a->body, user_external_id(u));
    BUF_ADD_LIT(&a->body, ",\"username\":");
    json_add_string(&a->body, u->username);
    BUF_ADD_LIT(&a->body, ",\"created_at\":");
    json_add_int(&a->body, u->created_at);
    BUF_ADD_LIT(&a->body, "}");
    rest_answer(a, call->conn, 200, buf_bytes(&a->body));
    return ERR_ok;
}

/* ---- DELETE /admin/users/:external_id -------------------------------------------------------- */

enum err admin_user_delete(struct call *call, struct problem *problem)
{
    struct api *a = call->api;
    const struct user *u = model_user_by_external_id(engine_model(a->engine), call->external_id);

    (void)problem;
    if (u == NULL)
        return ERR_user_not_found;
    struct record r = profile_end(a, u, user_tokens(u));
    return rest_propose(call, &r);
}

/* ---- acting for a user ----------------------------------------------------------------------- */

static enum err act_for(struct call *call, const struct uuid *id)
{
    call->user = model_user_by_id(engine_model(call->api->engine), id);
    if (call->user == NULL)
        return ERR_user_not_found;
    call->tokens = user_tokens(call->user);
    return ERR_ok;
}

enum err admin_session(struct call *call, struct problem *problem)
{
    enum err err = act_for(call, &call->id);
    return err == ERR_ok ? sessions_create(call, problem) : err;
}

enum err admin_token(struct call *call, struct problem *problem)
{
    (void)problem;
    enum err err = act_for(call, &call->id);
    if (err == ERR_ok)
        tokens_answer(call->api, call->conn, call->user);
    return err;
}

/* The ":id" of the path is the group's. */
enum err admin_message(struct call *call, struct problem *problem)
{
    struct uuid user_id;

    enum err err = field_uuid(call->api, call->body, "user_id", &user_id, problem);
    if (err == ERR_ok)
        err = act_for(call, &user_id);
    return err == ERR_ok ? messages_create(call, problem) : err;
}
