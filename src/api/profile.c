/*
 * profile: what people change of themselves, and their end.
 *
 * Address and password are the ways into an account, so whoever changes them, or deletes it, must
 * know the password of now: a token may have been left lying about. A worker checks that, another
 * one hashes the new password, and the law looks once more whether the token with which it began is
 * good still.
 */
#include "api/profile.h"
#include "api/attempt.h"
#include "api/field.h"
#include "api/pending.h"
#include "api/query.h"
#include "api/tokens.h"
#include "base/ensure.h"

/* What is asked for; texts are borrowed. */
struct wish {
    bool to_delete; /* themselves; else to change */
    uint8_t fields; /* enum profile_field */
    uint32_t tokens;
    struct uuid except;
    struct bytes display_name, email, email_key;
    struct bytes password; /* as the client has sent it */
};

enum { WISH_TEXTS = 4 };

static void wish_texts(struct wish *w, struct bytes *out[WISH_TEXTS])
{
    out[0] = &w->display_name;
    out[1] = &w->email;
    out[2] = &w->email_key;
    out[3] = &w->password;
}

/* ---- a wish that waits for a worker: the struct, then its texts, in p->text --------------------
 */

static void wish_keep(struct pending *p, struct wish *w)
{
    struct bytes *texts[WISH_TEXTS];
    size_t len = sizeof *w;

    wish_texts(w, texts);
    for (int i = 0; i < WISH_TEXTS; i++)
        len += texts[i]->len;
    pending_keep_text(p, (struct bytes){NULL, 0});
    buf_reserve(&p->text, len); /* in one piece: what is left behind in others nobody wipes */
    pending_keep_text(p, bytes_of(w, sizeof *w));
    for (int i = 0; i < WISH_TEXTS; i++)
        pending_keep_text(p, *texts[i]);
}

static struct wish wish_kept(const struct pending *p)
{
    struct bytes *texts[WISH_TEXTS];
    const uint8_t *at = p->text.p + sizeof(struct wish);
    struct wish w;

    ENSURE(p->text.len >= sizeof w);
    memcpy(&w, p->text.p, sizeof w);
    wish_texts(&w, texts);
    for (int i = 0; i < WISH_TEXTS; i++) {
        texts[i]->p = at;
        at += texts[i]->len;
    }
    return w;
}

/* ---- reading --------------------------------------------------------------------------------- */

/* null takes away what there was (RFC 7396). */
static bool is_null(struct call *call, const char *name)
{
    return json_type(json_member(call->body, name)) == JSON_NULL;
}

static enum err read_wish(struct call *call, struct wish *w, struct problem *problem)
{
    struct api *a = call->api;
    enum err err = ERR_ok;
    bool ignored;

    if (field_there(call->body, "display_name"))
        err = field_name(a, call->body, "display_name", 1, a->limits.name_max, &w->display_name,
                         problem);
    if (err == ERR_ok && field_there(call->body, "email"))
        err = field_email(a, call->body, &w->email, &w->email_key, problem);
    if (err == ERR_ok && field_there(call->body, "password"))
        err = field_bytes(a, call->body, "password", a->limits.password_min, a->limits.password_max,
                          &w->password, problem);
    if (err == ERR_ok)
        err = query_uuid(call, "except", &w->except, &ignored, problem);
    if (err != ERR_ok)
        return err;
    w->tokens = call->tokens;
    if (w->display_name.len > 0 || is_null(call, "display_name"))
        w->fields |= PROFILE_NAME;
    if (w->email.len > 0 || is_null(call, "email"))
        w->fields |= PROFILE_EMAIL;
    if (w->password.len > 0)
        w->fields |= PROFILE_PASSWORD;
    return ERR_ok;
}

/* ---- the change ------------------------------------------------------------------------------ */

struct record profile_end(struct api *a, const struct user *u, uint32_t tokens)
{
    return (struct record){
        .type = RECORD_user_delete,
        .user_delete = {.time = engine_now(a->engine), .user = u->number, .tokens = tokens}};
}

static struct record record_of(struct api *a, const struct user *u, const struct wish *w,
                               const char *password)
{
    if (w->to_delete)
        return profile_end(a, u, w->tokens);
    return (struct record){.type = RECORD_user_update,
                           .user_update = {.time = engine_now(a->engine),
                                           .user = u->number,
                                           .tokens = w->tokens,
                                           .except = w->except,
                                           .fields = w->fields,
                                           .display_name = w->display_name,
                                           .email = w->email,
                                           .email_key = w->email_key,
                                           .password = bytes_cstr(password)}};
}

/* Whoever has a new password gets a token with it, as those of before have ended. */
static void answer_changed(struct pending *p, bool new_password)
{
    if (new_password)
        tokens_answer(p->api, p->conn, p->user);
    else
        rest_answer(p->api, p->conn, 200, BYTES("{}"));
    pending_finish(p);
}

static void refuse(struct pending *p, enum err err)
{
    struct problem problem = {NULL, 0};

    if (err == ERR_bad_credentials)
        problem.detail = "current_password is wrong.";
    rest_refuse(p->api, p->conn, err, &problem);
    pending_finish(p);
}

static void changed(struct proposal *proposal, enum err err, uint64_t cursor)
{
    struct pending *p = pending_of(proposal);

    (void)cursor;
    if (err == ERR_ok || err == ERR_duplicate)
        answer_changed(p, err == ERR_ok && (wish_kept(p).fields & PROFILE_PASSWORD));
    else
        refuse(p, err);
}

static void propose(struct pending *p, const struct wish *w, const char *password)
{
    struct record r = record_of(p->api, p->user, w, password);

    p->proposal.done = changed;
    enum err err = engine_propose(p->api->engine, &r, &p->proposal);
    if (err == ERR_duplicate)
        answer_changed(p, false);
    else if (err != ERR_ok)
        refuse(p, err);
}

static void hashed(void *arg, const struct password_result *result)
{
    struct pending *p = arg;
    struct wish w = wish_kept(p);

    if (result->err != ERR_ok)
        refuse(p, result->err);
    else
        propose(p, &w, result->encoded);
}

static struct bytes account_of(const struct user *u)
{
    return bytes_of(u->id.b, sizeof u->id.b);
}

static void confirmed(void *arg, const struct password_result *result)
{
    struct pending *p = arg;
    struct wish w = wish_kept(p);

    if (result->err != ERR_bad_credentials)
        attempt_give_back(p->api, account_of(p->user), &p->address);
    if (result->err != ERR_ok) {
        refuse(p, result->err);
    } else if (w.fields & PROFILE_PASSWORD) {
        enum err err = password_hash(p->api->passwords, w.password, hashed, p);
        if (err != ERR_ok)
            refuse(p, err);
    } else {
        propose(p, &w, "");
    }
}

/* Goes on with the wish once the password of now has been found right. */
static enum err confirm(struct call *call, struct wish *w, struct problem *problem)
{
    struct api *a = call->api;
    struct bytes password;

    enum err err = field_bytes(a, call->body, "current_password", 1, a->limits.password_max,
                               &password, problem);
    if (err == ERR_ok)
        err = attempt_begin(a, account_of(call->user), &call->who, problem);
    if (err != ERR_ok)
        return err;
    struct pending *p = pending_new(a, call->conn);
    p->user = call->user;
    p->address = call->who;
    wish_keep(p, w);
    err = password_verify(a->passwords, call->user->password, password, confirmed, p);
    if (err != ERR_ok) {
        attempt_give_back(a, account_of(call->user), &call->who);
        pending_finish(p);
    }
    return err;
}

/* ---- PATCH /users/me ------------------------------------------------------------------------- */

enum err profile_change(struct call *call, struct problem *problem)
{
    struct wish w = {.fields = 0};

    enum err err = read_wish(call, &w, problem);
    if (err != ERR_ok)
        return err;
    if (w.fields & (PROFILE_EMAIL | PROFILE_PASSWORD))
        return confirm(call, &w, problem);
    struct record r = record_of(call->api, call->user, &w, "");
    return rest_propose(call, &r);
}

/* ---- DELETE /users/me ------------------------------------------------------------------------ */

/* Whoever has a password has to show that it is them; the app answers for the others. */
enum err profile_delete(struct call *call, struct problem *problem)
{
    struct wish w = {.to_delete = true, .tokens = call->tokens};

    if (call->user->password.len > 0)
        return confirm(call, &w, problem);
    struct record r = record_of(call->api, call->user, &w, "");
    return rest_propose(call, &r);
}
