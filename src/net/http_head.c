#include "net/http_head.h"

#define METHOD_MAX       32
#define CHUNK_DIGITS_MAX 16

enum {
    CLASS_TOKEN = 1,  /* RFC 9110, 5.6.2 */
    CLASS_TARGET = 2, /* what a URI may hold (RFC 3986), but '#' */
    CLASS_VALUE = 4   /* VCHAR, SP, HTAB, obs-text */
};

#define OTHER   CLASS_VALUE
#define BOTH    (CLASS_TOKEN | CLASS_TARGET | CLASS_VALUE)
#define TOKEN_  (CLASS_TOKEN | CLASS_VALUE)
#define TARGET_ (CLASS_TARGET | CLASS_VALUE)

/* clang-format off */
static const uint8_t classes[256] = {
    ['\t'] = OTHER, [' '] = OTHER, ['"'] = OTHER, ['<'] = OTHER, ['>'] = OTHER, ['\\'] = OTHER,
    ['{'] = OTHER, ['}'] = OTHER, ['#'] = TOKEN_, ['^'] = TOKEN_, ['`'] = TOKEN_, ['|'] = TOKEN_,
    ['('] = TARGET_, [')'] = TARGET_, [','] = TARGET_, ['/'] = TARGET_, [':'] = TARGET_,
    [';'] = TARGET_, ['='] = TARGET_, ['?'] = TARGET_, ['@'] = TARGET_, ['['] = TARGET_,
    [']'] = TARGET_,
    ['!'] = BOTH, ['$'] = BOTH, ['%'] = BOTH, ['&'] = BOTH, ['\''] = BOTH, ['*'] = BOTH,
    ['+'] = BOTH, ['-'] = BOTH, ['.'] = BOTH, ['_'] = BOTH, ['~'] = BOTH,
    ['0' ... '9'] = BOTH, ['A' ... 'Z'] = BOTH, ['a' ... 'z'] = BOTH,
    [0x80 ... 0xFF] = OTHER,
};
/* clang-format on */

bool http_is_token(uint8_t c)
{
    return classes[c] & CLASS_TOKEN;
}

static void head_fail(struct http_head_scan *s, enum err why)
{
    s->state = HEAD_FAILED;
    s->error = why;
}

/* The version is whole; only 1.0 and 1.1 are spoken here (RFC 9112, 2.3). */
static void head_version(struct http_head_scan *s)
{
    const uint8_t *v = s->version;
    if (s->token != 8 || memcmp(v, "HTTP/", 5) != 0 || v[5] < '0' || v[5] > '9' || v[6] != '.' ||
        v[7] < '0' || v[7] > '9')
        head_fail(s, ERR_bad_request);
    else if (v[5] != '1' || v[7] > '1')
        head_fail(s, ERR_version_not_supported);
    else
        s->state = HEAD_REQUEST_LF;
}

/* The request line (RFC 9112, 3): exactly one space between its three parts. */
static void head_line_byte(struct http_head_scan *s, uint8_t c)
{
    if (s->state == HEAD_METHOD) {
        if (http_is_token(c) && s->token < METHOD_MAX) {
            s->token++;
        } else if (c == ' ' && s->token > 0) {
            s->method_len = s->token;
            s->token = 0;
            s->state = HEAD_TARGET;
        } else {
            head_fail(s, ERR_bad_request);
        }
    } else if (s->state == HEAD_TARGET) {
        if (classes[c] & CLASS_TARGET) {
            s->token++;
        } else if (c == ' ' && s->token > 0) {
            s->token = 0;
            s->state = HEAD_VERSION;
        } else {
            head_fail(s, ERR_bad_request);
        }
    } else if (c == '\r') {
        head_version(s);
    } else if (s->token < sizeof s->version) {
        s->version[s->token++] = c;
    } else {
        head_fail(s, ERR_bad_request);
    }
}

/* A field line (RFC 9112, 5): a line that starts with a blank is a fold, which is refused. */
static void head_field_byte(struct http_head_scan *s, uint8_t c)
{
    if (s->state == HEAD_FIELD_START) {
        if (c == '\r')
            s->state = HEAD_END_LF;
        else if (!http_is_token(c))
            head_fail(s, ERR_bad_request);
        else if (s->fields == s->field_max)
            head_fail(s, ERR_head_too_large);
        else {
            s->fields++;
            s->state = HEAD_NAME;
        }
    } else if (s->state == HEAD_NAME) {
        if (c == ':')
            s->state = HEAD_VALUE;
        else if (!http_is_token(c))
            head_fail(s, ERR_bad_request);
    } else if (c == '\r') {
        s->state = HEAD_FIELD_LF;
    } else if (!(classes[c] & CLASS_VALUE)) {
        head_fail(s, ERR_bad_request);
    }
}

static void head_byte(struct http_head_scan *s, uint8_t c)
{
    switch (s->state) {
    case HEAD_START:
        /* One empty line before a request is skipped (RFC 9112, 2.2). */
        if (c == '\r' && s->size == 0) {
            s->state = HEAD_START_LF;
            return;
        }
        s->method = s->size;
        s->state = HEAD_METHOD;
        head_line_byte(s, c);
        return;
    case HEAD_METHOD:
    case HEAD_TARGET:
    case HEAD_VERSION:
        head_line_byte(s, c);
        return;
    case HEAD_FIELD_START:
    case HEAD_NAME:
    case HEAD_VALUE:
        head_field_byte(s, c);
        return;
    case HEAD_START_LF:
    case HEAD_REQUEST_LF:
    case HEAD_FIELD_LF:
    case HEAD_END_LF:
        if (c != '\n')
            head_fail(s, ERR_bad_request);
        else if (s->state == HEAD_START_LF)
            s->state = HEAD_START;
        else
            s->state = s->state == HEAD_END_LF ? HEAD_DONE : HEAD_FIELD_START;
        return;
    case HEAD_DONE:
    case HEAD_FAILED:
        return;
    }
}

size_t http_head_scan(struct http_head_scan *s, struct bytes in)
{
    size_t i = 0;
    while (i < in.len && s->state != HEAD_DONE && s->state != HEAD_FAILED) {
        if (s->size == s->size_max) {
            head_fail(s, s->state <= HEAD_TARGET ? ERR_uri_too_long : ERR_head_too_large);
            break;
        }
        head_byte(s, in.p[i++]);
        s->size++;
    }
    return i;
}

static void chunk_fail(struct http_chunk_scan *s, enum err why)
{
    s->state = CHUNK_FAILED;
    s->error = why;
}

static int hex_digit(uint8_t c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    c |= 0x20;
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* The size line (RFC 9112, 7.1): digits, then perhaps blanks and extensions, then CR. */
static void chunk_size_byte(struct http_chunk_scan *s, uint8_t c)
{
    int digit = s->state == CHUNK_SIZE ? hex_digit(c) : -1;
    if (digit >= 0) {
        if (s->digits++ == CHUNK_DIGITS_MAX) {
            chunk_fail(s, ERR_bad_request);
            return;
        }
        s->left = s->left * 16 + (uint64_t)digit;
        if (s->left > s->body_max - s->body)
            chunk_fail(s, ERR_too_large);
        return;
    }
    bool extension = s->state == CHUNK_EXTENSION;
    bool blank = c == ' ' || c == '\t';
    if (s->digits > 0 && c == '\r' && s->state != CHUNK_BLANK) {
        s->state = CHUNK_SIZE_LF;
        return;
    }
    if (s->digits == 0 || c >= 0x80 || !(classes[c] & CLASS_VALUE) ||
        (!extension && !blank && c != ';')) {
        chunk_fail(s, ERR_bad_request);
        return;
    }
    if (!extension)
        s->state = blank ? CHUNK_BLANK : CHUNK_EXTENSION;
    s->overhead++;
}

/* A trailer's name is whole: those that would change the framing are refused (RFC 9110, 6.5.1). */
static bool chunk_trailer_allowed(const struct http_chunk_scan *s)
{
    static const char *const refused[] = {"content-length", "transfer-encoding", "host"};
    struct bytes name = {s->name, s->name_len};
    if (s->name_len > sizeof s->name)
        return true;
    for (size_t i = 0; i < sizeof refused / sizeof *refused; i++)
        if (bytes_equal_nocase(name, bytes_cstr(refused[i])))
            return false;
    return true;
}

static void chunk_trailer_byte(struct http_chunk_scan *s, uint8_t c)
{
    s->overhead++;
    if (s->state == CHUNK_TRAILER_START && c == '\r') {
        s->state = CHUNK_END_LF;
        return;
    }
    if (s->state == CHUNK_TRAILER_VALUE) {
        if (c == '\r')
            s->state = CHUNK_TRAILER_LF;
        else if (!(classes[c] & CLASS_VALUE))
            chunk_fail(s, ERR_bad_request);
        return;
    }
    if (s->state == CHUNK_TRAILER_START) {
        if (s->fields++ == s->field_max) {
            chunk_fail(s, ERR_head_too_large);
            return;
        }
        s->name_len = 0;
        s->state = CHUNK_TRAILER_NAME;
    }
    if (http_is_token(c)) {
        if (s->name_len < sizeof s->name)
            s->name[s->name_len] = c;
        s->name_len++;
    } else if (c == ':' && s->name_len > 0 && chunk_trailer_allowed(s)) {
        s->state = CHUNK_TRAILER_VALUE;
    } else {
        chunk_fail(s, ERR_bad_request);
    }
}

static void chunk_size_done(struct http_chunk_scan *s)
{
    s->body += s->left;
    s->digits = 0;
    s->state = s->left ? CHUNK_DATA : CHUNK_TRAILER_START;
}

/* Where each CR or LF that must come leads to. */
static void chunk_end_byte(struct http_chunk_scan *s, uint8_t c)
{
    if (c != (s->state == CHUNK_DATA_CR ? '\r' : '\n'))
        chunk_fail(s, ERR_bad_request);
    else if (s->state == CHUNK_SIZE_LF)
        chunk_size_done(s);
    else if (s->state == CHUNK_DATA_CR)
        s->state = CHUNK_DATA_LF;
    else if (s->state == CHUNK_DATA_LF)
        s->state = CHUNK_SIZE;
    else
        s->state = s->state == CHUNK_TRAILER_LF ? CHUNK_TRAILER_START : CHUNK_DONE;
}

size_t http_chunk_scan(struct http_chunk_scan *s, struct bytes in)
{
    size_t i = 0;
    while (i < in.len) {
        switch (s->state) {
        case CHUNK_SIZE:
        case CHUNK_BLANK:
        case CHUNK_EXTENSION:
            chunk_size_byte(s, in.p[i]);
            break;
        case CHUNK_DATA: {
            size_t n = in.len - i < s->left ? in.len - i : (size_t)s->left;
            s->left -= n;
            if (s->left == 0)
                s->state = CHUNK_DATA_CR;
            i += n;
            continue;
        }
        case CHUNK_TRAILER_START:
        case CHUNK_TRAILER_NAME:
        case CHUNK_TRAILER_VALUE:
            chunk_trailer_byte(s, in.p[i]);
            break;
        case CHUNK_SIZE_LF:
        case CHUNK_DATA_CR:
        case CHUNK_DATA_LF:
        case CHUNK_TRAILER_LF:
        case CHUNK_END_LF:
            chunk_end_byte(s, in.p[i]);
            break;
        case CHUNK_DONE:
        case CHUNK_FAILED:
            return i;
        }
        if (s->overhead > s->trailer_max)
            chunk_fail(s, ERR_head_too_large);
        if (s->state == CHUNK_FAILED)
            return i; /* the byte that is refused is not taken */
        i++;
    }
    return i;
}
