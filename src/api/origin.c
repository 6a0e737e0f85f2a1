#include "api/origin.h"

#include <stdio.h>

/* Longer ones are nobody's: a host name has at most 253 bytes. */
#define ORIGIN_LEN_MAX 300
_Static_assert(ORIGINS_FIELDS_MAX > ORIGIN_LEN_MAX + 128, "the fields of one origin fit");

static bool is_digit(uint8_t c)
{
    return c >= '0' && c <= '9';
}

static bool is_lower(uint8_t c)
{
    return c >= 'a' && c <= 'z';
}

static bool is_one_of(uint8_t c, struct bytes set)
{
    return memchr(set.p, c, set.len) != NULL;
}

/* A letter, then letters, digits and "+-." (RFC 3986, 3.1); how long it is, 0 for none. */
static size_t scheme_len(struct bytes s)
{
    size_t n = 0;

    if (s.len == 0 || !is_lower(s.p[0]))
        return 0;
    while (n < s.len && (is_lower(s.p[n]) || is_digit(s.p[n]) || is_one_of(s.p[n], BYTES("+-."))))
        n++;
    return n;
}

/* A name, an IPv4 address, or an IPv6 one in brackets; how long it is, 0 for none. */
static size_t host_len(struct bytes s)
{
    size_t n = 0;

    if (s.len > 0 && s.p[0] == '[') {
        for (n = 1; n < s.len && s.p[n] != ']'; n++)
            if (!is_digit(s.p[n]) && !(s.p[n] >= 'a' && s.p[n] <= 'f') && s.p[n] != ':')
                return 0;
        return n > 2 && n < s.len ? n + 1 : 0;
    }
    while (n < s.len && (is_lower(s.p[n]) || is_digit(s.p[n]) || is_one_of(s.p[n], BYTES("-._"))))
        n++;
    return n;
}

/* Nothing, or a port that is not the scheme's own: browsers leave that out. */
static bool port_fits(struct bytes s, struct bytes scheme)
{
    unsigned port = 0;

    if (s.len == 0)
        return true;
    if (s.len < 2 || s.len > 6 || s.p[0] != ':' || s.p[1] == '0')
        return false;
    for (size_t i = 1; i < s.len; i++) {
        if (!is_digit(s.p[i]))
            return false;
        port = port * 10 + (unsigned)(s.p[i] - '0');
    }
    return port <= UINT16_MAX && !(port == 80 && bytes_equal(scheme, BYTES("http"))) &&
           !(port == 443 && bytes_equal(scheme, BYTES("https")));
}

static bool is_origin(struct bytes s)
{
    struct bytes scheme = bytes_of(s.p, scheme_len(s));
    struct bytes rest = bytes_of(s.p + scheme.len, s.len - scheme.len);

    if (s.len > ORIGIN_LEN_MAX || scheme.len == 0 || rest.len < 3 || memcmp(rest.p, "://", 3) != 0)
        return false;
    rest = bytes_of(rest.p + 3, rest.len - 3);
    size_t n = host_len(rest);
    return n > 0 && port_fits(bytes_of(rest.p + n, rest.len - n), scheme);
}

bool origins_parse(struct bytes list, struct origins *out, struct bytes *bad)
{
    out->count = 0;
    while (list.len > 0) {
        const uint8_t *comma = memchr(list.p, ',', list.len);
        size_t len = comma != NULL ? (size_t)(comma - list.p) : list.len;
        struct bytes one = bytes_of(list.p, len);

        len += comma != NULL;
        list = bytes_of(list.p + len, list.len - len);
        while (one.len > 0 && one.p[0] == ' ')
            one = bytes_of(one.p + 1, one.len - 1);
        while (one.len > 0 && one.p[one.len - 1] == ' ')
            one.len--;
        if (one.len == 0)
            continue;
        if (out->count == ORIGINS_MAX || !is_origin(one)) {
            *bad = one;
            return false;
        }
        out->list[out->count++] = one;
    }
    return true;
}

uint16_t origins_place(const struct origins *o, const struct http_request *r)
{
    struct bytes origin;

    if (http_field_count(r, "origin") != 1 || !http_field(r, "origin", &origin))
        return 0;
    for (uint16_t i = 0; i < o->count; i++)
        if (bytes_equal(o->list[i], origin))
            return i + 1;
    return 0;
}

bool origins_admit(const struct origins *o, const struct http_request *r)
{
    return o->count == 0 || http_field_count(r, "origin") == 0 || origins_place(o, r) != 0;
}

size_t origins_fields(const struct origins *o, uint16_t place, char out[ORIGINS_FIELDS_MAX])
{
    if (o->count == 0)
        return 0;
    /* A cache must not give to one page what was answered to another. */
    if (place == 0)
        return (size_t)snprintf(out, ORIGINS_FIELDS_MAX, "vary: origin\r\n");
    const struct bytes *origin = &o->list[place - 1];
    return (size_t)snprintf(out, ORIGINS_FIELDS_MAX,
                            "vary: origin\r\naccess-control-allow-origin: %.*s\r\n"
                            "access-control-expose-headers: retry-after\r\n",
                            (int)origin->len, (const char *)origin->p);
}

bool origins_is_preflight(const struct http_request *r)
{
    return r->method == HTTP_OPTIONS_ && http_field_count(r, "access-control-request-method") > 0;
}
