#include "net/address.h"

#include <arpa/inet.h>

#include "net/http.h"

/* ::ffff:0:0/96. */
#define MAPPED_BITS 96
static const uint8_t mapped[MAPPED_BITS / 8] = {[10] = 0xFF, [11] = 0xFF};

static bool is_mapped(const struct conn_address *a)
{
    return memcmp(a->b, mapped, sizeof mapped) == 0;
}

static struct bytes trim(struct bytes s)
{
    while (s.len > 0 && (s.p[0] == ' ' || s.p[0] == '\t'))
        s = bytes_of(s.p + 1, s.len - 1);
    while (s.len > 0 && (s.p[s.len - 1] == ' ' || s.p[s.len - 1] == '\t'))
        s.len--;
    return s;
}

bool address_parse(struct bytes text, struct conn_address *out)
{
    char s[INET6_ADDRSTRLEN];
    struct conn_address a;

    if (text.len == 0 || text.len >= sizeof s || memchr(text.p, '\0', text.len) != NULL)
        return false;
    memcpy(s, text.p, text.len);
    s[text.len] = '\0';
    if (inet_pton(AF_INET, s, a.b + sizeof mapped) == 1)
        memcpy(a.b, mapped, sizeof mapped);
    else if (inet_pton(AF_INET6, s, a.b) != 1)
        return false;
    *out = a;
    return true;
}

/* ---- networks -------------------------------------------------------------------------------- */

/* Decimal digits, at most `max`, without a leading zero. */
static bool prefix_read(struct bytes s, unsigned max, unsigned *out)
{
    unsigned v = 0;

    if (s.len == 0 || s.len > 3 || (s.len > 1 && s.p[0] == '0'))
        return false;
    for (size_t i = 0; i < s.len; i++) {
        if (s.p[i] < '0' || s.p[i] > '9')
            return false;
        v = v * 10 + (unsigned)(s.p[i] - '0');
    }
    *out = v;
    return v <= max;
}

/* Are the first `bits` of both the same? */
static bool same_prefix(const struct conn_address *a, const struct conn_address *b, unsigned bits)
{
    unsigned whole = bits / 8;
    unsigned rest = bits % 8;

    return memcmp(a->b, b->b, whole) == 0 &&
           (rest == 0 || (a->b[whole] ^ b->b[whole]) >> (8 - rest) == 0);
}

/* Is nothing set behind the first `bits`? Who writes 10.0.0.1/8 means something else. */
static bool ends_at(const struct conn_address *a, unsigned bits)
{
    for (unsigned i = bits; i < 128; i++)
        if ((a->b[i / 8] >> (7 - i % 8) & 1) != 0)
            return false;
    return true;
}

static bool net_read(struct bytes text, struct address_net *out)
{
    const uint8_t *slash = memchr(text.p, '/', text.len);
    size_t len = slash != NULL ? (size_t)(slash - text.p) : text.len;
    unsigned bits = 128;

    if (!address_parse(bytes_of(text.p, len), &out->first))
        return false;
    if (slash != NULL) {
        /* Written with dots, the prefix counts from the first of the four bytes. */
        bool v4 = memchr(text.p, ':', len) == NULL;
        if (!prefix_read(bytes_of(slash + 1, text.len - len - 1), v4 ? 32 : 128, &bits))
            return false;
        bits += v4 ? MAPPED_BITS : 0;
    }
    out->bits = (uint8_t)bits;
    return ends_at(&out->first, bits);
}

bool address_nets_parse(struct bytes list, struct address_nets *out, struct bytes *bad)
{
    out->count = 0;
    while (list.len > 0) {
        const uint8_t *comma = memchr(list.p, ',', list.len);
        size_t len = comma != NULL ? (size_t)(comma - list.p) : list.len;
        struct bytes one = trim(bytes_of(list.p, len));

        len += comma != NULL;
        list = bytes_of(list.p + len, list.len - len);
        if (one.len == 0)
            continue;
        if (out->count == ADDRESS_NETS_MAX || !net_read(one, &out->nets[out->count])) {
            *bad = one;
            return false;
        }
        out->count++;
    }
    return true;
}

bool address_nets_have(const struct address_nets *nets, struct conn_address a)
{
    for (uint32_t i = 0; i < nets->count; i++)
        if (same_prefix(&nets->nets[i].first, &a, nets->nets[i].bits))
            return true;
    return false;
}

/* ---- who is behind a proxy ------------------------------------------------------------------- */

/* Nothing, or a colon and a port. */
static bool is_port(struct bytes s)
{
    if (s.len == 0)
        return true;
    if (s.p[0] != ':' || s.len < 2 || s.len > 6)
        return false;
    for (size_t i = 1; i < s.len; i++)
        if (s.p[i] < '0' || s.p[i] > '9')
            return false;
    return true;
}

/* Some proxies add the port. A bare IPv6 address has colons of its own, so it is tried first. */
static bool hop_read(struct bytes text, struct conn_address *out)
{
    struct conn_address a;

    if (address_parse(text, out))
        return true;
    bool bracket = text.len > 0 && text.p[0] == '[';
    struct bytes rest = bracket ? bytes_of(text.p + 1, text.len - 1) : text;
    const uint8_t *end = rest.len > 0 ? memchr(rest.p, bracket ? ']' : ':', rest.len) : NULL;
    if (end == NULL)
        return false;
    struct bytes host = bytes_of(rest.p, (size_t)(end - rest.p));
    bool v6 = memchr(host.p, ':', host.len) != NULL;
    end += bracket;
    if (v6 != bracket || !is_port(bytes_of(end, rest.len - (size_t)(end - rest.p))) ||
        !address_parse(host, &a))
        return false;
    *out = a;
    return true;
}

/* Takes the last element off a list; false where the list is used up. */
static bool take_last(struct bytes *list, bool *left, struct bytes *element)
{
    if (!*left)
        return false;
    const uint8_t *comma = list->len > 0 ? memrchr(list->p, ',', list->len) : NULL;
    size_t start = comma != NULL ? (size_t)(comma - list->p) + 1 : 0;

    *element = trim(bytes_of(list->p + start, list->len - start));
    *left = comma != NULL;
    list->len = comma != NULL ? start - 1 : 0;
    return true;
}

struct conn_address address_of_client(const struct address_nets *trusted, struct conn_address peer,
                                      const struct http_request *r)
{
    struct conn_address client = peer;

    for (uint32_t i = r->field_count; i > 0; i--) {
        if (!bytes_equal_nocase(r->fields[i - 1].name, BYTES("x-forwarded-for")))
            continue;
        struct bytes list = r->fields[i - 1].value, element;
        bool left = true;
        while (address_nets_have(trusted, client) && take_last(&list, &left, &element))
            if (!hop_read(element, &client))
                return client;
        if (left)
            return client;
    }
    return client;
}

struct conn_address address_counted(struct conn_address a)
{
    if (!is_mapped(&a))
        memset(a.b + 8, 0, 8);
    return a;
}
