#include "api/field.h"

#include "base/text.h"

#include <stdarg.h>
#include <stdio.h>

enum err field_fault(struct api *a, struct problem *problem, const char *format, ...)
{
    enum { DETAIL_MAX = 200 };
    char *detail = arena_alloc(&a->arena, DETAIL_MAX);
    va_list args;

    va_start(args, format);
    vsnprintf(detail, DETAIL_MAX, format, args);
    va_end(args);
    problem->detail = detail;
    return ERR_invalid_field;
}

bool field_there(struct json object, const char *name)
{
    enum json_type type = json_type(json_member(object, name));
    return type != JSON_NONE && type != JSON_NULL;
}

enum err field_bytes(struct api *a, struct json object, const char *name, size_t min, size_t max,
                     struct bytes *out, struct problem *problem)
{
    struct bytes s;

    if (!json_string(json_member(object, name), &a->arena, &s))
        return field_fault(a, problem, "%s must be a string.", name);
    if (s.len < min || s.len > max)
        return field_fault(a, problem, "%s must have %zu to %zu bytes.", name, min, max);
    *out = s;
    return ERR_ok;
}

enum err field_name(struct api *a, struct json object, const char *name, uint32_t min, uint32_t max,
                    struct bytes *out, struct problem *problem)
{
    struct bytes s;

    if (!json_string(json_member(object, name), &a->arena, &s))
        return field_fault(a, problem, "%s must be a string.", name);
    size_t length = text_length(s);
    if (length < min || length > max)
        return field_fault(a, problem, "%s must have %u to %u characters.", name, min, max);
    if (text_has_control(s))
        return field_fault(a, problem, "%s must not hold control characters.", name);
    *out = s;
    return ERR_ok;
}

bool field_fold(struct api *a, struct bytes s, bool (*how)(struct bytes, struct buf *),
                struct bytes *key)
{
    buf_reset(&a->scratch);
    if (!how(s, &a->scratch) || a->scratch.len > NAME_BYTES_MAX)
        return false;
    *key = arena_copy(&a->arena, buf_bytes(&a->scratch));
    return true;
}

enum err field_username(struct api *a, struct json object, struct bytes *name, struct bytes *key,
                        struct problem *problem)
{
    enum err err = field_name(a, object, "username", 1, a->limits.username_max, name, problem);
    if (err != ERR_ok)
        return err;
    if (name->len > NAME_BYTES_MAX || !field_fold(a, *name, text_fold_name, key))
        return field_fault(a, problem,
                           "username must be letters, digits, marks or symbols, without spaces, of "
                           "at most %d bytes, folded too.",
                           NAME_BYTES_MAX);
    return ERR_ok;
}

enum err field_email(struct api *a, struct json object, struct bytes *email, struct bytes *key,
                     struct problem *problem)
{
    enum err err = field_bytes(a, object, "email", 1, 254, email, problem);
    if (err != ERR_ok)
        return err;
    /* Folded too: an '@' of full width is one. */
    if (!text_is_email(*email) || !field_fold(a, *email, text_fold_email, key) ||
        !text_is_email(*key))
        return field_fault(a, problem, "email must be an address like name@example.org.");
    return ERR_ok;
}

enum err field_uuid(struct api *a, struct json object, const char *name, struct uuid *out,
                    struct problem *problem)
{
    struct bytes s;

    if (!json_string(json_member(object, name), &a->arena, &s) || !uuid_parse(s, out))
        return field_fault(a, problem, "%s must be a UUID.", name);
    return ERR_ok;
}

enum err field_int(struct api *a, struct json object, const char *name, int64_t min, int64_t max,
                   int64_t *out, struct problem *problem)
{
    int64_t v;

    if (!json_int(json_member(object, name), &v) || v < min || v > max)
        return field_fault(a, problem, "%s must be an integer from %lld to %lld.", name,
                           (long long)min, (long long)max);
    *out = v;
    return ERR_ok;
}
