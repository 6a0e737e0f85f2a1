/*
 * users: registering and logging in.
 */
#include "api/attempt.h"
#include "api/field.h"
#include "api/pending.h"
#include "api/tokens.h"
#include "base/clock.h"
#include "base/json_write.h"
#include "base/text.h"

/* Answers a pending and gives it back; the body is a->body. */
static void finish_with_body(struct pending *p, int status)
{
    rest_answer(p->api, p->conn, status, buf_bytes(&p->api->body));
    pending_finish(p);
}

static void finish_refused(struct pending *p, enum err err)
{
    rest_refuse(p->api, p->conn, err, NULL);
    pending_finish(p);
}

/* ---- POST /users ----------------------------------------------------------------------------- */

/* The texts of a registration, one behind the other in a pending's buffer while it waits. */
struct registration {
    struct bytes username, username_key, email, email_key;
};

static void registered(struct proposal *proposal, enum err err, uint64_t cursor)
{
    struct pending *p = pending_of(proposal);
    struct buf *out = &p->api->body;

    (void)cursor;
    if (err != ERR_ok) {
        finish_refused(p, err);
        return;
    }
    buf_reset(out);
    BUF_ADD_LIT(out, "{\"id\":");
    json_add_uuid(out, &p->id);
    BUF_ADD_LIT(out, "}");
    finish_with_body(p, 201);
}

/* The password is hashed: propose the user. The texts of the record wait in p->text as it was laid
 * out by keep_registration: four lengths, then the texts. */
static void register_hashed(void *arg, const struct password_result *result)
{
    struct pending *p = arg;
    struct bytes texts[4];
    uint32_t lens[4];

    if (result->err != ERR_ok) {
        finish_refused(p, result->err);
        return;
    }
    memcpy(lens, p->text.p, sizeof lens);
    const uint8_t *at = p->text.p + sizeof lens;
    for (int i = 0; i < 4; i++) {
        texts[i] = bytes_of(at, lens[i]);
        at += lens[i];
    }
    struct record r = {.type = RECORD_user_create,
                       .user_create = {.time = engine_now(p->api->engine),
                                       .id = p->id,
                                       .username = texts[0],
                                       .username_key = texts[1],
                                       .email = texts[2],
                                       .email_key = texts[3],
                                       .password = bytes_cstr(result->encoded)}};
    p->proposal.done = registered;
    enum err err = engine_propose(p->api->engine, &r, &p->proposal);
    if (err != ERR_ok)
        finish_refused(p, err);
}

static void keep_registration(struct pending *p, const struct registration *r)
{
    const struct bytes texts[4] = {r->username, r->username_key, r->email, r->email_key};
    uint32_t lens[4];

    for (int i = 0; i < 4; i++)
        lens[i] = (uint32_t)texts[i].len;
    pending_keep_text(p, bytes_of(lens, sizeof lens));
    for (int i = 0; i < 4; i++)
        pending_keep_text(p, texts[i]);
}

static enum err read_registration(struct call *call, struct registration *r,
                                  struct problem *problem)
{
    struct api *a = call->api;

    enum err err = field_username(a, call->body, &r->username, &r->username_key, problem);
    if (err != ERR_ok)
        return err;
    if (!field_there(call->body, "email"))
        return ERR_ok;
    return field_email(a, call->body, &r->email, &r->email_key, problem);
}

enum err users_register(struct call *call, struct problem *problem)
{
    struct api *a = call->api;
    const struct model *m = engine_model(a->engine);
    struct registration r = {0};
    struct bytes password;

    enum err err = read_registration(call, &r, problem);
    if (err == ERR_ok)
        err = field_bytes(a, call->body, "password", a->limits.password_min, a->limits.password_max,
                          &password, problem);
    if (err != ERR_ok)
        return err;
    problem->retry_ms = limit_table_take(
        a->register_by_address, bytes_of(call->who.b, sizeof call->who.b), clock_mono_ms());
    if (problem->retry_ms > 0) {
        a->stats.throttled[THROTTLED_REGISTER]++;
        return ERR_too_many_requests;
    }
    /* A quick no, before a worker sweats for it; the commit decides. */
    if (model_user_by_name(m, r.username_key) != NULL)
        return ERR_username_taken;
    if (r.email_key.len > 0 && model_user_by_email(m, r.email_key) != NULL)
        return ERR_email_taken;

    struct pending *p = pending_new(a, call->conn);
    p->id = uuid_random();
    keep_registration(p, &r);
    err = password_hash(a->passwords, password, register_hashed, p);
    if (err != ERR_ok)
        pending_finish(p);
    return err;
}

/* ---- POST /login ----------------------------------------------------------------------------- */

static void attempt_was_none(struct pending *p)
{
    attempt_give_back(p->api, buf_bytes(&p->text), &p->address);
}

static void login_verified(void *arg, const struct password_result *result)
{
    struct pending *p = arg;
    struct api *a = p->api;

    if (result->err != ERR_bad_credentials)
        attempt_was_none(p);
    if (result->err != ERR_ok) {
        finish_refused(p, result->err);
        return;
    }
    /* While the worker looked at it, the password may have become one of before. */
    if (!user_takes_token(p->user, p->other)) {
        finish_refused(p, ERR_bad_credentials);
        return;
    }
    tokens_answer(a, p->conn, p->user);
    pending_finish(p);
}

/* Finds who wants in: by name where there is one, else by e-mail address; *user stays NULL where
 * there is nobody. *account is what failed logins are counted by, also for somebody who does not
 * exist. */
static enum err find_account(struct call *call, const struct user **user, struct bytes *account,
                             struct problem *problem)
{
    struct api *a = call->api;
    const struct model *m = engine_model(a->engine);
    bool by_name = field_there(call->body, "username");
    struct bytes given;

    if (!by_name && !field_there(call->body, "email"))
        return field_fault(a, problem, "username or email must be there.");
    enum err err =
        field_bytes(a, call->body, by_name ? "username" : "email", 0, 1024, &given, problem);
    if (err != ERR_ok)
        return err;
    *account = given;
    if (field_fold(a, given, by_name ? text_fold_name : text_fold_email, account))
        *user = by_name ? model_user_by_name(m, *account) : model_user_by_email(m, *account);
    /* One account has one counter, whichever way in is tried. */
    if (*user != NULL)
        *account = bytes_of((*user)->id.b, sizeof(*user)->id.b);
    return ERR_ok;
}

enum err users_login(struct call *call, struct problem *problem)
{
    struct api *a = call->api;
    const struct user *user = NULL;
    struct bytes account = {NULL, 0}, password;

    enum err err = find_account(call, &user, &account, problem);
    if (err == ERR_ok)
        err = field_bytes(a, call->body, "password", 1, a->limits.password_max, &password, problem);
    if (err != ERR_ok)
        return err;
    err = attempt_begin(a, account, &call->who, problem);
    if (err != ERR_ok)
        return err;

    struct pending *p = pending_new(a, call->conn);
    p->user = user;
    p->other = user != NULL ? user_tokens(user) : 0;
    p->address = call->who;
    pending_keep_text(p, account);
    err = password_verify(a->passwords, user != NULL ? user->password : bytes_of(NULL, 0), password,
                          login_verified, p);
    if (err != ERR_ok) {
        attempt_was_none(p);
        pending_finish(p);
    }
    return err;
}
