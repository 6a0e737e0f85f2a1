#include "base/read_file.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tests/await.h"

static char root[] = "/tmp/test_read_file_XXXXXX";
static char path[64], link_path[64];

static void write_text(const char *text, mode_t mode)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

    assert_true(fd >= 0);
    assert_int_equal(write(fd, text, strlen(text)), strlen(text));
    assert_int_equal(fchmod(fd, mode), 0);
    assert_int_equal(close(fd), 0);
}

static void assert_refused(const char *name, const char *expected)
{
    const char *why = NULL;
    mode_t mode;

    assert_int_equal(read_file_open(name, &mode, &why), -1);
    assert_string_equal(why, expected);
}

static void assert_holds(const char *name, const char *text, mode_t expected)
{
    const char *why = NULL;
    uint8_t bytes[16];
    mode_t mode = 0;
    int fd = read_file_open(name, &mode, &why);

    assert_true(fd >= 0);
    assert_int_equal(mode, expected);
    assert_true(fcntl(fd, F_GETFD) & FD_CLOEXEC);
    assert_int_equal(read_fully(fd, bytes, sizeof bytes), strlen(text));
    assert_memory_equal(bytes, text, strlen(text));
    assert_int_equal(read_fully(fd, bytes, sizeof bytes), 0);
    assert_int_equal(close(fd), 0);
}

static void what_is_there(void **state)
{
    (void)state;
    write_text("", 0600);
    assert_holds(path, "", 0600);
    write_text("a text", 0640);
    assert_holds(path, "a text", 0640);
    assert_holds(link_path, "a text", 0640);
}

static void no_more_than_wanted(void **state)
{
    const char *why;
    uint8_t bytes[4] = {0, 0, 0, 'x'};
    mode_t mode;

    (void)state;
    write_text("a text", 0600);
    int fd = read_file_open(path, &mode, &why);
    assert_int_equal(read_fully(fd, bytes, 3), 3);
    assert_memory_equal(bytes, "a tx", 4);
    assert_int_equal(close(fd), 0);
    assert_int_equal(read_fully(fd, bytes, 3), -1);
    assert_int_equal(errno, EBADF);
}

static void what_is_no_file(void **state)
{
    (void)state;
    assert_int_equal(unlink(path), 0);
    assert_refused(path, "is not there");
    assert_refused(link_path, "is not there");
    assert_refused(root, "is not a regular file");
    assert_refused("/dev/null", "is not a regular file");
    assert_refused("/dev/null/below", "cannot be opened");
    assert_int_equal(mkfifo(path, 0600), 0);
    assert_refused(path, "is not a regular file");
}

/* What comes in pieces is one text. */
static void from_a_pipe(void **state)
{
    int fds[2];
    uint8_t bytes[8];

    (void)state;
    assert_int_equal(pipe2(fds, O_CLOEXEC), 0);
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        await_as_child();
        for (const char *c = "abcdef"; *c != '\0'; c++)
            if (write(fds[1], c, 1) != 1)
                _exit(1);
        _exit(0);
    }
    assert_int_equal(close(fds[1]), 0);
    assert_int_equal(read_fully(fds[0], bytes, sizeof bytes), 6);
    assert_memory_equal(bytes, "abcdef", 6);
    assert_int_equal(close(fds[0]), 0);
    assert_int_equal(AWAIT_CHILD(child), 0);
}

static int set_up(void **state)
{
    (void)state;
    assert_non_null(mkdtemp(root));
    (void)snprintf(path, sizeof path, "%s/file", root);
    (void)snprintf(link_path, sizeof link_path, "%s/link", root);
    return symlink("file", link_path);
}

static int tear_down(void **state)
{
    (void)state;
    (void)unlink(path);
    (void)unlink(link_path);
    return rmdir(root);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_there),
        cmocka_unit_test(no_more_than_wanted),
        cmocka_unit_test(from_a_pipe),
        cmocka_unit_test(what_is_no_file),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
