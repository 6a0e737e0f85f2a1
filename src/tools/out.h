/*
 * out: what a tool prints: text lines to stdout and stderr, JSON objects piece by piece.
 *
 * Names of files come from the system and may hold anything: text lines show control characters as
 * '?', JSON strings show what is not UTF-8 as "(not UTF-8)".
 */
#ifndef TOOLS_OUT_H
#define TOOLS_OUT_H

#include "base/buf.h"
#include "base/exit.h"
#include "base/uuid.h"

/* Parts of a JSON text in a buffer; commas come by themselves. A NULL key is for array elements. */
void out_open(struct buf *b, const char *key, char bracket);
void out_close(struct buf *b, char bracket);
void out_key(struct buf *b, const char *key);
void out_uint(struct buf *b, const char *key, uint64_t v);
void out_int(struct buf *b, const char *key, int64_t v);
void out_bool(struct buf *b, const char *key, bool v);
void out_text(struct buf *b, const char *key, struct bytes v);
void out_cstr(struct buf *b, const char *key, const char *v);
void out_null(struct buf *b, const char *key);

/* Adds a wall-clock time in milliseconds as 2026-01-31T23:59:59.999Z. */
void out_time(struct buf *b, int64_t ms);

/* Writes the buffer and a line end to stdout, and empties it. */
void out_line(struct buf *b);

/* A line of text to stdout. */
void out_say(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* A line to stderr, behind the program's name; with `json` also {"result":…,"error":…} to stdout.
 * Returns the code. */
enum exit_code out_error(bool json, enum exit_code code, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* "fine", "failed", "usage" or "damaged". */
const char *out_result(enum exit_code code);

/* What the process ends with: `code`, or EXIT_FAILED where stdout could not take it all. */
enum exit_code out_end(enum exit_code code);

#endif
