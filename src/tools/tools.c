#include "tools/tools.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/crypto.h"
#include "base/near.h"
#include "tools/out.h"

#define TOOL(id, name, summary) extern const struct tool tool_##id;
#include "tools/tool.def"
#undef TOOL

static const struct entry {
    const char *name;
    const char *summary;
    const struct tool *tool;
} entries[] = {
#define TOOL(id, name, summary) {name, summary, &tool_##id},
#include "tools/tool.def"
#undef TOOL
};

#define ENTRY_COUNT (sizeof entries / sizeof entries[0])

bool tools_named(int argc, char *const *argv)
{
    return argc > 0 && argv[0][0] != '-';
}

/* ---- help ---------------------------------------------------------------------------------- */

void tools_print_help(void)
{
    (void)printf("Tools, each with --help:\n\n");
    for (size_t i = 0; i < ENTRY_COUNT; i++)
        (void)printf("  %-16s %s\n", entries[i].name, entries[i].summary);
    (void)printf("\n");
}

static void print_flag(const char *name, const char *value, const char *help)
{
    char label[64];
    (void)snprintf(label, sizeof label, "--%s%s%s", name, value ? " " : "", value ? value : "");
    (void)printf("  %-18s %s\n", label, help);
}

static enum exit_code print_tool_help(const struct entry *e)
{
    const struct tool *t = e->tool;
    (void)printf("usage: groups-chat %s [OPTION]...%s%s\n\n%s\n", e->name, t->places[0] ? " " : "",
                 t->places, t->about);
    for (const struct tool_flag *f = t->flags; f->name; f++)
        print_flag(f->name, f->value, f->help);
    print_flag("json", NULL, "prints JSON instead of text");
    print_flag("help", NULL, "prints this");
    (void)printf("\nExit codes: 0 fine, 1 failed, 2 wrong usage, 3 damage.\n");
    return EXIT_FINE;
}

/* ---- the words of the command line --------------------------------------------------------- */

/* How many of the words name the entry: 0 where they do not. */
static int words_matched(const struct entry *e, int argc, char *const *argv)
{
    const char *at = e->name;
    for (int i = 0; i < argc; i++) {
        size_t len = strcspn(at, " ");
        if (strlen(argv[i]) != len || memcmp(argv[i], at, len) != 0)
            return 0;
        at += len;
        if (*at == '\0')
            return i + 1;
        at++;
    }
    return 0;
}

static bool is_prefix_word(const char *word)
{
    return strcmp(word, "journal") == 0;
}

__attribute__((format(printf, 1, 2))) static enum exit_code usage(const char *format, ...)
{
    char text[512];
    va_list args;
    va_start(args, format);
    (void)vsnprintf(text, sizeof text, format, args);
    va_end(args);
    return out_error(false, EXIT_USAGE, "%s", text);
}

/* Names the nearest tool: by its whole name or its last word. */
static enum exit_code unknown_tool(int argc, char *const *argv)
{
    char words[256];
    const char *nearest = entries[0].name;
    unsigned least = ~0u;
    bool two = is_prefix_word(argv[0]) && argc > 1 && argv[1][0] != '-';
    (void)snprintf(words, sizeof words, "%s%s%s", argv[0], two ? " " : "", two ? argv[1] : "");
    for (size_t i = 0; i < ENTRY_COUNT; i++) {
        const char *last = strrchr(entries[i].name, ' ');
        unsigned d = near_distance(bytes_cstr(words), bytes_cstr(entries[i].name));
        unsigned by_word = last ? near_distance(bytes_cstr(words), bytes_cstr(last + 1)) : least;
        d = by_word < d ? by_word : d;
        if (d < least) {
            least = d;
            nearest = entries[i].name;
        }
    }
    return usage("%.*s is no command; the nearest is %s", NEAR_MAX, words, nearest);
}

static enum exit_code unknown_flag(const struct tool *t, const char *word)
{
    const char *nearest = "help";
    struct bytes name = bytes_cstr(word + strspn(word, "-"));
    name.len = strcspn((const char *)name.p, "=");
    unsigned least = near_distance(name, bytes_cstr(nearest));
    unsigned d = near_distance(name, BYTES("json"));
    if (d < least) {
        least = d;
        nearest = "json";
    }
    for (const struct tool_flag *f = t->flags; f->name; f++) {
        d = near_distance(name, bytes_cstr(f->name));
        if (d < least) {
            least = d;
            nearest = f->name;
        }
    }
    return usage("%.*s is no option; the nearest is --%s", NEAR_MAX, word, nearest);
}

/* Takes one flag, whose value may be the next word. *used: how many words that were. */
static enum exit_code read_flag(const struct tool *t, struct tool_call *call, int argc,
                                char *const *argv, int *used)
{
    const char *name = argv[0] + 2;
    size_t len = strcspn(name, "=");
    *used = 1;
    if (strcmp(argv[0], "--json") == 0) {
        call->json = true;
        return EXIT_FINE;
    }
    for (unsigned i = 0; argv[0][1] == '-' && t->flags[i].name; i++) {
        const struct tool_flag *f = &t->flags[i];
        if (strlen(f->name) != len || memcmp(f->name, name, len) != 0)
            continue;
        if (call->values[i])
            return usage("%.*s is given twice", (int)len + 2, argv[0]);
        if (!f->value && name[len] == '=')
            return usage("%.*s takes no value", (int)len + 2, argv[0]);
        if (!f->value) {
            call->values[i] = "";
        } else if (name[len] == '=') {
            call->values[i] = name + len + 1;
        } else if (argc > 1) {
            call->values[i] = argv[1];
            *used = 2;
        } else {
            return usage("%.*s needs a value: %s", (int)len + 2, argv[0], f->value);
        }
        return EXIT_FINE;
    }
    return unknown_flag(t, argv[0]);
}

static enum exit_code read_words(const struct entry *e, struct tool_call *call, int argc,
                                 char *const *argv)
{
    unsigned places = 0;
    bool flags = true; /* "--" ends them */
    for (int i = 0; i < argc;) {
        int used = 1;
        if (flags && strcmp(argv[i], "--") == 0) {
            flags = false;
        } else if (flags && argv[i][0] == '-' && argv[i][1] != '\0') {
            enum exit_code code = read_flag(e->tool, call, argc - i, argv + i, &used);
            if (code != EXIT_FINE)
                return code;
        } else if (places == e->tool->place_count) {
            return usage("%.*s is one word too many for %s", NEAR_MAX, argv[i], e->name);
        } else if (argv[i][0] == '\0') {
            return usage("%s: an empty word is no directory", e->name);
        } else {
            call->places[places++] = argv[i];
        }
        i += used;
    }
    if (places < e->tool->place_count)
        return usage("%s needs %s", e->name, e->tool->places);
    return EXIT_FINE;
}

enum exit_code tools_run(int argc, char *const *argv)
{
    const struct entry *e = NULL;
    int words = 0;
    bool help = false;
    for (size_t i = 0; i < ENTRY_COUNT && !e; i++)
        if ((words = words_matched(&entries[i], argc, argv)) > 0)
            e = &entries[i];
    for (int i = words; i < argc && strcmp(argv[i], "--") != 0; i++)
        help = help || strcmp(argv[i], "--help") == 0;
    if (!e && is_prefix_word(argv[0]) && (help || argc == 1)) {
        tools_print_help();
        return help ? EXIT_FINE : EXIT_USAGE;
    }
    if (!e)
        return unknown_tool(argc, argv);
    if (help)
        return print_tool_help(e);
    struct tool_call call = {.name = e->name};
    enum exit_code code = read_words(e, &call, argc - words, argv + words);
    if (code != EXIT_FINE)
        return code;
    crypto_init();
    return out_end(e->tool->run(&call));
}
