#include "api/query.h"

#include "api/field.h"
#include "base/text.h"

bool query_next(struct bytes *query, struct bytes *name, struct bytes *value)
{
    if (query->len == 0)
        return false;
    const uint8_t *end = memchr(query->p, '&', query->len);
    size_t len = end != NULL ? (size_t)(end - query->p) : query->len;
    const uint8_t *eq = memchr(query->p, '=', len);
    size_t name_len = eq != NULL ? (size_t)(eq - query->p) : len;
    *name = bytes_of(query->p, name_len);
    *value = eq != NULL ? bytes_of(eq + 1, len - name_len - 1) : bytes_of(NULL, 0);
    len += end != NULL;
    *query = bytes_of(query->p + len, query->len - len);
    return true;
}

bool query_number(struct bytes value, uint64_t *out)
{
    uint64_t n = 0;

    if (value.len == 0 || value.len > 18)
        return false;
    for (size_t i = 0; i < value.len; i++) {
        if (value.p[i] < '0' || value.p[i] > '9')
            return false;
        n = 10 * n + (uint64_t)(value.p[i] - '0');
    }
    *out = n;
    return true;
}

/* The first field of that name, not decoded. */
static bool find(const struct call *call, const char *wanted, struct bytes *value)
{
    struct bytes query = call->request->query, name;

    while (query_next(&query, &name, value)) {
        if (bytes_equal(name, bytes_cstr(wanted)))
            return true;
    }
    return false;
}

enum err query_uint(struct call *call, const char *name, uint64_t min, uint64_t max, uint64_t *out,
                    struct problem *problem)
{
    struct bytes value;
    uint64_t n;

    if (!find(call, name, &value))
        return ERR_ok;
    if (!query_number(value, &n) || n < min || n > max)
        return field_fault(call->api, problem, "%s must be a number from %llu to %llu.", name,
                           (unsigned long long)min, (unsigned long long)max);
    *out = n;
    return ERR_ok;
}

enum err query_uuid(struct call *call, const char *name, struct uuid *out, bool *there,
                    struct problem *problem)
{
    struct bytes value;

    *there = find(call, name, &value);
    if (*there && !uuid_parse(value, out))
        return field_fault(call->api, problem, "%s must be a UUID.", name);
    return ERR_ok;
}

static int hex_digit(uint8_t c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    uint8_t letter = c | 0x20;
    return letter >= 'a' && letter <= 'f' ? letter - 'a' + 10 : -1;
}

/* False where a % has not two hex digits behind it. */
static bool decode(struct bytes value, struct arena *arena, struct bytes *out)
{
    uint8_t *p = arena_alloc(arena, value.len);
    size_t len = 0;

    for (size_t i = 0; i < value.len; i++) {
        uint8_t c = value.p[i];
        if (c == '+') {
            c = ' ';
        } else if (c == '%') {
            int high = value.len - i > 2 ? hex_digit(value.p[i + 1]) : -1;
            int low = value.len - i > 2 ? hex_digit(value.p[i + 2]) : -1;
            if (high < 0 || low < 0)
                return false;
            c = (uint8_t)(high << 4 | low);
            i += 2;
        }
        p[len++] = c;
    }
    *out = bytes_of(p, len);
    return true;
}

enum err query_text(struct call *call, const char *name, struct bytes *out, bool *there,
                    struct problem *problem)
{
    struct bytes value;

    *there = find(call, name, &value);
    if (!*there)
        return ERR_ok;
    if (!decode(value, &call->api->arena, out) || !text_utf8_valid(*out))
        return field_fault(call->api, problem, "%s must be percent-encoded UTF-8.", name);
    return ERR_ok;
}
