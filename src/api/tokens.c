#include "api/tokens.h"

#include "base/clock.h"

void tokens_answer(struct api *a, struct conn *c, const struct user *u)
{
    struct token_claims claims = {.user_id = u->id,
                                  .expires_s = clock_wall_ms() / 1000 +
                                               (int64_t)a->limits.token_days * 86400,
                                  .generation = user_tokens(u)};

    buf_reset(&a->body);
    BUF_ADD_LIT(&a->body, "{\"token\":\"");
    token_issue(a->token_key, &claims, &a->body);
    BUF_ADD_LIT(&a->body, "\"}");
    rest_answer(a, c, 200, buf_bytes(&a->body));
}

/* RFC 9110, 11.4: the scheme in any case, one or more spaces, the token; RFC 6750, 2.1. */
bool tokens_bearer(const struct http_request *r, struct bytes *token)
{
    struct bytes value;

    if (http_field_count(r, "authorization") != 1 || !http_field(r, "authorization", &value))
        return false;
    if (value.len < 7 || !bytes_equal_nocase(bytes_of(value.p, 7), BYTES("bearer ")))
        return false;
    size_t at = 7;
    while (at < value.len && value.p[at] == ' ')
        at++;
    *token = bytes_of(value.p + at, value.len - at);
    return true;
}

/* The user whom a token of the app names: by the app's own id, or by ours. */
static const struct user *user_of_app_token(struct call *call, struct bytes token, int64_t now_s)
{
    struct api *a = call->api;
    const struct model *m = engine_model(a->engine);
    struct bytes sub;
    struct uuid id;

    if (app_token_verify(a->app_token_key, token, now_s, (int64_t)a->limits.app_token_days * 86400,
                         &a->arena, &sub) != ERR_ok)
        return NULL;
    const struct user *u = model_user_by_external_id(m, sub);
    if (u == NULL && uuid_parse(sub, &id))
        u = model_user_by_id(m, &id);
    return u;
}

/* Tokens of the app are of no generation: they count until they end. */
enum err tokens_authenticate(struct call *call)
{
    struct api *a = call->api;
    int64_t now_s = clock_wall_ms() / 1000;
    struct token_claims claims;
    struct bytes token;

    if (!tokens_bearer(call->request, &token))
        return ERR_unauthorized;
    if (token_verify(a->token_key, token, now_s, &claims) == ERR_ok) {
        call->user = model_user_by_id(engine_model(a->engine), &claims.user_id);
        if (call->user != NULL && !user_takes_token(call->user, claims.generation))
            call->user = NULL;
    } else {
        call->user = user_of_app_token(call, token, now_s);
        call->app_token = true;
    }
    if (call->user == NULL)
        return ERR_unauthorized;
    call->tokens = user_tokens(call->user);
    return ERR_ok;
}

/* ---- POST /token ------------------------------------------------------------------------------
 */

/* A token of the app is the app's to renew: ours would outlive it. */
enum err tokens_renew(struct call *call, struct problem *problem)
{
    if (call->app_token) {
        problem->detail = "A token that the app has signed is renewed by the app.";
        return ERR_forbidden;
    }
    tokens_answer(call->api, call->conn, call->user);
    return ERR_ok;
}
