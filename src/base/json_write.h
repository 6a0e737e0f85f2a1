/*
 * json_write: valid JSON into a buf, nothing more: values and quoting. Shapes are api/render's.
 */
#ifndef BASE_JSON_WRITE_H
#define BASE_JSON_WRITE_H

#include "base/buf.h"
#include "base/uuid.h"

/* Adds `s`, which must be valid UTF-8, as a JSON string with its quotes. Only what RFC 8259 says
 * must be escaped is escaped: the quote, the backslash, U+0000 to U+001F (short forms where there
 * are some). Runs without those are copied whole. */
void json_add_string(struct buf *b, struct bytes s);

/* Adds a decimal integer. */
void json_add_int(struct buf *b, int64_t v);
void json_add_uint(struct buf *b, uint64_t v);

/* Adds a UUID as a JSON string. */
void json_add_uuid(struct buf *b, const struct uuid *u);

#endif
