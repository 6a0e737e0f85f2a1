#include "tools/copy.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/crypto.h"
#include "base/ensure.h"
#include "log/segment.h"
#include "tools/out.h"
#include "tools/renew.h"

#define TRIES_MAX 8
#define COPY_STEP (1u << 20)
#define KEY_NAME  "key"
#define KEY_MAX   4096

/* A file of the journal, open for reading. */
struct source {
    char name[SCAN_NAME_MAX];
    int fd;
    uint64_t keep; /* bytes to copy */
    uint64_t size; /* of the file, zeros behind `keep` */
};

struct copy {
    const struct copy_order *order;
    struct copy_result *result;
    struct scan scan;
    int from_dir;     /* the data directory */
    int from_journal; /* its journal */
    struct buf manifest;
    struct buf key;
    struct source *sources;
    size_t source_count;
    /* where it goes; what was made there is removed after a failure */
    char path[PATH_MAX]; /* `to`, or `to`.partial where `to` is not there yet */
    bool in_place;
    bool made;
    int to_dir;
    int to_journal;
};

static enum exit_code failed(const struct copy *c, const char *what, const char *name)
{
    return out_error(c->order->json, EXIT_FAILED, "cannot %s %s: %s", what, name, strerror(errno));
}

/* ---- the source ---------------------------------------------------------------------------- */

static void close_fd(int *fd)
{
    if (*fd >= 0)
        close(*fd);
    *fd = -1;
}

static void close_sources(struct copy *c)
{
    for (size_t i = 0; i < c->source_count; i++)
        close_fd(&c->sources[i].fd);
    free(c->sources);
    c->sources = NULL;
    c->source_count = 0;
}

/* Reads a small file whole. False with errno. */
static bool slurp(int dir, const char *name, struct buf *out)
{
    int fd = openat(dir, name, O_RDONLY | O_CLOEXEC);
    ssize_t n = -1;
    if (fd < 0)
        return false;
    buf_reset(out);
    buf_reserve(out, KEY_MAX);
    do
        n = read(fd, out->p, KEY_MAX);
    while (n < 0 && errno == EINTR);
    int saved = errno;
    close(fd);
    errno = saved;
    out->len = n > 0 ? (size_t)n : 0;
    return n >= 0;
}

static bool add_source(struct copy *c, const char *name, uint64_t keep, uint64_t size)
{
    struct source s = {
        .fd = openat(c->from_journal, name, O_RDONLY | O_CLOEXEC), .keep = keep, .size = size};
    if (s.fd < 0)
        return false;
    (void)snprintf(s.name, sizeof s.name, "%s", name);
    c->sources = xrealloc(c->sources, (c->source_count + 1) * sizeof *c->sources);
    c->sources[c->source_count++] = s;
    return true;
}

/* Opens what the scan has seen: snapshots that are whole and not ahead of the records, segments. */
static bool open_sources(struct copy *c)
{
    const struct scan *s = &c->scan;
    ENSURE(s->segments || s->segment_count == 0);
    const struct scan_segment *last =
        s->segment_count > 0 ? &s->segments[s->segment_count - 1] : NULL;
    uint64_t end = last ? last->first_seq + last->records : 1;
    for (size_t i = 0; i < s->snapshot_count; i++) {
        const struct scan_snapshot *snap = &s->snapshots[i];
        if (!snap->whole || snap->seq >= end)
            continue;
        if (!add_source(c, snap->name, snap->size, snap->size))
            return false;
        c->result->snapshots++;
    }
    for (size_t i = 0; i < s->segment_count; i++) {
        const struct scan_segment *seg = &s->segments[i];
        if (!add_source(c, seg->name, seg->used, seg->size))
            return false;
    }
    c->result->records = s->records;
    c->result->last_seq = end - 1;
    return true;
}

/* One try. *again: a server deleted a file between the scan and the opening. */
static enum exit_code gather_once(struct copy *c, bool *again)
{
    const struct copy_order *o = c->order;
    *again = false;
    *c->result = (struct copy_result){0};
    if (!slurp(c->from_journal, "manifest", &c->manifest) && errno != ENOENT)
        return failed(c, "read the manifest of", o->from);
    enum exit_code code = scan_open(&c->scan, o->from, o->json);
    if (code == EXIT_FAILED)
        return code;
    if (c->scan.err == ERR_damaged)
        return out_error(o->json, EXIT_DAMAGED, "%s", c->scan.report.damage);
    if (open_sources(c))
        return EXIT_FINE;
    *again = errno == ENOENT;
    return *again ? EXIT_FINE : failed(c, "open the files of", o->from);
}

static enum exit_code gather(struct copy *c)
{
    char why[PATH_MAX + 128];
    const struct copy_order *o = c->order;
    if (!scan_find(o->from, c->scan.dir, why, sizeof why))
        return out_error(o->json, EXIT_FAILED, "%s", why);
    c->from_dir = open(c->scan.dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    c->from_journal =
        c->from_dir < 0 ? -1 : openat(c->from_dir, JOURNAL_DIR, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (c->from_journal < 0)
        return failed(c, "open", o->from);
    if (!slurp(c->from_dir, KEY_NAME, &c->key))
        return failed(c, "read the signing key of", o->from);
    for (int tries = 1; tries <= TRIES_MAX; tries++) {
        bool again;
        enum exit_code code = gather_once(c, &again);
        if (!again)
            return code;
        close_sources(c);
        scan_release(&c->scan);
        c->scan = (struct scan){0};
    }
    return out_error(o->json, EXIT_FAILED,
                     "files of %s were deleted each time when they were to "
                     "be opened; try again",
                     o->from);
}

/* ---- the target ---------------------------------------------------------------------------- */

static bool is_empty(int dir)
{
    int fd = openat(dir, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *list = fd >= 0 ? fdopendir(fd) : NULL;
    const struct dirent *entry;
    bool empty = list != NULL;
    if (!list)
        return false;
    while ((entry = readdir(list)) != NULL)
        if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0)
            empty = false;
    closedir(list);
    return empty;
}

/* Decides where to write, and makes the directories there. */
static enum exit_code make_target(struct copy *c)
{
    const struct copy_order *o = c->order;
    struct stat st;
    bool there = lstat(o->to, &st) == 0;
    size_t len = strlen(o->to);
    while (len > 1 && o->to[len - 1] == '/')
        len--;
    c->in_place = there && o->into_empty;
    if (there && !o->into_empty)
        return out_error(o->json, EXIT_FAILED, "%s is there already", o->to);
    int n =
        snprintf(c->path, sizeof c->path, "%.*s%s", (int)len, o->to, c->in_place ? "" : ".partial");
    if (n < 0 || (size_t)n >= sizeof c->path)
        return out_error(o->json, EXIT_FAILED, "%.100s…: the name is too long", o->to);
    if (!c->in_place && mkdir(c->path, 0700) != 0)
        return errno == EEXIST ? out_error(o->json, EXIT_FAILED,
                                           "%s is there, left unfinished: remove it first", c->path)
                               : failed(c, "make", c->path);
    c->made = !c->in_place;
    c->to_dir = open(c->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (c->to_dir < 0)
        return failed(c, "open", c->path);
    if (c->in_place && !is_empty(c->to_dir))
        return out_error(o->json, EXIT_FAILED, "%s is not empty", o->to);
    c->made = true;
    if (mkdirat(c->to_dir, JOURNAL_DIR, 0700) != 0)
        return failed(c, "make the journal of", c->path);
    c->to_journal = openat(c->to_dir, JOURNAL_DIR, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    return c->to_journal < 0 ? failed(c, "open the journal of", c->path) : EXIT_FINE;
}

static bool write_all(int fd, const uint8_t *p, size_t len)
{
    while (len > 0) {
        ssize_t n = write(fd, p, len);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return false;
        p += n;
        len -= (size_t)n;
    }
    return true;
}

static bool write_file(int dir, const char *name, const struct buf *content)
{
    int fd = openat(dir, name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (fd < 0)
        return false;
    bool ok = write_all(fd, content->p, content->len) && fsync(fd) == 0;
    int saved = errno;
    close(fd);
    errno = saved;
    return ok;
}

/* Copies the bytes that count; the file's length is the source's. */
static bool copy_bytes(const struct source *s, int to)
{
    uint8_t *p = xmalloc(COPY_STEP);
    bool ok = true;
    for (uint64_t at = 0; ok && at < s->keep;) {
        size_t len = s->keep - at < COPY_STEP ? (size_t)(s->keep - at) : COPY_STEP;
        ssize_t n = pread(s->fd, p, len, (off_t)at);
        if (n < 0 && errno == EINTR)
            continue;
        if (n == 0)
            errno = EIO; /* shorter than it was */
        ok = n > 0 && write_all(to, p, (size_t)n);
        at += n > 0 ? (uint64_t)n : 0;
    }
    free(p);
    return ok && ftruncate(to, (off_t)s->size) == 0 && fsync(to) == 0;
}

static enum exit_code copy_source(struct copy *c, const struct source *s)
{
    int to = openat(c->to_journal, s->name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    bool ok = to >= 0 && copy_bytes(s, to);
    int saved = errno;
    close_fd(&to);
    errno = saved;
    if (!ok)
        return failed(c, "copy", s->name);
    c->result->files++;
    c->result->bytes += s->keep;
    return EXIT_FINE;
}

/* The manifest comes last: without it a server refuses what is there. */
static enum exit_code fill_target(struct copy *c)
{
    enum exit_code code = EXIT_FINE;
    for (size_t i = 0; i < c->source_count && code == EXIT_FINE; i++)
        code = copy_source(c, &c->sources[i]);
    if (code != EXIT_FINE)
        return code;
    if (!write_file(c->to_dir, KEY_NAME, &c->key))
        return failed(c, "copy", KEY_NAME);
    if (fsync(c->to_journal) != 0)
        return failed(c, "sync", c->path);
    if (c->manifest.len > 0 && !write_file(c->to_journal, "manifest", &c->manifest))
        return failed(c, "copy", "manifest");
    c->result->files += 1 + (c->manifest.len > 0);
    c->result->bytes += c->key.len + c->manifest.len;
    if (fsync(c->to_journal) != 0 || fsync(c->to_dir) != 0)
        return failed(c, "sync", c->path);
    return EXIT_FINE;
}

/* What is told from now on is not what was told behind the backup. */
static enum exit_code renew(const struct copy *c)
{
    const struct scan *s = &c->scan;
    uint64_t size = s->segment_count > 0 ? s->segments[s->segment_count - 1].size : 0;
    if (!c->order->renew)
        return EXIT_FINE;
    enum exit_code code = renew_epoch(c->path, size, c->order->json, &c->result->epoch);
    if (code == EXIT_FINE) {
        c->result->records++;
        c->result->last_seq++;
    }
    return code;
}

/* Reads the copy as a start would. */
static enum exit_code check_target(const struct copy *c)
{
    struct scan s = {0};
    enum exit_code code = scan_open(&s, c->path, c->order->json);
    if (code == EXIT_DAMAGED)
        out_error(c->order->json, EXIT_FAILED, "the copy is not whole: %s", scan_damage(&s));
    else if (code == EXIT_FINE && (s.records != c->result->records ||
                                   (s.records > 0 && s.last_seq != c->result->last_seq)))
        code = out_error(c->order->json, EXIT_FAILED,
                         "the copy holds %llu records where there were %llu",
                         (unsigned long long)s.records, (unsigned long long)c->result->records);
    scan_release(&s);
    return code == EXIT_DAMAGED ? EXIT_FAILED : code;
}

/* Gives the finished copy its name. */
static enum exit_code publish(const struct copy *c)
{
    char parent[PATH_MAX];
    if (c->in_place)
        return EXIT_FINE;
    if (rename(c->path, c->order->to) != 0)
        return failed(c, "make", c->order->to);
    (void)snprintf(parent, sizeof parent, "%s", c->path);
    char *slash = strrchr(parent, '/');
    if (slash)
        slash[slash == parent] = '\0';
    int fd = open(slash ? parent : ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    bool ok = fd >= 0 && fsync(fd) == 0;
    int saved = errno;
    close_fd(&fd);
    errno = saved;
    return ok ? EXIT_FINE : failed(c, "sync the directory of", c->order->to);
}

/* What a copy has, and what was added to it. */
static void remove_files(int dir)
{
    const struct dirent *entry;
    int fd = openat(dir, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *list = fd >= 0 ? fdopendir(fd) : NULL;
    if (!list)
        return;
    while ((entry = readdir(list)) != NULL)
        (void)unlinkat(dir, entry->d_name, 0); /* its two directories stay */
    closedir(list);
}

/* Takes away what was made, after a failure. */
static void unmake(const struct copy *c)
{
    if (!c->made)
        return;
    if (c->to_journal >= 0)
        remove_files(c->to_journal);
    if (c->to_dir >= 0) {
        (void)unlinkat(c->to_dir, KEY_NAME, 0);
        (void)unlinkat(c->to_dir, JOURNAL_DIR, AT_REMOVEDIR);
    }
    if (!c->in_place)
        (void)rmdir(c->path);
}

/* ---- all of it ----------------------------------------------------------------------------- */

enum exit_code copy_data_dir(const struct copy_order *order, struct copy_result *result)
{
    struct copy c = {.order = order,
                     .result = result,
                     .from_dir = -1,
                     .from_journal = -1,
                     .to_dir = -1,
                     .to_journal = -1};
    enum exit_code code = gather(&c);
    if (code == EXIT_FINE)
        code = make_target(&c);
    if (code == EXIT_FINE)
        code = fill_target(&c);
    if (code == EXIT_FINE)
        code = renew(&c);
    if (code == EXIT_FINE)
        code = check_target(&c);
    if (code == EXIT_FINE)
        code = publish(&c);
    if (code != EXIT_FINE)
        unmake(&c);
    close_sources(&c);
    scan_release(&c.scan);
    buf_release(&c.manifest);
    crypto_wipe(c.key.p, c.key.len);
    buf_release(&c.key);
    close_fd(&c.from_dir);
    close_fd(&c.from_journal);
    close_fd(&c.to_dir);
    close_fd(&c.to_journal);
    return code;
}

void copy_print(const struct copy_order *o, const struct copy_result *r)
{
    struct buf b = {0};
    char epoch[UUID_TEXT_LEN + 1] = "";
    uuid_format(&r->epoch, epoch);
    if (!o->json) {
        out_say("%s: %llu files, %llu bytes, %zu snapshots, up to record %llu%s%s", o->to,
                (unsigned long long)r->files, (unsigned long long)r->bytes, r->snapshots,
                (unsigned long long)r->last_seq, o->renew ? ", which gives it the epoch " : "",
                o->renew ? epoch : "");
        return;
    }
    out_open(&b, NULL, '{');
    out_cstr(&b, "result", "fine");
    out_cstr(&b, "directory", o->to);
    out_uint(&b, "files", r->files);
    out_uint(&b, "bytes", r->bytes);
    out_uint(&b, "snapshots", r->snapshots);
    out_uint(&b, "records", r->records);
    out_uint(&b, "last_seq", r->last_seq);
    if (o->renew)
        out_cstr(&b, "epoch", epoch);
    out_close(&b, '}');
    out_line(&b);
    buf_release(&b);
}
