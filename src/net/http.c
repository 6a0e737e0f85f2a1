#include "net/http.h"

#include <stdlib.h>

/* Both sides have an enum http_method; the library's gets another name here. */
#define http_method parser_http_method
#include <http_parser.h>
#undef http_method

#include "base/ensure.h"
#include "net/http_fields.h"
#include "net/http_head.h"

#define KEEP_MAX        (64u << 10) /* memory that a reader keeps for its next request */
#define PARSER_HEAD_MAX (4u << 20)  /* the guard's limit comes first; this one must not */

/*
 *   HEAD ──no body──────────────► DONE
 *    ├──content-length──► LENGTH ──► DONE        any ──► FAILED
 *    └──chunked─────────► CHUNKS ──► DONE
 */
enum stage { STAGE_HEAD, STAGE_LENGTH, STAGE_CHUNKS, STAGE_DONE, STAGE_FAILED };

struct http_reader {
    struct http_limits limits;
    enum stage stage;
    enum err error;
    struct http_head_scan scan;
    struct http_chunk_scan chunks;
    struct http_framing framing;
    http_parser parser;
    bool complete; /* the parser has seen the end of the message */
    bool name_open;
    uint64_t left; /* bytes of a body with a length that are to come */
    struct buf head;
    struct buf body;
    struct http_field *fields;
    uint32_t field_count, field_cap;
    struct bytes target;
    struct http_request request;
};

static void extend(struct bytes *s, const char *at, size_t len)
{
    if (s->len == 0)
        s->p = (const uint8_t *)at;
    /* Pieces of one part are neighbours, since a head is given whole. */
    ENSURE(s->p + s->len == (const uint8_t *)at || len == 0);
    s->len += len;
}

static int on_url(http_parser *p, const char *at, size_t len)
{
    extend(&((struct http_reader *)p->data)->target, at, len);
    return 0;
}

static int on_field_name(http_parser *p, const char *at, size_t len)
{
    struct http_reader *r = p->data;
    if (r->stage != STAGE_HEAD)
        return 0; /* a trailer: checked by the guard, dropped here */
    if (!r->name_open) {
        if (r->field_count == r->field_cap) {
            r->field_cap = r->field_cap ? r->field_cap * 2 : 16;
            r->fields = xrealloc(r->fields, r->field_cap * sizeof *r->fields);
        }
        r->fields[r->field_count++] = (struct http_field){{NULL, 0}, {NULL, 0}};
        r->name_open = true;
    }
    extend(&r->fields[r->field_count - 1].name, at, len);
    return 0;
}

static int on_field_value(http_parser *p, const char *at, size_t len)
{
    struct http_reader *r = p->data;
    if (r->stage != STAGE_HEAD)
        return 0;
    if (r->field_count == 0)
        return 1;
    r->name_open = false;
    extend(&r->fields[r->field_count - 1].value, at, len);
    return 0;
}

static int on_body(http_parser *p, const char *at, size_t len)
{
    struct http_reader *r = p->data;
    if (len > r->limits.body_max - r->body.len)
        return 1; /* the guard refused it before, so this says that the two disagree */
    buf_add(&r->body, at, len);
    return 0;
}

/* Stops the parser: what follows belongs to the next request or to the WebSocket. */
static int on_complete(http_parser *p)
{
    ((struct http_reader *)p->data)->complete = true;
    http_parser_pause(p, 1);
    return 0;
}

static const http_parser_settings settings = {
    .on_url = on_url,
    .on_header_field = on_field_name,
    .on_header_value = on_field_value,
    .on_body = on_body,
    .on_message_complete = on_complete,
};

static void reader_start(struct http_reader *r)
{
    r->stage = STAGE_HEAD;
    r->error = ERR_ok;
    r->scan =
        (struct http_head_scan){.size_max = r->limits.head_max, .field_max = r->limits.field_max};
    r->chunks = (struct http_chunk_scan){.body_max = r->limits.body_max,
                                         .trailer_max = r->limits.head_max,
                                         .field_max = r->limits.field_max};
    r->framing = (struct http_framing){0};
    http_parser_init(&r->parser, HTTP_REQUEST);
    r->parser.data = r;
    r->complete = r->name_open = false;
    r->left = 0;
    r->field_count = 0;
    r->target = (struct bytes){NULL, 0};
    r->request = (struct http_request){0};
}

struct http_reader *http_reader_new(const struct http_limits *limits)
{
    struct http_reader *r = xcalloc(1, sizeof *r);
    r->limits = *limits;
    http_parser_set_max_header_size(PARSER_HEAD_MAX);
    reader_start(r);
    return r;
}

void http_reader_reset(struct http_reader *r)
{
    buf_shrink(&r->head, KEEP_MAX);
    buf_shrink(&r->body, KEEP_MAX);
    reader_start(r);
}

void http_reader_free(struct http_reader *r)
{
    if (!r)
        return;
    buf_release(&r->head);
    buf_release(&r->body);
    free(r->fields);
    free(r);
}

static enum http_progress fail(struct http_reader *r, enum err why)
{
    r->stage = STAGE_FAILED;
    r->error = why;
    return HTTP_FAILED;
}

/* Gives the parser bytes that the guard has passed. False where the two disagree about validity
 * or about where the message ends: nobody else may then be trusted to agree either. */
static bool feed(struct http_reader *r, struct bytes in, bool last)
{
    size_t n = http_parser_execute(&r->parser, &settings, (const char *)in.p, in.len);
    enum http_errno error = HTTP_PARSER_ERRNO(&r->parser);
    return n == in.len && r->complete == last && error == (last ? HPE_PAUSED : HPE_OK);
}

static enum http_method method_of(const http_parser *p)
{
    switch (p->method) {
    case HTTP_GET:
        return HTTP_GET_;
    case HTTP_HEAD:
        return HTTP_HEAD_;
    case HTTP_POST:
        return HTTP_POST_;
    case HTTP_PUT:
        return HTTP_PUT_;
    case HTTP_PATCH:
        return HTTP_PATCH_;
    case HTTP_DELETE:
        return HTTP_DELETE_;
    case HTTP_OPTIONS:
        return HTTP_OPTIONS_;
    default: /* the library's list, not ours */
        return HTTP_OTHER_;
    }
}

static void trim_values(struct http_reader *r)
{
    for (uint32_t i = 0; i < r->field_count; i++) {
        struct bytes *v = &r->fields[i].value;
        while (v->len && (v->p[v->len - 1] == ' ' || v->p[v->len - 1] == '\t'))
            v->len--;
    }
}

/* Fills the request from what the parser said about a whole head. */
static enum err judge(struct http_reader *r)
{
    struct http_request *q = &r->request;
    trim_values(r);
    q->method = method_of(&r->parser);
    q->version_1_1 = r->scan.version[7] == '1';
    q->fields = r->fields;
    q->field_count = r->field_count;
    enum err e = http_judge_target(q, r->target);
    return e ? e : http_judge_fields(q, r->limits.body_max, &r->framing);
}

/* The head is whole in r->head. */
static enum http_progress head_complete(struct http_reader *r)
{
    struct bytes method = {r->head.p + r->scan.method, r->scan.method_len};
    if (bytes_equal(method, BYTES("CONNECT")))
        return fail(r, ERR_not_implemented);
    http_parser_execute(&r->parser, &settings, (const char *)r->head.p, r->head.len);
    enum http_errno error = HTTP_PARSER_ERRNO(&r->parser);
    if (error == HPE_INVALID_METHOD)
        return fail(r, ERR_not_implemented); /* RFC 9110, 9.1 */
    /* The parser may refuse a Transfer-Encoding with a less exact error than judge does. */
    enum err e = judge(r);
    if (e)
        return fail(r, e);
    if (error != HPE_OK && error != HPE_PAUSED)
        return fail(r, ERR_bad_request);
    if (r->field_count != r->scan.fields ||
        !bytes_equal(method,
                     bytes_cstr(http_method_str((enum parser_http_method)r->parser.method))))
        return fail(r, ERR_bad_request);
    bool body = r->framing.chunked || r->framing.length > 0;
    if (r->complete == body)
        return fail(r, ERR_bad_request);
    r->left = r->framing.length;
    r->stage = r->framing.chunked ? STAGE_CHUNKS : body ? STAGE_LENGTH : STAGE_DONE;
    return body ? HTTP_NEED_MORE : HTTP_COMPLETE;
}

static enum http_progress push_head(struct http_reader *r, struct bytes in, size_t *taken)
{
    *taken = http_head_scan(&r->scan, in);
    buf_add(&r->head, in.p, *taken);
    if (r->scan.state == HEAD_FAILED)
        return fail(r, r->scan.error);
    return r->scan.state == HEAD_DONE ? head_complete(r) : HTTP_NEED_MORE;
}

static enum http_progress push_length(struct http_reader *r, struct bytes in, size_t *taken)
{
    size_t n = in.len < r->left ? in.len : (size_t)r->left;
    *taken = n;
    r->left -= n;
    if (!feed(r, bytes_of(in.p, n), r->left == 0))
        return fail(r, ERR_bad_request);
    if (r->left)
        return HTTP_NEED_MORE;
    r->stage = STAGE_DONE;
    return HTTP_COMPLETE;
}

static enum http_progress push_chunks(struct http_reader *r, struct bytes in, size_t *taken)
{
    size_t n = http_chunk_scan(&r->chunks, in);
    bool last = r->chunks.state == CHUNK_DONE;
    *taken = n;
    if (n > 0 && !feed(r, bytes_of(in.p, n), last))
        return fail(r, ERR_bad_request);
    if (r->chunks.state == CHUNK_FAILED)
        return fail(r, r->chunks.error);
    if (!last)
        return HTTP_NEED_MORE;
    r->stage = STAGE_DONE;
    return HTTP_COMPLETE;
}

static enum http_progress push_body(struct http_reader *r, struct bytes in, size_t *taken)
{
    *taken = 0;
    if (in.len == 0)
        return HTTP_NEED_MORE;
    return r->stage == STAGE_LENGTH ? push_length(r, in, taken) : push_chunks(r, in, taken);
}

enum http_progress http_reader_push(struct http_reader *r, struct bytes in, size_t *taken)
{
    enum http_progress progress;
    size_t more;
    ENSURE(r->stage < STAGE_DONE);
    if (r->stage != STAGE_HEAD) {
        progress = push_body(r, in, taken);
    } else {
        progress = push_head(r, in, taken);
        if (progress == HTTP_NEED_MORE && r->stage != STAGE_HEAD) {
            /* A client that has begun its body waits for nothing (RFC 9110, 10.1.1). */
            if (*taken == in.len && r->framing.wants_continue)
                return HTTP_WANT_CONTINUE;
            progress = push_body(r, bytes_of(in.p + *taken, in.len - *taken), &more);
            *taken += more;
        }
    }
    if (progress == HTTP_COMPLETE)
        r->request.body = buf_bytes(&r->body);
    return progress;
}

const struct http_request *http_reader_request(const struct http_reader *r)
{
    ENSURE(r->stage == STAGE_DONE);
    return &r->request;
}

enum err http_reader_error(const struct http_reader *r)
{
    return r->error;
}

bool http_reader_in_body(const struct http_reader *r)
{
    return r->stage == STAGE_LENGTH || r->stage == STAGE_CHUNKS;
}
