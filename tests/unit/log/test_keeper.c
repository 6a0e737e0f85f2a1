/* Snapshots while the journal goes on, with real children; and what is deleted when. */
#include "log/keeper.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <errno.h>
#include <semaphore.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>

#include "base/crypto.h"
#include "base/diag.h"
#include "log/sys.h"
#include "tests/unit/log/kept.h"

/* Starts again, and finds all; `loaded` of them in a snapshot. */
static void restart(const struct data_dir *d, struct seen *s, size_t loaded)
{
    size_t count = s->count;
    journal_close(s->journal);
    seen_release(s);
    dir_start(d, SEGMENT, s);
    seen_check(s, 1, (int)count, false);
    assert_int_equal(s->loaded, loaded);
}

static void what_is_below_the_second_newest_goes(void **state)
{
    (void)state;
    struct data_dir d = dir_new();
    struct seen s = {0};
    dir_start(&d, SEGMENT, &s);
    assert_int_equal(journal_snapshot(s.journal), ERR_refused);
    add(&s, 10, 10000); /* six to a segment */
    assert_int_equal(journal_bytes_since_snapshot(s.journal), 10 * (10000 + FRAME_OVERHEAD));
    snapshot(&s);
    assert_int_equal(journal_bytes_since_snapshot(s.journal), 0);
    assert_int_equal(journal_snapshot(s.journal), ERR_refused);
    names_are(&d, "1.log 7.log 10.snap manifest");
    dir_put(&d, "00000000000000000001.log.torn-1", (const uint8_t *)"x", 1);
    dir_put(&d, "00000000000000000007.log.torn-1", (const uint8_t *)"x", 1);
    add(&s, 10, 10000);
    snapshot(&s);
    names_are(&d, "7.log 7.log.torn-1 10.snap 13.log 19.log 20.snap manifest");
    restart(&d, &s, 20);
    assert_int_equal(journal_bytes_since_snapshot(s.journal), 0);
    assert_int_equal(journal_snapshot(s.journal), ERR_refused);
    add(&s, 1, 10);
    assert_int_equal(journal_bytes_since_snapshot(s.journal), 10 + FRAME_OVERHEAD);
    restart(&d, &s, 20);
    assert_int_equal(journal_bytes_since_snapshot(s.journal), 10 + FRAME_OVERHEAD);
    snapshot(&s);
    names_are(&d, "19.log 20.snap 21.snap manifest");
    restart(&d, &s, 21);
    journal_close(s.journal);
    seen_release(&s);
    dir_free(&d);
}

static void a_damaged_one_is_passed_over(void **state)
{
    (void)state;
    struct data_dir d = dir_new();
    struct seen s = {0};
    struct journal_report report;
    dir_start(&d, SEGMENT, &s);
    add_snapshots(&s, 3);
    add(&s, 3, 100);
    journal_close(s.journal);
    seen_release(&s);
    names_are(&d, "19.log 20.snap 25.log 30.snap manifest");
    diag_set_level(DIAG_ERROR);
    flip(&d, "00000000000000000030.snap", 300);
    assert_int_equal(dir_try(&d, SEGMENT, &s, &report), ERR_ok);
    seen_check(&s, 1, 33, false);
    assert_int_equal(s.loaded, 20);
    assert_int_equal(s.resets, 1);
    assert_int_equal(report.snapshot_seq, 20);
    assert_int_equal(report.snapshot_records, 20);
    assert_int_equal(report.records, 13);
    assert_non_null(strstr(report.snapshot, "journal/00000000000000000030.snap, offset "));
    /* The next one leaves the good one behind it, and not the damaged. */
    add(&s, 10, 10000);
    snapshot(&s);
    names_are(&d, "19.log 20.snap 25.log 34.log 40.log 43.snap manifest");
    journal_close(s.journal);
    seen_release(&s);
    /* Without any, the journal is not whole. */
    flip(&d, "00000000000000000020.snap", 0);
    flip(&d, "00000000000000000043.snap", 200);
    assert_int_equal(dir_try(&d, SEGMENT, &s, &report), ERR_damaged);
    assert_int_equal(s.resets, 2);
    assert_non_null(strstr(report.damage, "records 1 to 18 are missing"));
    assert_non_null(strstr(report.damage, "00000000000000000043.snap"));
    assert_string_equal(report.damage_file, "00000000000000000019.log");
    seen_release(&s);
    diag_set_level(DIAG_INFO);
    dir_free(&d);
}

static void the_whole_journal_serves_where_no_snapshot_does(void **state)
{
    (void)state;
    struct data_dir d = dir_new();
    struct seen s = {0};
    struct journal_report report;
    dir_start(&d, SEGMENT, &s);
    add(&s, 10, 10000);
    snapshot(&s);
    add(&s, 1, 0);
    journal_close(s.journal);
    seen_release(&s);
    flip(&d, "00000000000000000010.snap", 128);
    diag_set_level(DIAG_ERROR);
    assert_int_equal(dir_try(&d, SEGMENT, &s, &report), ERR_ok);
    diag_set_level(DIAG_INFO);
    seen_check(&s, 1, 11, false);
    assert_int_equal(s.loaded, 0);
    assert_string_not_equal(report.snapshot, "");
    snapshot(&s);
    names_are(&d, "1.log 7.log 11.snap manifest");
    journal_close(s.journal);
    seen_release(&s);
    dir_free(&d);
}

static void refused(const struct data_dir *d, const char *file, const char *what)
{
    struct seen s = {0};
    struct journal_report report;
    assert_int_equal(dir_try(d, SEGMENT, &s, &report), ERR_damaged);
    assert_string_equal(report.damage_file, file);
    if (!strstr(report.damage, what))
        fail_msg("%s", report.damage);
    seen_release(&s);
}

/* Copies a file of one directory into another. */
static void copy(const struct files *from, const char *name, const struct data_dir *to)
{
    struct files f = *from;
    struct file *file = files_find(&f, name);
    assert_non_null(file);
    dir_put(to, name, file->p, file->len);
}

static void journal_and_snapshot_must_belong_together(void **state)
{
    (void)state;
    struct data_dir d = dir_new(), other = dir_new();
    struct seen s = {0};
    dir_start(&other, SEGMENT, &s);
    add(&s, 10, 10000);
    snapshot(&s);
    journal_close(s.journal);
    seen_release(&s);
    dir_start(&d, SEGMENT, &s);
    add(&s, 5, 10000);
    journal_close(s.journal);
    seen_release(&s);
    struct files short_one = dir_read(&d), others = dir_read(&other);
    /* Two histories: one journal, copied, goes on in two ways. */
    dir_start(&d, SEGMENT, &s);
    add(&s, 5, 10000);
    snapshot(&s);
    journal_close(s.journal);
    seen_release(&s);
    struct files ten = dir_read(&d);
    dir_write(&d, &short_one);
    dir_start(&d, SEGMENT, &s);
    add(&s, 5, 9999);
    journal_close(s.journal);
    seen_release(&s);
    copy(&ten, "00000000000000000010.snap", &d);
    refused(&d, "00000000000000000010.snap", "another history up to record 10");
    copy(&others, "00000000000000000010.snap", &d);
    refused(&d, "00000000000000000010.snap", "another journal");
    dir_write(&d, &ten);
    dir_put(&d, "00000000000000000009.snap", NULL, 0);
    dir_start(&d, SEGMENT, &s); /* what is behind a good one is nobody's */
    journal_close(s.journal);
    seen_release(&s);
    /* The journal must reach as far as its snapshot. */
    dir_write(&d, &short_one);
    copy(&ten, "00000000000000000010.snap", &d);
    refused(&d, "00000000000000000001.log", "knows record 10");
    int dir = dir_open(&d);
    assert_int_equal(unlinkat(dir, "manifest", 0), 0);
    refused(&d, "manifest", "missing beside a snapshot");
    dir_write(&d, &ten);
    assert_int_equal(unlinkat(dir, "00000000000000000001.log", 0), 0);
    dir_start(&d, SEGMENT, &s); /* not needed */
    journal_close(s.journal);
    seen_release(&s);
    assert_int_equal(unlinkat(dir, "00000000000000000007.log", 0), 0);
    refused(&d, "00000000000000000007.log", "which the manifest names");
    close(dir);
    files_free(&short_one);
    files_free(&others);
    files_free(&ten);
    dir_free(&d);
    dir_free(&other);
}

/* ---- a child that takes its time ---- */

/* In memory that the child shares. */
static struct meeting {
    sem_t saving, go_on;
    pid_t child;
    int open_descriptors;
    int priority;
    int dies_with; /* the signal at its parent's end */
} * meeting;

static void meeting_begin(void)
{
    meeting =
        mmap(NULL, sizeof *meeting, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    assert_true(meeting != MAP_FAILED);
    assert_int_equal(sem_init(&meeting->saving, 1, 0), 0);
    assert_int_equal(sem_init(&meeting->go_on, 1, 0), 0);
}

static void meeting_end(void)
{
    munmap(meeting, sizeof *meeting);
}

/* Says that it is there, then waits to be told, or killed. */
static void save_slowly(void *ctx, struct snapshot_writer *w)
{
    meeting->child = getpid();
    for (int fd = 3; fd < 1024; fd++)
        meeting->open_descriptors += fcntl(fd, F_GETFD) >= 0;
    meeting->priority = getpriority(PRIO_PROCESS, 0);
    prctl(PR_GET_PDEATHSIG, &meeting->dies_with);
    sem_post(&meeting->saving);
    await_as_child();
    while (sem_wait(&meeting->go_on) != 0)
        ;
    seen_on_save(ctx, w);
}

static void start_slowly(const struct data_dir *d, struct seen *s)
{
    struct journal_report report;
    struct journal_options o = dir_options(d, SEGMENT);
    struct journal_hooks hooks = seen_hooks(s);
    hooks.on_save = save_slowly;
    assert_int_equal(journal_open_files(&o, &hooks, &report, &s->journal), ERR_ok);
}

static void await_saving(void)
{
    AWAIT(sem_trywait(&meeting->saving) == 0);
}

static void the_loop_goes_on_meanwhile(void **state)
{
    (void)state;
    struct data_dir d = dir_new();
    struct seen s = {0};
    meeting_begin();
    start_slowly(&d, &s);
    add(&s, 3, 10);
    assert_int_equal(journal_snapshot(s.journal), ERR_ok);
    await_saving();
    assert_int_equal(journal_snapshot(s.journal), ERR_busy);
    add(&s, 10, 20000); /* three segments are filled */
    assert_int_equal(s.ended.count, 0);
    /* The journal's directory and the file: no connection is held open by a child. */
    assert_int_equal(meeting->open_descriptors, 2);
    int priority = getpriority(PRIO_PROCESS, 0) + 10;
    assert_int_equal(meeting->priority, priority < 19 ? priority : 19);
    assert_int_equal(meeting->dies_with, SIGKILL);
    sem_post(&meeting->go_on);
    AWAIT_BY(seen_turn(&s), s.ended.count > 0);
    assert_int_equal(s.ended.err, ERR_ok);
    assert_int_equal(s.ended.seq, 3);
    assert_int_equal(journal_bytes_since_snapshot(s.journal), 10 * (20000 + FRAME_OVERHEAD));
    restart(&d, &s, 3);
    journal_close(s.journal);
    seen_release(&s);
    meeting_end();
    dir_free(&d);
}

static void close_ends_the_child(void **state)
{
    (void)state;
    struct data_dir d = dir_new();
    struct seen s = {0};
    meeting_begin();
    start_slowly(&d, &s);
    add(&s, 3, 10);
    assert_int_equal(journal_snapshot(s.journal), ERR_ok);
    await_saving();
    seen_propose(&s, 4, 10);
    journal_close(s.journal);
    seen_check(&s, 1, 4, true);
    assert_int_equal(s.ended.count, 1);
    assert_int_equal(s.ended.err, ERR_shutting_down);
    assert_int_equal(kill(meeting->child, 0), -1);
    assert_int_equal(errno, ESRCH);
    names_are(&d, "1.log manifest");
    seen_release(&s);
    meeting_end();
    dir_free(&d);
}

/* Somebody started the server so that the system forgets children at once. */
static void children_that_nobody_waits_for(void **state)
{
    (void)state;
    struct data_dir d = dir_new();
    struct seen s = {0};
    signal(SIGCHLD, SIG_IGN);
    dir_start(&d, SEGMENT, &s);
    add(&s, 3, 10);
    snapshot(&s);
    restart(&d, &s, 3);
    journal_close(s.journal);
    signal(SIGCHLD, SIG_DFL);
    seen_release(&s);
    dir_free(&d);
}

static void a_child_that_dies_is_told(void **state)
{
    (void)state;
    struct data_dir d = dir_new();
    struct seen s = {0};
    meeting_begin();
    start_slowly(&d, &s);
    add(&s, 3, 10);
    uint64_t bytes = journal_bytes_since_snapshot(s.journal);
    assert_int_equal(journal_snapshot(s.journal), ERR_ok);
    await_saving();
    assert_int_equal(kill(meeting->child, SIGKILL), 0);
    AWAIT_BY(seen_turn(&s), s.ended.count > 0);
    assert_int_equal(s.ended.err, ERR_io);
    assert_non_null(strstr(s.ended.why, "was ended"));
    assert_int_equal(journal_bytes_since_snapshot(s.journal), bytes);
    names_are(&d, "1.log manifest");
    sem_post(&meeting->go_on);
    snapshot(&s);
    restart(&d, &s, 3);
    journal_close(s.journal);
    seen_release(&s);
    meeting_end();
    dir_free(&d);
}

/* ---- what waits for the journal's own sync ---- */

static atomic_int fail_syncs; /* of the disk thread */
static int (*real_fdatasync)(int fd);

static int fdatasync_fails(int fd)
{
    if (fail_syncs == 0)
        return real_fdatasync(fd);
    errno = EIO;
    return -1;
}

/* With --fsync off nothing is synced but for the snapshot; if that fails, it gets no name. */
static void never_ahead_of_the_journal(void **state)
{
    (void)state;
    struct data_dir d = dir_new();
    struct seen s = {0};
    struct journal_report report;
    struct journal_options o = dir_options(&d, SEGMENT);
    struct journal_hooks hooks = seen_hooks(&s);
    o.sync = JOURNAL_SYNC_OFF;
    assert_int_equal(journal_open_files(&o, &hooks, &report, &s.journal), ERR_ok);
    add(&s, 3, 10);
    snapshot(&s);
    add(&s, 3, 10);
    journal_close(s.journal);
    seen_release(&s);
    real_fdatasync = sys.fdatasync;
    sys.fdatasync = fdatasync_fails;
    diag_set_level(DIAG_ERROR + 1);
    assert_int_equal(journal_open_files(&o, &hooks, &report, &s.journal), ERR_ok);
    add(&s, 1, 10);
    fail_syncs = 1;
    assert_int_equal(journal_snapshot(s.journal), ERR_ok);
    AWAIT_BY(seen_turn(&s), s.ended.count > 0);
    assert_int_equal(s.ended.err, ERR_io);
    assert_non_null(strstr(s.ended.why, "the journal has failed"));
    AWAIT_BY(seen_turn(&s), journal_state(s.journal) == JOURNAL_FAILED);
    assert_int_equal(journal_snapshot(s.journal), ERR_read_only);
    names_are(&d, "1.log 3.snap manifest");
    journal_close(s.journal);
    sys_reset();
    diag_set_level(DIAG_INFO);
    seen_release(&s);
    dir_free(&d);
}

/* ---- a disk that does not give a snapshot back ---- */

static struct sys real;
static int snapshot_fd = -1;

static int open_at_noting(int dir, const char *name, int flags, mode_t mode)
{
    int fd = real.open_at(dir, name, flags, mode);
    if (strstr(name, ".snap"))
        snapshot_fd = fd;
    return fd;
}

static int close_noting(int fd)
{
    if (fd == snapshot_fd)
        snapshot_fd = -1;
    return real.close(fd);
}

static ssize_t pread_fails(int fd, void *p, size_t len, off_t offset)
{
    if (fd != snapshot_fd)
        return real.pread(fd, p, len, offset);
    errno = EIO;
    return -1;
}

/* The bytes may be well: nobody is told that the files were changed. */
static void a_failed_read_is_not_damage(void **state)
{
    (void)state;
    struct data_dir d = dir_new();
    struct seen s = {0};
    struct journal_report report;
    real = sys;
    sys.open_at = open_at_noting;
    sys.close = close_noting;
    sys.pread = pread_fails;
    /* Nothing reads a snapshot here but a start: the child proves its own under another name. */
    dir_start(&d, SEGMENT, &s);
    add(&s, 10, 10000);
    snapshot(&s);
    journal_close(s.journal);
    seen_release(&s);
    diag_set_level(DIAG_ERROR);
    assert_int_equal(dir_try(&d, SEGMENT, &s, &report), ERR_ok);
    diag_set_level(DIAG_INFO);
    seen_check(&s, 1, 10, false);
    assert_non_null(strstr(report.snapshot, "10.snap, offset 0: read failed: Input/output error"));
    add(&s, 1, 10);
    snapshot(&s);
    journal_close(s.journal);
    seen_release(&s);
    sys_reset();
    dir_start(&d, SEGMENT, &s);
    add_snapshots(&s, 2);
    journal_close(s.journal);
    seen_release(&s);
    sys.open_at = open_at_noting;
    sys.close = close_noting;
    sys.pread = pread_fails;
    assert_int_equal(dir_try(&d, SEGMENT, &s, &report), ERR_io);
    assert_non_null(strstr(report.damage, "Input/output error"));
    sys_reset();
    seen_release(&s);
    dir_start(&d, SEGMENT, &s);
    seen_check(&s, 1, 31, false);
    journal_close(s.journal);
    seen_release(&s);
    dir_free(&d);
}

/* What a start said of its progress. */
static struct {
    uint64_t snapshots, pieces;
    struct journal_progress last;
} progress;

static void on_progress(void *ctx, const struct journal_progress *p)
{
    const struct seen *s = ctx;
    assert_true(p->bytes <= p->size);
    if (p->segment == 0) {
        assert_int_equal(progress.pieces, 0);
        progress.snapshots++;
        return;
    }
    assert_true(p->segment >= progress.last.segment && p->segment <= p->segments);
    assert_true(p->records >= progress.last.records);
    assert_int_equal(p->records, s->count - s->loaded);
    progress.pieces++;
    progress.last = *p;
}

/* A start says how far it is: in the snapshot, then in each of the segments behind it. */
static void says_how_far_it_is(void **state)
{
    (void)state;
    struct data_dir d = dir_new();
    struct seen s = {0};
    struct journal_report report;
    dir_start(&d, SEGMENT, &s);
    add(&s, 12, 10000); /* six to a segment */
    snapshot(&s);
    add(&s, 18, 10000);
    journal_close(s.journal);
    seen_release(&s);

    struct journal_options o = dir_options(&d, SEGMENT);
    struct journal_hooks hooks = seen_hooks(&s);
    hooks.on_progress = on_progress;
    memset(&progress, 0, sizeof progress);
    assert_int_equal(journal_open_files(&o, &hooks, &report, &s.journal), ERR_ok);
    assert_int_equal(s.count, 30);
    assert_true(progress.snapshots >= 1);
    assert_true(progress.pieces >= progress.last.segments);
    assert_int_equal(progress.last.segment, progress.last.segments);
    assert_in_range(progress.last.segments, 3, 4);
    assert_int_equal(progress.last.size, SEGMENT);
    journal_close(s.journal);
    seen_release(&s);
    dir_free(&d);
}

int main(void)
{
    crypto_init();
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_below_the_second_newest_goes),
        cmocka_unit_test(a_damaged_one_is_passed_over),
        cmocka_unit_test(the_whole_journal_serves_where_no_snapshot_does),
        cmocka_unit_test(journal_and_snapshot_must_belong_together),
        cmocka_unit_test(the_loop_goes_on_meanwhile),
        cmocka_unit_test(close_ends_the_child),
        cmocka_unit_test(children_that_nobody_waits_for),
        cmocka_unit_test(a_child_that_dies_is_told),
        cmocka_unit_test(never_ahead_of_the_journal),
        cmocka_unit_test(a_failed_read_is_not_damage),
        cmocka_unit_test(says_how_far_it_is),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
