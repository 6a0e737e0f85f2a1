/*
 * dir: data directories for the tests of this room, in memory where the machine has /dev/shm.
 */
#ifndef TESTS_UNIT_LOG_DIR_H
#define TESTS_UNIT_LOG_DIR_H

#include <dirent.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "log/segment.h"
#include "tests/await.h"
#include "tests/unit/log/seen.h"

#define FILES_MAX 64

/* The files of a journal directory, held in memory. */
struct files {
    size_t count;
    struct file {
        char name[80];
        uint8_t *p;
        size_t len;
    } list[FILES_MAX];
};

struct data_dir {
    char path[64];
};

static inline struct data_dir dir_new(void)
{
    struct data_dir d;
    snprintf(d.path, sizeof d.path, "/dev/shm/test-log-XXXXXX");
    if (!mkdtemp(d.path)) {
        snprintf(d.path, sizeof d.path, "/tmp/test-log-XXXXXX");
        assert_non_null(mkdtemp(d.path));
    }
    return d;
}

static inline int dir_open(const struct data_dir *d)
{
    char path[96];
    snprintf(path, sizeof path, "%s/journal", d->path);
    int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    assert_true(fd >= 0);
    return fd;
}

/* Removes every file of the journal. */
static inline void dir_empty(const struct data_dir *d)
{
    char path[96];
    snprintf(path, sizeof path, "%s/journal", d->path);
    DIR *list = opendir(path);
    if (!list)
        return;
    struct dirent *e;
    while ((e = readdir(list)) != NULL)
        if (e->d_name[0] != '.')
            assert_int_equal(unlinkat(dirfd(list), e->d_name, 0), 0);
    closedir(list);
}

static inline void dir_free(const struct data_dir *d)
{
    char path[96];
    dir_empty(d);
    snprintf(path, sizeof path, "%s/journal", d->path);
    rmdir(path);
    assert_int_equal(rmdir(d->path), 0);
}

static inline int files_compare(const void *a, const void *b)
{
    return strcmp(((const struct file *)a)->name, ((const struct file *)b)->name);
}

/* Reads every file of the journal. */
static inline struct files dir_read(const struct data_dir *d)
{
    struct files f = {0};
    DIR *list = fdopendir(dir_open(d));
    assert_non_null(list);
    struct dirent *e;
    while ((e = readdir(list)) != NULL) {
        if (e->d_name[0] == '.')
            continue;
        assert_true(f.count < FILES_MAX);
        struct file *file = &f.list[f.count++];
        struct stat st;
        int fd = openat(dirfd(list), e->d_name, O_RDONLY | O_CLOEXEC);
        assert_true(fd >= 0);
        assert_int_equal(fstat(fd, &st), 0);
        snprintf(file->name, sizeof file->name, "%.79s", e->d_name);
        file->len = (size_t)st.st_size;
        file->p = malloc(file->len + 1);
        assert_non_null(file->p);
        assert_int_equal(read(fd, file->p, file->len), file->len);
        close(fd);
    }
    closedir(list);
    qsort(f.list, f.count, sizeof f.list[0], files_compare);
    return f;
}

static inline void dir_put(const struct data_dir *d, const char *name, const uint8_t *p, size_t len)
{
    int dir = dir_open(d);
    int fd = openat(dir, name, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, p, len), len);
    close(fd);
    close(dir);
}

/* Makes the journal hold these files and no others. */
static inline void dir_write(const struct data_dir *d, const struct files *f)
{
    char path[96];
    snprintf(path, sizeof path, "%s/journal", d->path);
    mkdir(path, 0700);
    dir_empty(d);
    for (size_t i = 0; i < f->count; i++)
        dir_put(d, f->list[i].name, f->list[i].p, f->list[i].len);
}

static inline void files_free(struct files *f)
{
    for (size_t i = 0; i < f->count; i++)
        free(f->list[i].p);
    *f = (struct files){0};
}

static inline bool files_equal(const struct files *a, const struct files *b)
{
    if (a->count != b->count)
        return false;
    for (size_t i = 0; i < a->count; i++)
        if (strcmp(a->list[i].name, b->list[i].name) != 0 || a->list[i].len != b->list[i].len ||
            memcmp(a->list[i].p, b->list[i].p, a->list[i].len) != 0)
            return false;
    return true;
}

static inline struct file *files_find(struct files *f, const char *name)
{
    for (size_t i = 0; i < f->count; i++)
        if (strcmp(f->list[i].name, name) == 0)
            return &f->list[i];
    return NULL;
}

/* The newest segment. */
static inline struct file *files_last(struct files *f)
{
    struct file *last = NULL;
    uint64_t first_seq;
    for (size_t i = 0; i < f->count; i++)
        if (segment_name_parse(f->list[i].name, &first_seq))
            last = &f->list[i];
    assert_non_null(last);
    return last;
}

/* The offset behind the last byte that is not zero. */
static inline size_t file_used(const struct file *f)
{
    size_t end = f->len;
    while (end > 0 && f->p[end - 1] == 0)
        end--;
    return end;
}

static inline struct journal_options dir_options(const struct data_dir *d, uint64_t segment_size)
{
    return (struct journal_options){.dir = d->path, .segment_size = segment_size};
}

static inline enum err dir_try(const struct data_dir *d, uint64_t segment_size, struct seen *s,
                               struct journal_report *report)
{
    struct journal_options o = dir_options(d, segment_size);
    struct journal_hooks hooks = seen_hooks(s);
    return journal_open_files(&o, &hooks, report, &s->journal);
}

static inline void dir_start(const struct data_dir *d, uint64_t segment_size, struct seen *s)
{
    struct journal_report report;
    enum err e = dir_try(d, segment_size, s, &report);
    if (e != ERR_ok)
        fail_msg("%s: %s", err_code(e), report.damage);
    assert_string_equal(report.torn_tail, "");
}

/* Waits for the disk thread and dispatches, once. */
static inline void seen_turn(struct seen *s)
{
    AWAIT_READABLE(journal_fd(s->journal));
    journal_dispatch(s->journal, JOURNAL_ALL);
}

static inline void seen_submit_turn(struct seen *s)
{
    journal_submit(s->journal);
    seen_turn(s);
}

/* Submits and dispatches until nothing waits. */
static inline void seen_flush(struct seen *s)
{
    AWAIT_BY(seen_submit_turn(s), journal_pending(s->journal) == 0);
}

/* Writes a snapshot and waits for its end, however it ends. */
static inline void seen_snapshot(struct seen *s)
{
    int ended = s->ended.count;
    assert_int_equal(journal_snapshot(s->journal), ERR_ok);
    AWAIT_BY(seen_turn(s), s->ended.count > ended);
}

/* The names, one behind the other, without their zeros and without the next segment, which a thread
 * makes when it likes. */
static inline void dir_names(const struct data_dir *d, char *out, size_t size)
{
    struct files f = dir_read(d);
    out[0] = '\0';
    for (size_t i = 0; i < f.count; i++) {
        const char *name = f.list[i].name;
        if (strcmp(name, "next.tmp") == 0)
            continue;
        while (*name == '0')
            name++;
        size_t len = strlen(out);
        snprintf(out + len, size - len, "%s%s", len > 0 ? " " : "", name);
    }
    files_free(&f);
}

#endif
