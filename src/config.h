/*
 * config: the options, from one table (config.def): command line, then environment, then file,
 * then default. libinih reads the lines of the file.
 *
 * The file has a line `name = value` an option, names as the flags without their dashes. A line
 * that starts with ';' or '#' is a comment, and so is what follows " ;" behind a value. There are
 * no sections, no quotes and no continued lines.
 */
#ifndef CONFIG_H
#define CONFIG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define CONFIG_TEXT_MAX 4096

struct config {
#define CONFIG_FIELD_TEXT(name)                              char name[CONFIG_TEXT_MAX];
#define CONFIG_FIELD_LIST(name)                              char name[CONFIG_TEXT_MAX];
#define CONFIG_FIELD_COUNT(name)                             uint64_t name;
#define CONFIG_FIELD_SIZE(name)                              uint64_t name;
#define CONFIG_FIELD_CHOICE(name)                            unsigned name;
#define OPTION(type, field, flag, fallback, low, high, help) CONFIG_FIELD_##type(field)
#include "config.def"
#undef OPTION
#undef CONFIG_FIELD_TEXT
#undef CONFIG_FIELD_LIST
#undef CONFIG_FIELD_COUNT
#undef CONFIG_FIELD_SIZE
#undef CONFIG_FIELD_CHOICE
};

enum config_result { CONFIG_OK, CONFIG_HELP, CONFIG_VERSION, CONFIG_ERROR };

/*
 * Fills *out from the arguments argv[0..argc) (without the program's name: main passes argc - 1,
 * argv + 1), the environment (in the form of `environ`; NULL for none), the file of --config or
 * GROUPS_CHAT_CONFIG, and the defaults. Flags are --name VALUE or --name=VALUE; a VALUE that starts
 * with "--" needs the second form.
 *
 * CONFIG_HELP and CONFIG_VERSION where --help or --version is among the arguments, whatever else
 * is. CONFIG_ERROR: an unknown flag, GROUPS_CHAT_ variable or key, a word that is no option, an
 * option that one source names twice and that is no LIST, a value out of range or with a control
 * character, options that contradict each other, a file that cannot be read or has sections.
 * `message` then says in one printable line, NUL-terminated and cut to message_len (at least 1),
 * which and, for an unknown name, the nearest one there is. A value is checked even where another
 * source overrides it.
 *
 * *out is set only with CONFIG_OK. public_url then is "" or http(s)://... without a slash at its
 * end. Call it before there are other threads: libinih's settings are global.
 */
enum config_result config_read(struct config *out, int argc, char *const *argv,
                               char *const *environment, char *message, size_t message_len);

/* The options' part of --help, from the table, to stdout: what they are, where they may be given.
 */
void config_print_help(void);

#endif
