/*
 * The fault table: the nth system call fails, for every n, in every way; afterwards all that was
 * acknowledged is there, and nothing that failed with ERR_disk_full.
 */
#include "log/sys.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <errno.h>
#include <sched.h>

#include "base/crypto.h"
#include "base/diag.h"
#include "tests/unit/log/child.h"
#include "tests/unit/log/dir.h"

#define SEGMENT 65536
#define RECORDS 20

/* HALF: a write that takes half, and then the disk is full. */
enum fault { FAULT_ENOSPC, FAULT_EIO, FAULT_EINTR, FAULT_SHORT, FAULT_HALF };

static struct {
    enum fault kind;
    bool for_ever; /* until healed */
    int at;        /* which call fails; 0: none */
    atomic_int calls;
    atomic_bool hit;
    atomic_bool healed;
    atomic_int_least64_t clock;
} plan;

/* Does this call fail? Then errno is set. EINTR and short ones are for calls that are known to
 * give them. */
static bool faulty(bool interruptible, bool can_be_short)
{
    int n = atomic_fetch_add(&plan.calls, 1) + 1;
    if (plan.at == 0 || n < plan.at || (n > plan.at && (!plan.for_ever || plan.healed)))
        return false;
    if (plan.kind == FAULT_EINTR && !interruptible)
        return false;
    if ((plan.kind == FAULT_SHORT || plan.kind == FAULT_HALF) && !can_be_short)
        return false;
    plan.hit = true;
    errno = plan.kind == FAULT_EIO ? EIO : plan.kind == FAULT_EINTR ? EINTR : ENOSPC;
    return true;
}

static struct sys real;

static int f_open_at(int dir, const char *name, int flags, mode_t mode)
{
    return faulty(true, false) ? -1 : real.open_at(dir, name, flags, mode);
}

static int f_mkdir_at(int dir, const char *name, mode_t mode)
{
    return faulty(false, false) ? -1 : real.mkdir_at(dir, name, mode);
}

static DIR *f_open_list(int fd)
{
    return faulty(false, false) ? NULL : real.open_list(fd);
}

static int f_stat_fd(int fd, struct stat *st)
{
    return faulty(false, false) ? -1 : real.stat_fd(fd, st);
}

static ssize_t f_pread(int fd, void *p, size_t len, off_t offset)
{
    bool short_now = plan.kind == FAULT_SHORT && len > 1;
    if (plan.kind != FAULT_HALF && faulty(true, len > 1))
        return short_now ? real.pread(fd, p, len / 2, offset) : -1;
    return real.pread(fd, p, len, offset);
}

static ssize_t f_pwrite(int fd, const void *p, size_t len, off_t offset)
{
    /* The rest of a write that was halved comes next, and on the same thread. */
    static _Thread_local bool halved;
    if (halved) {
        halved = false;
        errno = ENOSPC;
        return -1;
    }
    bool part = (plan.kind == FAULT_SHORT || plan.kind == FAULT_HALF) && len > 1;
    if (faulty(true, len > 1)) {
        halved = plan.kind == FAULT_HALF;
        return part ? real.pwrite(fd, p, len / 2, offset) : -1;
    }
    return real.pwrite(fd, p, len, offset);
}

static int f_allocate(int fd, int mode, off_t offset, off_t len)
{
    return faulty(true, false) ? -1 : real.allocate(fd, mode, offset, len);
}

static int f_fdatasync(int fd)
{
    return faulty(true, false) ? -1 : real.fdatasync(fd);
}

static int f_fsync(int fd)
{
    return faulty(true, false) ? -1 : real.fsync(fd);
}

static int f_rename_at(int from_dir, const char *from, int to_dir, const char *to)
{
    return faulty(true, false) ? -1 : real.rename_at(from_dir, from, to_dir, to);
}

static int f_unlink_at(int dir, const char *name, int flags)
{
    return faulty(false, false) ? -1 : real.unlink_at(dir, name, flags);
}

static int f_eventfd(unsigned count, int flags)
{
    return faulty(false, false) ? -1 : real.eventfd(count, flags);
}

static int f_thread_start(pthread_t *thread, const pthread_attr_t *attr, void *(*run)(void *),
                          void *arg)
{
    return faulty(false, false) ? errno : real.thread_start(thread, attr, run, arg);
}

static int f_child_start(int keep_fd, int (*run)(void *arg), void *arg)
{
    return faulty(false, false) ? -1 : child_start_here(keep_fd, run, arg);
}

/* Every look at the clock is a second later, so that each question is a probe. */
static int64_t f_now_ms(void)
{
    return atomic_fetch_add(&plan.clock, 1000);
}

static void plan_set(enum fault kind, bool for_ever, int at)
{
    plan.kind = kind;
    plan.for_ever = for_ever;
    plan.at = at;
    plan.calls = 0;
    plan.hit = false;
    plan.healed = false;
    real = sys;
    sys.open_at = f_open_at;
    sys.mkdir_at = f_mkdir_at;
    sys.open_list = f_open_list;
    sys.stat_fd = f_stat_fd;
    sys.pread = f_pread;
    sys.pwrite = f_pwrite;
    sys.allocate = f_allocate;
    sys.fdatasync = f_fdatasync;
    sys.fsync = f_fsync;
    sys.rename_at = f_rename_at;
    sys.unlink_at = f_unlink_at;
    sys.eventfd = f_eventfd;
    sys.thread_start = f_thread_start;
    sys.now_ms = f_now_ms;
    child_here();
    sys.child_start = f_child_start;
}

static size_t count_descriptors(void)
{
    size_t count = 0;
    DIR *list = opendir("/proc/self/fd");
    assert_non_null(list);
    while (readdir(list))
        count++;
    closedir(list);
    return count;
}

/* Replays: the committed ones in order, then at most some whose fate was not known. */
static void check_replay(const struct data_dir *d, const struct seen *lived)
{
    struct seen s = {0};
    struct journal_report report;
    enum err e = dir_try(d, SEGMENT, &s, &report);
    if (e != ERR_ok)
        fail_msg("restart: %s: %s", err_code(e), report.damage);
    assert_true(s.count >= lived->count);
    for (size_t i = 0; i < lived->count; i++)
        assert_int_equal(s.records[i].id, lived->records[i].id);
    size_t unknown = 0;
    for (size_t i = lived->count; i < s.count; i++) {
        while (unknown < lived->failed && lived->failures[unknown].id != s.records[i].id)
            unknown++;
        assert_true(unknown < lived->failed);
        assert_int_equal(lived->failures[unknown].why, ERR_read_only);
    }
    journal_close(s.journal);
    seen_release(&s);
}

/* Proposes until it is taken or the journal is FAILED; heals the disk after some refusals. */
static enum err propose_patiently(struct seen *s, int id)
{
    enum err e;
    int refusals = 0;
    AWAIT_BY(plan.healed |= ++refusals > 20, (e = seen_try(s, id, 8000)) != ERR_disk_full);
    return e;
}

/* Makes a snapshot, or fails to: the journal goes on as before. */
static void snapshot(struct seen *s)
{
    bool harmless = plan.kind == FAULT_EINTR || plan.kind == FAULT_SHORT;
    int ended = s->ended.count;
    enum err e = journal_snapshot(s->journal);
    if (journal_state(s->journal) == JOURNAL_FAILED)
        assert_int_equal(e, ERR_read_only);
    else
        assert_true(e == ERR_ok || (e == ERR_io && !harmless) || e == ERR_refused);
    if (e != ERR_ok)
        return;
    AWAIT_BY(seen_turn(s), s->ended.count > ended);
    assert_true(s->ended.err == ERR_ok ||
                (!harmless && (s->ended.err == ERR_io || s->ended.err == ERR_disk_full)));
    assert_true((s->ended.err == ERR_ok) == (s->ended.why[0] == '\0'));
}

/* One life under the plan. False where it ended before the fault came. */
static bool live(const struct data_dir *d, struct files *crashed, struct seen *s)
{
    struct journal_report report;
    enum err e = dir_try(d, SEGMENT, s, &report);
    if (e != ERR_ok) {
        assert_true(e == ERR_io || e == ERR_disk_full);
        assert_string_not_equal(report.damage, "");
        assert_true(plan.kind != FAULT_EINTR && plan.kind != FAULT_SHORT);
    }
    for (int id = 1; id <= RECORDS && e == ERR_ok; id++) {
        e = propose_patiently(s, id);
        if (id % 3 == 0 && e == ERR_ok)
            seen_flush(s);
        if (id % 6 == 0)
            snapshot(s);
    }
    if (s->journal) {
        seen_flush(s);
        if (e == ERR_read_only)
            assert_int_equal(journal_state(s->journal), JOURNAL_FAILED);
        *crashed = dir_read(d);
        journal_close(s->journal);
    }
    if (plan.kind == FAULT_EINTR || plan.kind == FAULT_SHORT) {
        assert_int_equal(s->count, RECORDS);
        assert_int_equal(s->failed, 0);
    }
    return plan.hit;
}

static void every_nth_call(enum fault kind, bool for_ever)
{
    int missed = 0, hits = 0;
    diag_set_level(DIAG_ERROR + 1);
    /* Threads take turns as they like, so the number of calls differs a little from run to run. */
    for (int n = 1; missed < 40; n++) {
        struct data_dir d = dir_new();
        struct files crashed = {0};
        struct seen s = {0};
        size_t descriptors = count_descriptors();
        plan_set(kind, for_ever, n);
        bool hit = live(&d, &crashed, &s);
        sys_reset();
        hits += hit;
        missed = hit ? 0 : missed + 1;
        assert_int_equal(count_descriptors(), descriptors);
        if (hit) {
            /* After a clean end, and as if the process had died before it. */
            if (crashed.count > 0) {
                check_replay(&d, &s);
                dir_write(&d, &crashed);
            }
            check_replay(&d, &s);
        }
        files_free(&crashed);
        seen_release(&s);
        dir_free(&d);
    }
    diag_set_level(DIAG_INFO);
    assert_true(hits > 10);
}

static void no_room_once(void **state)
{
    (void)state;
    every_nth_call(FAULT_ENOSPC, false);
}

static void no_room_for_long(void **state)
{
    (void)state;
    every_nth_call(FAULT_ENOSPC, true);
}

static void an_error_once(void **state)
{
    (void)state;
    every_nth_call(FAULT_EIO, false);
}

static void errors_for_long(void **state)
{
    (void)state;
    every_nth_call(FAULT_EIO, true);
}

static void half_a_write(void **state)
{
    (void)state;
    every_nth_call(FAULT_HALF, false);
}

static void interrupted(void **state)
{
    (void)state;
    every_nth_call(FAULT_EINTR, false);
}

static void short_reads_and_writes(void **state)
{
    (void)state;
    every_nth_call(FAULT_SHORT, false);
}

int main(void)
{
    crypto_init();
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(no_room_once),           cmocka_unit_test(no_room_for_long),
        cmocka_unit_test(an_error_once),          cmocka_unit_test(errors_for_long),
        cmocka_unit_test(half_a_write),           cmocka_unit_test(interrupted),
        cmocka_unit_test(short_reads_and_writes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
