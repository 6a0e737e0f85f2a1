/*
 * seen: what the hooks of a journal heard, for the tests of this room.
 *
 * Record i of a test has type i, a payload of i's bytes, and as its ticket the address of
 * seen_tickets[i]; so a record that comes back says which one it was.
 */
#ifndef TESTS_UNIT_LOG_SEEN_H
#define TESTS_UNIT_LOG_SEEN_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "log/journal.h"

#define SEEN_MAX 4096

struct seen {
    struct journal *journal;
    size_t count;  /* records committed or replayed */
    size_t failed; /* proposals failed */
    uint64_t last_seq;
    bool raw;        /* payloads are not the ones described above */
    int chain_until; /* on_commit of record i proposes i + 1, up to this one */
    struct {
        int id;
        uint64_t seq;
        uint32_t len;
        bool ticketed;
    } * records;
    struct {
        int id;
        enum err why;
    } * failures;
};

static char seen_tickets[SEEN_MAX];

static inline uint8_t seen_byte(int id, size_t at)
{
    return (uint8_t)((size_t)id * 31 + at * 7 + (at >> 8));
}

static inline enum err seen_try(struct seen *s, int id, size_t len)
{
    uint8_t small[512], *p = len <= sizeof small ? small : malloc(len);
    assert_non_null(p);
    assert_in_range(id, 1, SEEN_MAX - 1);
    for (size_t i = 0; i < len; i++)
        p[i] = seen_byte(id, i);
    enum err e = journal_propose(s->journal, (uint16_t)id, bytes_of(p, len), &seen_tickets[id]);
    if (p != small)
        free(p);
    return e;
}

static inline void seen_propose(struct seen *s, int id, size_t len)
{
    assert_int_equal(seen_try(s, id, len), ERR_ok);
}

static inline void seen_on_commit(void *ctx, const struct journal_record *record, void *ticket)
{
    struct seen *s = ctx;
    assert_int_equal(record->seq, s->last_seq + 1);
    assert_true(s->count < SEEN_MAX);
    int id = record->type;
    for (size_t i = 0; i < record->payload.len && !s->raw; i++)
        if (record->payload.p[i] != seen_byte(id, i))
            fail_msg("record %d: byte %zu differs", id, i);
    if (ticket)
        assert_ptr_equal(ticket, &seen_tickets[id]);
    if (!s->records)
        s->records = calloc(SEEN_MAX, sizeof *s->records);
    s->records[s->count].id = id;
    s->records[s->count].seq = record->seq;
    s->records[s->count].len = (uint32_t)record->payload.len;
    s->records[s->count].ticketed = ticket != NULL;
    s->count++;
    s->last_seq = record->seq;
    if (ticket && id < s->chain_until)
        seen_propose(s, id + 1, record->payload.len + 1);
}

static inline void seen_on_fail(void *ctx, void *ticket, enum err why)
{
    struct seen *s = ctx;
    assert_true(s->failed < SEEN_MAX);
    if (!s->failures)
        s->failures = calloc(SEEN_MAX, sizeof *s->failures);
    s->failures[s->failed].id = (int)((char *)ticket - seen_tickets);
    s->failures[s->failed].why = why;
    s->failed++;
}

static inline struct journal_hooks seen_hooks(struct seen *s)
{
    return (struct journal_hooks){.ctx = s, .on_commit = seen_on_commit, .on_fail = seen_on_fail};
}

/* Records first..last, and nothing else, were heard, each under its own number. */
static inline void seen_check(const struct seen *s, int first, int last, bool ticketed)
{
    assert_int_equal(s->count, last - first + 1);
    for (size_t i = 0; i < s->count; i++) {
        assert_int_equal(s->records[i].id, first + (int)i);
        assert_int_equal(s->records[i].seq, (uint64_t)first + i);
        assert_int_equal(s->records[i].ticketed, ticketed);
    }
}

static inline void seen_release(struct seen *s)
{
    free(s->records);
    free(s->failures);
    *s = (struct seen){0};
}

#endif
