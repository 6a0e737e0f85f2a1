#include "log/writer.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/crypto.h"
#include "base/diag.h"
#include "base/ensure.h"
#include "log/sys.h"

#define PROBE_LEN  4096
#define AGAIN_STEP (64u << 10)

static enum err failed(struct writer *w, const char *call)
{
    char name[SEGMENT_NAME_MAX];
    segment_name(w->header.first_seq, name);
    failure_set(&w->failure, call, name);
    w->failed = true;
    return ERR_read_only;
}

static void *prepare_run(void *arg)
{
    struct writer *w = arg;
    w->next_fd = segment_prepare(w->dir, w->next_size, w->direct, &w->stop, &w->next_failure);
    return NULL;
}

/* Starts to make the segment behind the current one. Where there is no thread to be had, it is
 * made when it is needed. */
static void prepare_start(struct writer *w)
{
    w->next_size = segment_size_next(w->header.size, w->segment_size, 0);
    w->preparing = sys_thread_start(&w->thread, prepare_run, w) == 0;
}

/* A prepared next segment that holds a record of `record_len` bytes. */
static enum err prepare_finish(struct writer *w, uint64_t record_len)
{
    if (w->preparing)
        pthread_join(w->thread, NULL);
    w->preparing = false;
    uint64_t size = segment_size_next(w->header.size, w->segment_size, record_len);
    if (w->next_fd >= 0 && w->next_size < size) {
        sys.close(w->next_fd);
        w->next_fd = -1;
    }
    if (w->next_fd < 0) {
        w->next_size = size;
        w->next_fd = segment_prepare(w->dir, size, w->direct, &w->stop, &w->next_failure);
    }
    if (w->next_fd >= 0)
        return ERR_ok;
    w->failure = w->next_failure;
    return ERR_disk_full;
}

static enum err write_manifest(struct writer *w)
{
    struct manifest m = {w->header.epoch, w->header.number, w->header.first_seq};
    enum err e = manifest_write(w->dir, &m, &w->failure);
    if (e == ERR_ok)
        w->manifest_due = false;
    w->failed = e == ERR_read_only;
    return e;
}

/* Goes on in the next segment, which will hold the record that waits. The order matters: the full
 * segment is on disk, then the new one has its name, then the manifest names it, then records go
 * there. After ERR_disk_full the same call goes on where it stopped. */
static enum err roll(struct writer *w)
{
    if (w->wanted > 0) {
        enum err e = writer_sync(w);
        if (e != ERR_ok)
            return e;
        e = prepare_finish(w, w->wanted);
        if (e != ERR_ok)
            return e;
        struct segment_header h = w->header;
        h.number++;
        h.first_seq = w->next_seq;
        h.size = w->next_size;
        h.chain = w->chain;
        e = segment_publish(w->dir, w->next_fd, &h, &w->failure);
        if (e == ERR_disk_full) {
            sys.close(w->next_fd);
            sys.unlink_at(w->dir, "next.tmp", 0);
            w->next_fd = -1;
        }
        w->failed = e == ERR_read_only;
        if (e != ERR_ok)
            return e;
        if (w->pages.fd >= 0)
            sys.close(w->pages.fd);
        /* At the start of a page nothing is read that could fail. */
        ENSURE(pages_start(&w->pages, w->next_fd, SEGMENT_HEADER_LEN, h.size) == 0);
        w->next_fd = -1;
        w->header = h;
        w->manifest_due = true;
        w->wanted = 0;
    }
    return w->manifest_due ? write_manifest(w) : ERR_ok;
}

/* Takes back `len` bytes behind the end. */
static enum err cut_back(struct writer *w, size_t len)
{
    if (len == 0)
        return ERR_disk_full;
    if (pages_clear(&w->pages, len) != 0)
        return failed(w, "taking back a write");
    if (sys_fdatasync(w->pages.fd) != 0)
        return failed(w, "fdatasync");
    return ERR_disk_full;
}

enum err writer_sync(struct writer *w)
{
    if (w->failed)
        return ERR_read_only;
    if (!w->dirty)
        return ERR_ok;
    uint64_t begun = clock_mono_ns();
    int rc = sys_fdatasync(w->pages.fd);
    timing_add(&w->syncs, clock_mono_ns() - begun);
    if (rc != 0)
        return failed(w, "fdatasync");
    w->dirty = false;
    w->synced_seq = w->next_seq;
    return ERR_ok;
}

/* Writes records that fit the current segment. */
static enum err write_part(struct writer *w, const uint8_t *p, size_t len, bool sync)
{
    size_t written = pages_append(&w->pages, p, len);
    if (written < len) {
        char name[SEGMENT_NAME_MAX];
        segment_name(w->header.first_seq, name);
        failure_set(&w->failure, "write", name);
        return cut_back(w, written);
    }
    w->dirty = true;
    return sync ? writer_sync(w) : ERR_ok;
}

/* How many bytes of whole records, of the `count` in `len`, fit into `room`; *records says how many
 * these are. Mostly it is all, and then none is looked at. */
static size_t fitting(const uint8_t *p, size_t len, uint32_t count, uint64_t room,
                      uint32_t *records)
{
    size_t at = 0;
    *records = count;
    if (len <= room)
        return len;
    for (*records = 0; *records < count; (*records)++) {
        size_t next = at + FRAME_OVERHEAD + frame_u32(p + at);
        if (next > room)
            break;
        at = next;
    }
    return at;
}

enum err writer_append(struct writer *w, const uint8_t *p, size_t len, uint32_t count, bool sync,
                       size_t *done)
{
    *done = 0;
    while (*done < len) {
        if (w->failed)
            return ERR_read_only;
        /* The mark of a clean close must always fit. */
        uint64_t room = w->pages.size - w->pages.at;
        uint32_t records;
        room = room < FRAME_HEADER_LEN ? 0 : room - FRAME_HEADER_LEN;
        size_t part = fitting(p + *done, len - *done, count, room, &records);
        if (part == 0 || w->manifest_due) {
            if (part == 0)
                w->wanted = FRAME_OVERHEAD + (uint64_t)frame_u32(p + *done);
            enum err e = roll(w);
            if (e != ERR_ok)
                return e;
            continue;
        }
        enum err e = write_part(w, p + *done, part, sync);
        if (e != ERR_ok)
            return e;
        *done += part;
        w->next_seq += records;
        count -= records;
        if (!w->dirty)
            w->synced_seq = w->next_seq;
        memcpy(w->chain.b, p + *done - FRAME_CHAIN_LEN, FRAME_CHAIN_LEN);
        if (w->pages.at > w->header.size / 2 && !w->preparing && w->next_fd < 0)
            prepare_start(w);
    }
    return ERR_ok;
}

enum err writer_probe(struct writer *w)
{
    if (w->failed)
        return ERR_read_only;
    if (w->wanted > 0 || w->manifest_due)
        return roll(w);
    uint64_t room = w->pages.size - w->pages.at;
    if (pages_clear(&w->pages, room < PROBE_LEN ? room : PROBE_LEN) != 0)
        return ERR_disk_full;
    w->dirty = true;
    return writer_sync(w);
}

/* Opens the last segment for going on behind its last record. */
static int open_pages(struct writer *w, const char *name, uint64_t end)
{
    int fd = pages_open_file(w->dir, name, O_RDWR, w->direct);
    if (fd < 0)
        return -1;
    if (pages_start(&w->pages, fd, end, w->header.size) == 0)
        return 0;
    int error = errno;
    sys.close(fd);
    errno = error;
    return -1;
}

/* The process before may have died between giving a file its name and syncing the directory; nobody
 * may write to a file whose name the next loss of power takes away. */
static enum err settle_names(struct writer *w, struct journal_report *report)
{
    if (sys_fsync(w->dir) == 0)
        return ERR_ok;
    failure_set(&w->failure, "fsync", ".");
    return recover_failed(report, &w->failure);
}

/*
 * Writes again what no record claims to have been on disk. Where a sync of the process before
 * failed, the system may show readers what it never wrote, take it for written, and let the next
 * sync succeed without it.
 */
static int write_again(int fd, uint64_t from, uint64_t to)
{
    uint8_t *p = xmalloc(AGAIN_STEP);
    int rc = 0;
    for (uint64_t at = from; at < to && rc == 0;) {
        size_t len = to - at < AGAIN_STEP ? (size_t)(to - at) : AGAIN_STEP;
        errno = EIO; /* the file became shorter under us */
        if (sys_read_full(fd, p, len, at) != (ssize_t)len || sys_write_full(fd, p, len, at) != len)
            rc = -1;
        at += len;
    }
    free(p);
    return rc;
}

/* Cuts the torn tail, and puts on disk what the process before may not have: it may have died
 * between a write and its sync, and the next record will say that all before it is on disk. */
static enum err settle_last(struct writer *w, const char *name, const struct recovered *r,
                            struct journal_report *report)
{
    enum err e = ERR_ok;
    int fd = sys_open_at(w->dir, name, O_RDWR, 0);
    if (fd < 0) {
        failure_set(&w->failure, "open", name);
        return recover_failed(report, &w->failure);
    }
    if (r->torn_end > 0)
        e = recover_cut(w->dir, fd, r, report);
    if (e == ERR_ok && write_again(fd, r->proven, r->end) != 0) {
        failure_set(&w->failure, "writing the newest batch again", name);
        e = recover_failed(report, &w->failure);
    }
    if (e == ERR_ok && sys_fdatasync(fd) != 0) {
        failure_set(&w->failure, "fdatasync", name);
        e = recover_failed(report, &w->failure);
    }
    sys.close(fd);
    return e;
}

static enum err open_last(struct writer *w, const struct recovered *r,
                          struct journal_report *report)
{
    char name[SEGMENT_NAME_MAX];
    segment_name(r->last.first_seq, name);
    enum err e = settle_last(w, name, r, report);
    if (e != ERR_ok)
        return e;
    w->header = r->last;
    /* A file that an older version made may end inside a page: none of that past the page cache. */
    w->direct = w->direct && w->header.size % PAGE_LEN == 0;
    int rc = open_pages(w, name, r->end);
    if (rc != 0 && errno == EINVAL && w->direct) {
        w->direct = false;
        rc = open_pages(w, name, r->end);
    }
    if (rc == 0)
        return ERR_ok;
    failure_set(&w->failure, "open", name);
    return recover_failed(report, &w->failure);
}

/* The first segment of a new journal: the header of a segment 0 that never was, then a roll. */
static enum err make_first(struct writer *w, struct journal_report *report)
{
    w->header.epoch = uuid_random();
    crypto_random(w->header.key.b, sizeof w->header.key.b);
    w->chain = frame_chain_start(w->header.epoch.b);
    w->wanted = FRAME_OVERHEAD;
    if (roll(w) != ERR_ok)
        return recover_failed(report, &w->failure);
    return ERR_ok;
}

enum err writer_init(struct writer *w, int dir, uint64_t segment_size, bool direct,
                     const struct recovered *r, struct journal_report *report)
{
    *w = (struct writer){.dir = dir, .segment_size = segment_size, .direct = direct, .next_fd = -1};
    w->pages.fd = -1;
    w->next_seq = r->next_seq;
    w->synced_seq = r->next_seq;
    w->chain = r->chain;
    /* What a crash left unfinished; where these are not there, so much the better. */
    sys.unlink_at(dir, "next.tmp", 0);
    sys.unlink_at(dir, "manifest.tmp", 0);
    sys.unlink_at(dir, "torn.tmp", 0);
    enum err e = r->last.number == 0 ? make_first(w, report) : settle_names(w, report);
    if (e == ERR_ok && r->last.number != 0)
        e = open_last(w, r, report);
    if (e == ERR_ok && r->last.number != 0 && r->manifest_stale && write_manifest(w) != ERR_ok)
        e = recover_failed(report, &w->failure);
    w->failed = e != ERR_ok; /* then a release writes nothing */
    return e;
}

static void leave_mark(struct writer *w)
{
    uint8_t mark[FRAME_HEADER_LEN];
    struct frame_header h = {.seq = w->next_seq};
    if (w->pages.size - w->pages.at < sizeof mark)
        return;
    frame_header_encode(&h, &w->header.key, mark);
    if (pages_append(&w->pages, mark, sizeof mark) != sizeof mark ||
        sys_fdatasync(w->pages.fd) != 0)
        diag_warn("journal: the mark of a clean close could not be written; the next start may "
                  "report a torn tail of a few bytes");
}

void writer_release(struct writer *w)
{
    if (w->preparing) {
        atomic_store(&w->stop, true);
        pthread_join(w->thread, NULL);
        w->preparing = false;
    }
    if (w->next_fd >= 0) {
        sys.close(w->next_fd);
        sys.unlink_at(w->dir, "next.tmp", 0);
        w->next_fd = -1;
    }
    if (w->pages.fd >= 0) {
        if (writer_sync(w) == ERR_ok && !w->manifest_due)
            leave_mark(w);
        sys.close(w->pages.fd);
    }
    pages_release(&w->pages);
}
