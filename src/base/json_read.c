#include "base/json_read.h"

#include <limits.h>

#define JSMN_STATIC
#define JSMN_STRICT
#define JSMN_PARENT_LINKS
#include <jsmn.h>

#include "base/crypto.h"
#include "base/ensure.h"
#include "base/json_scan.h"

/* Objects with up to this many keys have them compared in pairs. */
#define KEYS_PAIRWISE_MAX 12

struct json_doc {
    const char *text;
    const jsmntok_t *tokens; /* in the order of the text; a value's parent is its key or array */
    const uint32_t *after;   /* the first token behind the token and all that is inside it */
    uint32_t count;
};

static struct bytes token_text(const struct json_doc *doc, uint32_t i)
{
    const jsmntok_t *t = &doc->tokens[i];
    return bytes_of(doc->text + t->start, (size_t)(t->end - t->start));
}

/* ---- strings ----------------------------------------------------------------------------------
 */

static bool has_escape(struct bytes raw)
{
    return raw.len != 0 && memchr(raw.p, '\\', raw.len) != NULL;
}

/* The value of a string that json_scan found valid; no longer than its text. */
static struct bytes unescape(struct bytes raw, struct arena *arena)
{
    uint8_t *out = arena_alloc(arena, raw.len);
    size_t len = 0;
    for (size_t i = 0; i < raw.len;) {
        const uint8_t *escape = memchr(raw.p + i, '\\', raw.len - i);
        size_t run = escape == NULL ? raw.len - i : (size_t)(escape - raw.p) - i;
        memcpy(out + len, raw.p + i, run);
        len += run;
        i += run;
        if (escape == NULL)
            break;
        uint8_t c[4];
        size_t c_len;
        size_t n = json_scan_char(escape, raw.len - i, c, &c_len);
        ENSURE(n != 0);
        memcpy(out + len, c, c_len);
        len += c_len;
        i += n;
    }
    return bytes_of(out, len);
}

/* Is `name` the value of the string whose text is `raw`? */
static bool raw_is(struct bytes raw, struct bytes name)
{
    if (raw.len < name.len)
        return false; /* an escape is never shorter than what it stands for */
    if (raw.len == name.len)
        return bytes_equal(raw, name) && !has_escape(raw);
    if (!has_escape(raw))
        return false;

    size_t at = 0;
    for (size_t i = 0; i < raw.len;) {
        uint8_t c[4];
        size_t c_len;
        size_t n = json_scan_char(raw.p + i, raw.len - i, c, &c_len);
        ENSURE(n != 0);
        if (name.len - at < c_len || memcmp(name.p + at, c, c_len) != 0)
            return false;
        at += c_len;
        i += n;
    }
    return at == name.len;
}

/* ---- reading ----------------------------------------------------------------------------------
 */

/* Are these keys all different? A set in the arena, keyed by SipHash: linear in their bytes,
 * whatever they are. */
static bool keys_differ_set(const struct bytes *keys, uint32_t count, struct arena *arena)
{
    struct slot {
        uint64_t hash;
        uint32_t key; /* its index + 1; 0: empty */
    };
    uint64_t slots = 16;
    while (slots < 2 * (uint64_t)count)
        slots *= 2;
    struct slot *set = arena_alloc(arena, slots * sizeof *set);
    memset(set, 0, slots * sizeof *set);

    for (uint32_t k = 0; k < count; k++) {
        uint64_t hash = crypto_siphash(keys[k]);
        uint64_t i = hash & (slots - 1);
        for (; set[i].key != 0; i = (i + 1) & (slots - 1)) {
            if (set[i].hash == hash && bytes_equal(keys[set[i].key - 1], keys[k]))
                return false;
        }
        set[i] = (struct slot){hash, k + 1};
    }
    return true;
}

static bool keys_differ_pairwise(const struct bytes *keys, uint32_t count)
{
    for (uint32_t k = 1; k < count; k++) {
        for (uint32_t i = 0; i < k; i++) {
            if (bytes_equal(keys[i], keys[k]))
                return false;
        }
    }
    return true;
}

static bool object_keys_differ(const struct json_doc *doc, uint32_t object, struct arena *arena)
{
    uint32_t count = (uint32_t)doc->tokens[object].size;
    if (count < 2)
        return true;

    struct bytes few[KEYS_PAIRWISE_MAX];
    struct bytes *keys =
        count <= KEYS_PAIRWISE_MAX ? few : arena_alloc(arena, count * sizeof *keys);
    uint32_t n = 0;
    for (uint32_t i = object + 1; i < doc->after[object]; i = doc->after[i]) {
        struct bytes raw = token_text(doc, i);
        keys[n++] = has_escape(raw) ? unescape(raw, arena) : raw;
    }
    ENSURE(n == count);
    return count <= KEYS_PAIRWISE_MAX ? keys_differ_pairwise(keys, count)
                                      : keys_differ_set(keys, count, arena);
}

/* Runs jsmn over a text that json_scan found valid; false where the two disagree, which would be
 * a bug, but none that should end the process for whoever finds it. */
static bool tokenise(struct bytes text, jsmntok_t *tokens, uint32_t count)
{
    const char *p = (const char *)text.p;
    if (count == 1) {
        /* jsmn refuses a number or a word at the top: what is not in a container is done here. */
        size_t start = 0;
        size_t end = text.len;
        while (p[start] == ' ' || p[start] == '\t' || p[start] == '\n' || p[start] == '\r')
            start++;
        while (p[end - 1] == ' ' || p[end - 1] == '\t' || p[end - 1] == '\n' || p[end - 1] == '\r')
            end--;
        jsmntype_t type = JSMN_PRIMITIVE;
        if (p[start] == '"') {
            type = JSMN_STRING;
            start++;
            end--;
        } else if (p[start] == '[' || p[start] == '{') {
            type = p[start] == '[' ? JSMN_ARRAY : JSMN_OBJECT;
        }
        tokens[0] = (jsmntok_t){type, (int)start, (int)end, 0, -1};
        return true;
    }
    jsmn_parser parser;
    jsmn_init(&parser);
    return jsmn_parse(&parser, p, text.len, tokens, count) == (int)count;
}

/* Where each token's subtree ends. A parent comes before its children, so backwards each token's
 * own is known before its parent takes it over; the last child is met first and decides. */
static void find_ends(const jsmntok_t *tokens, uint32_t *after, uint32_t count)
{
    memset(after, 0, count * sizeof *after);
    for (uint32_t i = count; i-- > 0;) {
        if (after[i] == 0)
            after[i] = i + 1;
        int parent = tokens[i].parent;
        if (parent >= 0 && after[parent] == 0)
            after[parent] = after[i];
    }
}

enum err json_read(struct bytes text, struct json_limits limits, struct arena *arena,
                   struct json *root, const char **why)
{
    const char *unused;
    if (why == NULL)
        why = &unused;

    /* jsmn counts in int. */
    if (text.len > INT_MAX - 1 || limits.token_max > INT_MAX / 2) {
        *why = "The JSON text is too large.";
        return ERR_invalid_json;
    }
    uint32_t count = 0;
    *why = json_scan(text, limits, &count);
    if (*why != NULL)
        return ERR_invalid_json;

    struct json_doc *doc = arena_alloc(arena, sizeof *doc);
    jsmntok_t *tokens = arena_alloc(arena, count * sizeof *tokens);
    uint32_t *after = arena_alloc(arena, count * sizeof *after);
    if (!tokenise(text, tokens, count)) {
        *why = "The JSON text could not be read.";
        return ERR_invalid_json;
    }
    find_ends(tokens, after, count);
    *doc = (struct json_doc){(const char *)text.p, tokens, after, count};

    for (uint32_t i = 0; i < count; i++) {
        if (tokens[i].type == JSMN_OBJECT && !object_keys_differ(doc, i, arena)) {
            *why = "An object of the JSON text has a key twice.";
            return ERR_invalid_json;
        }
    }
    *root = (struct json){doc, 0};
    return ERR_ok;
}

/* ---- values -----------------------------------------------------------------------------------
 */

static const jsmntok_t *token(struct json v)
{
    ENSURE(v.index < v.doc->count);
    return &v.doc->tokens[v.index];
}

enum json_type json_type(struct json v)
{
    if (v.doc == NULL)
        return JSON_NONE;
    const jsmntok_t *t = token(v);
    switch (t->type) {
    case JSMN_OBJECT:
        return JSON_OBJECT;
    case JSMN_ARRAY:
        return JSON_ARRAY;
    case JSMN_STRING:
        return JSON_STRING;
    case JSMN_PRIMITIVE:
    case JSMN_UNDEFINED:
        break;
    }
    switch (v.doc->text[t->start]) {
    case 'n':
        return JSON_NULL;
    case 't':
    case 'f':
        return JSON_BOOL;
    default:
        return JSON_NUMBER;
    }
}

struct json json_member(struct json v, const char *name)
{
    if (v.doc == NULL || token(v)->type != JSMN_OBJECT)
        return (struct json){0};

    const struct json_doc *doc = v.doc;
    const struct bytes wanted = bytes_cstr(name);
    for (uint32_t i = v.index + 1; i < doc->after[v.index]; i = doc->after[i]) {
        if (raw_is(token_text(doc, i), wanted))
            return (struct json){doc, i + 1};
    }
    return (struct json){0};
}

struct json json_first(struct json array)
{
    if (array.doc == NULL || token(array)->type != JSMN_ARRAY || token(array)->size == 0)
        return (struct json){0};
    return (struct json){array.doc, array.index + 1};
}

struct json json_next(struct json element)
{
    if (element.doc == NULL)
        return (struct json){0};
    const struct json_doc *doc = element.doc;
    int parent = token(element)->parent;
    if (parent < 0 || doc->tokens[parent].type != JSMN_ARRAY)
        return (struct json){0};
    uint32_t next = doc->after[element.index];
    return next < doc->after[parent] ? (struct json){doc, next} : (struct json){0};
}

uint32_t json_count(struct json v)
{
    if (v.doc == NULL)
        return 0;
    const jsmntok_t *t = token(v);
    return t->type == JSMN_OBJECT || t->type == JSMN_ARRAY ? (uint32_t)t->size : 0;
}

bool json_string(struct json v, struct arena *arena, struct bytes *out)
{
    if (v.doc == NULL || token(v)->type != JSMN_STRING)
        return false;
    struct bytes raw = token_text(v.doc, v.index);
    *out = has_escape(raw) ? unescape(raw, arena) : raw;
    return true;
}

bool json_int(struct json v, int64_t *out)
{
    if (json_type(v) != JSON_NUMBER)
        return false;
    struct bytes raw = token_text(v.doc, v.index);
    bool negative = raw.p[0] == '-';
    int64_t n = 0;
    for (size_t i = negative; i < raw.len; i++) {
        if (raw.p[i] < '0' || raw.p[i] > '9')
            return false;
        int digit = raw.p[i] - '0';
        /* Towards the sign, so that INT64_MIN can be read. */
        if (__builtin_mul_overflow(n, 10, &n) ||
            __builtin_add_overflow(n, negative ? -digit : digit, &n))
            return false;
    }
    *out = n;
    return true;
}

bool json_bool(struct json v, bool *out)
{
    if (json_type(v) != JSON_BOOL)
        return false;
    *out = v.doc->text[token(v)->start] == 't';
    return true;
}

struct bytes json_raw(struct json v)
{
    if (v.doc == NULL)
        return (struct bytes){0};
    struct bytes raw = token_text(v.doc, v.index);
    if (token(v)->type == JSMN_STRING) {
        /* jsmn leaves the quotes out. */
        raw.p--;
        raw.len += 2;
    }
    return raw;
}
