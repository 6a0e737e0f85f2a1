#include "model/record.h"

#include "base/ensure.h"
#include "base/json_write.h"
#include "base/text.h"

#include <endian.h>

uint32_t record_u32s_at(const struct record_u32s *list, uint32_t i)
{
    uint32_t v;
    memcpy(&v, list->p + 4 * (size_t)i, sizeof v);
    return le32toh(v);
}

/* ---- encoding: one function a field type ------------------------------------------------------
 */

static void put_u8(struct buf *out, uint8_t v)
{
    buf_add_u8(out, v);
}

static void put_u32(struct buf *out, uint32_t v)
{
    buf_add_u32le(out, v);
}

static void put_u64(struct buf *out, uint64_t v)
{
    buf_add_u64le(out, v);
}

static void put_time(struct buf *out, int64_t v)
{
    buf_add_u64le(out, (uint64_t)v);
}

static void put_uuid(struct buf *out, struct uuid v)
{
    buf_add(out, v.b, sizeof v.b);
}

static void put_hash(struct buf *out, struct record_hash v)
{
    buf_add(out, v.b, sizeof v.b);
}

static void put_text8(struct buf *out, struct bytes v)
{
    ENSURE(v.len <= UINT8_MAX);
    buf_add_u8(out, (uint8_t)v.len);
    buf_add_bytes(out, v);
}

static void put_secret(struct buf *out, struct bytes v)
{
    put_text8(out, v);
}

static void put_text(struct buf *out, struct bytes v)
{
    ENSURE(v.len <= UINT32_MAX);
    buf_add_u32le(out, (uint32_t)v.len);
    buf_add_bytes(out, v);
}

static void put_u32s(struct buf *out, struct record_u32s v)
{
    buf_add_u32le(out, v.count);
    buf_add(out, v.p, 4 * (size_t)v.count);
}

#define F(type, name) put_##type(out, v->name);
#define RECORD(number, name, fields)                                                               \
    static void encode_##name(const struct record_##name *v, struct buf *out)                      \
    {                                                                                              \
        fields                                                                                     \
    }
#include "model/record.def"
#undef RECORD
#undef F

void record_encode(const struct record *r, struct buf *out)
{
    switch (r->type) {
#define RECORD(number, name, fields)                                                               \
    case RECORD_##name:                                                                            \
        encode_##name(&r->name, out);                                                              \
        return;
#include "model/record.def"
#undef RECORD
    }
    ENSURE(!"a record type that exists");
}

/* ---- decoding: a reader that remembers that it ran out -----------------------------------------
 */

struct reader {
    const uint8_t *p;
    size_t left;
    bool failed;
};

/* The next `len` bytes, or NULL when there are fewer. */
static const uint8_t *take(struct reader *r, size_t len)
{
    if (r->failed || r->left < len) {
        r->failed = true;
        return NULL;
    }
    const uint8_t *p = r->p;
    r->p += len;
    r->left -= len;
    return p;
}

static void get_u8(struct reader *r, uint8_t *v)
{
    const uint8_t *p = take(r, 1);
    *v = p != NULL ? *p : 0;
}

static void get_u32(struct reader *r, uint32_t *v)
{
    const uint8_t *p = take(r, sizeof *v);
    *v = 0;
    if (p != NULL)
        memcpy(v, p, sizeof *v);
    *v = le32toh(*v);
}

static void get_u64(struct reader *r, uint64_t *v)
{
    const uint8_t *p = take(r, sizeof *v);
    *v = 0;
    if (p != NULL)
        memcpy(v, p, sizeof *v);
    *v = le64toh(*v);
}

static void get_time(struct reader *r, int64_t *v)
{
    const uint8_t *p = take(r, sizeof *v);
    uint64_t u = 0;
    if (p != NULL)
        memcpy(&u, p, sizeof u);
    *v = (int64_t)le64toh(u);
}

static void get_uuid(struct reader *r, struct uuid *v)
{
    const uint8_t *p = take(r, sizeof v->b);
    if (p != NULL)
        memcpy(v->b, p, sizeof v->b);
}

static void get_hash(struct reader *r, struct record_hash *v)
{
    const uint8_t *p = take(r, sizeof v->b);
    if (p != NULL)
        memcpy(v->b, p, sizeof v->b);
}

static void get_text8(struct reader *r, struct bytes *v)
{
    uint8_t len;
    get_u8(r, &len);
    const uint8_t *p = take(r, len);
    *v = bytes_of(p, p != NULL ? len : 0);
}

static void get_secret(struct reader *r, struct bytes *v)
{
    get_text8(r, v);
}

static void get_text(struct reader *r, struct bytes *v)
{
    uint32_t len;
    get_u32(r, &len);
    const uint8_t *p = take(r, len);
    *v = bytes_of(p, p != NULL ? len : 0);
}

static void get_u32s(struct reader *r, struct record_u32s *v)
{
    uint32_t count;
    get_u32(r, &count);
    const uint8_t *p = take(r, 4 * (size_t)count);
    *v = (struct record_u32s){p, p != NULL ? count : 0};
}

#define F(type, name) get_##type(r, &v->name);
#define RECORD(number, name, fields)                                                               \
    static void decode_##name(struct reader *r, struct record_##name *v)                           \
    {                                                                                              \
        fields                                                                                     \
    }
#include "model/record.def"
#undef RECORD
#undef F

bool record_decode(uint16_t type, struct bytes payload, struct record *out)
{
    struct reader r = {payload.p, payload.len, false};

    out->type = (enum record_type)type;
    switch (out->type) {
#define RECORD(number, name, fields)                                                               \
    case RECORD_##name:                                                                            \
        decode_##name(&r, &out->name);                                                             \
        return !r.failed && r.left == 0;
#include "model/record.def"
#undef RECORD
    }
    return false;
}

const char *record_name(uint16_t type)
{
    switch ((enum record_type)type) {
#define RECORD(number, name, fields)                                                               \
    case RECORD_##name:                                                                            \
        return #name;
#include "model/record.def"
#undef RECORD
    }
    return NULL;
}

/* ---- printing ----------------------------------------------------------------------------------
 */

static void print_u8(struct buf *out, uint8_t v)
{
    json_add_uint(out, v);
}

static void print_u32(struct buf *out, uint32_t v)
{
    json_add_uint(out, v);
}

static void print_u64(struct buf *out, uint64_t v)
{
    json_add_uint(out, v);
}

static void print_time(struct buf *out, int64_t v)
{
    json_add_int(out, v);
}

static void print_uuid(struct buf *out, struct uuid v)
{
    json_add_uuid(out, &v);
}

static void print_hash(struct buf *out, struct record_hash v)
{
    (void)v;
    BUF_ADD_LIT(out, "\"(hidden)\"");
}

static void print_secret(struct buf *out, struct bytes v)
{
    (void)v;
    BUF_ADD_LIT(out, "\"(hidden)\"");
}

static void print_text(struct buf *out, struct bytes v)
{
    if (text_utf8_valid(v))
        json_add_string(out, v);
    else
        BUF_ADD_LIT(out, "\"(not UTF-8)\"");
}

static void print_text8(struct buf *out, struct bytes v)
{
    print_text(out, v);
}

static void print_u32s(struct buf *out, struct record_u32s v)
{
    buf_add_u8(out, '[');
    for (uint32_t i = 0; i < v.count; i++) {
        if (i > 0)
            buf_add_u8(out, ',');
        json_add_uint(out, record_u32s_at(&v, i));
    }
    buf_add_u8(out, ']');
}

#define F(type, name)                                                                              \
    BUF_ADD_LIT(out, ",\"" #name "\":");                                                           \
    print_##type(out, v->name);
#define RECORD(number, name, fields)                                                               \
    static void print_fields_##name(const struct record_##name *v, struct buf *out)                \
    {                                                                                              \
        fields                                                                                     \
    }
#include "model/record.def"
#undef RECORD
#undef F

void record_print(const struct record *r, struct buf *out)
{
    switch (r->type) {
#define RECORD(number, name, fields)                                                               \
    case RECORD_##name:                                                                            \
        BUF_ADD_LIT(out, "{\"record\":\"" #name "\"");                                             \
        print_fields_##name(&r->name, out);                                                        \
        buf_add_u8(out, '}');                                                                      \
        return;
#include "model/record.def"
#undef RECORD
    }
    ENSURE(!"a record type that exists");
}
