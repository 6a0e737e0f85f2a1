/* Whatever is asked for, in whatever order, the bytes are the file's. */
#include "log/window.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>
#include <errno.h>
#include <unistd.h>

#include "log/sys.h"

#define SIZE (3u << 20)

static uint8_t byte_at(uint64_t at)
{
    return (uint8_t)(at * 2654435761u >> 13);
}

static int make_file(size_t size)
{
    char path[] = "/tmp/test-window-XXXXXX";
    int fd = mkstemp(path);
    uint8_t *p = malloc(size + 1);
    assert_true(fd >= 0 && p);
    unlink(path);
    for (size_t i = 0; i < size; i++)
        p[i] = byte_at(i);
    assert_int_equal(write(fd, p, size), size);
    free(p);
    return fd;
}

static void check(struct window *w, uint64_t offset, size_t need)
{
    const uint8_t *p = NULL;
    size_t have = 0;
    assert_int_equal(window_at(w, offset, need, &p, &have), 0);
    assert_true(have >= need || have == w->size - offset);
    assert_true(have <= w->size - offset);
    for (size_t i = 0; i < need && i < have; i++)
        if (p[i] != byte_at(offset + i))
            fail_msg("offset %llu, byte %zu differs", (unsigned long long)offset, i);
}

static void any_order(void **state)
{
    (void)state;
    struct window w = {0};
    int large = make_file(SIZE), small = make_file(100);
    for (int round = 0; round < 2; round++) {
        window_open(&w, small, 100);
        check(&w, 0, 24);
        check(&w, 90, 24);
        check(&w, 100, 24);
        check(&w, 3, 97);
        window_open(&w, large, SIZE);
        for (uint64_t at = 0; at <= SIZE; at += 4099)
            check(&w, at, 5000);
        check(&w, SIZE, 1);
        check(&w, 5, SIZE); /* more than a window */
        check(&w, 5, 10);
        check(&w, SIZE - 10, 24);
        check(&w, 1000000, 70000);
        check(&w, 1000100, 70000);
    }
    close(large);
    close(small);
    window_release(&w);
    window_release(&w);
}

static int reads;

static void count_read(void *ctx)
{
    (void)ctx;
    reads++;
}

/* What it says to have, it finds where it is; and what it says not to have takes a read. */
static void says_what_it_has(void **state)
{
    (void)state;
    struct window w = {.on_read = count_read};
    int fd = make_file(SIZE);
    const uint8_t *p, *before = NULL;
    size_t have;
    int had = 0, had_not = 0;
    window_open(&w, fd, SIZE);
    assert_false(window_has(&w, 0, 1));
    for (uint64_t at = 0; at + 3000 <= SIZE; at += 1777) {
        bool has = window_has(&w, at, 3000);
        reads = 0;
        assert_int_equal(window_at(&w, at, 3000, &p, &have), 0);
        assert_int_equal(reads, has ? 0 : 1);
        assert_true(!has || p == before + 1777);
        before = p;
        had += has;
        had_not += !has;
    }
    assert_true(had > 1000 && had_not >= 3);
    assert_false(window_has(&w, 0, 1));
    close(fd);
    window_release(&w);
}

static ssize_t pread_fails(int fd, void *p, size_t len, off_t offset)
{
    (void)fd;
    (void)p;
    (void)len;
    (void)offset;
    errno = EACCES;
    return -1;
}

static void failures(void **state)
{
    (void)state;
    struct window w = {0};
    const uint8_t *p;
    size_t have;
    int fd = make_file(1000);
    window_open(&w, fd, 1001);
    assert_int_equal(window_at(&w, 500, 501, &p, &have), -1);
    assert_int_equal(errno, EIO);
    window_open(&w, fd, 1000);
    sys.pread = pread_fails;
    assert_int_equal(window_at(&w, 500, 1, &p, &have), -1);
    assert_int_equal(errno, EACCES);
    sys_reset();
    check(&w, 500, 1);
    close(fd);
    window_release(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(any_order),
        cmocka_unit_test(says_what_it_has),
        cmocka_unit_test(failures),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
