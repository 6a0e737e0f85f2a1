/*
 * The decision table of recover.h: what a crash may leave starts, everything else is refused by
 * file and offset and changes nothing.
 */
#include "log/recover.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "base/crypto.h"
#include "log/sys.h"
#include "tests/unit/log/dir.h"

#define SEGMENT 65536
#define SECTOR  512

/* Opens the journal as it lies there and closes it again. */
static enum err look(const struct data_dir *d, struct journal_report *report, size_t *count)
{
    struct seen s = {0};
    enum err e = dir_try(d, SEGMENT, &s, report);
    if (e == ERR_ok)
        journal_close(s.journal);
    if (s.count > 0)
        for (size_t i = 0; i < s.count; i++)
            assert_int_equal(s.records[i].id, i + 1);
    *count = s.count;
    seen_release(&s);
    return e;
}

/* It starts with `low` to `high` records; the second start is silent and gives the same. */
static size_t starts_with(const struct data_dir *d, size_t low, size_t high)
{
    struct journal_report report;
    size_t count, again;
    enum err e = look(d, &report, &count);
    if (e != ERR_ok)
        fail_msg("%s: %s", err_code(e), report.damage);
    assert_in_range(count, low, high);
    e = look(d, &report, &again);
    if (e != ERR_ok)
        fail_msg("second start: %s: %s", err_code(e), report.damage);
    assert_string_equal(report.torn_tail, "");
    assert_int_equal(again, count);
    return count;
}

/* It is refused with `name` and "offset" in the text. */
static void refused(const struct data_dir *d, const char *name)
{
    struct journal_report report;
    size_t count;
    enum err e = look(d, &report, &count);
    if (e != ERR_damaged)
        fail_msg("%s with %zu records, torn tail: %s", err_code(e), count, report.torn_tail);
    if (!strstr(report.damage, name) || !strstr(report.damage, "offset "))
        fail_msg("no file or offset in: %s", report.damage);
}

static void refused_unchanged(const struct data_dir *d, const char *name)
{
    struct files before = dir_read(d);
    refused(d, name);
    struct files after = dir_read(d);
    assert_true(files_equal(&before, &after));
    files_free(&before);
    files_free(&after);
}

/* `batches` batches of `each` records of some `len` bytes; the files as they are before a close
 * (*crashed) and after it. */
static void make(const struct data_dir *d, int batches, int each, size_t len, struct files *crashed,
                 struct files *closed)
{
    struct seen s = {0};
    int id = 1;
    dir_start(d, SEGMENT, &s);
    for (int b = 0; b < batches; b++) {
        for (int i = 0; i < each; i++, id++)
            seen_propose(&s, id, len + (size_t)id % 7);
        seen_flush(&s);
    }
    if (crashed)
        *crashed = dir_read(d);
    journal_close(s.journal);
    if (closed)
        *closed = dir_read(d);
    seen_release(&s);
}

/* Where record `n` (1, 2, …) of a file begins. */
static size_t record_at(const struct file *f, int n)
{
    size_t at = SEGMENT_HEADER_LEN;
    for (int i = 1; i < n; i++)
        at += FRAME_OVERHEAD + frame_u32(f->p + at);
    return at;
}

static int open_file(const struct data_dir *d, const char *name)
{
    int dir = dir_open(d);
    int fd = openat(dir, name, O_RDWR | O_CLOEXEC);
    assert_true(fd >= 0);
    close(dir);
    return fd;
}

static void every_flip_after_a_clean_close(void **state)
{
    (void)state;
    struct data_dir d = dir_new();
    struct files closed;
    make(&d, 5, 2, 20, NULL, &closed);
    struct file *last = files_last(&closed);
    size_t mark = record_at(last, 11);
    /* The mark ends with bytes of its check, which may be zero: the key is another in each run. */
    assert_in_range(file_used(last), mark + FRAME_HEADER_LEN - 4, mark + FRAME_HEADER_LEN);
    int fd = open_file(&d, last->name);
    /* The header page is checked as a whole: one flip in each byte of it; every bit of the rest. */
    for (size_t bit = 0; bit < mark * 8; bit++) {
        if (bit < SEGMENT_HEADER_LEN * 8)
            bit += 8 - bit % 8 - 1;
        uint8_t flipped = last->p[bit / 8] ^ (uint8_t)(1 << bit % 8);
        assert_int_equal(pwrite(fd, &flipped, 1, (off_t)bit / 8), 1);
        refused(&d, last->name);
        assert_int_equal(pwrite(fd, &last->p[bit / 8], 1, (off_t)bit / 8), 1);
    }
    struct files after = dir_read(&d);
    assert_true(files_equal(&closed, &after));
    files_free(&after);
    /* What is behind the records was never acknowledged: the mark itself, and the zeros. */
    for (size_t bit = mark * 8; bit < (mark + FRAME_HEADER_LEN + 64) * 8; bit++) {
        dir_write(&d, &closed);
        uint8_t flipped = last->p[bit / 8] ^ (uint8_t)(1 << bit % 8);
        close(fd);
        fd = open_file(&d, last->name);
        assert_int_equal(pwrite(fd, &flipped, 1, (off_t)bit / 8), 1);
        starts_with(&d, 10, 10);
    }
    close(fd);
    files_free(&closed);
    dir_free(&d);
}

static void every_flip_after_a_crash(void **state)
{
    (void)state;
    struct data_dir d = dir_new();
    struct files crashed;
    make(&d, 5, 2, 20, &crashed, NULL);
    struct file *last = files_last(&crashed);
    size_t end = file_used(last), batch = record_at(last, 9);
    for (size_t bit = SEGMENT_HEADER_LEN * 8; bit < end * 8; bit++) {
        last->p[bit / 8] ^= (uint8_t)(1 << bit % 8);
        dir_write(&d, &crashed);
        /* The batch before the last is known to have been on disk. */
        if (bit / 8 < batch)
            refused(&d, last->name);
        else
            starts_with(&d, 8, 9);
        last->p[bit / 8] ^= (uint8_t)(1 << bit % 8);
    }
    files_free(&crashed);
    dir_free(&d);
}

static void every_cut(void **state)
{
    (void)state;
    struct data_dir d = dir_new();
    struct files crashed;
    make(&d, 4, 2, 20, &crashed, NULL);
    struct file *last = files_last(&crashed);
    size_t end = file_used(last);
    dir_write(&d, &crashed);
    int fd = open_file(&d, last->name);
    /* A file that is shorter than it was made is no crash. */
    for (size_t len = SEGMENT; len-- > 0;) {
        if (len > end + 32 && len % 61 != 0)
            continue;
        assert_int_equal(ftruncate(fd, (off_t)len), 0);
        refused(&d, last->name);
    }
    close(fd);
    /* Longer neither. */
    dir_write(&d, &crashed);
    fd = open_file(&d, last->name);
    assert_int_equal(ftruncate(fd, SEGMENT + 1), 0);
    refused_unchanged(&d, last->name);
    close(fd);
    /* Zeros from some byte on are what a crash can leave of the last batch; what nothing speaks
     * for any more starts with what is whole. */
    uint8_t *whole = malloc(last->len);
    assert_non_null(whole);
    memcpy(whole, last->p, last->len);
    for (size_t from = end; from >= SEGMENT_HEADER_LEN; from--) {
        memset(last->p + from, 0, end - from);
        dir_write(&d, &crashed);
        size_t records = 0;
        while (records < 8 &&
               file_used(last) >= record_at(last, (int)records + 1) + FRAME_OVERHEAD &&
               memcmp(whole, last->p, record_at(last, (int)records + 2)) == 0)
            records++;
        starts_with(&d, records, records);
    }
    free(whole);
    files_free(&crashed);
    dir_free(&d);
}

/* Which sectors differ between two states of a file. */
static size_t differing(const struct file *a, const struct file *b, size_t out[32])
{
    size_t count = 0;
    assert_int_equal(a->len, b->len);
    for (size_t at = 0; at < a->len; at += SECTOR)
        if (memcmp(a->p + at, b->p + at, SECTOR) != 0) {
            assert_true(count < 32);
            out[count++] = at;
        }
    return count;
}

/* A clock that stands still, so that no second passes between two batches. */
static int64_t now_never(void)
{
    return 0;
}

static int wait_for_ever(pthread_cond_t *cond, pthread_mutex_t *lock, const struct timespec *when)
{
    (void)when;
    return pthread_cond_wait(cond, lock);
}

/* Writes batches in one mode, and starts from every mixture of the sectors before and after. */
static void subsets(enum journal_sync sync, int batches, int each, size_t len)
{
    struct data_dir d = dir_new();
    struct journal_report report;
    struct seen s = {0};
    int id = 1;
    dir_start(&d, SEGMENT, &s);
    for (; id <= 6; id++) {
        seen_propose(&s, id, 100);
        if (id % 2 == 0)
            seen_flush(&s);
    }
    journal_close(s.journal);
    seen_release(&s);
    struct journal_options o = dir_options(&d, SEGMENT);
    struct journal_hooks hooks = seen_hooks(&s);
    o.sync = sync;
    sys.now_ms = now_never;
    sys.wait_until = wait_for_ever;
    assert_int_equal(journal_open_files(&o, &hooks, &report, &s.journal), ERR_ok);
    struct files before = dir_read(&d);
    for (int b = 0; b < batches; b++) {
        for (int i = 0; i < each; i++, id++)
            seen_propose(&s, id, len + (size_t)id);
        seen_flush(&s);
    }
    struct files after = dir_read(&d);
    journal_close(s.journal);
    seen_release(&s);
    sys_reset();

    size_t at[32], count = differing(files_last(&before), files_last(&after), at);
    assert_in_range(count, 4, 10);
    size_t most = 0, full = (size_t)id - 1;
    for (unsigned mask = 0; mask < 1u << count; mask++) {
        struct files mixed = {0};
        dir_write(&d, &before);
        mixed = dir_read(&d);
        for (size_t i = 0; i < count; i++)
            if (mask & 1u << i)
                memcpy(files_last(&mixed)->p + at[i], files_last(&after)->p + at[i], SECTOR);
        dir_write(&d, &mixed);
        size_t got = starts_with(&d, 6, full);
        if (got > most)
            most = got;
        files_free(&mixed);
    }
    assert_int_equal(most, full);
    files_free(&before);
    files_free(&after);
    dir_free(&d);
}

static void every_subset_of_the_sectors_of_a_batch(void **state)
{
    (void)state;
    subsets(JOURNAL_SYNC_ALWAYS, 1, 20, 100);
    subsets(JOURNAL_SYNC_ALWAYS, 1, 3, 1000);
    subsets(JOURNAL_SYNC_ALWAYS, 1, 40, 5);
}

static void every_subset_of_the_sectors_of_batches_without_sync(void **state)
{
    (void)state;
    subsets(JOURNAL_SYNC_OFF, 8, 3, 60);
    subsets(JOURNAL_SYNC_EVERY_SECOND, 20, 1, 100);
}

/* A sector of an acknowledged batch is gone, and of the batch behind it any part is there. */
static void a_lost_sector_below_a_later_batch(void **state)
{
    (void)state;
    struct data_dir d = dir_new();
    struct files f;
    make(&d, 6, 4, 300, &f, NULL);
    struct file *last = files_last(&f);
    size_t batch = record_at(last, 21), end = file_used(last);
    for (size_t at = SEGMENT_HEADER_LEN; at + SECTOR <= batch; at += SECTOR) {
        uint8_t kept[SECTOR];
        memcpy(kept, last->p + at, SECTOR);
        memset(last->p + at, 0, SECTOR);
        dir_write(&d, &f);
        refused_unchanged(&d, last->name);
        memcpy(last->p + at, kept, SECTOR);
    }
    /* One whole header of the last batch is enough to know. */
    for (int n = 22; n <= 24; n++) {
        struct files g = {0};
        dir_write(&d, &f);
        g = dir_read(&d);
        struct file *l = files_last(&g);
        size_t header = record_at(last, n);
        memset(l->p + batch - FRAME_CHAIN_LEN, 0, header - batch + FRAME_CHAIN_LEN);
        memset(l->p + header + FRAME_HEADER_LEN, 0, end - header - FRAME_HEADER_LEN);
        dir_write(&d, &g);
        refused_unchanged(&d, l->name);
        files_free(&g);
    }
    files_free(&f);
    dir_free(&d);
}

/* What clients write must not look like a header: a forged one, under a key that is not the
 * journal's, lies in the torn batch and claims the moon. */
static void forged_headers_do_not_stop_a_start(void **state)
{
    (void)state;
    struct data_dir d = dir_new();
    struct seen s = {.raw = true};
    static const struct frame_key guess = {{0}};
    uint8_t payload[600];
    for (size_t at = 0; at + FRAME_HEADER_LEN <= sizeof payload; at += FRAME_HEADER_LEN) {
        struct frame_header h = {.len = 5, .type = 1, .back = 0, .seq = 5 + at % 3};
        frame_header_encode(&h, &guess, payload + at);
    }
    dir_start(&d, SEGMENT, &s);
    seen_propose(&s, 1, 30);
    seen_propose(&s, 2, 30);
    assert_int_equal(journal_propose(s.journal, 3, bytes_of(payload, sizeof payload), NULL),
                     ERR_ok);
    seen_flush(&s);
    struct files f = dir_read(&d);
    journal_close(s.journal);
    seen_release(&s);
    struct file *last = files_last(&f);
    size_t third = record_at(last, 3);
    memset(last->p + third, 0, 24);
    dir_write(&d, &f);
    starts_with(&d, 2, 2);
    struct files after = dir_read(&d);
    assert_int_equal(after.count, f.count + 1); /* the .torn-1 */
    files_free(&after);
    files_free(&f);
    dir_free(&d);
}

static void the_torn_tail_is_kept(void **state)
{
    (void)state;
    struct data_dir d = dir_new();
    struct files f;
    make(&d, 3, 2, 50, &f, NULL);
    struct file *last = files_last(&f);
    size_t sixth = record_at(last, 6), end = file_used(last);
    last->p[sixth + FRAME_HEADER_LEN] ^= 1;
    for (int n = 1; n <= 3; n++) {
        char name[96], text[128];
        struct files now = dir_read(&d);
        struct journal_report report;
        size_t count;
        dir_put(&d, last->name, last->p, last->len);
        assert_int_equal(look(&d, &report, &count), ERR_ok);
        assert_int_equal(count, 5);
        snprintf(name, sizeof name, "%s.torn-%d", last->name, n);
        snprintf(text, sizeof text, "%zu bytes, from offset %zu on", end - sixth, sixth);
        assert_non_null(strstr(report.torn_tail, name));
        assert_non_null(strstr(report.torn_tail, text));
        files_free(&now);
        now = dir_read(&d);
        struct file *copy = files_find(&now, name);
        assert_non_null(copy);
        assert_int_equal(copy->len, end - sixth);
        assert_memory_equal(copy->p, last->p + sixth, copy->len);
        files_free(&now);
    }
    files_free(&f);
    dir_free(&d);
}

static void segments_must_continue(void **state)
{
    (void)state;
    struct data_dir d = dir_new(), other = dir_new();
    struct files f, foreign;
    make(&d, 40, 1, 6000, NULL, &f);
    make(&other, 40, 1, 6000, NULL, &foreign);
    size_t segments = f.count - 1;
    assert_in_range(segments, 4, 8);
    assert_string_equal(f.list[segments].name, "manifest");
    for (size_t i = 0; i < segments; i++) {
        struct file kept = f.list[i];
        /* Dropped. */
        dir_write(&d, &f);
        int dir = dir_open(&d);
        assert_int_equal(unlinkat(dir, kept.name, 0), 0);
        close(dir);
        refused_unchanged(&d, i + 1 < segments ? f.list[i + 1].name : kept.name);
        /* Another journal's. */
        f.list[i] = foreign.list[i];
        dir_write(&d, &f);
        refused_unchanged(&d, kept.name);
        f.list[i] = kept;
        /* Another one of the same journal, under this name. */
        size_t j = (i + 1) % segments;
        f.list[i].p = f.list[j].p;
        f.list[i].len = f.list[j].len;
        dir_write(&d, &f);
        refused_unchanged(&d, kept.name);
        f.list[i] = kept;
        /* Repeated under a name that follows. */
        dir_write(&d, &f);
        dir_put(&d, "00000000000000000041.log", kept.p, kept.len);
        refused_unchanged(&d, "00000000000000000041.log");
        /* Empty. */
        f.list[i].len = 0;
        dir_write(&d, &f);
        refused_unchanged(&d, kept.name);
        f.list[i] = kept;
        /* Only not-the-last ones are refused for bytes behind their records. */
        if (i + 1 < segments) {
            kept.p[kept.len - 1] ^= 1;
            dir_write(&d, &f);
            refused_unchanged(&d, kept.name);
            kept.p[kept.len - 1] ^= 1;
        }
    }
    dir_write(&d, &f);
    starts_with(&d, 40, 40);
    files_free(&f);
    files_free(&foreign);
    dir_free(&d);
    dir_free(&other);
}

static void records_must_continue(void **state)
{
    (void)state;
    struct data_dir d = dir_new();
    struct files f;
    make(&d, 6, 2, 50, NULL, &f);
    struct file *last = files_last(&f);
    uint8_t *whole = malloc(last->len);
    assert_non_null(whole);
    memcpy(whole, last->p, last->len);
    size_t end = file_used(last);
    for (int n = 1; n <= 12; n++) {
        size_t from = record_at(last, n), to = record_at(last, n + 1);
        /* Left out: what follows moves up. */
        memmove(last->p + from, whole + to, last->len - to);
        dir_write(&d, &f);
        refused_unchanged(&d, last->name);
        memcpy(last->p, whole, last->len);
        /* Written twice: what follows moves down. */
        memmove(last->p + to, whole + from, end - from);
        dir_write(&d, &f);
        if (n < 12)
            refused_unchanged(&d, last->name);
        else
            starts_with(&d, 12, 12); /* all are there; what is behind them was never one */
        memcpy(last->p, whole, last->len);
        /* Exchanged with the one behind. */
        if (n < 12) {
            size_t next = record_at(last, n + 2);
            memcpy(last->p + from, whole + to, next - to);
            memcpy(last->p + from + next - to, whole + from, to - from);
            dir_write(&d, &f);
            refused_unchanged(&d, last->name);
            memcpy(last->p, whole, last->len);
        }
    }
    free(whole);
    files_free(&f);
    dir_free(&d);
}

static void the_manifest_counts(void **state)
{
    (void)state;
    struct data_dir d = dir_new(), other = dir_new();
    struct files first, f, foreign;
    make(&d, 1, 1, 6000, NULL, &first);
    dir_empty(&d);
    make(&d, 40, 1, 6000, NULL, &f);
    make(&other, 40, 1, 6000, NULL, &foreign);
    struct file *m = files_find(&f, "manifest"), kept = *m;
    /* Missing, cut, longer, flipped, another journal's. */
    dir_write(&d, &f);
    int dir = dir_open(&d);
    assert_int_equal(unlinkat(dir, "manifest", 0), 0);
    close(dir);
    refused_unchanged(&d, "manifest");
    for (size_t len = 0; len < MANIFEST_LEN; len++) {
        m->len = len;
        dir_write(&d, &f);
        refused(&d, "manifest");
    }
    m->len = kept.len;
    for (size_t bit = 0; bit < MANIFEST_LEN * 8; bit++) {
        m->p[bit / 8] ^= (uint8_t)(1 << bit % 8);
        dir_write(&d, &f);
        refused(&d, "manifest");
        m->p[bit / 8] ^= (uint8_t)(1 << bit % 8);
    }
    *m = *files_find(&foreign, "manifest");
    dir_write(&d, &f);
    refused_unchanged(&d, "00000000000000000001.log");
    *m = kept;
    /* An older one of this journal: a crash within a roll, or a copy of a running journal. */
    struct manifest old;
    uint8_t page[MANIFEST_LEN];
    assert_true(manifest_decode(kept.p, &old));
    old.number = 1;
    old.first_seq = 1;
    manifest_encode(&old, page);
    m->p = page;
    dir_write(&d, &f);
    *m = kept;
    starts_with(&d, 40, 40);
    struct files after = dir_read(&d);
    assert_memory_equal(files_find(&after, "manifest")->p, kept.p, MANIFEST_LEN);
    files_free(&after);
    /* One that gives a segment another number. */
    old.number = 2;
    manifest_encode(&old, page);
    m->p = page;
    dir_write(&d, &f);
    *m = kept;
    refused_unchanged(&d, "00000000000000000001.log");
    /* A manifest alone: everything else was taken away. */
    dir_empty(&d);
    dir_put(&d, "manifest", kept.p, kept.len);
    refused_unchanged(&d, "offset");
    files_free(&first);
    files_free(&f);
    files_free(&foreign);
    dir_free(&d);
    dir_free(&other);
}

static void a_crash_at_birth_starts(void **state)
{
    (void)state;
    struct data_dir d = dir_new();
    struct files f;
    make(&d, 0, 0, 0, &f, NULL);
    assert_int_equal(f.count, 2);
    /* Before the manifest was there. */
    dir_write(&d, &f);
    int dir = dir_open(&d);
    assert_int_equal(unlinkat(dir, "manifest", 0), 0);
    starts_with(&d, 0, 0);
    /* Before anything had a name; what is unfinished is worth nothing. */
    dir_empty(&d);
    dir_put(&d, "next.tmp", (const uint8_t *)"half", 4);
    dir_put(&d, "manifest.tmp", (const uint8_t *)"half", 4);
    dir_put(&d, "torn.tmp", (const uint8_t *)"half", 4);
    starts_with(&d, 0, 0);
    struct files after = dir_read(&d);
    assert_int_equal(after.count, 2);
    files_free(&after);
    close(dir);
    files_free(&f);
    dir_free(&d);
}

int main(void)
{
    crypto_init();
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_flip_after_a_clean_close),
        cmocka_unit_test(every_flip_after_a_crash),
        cmocka_unit_test(every_cut),
        cmocka_unit_test(every_subset_of_the_sectors_of_a_batch),
        cmocka_unit_test(every_subset_of_the_sectors_of_batches_without_sync),
        cmocka_unit_test(a_lost_sector_below_a_later_batch),
        cmocka_unit_test(forged_headers_do_not_stop_a_start),
        cmocka_unit_test(the_torn_tail_is_kept),
        cmocka_unit_test(segments_must_continue),
        cmocka_unit_test(records_must_continue),
        cmocka_unit_test(the_manifest_counts),
        cmocka_unit_test(a_crash_at_birth_starts),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
