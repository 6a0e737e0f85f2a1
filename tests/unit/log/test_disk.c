/* The disk thread: what a batch costs, and what happens when the disk is slow, full or broken. */
#include "log/disk.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <errno.h>

#include "base/crypto.h"
#include "base/diag.h"
#include "log/sys.h"
#include "tests/unit/log/dir.h"

static struct {
    struct sys real;
    atomic_int writes, syncs, wakes, woken, unwakes, waits;
    atomic_int unwake_after; /* so many syncs, and what follows them, come before the unwake */
    atomic_int fail_syncs;   /* so many more fail */
    atomic_int fail_writes;  /* with ENOSPC */
    atomic_int_least64_t clock;
    pthread_mutex_t gate;      /* held: the disk is stuck in its sync */
    pthread_mutex_t wake_gate; /* held: the disk is stuck before it wakes the loop */
} spy = {.gate = PTHREAD_MUTEX_INITIALIZER, .wake_gate = PTHREAD_MUTEX_INITIALIZER};

static bool take_one(atomic_int *n)
{
    if (atomic_load(n) == 0)
        return false;
    atomic_fetch_sub(n, 1);
    return true;
}

static ssize_t spy_pwrite(int fd, const void *p, size_t len, off_t offset)
{
    ssize_t result = take_one(&spy.fail_writes) ? -1 : spy.real.pwrite(fd, p, len, offset);
    spy.writes++; /* last, as in spy_fdatasync */
    errno = ENOSPC;
    return result;
}

static int spy_fdatasync(int fd)
{
    pthread_mutex_lock(&spy.gate);
    pthread_mutex_unlock(&spy.gate);
    int result = take_one(&spy.fail_syncs) ? -1 : spy.real.fdatasync(fd);
    /* Counted last: who waits for the count may then say how the next one ends. */
    spy.syncs++;
    errno = EIO;
    return result;
}

static int spy_wake(int fd)
{
    pthread_mutex_lock(&spy.wake_gate);
    pthread_mutex_unlock(&spy.wake_gate);
    spy.wakes++; /* first: who is woken may look at once */
    int result = spy.real.wake(fd);
    spy.woken++;
    return result;
}

static int spy_unwake(int fd)
{
    spy.unwakes++;
    AWAIT(spy.syncs >= spy.unwake_after);
    /* The batch is given right behind its sync, which nothing here can see: it is likely by now,
     * and the test holds where it is not. */
    for (int i = 0; i < 20 && spy.unwake_after > 0; i++)
        sched_yield();
    return spy.real.unwake(fd);
}

static int64_t spy_now_ms(void)
{
    return spy.clock;
}

/* The second passes at once. */
static int spy_wait_until(pthread_cond_t *cond, pthread_mutex_t *lock, const struct timespec *when)
{
    (void)cond;
    (void)lock;
    spy.waits++;
    spy.clock = (int64_t)when->tv_sec * 1000 + when->tv_nsec / 1000000;
    return ETIMEDOUT;
}

static void spy_on(void)
{
    spy.real = sys;
    spy.writes = spy.syncs = spy.wakes = spy.unwakes = spy.waits = 0;
    spy.fail_syncs = spy.fail_writes = spy.unwake_after = 0;
    spy.clock = 1;
    sys.pwrite = spy_pwrite;
    sys.fdatasync = spy_fdatasync;
    sys.wake = spy_wake;
    sys.unwake = spy_unwake;
    sys.now_ms = spy_now_ms;
    sys.wait_until = spy_wait_until;
    diag_set_level(DIAG_ERROR + 1);
}

static void spy_off(void)
{
    sys_reset();
    diag_set_level(DIAG_INFO);
}

static void a_batch_costs_one_of_each(void **state)
{
    (void)state;
    struct data_dir d = dir_new();
    struct seen s = {0};
    dir_start(&d, 0, &s);
    journal_close(s.journal);
    spy_on();
    dir_start(&d, 0, &s);
    int id = 1;
    for (int batch = 1; batch <= 5; batch++) {
        spy.writes = spy.syncs = spy.wakes = spy.unwakes = 0;
        for (int i = 0; i < 100; i++)
            seen_propose(&s, id++, 200);
        journal_submit(s.journal);
        journal_submit(s.journal); /* nothing more to hand over */
        seen_turn(&s);
        assert_int_equal(journal_pending(s.journal), 0);
        assert_int_equal(spy.writes, 1);
        assert_int_equal(spy.syncs, 1);
        assert_int_equal(spy.wakes, 1);
        assert_int_equal(spy.unwakes, 1);
    }
    journal_close(s.journal);
    spy_off();
    seen_release(&s);
    dir_free(&d);
}

static void what_comes_meanwhile_is_one_batch(void **state)
{
    (void)state;
    struct data_dir d = dir_new();
    struct seen s = {0};
    dir_start(&d, 0, &s);
    journal_close(s.journal);
    spy_on();
    dir_start(&d, 0, &s);
    spy.writes = 0;
    pthread_mutex_lock(&spy.gate);
    seen_propose(&s, 1, 10);
    journal_submit(s.journal);
    AWAIT(spy.writes > 0);
    /* The disk is in the sync of the first; ten turns of the loop go by. */
    for (int id = 2; id <= 11; id++) {
        seen_propose(&s, id, 10);
        journal_submit(s.journal);
        journal_dispatch(s.journal, JOURNAL_ALL);
        assert_int_equal(s.count, 0);
    }
    assert_int_equal(journal_pending(s.journal), 11);
    pthread_mutex_unlock(&spy.gate);
    seen_flush(&s);
    seen_check(&s, 1, 11, true);
    assert_int_equal(spy.writes, 2);
    journal_close(s.journal);
    spy_off();
    seen_release(&s);
    dir_free(&d);
}

static bool readable(const struct seen *s)
{
    struct pollfd p = {.fd = journal_fd(s->journal), .events = POLLIN};
    return poll(&p, 1, 0) == 1;
}

/* The loop looks, for a reason of its own, between the end of a batch and the wake. */
static void a_late_wake_is_taken_back(void **state)
{
    (void)state;
    struct data_dir d = dir_new();
    struct seen s = {0};
    spy_on();
    dir_start(&d, 0, &s);
    spy.woken = 0;
    pthread_mutex_lock(&spy.wake_gate);
    seen_propose(&s, 1, 10);
    journal_submit(s.journal);
    AWAIT_BY(journal_dispatch(s.journal, JOURNAL_ALL), s.count > 0);
    assert_false(readable(&s));
    pthread_mutex_unlock(&spy.wake_gate);
    AWAIT(spy.woken > 0);
    assert_true(readable(&s));
    journal_dispatch(s.journal, JOURNAL_ALL);
    assert_false(readable(&s));
    /* The same for the end of a snapshot, which is taken behind the batch of the same look. */
    assert_int_equal(journal_snapshot(s.journal), ERR_ok);
    AWAIT_BY(seen_turn(&s), s.ended.count > 0);
    journal_dispatch(s.journal, JOURNAL_ALL);
    assert_false(readable(&s));
    journal_close(s.journal);
    spy_off();
    seen_release(&s);
    dir_free(&d);
}

/* A batch that is given while the loop takes the wake of the one before is taken, too, or the loop
 * is woken again. */
static void no_wake_is_lost(void **state)
{
    (void)state;
    struct data_dir d = dir_new();
    struct seen s = {0};
    spy_on();
    dir_start(&d, 0, &s);
    for (int id = 1; id < 100; id += 2) {
        spy.syncs = 0;
        seen_propose(&s, id, 10);
        journal_submit(s.journal);
        AWAIT_READABLE(journal_fd(s.journal));
        /* That may have been the wake of a batch which the last round took before it came: only
         * behind the first sync is the second record a batch of its own. */
        AWAIT(spy.syncs > 0);
        seen_propose(&s, id + 1, 10);
        journal_submit(s.journal);
        spy.unwake_after = 2;
        journal_dispatch(s.journal, JOURNAL_ALL);
        spy.unwake_after = 0;
        /* Where it was not given yet, the wake comes with it; a lost one would not come. */
        if (s.count == (size_t)id)
            AWAIT_READABLE(journal_fd(s.journal));
        seen_flush(&s);
    }
    journal_close(s.journal);
    spy_off();
    seen_release(&s);
    dir_free(&d);
}

static void a_full_queue_is_busy(void **state)
{
    (void)state;
    struct data_dir d = dir_new();
    struct seen s = {0};
    struct journal_report report;
    struct journal_options o = dir_options(&d, 0);
    struct journal_hooks hooks = seen_hooks(&s);
    o.queue_max = 10 * (100 + FRAME_OVERHEAD);
    spy_on();
    assert_int_equal(journal_open_files(&o, &hooks, &report, &s.journal), ERR_ok);
    pthread_mutex_lock(&spy.gate);
    for (int id = 1; id <= 10; id++) {
        seen_propose(&s, id, 100);
        journal_submit(s.journal);
    }
    assert_int_equal(seen_try(&s, 11, 0), ERR_busy);
    pthread_mutex_unlock(&spy.gate);
    seen_flush(&s);
    /* Larger than the whole queue: alone it goes. */
    seen_propose(&s, 11, 5000);
    assert_int_equal(seen_try(&s, 12, 0), ERR_busy);
    seen_flush(&s);
    seen_propose(&s, 12, 0);
    seen_flush(&s);
    seen_check(&s, 1, 12, true);
    assert_int_equal(s.failed, 0);
    journal_close(s.journal);
    spy_off();
    seen_release(&s);
    dir_free(&d);
}

static enum err answer_in_close;

static void propose_in_close(void *ctx, const struct journal_record *record, void *ticket)
{
    struct seen *s = ctx;
    seen_on_commit(ctx, record, ticket);
    if (record->type == 3)
        answer_in_close = seen_try(s, 4, 10);
}

static void close_drains(void **state)
{
    (void)state;
    struct data_dir d = dir_new();
    struct seen s = {0};
    struct journal_report report;
    struct journal_options o = dir_options(&d, 0);
    struct journal_hooks hooks = seen_hooks(&s);
    hooks.on_commit = propose_in_close;
    spy_on();
    assert_int_equal(journal_open_files(&o, &hooks, &report, &s.journal), ERR_ok);
    spy.writes = 0;
    pthread_mutex_lock(&spy.gate);
    seen_propose(&s, 1, 10);
    journal_submit(s.journal);
    AWAIT(spy.writes > 0);
    seen_propose(&s, 2, 10);
    journal_submit(s.journal);
    seen_propose(&s, 3, 10); /* not even submitted */
    pthread_mutex_unlock(&spy.gate);
    journal_close(s.journal);
    spy_off();
    seen_check(&s, 1, 3, true);
    assert_int_equal(answer_in_close, ERR_shutting_down);
    seen_release(&s);
    dir_start(&d, 0, &s);
    seen_check(&s, 1, 3, false);
    journal_close(s.journal);
    seen_release(&s);
    dir_free(&d);
}

static void a_failed_sync_is_for_ever(void **state)
{
    (void)state;
    struct data_dir d = dir_new();
    struct seen s = {0};
    spy_on();
    dir_start(&d, 0, &s);
    seen_propose(&s, 1, 10);
    seen_flush(&s);
    pthread_mutex_lock(&spy.gate);
    spy.writes = 0;
    spy.fail_syncs = 1;
    seen_propose(&s, 2, 10);
    seen_propose(&s, 3, 10);
    journal_submit(s.journal);
    AWAIT(spy.writes > 0);
    seen_propose(&s, 4, 10);
    journal_submit(s.journal);
    seen_propose(&s, 5, 10);
    pthread_mutex_unlock(&spy.gate);
    seen_flush(&s);
    assert_int_equal(journal_state(s.journal), JOURNAL_FAILED);
    seen_check(&s, 1, 1, true);
    assert_int_equal(s.failed, 4);
    for (int i = 0; i < 4; i++) {
        assert_int_equal(s.failures[i].id, 2 + i);
        assert_int_equal(s.failures[i].why, ERR_read_only);
    }
    /* The next sync would succeed; nobody asks. */
    int syncs = spy.syncs;
    assert_int_equal(seen_try(&s, 6, 10), ERR_read_only);
    journal_submit(s.journal);
    journal_dispatch(s.journal, JOURNAL_ALL);
    journal_close(s.journal);
    assert_int_equal(spy.syncs, syncs);
    spy_off();
    seen_release(&s);
    dir_free(&d);
}

static void a_full_disk_refuses_until_there_is_room(void **state)
{
    (void)state;
    struct data_dir d = dir_new();
    struct seen s = {0};
    spy_on();
    dir_start(&d, 0, &s);
    seen_propose(&s, 1, 10);
    seen_flush(&s);
    pthread_mutex_lock(&spy.gate);
    spy.writes = 0;
    seen_propose(&s, 2, 10);
    journal_submit(s.journal);
    AWAIT(spy.writes > 0);
    /* The write of 3 will fail, and so will 4 behind it; the first two probes as well. */
    spy.fail_writes = 3;
    seen_propose(&s, 3, 10);
    journal_submit(s.journal);
    seen_propose(&s, 4, 10);
    pthread_mutex_unlock(&spy.gate);
    seen_flush(&s);
    assert_int_equal(s.count, 2);
    assert_int_equal(s.failed, 2);
    assert_int_equal(s.failures[0].id, 3);
    assert_int_equal(s.failures[1].id, 4);
    assert_int_equal(s.failures[1].why, ERR_disk_full);
    assert_int_equal(journal_state(s.journal), JOURNAL_LIVE);
    assert_int_equal(journal_committed(s.journal), 2);
    /* Refused, and asks for a probe, which fails; no other before its time. */
    int writes = spy.writes;
    assert_int_equal(seen_try(&s, 5, 10), ERR_disk_full);
    AWAIT(spy.writes > writes);
    for (int i = 0; i < 100; i++)
        assert_int_equal(seen_try(&s, 5, 10), ERR_disk_full);
    /* One more may have been asked for while the first was on its way. */
    assert_in_range(spy.writes, writes + 1, writes + 2);
    enum err e;
    AWAIT_BY(spy.clock += 100, (e = seen_try(&s, 5, 10)) != ERR_disk_full);
    assert_int_equal(e, ERR_ok);
    seen_flush(&s);
    assert_int_equal(journal_committed(s.journal), 3);
    assert_int_equal(s.records[2].id, 5);
    journal_close(s.journal);
    spy_off();
    seen_release(&s);
    dir_start(&d, 0, &s);
    assert_int_equal(s.count, 3);
    assert_int_equal(s.records[2].id, 5);
    journal_close(s.journal);
    seen_release(&s);
    dir_free(&d);
}

static void once_a_second(void **state)
{
    (void)state;
    struct data_dir d = dir_new();
    struct seen s = {0};
    struct journal_report report;
    struct journal_options o = dir_options(&d, 0);
    struct journal_hooks hooks = seen_hooks(&s);
    o.sync = JOURNAL_SYNC_EVERY_SECOND;
    spy_on();
    assert_int_equal(journal_open_files(&o, &hooks, &report, &s.journal), ERR_ok);
    spy.syncs = 0;
    pthread_mutex_lock(&spy.gate);
    seen_propose(&s, 1, 10);
    journal_submit(s.journal);
    seen_turn(&s); /* committed while the sync is stuck */
    assert_int_equal(s.count, 1);
    assert_int_equal(spy.syncs, 0);
    pthread_mutex_unlock(&spy.gate);
    AWAIT(spy.syncs > 0);
    assert_int_equal(spy.waits, 1);
    /* The timed sync fails: nobody waits for it, but the journal is FAILED from then on. */
    spy.fail_syncs = 1;
    seen_propose(&s, 2, 10);
    journal_submit(s.journal);
    AWAIT_BY(seen_turn(&s), journal_state(s.journal) == JOURNAL_FAILED);
    assert_int_equal(s.count, 2);
    assert_int_equal(seen_try(&s, 3, 10), ERR_read_only);
    journal_close(s.journal);
    spy_off();
    seen_release(&s);
    dir_free(&d);
}

static void close_syncs_what_no_batch_did(void **state)
{
    (void)state;
    struct data_dir d = dir_new();
    struct seen s = {0};
    struct journal_report report;
    struct journal_options o = dir_options(&d, 0);
    struct journal_hooks hooks = seen_hooks(&s);
    o.sync = JOURNAL_SYNC_OFF;
    spy_on();
    assert_int_equal(journal_open_files(&o, &hooks, &report, &s.journal), ERR_ok);
    spy.syncs = 0;
    for (int id = 1; id <= 10; id++) {
        seen_propose(&s, id, 10);
        seen_flush(&s);
    }
    assert_int_equal(spy.syncs, 0);
    journal_close(s.journal);
    assert_int_equal(spy.syncs, 2); /* the records, then the mark */
    spy_off();
    seen_release(&s);
    dir_free(&d);
}

int main(void)
{
    crypto_init();
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_batch_costs_one_of_each),
        cmocka_unit_test(what_comes_meanwhile_is_one_batch),
        cmocka_unit_test(a_late_wake_is_taken_back),
        cmocka_unit_test(no_wake_is_lost),
        cmocka_unit_test(a_full_queue_is_busy),
        cmocka_unit_test(close_drains),
        cmocka_unit_test(a_failed_sync_is_for_ever),
        cmocka_unit_test(a_full_disk_refuses_until_there_is_room),
        cmocka_unit_test(once_a_second),
        cmocka_unit_test(close_syncs_what_no_batch_did),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
