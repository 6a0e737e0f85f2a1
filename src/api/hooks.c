/*
 * hooks: the app's webhooks: which there are. Room hooks tells them.
 */
#include "hooks/hooks.h"

#include "api/field.h"
#include "api/pending.h"
#include "base/crypto.h"
#include "base/json_write.h"
#include "hooks/sign.h"
#include "hooks/url.h"

/* ---- types ----------------------------------------------------------------------------------- */

/* The number of an event as somebody writes it: that number, or its name. */
static bool read_type(struct api *a, struct json value, uint32_t *type)
{
    static const struct {
        const char *name;
        uint32_t type;
    } names[] = {
#define EVENT(wire, name, audience) {#name, wire},
#include "model/event.def"
#undef EVENT
    };
    struct bytes text;
    int64_t number;

    if (json_int(value, &number) && number > 0 && number <= UINT8_MAX) {
        *type = (uint32_t)number;
        return hook_offers(*type);
    }
    if (!json_string(value, &a->arena, &text))
        return false;
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        *type = names[i].type;
        if (bytes_equal(text, bytes_cstr(names[i].name)))
            return hook_offers(*type);
    }
    return false;
}

/* Rising, each once, as the record has them; none where the field is not there. */
static enum err read_types(struct api *a, struct json body, struct record_u32s *types,
                           struct problem *problem)
{
    struct json list = json_member(body, "types");
    bool wanted[UINT8_MAX + 1] = {false};
    struct buf numbers = {arena_alloc(&a->arena, sizeof wanted * 4), 0, sizeof wanted * 4};

    *types = (struct record_u32s){numbers.p, 0};
    if (!field_there(body, "types"))
        return ERR_ok;
    if (json_type(list) != JSON_ARRAY || json_count(list) == 0)
        return field_fault(a, problem, "types must be an array of one or more types of events.");
    for (struct json e = json_first(list); json_type(e) != JSON_NONE; e = json_next(e)) {
        uint32_t type = 0;
        if (!read_type(a, e, &type))
            return field_fault(a, problem,
                               "types must hold numbers of durable events, or their names.");
        wanted[type] = true;
    }
    for (uint32_t type = 0; type <= UINT8_MAX; type++) {
        if (wanted[type])
            buf_add_u32le(&numbers, type);
    }
    types->count = (uint32_t)(numbers.len / 4);
    return ERR_ok;
}

/* ---- what is shown ---------------------------------------------------------------------------
 */

static void add_hook(struct buf *out, const struct hook *hook)
{
    BUF_ADD_LIT(out, "\"hook_id\":");
    json_add_uuid(out, &hook->id);
    BUF_ADD_LIT(out, ",\"url\":");
    json_add_string(out, hook->url);
    BUF_ADD_LIT(out, ",\"types\":[");
    for (uint32_t i = 0; i < hook->type_count; i++) {
        if (i > 0)
            BUF_ADD_LIT(out, ",");
        json_add_uint(out, hook->types[i]);
    }
    BUF_ADD_LIT(out, "],\"created_at\":");
    json_add_int(out, hook->created_at);
}

static void add_status(struct buf *out, const struct hook_status *s)
{
    BUF_ADD_LIT(out, ",\"cursor\":");
    json_add_uint(out, s->position);
    BUF_ADD_LIT(out, ",\"behind\":");
    json_add_uint(out, s->behind);
    BUF_ADD_LIT(out, ",\"failures\":");
    json_add_uint(out, s->failures);
    if (s->error != NULL) {
        BUF_ADD_LIT(out, ",\"last_error\":");
        json_add_string(out, bytes_cstr(s->error));
    }
    if (s->status != 0) {
        BUF_ADD_LIT(out, ",\"last_status\":");
        json_add_int(out, s->status);
    }
    if (s->next_try_ms != 0) {
        BUF_ADD_LIT(out, ",\"next_try_at\":");
        json_add_int(out, s->next_try_ms);
    }
}

/* ---- POST /admin/hooks -----------------------------------------------------------------------
 */

/* As it is now, with the secret where the server has made it. */
static void answer_hook(struct pending *p, enum err err, int status)
{
    struct api *a = p->api;

    if (err != ERR_ok) {
        rest_refuse(a, p->conn, err, NULL);
        pending_finish(p);
        return;
    }
    const struct hook *hook = model_hook_by_id(engine_model(a->engine), &p->id);
    buf_reset(&a->body);
    BUF_ADD_LIT(&a->body, "{");
    add_hook(&a->body, hook);
    BUF_ADD_LIT(&a->body, ",\"cursor\":");
    json_add_uint(&a->body, hook->position);
    if (p->has_text) {
        BUF_ADD_LIT(&a->body, ",\"secret\":");
        json_add_string(&a->body, buf_bytes(&p->text));
    }
    BUF_ADD_LIT(&a->body, "}");
    rest_answer(a, p->conn, status, buf_bytes(&a->body));
    crypto_wipe(a->body.p, a->body.len);
    pending_finish(p);
}

static void created(struct proposal *proposal, enum err err, uint64_t cursor)
{
    (void)cursor;
    answer_hook(pending_of(proposal), err, 201);
}

/* The secret that the app wrote; where it wrote none, one that it is told, in `shown`. */
static enum err read_secret(struct api *a, struct json body, struct buf *key, struct buf *shown,
                            struct problem *problem)
{
    uint8_t made[SIGN_KEY_LEN];
    struct bytes text;

    if (!field_there(body, "secret")) {
        crypto_random(made, sizeof made);
        buf_add(key, made, sizeof made);
        sign_key_write(buf_bytes(key), shown);
        crypto_wipe(made, sizeof made);
        return ERR_ok;
    }
    if (!json_string(json_member(body, "secret"), &a->arena, &text) || !sign_key_read(text, key))
        return field_fault(a, problem,
                           "secret must be 1 to %u bytes, or whsec_ and as many in base64.",
                           SIGN_KEY_MAX);
    return ERR_ok;
}

static enum err read_url(struct api *a, struct json body, struct bytes *url,
                         struct problem *problem)
{
    enum err err = field_bytes(a, body, "url", 1, a->limits.hook_url_max, url, problem);

    if (err == ERR_ok && !hook_url_valid(*url))
        return field_fault(a, problem,
                           "url must be http://host/path or https://host/path, without user, "
                           "password and fragment.");
    return err;
}

/* Begins behind that cursor, or now. */
static enum err read_after(struct api *a, struct json body, uint64_t *after,
                           struct problem *problem)
{
    int64_t number;

    *after = UINT64_MAX;
    if (!field_there(body, "after"))
        return ERR_ok;
    enum err err = field_int(a, body, "after", 0, INT64_MAX, &number, problem);
    if (err == ERR_ok)
        *after = (uint64_t)number;
    return err;
}

typedef void done_fn(struct proposal *proposal, enum err err, uint64_t cursor);

static enum err propose_hook(struct call *call, const struct uuid *id, const struct record *r,
                             const struct buf *shown, done_fn *done)
{
    struct pending *p = pending_new(call->api, call->conn);

    p->id = *id;
    if (shown->len > 0)
        pending_keep_text(p, buf_bytes(shown));
    p->proposal.done = done;
    enum err err = engine_propose(call->api->engine, r, &p->proposal);
    if (err != ERR_ok)
        pending_finish(p);
    return err;
}

enum err hooks_create(struct call *call, struct problem *problem)
{
    struct api *a = call->api;
    struct buf key = {0}, shown = {0};
    struct record r = {.type = RECORD_hook_create};
    struct record_hook_create *h = &r.hook_create;

    h->time = engine_now(a->engine);
    h->id = uuid_random();
    h->hooks_max = a->limits.hooks_max;
    enum err err = read_url(a, call->body, &h->url, problem);
    if (err == ERR_ok)
        err = read_types(a, call->body, &h->types, problem);
    if (err == ERR_ok)
        err = read_after(a, call->body, &h->after, problem);
    if (err == ERR_ok)
        err = read_secret(a, call->body, &key, &shown, problem);
    if (err == ERR_ok) {
        h->secret = buf_bytes(&key);
        err = propose_hook(call, &h->id, &r, &shown, created);
    }
    crypto_wipe(key.p, key.len);
    crypto_wipe(shown.p, shown.len);
    buf_release(&key);
    buf_release(&shown);
    return err;
}

/* ---- PATCH /admin/hooks/:id -------------------------------------------------------------------
 */

static void updated(struct proposal *proposal, enum err err, uint64_t cursor)
{
    (void)cursor;
    answer_hook(pending_of(proposal), err, 200);
}

/* Is it said, if only null: all types, or a secret that the server makes? */
static uint8_t bit_of(struct json body, const char *name, enum hook_field bit)
{
    return json_type(json_member(body, name)) != JSON_NONE ? (uint8_t)bit : 0;
}

enum err hooks_update(struct call *call, struct problem *problem)
{
    struct api *a = call->api;
    struct buf key = {0}, shown = {0};
    struct record r = {.type = RECORD_hook_update};
    struct record_hook_update *h = &r.hook_update;
    enum err err = ERR_ok;

    h->time = engine_now(a->engine);
    h->id = call->id;
    h->fields = bit_of(call->body, "url", HOOK_URL) | bit_of(call->body, "types", HOOK_TYPES) |
                bit_of(call->body, "secret", HOOK_SECRET);
    if (h->fields == 0)
        err = field_fault(a, problem, "There must be a url, types or a secret.");
    if (err == ERR_ok && h->fields & HOOK_URL)
        err = read_url(a, call->body, &h->url, problem);
    if (err == ERR_ok && h->fields & HOOK_TYPES)
        err = read_types(a, call->body, &h->types, problem);
    if (err == ERR_ok && h->fields & HOOK_SECRET)
        err = read_secret(a, call->body, &key, &shown, problem);
    if (err == ERR_ok) {
        h->secret = buf_bytes(&key);
        h->until = h->fields & HOOK_SECRET && a->limits.hook_secret_ms > 0
                       ? h->time + a->limits.hook_secret_ms
                       : 0;
        err = propose_hook(call, &h->id, &r, &shown, updated);
    }
    crypto_wipe(key.p, key.len);
    crypto_wipe(shown.p, shown.len);
    buf_release(&key);
    buf_release(&shown);
    return err;
}

/* ---- GET /admin/hooks ------------------------------------------------------------------------
 */

enum err hooks_list(struct call *call, struct problem *problem)
{
    struct api *a = call->api;
    const struct model *m = engine_model(a->engine);

    (void)problem;
    buf_reset(&a->body);
    BUF_ADD_LIT(&a->body, "{\"hooks\":[");
    for (uint32_t i = 0; i < model_hook_count(m); i++) {
        const struct hook *hook = model_hook(m, i);
        struct hook_status status = hooks_status(a->hooks, m, hook);
        if (i > 0)
            BUF_ADD_LIT(&a->body, ",");
        BUF_ADD_LIT(&a->body, "{");
        add_hook(&a->body, hook);
        add_status(&a->body, &status);
        BUF_ADD_LIT(&a->body, "}");
    }
    BUF_ADD_LIT(&a->body, "]}");
    rest_answer(a, call->conn, 200, buf_bytes(&a->body));
    return ERR_ok;
}

/* ---- DELETE /admin/hooks/:id -----------------------------------------------------------------
 */

static void deleted(struct proposal *proposal, enum err err, uint64_t cursor)
{
    struct pending *p = pending_of(proposal);

    (void)cursor;
    if (err == ERR_ok)
        rest_answer(p->api, p->conn, 204, BYTES(""));
    else
        rest_refuse(p->api, p->conn, err, NULL);
    pending_finish(p);
}

enum err hooks_delete(struct call *call, struct problem *problem)
{
    struct record r = {.type = RECORD_hook_delete,
                       .hook_delete = {.time = engine_now(call->api->engine), .id = call->id}};
    struct pending *p = pending_new(call->api, call->conn);

    (void)problem;
    p->proposal.done = deleted;
    enum err err = engine_propose(call->api->engine, &r, &p->proposal);
    if (err != ERR_ok)
        pending_finish(p);
    return err;
}
