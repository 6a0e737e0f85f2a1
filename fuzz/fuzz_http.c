/*
 * A stream of requests means the same however it is cut into pieces, and what is taken for a
 * request keeps its promises: one host of harmless characters, a path, sizes within the limits.
 */
#include "base/ensure.h"
#include "net/http.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const struct http_limits limits = {.head_max = 1024, .field_max = 16, .body_max = 256};

static void note(struct buf *out, struct bytes s)
{
    buf_add_u64le(out, s.len);
    buf_add_bytes(out, s);
}

static void note_request(struct buf *out, const struct http_request *q)
{
    ENSURE(q->path.len > 0 && (q->path.p[0] == '/' || bytes_equal(q->path, BYTES("*"))));
    ENSURE(q->body.len <= limits.body_max && q->field_count <= limits.field_max);
    ENSURE(q->host.len > 0 || !q->version_1_1);
    ENSURE(http_field_count(q, "host") <= 1 && http_field_count(q, "content-length") <= 1);
    ENSURE(q->upgrade != HTTP_UPGRADE_WEBSOCKET || q->websocket_key.len == 24);
    for (size_t i = 0; i < q->host.len; i++)
        ENSURE(q->host.p[i] > ' ' && q->host.p[i] < 0x7F &&
               !memchr("\"/<>?@\\^`{|}", q->host.p[i], 12));
    buf_printf(out, "%d %d %d %d", (int)q->method, q->keep_alive, q->version_1_1, (int)q->upgrade);
    note(out, q->path);
    note(out, q->query);
    note(out, q->host);
    note(out, q->body);
    for (uint32_t i = 0; i < q->field_count; i++) {
        note(out, q->fields[i].name);
        note(out, q->fields[i].value);
        for (size_t k = 0; k < q->fields[i].value.len; k++)
            ENSURE(q->fields[i].value.p[k] >= ' ' || q->fields[i].value.p[k] == '\t');
    }
}

/* Reads request after request; the pieces end at `cut` and then every `step` bytes. */
static void read_all(struct bytes in, size_t cut, size_t step, struct buf *seen)
{
    struct http_reader *r = http_reader_new(&limits);
    size_t at = 0, end = cut < in.len ? cut : in.len;
    buf_reset(seen);
    for (;;) {
        size_t taken;
        enum http_progress p = http_reader_push(r, bytes_of(in.p + at, end - at), &taken);
        ENSURE(taken <= end - at);
        at += taken;
        if (p == HTTP_FAILED) {
            buf_printf(seen, "failed %d", (int)http_reader_error(r));
            break;
        }
        if (p == HTTP_COMPLETE) {
            note_request(seen, http_reader_request(r));
            buf_add_u64le(seen, at);
            http_reader_reset(r);
        } else {
            ENSURE(at == end);
        }
        if (at == in.len)
            break;
        if (at == end)
            end = step < in.len - at ? at + step : in.len;
    }
    http_reader_free(r);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct bytes in = {data, size};
    struct buf whole = {0}, cut = {0};
    size_t stride = size / 64 + 1;
    read_all(in, size, size, &whole);
    read_all(in, 1, 1, &cut);
    ENSURE(bytes_equal(buf_bytes(&whole), buf_bytes(&cut)));
    for (size_t at = 1 + size % stride; at < size; at += stride) {
        read_all(in, at, size, &cut);
        ENSURE(bytes_equal(buf_bytes(&whole), buf_bytes(&cut)));
    }
    buf_release(&whole);
    buf_release(&cut);
    return 0;
}
