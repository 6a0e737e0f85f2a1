/* config_value: one value, its type and its bounds; and how a complaint is worded. */
#include "config_inside.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/ensure.h"

/* What is no option but may stand among the arguments. */
static const char *const other_flags[] = {"config", "help", "version"};
#define OTHER_COUNT (sizeof other_flags / sizeof other_flags[0])

/* Text from outside may be in a message: what could move the terminal's cursor becomes '?'. */
static void make_printable(char *s)
{
    for (; *s != '\0'; s++)
        if ((unsigned char)*s < 0x20 || *s == 0x7f)
            *s = '?';
}

__attribute__((format(printf, 2, 3))) void config_complain(struct reader *r, const char *format,
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
    (void)snprintf(out, out_len, CONFIG_ENV_PREFIX "%s", flag);
    for (char *p = out; *p != '\0'; p++)
        *p = *p == '-' ? '_' : (char)(*p >= 'a' && *p <= 'z' ? *p - 'a' + 'A' : *p);
}

__attribute__((format(printf, 3, 4))) void config_complain_of(struct reader *r, int id,
                                                              const char *format, ...)
{
    char name[512];
    char text[256];
    va_list args;

    spell(r, config_options[id].flag, name, sizeof name);
    va_start(args, format);
    (void)vsnprintf(text, sizeof text, format, args);
    va_end(args);
    config_complain(r, "%s: %s", name, text);
}

void config_complain_unknown(struct reader *r, const char *found, size_t found_len,
                             const char *name, size_t len)
{
    char where[512];
    const char *nearest = config_options[0].flag;
    unsigned least = near_distance(bytes_of(name, len), bytes_cstr(nearest));
    /* A file names options only; the environment knows --config as well, but no --help. */
    size_t others = r->source == SOURCE_FLAG ? OTHER_COUNT : r->source == SOURCE_ENVIRONMENT;

    for (size_t i = 0; i < OPTION_COUNT + others; i++) {
        const char *flag =
            i < OPTION_COUNT ? config_options[i].flag : other_flags[i - OPTION_COUNT];
        unsigned d = near_distance(bytes_of(name, len), bytes_cstr(flag));
        if (d < least) {
            least = d;
            nearest = flag;
        }
    }
    if (r->source == SOURCE_FILE) {
        config_complain(r, "%s:%u: %.*s is no option; the nearest is %s", r->file, r->line,
                        (int)(found_len < CONFIG_QUOTE_MAX ? found_len : CONFIG_QUOTE_MAX), found,
                        nearest);
        return;
    }
    spell(r, nearest, where, sizeof where);
    config_complain(r, "%.*s is no option; the nearest is %s",
                    (int)(found_len < CONFIG_QUOTE_MAX ? found_len : CONFIG_QUOTE_MAX), found,
                    where);
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
    const struct option *o = &config_options[id];
    bool size = o->type == TYPE_SIZE;
    char low[24];
    char high[24];
    uint64_t v;

    if (number_read(value, size, &v) && v >= o->low && v <= o->high)
        memcpy(field, &v, sizeof v);
    else if (size)
        config_complain_of(r, id, "%.*s is no size from %s to %s (k, m and g are powers of 1024)",
                           CONFIG_QUOTE_MAX, value, size_text(o->low, low),
                           size_text(o->high, high));
    else
        config_complain_of(r, id, "%.*s is no number from %llu to %llu", CONFIG_QUOTE_MAX, value,
                           (unsigned long long)o->low, (unsigned long long)o->high);
}

static void set_choice(struct reader *r, int id, const char *value, void *field)
{
    const char *words = config_choice_words(&config_options[id]);
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
    config_complain_of(r, id, "%.*s is none of %.*s", CONFIG_QUOTE_MAX, value,
                       (int)strcspn(words, "]"), words);
}

static void set_text(struct reader *r, int id, const char *value, char *field)
{
    const struct option *o = &config_options[id];
    size_t len = strlen(value);

    ENSURE(o->high < CONFIG_TEXT_MAX);
    if (len >= o->low && len <= o->high)
        memcpy(field, value, len + 1);
    else
        config_complain_of(r, id, "must be %llu to %llu bytes long", (unsigned long long)o->low,
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

void config_set(struct reader *r, int id, const char *value)
{
    char *field = (char *)&r->config + config_options[id].offset;

    bool again = r->given[id] == r->source;

    if (again && config_options[id].type != TYPE_LIST) {
        config_complain_of(r, id, "is given twice");
        return;
    }
    r->given[id] = r->source;
    if (has_control(value)) {
        config_complain_of(r, id, "holds a control character");
        return;
    }
    switch (config_options[id].type) {
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
