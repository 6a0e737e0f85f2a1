#include "api/rest.h"

#include "api/pending.h"
#include "api/render.h"
#include "api/tokens.h"
#include "base/clock.h"
#include "base/diag.h"
#include "base/ensure.h"

#include <stdio.h>

struct route {
    enum http_method method;
    const char *method_name;
    const char *path;
    enum err (*handler)(struct call *call, struct problem *problem);
    unsigned needs;
};

static const struct route routes[] = {
#define ROUTE(method, path, handler, needs) {HTTP_##method##_, #method, path, handler, needs},
#include "api/route.def"
#undef ROUTE
};

#define ROUTE_COUNT (sizeof routes / sizeof routes[0])

/* Bytes of the fields that an answer of this room adds, with room to spare. */
#define EXTRA_MAX 384

/* ---- answers --------------------------------------------------------------------------------- */

void rest_count(struct api *a, const struct conn *c, int status)
{
    struct conn_mark mark = conn_mark(c);

    a->stats.requests[mark.what][status / 100]++;
    if (mark.what < ROUTE_COUNT && routes[mark.what].needs & MAY_WAIT)
        return;
    timing_add(&a->stats.request_time,
               (uint64_t)((uint32_t)clock_mono_ms() - mark.at_ms) * 1000000);
}

/* Who has asked, and when: the answer may come later. */
static void mark_request(struct conn *c, size_t route, int64_t now_ms)
{
    conn_set_mark(c, (struct conn_mark){(uint32_t)route, (uint32_t)now_ms});
}

/* Every answer goes out here, with what it says to the page that asked. */
static void answer_with(struct api *a, struct conn *c, struct http_answer *answer)
{
    char fields[ORIGINS_FIELDS_MAX + EXTRA_MAX];

    size_t len = origins_fields(a->origins, conn_note(c), fields);
    ENSURE(answer->extra.len < EXTRA_MAX);
    if (answer->extra.len > 0)
        memcpy(fields + len, answer->extra.p, answer->extra.len);
    answer->extra = bytes_of(fields, len + answer->extra.len);
    rest_count(a, c, answer->status);
    conn_answer(c, answer);
}

void rest_answer(struct api *a, struct conn *c, int status, struct bytes body)
{
    struct http_answer answer = {.status = status, .type = BYTES("application/json"), .body = body};
    answer_with(a, c, &answer);
}

void rest_answer_as(struct api *a, struct conn *c, struct bytes type, struct bytes body)
{
    struct http_answer answer = {.status = 200, .type = type, .body = body};
    answer_with(a, c, &answer);
}

void rest_refuse(struct api *a, struct conn *c, enum err err, const struct problem *problem)
{
    buf_reset(&a->body);
    render_error(&a->body, err, problem != NULL ? problem->detail : NULL);
    rest_refuse_rendered(a, c, err, problem != NULL ? problem->retry_ms : 0);
}

void rest_refuse_rendered(struct api *a, struct conn *c, enum err err, uint32_t retry_ms)
{
    char extra[128] = "";

    if (retry_ms == 0 && err_status(err) == 503)
        retry_ms = 1000;
    if (retry_ms > 0)
        snprintf(extra, sizeof extra, "retry-after: %u\r\n", (retry_ms + 999) / 1000);
    else if (err_status(err) == 401)
        snprintf(extra, sizeof extra, "www-authenticate: Bearer\r\n");
    else if (err == ERR_upgrade_required)
        snprintf(extra, sizeof extra,
                 "upgrade: websocket\r\nconnection: upgrade\r\nsec-websocket-version: 13\r\n");
    struct http_answer answer = {.status = err_status(err),
                                 .type = BYTES("application/json"),
                                 .body = buf_bytes(&a->body),
                                 .extra = bytes_cstr(extra)};
    answer_with(a, c, &answer);
}

/* ---- changes that say no more than that they are done ------------------------------------------
 */

static void change_committed(struct proposal *proposal, enum err err, uint64_t cursor)
{
    struct pending *p = pending_of(proposal);

    (void)cursor;
    if (err != ERR_ok && err != ERR_duplicate)
        rest_refuse(p->api, p->conn, err, NULL);
    else
        rest_answer(p->api, p->conn, 200, BYTES("{}"));
    pending_finish(p);
}

enum err rest_propose(struct call *call, const struct record *r)
{
    struct pending *p = pending_new(call->api, call->conn);
    p->proposal.done = change_committed;
    enum err err = engine_propose(call->api->engine, r, &p->proposal);
    if (err != ERR_ok)
        pending_finish(p);
    if (err == ERR_duplicate) {
        rest_answer(call->api, call->conn, 200, BYTES("{}"));
        return ERR_ok;
    }
    return err;
}

/* ---- from a path to a route ------------------------------------------------------------------ */

/* The next segment of a path: what stands between this '/' and the next; false at the end. */
static bool next_segment(struct bytes *path, struct bytes *segment)
{
    if (path->len == 0)
        return false;
    const uint8_t *start = path->p + 1;
    const uint8_t *end = memchr(start, '/', path->len - 1);
    size_t len = end != NULL ? (size_t)(end - start) : path->len - 1;
    *segment = bytes_of(start, len);
    *path = bytes_of(start + len, path->len - 1 - len);
    return true;
}

/* One segment against the pattern's; what a name takes goes into the call. */
static bool segment_fits(struct bytes want, struct bytes have, struct call *call)
{
    if (bytes_equal(want, BYTES(":id")))
        return uuid_parse(have, &call->id);
    if (bytes_equal(want, BYTES(":user_id")))
        return uuid_parse(have, &call->user_id);
    if (bytes_equal(want, BYTES(":external_id"))) {
        call->external_id = have;
        return external_id_valid(have);
    }
    return bytes_equal(want, have);
}

static bool path_fits(const char *pattern, struct bytes path, struct call *call)
{
    struct bytes left = bytes_cstr(pattern), want, have;

    while (next_segment(&left, &want)) {
        if (!next_segment(&path, &have) || !segment_fits(want, have, call))
            return false;
    }
    return path.len == 0;
}

/* The app's door has the app's routes, the public one all others; those of an operator are at
 * both, or at the app's. */
static bool door_fits(const struct route *route, const struct conn *c)
{
    if (route->needs & AT_EVERY_DOOR)
        return true;
    return ((route->needs & (NEEDS_APP | AT_APP_DOOR)) != 0) == (conn_door(c) == NET_DOOR_APP);
}

/* A HEAD request is a GET whose body is not sent. */
static bool method_fits(enum http_method route, enum http_method asked)
{
    return route == asked || (route == HTTP_GET_ && asked == HTTP_HEAD_);
}

/* The Allow field of a path, "" where no route has it. */
static void allowed_methods(const struct conn *c, struct bytes path, char *out, size_t out_len)
{
    struct call ignored;
    size_t len = 0;

    out[0] = '\0';
    for (size_t i = 0; i < ROUTE_COUNT; i++) {
        if (door_fits(&routes[i], c) && path_fits(routes[i].path, path, &ignored) && len < out_len)
            len += (size_t)snprintf(out + len, out_len - len, "%s%s%s", len > 0 ? ", " : "",
                                    routes[i].method_name,
                                    routes[i].method == HTTP_GET_ ? ", HEAD" : "");
    }
    if (len > 0 && len < out_len)
        snprintf(out + len, out_len - len, ", OPTIONS");
}

static void answer_methods(struct api *a, struct conn *c, const struct http_request *r)
{
    char allow[128], extra[EXTRA_MAX];

    allowed_methods(c, r->path, allow, sizeof allow);
    if (bytes_equal(r->path, BYTES("*")))
        snprintf(allow, sizeof allow, "GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS");
    if (allow[0] == '\0') {
        rest_refuse(a, c, ERR_not_found, NULL);
        return;
    }
    int len = snprintf(extra, sizeof extra, "allow: %s\r\n", allow);
    /* The page's browser asks whether the page may ask (Fetch, 3.2.3). */
    if (conn_note(c) != 0 && origins_is_preflight(r))
        snprintf(extra + len, sizeof extra - (size_t)len,
                 "access-control-allow-methods: %s\r\n"
                 "access-control-allow-headers: authorization, content-type, idempotency-key\r\n"
                 "access-control-max-age: 600\r\n",
                 allow);
    struct http_answer answer = {.status = 204, .extra = bytes_cstr(extra)};
    if (r->method != HTTP_OPTIONS_) {
        buf_reset(&a->body);
        render_error(&a->body, ERR_method_not_allowed, NULL);
        answer.status = 405;
        answer.type = BYTES("application/json");
        answer.body = buf_bytes(&a->body);
    }
    answer_with(a, c, &answer);
}

/* ---- what a route needs ---------------------------------------------------------------------- */

static bool has_app_key(const struct api *a, const struct conn *c, const struct http_request *r)
{
    struct bytes token;
    return conn_door(c) == NET_DOOR_APP && tokens_bearer(r, &token) &&
           app_key_is(a->app_key, token);
}

/* RFC 9110, 8.3.1: type and subtype in any case, parameters after a semicolon. A body without the
 * field is taken for what it should be; one with two of them says nothing that could be trusted. */
static bool is_json_type(const struct http_request *r)
{
    struct bytes value, json = BYTES("application/json");
    uint32_t n = http_field_count(r, "content-type");

    if (n == 0 || !http_field(r, "content-type", &value))
        return true;
    if (n > 1)
        return false;
    if (value.len < json.len || !bytes_equal_nocase(bytes_of(value.p, json.len), json))
        return false;
    for (size_t i = json.len; i < value.len; i++) {
        if (value.p[i] == ';')
            return true;
        if (value.p[i] != ' ' && value.p[i] != '\t')
            return false;
    }
    return true;
}

static enum err read_body(struct call *call, struct problem *problem)
{
    const char *why = NULL;

    if (!is_json_type(call->request))
        return ERR_unsupported_media_type;
    enum err err = json_read(call->request->body, call->api->limits.json, &call->api->arena,
                             &call->body, &why);
    if (err != ERR_ok) {
        problem->detail = why;
        return err;
    }
    if (json_type(call->body) != JSON_OBJECT) {
        problem->detail = "The body must be a JSON object.";
        return ERR_invalid_json;
    }
    return ERR_ok;
}

/* May this client, or this user, ask once more just now? */
static enum err take_request(struct call *call, struct limit_table *t, struct bytes key,
                             enum throttled kind, struct problem *problem)
{
    problem->retry_ms = limit_table_take(t, key, call->now_ms);
    if (problem->retry_ms == 0)
        return ERR_ok;
    call->api->stats.throttled[kind]++;
    return ERR_too_many_requests;
}

static enum err run_route(const struct route *route, struct call *call, struct problem *problem)
{
    enum err err = ERR_ok;

    if (call->api->draining && !(route->needs & AT_EVERY_DOOR))
        return ERR_shutting_down;
    if ((route->needs & NEEDS_APP) && !call->is_app)
        return ERR_unauthorized;
    if (route->needs & NEEDS_AUTH) {
        err = tokens_authenticate(call);
        if (err == ERR_ok)
            err = take_request(call, call->api->requests_by_user,
                               bytes_of(&call->user->number, sizeof call->user->number),
                               THROTTLED_USER, problem);
    }
    bool has_json =
        (route->needs & NEEDS_JSON) || ((route->needs & TAKES_JSON) && call->request->body.len > 0);
    if (err == ERR_ok && has_json)
        err = read_body(call, problem);
    if (err == ERR_ok)
        err = route->handler(call, problem);
    return err;
}

/* Who asks whether the server lives may share an address with those who are too many for it. */
static bool is_probe(struct bytes path)
{
    struct call ignored;

    for (size_t i = 0; i < ROUTE_COUNT; i++) {
        if ((routes[i].needs & AT_EVERY_DOOR) && path_fits(routes[i].path, path, &ignored))
            return true;
    }
    return false;
}

void rest_on_request(void *ctx, struct conn *c, const struct http_request *request)
{
    struct api *a = ctx;
    struct call call = {.api = a, .conn = c, .request = request, .now_ms = clock_mono_ms()};
    struct problem problem = {NULL, 0};

    mark_request(c, API_ROUTES, call.now_ms);

    /* No page of a browser has business with the app's door. */
    if (conn_door(c) == NET_DOOR_PUBLIC)
        conn_set_note(c, origins_place(a->origins, request));
    call.is_app = has_app_key(a, c, request);
    call.who = address_counted(address_of_client(a->trusted_proxies, conn_address(c), request));
    /* The app asks for all of its users, as often as these do. */
    bool probes = is_probe(request->path);
    bool is_free = call.is_app || probes;
    enum err rate = is_free ? ERR_ok
                            : take_request(&call, a->requests_by_address,
                                           bytes_of(call.who.b, sizeof call.who.b),
                                           THROTTLED_ADDRESS, &problem);
    if (rate != ERR_ok) {
        rest_refuse(a, c, rate, &problem);
        return;
    }
    if (a->starting && !probes) {
        rest_refuse(a, c, ERR_starting, NULL);
        return;
    }
    for (size_t i = 0; i < ROUTE_COUNT; i++) {
        if (!method_fits(routes[i].method, request->method) || !door_fits(&routes[i], c) ||
            !path_fits(routes[i].path, request->path, &call))
            continue;
        mark_request(c, i, call.now_ms);
        enum err err = run_route(&routes[i], &call, &problem);
        if (err != ERR_ok)
            rest_refuse(a, c, err, &problem);
        arena_reset(&a->arena);
        return;
    }
    answer_methods(a, c, request);
}

void rest_on_bad_request(void *ctx, struct conn *c, enum err why)
{
    mark_request(c, API_ROUTES, clock_mono_ms());
    rest_refuse(ctx, c, why, NULL);
}
