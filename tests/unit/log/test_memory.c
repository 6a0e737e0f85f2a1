/* The journal in memory, and with it all of journal.c that needs no thread. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "base/crypto.h"
#include "log/frame.h"
#include "tests/unit/log/seen.h"

static void open_memory(struct journal_memory *memory, struct seen *seen)
{
    struct journal_hooks hooks = seen_hooks(seen);
    assert_int_equal(journal_open_memory(memory, &hooks, &seen->journal), ERR_ok);
}

/* How many records were announced. */
struct soon_seen {
    struct seen seen; /* first: what else is heard goes there */
    size_t told;
};

static void note_soon(void *ctx, const struct journal_record *records, void *const *tickets,
                      uint32_t count)
{
    struct soon_seen *s = ctx;
    assert_int_equal(s->told, s->seen.count); /* what was announced was all committed */
    assert_in_range(count, 1, JOURNAL_SOON_MAX);
    for (uint32_t i = 0; i < count; i++) {
        int id = (int)++s->told;
        struct bytes payload = records[i].payload;
        assert_int_equal(records[i].seq, id);
        assert_int_equal(records[i].type, id);
        assert_int_equal(payload.len, 10 * id);
        assert_int_equal(payload.p[payload.len - 1], seen_byte(id, payload.len - 1));
        assert_ptr_equal(tickets[i], &seen_tickets[id]);
    }
}

/* Each record is announced once, before it is committed, also where they are dispatched in pieces
 * of all lengths; and nothing is announced beyond a piece. */
static void announces_what_comes(void **state)
{
    (void)state;
    enum { COUNT = 50 };
    for (size_t piece = 1; piece < 3000; piece += 97) {
        struct journal_memory memory = {0};
        struct soon_seen s = {0};
        struct journal_hooks hooks = seen_hooks(&s.seen);
        hooks.on_soon = note_soon;
        assert_int_equal(journal_open_memory(&memory, &hooks, &s.seen.journal), ERR_ok);
        for (int id = 1; id <= COUNT; id++)
            seen_propose(&s.seen, id, 10 * (size_t)id);
        journal_submit(s.seen.journal);
        while (journal_dispatch(s.seen.journal, piece))
            assert_int_equal(s.told, s.seen.count);
        seen_check(&s.seen, 1, COUNT, true);
        assert_int_equal(s.told, COUNT);
        journal_close(s.seen.journal);
        journal_memory_release(&memory);
        seen_release(&s.seen);
    }
}

static void commits_in_order(void **state)
{
    (void)state;
    struct journal_memory memory = {0};
    struct seen seen = {0};
    open_memory(&memory, &seen);
    assert_int_equal(journal_fd(seen.journal), -1);
    assert_int_equal(journal_state(seen.journal), JOURNAL_LIVE);
    for (int i = 1; i <= 5; i++)
        seen_propose(&seen, i, 10 * i);
    assert_int_equal(journal_pending(seen.journal), 5);
    struct journal_stats stats;
    journal_stats(seen.journal, &stats);
    assert_int_equal(stats.pending, 5);
    uint64_t bytes = stats.pending_bytes;
    assert_true(bytes > 10 + 20 + 30 + 40 + 50 && stats.records == 0 && stats.bytes == 0);
    assert_int_equal(journal_refuses(seen.journal), ERR_ok);
    assert_int_equal(seen.count, 0);
    journal_dispatch(seen.journal, JOURNAL_ALL);
    assert_int_equal(seen.count, 0); /* nothing was submitted */
    journal_submit(seen.journal);
    journal_dispatch(seen.journal, JOURNAL_ALL);
    assert_int_equal(seen.count, 5);
    assert_int_equal(journal_pending(seen.journal), 0);
    journal_stats(seen.journal, &stats);
    assert_true(stats.state == JOURNAL_LIVE && !stats.full && stats.failed == 0);
    assert_int_equal(stats.records, 5);
    assert_int_equal(stats.bytes, bytes);
    assert_int_equal(stats.bytes_since_snapshot, bytes);
    assert_int_equal(stats.batches, 1);
    assert_true(stats.pending == 0 && stats.pending_bytes == 0 && stats.syncs == NULL);
    assert_int_equal(journal_committed(seen.journal), 5);
    seen_check(&seen, 1, 5, true);
    journal_close(seen.journal);

    struct seen again = {0};
    open_memory(&memory, &again);
    seen_check(&again, 1, 5, false);
    journal_stats(again.journal, &stats); /* what was replayed is not counted */
    assert_true(stats.records == 0 && stats.bytes == 0 && stats.bytes_since_snapshot == bytes);
    seen_propose(&again, 6, 60);
    journal_close(again.journal); /* drains */
    assert_int_equal(again.count, 6);

    struct seen third = {0};
    open_memory(&memory, &third);
    seen_check(&third, 1, 6, false);
    journal_close(third.journal);
    seen_release(&seen);
    seen_release(&again);
    seen_release(&third);
    journal_memory_release(&memory);
}

static void fails_the_nth_and_all_behind(void **state)
{
    (void)state;
    for (uint64_t n = 1; n <= 6; n++) {
        struct journal_memory memory = {0};
        struct seen seen = {0};
        open_memory(&memory, &seen);
        memory.fail_at = n;
        seen_propose(&seen, 1, 10);
        seen_propose(&seen, 2, 10);
        journal_submit(seen.journal);
        journal_dispatch(seen.journal, JOURNAL_ALL);
        size_t first = n <= 2 ? (size_t)n - 1 : 2;
        assert_int_equal(seen.count, first);
        assert_int_equal(seen.failed, 2 - first);
        for (int i = 3; i <= 5; i++)
            seen_propose(&seen, i, 10);
        journal_submit(seen.journal);
        seen_propose(&seen, 6, 10);
        journal_submit(seen.journal);
        journal_dispatch(seen.journal, JOURNAL_ALL);
        assert_int_equal(seen.count + seen.failed, 6);
        size_t want = n <= 2 ? first + 4 : (size_t)n - 1;
        assert_int_equal(seen.count, want);
        assert_int_equal(journal_committed(seen.journal), want);
        if (seen.failed > 0)
            assert_int_equal(seen.failures[0].why, ERR_disk_full);
        /* The numbers were given back: the next record takes the first free one. */
        seen_propose(&seen, 7, 10);
        journal_submit(seen.journal);
        journal_dispatch(seen.journal, JOURNAL_ALL);
        assert_int_equal(journal_committed(seen.journal), want + 1);
        journal_close(seen.journal);
        struct seen again = {0};
        open_memory(&memory, &again);
        assert_int_equal(again.count, want + 1);
        journal_close(again.journal);
        seen_release(&seen);
        seen_release(&again);
        journal_memory_release(&memory);
    }
}

/* A batch in pieces: in order, each once, also where its end fails and the next has been proposed.
 */
static void hands_out_in_pieces(void **state)
{
    (void)state;
    struct journal_memory memory = {0};
    struct seen seen = {0};
    open_memory(&memory, &seen);
    memory.fail_at = 5;
    for (int i = 1; i <= 6; i++)
        seen_propose(&seen, i, 10);
    journal_submit(seen.journal);
    assert_true(journal_dispatch(seen.journal, 1));
    assert_int_equal(seen.count, 1);
    assert_true(journal_dispatch(seen.journal, 0));
    assert_int_equal(seen.count, 1);
    seen_propose(&seen, 7, 10);
    journal_submit(seen.journal);
    assert_true(journal_dispatch(seen.journal, 2 * (FRAME_OVERHEAD + 10)));
    assert_int_equal(seen.count, 3);
    assert_int_equal(seen.failed, 0);
    assert_false(journal_dispatch(seen.journal, 1));
    assert_int_equal(seen.count, 4);
    assert_int_equal(seen.failed, 3);
    seen_check(&seen, 1, 4, true);
    seen_propose(&seen, 8, 10);
    journal_submit(seen.journal);
    assert_false(journal_dispatch(seen.journal, JOURNAL_ALL));
    assert_int_equal(journal_committed(seen.journal), 5);
    journal_close(seen.journal);
    seen_release(&seen);
    journal_memory_release(&memory);
}

static void proposes_inside_commit(void **state)
{
    (void)state;
    struct journal_memory memory = {0};
    struct seen seen = {.chain_until = 20};
    open_memory(&memory, &seen);
    seen_propose(&seen, 1, 10);
    for (int turn = 0; turn < 20; turn++) {
        journal_submit(seen.journal);
        journal_dispatch(seen.journal, JOURNAL_ALL);
    }
    assert_int_equal(seen.count, 20);
    journal_close(seen.journal);
    seen_release(&seen);
    journal_memory_release(&memory);
}

static void refuses_what_is_too_large(void **state)
{
    (void)state;
    struct journal_memory memory = {0};
    struct seen seen = {0};
    open_memory(&memory, &seen);
    assert_int_equal(seen_try(&seen, 1, (4u << 20) + 1), ERR_too_large);
    assert_int_equal(seen_try(&seen, 1, 4u << 20), ERR_ok);
    assert_int_equal(journal_pending(seen.journal), 1);
    journal_close(seen.journal);
    seen_release(&seen);
    journal_memory_release(&memory);
}

static void refuses_damage(void **state)
{
    (void)state;
    struct journal_memory memory = {0};
    struct seen seen = {0};
    open_memory(&memory, &seen);
    for (int i = 1; i <= 3; i++)
        seen_propose(&seen, i, 5 * i);
    journal_close(seen.journal);
    seen_release(&seen);
    for (size_t at = 0; at < memory.len; at++) {
        memory.bytes[at] ^= 1;
        struct seen again = {0};
        struct journal_hooks hooks = seen_hooks(&again);
        assert_int_equal(journal_open_memory(&memory, &hooks, &again.journal), ERR_damaged);
        assert_true(again.count < 3);
        seen_release(&again);
        memory.bytes[at] ^= 1;
    }
    journal_memory_release(&memory);
}

int main(void)
{
    crypto_init();
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(announces_what_comes),
        cmocka_unit_test(commits_in_order),
        cmocka_unit_test(fails_the_nth_and_all_behind),
        cmocka_unit_test(hands_out_in_pieces),
        cmocka_unit_test(proposes_inside_commit),
        cmocka_unit_test(refuses_what_is_too_large),
        cmocka_unit_test(refuses_damage),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
