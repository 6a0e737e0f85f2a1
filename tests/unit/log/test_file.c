/* A journal in files, from the outside: what goes in comes out, in this run and after a restart. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "base/crypto.h"
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

int main(void)
{
    crypto_init();
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(starts_empty),
        cmocka_unit_test(comes_back),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
