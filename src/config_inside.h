/*
 * config_inside: what the parts of config share: the table, and a reading under way.
 *
 *   config.c        the table; arguments, environment, and which source decides
 *   config_value.c  one value: its type and bounds, and every complaint
 *   config_file.c   the file of --config
 *   config_help.c   --help
 */
#ifndef CONFIG_INSIDE_H
#define CONFIG_INSIDE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/near.h"
#include "config.h"

#define CONFIG_ENV_PREFIX     "GROUPS_CHAT_"
#define CONFIG_ENV_PREFIX_LEN (sizeof CONFIG_ENV_PREFIX - 1)

/* Bytes of a name or value that a message repeats. */
#define CONFIG_QUOTE_MAX NEAR_MAX

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

extern const struct option config_options[OPTION_COUNT];

/* The option of that name; -1: there is none. */
int config_option_find(const char *name, size_t len);

/* The words of a choice, "always|1s|off]": what follows the last bracket of its help. */
const char *config_choice_words(const struct option *o);

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

/* Keeps a complaint, cut and made printable, unless there is one. */
__attribute__((format(printf, 2, 3))) void config_complain(struct reader *r, const char *format,
                                                           ...);

/* Complains about the value of option `id`. */
__attribute__((format(printf, 3, 4))) void config_complain_of(struct reader *r, int id,
                                                              const char *format, ...);

/* Complains about a name that is none. `found` is it as it was spelt, `name` as a flag would be. */
void config_complain_unknown(struct reader *r, const char *found, size_t found_len,
                             const char *name, size_t len);

/* Takes a value from the source that is being read. */
void config_set(struct reader *r, int id, const char *value);

/* Reads the file that r->file names. libinih's settings are global. */
void config_read_file(struct reader *r);

#endif
