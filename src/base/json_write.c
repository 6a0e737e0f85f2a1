#include "base/json_write.h"

#include "base/swar.h"

/* How many bytes from p on need no escape. */
static size_t plain_run(const uint8_t *p, size_t len)
{
    size_t i = 0;
    while (len - i >= 16 && !swar_any_16(swar_json_special_16(p + i)))
        i += 16;
    for (; len - i >= 8; i += 8) {
        uint64_t escaped = swar_json_escaped(swar_load(p + i));
        if (escaped != 0)
            return i + swar_first(escaped);
    }
    while (i < len && p[i] >= 0x20 && p[i] != '"' && p[i] != '\\')
        i++;
    return i;
}

static void add_escape(struct buf *b, uint8_t c)
{
    static const char hex[16] = "0123456789abcdef";
    uint8_t escape[6] = {'\\', 'u', '0', '0', (uint8_t)hex[c >> 4], (uint8_t)hex[c & 15]};
    size_t len = 2;
    switch (c) {
    case '"':
    case '\\':
        escape[1] = c;
        break;
    case '\b':
        escape[1] = 'b';
        break;
    case '\f':
        escape[1] = 'f';
        break;
    case '\n':
        escape[1] = 'n';
        break;
    case '\r':
        escape[1] = 'r';
        break;
    case '\t':
        escape[1] = 't';
        break;
    default:
        len = sizeof escape;
        break;
    }
    buf_add(b, escape, len);
}

void json_add_string(struct buf *b, struct bytes s)
{
    /* Enough for a string without escapes; more is had as it is needed. */
    buf_reserve(b, s.len + 2);
    b->p[b->len++] = '"';
    for (size_t i = 0; i < s.len;) {
        size_t run = plain_run(s.p + i, s.len - i);
        buf_add(b, s.p + i, run);
        i += run;
        if (i < s.len)
            add_escape(b, s.p[i++]);
    }
    buf_add_u8(b, '"');
}

void json_add_int(struct buf *b, int64_t v)
{
    if (v < 0)
        buf_add_u8(b, '-');
    /* Negated as unsigned, so that INT64_MIN has its absolute value too. */
    json_add_uint(b, v < 0 ? -(uint64_t)v : (uint64_t)v);
}

void json_add_uint(struct buf *b, uint64_t v)
{
    /* Two digits a division: cursors and timestamps are long. */
    static const char pairs[] = "00010203040506070809101112131415161718192021222324"
                                "25262728293031323334353637383940414243444546474849"
                                "50515253545556575859606162636465666768697071727374"
                                "75767778798081828384858687888990919293949596979899";
    char digits[20]; /* UINT64_MAX has as many */
    char *const end = digits + sizeof digits;
    char *p = end;
    for (; v >= 100; v /= 100) {
        p -= 2;
        memcpy(p, pairs + 2 * (v % 100), 2);
    }
    if (v >= 10) {
        p -= 2;
        memcpy(p, pairs + 2 * v, 2);
    } else {
        *--p = (char)('0' + v);
    }
    buf_add(b, p, (size_t)(end - p));
}

void json_add_uuid(struct buf *b, const struct uuid *u)
{
    buf_reserve(b, UUID_TEXT_LEN + 2);
    uint8_t *p = b->p + b->len;
    p[0] = '"';
    uuid_format(u, (char *)p + 1);
    p[UUID_TEXT_LEN + 1] = '"';
    b->len += UUID_TEXT_LEN + 2;
}
