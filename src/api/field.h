/*
 * field: reading fields of a JSON object from outside, with what is wrong in words.
 */
#ifndef API_FIELD_H
#define API_FIELD_H

#include "api/rest.h"

/* Each reads the member `name` of `object`. ERR_invalid_field, with problem->detail set, where it
 * is missing, of another type, or out of bounds; *out is set only on success. */

/* A string of min to max characters (code points) without control characters. */
enum err field_name(struct api *a, struct json object, const char *name, uint32_t min, uint32_t max,
                    struct bytes *out, struct problem *problem) MUST_CHECK;
/* A string of min to max bytes, whatever they are. */
enum err field_bytes(struct api *a, struct json object, const char *name, size_t min, size_t max,
                     struct bytes *out, struct problem *problem) MUST_CHECK;
/* A user name as it may be registered, and its folded form, in the arena. */
enum err field_username(struct api *a, struct json object, struct bytes *name, struct bytes *key,
                        struct problem *problem) MUST_CHECK;
/* The same of an e-mail address. */
enum err field_email(struct api *a, struct json object, struct bytes *email, struct bytes *key,
                     struct problem *problem) MUST_CHECK;

/* Bytes of a user name, and of the folded form of a name or address: what a record holds. */
#define NAME_BYTES_MAX UINT8_MAX
/* The folded form of a name or address, in the arena. Nobody has one that is longer than a record
 * can hold: it is not taken at registration. */
bool field_fold(struct api *a, struct bytes s, bool (*how)(struct bytes, struct buf *),
                struct bytes *key) MUST_CHECK;
enum err field_uuid(struct api *a, struct json object, const char *name, struct uuid *out,
                    struct problem *problem) MUST_CHECK;
enum err field_int(struct api *a, struct json object, const char *name, int64_t min, int64_t max,
                   int64_t *out, struct problem *problem) MUST_CHECK;

/* Is the member there (null counts as not there)? */
bool field_there(struct json object, const char *name);

/* Makes problem->detail from a format, in the arena; returns ERR_invalid_field. */
enum err field_fault(struct api *a, struct problem *problem, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

#endif
