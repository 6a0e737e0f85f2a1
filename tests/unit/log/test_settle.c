/*
 * What a start puts on disk before it goes on, since the process before may have died first: names
 * whose directory was not synced, and records that readers see but the disk may never have had.
 */
#include "log/journal.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <errno.h>
#include <sys/stat.h>

#include "base/crypto.h"
#include "log/sys.h"
#include "tests/unit/log/dir.h"

#define SEGMENT 65536

static struct sys real;
static struct stat journal_dir;

/* The calls of a start, in order: 'D' the journal's directory synced, 's' another file, 'w' one
 * written. */
static struct {
    char calls[256];
    size_t count;
    uint64_t from, to; /* the record that is looked for */
    bool rewritten;    /* all of it was written, with what it was */
    const uint8_t *was;
} started;

static void note(char call)
{
    if (started.count + 1 < sizeof started.calls)
        started.calls[started.count++] = call;
}

/* Is it the directory that holds the segments? A start syncs the one above too. */
static bool is_journal_dir(int fd)
{
    struct stat st;
    assert_int_equal(fstat(fd, &st), 0);
    return st.st_dev == journal_dir.st_dev && st.st_ino == journal_dir.st_ino;
}

static int noting_fsync(int fd)
{
    note(is_journal_dir(fd) ? 'D' : 's');
    return real.fsync(fd);
}

static int noting_fdatasync(int fd)
{
    note('s');
    return real.fdatasync(fd);
}

static ssize_t noting_pwrite(int fd, const void *p, size_t len, off_t offset)
{
    uint64_t at = (uint64_t)offset;
    note('w');
    if (started.was && at <= started.from && at + len >= started.to &&
        memcmp((const uint8_t *)p + (started.from - at), started.was + started.from,
               started.to - started.from) == 0)
        started.rewritten = true;
    return real.pwrite(fd, p, len, offset);
}

/* A journal of three batches, as a process leaves it that dies behind the last one's write. */
static struct files crashed(const struct data_dir *d)
{
    struct seen s = {0};
    dir_start(d, SEGMENT, &s);
    for (int id = 1; id <= 3; id++) {
        seen_propose(&s, id, 40);
        seen_flush(&s);
    }
    struct files f = dir_read(d);
    journal_close(s.journal);
    seen_release(&s);
    dir_empty(d);
    dir_write(d, &f);
    int dir = dir_open(d);
    assert_int_equal(fstat(dir, &journal_dir), 0);
    close(dir);
    return f;
}

/* Starts with the calls noted; what it did before the first proposal is in started. */
static void start_noting(const struct data_dir *d)
{
    struct seen s = {0};
    real = sys;
    sys.fsync = noting_fsync;
    sys.fdatasync = noting_fdatasync;
    sys.pwrite = noting_pwrite;
    dir_start(d, SEGMENT, &s);
    sys_reset();
    seen_check(&s, 1, 3, false);
    journal_close(s.journal);
    seen_release(&s);
}

/* A rename that nobody synced is undone by a loss of power: no record may be written to a file
 * whose name goes with it. */
static void names_are_on_disk_before_anything_is_written(void **state)
{
    (void)state;
    struct data_dir d = dir_new();
    struct files f = crashed(&d);
    memset(&started, 0, sizeof started);
    start_noting(&d);
    const char *directory = strchr(started.calls, 'D'), *write = strchr(started.calls, 'w');
    assert_non_null(directory);
    assert_true(write == NULL || directory < write);
    files_free(&f);
    dir_free(&d);
}

/* The last record was told whole by the page cache. Nothing says that it was ever synced, so it is
 * written again, as it was, and synced, before the next one says that all before it is on disk. */
static void what_nobody_saw_synced_is_written_again(void **state)
{
    (void)state;
    struct data_dir d = dir_new();
    struct files f = crashed(&d);
    struct file *last = files_last(&f);
    memset(&started, 0, sizeof started);
    /* Counted, not looked for: its last byte may be zero. */
    started.from = SEGMENT_HEADER_LEN + 2 * (FRAME_OVERHEAD + 40);
    started.to = started.from + FRAME_OVERHEAD + 40;
    started.was = last->p;
    start_noting(&d);
    assert_true(started.rewritten);
    const char *write = strchr(started.calls, 'w');
    assert_non_null(write);
    assert_non_null(strchr(write, 's'));
    files_free(&f);
    dir_free(&d);
}

/* Where a start cannot do it, it does not go on: a failed sync may have forgotten what it was for.
 */
static int failing_fsync(int fd)
{
    if (!is_journal_dir(fd))
        return real.fsync(fd);
    errno = EIO;
    return -1;
}

static void a_start_that_cannot_settle_the_names_ends(void **state)
{
    (void)state;
    struct data_dir d = dir_new();
    struct files f = crashed(&d);
    struct seen s = {0};
    struct journal_report report;
    real = sys;
    sys.fsync = failing_fsync;
    assert_int_equal(dir_try(&d, SEGMENT, &s, &report), ERR_io);
    sys_reset();
    assert_non_null(strstr(report.damage, "fsync"));
    seen_release(&s);
    files_free(&f);
    dir_free(&d);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(names_are_on_disk_before_anything_is_written),
        cmocka_unit_test(what_nobody_saw_synced_is_written_again),
        cmocka_unit_test(a_start_that_cannot_settle_the_names_ends),
    };
    crypto_init();
    return cmocka_run_group_tests_name("settle", tests, NULL, NULL);
}
