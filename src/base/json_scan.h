/*
 * json_scan: is this one JSON text? RFC 8259 to the letter, in linear time, without recursion.
 * Only json_read uses it.
 */
#ifndef BASE_JSON_SCAN_H
#define BASE_JSON_SCAN_H

#include "base/json_read.h"

/* Checks `text` and counts its values and keys. NULL where it is valid and within the limits; else
 * a static sentence. Does not look for duplicate keys. */
const char *json_scan(struct bytes text, struct json_limits limits, uint32_t *tokens);

/* Decodes the character or escape at the start of p[0..left), left >= 1, inside a string. Writes
 * 1 to 4 bytes of UTF-8 to out and their count to *out_len. Returns the bytes read; 0 where it is
 * no valid escape or no UTF-8. */
size_t json_scan_char(const uint8_t *p, size_t left, uint8_t out[static 4], size_t *out_len);

#endif
