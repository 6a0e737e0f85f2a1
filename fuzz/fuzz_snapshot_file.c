/*
 * A snapshot that somebody else wrote. The first byte chooses: the rest is the file, or what lies
 * between a header and an end that are right. What is taken is, written again, the same bytes.
 */
#include <string.h>

#include "base/crypto.h"
#include "base/ensure.h"
#include "base/hash.h"
#include "log/snapshot.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static bool on_load(void *ctx, uint16_t type, struct bytes payload)
{
    struct buf *taken = ctx;
    ENSURE(type != 0);
    buf_add_u32le(taken, (uint32_t)payload.len);
    buf_add_u16le(taken, type);
    buf_add_bytes(taken, payload);
    return true;
}

/* Header, the bytes that are given, and an end that says what it must: the count is the reader's
 * to find. */
static void frame(struct buf *out, struct bytes body)
{
    struct snapshot_header h = {.seq = 7, .time_ms = 1};
    uint8_t header[SNAPSHOT_HEADER_LEN], sum[SNAPSHOT_HASH_LEN];
    uint64_t count = 0;
    for (size_t at = 0; at + SNAPSHOT_RECORD_LEN <= body.len; count++) {
        uint64_t len = SNAPSHOT_RECORD_LEN + (uint64_t)frame_u32(body.p + at);
        at = len > body.len - at ? body.len : at + (size_t)len;
    }
    snapshot_header_encode(&h, header);
    buf_add(out, header, sizeof header);
    buf_add_bytes(out, body);
    buf_add_u32le(out, SNAPSHOT_END_LEN - SNAPSHOT_RECORD_LEN);
    buf_add_u16le(out, 0);
    buf_add_u64le(out, count);
    buf_add_u64le(out, out->len + 8 + SNAPSHOT_HASH_LEN);
    hash_bytes(buf_bytes(out), sum, sizeof sum);
    buf_add(out, sum, sizeof sum);
}

static void write_again(const struct snapshot_info *info, const struct buf *taken, struct buf *out)
{
    struct snapshot_info again;
    struct failure f;
    struct snapshot_writer *w = snapshot_begin(-1, out, &info->header);
    for (size_t at = 0; at < taken->len;) {
        const uint8_t *p = taken->p + at;
        snapshot_add(w, frame_u16(p + 4), bytes_of(p + SNAPSHOT_RECORD_LEN, frame_u32(p)));
        at += SNAPSHOT_RECORD_LEN + frame_u32(p);
    }
    ENSURE(snapshot_end(w, &again, &f) == ERR_ok);
    ENSURE(again.records == info->records && again.bytes == info->bytes);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct buf file = {0}, taken = {0}, again = {0};
    struct journal_hooks hooks = {.ctx = &taken, .on_load = on_load};
    struct snapshot_info info;
    struct snapshot_fault fault = {0};
    if (size < 1)
        return 0;
    crypto_init();
    struct bytes rest = bytes_of(data + 1, size - 1);
    if (data[0] & 1)
        frame(&file, rest);
    else
        buf_add_bytes(&file, rest);
    enum err e = snapshot_read_memory(buf_bytes(&file), &hooks, &info, &fault);
    ENSURE(e == ERR_ok || (e == ERR_damaged && fault.text[0] != '\0' && fault.offset <= file.len));
    /* The writer puts zeros where the header has room; a file may have others there, under a right
     * checksum. */
    if (e == ERR_ok) {
        write_again(&info, &taken, &again);
        ENSURE(again.len == file.len && again.p && file.p);
        ENSURE(memcmp(again.p, file.p, 80) == 0);
        ENSURE(memcmp(again.p + SNAPSHOT_HEADER_LEN, file.p + SNAPSHOT_HEADER_LEN,
                      file.len - SNAPSHOT_HEADER_LEN - SNAPSHOT_HASH_LEN) == 0);
    }
    buf_release(&file);
    buf_release(&taken);
    buf_release(&again);
    return 0;
}
