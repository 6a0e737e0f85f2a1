#include "unit.h"

#include <errno.h>
#include <pthread.h>

#include "base/diag.h"

static char out[200000];

/* The message of the only line in `out`: behind time and level, without the line end. */
static const char *only_message(const char *level)
{
    size_t len = strlen(out);
    assert_true(len > 0 && out[len - 1] == '\n');
    out[len - 1] = '\0';
    assert_null(strchr(out, '\n'));
    int year;
    int month;
    int day;
    int hour;
    int minute;
    int second;
    int milli;
    char word[16];
    int at = 0;
    int n = sscanf(out, "%4d-%2d-%2dT%2d:%2d:%2d.%3dZ %15s %n", &year, &month, &day, &hour, &minute,
                   &second, &milli, word, &at);
    assert_int_equal(n, 8);
    assert_true(year >= 2024);
    assert_string_equal(word, level);
    return out + at;
}

static void say_plain(void)
{
    diag_warn("%s has %d", "a file", 3);
}

static void test_time_level_message(void **state)
{
    (void)state;
    assert_int_equal(unit_in_child(say_plain, out, sizeof out), 0);
    assert_string_equal(only_message("warn"), "a file has 3");
}

static void say_hostile(void)
{
    diag_error("user %s",
               "a\nb\r\x1b[2J\x7f|\xc3\xa9|\xff\xc3|\xc2\x85|\xe2\x80\xae|\xe2\x80\xa8|");
}

static void test_control_and_invalid_bytes_are_quoted(void **state)
{
    (void)state;
    assert_int_equal(unit_in_child(say_hostile, out, sizeof out), 0);
    assert_string_equal(only_message("error"),
                        "user a\\x0ab\\x0d\\x1b[2J\\x7f|\xc3\xa9|\\xff\\xc3|\\xc2\\x85|"
                        "\\xe2\\x80\\xae|\\xe2\\x80\\xa8|");
}

static void say_at_each_level(void)
{
    diag_debug("one");
    diag_info("two");
    diag_set_level(DIAG_ERROR);
    diag_info("three");
    diag_warn("four");
    diag_error("five");
    diag_set_level(DIAG_DEBUG);
    diag_debug("six");
}

static void test_levels_below_are_dropped(void **state)
{
    (void)state;
    assert_int_equal(unit_in_child(say_at_each_level, out, sizeof out), 0);
    const char *wanted[] = {"info  two", "error five", "debug six"};
    char *rest = out;
    for (size_t i = 0; i < COUNT_OF(wanted); i++) {
        char *line = strsep(&rest, "\n");
        assert_non_null(line);
        assert_non_null(strstr(line, wanted[i]));
    }
    /* Behind the last line end. */
    assert_non_null(rest);
    assert_string_equal(rest, "");
}

static char text[10000];

static void say_long(void)
{
    diag_info("%s", text);
}

static void test_a_long_message_is_cut_and_stays_one_line(void **state)
{
    (void)state;
    /* Characters of two bytes, shifted by one: none may be cut in half. */
    for (int shift = 0; shift < 2; shift++) {
        memset(text, 'x', sizeof text);
        for (size_t i = (size_t)shift; i + 2 < sizeof text; i += 2)
            memcpy(text + i, "\xc3\xa9", 2);
        text[sizeof text - 1] = '\0';
        assert_int_equal(unit_in_child(say_long, out, sizeof out), 0);
        size_t len = strlen(out);
        assert_true(len > 4000 && len <= 4096);
        const char *message = only_message("info");
        size_t message_len = strlen(message);
        assert_string_equal(message + message_len - 3, "...");
        for (size_t i = (size_t)shift; i < message_len - 3; i += 2)
            assert_memory_equal(message + i, "\xc3\xa9", 2);
    }
    /* Control bytes only: four times as long. */
    memset(text, '\n', sizeof text - 1);
    assert_int_equal(unit_in_child(say_long, out, sizeof out), 0);
    assert_true(strlen(out) <= 4096);
    assert_non_null(strstr(only_message("info"), "\\x0a..."));
}

#define THREADS 4
#define LINES   200

static void *say_many(void *arg)
{
    for (int i = 0; i < LINES; i++)
        diag_info("thread %s line %d of these", (const char *)arg, i);
    return NULL;
}

static void say_from_threads(void)
{
    static char names[THREADS][101];
    pthread_t threads[THREADS];
    for (int t = 0; t < THREADS; t++) {
        memset(names[t], 'a' + t, sizeof names[t] - 1);
        if (pthread_create(&threads[t], NULL, say_many, names[t]) != 0)
            _exit(1);
    }
    for (int t = 0; t < THREADS; t++)
        pthread_join(threads[t], NULL);
}

static void test_lines_of_threads_do_not_mix(void **state)
{
    (void)state;
    assert_int_equal(unit_in_child(say_from_threads, out, sizeof out), 0);
    int next[THREADS] = {0};
    char *rest = NULL;
    for (char *line = strtok_r(out, "\n", &rest); line != NULL;
         line = strtok_r(NULL, "\n", &rest)) {
        const char *at = strstr(line, "thread ");
        assert_non_null(at);
        char name[128];
        int number = -1;
        int end = 0;
        assert_int_equal(sscanf(at, "thread %127s line %d of these%n", name, &number, &end), 2);
        assert_int_equal(strlen(at), end);
        int t = name[0] - 'a';
        assert_in_range(t, 0, THREADS - 1);
        assert_int_equal(strlen(name), 100);
        assert_int_equal(number, next[t]++);
    }
    for (int t = 0; t < THREADS; t++)
        assert_int_equal(next[t], LINES);
}

static void say_and_keep_errno(void)
{
    errno = ENOSPC;
    diag_info("x");
    if (errno != ENOSPC)
        _exit(1);
    close(STDERR_FILENO);
    diag_info("x");
    if (errno != ENOSPC)
        _exit(2);
}

static void test_errno_is_kept(void **state)
{
    (void)state;
    assert_int_equal(unit_in_child(say_and_keep_errno, out, sizeof out), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_time_level_message),
        cmocka_unit_test(test_control_and_invalid_bytes_are_quoted),
        cmocka_unit_test(test_levels_below_are_dropped),
        cmocka_unit_test(test_a_long_message_is_cut_and_stays_one_line),
        cmocka_unit_test(test_lines_of_threads_do_not_mix),
        cmocka_unit_test(test_errno_is_kept),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
