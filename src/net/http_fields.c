#include "net/http_fields.h"

#include <arpa/inet.h>

#include "net/http_head.h"

#define KEY_LEN 24 /* base64 of 16 bytes */

bool http_field(const struct http_request *r, const char *name, struct bytes *value)
{
    struct bytes wanted = bytes_cstr(name);
    for (uint32_t i = 0; i < r->field_count; i++) {
        if (bytes_equal_nocase(r->fields[i].name, wanted)) {
            *value = r->fields[i].value;
            return true;
        }
    }
    return false;
}

uint32_t http_field_count(const struct http_request *r, const char *name)
{
    struct bytes wanted = bytes_cstr(name);
    uint32_t n = 0;
    for (uint32_t i = 0; i < r->field_count; i++)
        n += bytes_equal_nocase(r->fields[i].name, wanted);
    return n;
}

static bool is_blank(uint8_t c)
{
    return c == ' ' || c == '\t';
}

static struct bytes trim(struct bytes s)
{
    while (s.len && is_blank(s.p[0]))
        s = bytes_of(s.p + 1, s.len - 1);
    while (s.len && is_blank(s.p[s.len - 1]))
        s.len--;
    return s;
}

/* Takes the next element off a comma-separated list (RFC 9110, 5.6.1); false at its end. */
static bool list_next(struct bytes *list, struct bytes *element)
{
    if (list->len == 0)
        return false;
    const uint8_t *comma = memchr(list->p, ',', list->len);
    size_t n = comma ? (size_t)(comma - list->p) : list->len;
    *element = trim(bytes_of(list->p, n));
    n += comma != NULL;
    *list = bytes_of(list->p + n, list->len - n);
    return true;
}

/* Is `token` an element of the lists in all fields of this name? */
static bool has_token(const struct http_request *r, const char *name, struct bytes token)
{
    struct bytes wanted = bytes_cstr(name);
    for (uint32_t i = 0; i < r->field_count; i++) {
        struct bytes list = r->fields[i].value, element;
        if (!bytes_equal_nocase(r->fields[i].name, wanted))
            continue;
        while (list_next(&list, &element))
            if (bytes_equal_nocase(element, token))
                return true;
    }
    return false;
}

static bool is_digit(uint8_t c)
{
    return c >= '0' && c <= '9';
}

static bool is_alnum(uint8_t c)
{
    uint8_t low = c | 0x20;
    return is_digit(c) || (low >= 'a' && low <= 'z');
}

static bool is_one_of(uint8_t c, struct bytes set)
{
    return memchr(set.p, c, set.len) != NULL;
}

static bool is_hex(uint8_t c)
{
    uint8_t low = c | 0x20;
    return is_digit(c) || (low >= 'a' && low <= 'f');
}

/* Is each '%' followed by two hexadecimal digits (RFC 3986, 2.1)? Nothing here is decoded, but
 * whoever stands before this server may do so, and guess. */
static bool percents_valid(struct bytes s)
{
    for (size_t i = 0; i < s.len; i++)
        if (s.p[i] == '%' && (s.len - i < 3 || !is_hex(s.p[i + 1]) || !is_hex(s.p[i + 2])))
            return false;
    return true;
}

/* What stands between the brackets. A form of the future (IPvFuture) nobody can mean yet. */
static bool is_ipv6(struct bytes s)
{
    char text[INET6_ADDRSTRLEN];
    struct in6_addr address;
    if (s.len >= sizeof text)
        return false;
    memcpy(text, s.p, s.len);
    text[s.len] = '\0';
    return inet_pton(AF_INET6, text, &address) == 1;
}

/* Digits up to 65535, or nothing (RFC 3986, 3.2.3). */
static bool port_valid(struct bytes s)
{
    uint32_t port = 0;
    if (s.len > 5)
        return false;
    for (size_t i = 0; i < s.len; i++) {
        if (!is_digit(s.p[i]))
            return false;
        port = port * 10 + (s.p[i] - '0');
    }
    return port <= UINT16_MAX;
}

/* host[:port] (RFC 3986, 3.2): a name, an IPv4 address or a bracketed IPv6 address. Not empty. */
static bool host_valid(struct bytes h)
{
    size_t i = 0;
    if (h.len && h.p[0] == '[') {
        while (i < h.len && h.p[i] != ']')
            i++;
        if (i == h.len || !is_ipv6(bytes_of(h.p + 1, i - 1)))
            return false;
        i++;
    } else {
        for (; i < h.len && h.p[i] != ':'; i++)
            if (!is_alnum(h.p[i]) && !is_one_of(h.p[i], BYTES("-._~%!$&'()*+,;=")))
                return false;
        if (i == 0 || !percents_valid(bytes_of(h.p, i)))
            return false;
    }
    if (i == h.len)
        return true;
    return h.p[i] == ':' && port_valid(bytes_of(h.p + i + 1, h.len - i - 1));
}

static bool starts_with_nocase(struct bytes s, struct bytes prefix)
{
    return s.len >= prefix.len && bytes_equal_nocase(bytes_of(s.p, prefix.len), prefix);
}

enum err http_judge_target(struct http_request *r, struct bytes target)
{
    if (r->method == HTTP_OPTIONS_ && bytes_equal(target, BYTES("*"))) {
        r->path = target;
        return ERR_ok;
    }
    size_t scheme = starts_with_nocase(target, BYTES("http://"))    ? 7
                    : starts_with_nocase(target, BYTES("https://")) ? 8
                                                                    : 0;
    if (scheme) {
        size_t end = scheme;
        while (end < target.len && target.p[end] != '/' && target.p[end] != '?')
            end++;
        r->host = bytes_of(target.p + scheme, end - scheme);
        if (!host_valid(r->host))
            return ERR_bad_request;
        target = bytes_of(target.p + end, target.len - end);
    } else if (target.len == 0 || target.p[0] != '/') {
        return ERR_bad_request;
    }
    const uint8_t *mark = target.len ? memchr(target.p, '?', target.len) : NULL;
    size_t path_len = mark ? (size_t)(mark - target.p) : target.len;
    r->path = path_len ? bytes_of(target.p, path_len) : BYTES("/");
    if (!percents_valid(r->path)) /* a query's are judged by who decodes it */
        return ERR_bad_request;
    if (mark)
        r->query = bytes_of(mark + 1, target.len - path_len - 1);
    return ERR_ok;
}

/* The Host field is checked even where the target names the host (RFC 9112, 3.2). */
static enum err judge_host(struct http_request *r)
{
    struct bytes host;
    uint32_t n = http_field_count(r, "host");
    if (n > 1 || (n == 0 && r->version_1_1))
        return ERR_bad_request;
    if (n == 1) {
        if (!http_field(r, "host", &host) || !host_valid(host))
            return ERR_bad_request;
        if (r->host.len == 0)
            r->host = host;
    }
    return ERR_ok;
}

/* RFC 9112, 6.1: chunked and nothing else, never beside a length, never in 1.0. */
static enum err judge_coding(const struct http_request *r, struct http_framing *f)
{
    struct bytes coding, last = {NULL, 0};
    uint32_t n = http_field_count(r, "transfer-encoding");
    if (n == 0)
        return ERR_ok;
    if (n > 1 || !r->version_1_1 || http_field_count(r, "content-length") > 0 ||
        !http_field(r, "transfer-encoding", &coding))
        return ERR_bad_request;
    f->chunked = bytes_equal_nocase(coding, BYTES("chunked"));
    if (f->chunked)
        return ERR_ok;
    while (list_next(&coding, &last)) {
    }
    return bytes_equal_nocase(last, BYTES("chunked")) ? ERR_not_implemented : ERR_bad_request;
}

/* RFC 9112, 6.2 and 6.3: one field, digits only. */
static enum err judge_length(const struct http_request *r, uint32_t body_max,
                             struct http_framing *f)
{
    struct bytes text;
    uint32_t n = http_field_count(r, "content-length");
    if (n == 0)
        return ERR_ok;
    if (n > 1 || !http_field(r, "content-length", &text) || text.len == 0 || text.len > 19)
        return ERR_bad_request;
    for (size_t i = 0; i < text.len; i++) {
        if (!is_digit(text.p[i]))
            return ERR_bad_request;
        f->length = f->length * 10 + (text.p[i] - '0');
    }
    f->has_length = true;
    return f->length > body_max ? ERR_too_large : ERR_ok;
}

/* RFC 9110, 10.1.1: an HTTP/1.0 client's expectation is ignored. */
static enum err judge_expectation(const struct http_request *r, struct http_framing *f)
{
    if (!r->version_1_1)
        return ERR_ok;
    for (uint32_t i = 0; i < r->field_count; i++) {
        if (!bytes_equal_nocase(r->fields[i].name, BYTES("expect")))
            continue;
        if (!bytes_equal_nocase(r->fields[i].value, BYTES("100-continue")))
            return ERR_expectation_failed;
        f->wants_continue = f->chunked || f->length > 0;
    }
    return ERR_ok;
}

static bool base64_char(uint8_t c)
{
    return is_alnum(c) || c == '+' || c == '/';
}

/* Base64 (RFC 4648, 4) of exactly 16 bytes: 22 characters, of the last only two bits, "==". */
static bool key_valid(struct bytes key)
{
    if (key.len != KEY_LEN || key.p[22] != '=' || key.p[23] != '=')
        return false;
    for (size_t i = 0; i < 22; i++)
        if (!base64_char(key.p[i]))
            return false;
    return is_one_of(key.p[21], BYTES("AQgw"));
}

/* RFC 6455, 4.2.1 and 4.4. An HTTP/1.0 client's Upgrade is ignored (RFC 9110, 7.8). */
static enum http_upgrade judge_upgrade(struct http_request *r, const struct http_framing *f)
{
    struct bytes version, key;
    if (!r->version_1_1 || !has_token(r, "upgrade", BYTES("websocket")))
        return HTTP_UPGRADE_NONE;
    if (r->method != HTTP_GET_ || f->chunked || f->length > 0 ||
        !has_token(r, "connection", BYTES("upgrade")) ||
        http_field_count(r, "sec-websocket-version") != 1 ||
        !http_field(r, "sec-websocket-version", &version))
        return HTTP_UPGRADE_INVALID;
    if (!bytes_equal(version, BYTES("13")))
        return HTTP_UPGRADE_VERSION;
    if (http_field_count(r, "sec-websocket-key") != 1 ||
        !http_field(r, "sec-websocket-key", &key) || !key_valid(key))
        return HTTP_UPGRADE_INVALID;
    r->websocket_key = key;
    return HTTP_UPGRADE_WEBSOCKET;
}

enum err http_judge_fields(struct http_request *r, uint32_t body_max, struct http_framing *f)
{
    enum err e;
    *f = (struct http_framing){0};
    if ((e = judge_host(r)) || (e = judge_coding(r, f)) || (e = judge_length(r, body_max, f)) ||
        (e = judge_expectation(r, f)))
        return e;
    /* RFC 9112, 9.3. */
    if (has_token(r, "connection", BYTES("close")))
        r->keep_alive = false;
    else
        r->keep_alive = r->version_1_1 || has_token(r, "connection", BYTES("keep-alive"));
    r->upgrade = judge_upgrade(r, f);
    return ERR_ok;
}
