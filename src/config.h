/*
 * config: the options, from one table (config.def): command line, then environment, then file,
 * then default. libinih reads the file; this is its only user.
 */
#ifndef CONFIG_H
#define CONFIG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define CONFIG_TEXT_MAX 4096

struct config {
#define CONFIG_FIELD_TEXT(name) char name[CONFIG_TEXT_MAX];
#define CONFIG_FIELD_COUNT(name) uint64_t name;
#define CONFIG_FIELD_CHOICE(name) unsigned name;
#define OPTION(type, field, flag, fallback, low, high, help) CONFIG_FIELD_##type(field)
#include "config.def"
#undef OPTION
#undef CONFIG_FIELD_TEXT
#undef CONFIG_FIELD_COUNT
#undef CONFIG_FIELD_CHOICE
};

enum config_result { CONFIG_OK, CONFIG_HELP, CONFIG_VERSION, CONFIG_ERROR };

/*
 * Fills *out from the arguments behind the program's name, the environment (`environ` form), the
 * file of --config or GROUPS_CHAT_CONFIG, and the defaults. Flags are --name VALUE or --name=VALUE.
 * An unknown flag, GROUPS_CHAT_ variable or key, a value out of range, a repeated flag or a
 * word that is no option is CONFIG_ERROR, and `message` (NUL-terminated) says which and, for an unknown name, the nearest
 * one there is. CONFIG_HELP and CONFIG_VERSION where --help or --version is there.
 */
enum config_result config_read(struct config *out, int argc, char *const *argv,
                               char *const *environment, char *message, size_t message_len);

/* The text of --help, from the table, to stdout. */
void config_print_help(void);

#endif
