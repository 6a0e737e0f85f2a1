/*
 * json_read agrees with libjansson on what is JSON and what it says, and what json_write writes is
 * read again as it was.
 *
 * Known differences: json_read has a limit on depth; jansson refuses numbers that its types cannot
 * hold, U+0000 in a key, and more than 2048 levels, and takes a raw NUL for the end of its buffer.
 */

/* Both libraries use these words. jansson's own calls are not touched by our json_string: reading
 * does not use it. */
#define json_type    jansson_type
#define json_string  jansson_string
#define JSON_OBJECT  JANSSON_OBJECT
#define JSON_ARRAY   JANSSON_ARRAY
#define JSON_STRING  JANSSON_STRING
#define JSON_INTEGER JANSSON_INTEGER
#define JSON_REAL    JANSSON_REAL
#define JSON_TRUE    JANSSON_TRUE
#define JSON_FALSE   JANSSON_FALSE
#define JSON_NULL    JANSSON_NULL
#include <jansson.h>
#undef json_type
#undef json_string
#undef JSON_OBJECT
#undef JSON_ARRAY
#undef JSON_STRING
#undef JSON_NULL

#include "base/crypto.h"
#include "base/ensure.h"
#include "base/json_read.h"
#include "base/json_write.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const struct json_limits limits = {.depth_max = 64, .token_max = 1 << 20};

static void same_string(const json_t *j, struct json v, struct arena *arena)
{
    struct bytes s;
    ENSURE(json_string(v, arena, &s));
    ENSURE(bytes_equal(s, bytes_of(json_string_value(j), json_string_length(j))));

    struct buf written = {0};
    json_add_string(&written, s);
    struct json root;
    struct bytes again;
    ENSURE(json_read(buf_bytes(&written), limits, arena, &root, NULL) == ERR_ok);
    ENSURE(json_string(root, arena, &again) && bytes_equal(s, again));
    buf_release(&written);
}

static void same_integer(const json_t *j, struct json v)
{
    int64_t n;
    ENSURE(json_type(v) == JSON_NUMBER && json_int(v, &n) && n == json_integer_value(j));
    struct buf written = {0};
    json_add_int(&written, n);
    /* Only -0 is written in another way. */
    ENSURE(n == 0 || bytes_equal(buf_bytes(&written), json_raw(v)));
    buf_release(&written);
}

/* Recursion is bounded: what json_read took is at most 64 deep. */
static void same(json_t *j, struct json v, struct arena *arena)
{
    int64_t n;
    bool b;
    struct json element = json_first(v);
    switch (json_typeof(j)) {
    case JANSSON_OBJECT:
        ENSURE(json_type(v) == JSON_OBJECT && json_count(v) == json_object_size(j));
        for (void *i = json_object_iter(j); i != NULL; i = json_object_iter_next(j, i))
            same(json_object_iter_value(i), json_member(v, json_object_iter_key(i)), arena);
        break;
    case JANSSON_ARRAY:
        ENSURE(json_type(v) == JSON_ARRAY && json_count(v) == json_array_size(j));
        for (size_t i = 0; i < json_array_size(j); i++, element = json_next(element))
            same(json_array_get(j, i), element, arena);
        ENSURE(json_type(element) == JSON_NONE);
        break;
    case JANSSON_STRING:
        same_string(j, v, arena);
        break;
    case JANSSON_INTEGER:
        same_integer(j, v);
        break;
    case JANSSON_REAL:
        ENSURE(json_type(v) == JSON_NUMBER && !json_int(v, &n));
        break;
    case JANSSON_TRUE:
    case JANSSON_FALSE:
        ENSURE(json_bool(v, &b) && b == (json_typeof(j) == JANSSON_TRUE));
        break;
    case JANSSON_NULL:
        ENSURE(json_type(v) == JSON_NULL);
        break;
    }
}

static uint32_t depth_of(json_t *j)
{
    uint32_t deepest = 0;
    for (size_t i = 0; i < json_array_size(j); i++) {
        uint32_t depth = depth_of(json_array_get(j, i));
        deepest = depth > deepest ? depth : deepest;
    }
    for (void *i = json_object_iter(j); i != NULL; i = json_object_iter_next(j, i)) {
        uint32_t depth = depth_of(json_object_iter_value(i));
        deepest = depth > deepest ? depth : deepest;
    }
    return deepest + (json_typeof(j) == JANSSON_ARRAY || json_typeof(j) == JANSSON_OBJECT);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    crypto_init();
    struct arena arena = {0};
    struct json root = {0};
    enum err err = json_read(bytes_of(data, size), limits, &arena, &root, NULL);

    json_error_t error = {0};
    json_t *j = json_loadb((const char *)data, size,
                           JSON_REJECT_DUPLICATES | JSON_DECODE_ANY | JSON_ALLOW_NUL, &error);
    if (size != 0 && memchr(data, 0, size) != NULL) {
        ENSURE(err == ERR_invalid_json);
    } else if (j != NULL && err == ERR_ok) {
        same(j, root, &arena);
    } else if (j != NULL) {
        ENSURE(depth_of(j) > limits.depth_max);
    } else if (err == ERR_ok) {
        enum json_error_code why = json_error_code(&error);
        ENSURE(why == json_error_numeric_overflow || why == json_error_null_byte_in_key);
    }
    json_decref(j);
    arena_release(&arena);
    return 0;
}
