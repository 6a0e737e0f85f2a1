/*
 * http: requests in, answers out (RFC 9110, RFC 9112). The only user of http-parser.
 *
 * http-parser takes much that the RFC forbids, so the raw head is checked before it sees a byte:
 * line ends, folds, control bytes, field count and sizes (http_head.h); then its meaning: exactly
 * one valid Host (an HTTP/1.0 client may leave it out), version 1.0 or 1.1, at most one
 * Transfer-Encoding (equal to "chunked", only in 1.1, not with Content-Length). What is ambiguous
 * is refused and the connection closed after the answer. No I/O here: bytes are pushed in, and
 * reading can stop at any byte.
 */
#ifndef NET_HTTP_H
#define NET_HTTP_H

#include "base/arena.h"
#include "base/buf.h"
#include "base/err.h"

enum http_method {
    HTTP_GET_,
    HTTP_HEAD_,
    HTTP_POST_,
    HTTP_PUT_,
    HTTP_PATCH_,
    HTTP_DELETE_,
    HTTP_OPTIONS_,
    HTTP_OTHER_ /* a valid method that no route takes */
};

struct http_field {
    struct bytes name; /* as sent; compare without regard to case */
    struct bytes value;
};

enum http_upgrade {
    HTTP_UPGRADE_NONE,      /* no upgrade was asked for (h2c and others are ignored) */
    HTTP_UPGRADE_WEBSOCKET, /* a valid handshake, RFC 6455, 4.2.1: conn_upgrade may be called */
    HTTP_UPGRADE_INVALID,   /* an upgrade to websocket with a fault: answer 400 (bad_upgrade) */
    HTTP_UPGRADE_VERSION    /* not version 13: answer 426 with sec-websocket-version: 13 */
};

/* Everything is borrowed until the on_request callback returns. */
struct http_request {
    enum http_method method;
    struct bytes path;  /* as sent, up to the '?', not percent-decoded, but each '%' has its two
                         * digits; starts with '/', but for "OPTIONS *", where it is "*" */
    struct bytes query; /* behind the '?', or empty */
    struct bytes host;  /* valid host[:port] characters only; of an absolute target where that was
                         * sent (RFC 9112, 3.2.2); empty where an HTTP/1.0 client sent none */
    struct bytes body;  /* decoded from chunks */
    const struct http_field *fields;
    uint32_t field_count;
    bool keep_alive;
    bool version_1_1;
    enum http_upgrade upgrade;
    struct bytes websocket_key;
};

/* The value of the field `name` (lower-case literal); false where it is not there. Where it is
 * there more than once the first counts, unless http_field_count says otherwise to the caller. */
bool http_field(const struct http_request *r, const char *name, struct bytes *value);
uint32_t http_field_count(const struct http_request *r, const char *name);

struct http_limits {
    uint32_t head_max;
    uint32_t field_max;
    uint32_t body_max;
};

enum http_progress {
    HTTP_NEED_MORE,     /* everything was taken and the request is not complete */
    HTTP_WANT_CONTINUE, /* as NEED_MORE; the client waits for "100 Continue" (told once) */
    HTTP_COMPLETE,      /* http_reader_request is there; bytes behind it were not taken */
    HTTP_FAILED         /* answer http_reader_error and close */
};

struct http_reader;

/* A reader of one request. reset makes it ready for the next one and keeps some memory. */
struct http_reader *http_reader_new(const struct http_limits *limits);
void http_reader_reset(struct http_reader *r);
void http_reader_free(struct http_reader *r);

/* Pushes bytes; *taken says how many it took. After HTTP_FAILED or HTTP_COMPLETE never again. */
enum http_progress http_reader_push(struct http_reader *r, struct bytes in, size_t *taken);
const struct http_request *http_reader_request(const struct http_reader *r);
enum err http_reader_error(const struct http_reader *r);
/* Is the head complete (so that the body's deadline counts)? */
bool http_reader_in_body(const struct http_reader *r);

/* An answer. Every answer carries date and, but for 1xx, 204 and 304, content-length; `type` may be
 * {NULL, 0} where there is no body. */
struct http_answer {
    int status;
    struct bytes type; /* content-type */
    struct bytes body;
    struct bytes extra; /* further complete fields, each "name: value\r\n" */
    bool close;         /* says connection: close */
    bool head_only;     /* to a HEAD request: length without body */
    bool version_1_0;   /* an HTTP/1.0 client that asked for keep-alive is told so */
};
void http_add_answer(struct buf *out, const struct http_answer *a);
/* The phrase that belongs to a status, "" for one that is not in use here. */
const char *http_phrase(int status);

/* The 101 of RFC 6455, 4.2.2, for this key. */
void http_add_websocket_answer(struct buf *out, struct bytes websocket_key);

#endif
