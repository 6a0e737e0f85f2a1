/*
 * json_read: JSON from outside, read strictly: RFC 8259 to the letter, valid UTF-8, no lone
 * surrogates in escapes, no duplicate keys in one object, limits on depth and on tokens, linear
 * time.
 *
 * A document borrows its text and its arena: it lives as long as both. crypto_init comes first: the
 * keys of large objects are told apart by SipHash.
 */
#ifndef BASE_JSON_READ_H
#define BASE_JSON_READ_H

#include "base/arena.h"
#include "base/err.h"

struct json_limits {
    uint32_t depth_max; /* nesting of arrays and objects; 1 allows {} */
    uint32_t token_max; /* values and keys together */
};

enum json_type {
    JSON_NONE = 0,
    JSON_NULL,
    JSON_BOOL,
    JSON_NUMBER,
    JSON_STRING,
    JSON_ARRAY,
    JSON_OBJECT
};

struct json_doc; /* in the arena */

/* A value of a document; {NULL, 0} is "not there" and every function below takes it as such. */
struct json {
    const struct json_doc *doc;
    uint32_t index;
};

/* Reads `text`, of at most INT32_MAX bytes. ERR_invalid_json where it is not one JSON text within
 * the limits (a pointer to a static sentence goes to *why where why is not NULL). On success *root
 * is its value. */
enum err json_read(struct bytes text, struct json_limits limits, struct arena *arena,
                   struct json *root, const char **why) MUST_CHECK;

enum json_type json_type(struct json v);

/* The member `name` (UTF-8, as it is without escapes) of an object; JSON_NONE where `object` is no
 * object or has no such member. */
struct json json_named(struct json object, struct bytes name);

static inline struct json json_member(struct json object, const char *name)
{
    return json_named(object, bytes_cstr(name));
}

/* The first and next element of an array (in order), JSON_NONE at the end. */
struct json json_first(struct json array);
struct json json_next(struct json element);

/* How many elements an array or members an object has; 0 for anything else. */
uint32_t json_count(struct json v);

/* The unescaped UTF-8 of a string: borrowed from the text where it has no escapes, else in the
 * arena. May hold NUL. False where v is no string. */
bool json_string(struct json v, struct arena *arena, struct bytes *out);

/* An integer: a number without fraction or exponent that fits int64. False otherwise. */
bool json_int(struct json v, int64_t *out);

bool json_bool(struct json v, bool *out);

/* The text of any value as it stood in the document. */
struct bytes json_raw(struct json v);

#endif
