#include "base/diag.h"

#include <errno.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <time.h>
#include <unistd.h>

#include "base/utf8.h"

/* One write of at most this much does not mix with another's, on a pipe too (POSIX: PIPE_BUF is
 * 4096 on Linux). Longer messages are cut. */
#define DIAG_LINE_MAX 4096
#define DIAG_CUT      "..."

static _Atomic int diag_level = DIAG_INFO;

void diag_set_level(enum diag_level level)
{
    diag_level = (int)level;
}

/* Would this code point end a line or turn what follows around on somebody's terminal? */
static bool misleading(uint32_t code)
{
    return code < 0x20 || (code >= 0x7F && code <= 0x9F) || code == 0x2028 || code == 0x2029 ||
           (code >= 0x202A && code <= 0x202E) || (code >= 0x2066 && code <= 0x2069);
}

/* Adds the NUL-terminated `text` with misleading and invalid bytes as \xNN; leaves room for the
 * cut mark and the line end. */
static size_t add_quoted(char *line, size_t len, const char *text, size_t text_len)
{
    static const char hex[16] = "0123456789abcdef";
    const uint8_t *p = (const uint8_t *)text;
    const size_t limit = DIAG_LINE_MAX - sizeof DIAG_CUT;

    for (size_t i = 0; i < text_len;) {
        uint32_t code = 0;
        size_t n = utf8_decode(p + i, text_len - i, &code);
        bool plain = n != 0 && !misleading(code);
        size_t step = n == 0 ? 1 : n;
        if (len + (plain ? step : 4 * step) > limit) {
            for (const char *c = DIAG_CUT; *c != '\0'; c++)
                line[len++] = *c;
            return len;
        }
        for (size_t end = i + step; i < end; i++) {
            if (plain) {
                line[len++] = (char)p[i];
                continue;
            }
            line[len++] = '\\';
            line[len++] = 'x';
            line[len++] = hex[p[i] >> 4];
            line[len++] = hex[p[i] & 15];
        }
    }
    return len;
}

static size_t add_head(char *line, const char *word)
{
    struct timespec now = {0};
    struct tm tm = {0};
    clock_gettime(CLOCK_REALTIME, &now);
    gmtime_r(&now.tv_sec, &tm);
    size_t len = strftime(line, DIAG_LINE_MAX, "%Y-%m-%dT%H:%M:%S", &tm);
    int more = snprintf(line + len, DIAG_LINE_MAX - len, ".%03dZ %-5s ",
                        (int)(now.tv_nsec / 1000000), word);
    return more < 0 ? len : len + (size_t)more;
}

__attribute__((format(printf, 3, 0))) static void diag_line(enum diag_level level, const char *word,
                                                            const char *format, va_list args)
{
    if ((int)level < diag_level)
        return;

    int saved = errno;
    char text[DIAG_LINE_MAX + 1];
    int n = vsnprintf(text, sizeof text, format, args);
    size_t text_len = n < 0 ? 0 : (size_t)n < sizeof text ? (size_t)n : sizeof text - 1;

    char line[DIAG_LINE_MAX];
    size_t len = add_head(line, word);
    len = add_quoted(line, len, text, text_len);
    line[len++] = '\n';

    /* Nobody is left to hear that stderr cannot be written. */
    ssize_t written;
    do {
        written = write(STDERR_FILENO, line, len);
    } while (written < 0 && errno == EINTR);
    errno = saved;
}

void diag_debug(const char *format, ...)
{
    va_list args;
    va_start(args, format);
    diag_line(DIAG_DEBUG, "debug", format, args);
    va_end(args);
}

void diag_info(const char *format, ...)
{
    va_list args;
    va_start(args, format);
    diag_line(DIAG_INFO, "info", format, args);
    va_end(args);
}

void diag_warn(const char *format, ...)
{
    va_list args;
    va_start(args, format);
    diag_line(DIAG_WARN, "warn", format, args);
    va_end(args);
}

void diag_error(const char *format, ...)
{
    va_list args;
    va_start(args, format);
    diag_line(DIAG_ERROR, "error", format, args);
    va_end(args);
}
