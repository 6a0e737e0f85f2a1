#include "base/json_scan.h"

#include "base/swar.h"
#include "base/utf8.h"

/*
 *            ┌──── , ────┐ (in an array)
 *            ▼           │
 *  start ► VALUE ─────► AFTER ─► DONE (outside everything)
 *            ▲ │ [       │ ▲
 *            : ▼         │ │ ] }
 *            │ FIRST_VALUE (a value or ]) ─┘
 *            │ FIRST_KEY   (a key or })
 *            │   │ string
 *           KEY ◄── , ─── AFTER (in an object)
 *
 *  Whatever does not fit goes to FAILED, with `why` set.
 */
enum scan_state {
    SCAN_VALUE,
    SCAN_FIRST_VALUE,
    SCAN_KEY,
    SCAN_FIRST_KEY,
    SCAN_AFTER,
    SCAN_DONE,
    SCAN_FAILED
};

struct scan {
    const uint8_t *p;
    const uint8_t *end;
    const char *why;
    uint32_t tokens;
    uint32_t depth;
    struct json_limits limits;
    uint64_t objects[JSON_DEPTH_MAX / 64]; /* bit d: is the container at depth d an object? */
};

static enum scan_state failed(struct scan *s, const char *why)
{
    s->why = why;
    return SCAN_FAILED;
}

static bool is_digit(const struct scan *s)
{
    return s->p < s->end && *s->p >= '0' && *s->p <= '9';
}

static void skip_space(struct scan *s)
{
    while (s->p < s->end && (*s->p == ' ' || *s->p == '\n' || *s->p == '\r' || *s->p == '\t'))
        s->p++;
}

static bool in_object(const struct scan *s)
{
    return (s->objects[s->depth / 64] >> (s->depth % 64) & 1) != 0;
}

/* The value of four hex digits, or -1. */
static int32_t hex4(const uint8_t *p)
{
    int32_t v = 0;
    for (int i = 0; i < 4; i++) {
        uint8_t c = p[i];
        uint8_t letter = c | 0x20;
        if (c >= '0' && c <= '9')
            v = v << 4 | (c - '0');
        else if (letter >= 'a' && letter <= 'f')
            v = v << 4 | (letter - 'a' + 10);
        else
            return -1;
    }
    return v;
}

/* \uXXXX, or two of them where the first is a high surrogate; p is at the backslash. */
static size_t unicode_escape(const uint8_t *p, size_t left, uint8_t out[static 4], size_t *out_len)
{
    int32_t code = left < 6 ? -1 : hex4(p + 2);
    size_t used = 6;
    if (code < 0 || (code >= 0xDC00 && code <= 0xDFFF))
        return 0;
    if (code >= 0xD800 && code <= 0xDBFF) {
        int32_t low = left >= 12 && p[6] == '\\' && p[7] == 'u' ? hex4(p + 8) : -1;
        if (low < 0xDC00 || low > 0xDFFF)
            return 0;
        code = 0x10000 + ((code - 0xD800) << 10) + (low - 0xDC00);
        used = 12;
    }
    *out_len = utf8_encode((uint32_t)code, out);
    return used;
}

size_t json_scan_char(const uint8_t *p, size_t left, uint8_t out[static 4], size_t *out_len)
{
    if (*p != '\\') {
        uint32_t code;
        size_t n = utf8_decode(p, left, &code);
        memcpy(out, p, n);
        *out_len = n;
        return n;
    }
    if (left < 2)
        return 0;
    *out_len = 1;
    switch (p[1]) {
    case '"':
    case '\\':
    case '/':
        out[0] = p[1];
        return 2;
    case 'b':
        out[0] = '\b';
        return 2;
    case 'f':
        out[0] = '\f';
        return 2;
    case 'n':
        out[0] = '\n';
        return 2;
    case 'r':
        out[0] = '\r';
        return 2;
    case 't':
        out[0] = '\t';
        return 2;
    case 'u':
        return unicode_escape(p, left, out, out_len);
    default:
        return 0;
    }
}

/* A string whose opening quote is at s->p. */
static bool scan_string(struct scan *s)
{
    const uint8_t *p = s->p + 1;
    const uint8_t *end = s->end;
    for (;;) {
        while (end - p >= 8) {
            uint64_t w = swar_load(p);
            uint64_t special = swar_json_escaped(w) | swar_high(w);
            if (special != 0) {
                p += swar_first(special);
                break;
            }
            p += 8;
        }
        if (p == end)
            return false;
        if (*p == '"') {
            s->p = p + 1;
            return true;
        }
        if (*p < 0x20)
            return false;
        /* One that is special, or one of the last seven. */
        uint8_t out[4];
        size_t out_len;
        uint32_t code;
        size_t left = (size_t)(end - p);
        size_t n =
            *p == '\\' ? json_scan_char(p, left, out, &out_len) : utf8_decode(p, left, &code);
        if (n == 0)
            return false;
        p += n;
        while (p < end && *p >= 0x80) {
            n = utf8_decode(p, (size_t)(end - p), &code);
            if (n == 0)
                return false;
            p += n;
        }
    }
}

static bool scan_digits(struct scan *s)
{
    if (!is_digit(s))
        return false;
    while (is_digit(s))
        s->p++;
    return true;
}

static bool scan_number(struct scan *s)
{
    if (*s->p == '-')
        s->p++;
    if (s->p < s->end && *s->p == '0')
        s->p++;
    else if (!scan_digits(s))
        return false;
    if (s->p < s->end && *s->p == '.') {
        s->p++;
        if (!scan_digits(s))
            return false;
    }
    if (s->p < s->end && (*s->p == 'e' || *s->p == 'E')) {
        s->p++;
        if (s->p < s->end && (*s->p == '+' || *s->p == '-'))
            s->p++;
        if (!scan_digits(s))
            return false;
    }
    return true;
}

static bool scan_word(struct scan *s, const char *word, size_t len)
{
    if ((size_t)(s->end - s->p) < len || memcmp(s->p, word, len) != 0)
        return false;
    s->p += len;
    return true;
}

static enum scan_state open_container(struct scan *s, bool object)
{
    if (s->depth >= s->limits.depth_max)
        return failed(s, "The JSON text is nested too deeply.");
    s->p++;
    s->depth++;
    uint64_t bit = UINT64_C(1) << (s->depth % 64);
    if (object)
        s->objects[s->depth / 64] |= bit;
    else
        s->objects[s->depth / 64] &= ~bit;
    return object ? SCAN_FIRST_KEY : SCAN_FIRST_VALUE;
}

static enum scan_state close_container(struct scan *s)
{
    s->p++;
    s->depth--;
    return SCAN_AFTER;
}

static bool count_token(struct scan *s)
{
    return s->tokens++ < s->limits.token_max;
}

static enum scan_state scan_value(struct scan *s)
{
    if (!count_token(s))
        return failed(s, "The JSON text has too many keys and values.");
    bool ok;
    switch (*s->p) {
    case '{':
        return open_container(s, true);
    case '[':
        return open_container(s, false);
    case '"':
        if (!scan_string(s))
            return failed(s, "A string of the JSON text is not valid.");
        return SCAN_AFTER;
    case 't':
        ok = scan_word(s, "true", 4);
        break;
    case 'f':
        ok = scan_word(s, "false", 5);
        break;
    case 'n':
        ok = scan_word(s, "null", 4);
        break;
    default:
        ok = scan_number(s);
        break;
    }
    return ok ? SCAN_AFTER : failed(s, "A value of the JSON text is not valid.");
}

static enum scan_state scan_key(struct scan *s)
{
    if (!count_token(s))
        return failed(s, "The JSON text has too many keys and values.");
    if (*s->p != '"' || !scan_string(s))
        return failed(s, "A key of the JSON text is not a valid string.");
    skip_space(s);
    if (s->p == s->end || *s->p != ':')
        return failed(s, "A key of the JSON text has no colon behind it.");
    s->p++;
    return SCAN_VALUE;
}

/* Behind a value that is inside a container. */
static enum scan_state scan_after(struct scan *s)
{
    bool object = in_object(s);
    if (*s->p == ',') {
        s->p++;
        return object ? SCAN_KEY : SCAN_VALUE;
    }
    if (*s->p == (object ? '}' : ']'))
        return close_container(s);
    return failed(s, "The JSON text lacks a comma or a closing bracket.");
}

static enum scan_state scan_step(struct scan *s, enum scan_state state)
{
    skip_space(s);
    if (state == SCAN_AFTER && s->depth == 0)
        return s->p == s->end ? SCAN_DONE : failed(s, "Something follows the JSON text.");
    if (s->p == s->end)
        return failed(s, "The JSON text ends too early.");

    switch (state) {
    case SCAN_FIRST_VALUE:
        return *s->p == ']' ? close_container(s) : scan_value(s);
    case SCAN_VALUE:
        return scan_value(s);
    case SCAN_FIRST_KEY:
        return *s->p == '}' ? close_container(s) : scan_key(s);
    case SCAN_KEY:
        return scan_key(s);
    case SCAN_AFTER:
        return scan_after(s);
    case SCAN_DONE:
    case SCAN_FAILED:
        break;
    }
    return state;
}

const char *json_scan(struct bytes text, struct json_limits limits, uint32_t *tokens)
{
    struct scan s = {.p = text.p, .end = text.p + text.len, .limits = limits};
    if (s.limits.depth_max >= JSON_DEPTH_MAX)
        s.limits.depth_max = JSON_DEPTH_MAX - 1;

    enum scan_state state = SCAN_VALUE;
    while (state != SCAN_DONE && state != SCAN_FAILED)
        state = scan_step(&s, state);
    *tokens = s.tokens;
    return s.why;
}
