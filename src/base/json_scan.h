/*
 * json_scan: is this one JSON text, and where are its values? RFC 8259 to the letter, in linear
 * time, without recursion. Only json_read uses it.
 */
#ifndef BASE_JSON_SCAN_H
#define BASE_JSON_SCAN_H

#include "base/json_read.h"

#define JSON_NO_PARENT UINT32_MAX

/* A value, or a key of an object (which is a JSON_STRING that stands right before its value). */
struct json_token {
    uint32_t start;  /* of its text, for a string behind the quote */
    uint32_t end;    /* behind its text, for a string before the quote */
    uint32_t after;  /* values: the first token behind it and all that is inside it */
    uint32_t parent; /* the array or object that it is in, or JSON_NO_PARENT */
    uint32_t count;  /* of an array's elements or an object's members */
    uint8_t type;    /* enum json_type */
    bool escaped;    /* a string with a backslash in it */
};

/* In the order of the text; the first is the whole. */
struct json_tokens {
    struct json_token *at; /* in the arena */
    uint32_t count;
};

/* Checks `text` and finds its values and keys. NULL where it is valid and within the limits; else a
 * static sentence. Does not look for duplicate keys. */
const char *json_scan(struct bytes text, struct json_limits limits, struct arena *arena,
                      struct json_tokens *tokens);

/* Decodes the character or escape at the start of p[0..left), left >= 1, inside a string. Writes
 * 1 to 4 bytes of UTF-8 to out and their count to *out_len. Returns the bytes read; 0 where it is
 * no valid escape or no UTF-8. */
size_t json_scan_char(const uint8_t *p, size_t left, uint8_t out[static 4], size_t *out_len);

#endif
