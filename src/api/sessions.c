/*
 * sessions: a device, and the messaging URL that its socket connects to.
 */
#include "api/field.h"
#include "api/pending.h"
#include "api/query.h"
#include "api/resource.h"
#include "base/json_write.h"

#include <stdio.h>

static const char *const platform_names[PLATFORM_COUNT] = {"web", "ios", "android", "live"};

static enum err read_platform(struct call *call, uint8_t *platform, struct problem *problem)
{
    struct bytes s;

    if (json_string(json_member(call->body, "platform"), &call->api->arena, &s)) {
        for (unsigned i = 0; i < PLATFORM_COUNT; i++) {
            if (bytes_equal(s, bytes_cstr(platform_names[i]))) {
                *platform = (uint8_t)i;
                return ERR_ok;
            }
        }
    }
    problem->detail = "platform must be one of web, ios, android, live.";
    return ERR_invalid_field;
}

/* ws://HOST/ or, where the public base is https, wss://…/. */
static void add_base_url(struct buf *out, const struct api *a, struct bytes host)
{
    struct bytes base = bytes_cstr(a->public_url);

    if (base.len == 0) {
        BUF_ADD_LIT(out, "ws://");
        buf_add_bytes(out, host);
    } else {
        /* http… becomes ws…: the first four letters are checked at start-up. */
        BUF_ADD_LIT(out, "ws");
        buf_add(out, base.p + 4, base.len - 4);
    }
    BUF_ADD_LIT(out, "/");
}

/* The host under which the server is reached, as far as the request tells: the app asks at its own
 * door, so there it is the same host with the port where users come in. */
static struct bytes public_host(struct call *call)
{
    struct api *a = call->api;
    struct bytes host = call->request->host;
    char port[8];
    size_t len = host.len;

    if (!call->is_app)
        return host;
    while (len > 0 && host.p[len - 1] >= '0' && host.p[len - 1] <= '9')
        len--;
    if (len > 0 && host.p[len - 1] == ':')
        host.len = len - 1;
    int n = snprintf(port, sizeof port, ":%u", (unsigned)a->public_port);
    buf_reset(&a->scratch);
    buf_add_bytes(&a->scratch, host);
    buf_add(&a->scratch, port, (size_t)n);
    return buf_bytes(&a->scratch);
}

static void session_created(struct proposal *proposal, enum err err, uint64_t cursor)
{
    struct pending *p = pending_of(proposal);
    struct api *a = p->api;
    struct buf *out = &a->body;
    char token[UUID_TEXT_LEN];

    (void)cursor;
    const struct session *s =
        err == ERR_ok ? model_session_by_id(engine_model(a->engine), &p->id) : NULL;
    if (s == NULL) {
        rest_refuse(a, p->conn, err != ERR_ok ? err : ERR_busy, NULL);
        pending_finish(p);
        return;
    }
    buf_reset(out);
    BUF_ADD_LIT(out, "{\"id\":");
    json_add_uuid(out, &s->id);
    BUF_ADD_LIT(out, ",\"created_at\":");
    json_add_int(out, s->created_at);
    BUF_ADD_LIT(out, ",\"messaging_url\":");
    buf_reset(&a->scratch);
    add_base_url(&a->scratch, a, buf_bytes(&p->text));
    uuid_format(&p->token, token);
    buf_add(&a->scratch, token, sizeof token);
    json_add_string(out, buf_bytes(&a->scratch));
    BUF_ADD_LIT(out, "}");
    rest_answer(a, p->conn, 201, buf_bytes(out));
    pending_finish(p);
}

/* ---- GET /sessions --------------------------------------------------------------------------- */

enum err sessions_list(struct call *call, struct problem *problem)
{
    struct buf *out = &call->api->body;

    (void)problem;
    buf_reset(out);
    BUF_ADD_LIT(out, "{\"sessions\":[");
    for (const struct session *s = call->user->sessions; s != NULL; s = s->next) {
        struct listener *oldest;
        if (s != call->user->sessions)
            BUF_ADD_LIT(out, ",");
        resource_session(out, s, hub_session_sockets(s, &oldest) > 0);
    }
    BUF_ADD_LIT(out, "]}");
    rest_answer(call->api, call->conn, 200, buf_bytes(out));
    return ERR_ok;
}

/* ---- POST /sessions -------------------------------------------------------------------------- */

static enum err read_session(struct call *call, struct record_session_open *r,
                             struct problem *problem)
{
    struct api *a = call->api;
    uint32_t max = a->limits.name_max;
    int64_t build = 0;

    enum err err = field_name(a, call->body, "device_id", 1, max, &r->device_id, problem);
    if (err == ERR_ok)
        err = read_platform(call, &r->platform, problem);
    if (err == ERR_ok)
        err = field_name(a, call->body, "model", 0, max, &r->model, problem);
    if (err == ERR_ok)
        err = field_int(a, call->body, "build", 1, UINT32_MAX, &build, problem);
    if (err == ERR_ok)
        err = field_name(a, call->body, "name", 0, max, &r->name, problem);
    r->build = (uint32_t)build;
    return err;
}

enum err sessions_create(struct call *call, struct problem *problem)
{
    struct api *a = call->api;
    struct record r = {.type = RECORD_session_open};
    struct record_session_open *s = &r.session_open;

    if (call->request->host.len == 0 && a->public_url[0] == '\0') {
        problem->detail = "Without a Host the messaging URL is not known; use HTTP/1.1.";
        return ERR_bad_request;
    }
    enum err err = read_session(call, s, problem);
    if (err != ERR_ok)
        return err;
    struct pending *p = pending_new(a, call->conn);
    p->id = uuid_random();
    p->token = uuid_random();
    pending_keep_text(p, public_host(call));
    p->proposal.done = session_created;
    s->time = engine_now(a->engine);
    s->id = p->id;
    s->user = call->user->number;
    s->tokens = call->tokens;
    hash_bytes(bytes_of(p->token.b, sizeof p->token.b), s->token.b, sizeof s->token.b);
    s->sessions_max = a->limits.user_sessions_max;
    if (call->user->session_count >= a->limits.user_sessions_max)
        s->replaces = hub_longest_unused(call->user)->id;
    err = engine_propose(a->engine, &r, &p->proposal);
    if (err != ERR_ok)
        pending_finish(p);
    return err;
}

/* ---- DELETE /sessions/:id and /sessions ------------------------------------------------------
 * The sockets are closed with the commit's events. */

enum err session_end(struct call *call, struct problem *problem)
{
    struct record r = {.type = RECORD_session_end,
                       .session_end = {.time = engine_now(call->api->engine),
                                       .user = call->user->number,
                                       .id = call->id}};
    (void)problem;
    return rest_propose(call, &r);
}

enum err sessions_end(struct call *call, struct problem *problem)
{
    struct record r = {
        .type = RECORD_sessions_end,
        .sessions_end = {.time = engine_now(call->api->engine), .user = call->user->number}};
    bool there;

    enum err err = query_uuid(call, "except", &r.sessions_end.except, &there, problem);
    return err == ERR_ok ? rest_propose(call, &r) : err;
}
