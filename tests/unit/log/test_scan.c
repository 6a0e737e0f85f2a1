/* What reads a journal without opening it: all of it, also beside a server that deletes. */
#include "log/journal.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <pthread.h>

#include "base/crypto.h"
#include "log/sys.h"
#include "tests/unit/log/kept.h"

static enum err scan(const struct data_dir *d, struct journal_hooks hooks,
                     struct journal_report *report)
{
    struct journal_options o = dir_options(d, SEGMENT);
    return journal_scan_files(&o, &hooks, report);
}

static void a_scan_without_loading_hears_every_record(void **state)
{
    (void)state;
    struct data_dir d = dir_new();
    struct seen s = {0}, all = {0}, whole = {0};
    struct journal_report report;
    dir_start(&d, SEGMENT, &s);
    add_snapshots(&s, 3);
    struct journal_hooks hooks = seen_hooks(&all);
    hooks.on_load = NULL;
    all.last_seq = 18; /* the oldest that is there */
    assert_int_equal(scan(&d, hooks, &report), ERR_ok);
    assert_int_equal(all.count, 12);
    assert_int_equal(all.records[0].id, 19);
    assert_int_equal(all.last_seq, 30);
    assert_int_equal(report.records, 12);
    assert_int_equal(report.snapshot_seq, 0);
    assert_int_equal(scan(&d, seen_hooks(&whole), &report), ERR_ok);
    seen_check(&whole, 1, 30, false);
    assert_int_equal(whole.loaded, 30);
    seen_release(&all);
    all.last_seq = 18;
    flip(&d, "00000000000000000020.snap", 90);
    assert_int_equal(scan(&d, hooks, &report), ERR_ok);
    assert_non_null(strstr(report.snapshot, "00000000000000000020.snap"));
    flip(&d, "00000000000000000030.snap", 90);
    seen_release(&all);
    assert_int_equal(scan(&d, hooks, &report), ERR_damaged);
    assert_non_null(strstr(report.damage, "records 1 to 18 are missing"));
    assert_int_equal(all.count, 0);
    journal_close(s.journal);
    seen_release(&s);
    seen_release(&whole);
    dir_free(&d);
}

/* The writer that a scan meets: at the scan's nth opening of a segment or snapshot, it goes on. */
static struct {
    struct seen *writer;
    int (*open_at)(int dir, const char *name, int flags, mode_t mode);
    int at, opened;
    pthread_t thread; /* the scan's */
    bool on;
} meanwhile;

/* A scan without on_load begins somewhere. */
static void count_record(void *ctx, const struct journal_record *record, void *ticket)
{
    struct seen *s = ctx;
    (void)ticket;
    if (s->count > 0)
        assert_int_equal(record->seq, s->last_seq + 1);
    s->count++;
    s->last_seq = record->seq;
}

static int open_at_meanwhile(int dir, const char *name, int flags, mode_t mode)
{
    bool file = strstr(name, ".log") || strstr(name, ".snap");
    if (file && pthread_equal(pthread_self(), meanwhile.thread) && meanwhile.on &&
        ++meanwhile.opened == meanwhile.at) {
        meanwhile.on = false;
        add_snapshots(meanwhile.writer, 3);
        meanwhile.on = true;
    }
    return meanwhile.open_at(dir, name, flags, mode);
}

static void a_scan_beside_a_server_that_deletes(void **state)
{
    (void)state;
    int resets = 0;
    bool reached = true;
    for (int n = 1; reached; n++) {
        for (int loading = 0; loading < 2; loading++) {
            struct data_dir d = dir_new();
            struct seen s = {0}, heard = {0};
            struct journal_report report;
            meanwhile.open_at = sys.open_at;
            meanwhile.thread = pthread_self();
            meanwhile.on = false;
            sys.open_at = open_at_meanwhile;
            dir_start(&d, SEGMENT, &s);
            add_snapshots(&s, 3);
            meanwhile.writer = &s;
            meanwhile.at = n;
            meanwhile.opened = 0;
            struct journal_hooks hooks = seen_hooks(&heard);
            hooks.on_commit = loading ? seen_on_commit : count_record;
            if (!loading)
                hooks.on_load = NULL;
            meanwhile.on = true;
            enum err e = scan(&d, hooks, &report);
            meanwhile.on = false;
            if (e != ERR_ok)
                fail_msg("at %d: %s: %s", n, err_code(e), report.damage);
            reached = meanwhile.opened >= n;
            assert_true(heard.last_seq == 30 || heard.last_seq == 60);
            if (loading)
                seen_check(&heard, 1, (int)heard.last_seq, false);
            resets += heard.resets;
            journal_close(s.journal);
            sys_reset();
            seen_release(&s);
            seen_release(&heard);
            dir_free(&d);
        }
    }
    assert_true(resets > 2);
}

int main(void)
{
    crypto_init();
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_scan_without_loading_hears_every_record),
        cmocka_unit_test(a_scan_beside_a_server_that_deletes),
    };
    return cmocka_run_group_tests_name("scan", tests, NULL, NULL);
}
