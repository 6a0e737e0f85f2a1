#include "config.h"

#include <errno.h>
#include <ini.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/ensure.h"
#include "base/near.h"

#define ENV_PREFIX     "GROUPS_CHAT_"
#define ENV_PREFIX_LEN (sizeof ENV_PREFIX - 1)

/* Bytes of a file of options, and of a line in it: the longest value fits three times. */
#define FILE_MAX       (1u << 20)
#define LINE_MAX_BYTES 12288

/* Less would write more snapshots than journal. */
#define SNAPSHOT_AFTER_MIN 65536u

/* Bytes of a name or value that a message repeats. */
#define QUOTE_MAX NEAR_MAX

/* ---- the table ---------------------------------------------------------------------------- */

enum option_type { TYPE_TEXT, TYPE_LIST, TYPE_COUNT, TYPE_SIZE, TYPE_CHOICE };

struct option {
    enum option_type type;
    const char *flag;
    const char *fallback;
    uint64_t low;
    uint64_t high;
    const char *help;
    size_t offset; /* of the field in struct config */
};

enum option_id {
#define OPTION(type, field, flag, fallback, low, high, help) OPTION_##field,
#include "config.def"
#undef OPTION
    OPTION_COUNT
};

static const struct option options[OPTION_COUNT] = {
#define OPTION(type, field, flag, fallback, low, high, help)                                       \
    {TYPE_##type, flag, fallback, low, high, help, offsetof(struct config, field)},
#include "config.def"
#undef OPTION
};

/* What is no option but may stand among the arguments. */
static const char *const other_flags[] = {"config", "help", "version"};
#define OTHER_COUNT (sizeof other_flags / sizeof other_flags[0])

static int option_find(const char *name, size_t len)
{
    for (int i = 0; i < OPTION_COUNT; i++)
        if (strlen(options[i].flag) == len && memcmp(options[i].flag, name, len) == 0)
            return i;
    return -1;
}

/* The words of a choice, "always|1s|off]": what follows the last bracket of its help. */
static const char *choice_words(const struct option *o)
{
    const char *bracket = strrchr(o->help, '[');
    ENSURE(bracket != NULL);
    return bracket + 1;
}

/* ---- reading ------------------------------------------------------------------------------ */

enum source { SOURCE_DEFAULT = 1, SOURCE_FILE, SOURCE_ENVIRONMENT, SOURCE_FLAG };

struct reader {
    struct config config;
    enum source source;              /* what is being read */
    enum source given[OPTION_COUNT]; /* what named the option last; 0: nothing yet */
    struct buf joined[OPTION_COUNT]; /* LIST: the values of its flags, with commas and a NUL */
    const char *file;                /* of --config or GROUPS_CHAT_CONFIG, or NULL */
    bool file_by_flag;
    unsigned line;
    bool failed; /* `message` is set; the first complaint stays */
    char *message;
    size_t message_len;
};

/* Text from outside may be in a message: what could move the terminal's cursor becomes '?'. */
static void make_printable(char *s)
{
    for (; *s != '\0'; s++)
        if ((unsigned char)*s < 0x20 || *s == 0x7f)
            *s = '?';
}

__attribute__((format(printf, 2, 3))) static void complain(struct reader *r, const char *format,
                                                           ...)
{
    va_list args;

    if (r->failed)
        return;
    r->failed = true;
    va_start(args, format);
    (void)vsnprintf(r->message, r->message_len, format, args);
    va_end(args);
    make_printable(r->message);
}

/* "--flag", "GROUPS_CHAT_FLAG" or "file:line: flag": the name as its source spells it. */
static void spell(const struct reader *r, const char *flag, char *out, size_t out_len)
{
    switch (r->source) {
    case SOURCE_FILE:
        (void)snprintf(out, out_len, "%s:%u: %s", r->file, r->line, flag);
        return;
    case SOURCE_FLAG:
    case SOURCE_DEFAULT:
        (void)snprintf(out, out_len, "--%s", flag);
        return;
    case SOURCE_ENVIRONMENT:
        break;
    }
    (void)snprintf(out, out_len, ENV_PREFIX "%s", flag);
    for (char *p = out; *p != '\0'; p++)
        *p = *p == '-' ? '_' : (char)(*p >= 'a' && *p <= 'z' ? *p - 'a' + 'A' : *p);
}

/* Complains about the value of option `id`. */
__attribute__((format(printf, 3, 4))) static void complain_of(struct reader *r, int id,
                                                              const char *format, ...)
{
    char name[512];
    char text[256];
    va_list args;

    spell(r, options[id].flag, name, sizeof name);
    va_start(args, format);
    (void)vsnprintf(text, sizeof text, format, args);
    va_end(args);
    complain(r, "%s: %s", name, text);
}

/* Complains about a name that is none. `found` is it as it was spelt, `name` as a flag would be. */
static void complain_unknown(struct reader *r, const char *found, size_t found_len,
                             const char *name, size_t len)
{
    char where[512];
    const char *nearest = options[0].flag;
    unsigned least = near_distance(bytes_of(name, len), bytes_cstr(nearest));
    /* A file names options only; the environment knows --config as well, but no --help. */
    size_t others = r->source == SOURCE_FLAG ? OTHER_COUNT : r->source == SOURCE_ENVIRONMENT;

    for (size_t i = 0; i < OPTION_COUNT + others; i++) {
        const char *flag = i < OPTION_COUNT ? options[i].flag : other_flags[i - OPTION_COUNT];
        unsigned d = near_distance(bytes_of(name, len), bytes_cstr(flag));
        if (d < least) {
            least = d;
            nearest = flag;
        }
    }
    if (r->source == SOURCE_FILE) {
        complain(r, "%s:%u: %.*s is no option; the nearest is %s", r->file, r->line,
                 (int)(found_len < QUOTE_MAX ? found_len : QUOTE_MAX), found, nearest);
        return;
    }
    spell(r, nearest, where, sizeof where);
    complain(r, "%.*s is no option; the nearest is %s",
             (int)(found_len < QUOTE_MAX ? found_len : QUOTE_MAX), found, where);
}

/* Writes a size as a user would: 65536 as 64k. */
static const char *size_text(uint64_t size, char out[static 24])
{
    static const char units[] = {'\0', 'k', 'm', 'g', '\0'};
    size_t unit = 0;

    while (size != 0 && size % 1024 == 0 && unit < 3) {
        size /= 1024;
        unit++;
    }
    (void)snprintf(out, 24, "%llu%.1s", (unsigned long long)size, &units[unit]);
    return out;
}

/* Reads digits and, for a size, its unit. False where the text is something else or too large. */
static bool number_read(const char *s, bool size, uint64_t *out)
{
    uint64_t v = 0;
    unsigned shift = 0;

    if (*s < '0' || *s > '9')
        return false;
    for (; *s >= '0' && *s <= '9'; s++)
        if (__builtin_mul_overflow(v, 10u, &v) ||
            __builtin_add_overflow(v, (unsigned)(*s - '0'), &v))
            return false;
    if (size && *s != '\0') {
        const char *unit = strchr("kKmMgG", *s);
        if (unit == NULL)
            return false;
        shift = *unit == 'k' || *unit == 'K' ? 10 : *unit == 'm' || *unit == 'M' ? 20 : 30;
        s++;
    }
    if (*s != '\0' || v > UINT64_MAX >> shift)
        return false;
    *out = v << shift;
    return true;
}

static void set_number(struct reader *r, int id, const char *value, void *field)
{
    const struct option *o = &options[id];
    bool size = o->type == TYPE_SIZE;
    char low[24];
    char high[24];
    uint64_t v;

    if (number_read(value, size, &v) && v >= o->low && v <= o->high)
        memcpy(field, &v, sizeof v);
    else if (size)
        complain_of(r, id, "%.*s is no size from %s to %s (k, m and g are powers of 1024)",
                    QUOTE_MAX, value, size_text(o->low, low), size_text(o->high, high));
    else
        complain_of(r, id, "%.*s is no number from %llu to %llu", QUOTE_MAX, value,
                    (unsigned long long)o->low, (unsigned long long)o->high);
}

static void set_choice(struct reader *r, int id, const char *value, void *field)
{
    const char *words = choice_words(&options[id]);
    const char *word = words;
    size_t len = strlen(value);

    for (unsigned i = 0;; i++) {
        size_t n = strcspn(word, "|]");
        if (n == len && memcmp(word, value, n) == 0) {
            memcpy(field, &i, sizeof i);
            return;
        }
        if (word[n] != '|')
            break;
        word += n + 1;
    }
    complain_of(r, id, "%.*s is none of %.*s", QUOTE_MAX, value, (int)strcspn(words, "]"), words);
}

static void set_text(struct reader *r, int id, const char *value, char *field)
{
    const struct option *o = &options[id];
    size_t len = strlen(value);

    ENSURE(o->high < CONFIG_TEXT_MAX);
    if (len >= o->low && len <= o->high)
        memcpy(field, value, len + 1);
    else
        complain_of(r, id, "must be %llu to %llu bytes long", (unsigned long long)o->low,
                    (unsigned long long)o->high);
}

/* Puts `value` behind what the same source has said before. */
static void add_text(struct reader *r, int id, const char *value, char *field)
{
    char whole[2 * CONFIG_TEXT_MAX];

    if ((size_t)snprintf(whole, sizeof whole, "%s,%s", field, value) < sizeof whole)
        set_text(r, id, whole, field);
    else
        set_text(r, id, value, field); /* too long alone */
}

static bool has_control(const char *s)
{
    for (; *s != '\0'; s++)
        if ((unsigned char)*s < 0x20 || *s == 0x7f)
            return true;
    return false;
}

/* Takes a value from the source that is being read. */
static void set(struct reader *r, int id, const char *value)
{
    char *field = (char *)&r->config + options[id].offset;

    bool again = r->given[id] == r->source;

    if (again && options[id].type != TYPE_LIST) {
        complain_of(r, id, "is given twice");
        return;
    }
    r->given[id] = r->source;
    if (has_control(value)) {
        complain_of(r, id, "holds a control character");
        return;
    }
    switch (options[id].type) {
    case TYPE_TEXT:
        set_text(r, id, value, field);
        break;
    case TYPE_LIST:
        if (again)
            add_text(r, id, value, field);
        else
            set_text(r, id, value, field);
        break;
    case TYPE_COUNT:
    case TYPE_SIZE:
        set_number(r, id, value, field);
        break;
    case TYPE_CHOICE:
        set_choice(r, id, value, field);
        break;
    }
}

/* ---- the file ----------------------------------------------------------------------------- */

/* libinih has split a line. The return value would only tell it to count an error. */
static int on_pair(void *ctx, const char *section, const char *name, const char *value)
{
    struct reader *r = ctx;
    size_t len = strlen(name);
    int id = option_find(name, len);

    (void)section; /* lines that open one do not come here */
    if (id >= 0)
        set(r, id, value);
    else if (strcmp(name, "config") == 0)
        complain(r, "%s:%u: a file cannot name another", r->file, r->line);
    else
        complain_unknown(r, name, len, name, len);
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
        complain(r, "%s:%u: the line is longer than %d bytes", r->file, r->line, LINE_MAX_BYTES);
        return;
    }
    for (size_t i = 0; i < len; i++) {
        if (((unsigned char)p[i] < 0x20 && p[i] != '\t') || p[i] == 0x7f) {
            complain(r, "%s:%u: the line holds a control character", r->file, r->line);
            return;
        }
    }
    memcpy(line, p, len);
    line[len] = '\0';
    if (line[strspn(line, " \t")] == '[')
        complain(r, "%s:%u: there are no sections; write name = value", r->file, r->line);
    else if (ini_parse_string(line, on_pair, r) != 0)
        complain(r, "%s:%u: the line is not name = value", r->file, r->line);
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

static void read_file(struct reader *r)
{
    struct buf content = {0};

    r->source = SOURCE_FILE;
    ini_use_stack = false;
    ini_allow_realloc = false;
    ini_initial_alloc = LINE_MAX_BYTES + 3;
    ini_max_line = LINE_MAX_BYTES + 3;

    if (r->file[0] == '\0') {
        complain(r, "%s: names no file", r->file_by_flag ? "--config" : ENV_PREFIX "CONFIG");
    } else if (!slurp(r->file, &content)) {
        complain(r, "%s: %s", r->file, errno != 0 ? strerror(errno) : "is larger than 1 MiB");
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

/* ---- environment and arguments ------------------------------------------------------------ */

/* Takes one variable whose name starts with ENV_PREFIX into values, or as the file's name. */
static void read_variable(struct reader *r, const char *variable, const char **values)
{
    const char *name = variable + ENV_PREFIX_LEN;
    size_t len = strcspn(name, "=");
    char flag[QUOTE_MAX];
    size_t n = len < sizeof flag ? len : sizeof flag;

    /* What is written in lower case must not match, so it becomes something that is no flag. */
    for (size_t i = 0; i < n; i++)
        flag[i] = name[i] >= 'A' && name[i] <= 'Z'   ? (char)(name[i] - 'A' + 'a')
                  : name[i] == '_'                   ? '-'
                  : name[i] >= '0' && name[i] <= '9' ? name[i]
                                                     : '?';
    int id = n == len ? option_find(flag, n) : -1;
    const char *value = name[len] == '=' ? name + len + 1 : "";

    if (id >= 0 && values[id] != NULL)
        complain_of(r, id, "is given twice");
    else if (id >= 0)
        values[id] = value;
    else if (n == strlen("config") && len == n && memcmp(flag, "config", n) == 0)
        r->file = r->file_by_flag ? r->file : value;
    else
        complain_unknown(r, variable, ENV_PREFIX_LEN + len, flag, n);
}

static void read_environment(struct reader *r, char *const *environment, const char **values)
{
    r->source = SOURCE_ENVIRONMENT;
    for (; environment != NULL && *environment != NULL; environment++)
        if (strncmp(*environment, ENV_PREFIX, ENV_PREFIX_LEN) == 0)
            read_variable(r, *environment, values);
}

/* Keeps the value of a flag; those of a LIST are joined. */
static void keep_flag(struct reader *r, int id, const char *value, const char **values)
{
    struct buf *joined = &r->joined[id];

    if (options[id].type != TYPE_LIST) {
        if (values[id] != NULL)
            complain_of(r, id, "is given twice");
        values[id] = value;
        return;
    }
    if (joined->len > 0)
        joined->p[joined->len - 1] = ',';
    buf_add(joined, value, strlen(value) + 1);
    values[id] = (const char *)joined->p;
}

/* Takes the flag `word`, whose value may be the next word. True where it was used. */
static bool read_flag(struct reader *r, const char *word, const char *next, const char **values)
{
    const char *name = word + strspn(word, "-");
    size_t len = strcspn(name, "=");
    const char *value = name[len] == '=' ? name + len + 1 : NULL;
    bool is_flag = name == word + 2;
    bool is_file = is_flag && len == strlen("config") && memcmp(name, "config", len) == 0;
    int id = is_flag ? option_find(name, len) : -1;
    bool uses_next = false;

    if (name == word) {
        complain(r, "%.*s is no option; options start with --", QUOTE_MAX, word);
        return false;
    }
    if (is_flag && (strncmp(name, "help=", 5) == 0 || strncmp(name, "version=", 8) == 0)) {
        complain(r, "--%.*s: takes no value", (int)len, name);
        return false;
    }
    if (id < 0 && !is_file) {
        complain_unknown(r, word, (size_t)(name - word) + len, name, len);
        return false;
    }
    if (value == NULL && next != NULL && strncmp(next, "--", 2) != 0) {
        value = next;
        uses_next = true;
    }
    if (value == NULL) {
        complain(r, "--%.*s: needs a value", (int)len, name);
    } else if (is_file) {
        if (r->file_by_flag)
            complain(r, "--config: is given twice");
        r->file = value;
        r->file_by_flag = true;
    } else {
        keep_flag(r, id, value, values);
    }
    return uses_next;
}

static void read_flags(struct reader *r, int argc, char *const *argv, const char **values)
{
    r->source = SOURCE_FLAG;
    for (int i = 0; i < argc; i++)
        if (read_flag(r, argv[i], i + 1 < argc ? argv[i + 1] : NULL, values))
            i++;
}

static void apply(struct reader *r, enum source source, const char *const *values)
{
    r->source = source;
    for (int id = 0; id < OPTION_COUNT; id++)
        if (values[id] != NULL)
            set(r, id, values[id]);
}

/* ---- what the table cannot say ------------------------------------------------------------ */

/* The base of URLs goes into JSON and in front of a path: plain characters, no slash at its end. */
static bool url_normalise(char *url)
{
    size_t start = strncmp(url, "http://", 7) == 0 ? 7 : strncmp(url, "https://", 8) == 0 ? 8 : 0;
    size_t len = strlen(url);

    if (len == 0)
        return true;
    while (len > start && url[len - 1] == '/')
        url[--len] = '\0';
    if (start == 0 || len == start || url[start] == '/')
        return false;
    for (size_t i = start; i < len; i++)
        if (url[i] <= ' ' || url[i] > '~' || strchr("\"\\<>?#^`{|}", url[i]) != NULL)
            return false;
    return true;
}

static void check_together(struct reader *r)
{
    struct config *c = &r->config;

    if (c->password_min > c->password_max)
        complain(r, "password-min (%llu) is more than password-max (%llu)",
                 (unsigned long long)c->password_min, (unsigned long long)c->password_max);
    if (c->snapshot_after != 0 && c->snapshot_after < SNAPSHOT_AFTER_MIN)
        complain(r, "snapshot-after: is less than 64k, and not 0");
    if (!url_normalise(c->public_url))
        complain(r, "public-url: must be http://HOST or https://HOST, perhaps with a path");
}

enum config_result config_read(struct config *out, int argc, char *const *argv,
                               char *const *environment, char *message, size_t message_len)
{
    const char *defaults[OPTION_COUNT];
    const char *variables[OPTION_COUNT] = {NULL};
    const char *flags[OPTION_COUNT] = {NULL};

    ENSURE(message_len >= 1);
    for (int i = 0; i < argc; i++) {
        if (strcmp(argv[i], "--help") == 0)
            return CONFIG_HELP;
        if (strcmp(argv[i], "--version") == 0)
            return CONFIG_VERSION;
    }

    struct reader *r = xcalloc(1, sizeof *r);
    r->message = message;
    r->message_len = message_len;
    for (int id = 0; id < OPTION_COUNT; id++)
        defaults[id] = options[id].fallback;

    /* Names first, since they say which file there is; then values, the weakest source first. */
    read_flags(r, argc, argv, flags);
    read_environment(r, environment, variables);
    apply(r, SOURCE_DEFAULT, defaults);
    if (r->file != NULL && !r->failed)
        read_file(r);
    apply(r, SOURCE_ENVIRONMENT, variables);
    apply(r, SOURCE_FLAG, flags);
    check_together(r);

    enum config_result result = r->failed ? CONFIG_ERROR : CONFIG_OK;
    if (result == CONFIG_OK)
        *out = r->config;
    for (int id = 0; id < OPTION_COUNT; id++)
        buf_release(&r->joined[id]);
    free(r);
    return result;
}

/* ---- help --------------------------------------------------------------------------------- */

#define HELP_WIDTH  100
#define HELP_COLUMN 35

/* Prints words behind a label, broken at HELP_WIDTH and set in to HELP_COLUMN. */
static void print_entry(const char *label, const char *text, size_t text_len)
{
    int column = printf("  %-*s", HELP_COLUMN - 2, label);
    const char *end = text + text_len;
    bool first = true;

    while (text < end) {
        size_t n = 0;
        while (text + n < end && text[n] != ' ')
            n++;
        if (!first && column + 1 + (int)n > HELP_WIDTH) {
            (void)printf("\n%*s", HELP_COLUMN, "");
            column = HELP_COLUMN;
            first = true;
        }
        column += printf("%s%.*s", first ? "" : " ", (int)n, text);
        first = false;
        text += n + (text + n < end);
    }
    (void)putchar('\n');
}

static void print_option(const struct option *o)
{
    static const char *const placeholders[] = {
        [TYPE_TEXT] = "TEXT", [TYPE_LIST] = "TEXT", [TYPE_COUNT] = "NUMBER", [TYPE_SIZE] = "SIZE"};
    char label[64];
    struct buf text = {0};

    if (o->type == TYPE_CHOICE) {
        const char *words = choice_words(o);
        (void)snprintf(label, sizeof label, "--%s %.*s", o->flag, (int)strcspn(words, "]"), words);
        buf_add(&text, o->help, (size_t)(words - o->help) - 2);
    } else {
        (void)snprintf(label, sizeof label, "--%s %s", o->flag, placeholders[o->type]);
        buf_add_bytes(&text, bytes_cstr(o->help));
    }
    if (o->fallback[0] != '\0')
        buf_printf(&text, " [%s]", o->fallback);
    print_entry(label, (const char *)text.p, text.len);
    buf_release(&text);
}

void config_print_help(void)
{
    static const struct {
        const char *label;
        const char *text;
    } others[] = {
        {"--config FILE", "reads options from FILE, a line \"name = value\" each"},
        {"--help", "prints this"},
        {"--version", "prints the version"},
    };

    (void)printf("Options, each as --name VALUE or --name=VALUE, with its default in brackets.\n"
                 "A SIZE may end in k, m or g, powers of 1024.\n\n");
    for (int id = 0; id < OPTION_COUNT; id++)
        print_option(&options[id]);
    for (size_t i = 0; i < sizeof others / sizeof others[0]; i++)
        print_entry(others[i].label, others[i].text, strlen(others[i].text));
    (void)printf(
        "\nEach option is also an environment variable, in capitals with _ for - and "
        "GROUPS_CHAT_ before it\n"
        "(GROUPS_CHAT_SEGMENT_SIZE=64m; GROUPS_CHAT_CONFIG for --config), and a line of the "
        "file\n"
        "(segment-size = 64m; a line that starts with # or ; is a comment). The command "
        "line decides\n"
        "before the environment, that before the file, that before the default.\n");
}
