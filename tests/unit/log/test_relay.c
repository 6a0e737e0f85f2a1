/* What is read at a start is announced, and then handed on; never from memory that has changed. */
#include "log/relay.h"

#include "base/crypto.h"
#include "tests/unit/log/dir.h"

#define COUNT 60

/* What was announced, beside what was handed on. */
struct relayed {
    struct seen seen; /* first: what else is heard goes there */
    size_t told;
    uint32_t most; /* at once */
};

static void note_soon(void *ctx, const struct journal_record *records, void *const *tickets,
                      uint32_t count)
{
    struct relayed *r = ctx;
    assert_null(tickets);
    assert_int_equal(r->told, r->seen.count); /* what was announced before was handed on */
    assert_in_range(count, 1, JOURNAL_SOON_MAX);
    r->most = count > r->most ? count : r->most;
    for (uint32_t i = 0; i < count; i++) {
        struct bytes payload = records[i].payload;
        int id = records[i].type;
        assert_int_equal(records[i].seq, ++r->told);
        for (size_t k = 0; k < payload.len; k++)
            if (payload.p[k] != seen_byte(id, k))
                fail_msg("record %d: byte %zu differs", id, k);
    }
}

static struct journal_hooks relayed_hooks(struct relayed *r)
{
    struct journal_hooks hooks = seen_hooks(&r->seen);
    hooks.on_soon = note_soon;
    return hooks;
}

static void announces_as_many_as_there_may_be(void **state)
{
    (void)state;
    struct relayed r = {0};
    struct journal_hooks hooks = relayed_hooks(&r);
    struct relay relay = {.hooks = &hooks};
    uint8_t byte[COUNT + 1];
    relay_flush(&relay);
    for (int id = 1; id <= COUNT; id++) {
        byte[id] = seen_byte(id, 0);
        relay_add(&relay, &(struct journal_record){.seq = (uint64_t)id,
                                                   .type = (uint16_t)id,
                                                   .payload = bytes_of(&byte[id], 1)});
        assert_int_equal(r.told, id / JOURNAL_SOON_MAX * JOURNAL_SOON_MAX);
        assert_int_equal(r.seen.count, r.told);
    }
    relay_flush(&relay);
    relay_flush(&relay);
    assert_int_equal(r.told, COUNT);
    seen_check(&r.seen, 1, COUNT, false);
    seen_release(&r.seen);
}

static void works_without_anybody_to_announce_to(void **state)
{
    (void)state;
    struct seen s = {0};
    struct journal_hooks hooks = seen_hooks(&s);
    struct relay relay = {.hooks = &hooks};
    relay_add(&relay, &(struct journal_record){.seq = 1, .type = 1});
    relay_flush(&relay);
    seen_check(&s, 1, 1, false);
    seen_release(&s);
}

/* Lengths by which a file is read in many pieces, which end inside records, some of them larger
 * than a piece. */
static size_t some_len(int id)
{
    return id % 20 == 0 ? 1500000 : id % 3 == 0 ? 90001 : (size_t)id * 37 % 400;
}

static void check_start(const struct data_dir *d, int last)
{
    struct relayed r = {0};
    struct journal_hooks hooks = relayed_hooks(&r);
    struct journal_options o = dir_options(d, 0);
    struct journal_report report;
    assert_int_equal(journal_open_files(&o, &hooks, &report, &r.seen.journal), ERR_ok);
    seen_check(&r.seen, 1, last, false);
    assert_int_equal(r.told, last);
    assert_in_range(r.most, 2, JOURNAL_SOON_MAX);
    journal_close(r.seen.journal);
    seen_release(&r.seen);
}

static void a_start_announces_what_it_reads(void **state)
{
    (void)state;
    struct data_dir d = dir_new();
    struct seen s = {0};
    dir_start(&d, 0, &s);
    for (int id = 1; id <= COUNT; id++) {
        seen_propose(&s, id, some_len(id));
        seen_flush(&s);
    }
    journal_close(s.journal);
    seen_release(&s);
    check_start(&d, COUNT);
    dir_free(&d);
}

/* The last records before a hole are handed on too. */
static void a_start_announces_what_is_before_a_hole(void **state)
{
    (void)state;
    struct data_dir d = dir_new();
    struct seen s = {0};
    dir_start(&d, 0, &s);
    for (int id = 1; id <= 21; id++)
        seen_propose(&s, id, 50);
    seen_flush(&s);
    journal_close(s.journal);
    seen_release(&s);

    struct files f = dir_read(&d);
    struct file *last = files_last(&f);
    size_t end = file_used(last);
    last->p[end - FRAME_HEADER_LEN - 1] ^= 1; /* before the mark of the clean close: record 21 */
    memset(last->p + end - FRAME_HEADER_LEN, 0, FRAME_HEADER_LEN);
    dir_write(&d, &f);
    files_free(&f);
    check_start(&d, 20);
    dir_free(&d);
}

/* Where the mark of a clean close takes a segment's last bytes nothing is left to be looked at
 * behind the records, and so nothing else that would hand the last ones on. */
static void a_start_announces_what_fills_a_segment(void **state)
{
    (void)state;
    enum { LAST = 21, LEN = 1000 };
    struct data_dir d = dir_new();
    struct seen s = {0};
    size_t room = SEGMENT_SIZE_MIN - SEGMENT_HEADER_LEN - FRAME_HEADER_LEN;
    room -= (size_t)(LAST - 1) * (FRAME_OVERHEAD + LEN);
    dir_start(&d, SEGMENT_SIZE_MIN, &s);
    for (int id = 1; id <= LAST; id++)
        seen_propose(&s, id, id < LAST ? LEN : room - FRAME_OVERHEAD);
    seen_flush(&s);
    journal_close(s.journal);
    seen_release(&s);

    struct files f = dir_read(&d);
    assert_int_equal(files_last(&f)->len, SEGMENT_SIZE_MIN);
    /* The mark is there: its check may end with a zero, its number does not begin with one. */
    assert_true(file_used(files_last(&f)) > SEGMENT_SIZE_MIN - FRAME_HEADER_LEN);
    files_free(&f);
    check_start(&d, LAST);
    dir_free(&d);
}

int main(void)
{
    crypto_init();
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(announces_as_many_as_there_may_be),
        cmocka_unit_test(works_without_anybody_to_announce_to),
        cmocka_unit_test(a_start_announces_what_it_reads),
        cmocka_unit_test(a_start_announces_what_is_before_a_hole),
        cmocka_unit_test(a_start_announces_what_fills_a_segment),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
