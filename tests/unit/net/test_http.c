#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/bytes.h"
#include "net/http.h"

static const struct http_limits limits = {.head_max = 1024, .field_max = 10, .body_max = 64};

#define H          "Host: h\r\n"
#define L(literal) BYTES(literal)
#define WHOLE      ((size_t)1 << 40) /* a cut behind every input */

/* What came of pushing one input: of a request everything that a caller can see. */
struct outcome {
    enum http_progress progress;
    enum err error;
    size_t taken;
    int continues;
    struct buf seen;
};

static void note(struct buf *out, struct bytes s)
{
    buf_printf(out, "%zu:", s.len);
    buf_add_bytes(out, s);
}

static void note_request(struct buf *out, const struct http_request *q)
{
    buf_printf(out, "%d %d %d %d|", (int)q->method, q->keep_alive, q->version_1_1, (int)q->upgrade);
    note(out, q->path);
    note(out, q->query);
    note(out, q->host);
    note(out, q->body);
    note(out, q->websocket_key);
    for (uint32_t i = 0; i < q->field_count; i++) {
        note(out, q->fields[i].name);
        note(out, q->fields[i].value);
    }
}

/* Pushes in.p[0..cut), then the rest; with cut = SIZE_MAX byte by byte. Each piece is a copy of its
 * own size, so that a sanitizer sees what reads past it. */
static void run(struct bytes in, size_t cut, struct outcome *o)
{
    struct http_reader *r = http_reader_new(&limits);
    size_t at = 0;
    *o = (struct outcome){.progress = HTTP_NEED_MORE};
    while (at < in.len && (o->progress == HTTP_NEED_MORE || o->progress == HTTP_WANT_CONTINUE)) {
        size_t n = cut == SIZE_MAX ? 1 : at < cut && cut < in.len ? cut - at : in.len - at;
        size_t taken;
        uint8_t *piece = malloc(n);
        assert_non_null(piece);
        memcpy(piece, in.p + at, n);
        o->progress = http_reader_push(r, bytes_of(piece, n), &taken);
        assert_true(taken <= n);
        at += taken;
        o->continues += o->progress == HTTP_WANT_CONTINUE;
        free(piece);
    }
    if (o->progress == HTTP_COMPLETE)
        note_request(&o->seen, http_reader_request(r));
    if (o->progress == HTTP_FAILED)
        o->error = http_reader_error(r);
    o->taken = at;
    http_reader_free(r);
}

/* However the input is cut, the outcome is the same. */
static void run_all_ways(struct bytes in, struct outcome *whole)
{
    run(in, in.len, whole);
    for (size_t cut = 1; cut <= in.len; cut++) {
        struct outcome o;
        run(in, cut == in.len ? SIZE_MAX : cut, &o);
        bool open = whole->progress == HTTP_NEED_MORE || whole->progress == HTTP_WANT_CONTINUE;
        if (open)
            assert_true(o.progress == HTTP_NEED_MORE || o.progress == HTTP_WANT_CONTINUE);
        else
            assert_int_equal(o.progress, whole->progress);
        assert_int_equal(o.error, whole->error);
        if (o.progress == HTTP_COMPLETE)
            assert_int_equal(o.taken, whole->taken);
        assert_true(bytes_equal(buf_bytes(&o.seen), buf_bytes(&whole->seen)));
        buf_release(&o.seen);
    }
}

static void expect_error(struct bytes in, enum err error)
{
    struct outcome o;
    run_all_ways(in, &o);
    if (o.progress != HTTP_FAILED || o.error != error)
        print_error("[%.*s] gave %d/%s, wanted %s\n", (int)in.len, (const char *)in.p,
                    (int)o.progress, err_code(o.error), err_code(error));
    assert_int_equal(o.progress, HTTP_FAILED);
    assert_int_equal(o.error, error);
    buf_release(&o.seen);
}

static void expect_more(struct bytes in)
{
    struct outcome o;
    run_all_ways(in, &o);
    assert_int_equal(o.progress, HTTP_NEED_MORE);
    buf_release(&o.seen);
}

/* Reads one whole request and lends it; http_reader_free(*r) is the caller's. */
static const struct http_request *read_whole(struct bytes in, struct http_reader **r)
{
    struct outcome o;
    size_t taken;
    run_all_ways(in, &o);
    if (o.progress != HTTP_COMPLETE)
        print_error("[%.*s] gave %d/%s\n", (int)in.len, (const char *)in.p, (int)o.progress,
                    err_code(o.error));
    assert_int_equal(o.progress, HTTP_COMPLETE);
    buf_release(&o.seen);
    *r = http_reader_new(&limits);
    assert_int_equal(http_reader_push(*r, in, &taken), HTTP_COMPLETE);
    return http_reader_request(*r);
}

static void expect_body(struct bytes in, const char *body)
{
    struct http_reader *r;
    const struct http_request *q = read_whole(in, &r);
    assert_true(bytes_equal(q->body, bytes_cstr(body)));
    http_reader_free(r);
}

static void test_plain_request(void **state)
{
    struct http_reader *r;
    struct bytes v;
    (void)state;
    const struct http_request *q = read_whole(
        L("GET /a/%20b?c=d&e HTTP/1.1\r\nhost: example.org:3000\r\nX-One:  two words \t\r\n"
          "x-one: later\r\nEmpty:\r\n\r\n"),
        &r);
    assert_int_equal(q->method, HTTP_GET_);
    assert_true(bytes_equal(q->path, L("/a/%20b")));
    assert_true(bytes_equal(q->query, L("c=d&e")));
    assert_true(bytes_equal(q->host, L("example.org:3000")));
    assert_int_equal(q->body.len, 0);
    assert_true(q->keep_alive && q->version_1_1);
    assert_int_equal(q->field_count, 4);
    assert_true(http_field(q, "x-one", &v));
    assert_true(bytes_equal(v, L("two words")));
    assert_int_equal(http_field_count(q, "x-one"), 2);
    assert_true(http_field(q, "empty", &v));
    assert_int_equal(v.len, 0);
    assert_false(http_field(q, "absent", &v));
    http_reader_free(r);
}

static void test_methods(void **state)
{
    static const struct {
        const char *name;
        enum http_method method;
    } rows[] = {
        {"GET", HTTP_GET_},     {"HEAD", HTTP_HEAD_},       {"POST", HTTP_POST_},
        {"PUT", HTTP_PUT_},     {"PATCH", HTTP_PATCH_},     {"DELETE", HTTP_DELETE_},
        {"TRACE", HTTP_OTHER_}, {"OPTIONS", HTTP_OPTIONS_}, {"PROPFIND", HTTP_OTHER_},
    };
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        char text[100];
        struct http_reader *r;
        int n = snprintf(text, sizeof text, "%s / HTTP/1.1\r\n" H "\r\n", rows[i].name);
        const struct http_request *q = read_whole(bytes_of(text, (size_t)n), &r);
        assert_int_equal(q->method, rows[i].method);
        http_reader_free(r);
    }
    expect_error(L("BREW / HTTP/1.1\r\n" H "\r\n"), ERR_not_implemented);
    expect_error(L("get / HTTP/1.1\r\n" H "\r\n"), ERR_not_implemented);
    expect_error(L("CONNECT h:443 HTTP/1.1\r\n" H "\r\n"), ERR_not_implemented);
    expect_error(L("G@T / HTTP/1.1\r\n" H "\r\n"), ERR_bad_request);
    expect_error(L("AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA / HTTP/1.1\r\n"), ERR_bad_request);
}

static void test_targets(void **state)
{
    struct http_reader *r;
    (void)state;
    const struct http_request *q =
        read_whole(L("GET http://other:81/p?q HTTP/1.1\r\n" H "\r\n"), &r);
    assert_true(bytes_equal(q->path, L("/p")));
    assert_true(bytes_equal(q->query, L("q")));
    assert_true(bytes_equal(q->host, L("other:81"))); /* RFC 9112, 3.2.2: over the field */
    http_reader_free(r);
    q = read_whole(L("GET HTTPS://[::1] HTTP/1.1\r\n" H "\r\n"), &r);
    assert_true(bytes_equal(q->path, L("/")));
    assert_true(bytes_equal(q->host, L("[::1]")));
    http_reader_free(r);
    q = read_whole(L("GET http://h?q HTTP/1.1\r\n" H "\r\n"), &r);
    assert_true(bytes_equal(q->path, L("/")));
    assert_true(bytes_equal(q->query, L("q")));
    http_reader_free(r);
    q = read_whole(L("OPTIONS * HTTP/1.1\r\n" H "\r\n"), &r);
    assert_true(bytes_equal(q->path, L("*")));
    http_reader_free(r);
    expect_error(L("GET * HTTP/1.1\r\n" H "\r\n"), ERR_bad_request);
    expect_error(L("GET a HTTP/1.1\r\n" H "\r\n"), ERR_bad_request);
    expect_error(L("GET h:80 HTTP/1.1\r\n" H "\r\n"), ERR_bad_request);
    expect_error(L("GET ftp://h/ HTTP/1.1\r\n" H "\r\n"), ERR_bad_request);
    expect_error(L("GET http:///p HTTP/1.1\r\n" H "\r\n"), ERR_bad_request);
    expect_error(L("GET http://u:p@h/p HTTP/1.1\r\n" H "\r\n"), ERR_bad_request);
    expect_error(L("GET /% HTTP/1.1\r\n" H "\r\n"), ERR_bad_request);
    expect_error(L("GET /%4 HTTP/1.1\r\n" H "\r\n"), ERR_bad_request);
    expect_error(L("GET /%4g HTTP/1.1\r\n" H "\r\n"), ERR_bad_request);
    expect_error(L("GET /%u0041 HTTP/1.1\r\n" H "\r\n"), ERR_bad_request);
    expect_body(L("GET /?a=%g4 HTTP/1.1\r\n" H "\r\n"), "");
    expect_error(L("GET http://h/%zz HTTP/1.1\r\n" H "\r\n"), ERR_bad_request);
    expect_body(L("GET /%00%2f%2E?%fF HTTP/1.1\r\n" H "\r\n"), "");
    expect_error(L("GET /a#b HTTP/1.1\r\n" H "\r\n"), ERR_bad_request);
    expect_error(L("GET /a\"b HTTP/1.1\r\n" H "\r\n"), ERR_bad_request);
    expect_error(L("GET /\x80 HTTP/1.1\r\n" H "\r\n"), ERR_bad_request);
    expect_error(L("GET /\0 HTTP/1.1\r\n" H "\r\n"), ERR_bad_request);
    expect_error(L("GET /\x7f HTTP/1.1\r\n" H "\r\n"), ERR_bad_request);
}

static void test_request_line(void **state)
{
    (void)state;
    expect_error(L("GET  / HTTP/1.1\r\n" H "\r\n"), ERR_bad_request);
    expect_error(L("GET /  HTTP/1.1\r\n" H "\r\n"), ERR_bad_request);
    expect_error(L("GET / HTTP/1.1 \r\n" H "\r\n"), ERR_bad_request);
    expect_error(L("GET\t/ HTTP/1.1\r\n" H "\r\n"), ERR_bad_request);
    expect_error(L(" GET / HTTP/1.1\r\n" H "\r\n"), ERR_bad_request);
    expect_error(L("GET /\r\n\r\n"), ERR_bad_request);
    expect_error(L("GET / HTTP/0.9\r\n" H "\r\n"), ERR_version_not_supported);
    expect_error(L("GET / HTTP/2.0\r\n" H "\r\n"), ERR_version_not_supported);
    expect_error(L("GET / HTTP/1.2\r\n" H "\r\n"), ERR_version_not_supported);
    expect_error(L("GET / HTTP/9.9\r\n" H "\r\n"), ERR_version_not_supported);
    expect_error(L("GET / HTTP/1.\r\n" H "\r\n"), ERR_bad_request);
    expect_error(L("GET / HTTP/1.10\r\n" H "\r\n"), ERR_bad_request);
    expect_error(L("GET / http/1.1\r\n" H "\r\n"), ERR_bad_request);
    expect_error(L("SOURCE / ICE/1.0\r\n" H "\r\n"), ERR_bad_request);
    expect_error(L("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"), ERR_version_not_supported);
    expect_error(L("\x16\x03\x01\x02\x00\x01"), ERR_bad_request); /* TLS */
    /* One empty line before a request (RFC 9112, 2.2), no more. */
    expect_body(L("\r\nGET / HTTP/1.1\r\n" H "\r\n"), "");
    expect_error(L("\r\n\r\nGET / HTTP/1.1\r\n" H "\r\n"), ERR_bad_request);
    expect_error(L("\nGET / HTTP/1.1\r\n" H "\r\n"), ERR_bad_request);
    expect_more(L(""));
    expect_more(L("\r\n"));
    expect_more(L("GET / HTTP/1.1\r\n" H));
}

static void test_line_ends(void **state)
{
    (void)state;
    expect_error(L("GET / HTTP/1.1\n" H "\r\n"), ERR_bad_request);
    expect_error(L("GET / HTTP/1.1\r\nHost: h\n\r\n"), ERR_bad_request);
    expect_error(L("GET / HTTP/1.1\r\n" H "\n"), ERR_bad_request);
    expect_error(L("GET / HTTP/1.1\r\nHost: h\rX: y\r\n\r\n"), ERR_bad_request);
    expect_error(L("GET / HTTP/1.1\r\nHost: h\r\r\n\r\n"), ERR_bad_request);
    expect_error(L("GET / HTTP/1.1\r\n" H "\rX"), ERR_bad_request);
}

static void test_fields(void **state)
{
    (void)state;
    expect_error(L("GET / HTTP/1.1\r\nHost : h\r\n\r\n"), ERR_bad_request);
    expect_error(L("GET / HTTP/1.1\r\n Host: h\r\n\r\n"), ERR_bad_request);
    expect_error(L("GET / HTTP/1.1\r\n" H "X: a\r\n b\r\n\r\n"), ERR_bad_request);
    expect_error(L("GET / HTTP/1.1\r\n" H "X: a\r\n\tb\r\n\r\n"), ERR_bad_request);
    expect_error(L("GET / HTTP/1.1\r\n" H ": a\r\n\r\n"), ERR_bad_request);
    expect_error(L("GET / HTTP/1.1\r\n" H "X\r\n\r\n"), ERR_bad_request);
    expect_error(L("GET / HTTP/1.1\r\n" H "X Y: a\r\n\r\n"), ERR_bad_request);
    expect_error(L("GET / HTTP/1.1\r\n" H "X(: a\r\n\r\n"), ERR_bad_request);
    expect_error(L("GET / HTTP/1.1\r\n" H "X: a\0b\r\n\r\n"), ERR_bad_request);
    expect_error(L("GET / HTTP/1.1\r\n" H "X: a\x01\r\n\r\n"), ERR_bad_request);
    expect_error(L("GET / HTTP/1.1\r\n" H "X: a\x7f\r\n\r\n"), ERR_bad_request);
    expect_error(L("GET / HTTP/1.1\r\n" H "X\xe9: a\r\n\r\n"), ERR_bad_request);
    /* obs-text in a value is opaque, and allowed (RFC 9110, 5.5). */
    expect_body(L("GET / HTTP/1.1\r\n" H "X: caf\xe9\r\n\r\n"), "");
}

static void test_sizes(void **state)
{
    struct buf b = {0};
    (void)state;
    buf_printf(&b, "GET /%0*d HTTP/1.1\r\n" H "\r\n", 1100, 0);
    expect_error(buf_bytes(&b), ERR_uri_too_long);
    buf_reset(&b);
    buf_printf(&b, "GET / HTTP/1.1\r\n" H "X: %0*d\r\n\r\n", 1100, 0);
    expect_error(buf_bytes(&b), ERR_head_too_large);
    buf_reset(&b);
    int pad = 1024 - (int)sizeof("GET / HTTP/1.1\r\n" H "X: \r\n\r\n") + 1;
    buf_printf(&b, "GET / HTTP/1.1\r\n" H "X: %0*d\r\n\r\n", pad, 0);
    assert_int_equal(b.len, 1024);
    expect_body(buf_bytes(&b), ""); /* exactly the limit */
    buf_reset(&b);
    buf_printf(&b, "GET / HTTP/1.1\r\n" H "X: %0*d\r\n\r\n", pad + 1, 0);
    expect_error(buf_bytes(&b), ERR_head_too_large);
    buf_release(&b);
    expect_body(L("GET / HTTP/1.1\r\n" H "A:1\r\nA:2\r\nA:3\r\nA:4\r\nA:5\r\nA:6\r\nA:7\r\nA:8\r\n"
                  "A:9\r\n\r\n"),
                "");
    expect_error(L("GET / HTTP/1.1\r\n" H "A:1\r\nA:2\r\nA:3\r\nA:4\r\nA:5\r\nA:6\r\nA:7\r\n"
                   "A:8\r\nA:9\r\nA:10\r\n\r\n"),
                 ERR_head_too_large);
}

static void test_host(void **state)
{
    struct http_reader *r;
    (void)state;
    expect_error(L("GET / HTTP/1.1\r\n\r\n"), ERR_bad_request);
    expect_error(L("GET / HTTP/1.1\r\n" H "Host: h\r\n\r\n"), ERR_bad_request);
    expect_error(L("GET / HTTP/1.0\r\n" H H "\r\n"), ERR_bad_request);
    expect_error(L("GET / HTTP/1.1\r\nHost:\r\n\r\n"), ERR_bad_request);
    expect_error(L("GET / HTTP/1.1\r\nHost: a b\r\n\r\n"), ERR_bad_request);
    expect_error(L("GET / HTTP/1.1\r\nHost: a, b\r\n\r\n"), ERR_bad_request);
    expect_error(L("GET / HTTP/1.1\r\nHost: a/b\r\n\r\n"), ERR_bad_request);
    expect_error(L("GET / HTTP/1.1\r\nHost: u@a\r\n\r\n"), ERR_bad_request);
    expect_error(L("GET / HTTP/1.1\r\nHost: a\"b\r\n\r\n"), ERR_bad_request);
    expect_error(L("GET / HTTP/1.1\r\nHost: h:8x\r\n\r\n"), ERR_bad_request);
    expect_error(L("GET / HTTP/1.1\r\nHost: h:123456\r\n\r\n"), ERR_bad_request);
    expect_error(L("GET / HTTP/1.1\r\nHost: :80\r\n\r\n"), ERR_bad_request);
    expect_error(L("GET / HTTP/1.1\r\nHost: [::1\r\n\r\n"), ERR_bad_request);
    expect_error(L("GET / HTTP/1.1\r\nHost: []\r\n\r\n"), ERR_bad_request);
    expect_error(L("GET / HTTP/1.1\r\nHost: [::1]x\r\n\r\n"), ERR_bad_request);
    expect_error(L("GET / HTTP/1.1\r\nHost: caf\xe9\r\n\r\n"), ERR_bad_request);
    expect_error(L("GET / HTTP/1.1\r\nHost: [1.2.3.4]\r\n\r\n"), ERR_bad_request);
    expect_error(L("GET / HTTP/1.1\r\nHost: [1:2:3]\r\n\r\n"), ERR_bad_request);
    expect_error(L("GET / HTTP/1.1\r\nHost: [fe80::1%25lo]\r\n\r\n"), ERR_bad_request);
    expect_error(L("GET / HTTP/1.1\r\nHost: "
                   "[0000000000000000000000000000000000000000000000000::1]\r\n\r\n"),
                 ERR_bad_request);
    expect_error(L("GET / HTTP/1.1\r\nHost: h:65536\r\n\r\n"), ERR_bad_request);
    expect_error(L("GET / HTTP/1.1\r\nHost: h%\r\n\r\n"), ERR_bad_request);
    expect_error(L("GET / HTTP/1.1\r\nHost: h%4\r\n\r\n"), ERR_bad_request);
    expect_error(L("GET / HTTP/1.1\r\nHost: h%4g\r\n\r\n"), ERR_bad_request);
    expect_error(L("GET / HTTP/1.1\r\nHost: h%g4\r\n\r\n"), ERR_bad_request);
    expect_body(L("GET / HTTP/1.1\r\nHost: h%4a:65535\r\n\r\n"), "");
    expect_body(L("GET / HTTP/1.1\r\nHost: h:\r\n\r\n"), "");
    expect_body(L("GET / HTTP/1.1\r\nHost: [::ffff:1.2.3.4]\r\n\r\n"), "");
    expect_error(L("GET http://h/ HTTP/1.1\r\n\r\n"), ERR_bad_request);
    expect_body(L("GET / HTTP/1.1\r\nHost: [2001:db8::1]:80\r\n\r\n"), "");
    expect_body(L("GET / HTTP/1.1\r\nhOsT:h\r\n\r\n"), "");
    const struct http_request *q = read_whole(L("GET / HTTP/1.0\r\n\r\n"), &r);
    assert_int_equal(q->host.len, 0);
    http_reader_free(r);
}

/* What makes two servers disagree about where a request ends. */
static void test_smuggling(void **state)
{
    static const char *const codings[] = {
        "xchunked",     "identity", "chunked, identity",
        "chunked\x0b",  "chunke",   "\"chunked\"",
        "chunked; q=1", "chun ked", "",
    };
    (void)state;
#define POST "POST / HTTP/1.1\r\n" H
    expect_error(L(POST "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"),
                 ERR_bad_request);
    expect_error(L(POST "Transfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n0\r\n\r\n"),
                 ERR_bad_request);
    expect_error(L(POST "Content-Length: 1\r\nContent-Length: 2\r\n\r\na"), ERR_bad_request);
    expect_error(L(POST "Content-Length: 1\r\nContent-Length: 1\r\n\r\na"), ERR_bad_request);
    expect_error(L(POST "Content-Length: 1, 1\r\n\r\na"), ERR_bad_request);
    expect_error(L(POST "Content-Length: +1\r\n\r\na"), ERR_bad_request);
    expect_error(L(POST "Content-Length: -1\r\n\r\na"), ERR_bad_request);
    expect_error(L(POST "Content-Length: 0x1\r\n\r\na"), ERR_bad_request);
    expect_error(L(POST "Content-Length: 1 1\r\n\r\na"), ERR_bad_request);
    expect_error(L(POST "Content-Length: 1.0\r\n\r\na"), ERR_bad_request);
    expect_error(L(POST "Content-Length:\r\n\r\n"), ERR_bad_request);
    expect_error(L(POST "Content-Length: 18446744073709551617\r\n\r\na"), ERR_bad_request);
    expect_error(L(POST "Content-Length: 9223372036854775808\r\n\r\na"), ERR_too_large);
    expect_error(L(POST "Content-Length: 4294967297\r\n\r\na"), ERR_too_large);
    /* The library and the RFC disagree about these two, so they are refused. */
    expect_error(L(POST "Content-Length: 1\t\r\n\r\na"), ERR_bad_request);
    expect_error(L(POST "Transfer-Encoding2: x\r\nContent-Length: 1\r\n\r\na"), ERR_bad_request);
    expect_error(L(POST "Content-Length: 99999999999999999999999\r\n\r\n"), ERR_bad_request);
    expect_error(L(POST "Content-Length : 1\r\n\r\na"), ERR_bad_request);
    expect_error(L(POST "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n"
                        "0\r\n\r\n"),
                 ERR_bad_request);
    expect_error(L(POST "Transfer-Encoding: chunked\r\nTransfer-Encoding: x\r\n\r\n0\r\n\r\n"),
                 ERR_bad_request);
    expect_error(L(POST "Transfer-Encoding : chunked\r\n\r\n0\r\n\r\n"), ERR_bad_request);
    expect_error(L(POST "Transfer-Encoding:\r\n chunked\r\n\r\n0\r\n\r\n"), ERR_bad_request);
    expect_error(L(POST "Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n"), ERR_not_implemented);
    expect_error(L(POST "Transfer-Encoding: chunked,\r\n\r\n0\r\n\r\n"), ERR_not_implemented);
    expect_error(L("POST / HTTP/1.0\r\n" H "Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n"),
                 ERR_bad_request);
    for (size_t i = 0; i < sizeof codings / sizeof *codings; i++) {
        struct buf b = {0};
        buf_printf(&b, POST "Transfer-Encoding: %s\r\n\r\n0\r\n\r\n", codings[i]);
        expect_error(buf_bytes(&b), ERR_bad_request);
        buf_release(&b);
    }
    expect_body(L(POST "Transfer-Encoding:\tCHUNKED \r\n\r\n0\r\n\r\n"), "");
    expect_body(L(POST "Content-Length: 0001 \r\n\r\na"), "a");
}

static void test_length_bodies(void **state)
{
    struct outcome o;
    (void)state;
    expect_body(L(POST "Content-Length: 0\r\n\r\n"), "");
    expect_body(L(POST "Content-Length: 3\r\n\r\nabc"), "abc");
    expect_body(L("GET / HTTP/1.1\r\n" H "Content-Length: 3\r\n\r\nabc"), "abc");
    expect_more(L(POST "Content-Length: 3\r\n\r\nab"));
    expect_error(L(POST "Content-Length: 65\r\n\r\n"), ERR_too_large);
    /* Bytes behind the request stay where they are. */
    run(L(POST "Content-Length: 1\r\n\r\naGET "), WHOLE, &o);
    assert_int_equal(o.progress, HTTP_COMPLETE);
    assert_int_equal(o.taken, sizeof(POST "Content-Length: 1\r\n\r\na") - 1);
    buf_release(&o.seen);
    run(L("GET / HTTP/1.1\r\n" H "\r\n\0\0"), WHOLE, &o);
    assert_int_equal(o.progress, HTTP_COMPLETE);
    assert_int_equal(o.taken, sizeof("GET / HTTP/1.1\r\n" H "\r\n") - 1);
    buf_release(&o.seen);
}

static void test_chunked_bodies(void **state)
{
    (void)state;
#define CHUNKED POST "Transfer-Encoding: chunked\r\n\r\n"
    expect_body(L(CHUNKED "0\r\n\r\n"), "");
    expect_body(L(CHUNKED "3\r\nabc\r\n0\r\n\r\n"), "abc");
    expect_body(L(CHUNKED "1\r\na\r\n2\r\nbc\r\n00\r\n\r\n"), "abc");
    expect_body(L(CHUNKED "A\r\n0123456789\r\na\r\n0123456789\r\n0\r\n\r\n"),
                "01234567890123456789");
    expect_body(L(CHUNKED "3;x=y\r\nabc\r\n0 ;z\r\n\r\n"), "abc");
    expect_body(L(CHUNKED "3\r\na\r\n\r\n0\r\n\r\n"), "a\r\n");
    expect_body(L(CHUNKED "1\r\na\r\n0\r\nX-Sum: 1\r\nContent-Lengthy: 2\r\n\r\n"), "a");
    expect_more(L(CHUNKED "1\r\na\r\n0\r\n"));
    expect_error(L(CHUNKED "3\nabc\r\n0\r\n\r\n"), ERR_bad_request);
    expect_error(L(CHUNKED "3\r\nabc\n0\r\n\r\n"), ERR_bad_request);
    expect_error(L(CHUNKED "3\r\nabcd\r\n0\r\n\r\n"), ERR_bad_request);
    expect_error(L(CHUNKED "3\r\nab\r\n0\r\n\r\n"), ERR_bad_request);
    expect_error(L(CHUNKED "2 x\r\nab\r\n0\r\n\r\n"), ERR_bad_request);
    expect_error(L(CHUNKED "2 \r\nab\r\n0\r\n\r\n"), ERR_bad_request);
    expect_error(L(CHUNKED " 2\r\nab\r\n0\r\n\r\n"), ERR_bad_request);
    expect_error(L(CHUNKED "\r\nab\r\n0\r\n\r\n"), ERR_bad_request);
    expect_error(L(CHUNKED "0x2\r\nab\r\n0\r\n\r\n"), ERR_bad_request);
    expect_error(L(CHUNKED "-2\r\nab\r\n0\r\n\r\n"), ERR_bad_request);
    expect_error(L(CHUNKED "2;a\n\r\nab\r\n0\r\n\r\n"), ERR_bad_request);
    expect_error(L(CHUNKED "2;a\0b\r\nab\r\n0\r\n\r\n"), ERR_bad_request);
    expect_error(L(CHUNKED "00000000000000000\r\n\r\n"), ERR_bad_request);
    expect_error(L(CHUNKED "2\t;a\r\nab\r\n0\r\n\r\n"), ERR_bad_request);
    expect_error(L(CHUNKED "2;a=\"\r\nb\"\r\nxy\r\n0\r\n\r\n"), ERR_bad_request);
    expect_error(L(CHUNKED "2\r\nab\r\r0\r\n\r\n"), ERR_bad_request);
    expect_error(L(CHUNKED "2\r\nab\n\n0\r\n\r\n"), ERR_bad_request);
    expect_error(L(CHUNKED "41\r\n"), ERR_too_large);
    expect_error(L(CHUNKED "10000000000000001\r\n"), ERR_too_large);
    expect_error(L(CHUNKED "FFFFFFFFFFFFFFFF\r\n"), ERR_too_large);
    expect_error(L(CHUNKED "1\r\na\r\n40\r\n"), ERR_too_large);
    expect_error(L(CHUNKED "0\r\nContent-Length: 1\r\n\r\n"), ERR_bad_request);
    expect_error(L(CHUNKED "0\r\ntransfer-encoding: x\r\n\r\n"), ERR_bad_request);
    expect_error(L(CHUNKED "0\r\nHost: x\r\n\r\n"), ERR_bad_request);
    expect_error(L(CHUNKED "0\r\nX : 1\r\n\r\n"), ERR_bad_request);
    expect_error(L(CHUNKED "0\r\nX: 1\r\n y\r\n\r\n"), ERR_bad_request);
    expect_error(L(CHUNKED "0\r\nX: 1\n\r\n"), ERR_bad_request);
    expect_error(L(CHUNKED "0\r\nA:\r\nA:\r\nA:\r\nA:\r\nA:\r\nA:\r\nA:\r\nA:\r\nA:\r\nA:\r\n"
                           "A:\r\n\r\n"),
                 ERR_head_too_large);
    struct buf b = {0};
    buf_printf(&b, CHUNKED "0;%01100d\r\n\r\n", 0);
    expect_error(buf_bytes(&b), ERR_head_too_large);
    buf_release(&b);
}

static void test_expectations(void **state)
{
    struct outcome o;
    (void)state;
    run(L(POST "Expect: 100-Continue\r\nContent-Length: 1\r\n\r\n"), SIZE_MAX, &o);
    assert_int_equal(o.continues, 1);
    run(L(POST "Expect: 100-continue\r\nContent-Length: 2\r\n\r\na"), SIZE_MAX, &o);
    assert_int_equal(o.continues, 1); /* once, not with every piece */
    run(L(POST "Expect: 100-continue\r\nContent-Length: 2\r\n\r\na"), WHOLE, &o);
    assert_int_equal(o.continues, 0); /* the body is on its way already */
    run(L(POST "Expect: 100-continue\r\nContent-Length: 0\r\n\r\n"), SIZE_MAX, &o);
    assert_int_equal(o.continues, 0);
    assert_int_equal(o.progress, HTTP_COMPLETE);
    buf_release(&o.seen);
    run(L("POST / HTTP/1.0\r\nExpect: 100-continue\r\nContent-Length: 1\r\n\r\n"), SIZE_MAX, &o);
    assert_int_equal(o.continues, 0);
    expect_error(L(POST "Expect: 200-ok\r\nContent-Length: 1\r\n\r\na"), ERR_expectation_failed);
    /* A body that is too large is refused before anybody sends it. */
    expect_error(L(POST "Expect: 100-continue\r\nContent-Length: 65\r\n\r\n"), ERR_too_large);
}

static void test_keep_alive(void **state)
{
    static const struct {
        const char *version;
        const char *fields;
        bool keep_alive;
    } rows[] = {
        {"1.1", "", true},
        {"1.1", "Connection: close\r\n", false},
        {"1.1", "Connection: x , CLOSE\r\n", false},
        {"1.1", "Connection: x\r\nConnection: close\r\n", false},
        {"1.1", "Connection: closed\r\n", true},
        {"1.0", "", false},
        {"1.0", "Connection: Keep-Alive\r\n", true},
        {"1.0", "Connection: keep-alive, close\r\n", false},
    };
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct buf b = {0};
        struct http_reader *r;
        buf_printf(&b, "GET / HTTP/%s\r\n" H "%s\r\n", rows[i].version, rows[i].fields);
        assert_int_equal(read_whole(buf_bytes(&b), &r)->keep_alive, rows[i].keep_alive);
        http_reader_free(r);
        buf_release(&b);
    }
}

#define KEY "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
#define V13 "Sec-WebSocket-Version: 13\r\n"
#define UP  "Upgrade: websocket\r\nConnection: Upgrade\r\n"

static void expect_upgrade(struct bytes in, enum http_upgrade upgrade)
{
    struct http_reader *r;
    const struct http_request *q = read_whole(in, &r);
    if (q->upgrade != upgrade)
        print_error("[%.*s] gave %d\n", (int)in.len, (const char *)in.p, (int)q->upgrade);
    assert_int_equal(q->upgrade, upgrade);
    if (upgrade == HTTP_UPGRADE_WEBSOCKET)
        assert_true(bytes_equal(q->websocket_key, L("dGhlIHNhbXBsZSBub25jZQ==")));
    http_reader_free(r);
}

static void test_upgrades(void **state)
{
    (void)state;
#define GET "GET /u HTTP/1.1\r\n" H
    expect_upgrade(L(GET UP KEY V13 "\r\n"), HTTP_UPGRADE_WEBSOCKET);
    expect_upgrade(
        L(GET "Upgrade: h2c, WebSocket\r\nConnection: keep-alive,upgrade\r\n" KEY V13 "\r\n"),
        HTTP_UPGRADE_WEBSOCKET);
    expect_upgrade(L(GET "\r\n"), HTTP_UPGRADE_NONE);
    expect_upgrade(L(GET "Upgrade: h2c\r\nConnection: upgrade\r\n\r\n"), HTTP_UPGRADE_NONE);
    expect_upgrade(L(GET "Upgrade: websocketx\r\nConnection: upgrade\r\n\r\n"), HTTP_UPGRADE_NONE);
    expect_upgrade(L("GET / HTTP/1.0\r\n" UP KEY V13 "\r\n"), HTTP_UPGRADE_NONE);
    expect_upgrade(L(GET "Upgrade: websocket\r\n" KEY V13 "\r\n"), HTTP_UPGRADE_INVALID);
    expect_upgrade(L("POST / HTTP/1.1\r\n" H UP KEY V13 "\r\n"), HTTP_UPGRADE_INVALID);
    expect_upgrade(L(GET UP KEY "\r\n"), HTTP_UPGRADE_INVALID);
    expect_upgrade(L(GET UP KEY V13 V13 "\r\n"), HTTP_UPGRADE_INVALID);
    expect_upgrade(L(GET UP KEY "Sec-WebSocket-Version: 8\r\n\r\n"), HTTP_UPGRADE_VERSION);
    expect_upgrade(L(GET UP V13 "\r\n"), HTTP_UPGRADE_INVALID);
    expect_upgrade(L(GET UP KEY KEY V13 "\r\n"), HTTP_UPGRADE_INVALID);
    expect_upgrade(L(GET UP V13 "Sec-WebSocket-Key: dGhl\r\n\r\n"), HTTP_UPGRADE_INVALID);
    expect_upgrade(L(GET UP V13 "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ=!\r\n\r\n"),
                   HTTP_UPGRADE_INVALID);
    expect_upgrade(L(GET UP V13 "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZR==\r\n\r\n"),
                   HTTP_UPGRADE_INVALID); /* 130 bits */
    expect_upgrade(L(GET UP V13 "Sec-WebSocket-Key: dGh\x80IHNhbXBsZSBub25jZQ==\r\n\r\n"),
                   HTTP_UPGRADE_INVALID);
    expect_upgrade(L(GET UP KEY V13 "Content-Length: 1\r\n\r\na"), HTTP_UPGRADE_INVALID);
    /* A body with an upgrade that is ignored is read as any other. */
    expect_body(L(POST "Upgrade: h2c\r\nConnection: upgrade\r\nContent-Length: 2\r\n\r\nab"), "ab");
}

static void test_reset(void **state)
{
    struct http_reader *r = http_reader_new(&limits);
    size_t taken;
    (void)state;
    struct bytes bad = L("GET / HTTP/1.1\r\nHost : h\r\n"),
                 good = L(POST "Content-Length: 1\r\n\r\na");
    assert_int_equal(http_reader_push(r, bad, &taken), HTTP_FAILED);
    for (int i = 0; i < 3; i++) {
        http_reader_reset(r);
        assert_false(http_reader_in_body(r));
        assert_int_equal(http_reader_push(r, bytes_of(good.p, good.len - 1), &taken),
                         HTTP_NEED_MORE);
        assert_true(http_reader_in_body(r));
        assert_int_equal(http_reader_push(r, L("a"), &taken), HTTP_COMPLETE);
        assert_true(bytes_equal(http_reader_request(r)->body, L("a")));
        assert_int_equal(http_reader_request(r)->field_count, 2);
    }
    http_reader_free(r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_plain_request),  cmocka_unit_test(test_methods),
        cmocka_unit_test(test_targets),        cmocka_unit_test(test_request_line),
        cmocka_unit_test(test_line_ends),      cmocka_unit_test(test_fields),
        cmocka_unit_test(test_sizes),          cmocka_unit_test(test_host),
        cmocka_unit_test(test_smuggling),      cmocka_unit_test(test_length_bodies),
        cmocka_unit_test(test_chunked_bodies), cmocka_unit_test(test_expectations),
        cmocka_unit_test(test_keep_alive),     cmocka_unit_test(test_upgrades),
        cmocka_unit_test(test_reset),
    };
    return cmocka_run_group_tests_name("http", tests, NULL, NULL);
}
