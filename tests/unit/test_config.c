#include "config.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

static struct config config;
static char message[512];
static char file_path[64];

static int setup(void **state)
{
    (void)state;
    (void)snprintf(file_path, sizeof file_path, "/tmp/test-config-XXXXXX");
    int fd = mkstemp(file_path);
    return fd < 0 ? -1 : close(fd);
}

static int teardown(void **state)
{
    (void)state;
    return unlink(file_path);
}

static void put_file(const char *content, size_t len)
{
    FILE *f = fopen(file_path, "w");
    assert_non_null(f);
    assert_int_equal(fwrite(content, 1, len, f), len);
    assert_int_equal(fclose(f), 0);
}

/* Reads with these arguments and variables, both ended by NULL. */
static enum config_result read_with(const char *const *arguments, const char *const *variables)
{
    char *argv[32] = {0};
    char *env[32];
    int argc = 0;
    int n = 0;

    for (; arguments != NULL && arguments[argc] != NULL; argc++)
        argv[argc] = (char *)arguments[argc];
    for (; variables != NULL && variables[n] != NULL; n++)
        env[n] = (char *)variables[n];
    env[n] = NULL;
    memset(&config, 0xee, sizeof config);
    (void)strcpy(message, "nothing was said");
    enum config_result result = config_read(&config, argc, argv, env, message, sizeof message);

    /* *out is left alone unless all is well, and a message is one printable line. */
    if (result != CONFIG_OK)
        for (size_t i = 0; i < sizeof config; i++)
            assert_int_equal(((unsigned char *)&config)[i], 0xee);
    for (const char *p = message; *p != '\0'; p++)
        assert_true((unsigned char)*p >= 0x20 && *p != 0x7f);
    return result;
}

#define ARGUMENTS(...) ((const char *const[]){__VA_ARGS__, NULL})

static void check_flags(const char *const *arguments)
{
    if (read_with(arguments, NULL) != CONFIG_OK)
        fail_msg("%s", message);
}

static void check_flags_refused(const char *const *arguments, const char *expected)
{
    assert_int_equal(read_with(arguments, NULL), CONFIG_ERROR);
    assert_string_equal(message, expected);
}

static void check_variable_refused(const char *variable, const char *expected)
{
    assert_int_equal(read_with(NULL, ARGUMENTS("PATH=/bin", variable)), CONFIG_ERROR);
    assert_string_equal(message, expected);
}

static enum config_result read_file_of(const char *content, size_t len)
{
    put_file(content, len);
    return read_with(ARGUMENTS("--config", file_path), NULL);
}

static void check_file(const char *content)
{
    if (read_file_of(content, strlen(content)) != CONFIG_OK)
        fail_msg("%s", message);
}

/* `expected` is what follows the file's name. */
static void check_file_refused(const char *content, const char *expected)
{
    assert_int_equal(read_file_of(content, strlen(content)), CONFIG_ERROR);
    assert_memory_equal(message, file_path, strlen(file_path));
    assert_string_equal(message + strlen(file_path), expected);
}

/* ---- the table ---------------------------------------------------------------------------- */

/* A field, its flag and its limits belong together, in every line. */
static void test_table(void **state)
{
    (void)state;
    static const struct {
        const char *type, *field, *flag, *fallback, *help;
        uint64_t low, high;
    } lines[] = {
#define OPTION(type, field, flag, fallback, low, high, help)                                       \
    {#type, #field, flag, fallback, help, low, high},
#include "config.def"
#undef OPTION
    };

    for (size_t i = 0; i < sizeof lines / sizeof lines[0]; i++) {
        assert_int_equal(strlen(lines[i].field), strlen(lines[i].flag));
        for (size_t k = 0; lines[i].field[k] != '\0'; k++)
            assert_int_equal(lines[i].field[k] == '_' ? '-' : lines[i].field[k], lines[i].flag[k]);
        assert_true(strlen(lines[i].help) > 0);
        if (strcmp(lines[i].type, "CHOICE") == 0) {
            const char *words = strrchr(lines[i].help, '[');
            assert_non_null(words);
            assert_non_null(strstr(words, lines[i].fallback));
            assert_int_equal(lines[i].help[strlen(lines[i].help) - 1], ']');
            continue;
        }
        assert_true(lines[i].low < lines[i].high);
        if (strcmp(lines[i].type, "TEXT") == 0 || strcmp(lines[i].type, "LIST") == 0)
            assert_true(lines[i].high < CONFIG_TEXT_MAX);
    }
}

static void test_defaults(void **state)
{
    (void)state;
    check_flags(NULL);
    assert_string_equal(config.listen, "127.0.0.1:3000");
    assert_string_equal(config.data, "./data");
    assert_string_equal(config.public_url, "");
    assert_int_equal(config.fsync, 0);
    assert_int_equal(config.segment_size, 64 << 20);
    assert_int_equal(config.password_cost, 1);
    assert_int_equal(config.password_min, 1);
    assert_int_equal(config.head_max, 16384);
    assert_int_equal(config.token_days, 14);
    assert_int_equal(config.login_fail_address, 20);
    assert_int_equal(config_read(&config, 0, NULL, NULL, message, sizeof message), CONFIG_OK);
}

/* ---- flags -------------------------------------------------------------------------------- */

static void test_both_forms_of_a_flag(void **state)
{
    (void)state;
    check_flags(ARGUMENTS("--listen", "[::1]:0", "--data=/srv/chat", "--fsync=1s", "--token-days",
                          "7", "--segment-size=1g"));
    assert_string_equal(config.listen, "[::1]:0");
    assert_string_equal(config.data, "/srv/chat");
    assert_int_equal(config.fsync, 1);
    assert_int_equal(config.token_days, 7);
    assert_int_equal(config.segment_size, 1 << 30);
    check_flags(ARGUMENTS("--data=--odd", "--public-url="));
    assert_string_equal(config.data, "--odd");
    check_flags(ARGUMENTS("--data", "-", "--listen=a=b"));
    assert_string_equal(config.data, "-");
    assert_string_equal(config.listen, "a=b");
}

/* What one source says more than once is joined; a stronger source replaces the whole. */
static void test_lists(void **state)
{
    (void)state;
    const char *const *environment = ARGUMENTS("GROUPS_CHAT_ORIGIN=http://e,http://f");
    char long_one[4001];
    char flag[4100];

    check_flags(NULL);
    assert_string_equal(config.origin, "");
    check_flags(ARGUMENTS("--origin", "http://a", "--data=x", "--origin=http://b,http://c",
                          "--trusted-proxy", "::1", "--origin", ""));
    assert_string_equal(config.origin, "http://a,http://b,http://c,");
    assert_string_equal(config.trusted_proxy, "::1");

    assert_int_equal(read_with(NULL, environment), CONFIG_OK);
    assert_string_equal(config.origin, "http://e,http://f");
    assert_int_equal(read_with(ARGUMENTS("--origin=http://g"), environment), CONFIG_OK);
    assert_string_equal(config.origin, "http://g");

    static const char content[] = "origin = http://h\norigin = http://i\n";
    assert_int_equal(read_file_of(content, strlen(content)), CONFIG_OK);
    assert_string_equal(config.origin, "http://h,http://i");

    /* The limit is that of the whole. */
    memset(long_one, 'a', 4000);
    long_one[4000] = '\0';
    (void)snprintf(flag, sizeof flag, "--origin=%s", long_one);
    check_flags(ARGUMENTS(flag));
    check_flags_refused(ARGUMENTS(flag, "--origin="), "--origin: must be 0 to 4000 bytes long");
}

static void test_flags_refused(void **state)
{
    (void)state;
    check_flags_refused(ARGUMENTS("--listne", "x"),
                        "--listne is no option; the nearest is --listen");
    check_flags_refused(ARGUMENTS("--lsiten=x"), "--lsiten is no option; the nearest is --listen");
    check_flags_refused(ARGUMENTS("--user-group-max=1"),
                        "--user-group-max is no option; the nearest is --user-groups-max");
    check_flags_refused(ARGUMENTS("--conf=x"), "--conf is no option; the nearest is --config");
    check_flags_refused(ARGUMENTS("--versoin"), "--versoin is no option; the nearest is --version");
    check_flags_refused(ARGUMENTS("--token_days", "3"),
                        "--token_days is no option; the nearest is --token-days");
    check_flags_refused(ARGUMENTS("--Listen", "x"),
                        "--Listen is no option; the nearest is --listen");
    check_flags_refused(ARGUMENTS("-listen", "x"), "-listen is no option; the nearest is --listen");
    check_flags_refused(ARGUMENTS("---listen", "x"),
                        "---listen is no option; the nearest is --listen");
    check_flags_refused(ARGUMENTS("--a\nb"), "--a?b is no option; the nearest is --data");
    check_flags_refused(ARGUMENTS("serve"), "serve is no option; options start with --");
    check_flags_refused(ARGUMENTS(""), " is no option; options start with --");
    check_flags_refused(ARGUMENTS("--data", "a", "b"), "b is no option; options start with --");
    check_flags_refused(ARGUMENTS("--data"), "--data: needs a value");
    check_flags_refused(ARGUMENTS("--data", "--listen=:1"), "--data: needs a value");
    check_flags_refused(ARGUMENTS("--config"), "--config: needs a value");
    check_flags_refused(ARGUMENTS("--data=a", "--data=a"), "--data: is given twice");
    check_flags_refused(ARGUMENTS("--config=/dev/null", "--config=/dev/null"),
                        "--config: is given twice");
    check_flags_refused(ARGUMENTS("--config="), "--config: names no file");
    check_flags_refused(ARGUMENTS("--help=1"), "--help: takes no value");
    /* A word far longer than any name, and a message with hardly any room. */
    char word[5000];
    memset(word, 'x', sizeof word);
    memcpy(word, "--", 2);
    word[sizeof word - 1] = '\0';
    assert_int_equal(read_with(ARGUMENTS(word), NULL), CONFIG_ERROR);
    assert_non_null(strstr(message, "is no option; the nearest is --"));
    char *argv[] = {word};
    char small[4] = {'a', 'a', 'a', 'a'};
    assert_int_equal(config_read(&config, 1, argv, NULL, small, 3), CONFIG_ERROR);
    assert_memory_equal(small, "--\0a", 4);
}

static void test_help_and_version(void **state)
{
    (void)state;
    assert_int_equal(read_with(ARGUMENTS("--help"), NULL), CONFIG_HELP);
    assert_int_equal(read_with(ARGUMENTS("--version"), NULL), CONFIG_VERSION);
    assert_int_equal(read_with(ARGUMENTS("--nonsense", "--help"), NULL), CONFIG_HELP);
    assert_int_equal(read_with(ARGUMENTS("--data", "--version"), NULL), CONFIG_VERSION);
    assert_int_equal(read_with(ARGUMENTS("--help"), ARGUMENTS("GROUPS_CHAT_X=1")), CONFIG_HELP);
}

/* ---- values ------------------------------------------------------------------------------- */

static void test_sizes(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        uint64_t size;
    } good[] = {{"65536", 65536},          {"64k", 65536},   {"64K", 65536},
                {"1m", 1 << 20},           {"2M", 2 << 20},  {"4g", UINT64_C(4) << 30},
                {"4G", UINT64_C(4) << 30}, {"0064k", 65536}, {"4294967296", UINT64_C(4294967296)}};
    static const char *const bad[] = {"65535",
                                      "63k",
                                      "4294967297",
                                      "5g",
                                      "0",
                                      "",
                                      "k",
                                      "1kb",
                                      "1t",
                                      "64 k",
                                      " 64k",
                                      "64k ",
                                      "+64k",
                                      "-64k",
                                      "1.5m",
                                      "1e6",
                                      "0x10000",
                                      "17179869184g",
                                      "18446744073709551616",
                                      "18446744073709617152",
                                      "99999999999999999999999999"};

    for (size_t i = 0; i < sizeof good / sizeof good[0]; i++) {
        check_flags(ARGUMENTS("--segment-size", good[i].text));
        assert_true(config.segment_size == good[i].size);
    }
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        char expected[200];
        (void)snprintf(expected, sizeof expected,
                       "--segment-size: %s is no size from 64k to 4g (k, m and g are powers of "
                       "1024)",
                       bad[i]);
        check_flags_refused(ARGUMENTS("--segment-size", bad[i]), expected);
    }
}

static void test_counts(void **state)
{
    (void)state;
    check_flags(ARGUMENTS("--password-threads=1", "--send-rate=0"));
    assert_int_equal(config.password_threads, 1);
    assert_int_equal(config.send_rate, 0);
    check_flags(ARGUMENTS("--password-threads=16"));
    assert_int_equal(config.password_threads, 16);
    check_flags_refused(ARGUMENTS("--password-threads=0"),
                        "--password-threads: 0 is no number from 1 to 16");
    check_flags_refused(ARGUMENTS("--password-threads=17"),
                        "--password-threads: 17 is no number from 1 to 16");
    check_flags_refused(ARGUMENTS("--token-days", "1k"),
                        "--token-days: 1k is no number from 1 to 3650");
    check_flags_refused(ARGUMENTS("--token-days="), "--token-days:  is no number from 1 to 3650");
}

static void test_choices(void **state)
{
    (void)state;
    static const char *const words[] = {"always", "1s", "off"};

    for (unsigned i = 0; i < 3; i++) {
        check_flags(ARGUMENTS("--fsync", words[i]));
        assert_int_equal(config.fsync, i);
    }
    check_flags_refused(ARGUMENTS("--fsync=never"), "--fsync: never is none of always|1s|off");
    check_flags_refused(ARGUMENTS("--fsync=of"), "--fsync: of is none of always|1s|off");
    check_flags_refused(ARGUMENTS("--fsync=off]"), "--fsync: off] is none of always|1s|off");
    check_flags_refused(ARGUMENTS("--fsync=1s|off"), "--fsync: 1s|off is none of always|1s|off");
    check_flags_refused(ARGUMENTS("--fsync="), "--fsync:  is none of always|1s|off");
}

static void test_texts(void **state)
{
    (void)state;
    char longest[4002];

    memset(longest, 'd', sizeof longest);
    longest[4000] = '\0';
    check_flags(ARGUMENTS("--data", longest));
    assert_string_equal(config.data, longest);
    longest[4000] = 'd';
    longest[4001] = '\0';
    check_flags_refused(ARGUMENTS("--data", longest), "--data: must be 1 to 4000 bytes long");
    check_flags_refused(ARGUMENTS("--data="), "--data: must be 1 to 4000 bytes long");
    check_flags_refused(ARGUMENTS("--data", "a\nb"), "--data: holds a control character");
    check_flags_refused(ARGUMENTS("--data", "a\tb"), "--data: holds a control character");
    check_flags_refused(ARGUMENTS("--data", "\x7f"), "--data: holds a control character");
    check_flags_refused(ARGUMENTS("--fsync", "\x1b[2J"), "--fsync: holds a control character");
    check_flags(ARGUMENTS("--data", "/srv/\xc3\xa4 b"));
    assert_string_equal(config.data, "/srv/\xc3\xa4 b");
}

static void test_public_url(void **state)
{
    (void)state;
    static const char *const bad[] = {"chat.example.org", "ftp://chat",      "http://",
                                      "https:///",        "https:///x",      "http://a b",
                                      "http://a\"b",      "http://a?b",      "http://a#b",
                                      "HTTPS://a",        "https://\xc3\xa4"};

    check_flags(ARGUMENTS("--public-url=https://chat.example.org:8443/base//"));
    assert_string_equal(config.public_url, "https://chat.example.org:8443/base");
    check_flags(ARGUMENTS("--public-url", "http://[::1]:3000"));
    assert_string_equal(config.public_url, "http://[::1]:3000");
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        check_flags_refused(ARGUMENTS("--public-url", bad[i]),
                            "public-url: must be http://HOST or https://HOST, perhaps with a path");
}

static void test_passwords_together(void **state)
{
    (void)state;
    check_flags(ARGUMENTS("--password-min=8", "--password-max=8"));
    check_flags_refused(ARGUMENTS("--password-min=9", "--password-max=8"),
                        "password-min (9) is more than password-max (8)");
}

/* ---- environment and file ----------------------------------------------------------------- */

static void test_environment(void **state)
{
    (void)state;
    assert_int_equal(read_with(NULL, ARGUMENTS("HOME=/", "GROUPS_CHAT_TOKEN_DAYS=3",
                                               "GROUPS_CHATTER=1", "GROUPS_CHAT_FSYNC=off")),
                     CONFIG_OK);
    assert_int_equal(config.token_days, 3);
    assert_int_equal(config.fsync, 2);
    check_variable_refused("GROUPS_CHAT_TOKEN_DAY=3",
                           "GROUPS_CHAT_TOKEN_DAY is no option; the nearest is "
                           "GROUPS_CHAT_TOKEN_DAYS");
    check_variable_refused("GROUPS_CHAT_token_days=3",
                           "GROUPS_CHAT_token_days is no option; the nearest is "
                           "GROUPS_CHAT_TOKEN_DAYS");
    check_variable_refused("GROUPS_CHAT_TOKEN-DAYS=3",
                           "GROUPS_CHAT_TOKEN-DAYS is no option; the nearest is "
                           "GROUPS_CHAT_TOKEN_DAYS");
    check_variable_refused("GROUPS_CHAT_CONFIGS=x",
                           "GROUPS_CHAT_CONFIGS is no option; the nearest is GROUPS_CHAT_CONFIG");
    check_variable_refused("GROUPS_CHAT_FSYNC=never",
                           "GROUPS_CHAT_FSYNC: never is none of always|1s|off");
    check_variable_refused("GROUPS_CHAT_LISTEN=",
                           "GROUPS_CHAT_LISTEN: must be 3 to 255 bytes long");
    check_variable_refused("GROUPS_CHAT_DATA", "GROUPS_CHAT_DATA: must be 1 to 4000 bytes long");
    check_variable_refused("GROUPS_CHAT_DATA=a\rb", "GROUPS_CHAT_DATA: holds a control character");
    check_variable_refused("GROUPS_CHAT_CONFIG=", "GROUPS_CHAT_CONFIG: names no file");
    assert_int_equal(read_with(NULL, ARGUMENTS("GROUPS_CHAT_DATA=a", "GROUPS_CHAT_DATA=a")),
                     CONFIG_ERROR);
    assert_string_equal(message, "GROUPS_CHAT_DATA: is given twice");
    /* --help is asked for on the command line only. */
    assert_int_equal(read_with(NULL, ARGUMENTS("GROUPS_CHAT_HELP=1")), CONFIG_ERROR);
}

static void test_file(void **state)
{
    (void)state;
    check_file("# a comment\n"
               "; another\n"
               "\n"
               "   \t \n"
               "listen = 0.0.0.0:80\n"
               "  token-days=5   ; a remark\n"
               "data : /srv/a;b#c\r\n"
               "fsync=1s");
    assert_string_equal(config.listen, "0.0.0.0:80");
    assert_int_equal(config.token_days, 5);
    assert_string_equal(config.data, "/srv/a;b#c");
    assert_int_equal(config.fsync, 1);
    check_file("");
    check_file("\xef\xbb\xbftoken-days = 9\n");
    assert_int_equal(config.token_days, 9);
}

/* A line of more than libinih's 200 bytes is one line, up to the longest value and beyond. */
static void test_long_lines(void **state)
{
    (void)state;
    char content[20000];
    const size_t head = strlen("data = ");

    memset(content, 'd', sizeof content);
    memcpy(content, "data = ", head);
    memcpy(content + head + 4000, "\ntoken-days = 2\n", 17);
    check_file(content);
    assert_int_equal(strlen(config.data), 4000);
    assert_int_equal(config.token_days, 2);

    memset(content, 'd', sizeof content);
    memcpy(content, "data = ", head);
    content[12288] = '\0';
    check_file_refused(content, ":1: data: must be 1 to 4000 bytes long");
    content[12288] = 'd';
    content[12289] = '\0';
    check_file_refused(content, ":1: the line is longer than 12288 bytes");

    /* A comment of any length up to that is one. */
    memset(content, 'd', sizeof content);
    content[0] = '#';
    memcpy(content + 12288, "\ntoken-days = 2\n", 17);
    check_file(content);
    assert_int_equal(config.token_days, 2);
}

static void test_file_refused(void **state)
{
    (void)state;
    check_file_refused("\n\ntoken-dayz = 1\n", ":3: token-dayz is no option; the nearest is "
                                               "token-days");
    check_file_refused("--listen = a:1\n", ":1: --listen is no option; the nearest is listen");
    check_file_refused("help = 1\n", ":1: help is no option; the nearest is data");
    check_file_refused("config = other\n", ":1: a file cannot name another");
    check_file_refused("[server]\nlisten = a:1\n", ":1: there are no sections; write name = value");
    check_file_refused("listen = a:1\n [x\n", ":2: there are no sections; write name = value");
    check_file_refused("listen\n", ":1: the line is not name = value");
    check_file_refused("= 5\n", ":1:  is no option; the nearest is data");
    check_file_refused("token-days = 0\n", ":1: token-days: 0 is no number from 1 to 3650");
    check_file_refused("data = a\ndata = a\n", ":2: data: is given twice");
    check_file_refused("listen = a:1\n  b:2\n", ":2: b is no option; the nearest is data");
    check_file_refused("data = a\x01\n", ":1: the line holds a control character");
    check_file_refused("data = a\tb\n", ":1: data: holds a control character");
    check_file_refused("data = a\rb\n", ":1: the line holds a control character");
    assert_int_equal(read_file_of("data = a\0b\n", 11), CONFIG_ERROR);
    assert_non_null(strstr(message, ":1: the line holds a control character"));
}

static void test_file_cannot_be_read(void **state)
{
    (void)state;
    check_flags_refused(ARGUMENTS("--config=/nonexistent/file"),
                        "/nonexistent/file: No such file or directory");
    check_flags_refused(ARGUMENTS("--config", "/tmp"), "/tmp: Is a directory");

    size_t len = (1 << 20) + 1;
    char *content = malloc(len);
    assert_non_null(content);
    memset(content, '\n', len);
    assert_int_equal(read_file_of(content, len - 1), CONFIG_OK);
    assert_int_equal(read_file_of(content, len), CONFIG_ERROR);
    assert_string_equal(message + strlen(file_path), ": is larger than 1 MiB");
    free(content);
}

static void test_which_source_decides(void **state)
{
    (void)state;
    char variable[100];

    (void)snprintf(variable, sizeof variable, "GROUPS_CHAT_CONFIG=%s", file_path);
    put_file("data = file\ntoken-days = 2\nfsync = 1s\n", 38);
    assert_int_equal(
        read_with(ARGUMENTS("--data=flag"),
                  ARGUMENTS("GROUPS_CHAT_DATA=variable", "GROUPS_CHAT_TOKEN_DAYS=3", variable)),
        CONFIG_OK);
    assert_string_equal(config.data, "flag");
    assert_int_equal(config.token_days, 3);
    assert_int_equal(config.fsync, 1);
    assert_string_equal(config.listen, "127.0.0.1:3000");

    /* --config decides over GROUPS_CHAT_CONFIG, in whichever order they are seen. */
    assert_int_equal(read_with(ARGUMENTS("--config", file_path),
                               ARGUMENTS("GROUPS_CHAT_CONFIG=/nonexistent/file")),
                     CONFIG_OK);
    assert_int_equal(config.fsync, 1);

    /* A fault counts where another source overrides it, too. */
    put_file("token-days = 0\n", 15);
    assert_int_equal(read_with(ARGUMENTS("--config", file_path, "--token-days=1"), NULL),
                     CONFIG_ERROR);
}

/* ---- help --------------------------------------------------------------------------------- */

/* Runs config_print_help with stdout in the file, and returns what it printed. */
static char *help_text(void)
{
    assert_int_equal(fflush(stdout), 0);
    int kept = dup(STDOUT_FILENO);
    int fd = open(file_path, O_RDWR | O_CREAT | O_TRUNC, 0600);
    assert_true(kept >= 0 && fd >= 0);
    assert_true(dup2(fd, STDOUT_FILENO) >= 0);
    config_print_help();
    assert_int_equal(fflush(stdout), 0);
    assert_true(dup2(kept, STDOUT_FILENO) >= 0);
    (void)close(kept);

    off_t len = lseek(fd, 0, SEEK_END);
    assert_true(len > 0);
    char *text = calloc(1, (size_t)len + 1);
    assert_non_null(text);
    assert_int_equal(pread(fd, text, (size_t)len, 0), len);
    (void)close(fd);
    return text;
}

static void test_help_text(void **state)
{
    (void)state;
    static const char *const flags[] = {
#define OPTION(type, field, flag, fallback, low, high, help) "\n  --" flag " ",
#include "config.def"
#undef OPTION
        "\n  --config FILE ", "\n  --help ", "\n  --version ", "GROUPS_CHAT_SEGMENT_SIZE=64m"};
    char *text = help_text();

    for (size_t i = 0; i < sizeof flags / sizeof flags[0]; i++)
        assert_non_null(strstr(text, flags[i]));
    assert_non_null(strstr(text, "\n  --fsync always|1s|off "));
    assert_non_null(strstr(text, "[127.0.0.1:3000]"));
    assert_null(strstr(text, "[]"));
    assert_null(strstr(text, "[always|"));

    /* No line is too wide, none ends in a space, and the texts stand in one column. */
    char *rest;
    for (char *line = strtok_r(text, "\n", &rest); line != NULL;
         line = strtok_r(NULL, "\n", &rest)) {
        size_t len = strlen(line);
        assert_true(len <= 100 && line[len - 1] != ' ');
        if (line[0] == ' ') {
            assert_true(len > 35);
            assert_int_equal(line[34], ' ');
            assert_int_not_equal(line[35], ' ');
        }
    }
    free(text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_table),
        cmocka_unit_test(test_defaults),
        cmocka_unit_test(test_both_forms_of_a_flag),
        cmocka_unit_test(test_lists),
        cmocka_unit_test(test_flags_refused),
        cmocka_unit_test(test_help_and_version),
        cmocka_unit_test(test_sizes),
        cmocka_unit_test(test_counts),
        cmocka_unit_test(test_choices),
        cmocka_unit_test(test_texts),
        cmocka_unit_test(test_public_url),
        cmocka_unit_test(test_passwords_together),
        cmocka_unit_test(test_environment),
        cmocka_unit_test(test_file),
        cmocka_unit_test(test_long_lines),
        cmocka_unit_test(test_file_refused),
        cmocka_unit_test(test_file_cannot_be_read),
        cmocka_unit_test(test_which_source_decides),
        cmocka_unit_test(test_help_text),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
