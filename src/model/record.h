/*
 * record: the changes that the journal knows, as structs and as bytes.
 *
 * A record holds everything that its change depends on: ids, time and hashes included. Text fields
 * are borrowed: after record_decode they point into the payload.
 */
#ifndef MODEL_RECORD_H
#define MODEL_RECORD_H

#include "base/buf.h"
#include "base/uuid.h"

struct record_hash {
    uint8_t b[32];
};

/* Numbers that lie little-endian and unaligned in a payload. */
struct record_u32s {
    const uint8_t *p;
    uint32_t count;
};

/* Number `i` < count. */
uint32_t record_u32s_at(const struct record_u32s *list, uint32_t i);

enum record_type {
#define RECORD(number, name, fields) RECORD_##name = number,
#include "model/record.def"
#undef RECORD
};

#define RECORD_CTYPE_time   int64_t
#define RECORD_CTYPE_u8     uint8_t
#define RECORD_CTYPE_u32    uint32_t
#define RECORD_CTYPE_u64    uint64_t
#define RECORD_CTYPE_uuid   struct uuid
#define RECORD_CTYPE_hash   struct record_hash
#define RECORD_CTYPE_text8  struct bytes
#define RECORD_CTYPE_text   struct bytes
#define RECORD_CTYPE_secret struct bytes
#define RECORD_CTYPE_u32s   struct record_u32s

#define F(type, name) RECORD_CTYPE_##type name;
#define RECORD(number, name, fields)                                                               \
    struct record_##name {                                                                         \
        fields                                                                                     \
    };
#include "model/record.def"
#undef RECORD
#undef F

struct record {
    enum record_type type;
    union {
#define RECORD(number, name, fields) struct record_##name name;
#include "model/record.def"
#undef RECORD
    };
};

/* Adds the payload of `r` to *out. Lengths must fit their fields: 255 bytes for text8 and secret.
 */
void record_encode(const struct record *r, struct buf *out);

/* Reads a payload of record type `type`. False where the type is not known, the payload too short
 * or too long: such a record was not written by this format. */
bool record_decode(uint16_t type, struct bytes payload, struct record *out);

/* The name of a type, NULL where it is not known. */
const char *record_name(uint16_t type);

/* Adds the record as one line of JSON, secrets and hashes left out. */
void record_print(const struct record *r, struct buf *out);

#endif
