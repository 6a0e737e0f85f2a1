#include "fuzz/server_peer.h"

#include "base/ensure.h"
#include "base/json_read.h"

#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

static const struct json_limits limits = {.depth_max = 64, .token_max = 1u << 16};

/* The first place of `what` in `in`; in.len where it is not there. */
static size_t find(struct bytes in, struct bytes what)
{
    const uint8_t *at = in.len > 0 ? memmem(in.p, in.len, what.p, what.len) : NULL;
    return at != NULL ? (size_t)(at - in.p) : in.len;
}

void peer_open(struct peer *p, int fd, struct seen *all)
{
    *p = (struct peer){.fd = fd, .all = all};
}

void peer_close(struct peer *p)
{
    if (p->fd >= 0)
        close(p->fd);
    p->fd = -1;
    buf_release(&p->in);
    arena_release(&p->arena);
}

void peer_send(struct peer *p, struct bytes data)
{
    /* What the server will not take is lost; it may have closed its end. */
    ssize_t n = send(p->fd, data.p, data.len, MSG_NOSIGNAL | MSG_DONTWAIT);
    (void)n;
}

void peer_send_text(struct peer *p, struct bytes text)
{
    static const uint8_t mask[4] = {0x37, 0xFA, 0x21, 0x3D};
    struct buf b = {0};
    buf_add_u8(&b, 0x81);
    if (text.len < 126) {
        buf_add_u8(&b, (uint8_t)(0x80 | text.len));
    } else {
        buf_add_u8(&b, 0x80 | 126);
        buf_add_u8(&b, (uint8_t)(text.len >> 8));
        buf_add_u8(&b, (uint8_t)text.len);
    }
    buf_add(&b, mask, sizeof mask);
    for (size_t i = 0; i < text.len && i <= UINT16_MAX; i++)
        buf_add_u8(&b, text.p[i] ^ mask[i % 4]);
    peer_send(p, buf_bytes(&b));
    buf_release(&b);
}

/* What is before the next `end`, and takes both off. */
static struct bytes word(struct bytes *in, struct bytes end)
{
    size_t len = find(*in, end);
    struct bytes w = bytes_of(in->p, len);
    len += len < in->len;
    *in = bytes_of(in->p + len, in->len - len);
    return w;
}

void peer_send_request(struct peer *p, struct bytes in)
{
    struct buf b = {0};
    if (in.len == 0)
        return;
    struct bytes line = word(&in, BYTES("\n"));
    buf_add_bytes(&b, word(&line, BYTES(" ")));
    buf_add_u8(&b, ' ');
    buf_add_bytes(&b, word(&line, BYTES(" ")));
    BUF_ADD_LIT(&b, " HTTP/1.1\r\nhost: h\r\n");
    struct bytes token = line.len > 0 ? word(&line, BYTES(" ")) : line;
    if (token.len > 0) {
        BUF_ADD_LIT(&b, "authorization: bearer ");
        buf_add_bytes(&b, token);
        BUF_ADD_LIT(&b, "\r\n");
    }
    if (line.len > 0) {
        buf_add_bytes(&b, line);
        BUF_ADD_LIT(&b, "\r\n");
    }
    buf_printf(&b, "content-length: %zu\r\n\r\n", in.len);
    buf_add_bytes(&b, in);
    peer_send(p, buf_bytes(&b));
    buf_release(&b);
}

void peer_end(struct peer *p)
{
    (void)shutdown(p->fd, SHUT_WR);
}

/* ---- what was seen -------------------------------------------------------------------------- */

struct bytes seen_get(const struct seen *all, enum seen_kind kind, unsigned n)
{
    if (all->kinds[kind].count == 0)
        return BYTES("none");
    n %= all->kinds[kind].count;
    return bytes_of(all->kinds[kind].text[n], all->kinds[kind].len[n]);
}

/* Remembers the values behind `before`, up to the next quote. */
static void note(struct seen *all, enum seen_kind kind, struct bytes in, struct bytes before)
{
    for (size_t at; (at = find(in, before)) < in.len;) {
        in = bytes_of(in.p + at + before.len, in.len - at - before.len);
        size_t len = find(in, BYTES("\""));
        unsigned n = all->kinds[kind].count;
        if (len == in.len || len >= VALUE_MAX || n == SEEN_MAX)
            return;
        memcpy(all->kinds[kind].text[n], in.p, len);
        all->kinds[kind].len[n] = (uint8_t)len;
        all->kinds[kind].count++;
    }
}

static void note_all(struct seen *all, struct bytes in)
{
    note(all, SEEN_ID, in, BYTES("{\"id\":\""));
    note(all, SEEN_TOKEN, in, BYTES("{\"token\":\""));
    note(all, SEEN_URL, in, BYTES("messaging_url\":\"ws://h/"));
    note(all, SEEN_MESSAGE, in, BYTES("{\"message_id\":\""));
}

/* ---- what the server may say ------------------------------------------------------------------
 */

/* Is it one that a server may send (RFC 6455, 7.4)? */
static bool is_close_code(unsigned code)
{
    return (code >= 1000 && code <= 1014 && code != 1004 && code != 1005 && code != 1006) ||
           (code >= 3000 && code <= 4999);
}

static void judge_text(struct peer *p, struct bytes text)
{
    struct json root;
    const char *why;
    int64_t number;

    ENSURE(json_read(text, limits, &p->arena, &root, &why) == ERR_ok);
    ENSURE(json_int(json_member(root, "type"), &number));
    ENSURE(json_type(json_member(root, "timestamp")) == JSON_NUMBER);
    ENSURE(json_type(json_member(root, "body")) == JSON_OBJECT);
    arena_reset(&p->arena);
}

static void judge_frame(struct peer *p, unsigned opcode, struct bytes payload)
{
    ENSURE(!p->closed);
    switch (opcode) {
    case 1:
        judge_text(p, payload);
        return;
    case 8:
        p->closed = true;
        ENSURE(payload.len != 1 && payload.len <= 125);
        ENSURE(payload.len == 0 ||
               is_close_code((unsigned)payload.p[0] << 8 | (unsigned)payload.p[1]));
        return;
    case 9:
    case 10:
        ENSURE(payload.len <= 125);
        return;
    default:
        ENSURE(opcode == 1);
    }
}

/* Takes one frame off `in`, if one is whole: final, unmasked, its length in the shortest form. */
static bool take_frame(struct peer *p, struct bytes *in)
{
    size_t head = 2, len;
    if (in->len < 2)
        return false;
    ENSURE((in->p[0] & 0xF0) == 0x80 && (in->p[1] & 0x80) == 0);
    len = in->p[1];
    if (len >= 126) {
        size_t more = len == 126 ? 2 : 8;
        if (in->len < head + more)
            return false;
        len = 0;
        for (size_t i = 0; i < more; i++)
            len = len << 8 | in->p[head + i];
        ENSURE(len >= (more == 2 ? 126 : 65536) && len < 1u << 30);
        head += more;
    }
    if (in->len - head < len)
        return false;
    judge_frame(p, in->p[0] & 15, bytes_of(in->p + head, len));
    *in = bytes_of(in->p + head + len, in->len - head - len);
    return true;
}

static bool starts_with(struct bytes in, struct bytes with)
{
    return in.len >= with.len && memcmp(in.p, with.p, with.len) == 0;
}

/* What is behind `name` in the head, up to the line's end; nothing where it is not there. */
static struct bytes field(struct bytes head, struct bytes name)
{
    size_t at = find(head, name);
    if (at == head.len)
        return BYTES("");
    struct bytes value = bytes_of(head.p + at + name.len, head.len - at - name.len);
    return bytes_of(value.p, find(value, BYTES("\r\n")));
}

static void judge_body(struct peer *p, unsigned status, struct bytes body)
{
    struct json root;
    const char *why;

    ENSURE(json_read(body, limits, &p->arena, &root, &why) == ERR_ok);
    ENSURE(json_type(root) == JSON_OBJECT);
    if (status >= 400) {
        ENSURE(json_type(json_member(root, "error")) == JSON_STRING);
        ENSURE(json_type(json_member(root, "code")) == JSON_STRING);
    }
    arena_reset(&p->arena);
}

/* Takes one answer off `in`, if one is whole. Which one is to a HEAD, and has a length but no body,
 * is seen by what follows: no body of ours begins as an answer does. */
static bool take_answer(struct peer *p, struct bytes *in)
{
    size_t end = find(*in, BYTES("\r\n\r\n"));
    if (end == in->len)
        return false;
    struct bytes head = bytes_of(in->p, end + 2);
    struct bytes rest = bytes_of(in->p + end + 4, in->len - end - 4);
    unsigned status = 0;

    ENSURE(!p->closed);
    ENSURE(starts_with(head, BYTES("HTTP/1.1 ")) && head.len > 12);
    for (size_t i = 9; i < 12; i++) {
        ENSURE(head.p[i] >= '0' && head.p[i] <= '9');
        status = status * 10 + head.p[i] - '0';
    }
    if (status >= 200 && status != 204 && !starts_with(rest, BYTES("HTTP/1.1 "))) {
        char digits[24] = "";
        struct bytes text = field(head, BYTES("\r\ncontent-length: "));
        ENSURE(text.len > 0 && text.len < sizeof digits);
        memcpy(digits, text.p, text.len);
        size_t len = strtoul(digits, NULL, 10);
        if (rest.len < len)
            return false;
        if (bytes_equal(field(head, BYTES("\r\ncontent-type: ")), BYTES("application/json")))
            judge_body(p, status, bytes_of(rest.p, len));
        rest = bytes_of(rest.p + len, rest.len - len);
    }
    p->closed = bytes_equal(field(head, BYTES("\r\nconnection: ")), BYTES("close"));
    p->websocket = status == 101;
    *in = rest;
    return true;
}

static void judge(struct peer *p)
{
    struct bytes in = buf_bytes(&p->in);
    while (!p->websocket && take_answer(p, &in)) {
    }
    while (p->websocket && take_frame(p, &in)) {
    }
    buf_consume(&p->in, p->in.len - in.len);
}

bool peer_read(struct peer *p)
{
    uint8_t piece[16384];
    bool any = false;
    ssize_t n;

    if (p->fd < 0 || p->deaf)
        return false;
    while ((n = recv(p->fd, piece, sizeof piece, MSG_DONTWAIT)) > 0) {
        any = true;
        note_all(p->all, bytes_of(piece, (size_t)n));
        buf_add(&p->in, piece, (size_t)n);
        judge(p);
    }
    return any;
}
