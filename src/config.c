#include "config_inside.h"

#include <stdlib.h>
#include <string.h>

#include "base/ensure.h"

/* Less would write more snapshots than journal. */
#define SNAPSHOT_AFTER_MIN 65536u

/* ---- the table ---------------------------------------------------------------------------- */

const struct option config_options[OPTION_COUNT] = {
#define OPTION(type, field, flag, fallback, low, high, help)                                       \
    {TYPE_##type, flag, fallback, low, high, help, offsetof(struct config, field)},
#include "config.def"
#undef OPTION
};

int config_option_find(const char *name, size_t len)
{
    for (int i = 0; i < OPTION_COUNT; i++)
        if (strlen(config_options[i].flag) == len && memcmp(config_options[i].flag, name, len) == 0)
            return i;
    return -1;
}

const char *config_choice_words(const struct option *o)
{
    const char *bracket = strrchr(o->help, '[');
    ENSURE(bracket != NULL);
    return bracket + 1;
}

/* ---- environment and arguments ------------------------------------------------------------ */

/* Takes one variable whose name starts with CONFIG_ENV_PREFIX into values, or as the file's name.
 */
static void read_variable(struct reader *r, const char *variable, const char **values)
{
    const char *name = variable + CONFIG_ENV_PREFIX_LEN;
    size_t len = strcspn(name, "=");
    char flag[CONFIG_QUOTE_MAX];
    size_t n = len < sizeof flag ? len : sizeof flag;

    /* What is written in lower case must not match, so it becomes something that is no flag. */
    for (size_t i = 0; i < n; i++)
        flag[i] = name[i] >= 'A' && name[i] <= 'Z'   ? (char)(name[i] - 'A' + 'a')
                  : name[i] == '_'                   ? '-'
                  : name[i] >= '0' && name[i] <= '9' ? name[i]
                                                     : '?';
    int id = n == len ? config_option_find(flag, n) : -1;
    const char *value = name[len] == '=' ? name + len + 1 : "";

    if (id >= 0 && values[id] != NULL)
        config_complain_of(r, id, "is given twice");
    else if (id >= 0)
        values[id] = value;
    else if (n == strlen("config") && len == n && memcmp(flag, "config", n) == 0)
        r->file = r->file_by_flag ? r->file : value;
    else
        config_complain_unknown(r, variable, CONFIG_ENV_PREFIX_LEN + len, flag, n);
}

static void read_environment(struct reader *r, char *const *environment, const char **values)
{
    r->source = SOURCE_ENVIRONMENT;
    for (; environment != NULL && *environment != NULL; environment++)
        if (strncmp(*environment, CONFIG_ENV_PREFIX, CONFIG_ENV_PREFIX_LEN) == 0)
            read_variable(r, *environment, values);
}

/* Keeps the value of a flag; those of a LIST are joined. */
static void keep_flag(struct reader *r, int id, const char *value, const char **values)
{
    struct buf *joined = &r->joined[id];

    if (config_options[id].type != TYPE_LIST) {
        if (values[id] != NULL)
            config_complain_of(r, id, "is given twice");
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
    int id = is_flag ? config_option_find(name, len) : -1;
    bool uses_next = false;

    if (name == word) {
        config_complain(r, "%.*s is no option; options start with --", CONFIG_QUOTE_MAX, word);
        return false;
    }
    if (is_flag && (strncmp(name, "help=", 5) == 0 || strncmp(name, "version=", 8) == 0)) {
        config_complain(r, "--%.*s: takes no value", (int)len, name);
        return false;
    }
    if (id < 0 && !is_file) {
        config_complain_unknown(r, word, (size_t)(name - word) + len, name, len);
        return false;
    }
    if (value == NULL && next != NULL && strncmp(next, "--", 2) != 0) {
        value = next;
        uses_next = true;
    }
    if (value == NULL) {
        config_complain(r, "--%.*s: needs a value", (int)len, name);
    } else if (is_file) {
        if (r->file_by_flag)
            config_complain(r, "--config: is given twice");
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
            config_set(r, id, values[id]);
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
        config_complain(r, "password-min (%llu) is more than password-max (%llu)",
                        (unsigned long long)c->password_min, (unsigned long long)c->password_max);
    if (c->snapshot_after != 0 && c->snapshot_after < SNAPSHOT_AFTER_MIN)
        config_complain(r, "snapshot-after: is less than 64k, and not 0");
    if (!url_normalise(c->public_url))
        config_complain(r, "public-url: must be http://HOST or https://HOST, perhaps with a path");
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
        defaults[id] = config_options[id].fallback;

    /* Names first, since they say which file there is; then values, the weakest source first. */
    read_flags(r, argc, argv, flags);
    read_environment(r, environment, variables);
    apply(r, SOURCE_DEFAULT, defaults);
    if (r->file != NULL && !r->failed)
        config_read_file(r);
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
