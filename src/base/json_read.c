#include "base/json_read.h"

#include "base/crypto.h"
#include "base/ensure.h"
#include "base/json_scan.h"

/* Objects with up to this many keys have them compared in pairs. */
#define KEYS_PAIRWISE_MAX 12

struct json_doc {
    const uint8_t *text;
    struct json_tokens tokens;
};

static const struct json_token *token_at(const struct json_doc *doc, uint32_t i)
{
    ENSURE(i < doc->tokens.count);
    return &doc->tokens.at[i];
}

static struct bytes token_text(const struct json_doc *doc, const struct json_token *t)
{
    return bytes_of(doc->text + t->start, t->end - t->start);
}

/* ---- strings ----------------------------------------------------------------------------------
 */

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

static struct bytes string_value(const struct json_doc *doc, const struct json_token *t,
                                 struct arena *arena)
{
    struct bytes raw = token_text(doc, t);
    return t->escaped ? unescape(raw, arena) : raw;
}

/* Is `name` the value of a string that is written with escapes? */
static bool escaped_is(struct bytes raw, struct bytes name)
{
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

static bool key_is(const struct json_doc *doc, const struct json_token *key, struct bytes name)
{
    struct bytes raw = token_text(doc, key);
    return key->escaped ? escaped_is(raw, name) : bytes_equal(raw, name);
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
    const struct json_token *o = token_at(doc, object);
    if (o->count < 2)
        return true;

    struct bytes few[KEYS_PAIRWISE_MAX];
    struct bytes *keys =
        o->count <= KEYS_PAIRWISE_MAX ? few : arena_alloc(arena, o->count * sizeof *keys);
    uint32_t n = 0;
    for (uint32_t i = object + 1; i < o->after; i = token_at(doc, i + 1)->after)
        keys[n++] = string_value(doc, token_at(doc, i), arena);
    ENSURE(n == o->count);
    return n <= KEYS_PAIRWISE_MAX ? keys_differ_pairwise(keys, n) : keys_differ_set(keys, n, arena);
}

enum err json_read(struct bytes text, struct json_limits limits, struct arena *arena,
                   struct json *root, const char **why)
{
    const char *unused;
    if (why == NULL)
        why = &unused;

    struct json_doc *doc = arena_alloc(arena, sizeof *doc);
    *doc = (struct json_doc){.text = text.p};
    *why = json_scan(text, limits, arena, &doc->tokens);
    if (*why != NULL)
        return ERR_invalid_json;
    for (uint32_t i = 0; i < doc->tokens.count; i++) {
        if (token_at(doc, i)->type == JSON_OBJECT && !object_keys_differ(doc, i, arena)) {
            *why = "An object of the JSON text has a key twice.";
            return ERR_invalid_json;
        }
    }
    *root = (struct json){doc, 0};
    return ERR_ok;
}

/* ---- values -----------------------------------------------------------------------------------
 */

enum json_type json_type(struct json v)
{
    return v.doc == NULL ? JSON_NONE : (enum json_type)token_at(v.doc, v.index)->type;
}

struct json json_named(struct json object, struct bytes name)
{
    if (json_type(object) != JSON_OBJECT)
        return (struct json){0};

    const struct json_doc *doc = object.doc;
    uint32_t end = token_at(doc, object.index)->after;
    for (uint32_t i = object.index + 1; i < end; i = token_at(doc, i + 1)->after) {
        if (key_is(doc, token_at(doc, i), name))
            return (struct json){doc, i + 1};
    }
    return (struct json){0};
}

struct json json_first(struct json array)
{
    if (json_type(array) != JSON_ARRAY || token_at(array.doc, array.index)->count == 0)
        return (struct json){0};
    return (struct json){array.doc, array.index + 1};
}

struct json json_next(struct json element)
{
    if (element.doc == NULL)
        return (struct json){0};
    const struct json_doc *doc = element.doc;
    const struct json_token *t = token_at(doc, element.index);
    if (t->parent == JSON_NO_PARENT)
        return (struct json){0};
    const struct json_token *parent = token_at(doc, t->parent);
    if (parent->type != JSON_ARRAY || t->after == parent->after)
        return (struct json){0};
    return (struct json){doc, t->after};
}

uint32_t json_count(struct json v)
{
    return v.doc == NULL ? 0 : token_at(v.doc, v.index)->count;
}

bool json_string(struct json v, struct arena *arena, struct bytes *out)
{
    if (json_type(v) != JSON_STRING)
        return false;
    *out = string_value(v.doc, token_at(v.doc, v.index), arena);
    return true;
}

bool json_int(struct json v, int64_t *out)
{
    if (json_type(v) != JSON_NUMBER)
        return false;
    struct bytes raw = token_text(v.doc, token_at(v.doc, v.index));
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
    *out = v.doc->text[token_at(v.doc, v.index)->start] == 't';
    return true;
}

struct bytes json_raw(struct json v)
{
    if (v.doc == NULL)
        return (struct bytes){0};
    struct bytes raw = token_text(v.doc, token_at(v.doc, v.index));
    if (json_type(v) == JSON_STRING) {
        raw.p--; /* the quotes belong to it */
        raw.len += 2;
    }
    return raw;
}
