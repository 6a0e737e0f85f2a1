/*
 * A record of the journal: a type byte, then the payload. Whatever decodes is encoded to the same
 * bytes, and prints as one line of JSON with a member a field.
 */
#include "base/crypto.h"
#include "base/ensure.h"
#include "base/json_read.h"
#include "model/record.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const uint32_t field_counts[] = {
#define F(type, name)                +1
#define RECORD(number, name, fields) [RECORD_##name] = 0 fields,
#include "model/record.def"
#undef RECORD
#undef F
};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct buf out = {0};
    struct arena arena = {0};
    struct record r;
    struct json root;

    crypto_init();
    if (size == 0 || !record_decode(data[0], bytes_of(data + 1, size - 1), &r))
        return 0;
    record_encode(&r, &out);
    ENSURE(bytes_equal(buf_bytes(&out), bytes_of(data + 1, size - 1)));
    buf_reset(&out);
    record_print(&r, &out);
    struct json_limits limits = {2, (uint32_t)size + 32};
    ENSURE(json_read(buf_bytes(&out), limits, &arena, &root, NULL) == ERR_ok);
    ENSURE(json_count(root) == 1 + field_counts[r.type]);
    ENSURE(memchr(out.p, '\n', out.len) == NULL);
    arena_release(&arena);
    buf_release(&out);
    return 0;
}
