/*
 * Every bit of a small journal with two snapshots is flipped, each file is cut at every byte, each
 * record dropped, doubled and swapped, each file dropped and doubled. A start then finds either all
 * that was acknowledged (but for the newest batch, where no clean close speaks for it), or refuses
 * and says which file. It never finds anything else. A scan of everything notices each change.
 *
 *   00…04.log  records 4, 5 6         00…05.snap  records 1 to 5
 *   00…07.log  records 7, 8, 9 10     00…08.snap  records 1 to 8      (batches)
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "base/crypto.h"
#include "base/diag.h"
#include "log/recover.h"
#include "log/snapshot.h"
#include "tests/unit/log/dir.h"

#define RECORDS      10
#define NEWEST_BATCH 2
#define ROOM         200 /* zeros behind the last record of a segment */

static const struct {
    uint16_t back;
    uint32_t len;
} made[RECORDS] = {{0, 5},  {0, 9}, {1, 0},  {0, 30}, {0, 1},
                   {1, 17}, {0, 8}, {0, 40}, {0, 3},  {1, 21}};

static struct {
    struct data_dir d;
    int dir;
    struct files files;
    bool clean;       /* the journal ends with the mark of a clean close */
    bool unwitnessed; /* the change cannot be told from a journal that never was longer */
    struct seen seen, scanned;
    unsigned starts, refusals, fallbacks, torn;
} t;

/* ---- the journal ---- */

static void take(struct buf *b, const char *name)
{
    struct file *f = &t.files.list[t.files.count++];
    snprintf(f->name, sizeof f->name, "%s", name);
    f->p = b->p;
    f->len = b->len;
    *b = (struct buf){0};
}

static void make_snapshot(const struct segment_header *h, const struct frame_chain *chain, int seq)
{
    struct snapshot_header head = {h->epoch, (uint64_t)seq, 1234567890123, h->key, *chain};
    struct snapshot_info info;
    struct failure failure;
    struct seen s = {0};
    struct buf b = {0};
    char name[SEGMENT_NAME_MAX];
    for (int id = 1; id <= seq; id++)
        seen_add(&s, id, made[id - 1].len, false);
    struct snapshot_writer *w = snapshot_begin(-1, &b, &head);
    seen_on_save(&s, w);
    assert_int_equal(snapshot_end(w, &info, &failure), ERR_ok);
    seen_release(&s);
    snapshot_name((uint64_t)seq, name);
    take(&b, name);
}

/* Adds records [first, last] to a segment, and snapshots where they belong. */
static void make_records(struct buf *b, const struct segment_header *h, struct frame_chain *chain,
                         int first, int last)
{
    for (int id = first; id <= last; id++) {
        uint8_t p[64];
        for (uint32_t i = 0; i < made[id - 1].len; i++)
            p[i] = seen_byte(id, i);
        struct frame_header f = {made[id - 1].len, (uint16_t)id, made[id - 1].back, (uint64_t)id};
        frame_add(b, &f, &h->key, chain, bytes_of(p, f.len));
        if (id == 5 || id == 8)
            make_snapshot(h, chain, id);
    }
}

static void make_segment(struct segment_header *h, struct frame_chain *chain, int first, int last)
{
    struct buf b = {0}, records = {0};
    uint8_t zeros[ROOM] = {0}, page[SEGMENT_HEADER_LEN];
    char name[SEGMENT_NAME_MAX];
    h->number++;
    h->first_seq = (uint64_t)first;
    h->chain = *chain;
    make_records(&records, h, chain, first, last);
    if (last == RECORDS && t.clean) {
        uint8_t mark[FRAME_HEADER_LEN];
        frame_header_encode(&(struct frame_header){.seq = RECORDS + 1}, &h->key, mark);
        buf_add(&records, mark, sizeof mark);
    }
    buf_add(&records, zeros, sizeof zeros);
    h->size = SEGMENT_HEADER_LEN + records.len;
    segment_header_encode(h, page);
    buf_add(&b, page, sizeof page);
    buf_add_bytes(&b, buf_bytes(&records));
    buf_release(&records);
    segment_name(h->first_seq, name);
    if (first == 1)
        buf_release(&b); /* deleted, after the second snapshot */
    else
        take(&b, name);
}

static void make(bool clean)
{
    struct segment_header h = {.epoch = {{1, 2, 3}}, .key = {{4, 5, 6}}};
    struct frame_chain chain = frame_chain_start(h.epoch.b);
    struct buf b = {0};
    t.d = dir_new();
    t.clean = clean;
    t.starts = t.refusals = t.fallbacks = t.torn = 0;
    make_segment(&h, &chain, 1, 3);
    make_segment(&h, &chain, 4, 6);
    make_segment(&h, &chain, 7, RECORDS);
    struct manifest m = {h.epoch, h.number, h.first_seq};
    buf_reserve(&b, MANIFEST_LEN);
    manifest_encode(&m, b.p);
    b.len = MANIFEST_LEN;
    take(&b, "manifest");
    qsort(t.files.list, t.files.count, sizeof t.files.list[0], files_compare);
    dir_write(&t.d, &t.files);
    t.dir = dir_open(&t.d);
    diag_set_level(DIAG_ERROR + 1);
}

static void drop(void)
{
    diag_set_level(DIAG_INFO);
    close(t.dir);
    files_free(&t.files);
    seen_release(&t.seen);
    seen_release(&t.scanned);
    dir_free(&t.d);
}

/* ---- what may come of it ---- */

static void forget(struct seen *s, uint64_t last_seq)
{
    s->count = s->loaded = 0;
    s->resets = 0;
    s->last_seq = last_seq;
}

static void check_state(const struct seen *s, const char *file, size_t at)
{
    size_t least = t.clean ? RECORDS : RECORDS - NEWEST_BATCH;
    if (s->count < least || s->count > RECORDS)
        fail_msg("%s, %zu: %zu records", file, at, s->count);
    for (size_t i = 0; i < s->count; i++)
        if (s->records[i].id != (int)i + 1 || s->records[i].len != made[i].len)
            fail_msg("%s, %zu: record %zu is another", file, at, i + 1);
}

/* A start: the directory was changed in `file`, at `at`. */
static void check_start(const char *file, size_t at)
{
    struct journal_report report;
    struct recovered found;
    struct journal_hooks hooks = seen_hooks(&t.seen);
    forget(&t.seen, 0);
    enum err e = recover_read(t.dir, false, &hooks, &report, &found);
    if (e == ERR_ok) {
        check_state(&t.seen, file, at);
        /* Less than everything only where it says so. */
        if (t.seen.count < RECORDS && !t.unwitnessed)
            assert_string_not_equal(report.torn_tail, "");
        assert_int_equal(t.seen.resets > 0, report.snapshot[0] != '\0');
        t.starts++;
        t.fallbacks += report.snapshot[0] != '\0';
        t.torn += report.torn_tail[0] != '\0';
        return;
    }
    if (e != ERR_damaged)
        fail_msg("%s, %zu: %s", file, at, err_code(e));
    assert_string_not_equal(report.damage_file, "");
    assert_non_null(strstr(report.damage, report.damage_file));
    t.refusals++;
}

/* A scan of all that is there; `whole`: nothing was changed. */
static void check_scan(const char *file, size_t at, bool whole)
{
    struct journal_report report;
    struct recovered found;
    struct journal_hooks hooks = seen_hooks(&t.scanned);
    hooks.on_load = NULL;
    forget(&t.scanned, 3);
    enum err e = recover_read(t.dir, true, &hooks, &report, &found);
    bool noticed = e != ERR_ok || report.snapshot[0] != '\0' || report.torn_tail[0] != '\0';
    if (noticed == whole)
        fail_msg("%s, %zu: %s: %s%s%s", file, at, err_code(e), report.damage, report.snapshot,
                 report.torn_tail);
}

static void check(const char *file, size_t at)
{
    check_start(file, at);
    check_scan(file, at, false);
}

/* ---- the changes ---- */

static void every_bit_of(const struct file *f)
{
    int fd = openat(t.dir, f->name, O_RDWR | O_CLOEXEC);
    assert_true(fd >= 0);
    for (size_t at = 0; at < f->len; at++) {
        for (int bit = 0; bit < 8; bit++) {
            uint8_t c = f->p[at] ^ (uint8_t)(1 << bit);
            assert_int_equal(pwrite(fd, &c, 1, (off_t)at), 1);
            check(f->name, at);
        }
        assert_int_equal(pwrite(fd, &f->p[at], 1, (off_t)at), 1);
    }
    close(fd);
}

static void every_length_of(const struct file *f)
{
    int fd = openat(t.dir, f->name, O_RDWR | O_CLOEXEC);
    assert_true(fd >= 0);
    for (size_t len = f->len; len-- > 0;) {
        assert_int_equal(ftruncate(fd, (off_t)len), 0);
        check(f->name, len);
    }
    for (size_t more = 1; more < 40; more++) {
        dir_put(&t.d, f->name, f->p, f->len);
        assert_int_equal(ftruncate(fd, (off_t)(f->len + more)), 0);
        check(f->name, f->len + more);
    }
    dir_put(&t.d, f->name, f->p, f->len);
    close(fd);
}

/* Where the records of a file lie, with the end of the last one behind it. */
static size_t find_records(const struct file *f, size_t at[static 16])
{
    uint64_t seq;
    bool segment = segment_name_parse(f->name, &seq);
    size_t count = 0, pos = segment ? SEGMENT_HEADER_LEN : SNAPSHOT_HEADER_LEN;
    while (frame_u16(f->p + pos + 4) != 0) {
        at[count++] = pos;
        pos += (segment ? FRAME_OVERHEAD : SNAPSHOT_RECORD_LEN) + frame_u32(f->p + pos);
    }
    at[count] = pos;
    return count;
}

/* Writes the file with records [a, b) put `times` times; a segment keeps its length, if it can. */
static void put_records(const struct file *f, size_t a, size_t b, int times)
{
    struct buf out = {0};
    uint64_t seq;
    buf_add(&out, f->p, a);
    for (int i = 0; i < times; i++)
        buf_add(&out, f->p + a, b - a);
    buf_add(&out, f->p + b, f->len - b);
    if (segment_name_parse(f->name, &seq)) {
        while (out.len < f->len)
            buf_add_u8(&out, 0);
        out.len = f->len;
    }
    dir_put(&t.d, f->name, out.p, out.len);
    buf_release(&out);
}

static void every_record_of(const struct file *f)
{
    size_t at[16], count = find_records(f, at);
    for (size_t i = 0; i < count; i++) {
        put_records(f, at[i], at[i + 1], 0);
        t.unwitnessed = !t.clean && f == files_last(&t.files) && i + 1 == count;
        check_start(f->name, at[i]);
        if (!t.unwitnessed)
            check_scan(f->name, at[i], false);
        t.unwitnessed = false;
        put_records(f, at[i], at[i + 1], 2);
        check(f->name, at[i]);
        if (i + 1 == count)
            continue;
        struct buf swapped = {0};
        buf_add(&swapped, f->p, at[i]);
        buf_add(&swapped, f->p + at[i + 1], at[i + 2] - at[i + 1]);
        buf_add(&swapped, f->p + at[i], at[i + 1] - at[i]);
        buf_add(&swapped, f->p + at[i + 2], f->len - at[i + 2]);
        dir_put(&t.d, f->name, swapped.p, swapped.len);
        check(f->name, at[i]);
        buf_release(&swapped);
    }
    dir_put(&t.d, f->name, f->p, f->len);
}

/* Without the file; and with it once more, under every number. */
static void every_name_of(const struct file *f)
{
    assert_int_equal(unlinkat(t.dir, f->name, 0), 0);
    check_start(f->name, 0);
    dir_put(&t.d, f->name, f->p, f->len);
    uint64_t own;
    bool segment = segment_name_parse(f->name, &own);
    if (!segment && !snapshot_name_parse(f->name, &own))
        return;
    for (uint64_t seq = 1; seq <= RECORDS + 2; seq++) {
        char name[SEGMENT_NAME_MAX];
        if (segment)
            segment_name(seq, name);
        else
            snapshot_name(seq, name);
        if (files_find(&t.files, name))
            continue;
        dir_put(&t.d, name, f->p, f->len);
        check(name, 0);
        assert_int_equal(unlinkat(t.dir, name, 0), 0);
    }
}

static void every_change(bool clean)
{
    make(clean);
    check_start("nothing", 0);
    check_scan("nothing", 0, true);
    assert_int_equal(t.seen.count, RECORDS);
    assert_int_equal(t.seen.loaded, 8);
    for (size_t i = 0; i < t.files.count; i++) {
        const struct file *f = &t.files.list[i];
        if (!clean && f != files_last(&t.files))
            continue; /* the same bytes as after a clean close */
        every_bit_of(f);
        every_length_of(f);
        every_name_of(f);
        if (strcmp(f->name, "manifest") != 0)
            every_record_of(f);
    }
    check_start("nothing", 0);
    check_scan("nothing", 0, true);
    assert_true(t.starts > 1000 && t.refusals > 1000 && t.torn > 100 &&
                (!clean || t.fallbacks > 1000));
    drop();
}

static void after_a_clean_close(void **state)
{
    (void)state;
    every_change(true);
}

static void after_a_crash(void **state)
{
    (void)state;
    every_change(false);
}

int main(void)
{
    crypto_init();
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(after_a_clean_close),
        cmocka_unit_test(after_a_crash),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
