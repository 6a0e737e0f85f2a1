#include "net/ws.h"

#include <stdlib.h>
#include <wslay/wslay.h>

#include "base/ensure.h"
#include "base/text.h"

#define CONTROL_MAX  125
#define SCRATCH_KEEP (64u << 10)

/* The header of one frame (RFC 6455, 5.2), as far as it is there. */
struct head {
    bool fin;
    unsigned opcode;
    size_t len;     /* of the header */
    uint64_t total; /* header and payload; 0 while the header is not complete */
    uint64_t payload;
};

/* What one ws_read works with. */
struct reading {
    struct ws_state *s;
    uint32_t message_max;
    const struct ws_hooks *hooks;
    void *ctx;
    bool stopped; /* on_event said so, or the peer has closed */
};

/*
 * The one wslay context and what it is fed from. Loop thread only.
 *
 * wslay takes the mask off byte by byte, which cost more than all else that it does. So it is fed
 * the frame as a server would have sent it: the header without the mask bit and the key, and the
 * payload unmasked on the way into its buffer, sixteen bytes at a time.
 */
static struct {
    wslay_frame_context_ptr ctx;
    uint8_t head[10]; /* without the key */
    size_t head_left;
    size_t head_len;
    uint8_t key[4];
    struct bytes payload; /* as it came */
    size_t at;            /* so much of the payload has been taken */
    struct buf scratch;   /* the payload of a frame that wslay gives in pieces */
} feed;

/* Copies `len` bytes of a payload from its byte `at` on, without the mask (RFC 6455, 5.3). */
static void copy_unmasked(uint8_t *to, const uint8_t *from, size_t len, const uint8_t key[4],
                          size_t at)
{
    typedef uint8_t wide __attribute__((vector_size(16)));
    const uint8_t k0 = key[at & 3], k1 = key[(at + 1) & 3], k2 = key[(at + 2) & 3],
                  k3 = key[(at + 3) & 3];
    const wide turned = {k0, k1, k2, k3, k0, k1, k2, k3, k0, k1, k2, k3, k0, k1, k2, k3};
    size_t i = 0;
    for (; len - i >= sizeof turned; i += sizeof turned) {
        wide some;
        memcpy(&some, from + i, sizeof some);
        some ^= turned;
        memcpy(to + i, &some, sizeof some);
    }
    for (; i < len; i++)
        to[i] = from[i] ^ turned[i % sizeof turned];
}

static ssize_t on_wslay_recv(uint8_t *to, size_t len, int flags, void *user)
{
    (void)flags;
    (void)user;
    size_t head = len < feed.head_left ? len : feed.head_left;
    size_t left = feed.payload.len - feed.at;
    size_t n = len - head < left ? len - head : left;
    if (head + n == 0)
        return -1; /* cannot be: it is fed whole frames */
    memcpy(to, feed.head + feed.head_len - feed.head_left, head);
    if (n > 0)
        copy_unmasked(to + head, feed.payload.p + feed.at, n, feed.key, feed.at);
    feed.head_left -= head;
    feed.at += n;
    return (ssize_t)(head + n);
}

static void feed_frame(struct bytes frame, const struct head *h)
{
    feed.head_len = feed.head_left = h->len - sizeof feed.key;
    memcpy(feed.head, frame.p, feed.head_len);
    feed.head[1] &= 0x7F;
    memcpy(feed.key, frame.p + feed.head_len, sizeof feed.key);
    feed.payload = bytes_of(frame.p + h->len, (size_t)h->payload);
    feed.at = 0;
}

static void feed_drop(void)
{
    wslay_frame_context_free(feed.ctx);
    feed.ctx = NULL;
}

/*
 * Decodes one whole frame; the payload is wslay's buffer or the scratch, valid until the next
 * call. False where wslay finds a fault that head_read did not.
 */
static bool frame_decode(struct bytes frame, const struct head *h, struct bytes *payload)
{
    struct wslay_frame_iocb part = {0};
    struct wslay_frame_callbacks callbacks = {.recv_callback = on_wslay_recv};
    if (!feed.ctx && wslay_frame_context_init(&feed.ctx, &callbacks, NULL) != 0)
        out_of_memory(8192); /* it has no other fault; about what it asks for */
    feed_frame(frame, h);
    ssize_t n = wslay_frame_recv(feed.ctx, &part);
    if (n >= 0 && (uint64_t)n == h->payload) {
        *payload = bytes_of(part.data, (size_t)n);
        return true;
    }
    buf_shrink(&feed.scratch, SCRATCH_KEEP);
    buf_reserve(&feed.scratch, (size_t)h->payload);
    while (n > 0) {
        buf_add(&feed.scratch, part.data, (size_t)n);
        if (feed.scratch.len == h->payload) {
            *payload = buf_bytes(&feed.scratch);
            return true;
        }
        n = wslay_frame_recv(feed.ctx, &part);
    }
    feed_drop(); /* it stopped inside a frame */
    return false;
}

/*
 * A text that is whole in one frame, which is nearly every message: head_read has checked all that
 * wslay would, so only the mask is left. Valid until the next frame.
 */
static struct bytes text_decode(struct bytes frame, const struct head *h)
{
    const uint8_t *payload = frame.p + h->len;

    buf_shrink(&feed.scratch, SCRATCH_KEEP);
    buf_reserve(&feed.scratch, (size_t)h->payload);
    if (h->payload > 0)
        copy_unmasked(feed.scratch.p, payload, (size_t)h->payload, payload - 4, 0);
    return bytes_of(feed.scratch.p, (size_t)h->payload);
}

static bool is_control(unsigned opcode)
{
    return opcode & 8;
}

/* May a frame with this opcode come now, and may its message be that long? */
static enum ws_close head_judge(const struct reading *r, const struct head *h)
{
    const struct ws_state *s = r->s;
    if (is_control(h->opcode))
        return WS_CLOSE_NONE;
    if (h->opcode == WS_OPCODE_BINARY)
        return s->message ? WS_CLOSE_PROTOCOL : WS_CLOSE_UNSUPPORTED;
    if ((h->opcode == WS_OPCODE_CONTINUATION) != (s->message != NULL))
        return WS_CLOSE_PROTOCOL;
    size_t so_far = s->message ? s->message->len : 0;
    if (h->payload > r->message_max - so_far || s->fragments == WS_FRAGMENTS_MAX)
        return WS_CLOSE_TOO_BIG;
    return WS_CLOSE_NONE;
}

/*
 * Reads the header at the start of `in`. Each check is made as soon as its bytes are there, in the
 * order in which they come, so that the outcome does not depend on how the input was cut.
 */
static enum ws_close head_read(const struct reading *r, struct bytes in, struct head *h)
{
    *h = (struct head){0};
    if (in.len < 2)
        return WS_CLOSE_NONE;
    unsigned short_len = in.p[1] & 0x7F;
    h->fin = in.p[0] & 0x80;
    h->opcode = in.p[0] & 0x0F;
    bool known = h->opcode <= WS_OPCODE_BINARY ||
                 (h->opcode >= WS_OPCODE_CLOSE && h->opcode <= WS_OPCODE_PONG);
    if (in.p[0] & 0x70 || !known || !(in.p[1] & 0x80))
        return WS_CLOSE_PROTOCOL;
    if (is_control(h->opcode) && (!h->fin || short_len > CONTROL_MAX))
        return WS_CLOSE_PROTOCOL;
    unsigned more = short_len == 127 ? 8 : short_len == 126 ? 2 : 0;
    if (in.len < 2 + more)
        return WS_CLOSE_NONE;
    h->payload = more ? 0 : short_len;
    for (unsigned i = 0; i < more; i++)
        h->payload = h->payload << 8 | in.p[2 + i];
    /* RFC 6455, 5.2: the shortest form, and the highest bit is 0. */
    if ((more == 2 && h->payload < 126) ||
        (more == 8 && (h->payload <= 0xFFFF || h->payload >> 63)))
        return WS_CLOSE_PROTOCOL;
    h->len = 2 + more + 4;
    h->total = h->len + h->payload;
    return head_judge(r, h);
}

/* Is p[0..len), len 1 to 3, the start of a code point that more bytes could complete (RFC 3629)? */
static bool utf8_is_prefix(const uint8_t *p, size_t len)
{
    uint8_t lead = p[0];
    size_t need = lead >= 0xF0 ? 4 : lead >= 0xE0 ? 3 : 2;
    uint8_t low = lead == 0xE0 ? 0xA0 : lead == 0xF0 ? 0x90 : 0x80;
    uint8_t high = lead == 0xED ? 0x9F : lead == 0xF4 ? 0x8F : 0xBF;
    if (lead < 0xC2 || lead > 0xF4 || len >= need)
        return false;
    if (len > 1 && (p[1] < low || p[1] > high))
        return false;
    return len < 3 || (p[2] & 0xC0) == 0x80;
}

/* Is the message so far the start of valid UTF-8? What is known to be valid is not looked at
 * again, so that many fragments cost no more than one. */
static bool message_check(struct ws_state *s, bool last)
{
    const struct buf *m = s->message;
    size_t left = m->len - s->checked;
    size_t tail = 0; /* bytes of a code point that is not complete */
    if (left == 0)
        return true; /* m->p may be NULL */
    for (size_t back = 1; !last && back <= 3 && back <= left; back++) {
        const uint8_t *at = m->p + m->len - back;
        if (*at < 0x80)
            break;
        if (*at >= 0xC0) {
            tail = utf8_is_prefix(at, back) ? back : 0;
            break;
        }
    }
    if (!text_utf8_valid(bytes_of(m->p + s->checked, left - tail)))
        return false;
    s->checked = (uint32_t)(m->len - tail);
    return true;
}

static void emit(struct reading *r, enum ws_event event, struct bytes payload, enum ws_close code)
{
    if (!r->hooks->on_event(r->ctx, event, payload, code))
        r->stopped = true;
}

static void buf_drop(struct buf **b)
{
    if (*b) {
        buf_release(*b);
        free(*b);
        *b = NULL;
    }
}

/* One fragment of a longer message. */
static enum ws_close take_fragment(struct reading *r, bool fin, struct bytes payload)
{
    struct ws_state *s = r->s;
    if (!s->message) {
        s->message = xcalloc(1, sizeof *s->message);
        s->fragments = s->checked = 0;
    }
    s->fragments++;
    buf_add_bytes(s->message, payload);
    if (!message_check(s, fin))
        return WS_CLOSE_INVALID_DATA;
    if (!fin)
        return WS_CLOSE_NONE;
    struct buf *message = s->message;
    s->message = NULL;
    s->fragments = s->checked = 0;
    emit(r, WS_TEXT, buf_bytes(message), WS_CLOSE_NONE);
    buf_drop(&message);
    return WS_CLOSE_NONE;
}

/* RFC 6455, 7.4, and the registry: 1012 to 1014 were added later. */
static bool close_code_valid(unsigned code)
{
    return (code >= 1000 && code <= 1003) || (code >= 1007 && code <= 1014) ||
           (code >= 3000 && code <= 4999);
}

static enum ws_close take_close(struct reading *r, struct bytes body)
{
    unsigned code = WS_CLOSE_NORMAL;
    struct bytes reason = {NULL, 0};
    if (body.len == 1)
        return WS_CLOSE_PROTOCOL;
    if (body.len >= 2) {
        code = (unsigned)body.p[0] << 8 | body.p[1];
        reason = bytes_of(body.p + 2, body.len - 2);
        if (!close_code_valid(code))
            return WS_CLOSE_PROTOCOL;
        if (!text_utf8_valid(reason))
            return WS_CLOSE_INVALID_DATA;
    }
    emit(r, WS_CLOSED, reason, (enum ws_close)code);
    r->stopped = true;
    return WS_CLOSE_NONE;
}

static enum ws_close take_text(struct reading *r, struct bytes text)
{
    if (!text_utf8_valid(text))
        return WS_CLOSE_INVALID_DATA;
    emit(r, WS_TEXT, text, WS_CLOSE_NONE);
    return WS_CLOSE_NONE;
}

static enum ws_close take_frame(struct reading *r, struct bytes frame, const struct head *h)
{
    struct bytes payload;
    if (h->opcode == WS_OPCODE_TEXT && h->fin)
        return take_text(r, text_decode(frame, h));
    if (!frame_decode(frame, h, &payload))
        return WS_CLOSE_PROTOCOL;
    switch (h->opcode) {
    case WS_OPCODE_PING:
        emit(r, WS_PING, payload, WS_CLOSE_NONE);
        return WS_CLOSE_NONE;
    case WS_OPCODE_PONG:
        emit(r, WS_PONG, payload, WS_CLOSE_NONE);
        return WS_CLOSE_NONE;
    case WS_OPCODE_CLOSE:
        return take_close(r, payload);
    default: /* a text's first fragment and the others: head_read let nothing else pass */
        return take_fragment(r, h->fin, payload);
    }
}

/* Completes the partial frame with bytes from `in`; *taken says how many. */
static enum ws_close go_on_partial(struct reading *r, struct bytes in, size_t *taken)
{
    struct buf *b = r->s->partial;
    struct head h;
    enum ws_close fault;
    *taken = 0;
    for (;;) {
        if ((fault = head_read(r, buf_bytes(b), &h)))
            return fault;
        if (h.total && b->len == h.total)
            break;
        if (*taken == in.len)
            return WS_CLOSE_NONE;
        /* Byte by byte until the header is there, then the rest at once. */
        uint64_t want = h.total ? h.total - b->len : 1;
        size_t n = want < in.len - *taken ? (size_t)want : in.len - *taken;
        buf_add(b, in.p + *taken, n);
        *taken += n;
    }
    r->s->partial = NULL;
    fault = take_frame(r, buf_bytes(b), &h);
    buf_drop(&b);
    return fault;
}

enum ws_close ws_read(struct ws_state *s, struct bytes in, uint32_t message_max,
                      const struct ws_hooks *hooks, void *ctx)
{
    struct reading r = {s, message_max, hooks, ctx, false};
    enum ws_close fault = WS_CLOSE_NONE;
    size_t at = 0;
    if (s->partial)
        fault = go_on_partial(&r, in, &at);
    while (!fault && !r.stopped && at < in.len) {
        s->late_s = s->message ? s->late_s : 0;
        struct bytes rest = {in.p + at, in.len - at};
        struct head h;
        if ((fault = head_read(&r, rest, &h)))
            break;
        if (h.total == 0 || rest.len < h.total) {
            s->partial = xcalloc(1, sizeof *s->partial);
            buf_add_bytes(s->partial, rest);
            break;
        }
        fault = take_frame(&r, bytes_of(rest.p, (size_t)h.total), &h);
        at += (size_t)h.total;
    }
    s->late_s = ws_is_partial(s) ? s->late_s : 0;
    return fault;
}

void ws_state_release(struct ws_state *s)
{
    buf_drop(&s->partial);
    buf_drop(&s->message);
    s->fragments = s->checked = s->late_s = 0;
}
