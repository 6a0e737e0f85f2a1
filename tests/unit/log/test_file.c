/* A journal in files, from the outside: what goes in comes out, in this run and after a restart. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "base/crypto.h"
#include "log/sys.h"
#include "tests/unit/log/dir.h"

static void starts_empty(void **state)
{
    (void)state;
    struct data_dir d = dir_new();
    struct seen s = {0};
    struct journal_report report;
    assert_int_equal(dir_try(&d, 0, &s, &report), ERR_ok);
    assert_int_equal(report.records, 0);
    assert_string_equal(report.torn_tail, "");
    assert_string_equal(report.damage, "");
    assert_int_equal(journal_state(s.journal), JOURNAL_LIVE);
    assert_int_equal(journal_committed(s.journal), 0);
    struct uuid epoch = journal_epoch(s.journal);
    assert_false(uuid_is_zero(&epoch));
    journal_close(s.journal);

    dir_start(&d, 0, &s);
    struct uuid again = journal_epoch(s.journal);
    assert_true(uuid_equal(&epoch, &again));
    journal_close(s.journal);
    assert_int_equal(s.count, 0);
    dir_free(&d);
}

static void comes_back(void **state)
{
    (void)state;
    struct data_dir d = dir_new();
    struct seen s = {0};
    dir_start(&d, 0, &s);
    for (int i = 1; i <= 100; i++)
        seen_propose(&s, i, (size_t)(i * 37 % 400));
    seen_flush(&s);
    seen_check(&s, 1, 100, true);
    assert_int_equal(journal_committed(s.journal), 100);
    journal_close(s.journal);
    seen_release(&s);

    struct journal_report report;
    assert_int_equal(dir_try(&d, 0, &s, &report), ERR_ok);
    seen_check(&s, 1, 100, false);
    assert_int_equal(report.records, 100);
    assert_string_equal(report.torn_tail, "");
    for (int i = 101; i <= 103; i++) {
        seen_propose(&s, i, 10);
        seen_flush(&s);
    }
    journal_close(s.journal);
    seen_release(&s);

    struct journal_options o = dir_options(&d, 0);
    struct journal_hooks hooks = seen_hooks(&s);
    assert_int_equal(journal_scan_files(&o, &hooks, &report), ERR_ok);
    seen_check(&s, 1, 103, false);
    assert_int_equal(report.records, 103);
    seen_release(&s);
    dir_free(&d);
}

static void many_segments(void **state)
{
    (void)state;
    struct data_dir d = dir_new();
    struct seen s = {0};
    int id = 1;
    /* Batches of one record and of more than a segment, over several lives. */
    for (int life = 0; life < 4; life++) {
        dir_start(&d, 65536, &s);
        seen_check(&s, 1, id - 1, false);
        for (int batch = 0; batch < 8; batch++) {
            for (int i = 0; i < 1 + batch * 3; i++, id++)
                seen_propose(&s, id, (size_t)(id * 997 % 9000));
            seen_flush(&s);
        }
        assert_int_equal(s.count, id - 1);
        journal_close(s.journal);
        seen_release(&s);
    }
    struct files f = dir_read(&d);
    assert_true(f.count > 20);
    for (size_t i = 0; i < f.count; i++) {
        struct segment_header h;
        if (strcmp(f.list[i].name, "manifest") == 0)
            continue;
        assert_true(segment_header_decode(f.list[i].p, &h));
        assert_int_equal(h.number, i + 1);
        assert_int_equal(f.list[i].len, 65536);
    }
    files_free(&f);
    dir_start(&d, 65536, &s);
    seen_check(&s, 1, id - 1, false);
    journal_close(s.journal);
    seen_release(&s);
    dir_free(&d);
}

static void records_larger_than_a_segment(void **state)
{
    (void)state;
    struct data_dir d = dir_new();
    struct seen s = {0};
    dir_start(&d, 65536, &s);
    static const size_t lens[] = {10, 4u << 20, 0, 65536, 60000, 60000, 1u << 20, 0};
    for (int i = 0; i < 8; i++)
        seen_propose(&s, i + 1, lens[i]);
    seen_flush(&s);
    assert_int_equal(seen_try(&s, 9, (4u << 20) + 1), ERR_too_large);
    journal_close(s.journal);
    seen_check(&s, 1, 8, true);
    seen_release(&s);
    dir_start(&d, 65536, &s);
    seen_check(&s, 1, 8, false);
    for (size_t i = 0; i < 8; i++)
        assert_int_equal(s.records[i].len, lens[i]);
    journal_close(s.journal);
    seen_release(&s);
    dir_free(&d);
}

static void proposes_inside_commit(void **state)
{
    (void)state;
    struct data_dir d = dir_new();
    struct seen s = {.chain_until = 50};
    dir_start(&d, 65536, &s);
    seen_propose(&s, 1, 10);
    while (s.count < 50)
        seen_flush(&s);
    seen_check(&s, 1, 50, true);
    journal_close(s.journal);
    seen_release(&s);
    dir_free(&d);
}

/* A look from beside sees a whole prefix, whatever the disk thread does meanwhile. */
static void scans_beside_a_running_journal(void **state)
{
    (void)state;
    struct data_dir d = dir_new();
    struct seen s = {0};
    struct journal_options o = dir_options(&d, 65536);
    dir_start(&d, 65536, &s);
    for (int id = 1; id <= 300; id++) {
        seen_propose(&s, id, 2000);
        journal_submit(s.journal);
        if (id % 3 != 0)
            continue;
        struct seen scan = {0};
        struct journal_report report;
        struct journal_hooks hooks = seen_hooks(&scan);
        enum err e = journal_scan_files(&o, &hooks, &report);
        if (e != ERR_ok)
            fail_msg("%s: %s", err_code(e), report.damage);
        assert_in_range(scan.count, s.count, id);
        seen_check(&scan, 1, (int)scan.count, false);
        seen_release(&scan);
        journal_dispatch(s.journal, JOURNAL_ALL);
    }
    journal_close(s.journal);
    assert_int_equal(s.count, 300);
    seen_release(&s);
    dir_free(&d);
}

static void names_the_directory_that_is_not_there(void **state)
{
    (void)state;
    struct seen s = {0};
    struct journal_report report;
    struct journal_hooks hooks = seen_hooks(&s);
    struct journal_options o = {.dir = "/nonexistent/data"};
    assert_int_equal(journal_open_files(&o, &hooks, &report, &s.journal), ERR_io);
    assert_non_null(strstr(report.damage, "/nonexistent/data"));
    assert_int_equal(journal_scan_files(&o, &hooks, &report), ERR_io);
    assert_non_null(strstr(report.damage, "/nonexistent/data"));
    /* A scan makes nothing. */
    struct data_dir d = dir_new();
    o.dir = d.path;
    assert_int_equal(journal_scan_files(&o, &hooks, &report), ERR_io);
    assert_int_equal(rmdir(d.path), 0);
}

static atomic_size_t start_bytes;

static ssize_t count_pwrite(int fd, const void *p, size_t len, off_t offset)
{
    start_bytes += len;
    return pwrite(fd, p, len, offset);
}

static void an_empty_start_writes_little(void **state)
{
    (void)state;
    struct data_dir d = dir_new();
    struct seen s = {0};
    start_bytes = 0;
    sys.pwrite = count_pwrite;
    dir_start(&d, 64u << 20, &s);
    assert_true(start_bytes <= (1u << 20) + 8192);
    journal_close(s.journal);
    sys_reset();
    dir_free(&d);
}

int main(void)
{
    crypto_init();
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(starts_empty),
        cmocka_unit_test(comes_back),
        cmocka_unit_test(many_segments),
        cmocka_unit_test(records_larger_than_a_segment),
        cmocka_unit_test(proposes_inside_commit),
        cmocka_unit_test(scans_beside_a_running_journal),
        cmocka_unit_test(names_the_directory_that_is_not_there),
        cmocka_unit_test(an_empty_start_writes_little),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
