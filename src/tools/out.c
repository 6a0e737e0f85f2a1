#include "tools/out.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <time.h>

#include "base/json_write.h"
#include "base/text.h"

#define LINE_LEN 2048

static void comma(struct buf *b)
{
    if (b->len > 0 && b->p[b->len - 1] != '{' && b->p[b->len - 1] != '[')
        buf_add_u8(b, ',');
}

void out_key(struct buf *b, const char *key)
{
    comma(b);
    if (!key)
        return;
    json_add_string(b, bytes_cstr(key));
    buf_add_u8(b, ':');
}

void out_open(struct buf *b, const char *key, char bracket)
{
    out_key(b, key);
    buf_add_u8(b, (uint8_t)bracket);
}

void out_close(struct buf *b, char bracket)
{
    buf_add_u8(b, (uint8_t)bracket);
}

void out_uint(struct buf *b, const char *key, uint64_t v)
{
    out_key(b, key);
    json_add_uint(b, v);
}

void out_int(struct buf *b, const char *key, int64_t v)
{
    out_key(b, key);
    json_add_int(b, v);
}

void out_bool(struct buf *b, const char *key, bool v)
{
    out_key(b, key);
    if (v)
        BUF_ADD_LIT(b, "true");
    else
        BUF_ADD_LIT(b, "false");
}

void out_text(struct buf *b, const char *key, struct bytes v)
{
    out_key(b, key);
    json_add_string(b, text_utf8_valid(v) ? v : BYTES("(not UTF-8)"));
}

void out_cstr(struct buf *b, const char *key, const char *v)
{
    out_text(b, key, bytes_cstr(v));
}

void out_null(struct buf *b, const char *key)
{
    out_key(b, key);
    BUF_ADD_LIT(b, "null");
}

void out_time(struct buf *b, int64_t ms)
{
    char text[64];
    struct tm tm;
    int64_t part = ms % 1000;
    time_t seconds = (time_t)(ms / 1000);
    if (part < 0) {
        part += 1000;
        seconds--;
    }
    /* A record may hold any number: one that is no year is shown as the number. */
    if (!gmtime_r(&seconds, &tm) || tm.tm_year < -1900 || tm.tm_year > 8099) {
        buf_printf(b, "%lldms", (long long)ms);
        return;
    }
    (void)strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%S", &tm);
    buf_printf(b, "%s.%03dZ", text, (int)part);
}

void out_line(struct buf *b)
{
    buf_add_u8(b, '\n');
    (void)fwrite(b->p, 1, b->len, stdout);
    buf_reset(b);
}

static void print_safely(FILE *to, char *line)
{
    for (char *p = line; *p != '\0'; p++)
        if ((unsigned char)*p < 0x20 || *p == 0x7f)
            *p = '?';
    (void)fprintf(to, "%s\n", line);
}

void out_say(const char *format, ...)
{
    char line[LINE_LEN];
    va_list args;
    va_start(args, format);
    (void)vsnprintf(line, sizeof line, format, args);
    va_end(args);
    print_safely(stdout, line);
}

const char *out_result(enum exit_code code)
{
    switch (code) {
    case EXIT_FINE:
        return "fine";
    case EXIT_FAILED:
        return "failed";
    case EXIT_USAGE:
        return "usage";
    case EXIT_DAMAGED:
        return "damaged";
    }
    return "failed";
}

enum exit_code out_error(bool json, enum exit_code code, const char *format, ...)
{
    char line[LINE_LEN], what[LINE_LEN - 16];
    va_list args;
    va_start(args, format);
    (void)vsnprintf(what, sizeof what, format, args);
    va_end(args);
    (void)snprintf(line, sizeof line, "groups-chat: %s", what);
    print_safely(stderr, line);
    if (json) {
        struct buf b = {0};
        out_open(&b, NULL, '{');
        out_cstr(&b, "result", out_result(code));
        out_cstr(&b, "error", what);
        out_close(&b, '}');
        out_line(&b);
        buf_release(&b);
    }
    return code;
}

enum exit_code out_end(enum exit_code code)
{
    if (fflush(stdout) == 0 && ferror(stdout) == 0)
        return code;
    (void)fprintf(stderr, "groups-chat: cannot write to stdout: %s\n", strerror(errno));
    return code == EXIT_FINE ? EXIT_FAILED : code;
}
