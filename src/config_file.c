/* config_file: the file of --config, whose lines libinih reads. */
#include "config_inside.h"

#include <errno.h>
#include <ini.h>
#include <stdio.h>
#include <string.h>

/* Bytes of a file of options, and of a line in it: the longest value fits three times. */
#define FILE_MAX       (1u << 20)
#define LINE_MAX_BYTES 12288

/* libinih has split a line. The return value would only tell it to count an error. */
static int on_pair(void *ctx, const char *section, const char *name, const char *value)
{
    struct reader *r = ctx;
    size_t len = strlen(name);
    int id = config_option_find(name, len);

    (void)section; /* lines that open one do not come here */
    if (id >= 0)
        config_set(r, id, value);
    else if (strcmp(name, "config") == 0)
        config_complain(r, "%s:%u: a file cannot name another", r->file, r->line);
    else
        config_complain_unknown(r, name, len, name, len);
    return 1;
}

/*
 * One line, without its end. libinih gets one at a time: so there is a line number, a line cannot
 * continue the one before, and its limit on lines, beyond which it would read the rest of a line as
 * the next, is checked first.
 */
static void read_line(struct reader *r, const char *p, size_t len)
{
    char line[LINE_MAX_BYTES + 1];

    if (len > 0 && p[len - 1] == '\r')
        len--;
    if (len > LINE_MAX_BYTES) {
        config_complain(r, "%s:%u: the line is longer than %d bytes", r->file, r->line,
                        LINE_MAX_BYTES);
        return;
    }
    for (size_t i = 0; i < len; i++) {
        if (((unsigned char)p[i] < 0x20 && p[i] != '\t') || p[i] == 0x7f) {
            config_complain(r, "%s:%u: the line holds a control character", r->file, r->line);
            return;
        }
    }
    memcpy(line, p, len);
    line[len] = '\0';
    if (line[strspn(line, " \t")] == '[')
        config_complain(r, "%s:%u: there are no sections; write name = value", r->file, r->line);
    else if (ini_parse_string(line, on_pair, r) != 0)
        config_complain(r, "%s:%u: the line is not name = value", r->file, r->line);
}

/* Adds the whole file to *out; false with errno set, or with 0 where it is too large. */
static bool slurp(const char *path, struct buf *out)
{
    FILE *f = fopen(path, "re");
    if (f == NULL)
        return false;

    errno = 0;
    buf_reserve(out, FILE_MAX + 1);
    out->len = fread(out->p, 1, FILE_MAX + 1, f);
    int saved = ferror(f) ? errno : 0;
    bool ok = ferror(f) == 0 && out->len <= FILE_MAX;
    (void)fclose(f);
    errno = saved;
    return ok;
}

void config_read_file(struct reader *r)
{
    struct buf content = {0};

    r->source = SOURCE_FILE;
    ini_use_stack = false;
    ini_allow_realloc = false;
    ini_initial_alloc = LINE_MAX_BYTES + 3;
    ini_max_line = LINE_MAX_BYTES + 3;

    if (r->file[0] == '\0') {
        config_complain(r, "%s: names no file",
                        r->file_by_flag ? "--config" : CONFIG_ENV_PREFIX "CONFIG");
    } else if (!slurp(r->file, &content)) {
        config_complain(r, "%s: %s", r->file,
                        errno != 0 ? strerror(errno) : "is larger than 1 MiB");
    } else {
        const char *p = (const char *)content.p;
        const char *end = p + content.len;
        while (p < end && !r->failed) {
            const char *newline = memchr(p, '\n', (size_t)(end - p));
            const char *stop = newline != NULL ? newline : end;
            r->line++;
            read_line(r, p, (size_t)(stop - p));
            p = newline != NULL ? newline + 1 : end;
        }
    }
    buf_release(&content);
}
