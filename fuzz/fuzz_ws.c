/*
 * A stream of frames means the same however it is cut into pieces; what is handed on is valid; and
 * a text that a client sends, in one frame or in two, arrives as it was sent.
 */
#include "base/ensure.h"
#include "base/utf8.h"
#include "net/frame.h"
#include "net/ws.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define MESSAGE_MAX 3000

struct seen {
    struct buf text;
    bool closed;
};

static bool is_utf8(struct bytes s)
{
    uint32_t code;
    for (size_t i = 0, n; i < s.len; i += n)
        if ((n = utf8_decode(s.p + i, s.len - i, &code)) == 0)
            return false;
    return true;
}

static bool on_event(void *ctx, enum ws_event event, struct bytes payload, enum ws_close code)
{
    struct seen *seen = ctx;
    ENSURE(!seen->closed);
    ENSURE(payload.len <= (event == WS_TEXT ? MESSAGE_MAX : 125));
    ENSURE(event == WS_PING || event == WS_PONG || is_utf8(payload));
    ENSURE((event == WS_CLOSED) == (code != WS_CLOSE_NONE));
    ENSURE(event != WS_CLOSED || (code >= 1000 && code <= 4999 && code != 1005 && code != 1006));
    buf_printf(&seen->text, "%d %d %zu:", (int)event, (int)code, payload.len);
    buf_add_bytes(&seen->text, payload);
    seen->closed = event == WS_CLOSED;
    return true;
}

static const struct ws_hooks hooks = {.on_event = on_event};

/* Reads pieces that end at `cut` and then every `step` bytes. */
static void read_all(struct bytes in, size_t cut, size_t step, struct seen *seen)
{
    struct ws_state s = {0};
    size_t at = 0, end = cut < in.len ? cut : in.len;
    enum ws_close fault = WS_CLOSE_NONE;
    buf_reset(&seen->text);
    seen->closed = false;
    while (at < in.len && !fault && !seen->closed) {
        fault = ws_read(&s, bytes_of(in.p + at, end - at), MESSAGE_MAX, &hooks, seen);
        ENSURE(!s.partial || s.partial->len < MESSAGE_MAX + 14);
        ENSURE(!s.message || s.message->len <= MESSAGE_MAX);
        ENSURE(ws_is_partial(&s) || s.late_s == 0); /* no deadline outlives what it is of */
        s.late_s = ws_is_partial(&s);
        at = end;
        end = step < in.len - at ? at + step : in.len;
    }
    buf_printf(&seen->text, "fault %d", (int)fault);
    ws_state_release(&s);
}

static void add_frame(struct buf *out, bool fin, unsigned opcode, struct bytes payload)
{
    static const uint8_t mask[4] = {0xA5, 0x00, 0xFF, 0x17};
    size_t start = out->len;
    frame_add_header(out, opcode, payload.len);
    if (!fin)
        out->p[start] &= 0x7F;
    out->p[start + 1] |= 0x80;
    buf_add(out, mask, sizeof mask);
    size_t body = out->len;
    buf_add_bytes(out, payload);
    for (size_t i = 0; i < payload.len; i++)
        out->p[body + i] ^= mask[i % sizeof mask];
}

/* The input as the text of a client: whole, and cut into two fragments with a ping between. */
static void round_trip(struct bytes text, size_t cut)
{
    struct seen seen = {{0}, false};
    struct buf frames = {0}, want = {0};
    for (int fragments = 0; fragments < 2; fragments++) {
        buf_reset(&frames);
        buf_reset(&want);
        if (fragments) {
            add_frame(&frames, false, WS_OPCODE_TEXT, bytes_of(text.p, cut));
            add_frame(&frames, true, WS_OPCODE_PONG, BYTES(""));
            add_frame(&frames, true, WS_OPCODE_CONTINUATION,
                      bytes_of(text.p + cut, text.len - cut));
        } else {
            add_frame(&frames, true, WS_OPCODE_TEXT, text);
        }
        read_all(buf_bytes(&frames), frames.len, 1, &seen);
        if (is_utf8(text)) {
            buf_printf(&want, "%s%d 0 %zu:", fragments ? "2 0 0:" : "", (int)WS_TEXT, text.len);
            buf_add_bytes(&want, text);
            buf_printf(&want, "fault 0");
            ENSURE(bytes_equal(buf_bytes(&seen.text), buf_bytes(&want)));
        } else {
            ENSURE(seen.text.len >= 10 && memcmp(seen.text.p + seen.text.len - 4, "1007", 4) == 0);
        }
    }
    buf_release(&seen.text);
    buf_release(&frames);
    buf_release(&want);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct bytes in = {data, size};
    struct seen whole = {{0}, false}, cut = {{0}, false};
    size_t stride = size / 64 + 1;
    read_all(in, size, size, &whole);
    read_all(in, 1, 1, &cut);
    ENSURE(bytes_equal(buf_bytes(&whole.text), buf_bytes(&cut.text)));
    for (size_t at = 1 + size % stride; at < size; at += stride) {
        read_all(in, at, size, &cut);
        ENSURE(bytes_equal(buf_bytes(&whole.text), buf_bytes(&cut.text)));
    }
    buf_release(&whole.text);
    buf_release(&cut.text);
    if (size > 0 && size <= MESSAGE_MAX)
        round_trip(in, data[0] % size);
    return 0;
}
