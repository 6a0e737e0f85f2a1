/*
 * seen: what the hooks of a journal heard, for the tests of this room.
 *
 * Record i of a test has type i, a payload of i's bytes, and as its ticket the address of
 * seen_tickets[i]; so a record that comes back says which one it was. A snapshot holds a record of
 * the same type for each that was seen, with its number and length.
 */
#ifndef TESTS_UNIT_LOG_SEEN_H
#define TESTS_UNIT_LOG_SEEN_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "log/frame.h"
#include "log/journal.h"

#define SEEN_MAX 4096

struct seen {
    struct journal *journal;
    size_t count;  /* records committed or replayed */
    size_t failed; /* proposals failed */
    uint64_t last_seq;
    bool raw;      /* payloads are not the ones described above */
    size_t loaded; /* of the records, from a snapshot */
    int resets;
    struct {
        int count; /* snapshots that ended */
        enum err err;
        uint64_t seq;
        uint64_t bytes;
        char why[256];
    } ended;
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

static inline void seen_add(struct seen *s, int id, uint32_t len, bool ticketed)
{
    assert_true(s->count < SEEN_MAX);
    if (!s->records)
        s->records = calloc(SEEN_MAX, sizeof *s->records);
    s->records[s->count].id = id;
    s->records[s->count].seq = ++s->last_seq;
    s->records[s->count].len = len;
    s->records[s->count].ticketed = ticketed;
    s->count++;
}

static inline void seen_on_commit(void *ctx, const struct journal_record *record, void *ticket)
{
    struct seen *s = ctx;
    assert_int_equal(record->seq, s->last_seq + 1);
    int id = record->type;
    for (size_t i = 0; i < record->payload.len && !s->raw; i++)
        if (record->payload.p[i] != seen_byte(id, i))
            fail_msg("record %d: byte %zu differs", id, i);
    if (ticket)
        assert_ptr_equal(ticket, &seen_tickets[id]);
    seen_add(s, id, (uint32_t)record->payload.len, ticket != NULL);
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

static inline bool seen_on_load(void *ctx, uint16_t type, struct bytes payload)
{
    struct seen *s = ctx;
    if (payload.len < 12 || frame_u64(payload.p) != s->last_seq + 1 || s->count >= SEEN_MAX - 1)
        return false;
    seen_add(s, type, frame_u32(payload.p + 8), false);
    s->loaded++;
    return true;
}

static inline bool seen_on_loaded(void *ctx, uint64_t seq)
{
    const struct seen *s = ctx;
    return s->last_seq == seq;
}

static inline void seen_on_reset(void *ctx)
{
    struct seen *s = ctx;
    s->count = s->loaded = 0;
    s->last_seq = 0;
    s->resets++;
}

static inline void seen_on_save(void *ctx, struct snapshot_writer *w)
{
    const struct seen *s = ctx;
    for (size_t i = 0; i < s->count; i++) {
        uint8_t p[64] = {0}; /* more than is needed, so that a few make a file of some size */
        memcpy(p, &s->records[i].seq, 8);
        memcpy(p + 8, &s->records[i].len, 4);
        snapshot_add(w, (uint16_t)s->records[i].id, bytes_of(p, 12 + s->records[i].len % 50));
    }
}

static inline void seen_on_snapshot(void *ctx, enum err err, uint64_t seq, uint64_t bytes,
                                    const char *why)
{
    struct seen *s = ctx;
    s->ended.count++;
    s->ended.err = err;
    s->ended.seq = seq;
    s->ended.bytes = bytes;
    snprintf(s->ended.why, sizeof s->ended.why, "%s", why);
}

static inline struct journal_hooks seen_hooks(struct seen *s)
{
    return (struct journal_hooks){
        .ctx = s,
        .on_commit = seen_on_commit,
        .on_fail = seen_on_fail,
        .on_load = seen_on_load,
        .on_loaded = seen_on_loaded,
        .on_reset = seen_on_reset,
        .on_save = seen_on_save,
        .on_snapshot = seen_on_snapshot,
    };
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
