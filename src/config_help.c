/* config_help: what --help says of the options. */
#include "config_inside.h"

#include <stdio.h>
#include <string.h>

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
        const char *words = config_choice_words(o);
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
        print_option(&config_options[id]);
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
