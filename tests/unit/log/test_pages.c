#include "log/pages.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "log/sys.h"

#define SIZE (8u << 20)

/* What the file should hold. */
static uint8_t expected[SIZE], found[SIZE], random_bytes[4u << 20];
static uint64_t random_state;

/* A test repeats exactly (xorshift64*). */
static uint64_t draw(uint64_t below)
{
    random_state ^= random_state >> 12;
    random_state ^= random_state << 25;
    random_state ^= random_state >> 27;
    return random_state * 0x2545f4914f6cdd1d % below;
}

/* Not in memory: there is no page cache to go past. */
static char dir_path[] = "/var/tmp/test-pages-XXXXXX";
static char file_path[sizeof dir_path + 8];

static int dir_make(void **state)
{
    (void)state;
    assert_non_null(mkdtemp(dir_path));
    snprintf(file_path, sizeof file_path, "%s/file", dir_path);
    return 0;
}

static int dir_remove(void **state)
{
    (void)state;
    unlink(file_path);
    return rmdir(dir_path);
}

static int open_zeros(bool direct)
{
    int dir = open(dir_path, O_RDONLY | O_DIRECTORY);
    assert_true(dir >= 0);
    int fd = pages_open_file(dir, "file", O_RDWR | O_CREAT | O_TRUNC, direct);
    assert_true(fd >= 0);
    close(dir);
    assert_int_equal(sys_write_zeros(fd, 0, SIZE), 0);
    memset(expected, 0, sizeof expected);
    return fd;
}

static void check(void)
{
    int fd = open(file_path, O_RDONLY);
    assert_true(fd >= 0);
    assert_int_equal(sys_read_full(fd, found, SIZE, 0), SIZE);
    struct stat st;
    assert_int_equal(fstat(fd, &st), 0);
    assert_int_equal(st.st_size, SIZE);
    close(fd);
    assert_memory_equal(found, expected, SIZE);
}

/* Lengths around the borders of sectors, pages and the buffer, and any others. */
static size_t draw_len(void)
{
    static const size_t borders[] = {1, 40, 511, 512, 4095, 4096, 4097, 1u << 20, (1u << 20) + 1};
    if (draw(4) == 0)
        return borders[draw(sizeof borders / sizeof borders[0])];
    return 1 + draw(draw(8) == 0 ? sizeof random_bytes : 5000);
}

/* Appends, clearings behind the end, and closing and going on, in any order: the file is what was
 * appended, then zeros. */
static void is_what_was_appended(bool direct)
{
    for (random_state = 1; random_state < 9;) {
        uint64_t next = random_state + 1;
        struct pages p = {.fd = -1};
        int fd = open_zeros(direct);
        assert_int_equal(pages_start(&p, fd, PAGE_LEN, SIZE), 0);
        for (;;) {
            size_t len = draw_len();
            if (len > p.size - p.at)
                break;
            uint64_t at = p.at, from = draw(sizeof random_bytes - len + 1);
            assert_int_equal(pages_append(&p, random_bytes + from, len), len);
            assert_int_equal(p.at, at + len);
            memcpy(expected + at, random_bytes + from, len);
            uint64_t room = p.size - p.at;
            if (draw(3) == 0)
                assert_int_equal(pages_clear(&p, draw(room + 1)), 0);
            if (draw(3) == 0)
                assert_int_equal(pages_start(&p, fd, p.at, SIZE), 0);
        }
        check();
        pages_release(&p);
        close(fd);
        random_state = next;
    }
}

static void past_the_page_cache(void **state)
{
    (void)state;
    is_what_was_appended(true);
}

static void through_the_page_cache(void **state)
{
    (void)state;
    is_what_was_appended(false);
}

static size_t full_after; /* bytes until the disk is full */

static ssize_t write_until_full(int fd, const void *p, size_t len, off_t at)
{
    if (full_after == 0) {
        errno = ENOSPC;
        return -1;
    }
    if (len > full_after)
        len = full_after;
    full_after -= len;
    return pwrite(fd, p, len, at);
}

/* For a failure behind each sector: what it says was written is there, clearing that leaves what
 * was there before, and the same append succeeds when there is room. */
static void a_failed_append_can_be_taken_back(void **state)
{
    (void)state;
    struct pages p = {.fd = -1};
    int fd = open_zeros(false);
    assert_int_equal(pages_start(&p, fd, PAGE_LEN, SIZE), 0);
    assert_int_equal(pages_append(&p, random_bytes, 5000), 5000);
    memcpy(expected + PAGE_LEN, random_bytes, 5000);
    uint64_t at = p.at;
    const uint8_t *bytes = random_bytes + 5000;
    const size_t len = 9000;
    size_t most = 0;
    sys.pwrite = write_until_full;
    for (size_t room = 0;; room += 512) {
        full_after = room;
        errno = 0;
        size_t n = pages_append(&p, bytes, len);
        if (n == len)
            break;
        assert_int_equal(errno, ENOSPC);
        assert_int_equal(p.at, at);
        assert_true(n <= room);
        assert_int_equal(sys_read_full(fd, found, n, at), n);
        assert_memory_equal(found, bytes, n);
        most = n;
        full_after = SIZE;
        assert_int_equal(pages_clear(&p, n), 0);
        check();
    }
    assert_true(most > 8000);
    /* Also where the room ended inside the padding. */
    assert_true(full_after == 0);
    assert_int_equal(p.at, at + len);
    memcpy(expected + at, bytes, len);
    check();
    sys_reset();
    pages_release(&p);
    close(fd);
}

static int opened_direct;

static int open_without_direct(int dir, const char *name, int flags, mode_t mode)
{
    opened_direct += (flags & O_DIRECT) != 0;
    if (flags & O_DIRECT) {
        errno = EINVAL;
        return -1;
    }
    return openat(dir, name, flags, mode);
}

static void a_file_system_without(void **state)
{
    (void)state;
    sys.open_at = open_without_direct;
    opened_direct = 0;
    int fd = open_zeros(true);
    assert_int_equal(opened_direct, 1);
    close(fd);
    sys_reset();
}

int main(void)
{
    random_state = 77;
    for (size_t i = 0; i < sizeof random_bytes; i++)
        random_bytes[i] = (uint8_t)(1 + draw(255));
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(past_the_page_cache),
        cmocka_unit_test(through_the_page_cache),
        cmocka_unit_test(a_failed_append_can_be_taken_back),
        cmocka_unit_test(a_file_system_without),
    };
    return cmocka_run_group_tests(tests, dir_make, dir_remove);
}
