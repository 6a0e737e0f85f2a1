#include "base/json_scan.h"

#include "base/swar.h"
#include "base/utf8.h"

/* Room for so many tokens comes first: most texts have fewer. */
#define TOKENS_FIRST 48u

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
    const uint8_t *text;
    const uint8_t *p;
    const uint8_t *end;
    const char *why;
    uint32_t depth;
    uint32_t open; /* the innermost array or object, or JSON_NO_PARENT */
    uint32_t room; /* for so many tokens there is memory */
    struct json_limits limits;
    struct json_tokens tokens;
    struct arena *arena;
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
    return s->tokens.at[s->open].type == JSON_OBJECT;
}

/* ---- tokens -----------------------------------------------------------------------------------
 */

static __attribute__((noinline)) void grow(struct scan *s)
{
    struct json_token *old = s->tokens.at;
    s->room = s->room == 0 ? TOKENS_FIRST : 2 * s->room;
    s->tokens.at = arena_alloc(s->arena, s->room * sizeof *old);
    if (old != NULL)
        memcpy(s->tokens.at, old, s->tokens.count * sizeof *old);
}

/* A token that starts at s->p; NULL where there may be no more. */
static struct json_token *add_token(struct scan *s, enum json_type type)
{
    if (s->tokens.count == s->limits.token_max)
        return NULL;
    if (s->tokens.count == s->room)
        grow(s);
    struct json_token *t = &s->tokens.at[s->tokens.count++];
    t->start = (uint32_t)(s->p - s->text);
    t->parent = s->open;
    t->count = 0;
    t->type = (uint8_t)type;
    t->escaped = false;
    return t;
}

/* The value, which has no other inside it, ends at s->p. */
static void end_token(const struct scan *s, struct json_token *t)
{
    t->end = (uint32_t)(s->p - s->text);
    t->after = s->tokens.count;
}

/* ---- text -------------------------------------------------------------------------------------
 */

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

/* The first of the last few bytes that is not plain ASCII, or `end`. */
static const uint8_t *skip_plain(const uint8_t *p, const uint8_t *end)
{
    for (; end - p >= 8; p += 8) {
        uint64_t w = swar_load(p);
        uint64_t special = swar_json_escaped(w) | swar_high(w);
        if (special != 0)
            return p + swar_first(special);
    }
    while (p < end && *p >= 0x20 && *p < 0x80 && *p != '"' && *p != '\\')
        p++;
    return p;
}

/* The bytes of a string from s->p on, up to the quote behind it, where s->p is then. */
static bool scan_chars(struct scan *s, bool *escaped)
{
    const uint8_t *p = s->p;
    const uint8_t *end = s->end;
    for (;;) {
        size_t run = 16;
        while (run == 16 && end - p >= 16) {
            run = swar_first_16(swar_json_special_16(p));
            p += run;
        }
        if (run == 16)
            p = skip_plain(p, end);
        if (p == end)
            return false;
        if (*p == '"') {
            s->p = p;
            return true;
        }
        if (*p < 0x20)
            return false;
        uint8_t out[4];
        size_t out_len;
        uint32_t code;
        size_t left = (size_t)(end - p);
        *escaped |= *p == '\\';
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

/* A string whose opening quote is at s->p. */
static bool scan_string(struct scan *s, struct json_token *t)
{
    s->p++;
    t->start++;
    if (!scan_chars(s, &t->escaped))
        return false;
    end_token(s, t);
    s->p++;
    return true;
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

/* ---- structure --------------------------------------------------------------------------------
 */

static enum scan_state too_many(struct scan *s)
{
    return failed(s, "The JSON text has too many keys and values.");
}

static enum scan_state ends_early(struct scan *s)
{
    return failed(s, "The JSON text ends too early.");
}

static enum scan_state open_container(struct scan *s, bool object)
{
    if (s->depth >= s->limits.depth_max)
        return failed(s, "The JSON text is nested too deeply.");
    if (add_token(s, object ? JSON_OBJECT : JSON_ARRAY) == NULL)
        return too_many(s);
    s->open = s->tokens.count - 1;
    s->p++;
    s->depth++;
    return object ? SCAN_FIRST_KEY : SCAN_FIRST_VALUE;
}

static enum scan_state close_container(struct scan *s)
{
    struct json_token *t = &s->tokens.at[s->open];
    s->p++;
    s->depth--;
    s->open = t->parent;
    end_token(s, t);
    return SCAN_AFTER;
}

static bool scan_plain(struct scan *s, enum json_type type)
{
    switch (type) {
    case JSON_NULL:
        return scan_word(s, "null", 4);
    case JSON_BOOL:
        return *s->p == 't' ? scan_word(s, "true", 4) : scan_word(s, "false", 5);
    default:
        return scan_number(s);
    }
}

static enum json_type type_by_start(uint8_t c)
{
    switch (c) {
    case '{':
        return JSON_OBJECT;
    case '[':
        return JSON_ARRAY;
    case '"':
        return JSON_STRING;
    case 't':
    case 'f':
        return JSON_BOOL;
    case 'n':
        return JSON_NULL;
    default:
        return JSON_NUMBER;
    }
}

static enum scan_state scan_value(struct scan *s)
{
    if (s->open != JSON_NO_PARENT)
        s->tokens.at[s->open].count++;
    enum json_type type = type_by_start(*s->p);
    if (type == JSON_OBJECT || type == JSON_ARRAY)
        return open_container(s, type == JSON_OBJECT);

    struct json_token *t = add_token(s, type);
    if (t == NULL)
        return too_many(s);
    if (type == JSON_STRING)
        return scan_string(s, t) ? SCAN_AFTER
                                 : failed(s, "A string of the JSON text is not valid.");
    if (!scan_plain(s, type))
        return failed(s, "A value of the JSON text is not valid.");
    end_token(s, t);
    return SCAN_AFTER;
}

static enum scan_state scan_key(struct scan *s)
{
    struct json_token *t = add_token(s, JSON_STRING);
    if (t == NULL)
        return too_many(s);
    if (*s->p != '"' || !scan_string(s, t))
        return failed(s, "A key of the JSON text is not a valid string.");
    skip_space(s);
    if (s->p == s->end || *s->p != ':')
        return failed(s, "A key of the JSON text has no colon behind it.");
    s->p++;
    skip_space(s);
    return s->p == s->end ? ends_early(s) : scan_value(s);
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
    if (state == SCAN_AFTER && s->open == JSON_NO_PARENT)
        return s->p == s->end ? SCAN_DONE : failed(s, "Something follows the JSON text.");
    if (s->p == s->end)
        return ends_early(s);

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

const char *json_scan(struct bytes text, struct json_limits limits, struct arena *arena,
                      struct json_tokens *tokens)
{
    if (text.len == 0)
        text = BYTES(""); /* no arithmetic on NULL */
    struct scan s = {.text = text.p,
                     .p = text.p,
                     .end = text.p + text.len,
                     .open = JSON_NO_PARENT,
                     .limits = limits,
                     .arena = arena};
    if (text.len > INT32_MAX)
        return "The JSON text is too large.";

    enum scan_state state = SCAN_VALUE;
    while (state != SCAN_DONE && state != SCAN_FAILED)
        state = scan_step(&s, state);
    *tokens = s.tokens;
    return s.why;
}
