/* kept: a journal with snapshots, for the tests of what is kept of it. */
#ifndef TESTS_UNIT_LOG_KEPT_H
#define TESTS_UNIT_LOG_KEPT_H

#include "tests/unit/log/dir.h"

#define SEGMENT 65536

static inline void names_are(const struct data_dir *d, const char *names)
{
    char found[1024];
    dir_names(d, found, sizeof found);
    assert_string_equal(found, names);
}

/* Proposes `count` records of `len` bytes and waits for them. */
static inline void add(struct seen *s, int count, size_t len)
{
    int id = (int)s->count + 1;
    for (int i = 0; i < count; i++)
        seen_propose(s, id + i, len);
    seen_flush(s);
}

static inline void snapshot(struct seen *s)
{
    seen_snapshot(s);
    assert_int_equal(s->ended.err, ERR_ok);
    assert_string_equal(s->ended.why, "");
    assert_int_equal(s->ended.seq, s->count);
}

/* So many snapshots, each behind ten records, which are six to a segment. */
static inline void add_snapshots(struct seen *s, int count)
{
    for (int i = 0; i < count; i++) {
        add(s, 10, 10000);
        snapshot(s);
    }
}

static inline void flip(const struct data_dir *d, const char *name, size_t at)
{
    struct files f = dir_read(d);
    struct file *file = files_find(&f, name);
    assert_non_null(file);
    file->p[at] ^= 1;
    dir_put(d, name, file->p, file->len);
    files_free(&f);
}

#endif
