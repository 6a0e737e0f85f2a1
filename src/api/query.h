/*
 * query: the fields of a path's query string, name=value&name=value, percent-encoded as HTML forms
 * do (WHATWG URL, 5.1). Fields that nobody asks for are ignored, as those of a body are.
 */
#ifndef API_QUERY_H
#define API_QUERY_H

#include "api/rest.h"

/* Takes the next field off *query; both as they stand, not decoded. False at the end. */
bool query_next(struct bytes *query, struct bytes *name, struct bytes *value);

/* A number of decimal digits, at most 18 of them. */
bool query_number(struct bytes value, uint64_t *out);

/* The number `name` of the request's query: *out stays what it is where it is not there.
 * ERR_invalid_field, with problem->detail set, where it is no number from min to max. */
enum err query_uint(struct call *call, const char *name, uint64_t min, uint64_t max, uint64_t *out,
                    struct problem *problem) MUST_CHECK;

/* The UUID `name`; *there says whether it is. */
enum err query_uuid(struct call *call, const char *name, struct uuid *out, bool *there,
                    struct problem *problem) MUST_CHECK;

/* The text `name`, decoded into the arena; *there says whether it is. Valid UTF-8. */
enum err query_text(struct call *call, const char *name, struct bytes *out, bool *there,
                    struct problem *problem) MUST_CHECK;

#endif
