#include "log/recover.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/diag.h"
#include "base/ensure.h"
#include "log/marks.h"
#include "log/relay.h"
#include "log/sys.h"
#include "log/window.h"

#define BLOCK_LEN 4096
#define TRIES_MAX 8

struct reader {
    int dir;
    bool running;
    bool again; /* a file that is missing may be one that the running server deletes just now */
    const struct journal_hooks *hooks;
    struct journal_report *report;
    bool have_manifest;
    struct manifest manifest;
    struct marks marks;
    size_t mark;       /* the next one that the chain must pass */
    uint64_t mark_seq; /* of it; 0: none */
    uint64_t base_seq; /* what was loaded; records up to it are checked and not handed on */
    struct window window;
    struct relay relay;         /* what lies in the window */
    uint64_t segment, segments; /* this one is the first, second, ... of so many */
    /* the segment being read */
    int fd;
    uint64_t size;
    bool last;
    char name[SEGMENT_NAME_MAX];
    struct segment_header header;
    /* where the next record must be, and what it must be */
    uint64_t at;
    uint64_t next_seq;
    struct frame_chain chain;
    uint64_t proven;     /* what is before it was on disk, as a record behind it says */
    uint64_t retried_at; /* running: the hole that was read again already */
};

/* What lies behind the last good record. */
struct tail {
    uint64_t nonzero_end; /* behind the last byte that is not zero; 0 where all are */
    bool witnessed;       /* a header says that the record at the hole was on disk: */
    uint64_t witness_at;  /*   where it is, */
    uint64_t witness_seq; /*   and which record it begins */
};

enum verdict { VERDICT_END, VERDICT_TORN, VERDICT_DAMAGE };

static __attribute__((format(printf, 4, 5))) enum err
damage(const struct reader *r, const char *name, uint64_t offset, const char *format, ...)
{
    char what[384];
    va_list args;
    va_start(args, format);
    vsnprintf(what, sizeof what, format, args);
    va_end(args);
    snprintf(r->report->damage_file, sizeof r->report->damage_file, "%s", name);
    r->report->damage_at = offset;
    r->report->damage_seq = r->next_seq;
    snprintf(r->report->damage, sizeof r->report->damage,
             "%s/%s, offset %llu: %s. This is not what a crash leaves: the files were changed, "
             "moved or lost from outside. Nothing was changed now; put the directory's files back "
             "as they were, or restore them all from one backup.",
             JOURNAL_DIR, name, (unsigned long long)offset, what);
    return ERR_damaged;
}

enum err recover_failed(struct journal_report *report, const struct failure *f)
{
    snprintf(report->damage, sizeof report->damage, "%s", f->text);
    return f->error == ENOSPC || f->error == EDQUOT ? ERR_disk_full : ERR_io;
}

static enum err call_failed(const struct reader *r, const char *call, const char *name)
{
    struct failure f;
    failure_set(&f, call, name);
    return recover_failed(r->report, &f);
}

static void say_progress(void *ctx)
{
    const struct reader *r = ctx;
    struct journal_progress p = {.segment = r->segment,
                                 .segments = r->segments,
                                 .bytes = r->at,
                                 .size = r->size,
                                 .records = r->report->records};
    r->hooks->on_progress(r->hooks->ctx, &p);
}

/* window_at, whose failure goes to the report. What waits is handed on before the window moves. */
static enum err bytes_at(struct reader *r, uint64_t offset, size_t need, const uint8_t **p,
                         size_t *have)
{
    if (!window_has(&r->window, offset, need))
        relay_flush(&r->relay);
    return window_at(&r->window, offset, need, p, have) == 0 ? ERR_ok
                                                             : call_failed(r, "read", r->name);
}

static bool all_zero(const uint8_t *p, size_t len)
{
    uint64_t any = 0, word;
    size_t i = 0;
    for (; i + sizeof word <= len; i += sizeof word) {
        memcpy(&word, p + i, sizeof word);
        any |= word;
    }
    for (; i < len; i++)
        any |= p[i];
    return any == 0;
}

/* Looks through one stretch of the tail: `count` places where a header could begin, `len` bytes. */
static void search_stretch(const struct reader *r, const uint8_t *p, size_t count, size_t len,
                           uint64_t offset, struct tail *tail)
{
    /* Records are numbered without holes and take FRAME_OVERHEAD bytes or more, so a header in
     * this file cannot be further ahead than that. */
    uint64_t ahead_max = r->size / FRAME_OVERHEAD + 1;
    for (size_t i = 0; i < count; i++) {
        if (p[i] != 0)
            tail->nonzero_end = offset + i + 1;
        if (tail->witnessed || len - i < FRAME_HEADER_LEN)
            continue;
        uint64_t seq = frame_u64(p + i + 8);
        struct frame_header h;
        if (seq <= r->next_seq || seq - r->next_seq > ahead_max ||
            !frame_header_decode(p + i, &r->header.key, &h) || frame_claim(&h) <= r->next_seq)
            continue;
        tail->witnessed = true;
        tail->witness_at = offset + i;
        tail->witness_seq = seq;
    }
}

/* Looks through [from, end of the file). */
static enum err search_tail(struct reader *r, uint64_t from, struct tail *tail)
{
    *tail = (struct tail){0};
    for (uint64_t at = from; at < r->size;) {
        const uint8_t *p;
        size_t have;
        enum err e = bytes_at(r, at, BLOCK_LEN + FRAME_HEADER_LEN - 1, &p, &have);
        if (e != ERR_ok)
            return e;
        size_t block = have < BLOCK_LEN ? have : BLOCK_LEN;
        size_t len = have < block + FRAME_HEADER_LEN - 1 ? have : block + FRAME_HEADER_LEN - 1;
        if (!all_zero(p, len))
            search_stretch(r, p, block, len, at, tail);
        at += block;
    }
    return ERR_ok;
}

static enum verdict decide(bool last, const struct tail *tail)
{
    if (tail->nonzero_end == 0)
        return VERDICT_END;
    if (!last || tail->witnessed)
        return VERDICT_DAMAGE;
    return VERDICT_TORN;
}

/* The next mark is the first at or behind `seq`. */
static void find_mark(struct reader *r, uint64_t seq)
{
    while (r->mark < r->marks.count && r->marks.list[r->mark].seq < seq)
        r->mark++;
    r->mark_seq = r->mark < r->marks.count ? r->marks.list[r->mark].seq : 0;
}

/* r->chain is the value behind the record of the next mark, which must know the same. */
static enum err pass_mark(struct reader *r)
{
    const struct snapshot_header *h = &r->marks.list[r->mark];
    char name[SEGMENT_NAME_MAX];
    snapshot_name(h->seq, name);
    if (!uuid_equal(&h->epoch, &r->header.epoch))
        return damage(r, name, 16, "the snapshot is of another journal");
    if (memcmp(h->key.b, r->header.key.b, sizeof h->key.b) != 0)
        return damage(r, name, 48, "the snapshot is of another journal");
    if (!frame_chain_equal(&h->chain, &r->chain))
        return damage(r, name, 64,
                      "the journal has another history up to record %llu than the snapshot",
                      (unsigned long long)h->seq);
    find_mark(r, h->seq + 1);
    return ERR_ok;
}

/* Reads the record at r->at and sees that it is handed on; *why stays NULL where it is good and
 * says what is wrong with it otherwise. *mark: a clean close ended here. */
static enum err read_record(struct reader *r, const char **why, bool *mark)
{
    const uint8_t *p;
    size_t have;
    struct frame_header h;
    *mark = false;
    *why = "there is no whole record header";
    if (r->size - r->at < FRAME_HEADER_LEN)
        return ERR_ok;
    enum err e = bytes_at(r, r->at, FRAME_HEADER_LEN, &p, &have);
    if (e != ERR_ok)
        return e;
    *why = "the record header does not match its check";
    if (!frame_header_decode(p, &r->header.key, &h))
        return ERR_ok;
    *why = "another record stands in its place";
    if (h.seq != r->next_seq)
        return ERR_ok;
    *mark = h.type == 0;
    if (*mark) {
        r->proven = r->at;
        return ERR_ok;
    }
    *why = "the record runs past the end of the file";
    if (frame_len(&h) > r->size - r->at)
        return ERR_ok;
    e = bytes_at(r, r->at, (size_t)frame_len(&h), &p, &have);
    if (e != ERR_ok)
        return e;
    *why = "the record does not match its chain value";
    struct bytes payload = bytes_of(p + FRAME_HEADER_LEN, h.len);
    struct frame_chain chain = r->chain;
    frame_chain_step(&chain, p, payload);
    if (memcmp(chain.b, p + FRAME_HEADER_LEN + h.len, FRAME_CHAIN_LEN) != 0)
        return ERR_ok;
    *why = NULL;
    r->chain = chain;
    if (frame_claim(&h) == h.seq)
        r->proven = r->at;
    r->at += frame_len(&h);
    r->next_seq++;
    if (h.seq == r->mark_seq && (e = pass_mark(r)) != ERR_ok)
        return e;
    if (!r->have_manifest || h.seq <= r->base_seq)
        return ERR_ok; /* without a manifest the caller refuses; nobody should hear of it */
    r->report->records++;
    r->report->bytes += frame_len(&h);
    struct journal_record record = {.seq = h.seq, .type = h.type, .payload = payload};
    relay_add(&r->relay, &record);
    return ERR_ok;
}

/* Reads the records of a segment and judges what is behind them. Goes on where a running writer
 * has meanwhile filled the hole. */
static enum err read_records(struct reader *r, enum verdict *verdict, struct tail *tail)
{
    for (;;) {
        const char *why = NULL;
        bool mark = false;
        enum err e = read_record(r, &why, &mark);
        if (e != ERR_ok || why)
            relay_flush(&r->relay);
        if (e != ERR_ok)
            return e;
        if (!why && !r->have_manifest)
            return damage(r, "manifest", 0, "the manifest is missing beside records");
        if (!why)
            continue;
        e = search_tail(r, r->at + (mark ? FRAME_HEADER_LEN : 0), tail);
        if (e != ERR_ok)
            return e;
        *verdict = decide(r->last, tail);
        if (*verdict != VERDICT_DAMAGE)
            return ERR_ok;
        if (r->running && r->retried_at != r->at) {
            r->retried_at = r->at;
            window_open(&r->window, r->fd, r->size);
            continue;
        }
        if (mark)
            why = "there are bytes behind the mark of a clean close";
        if (tail->witnessed)
            return damage(r, r->name, r->at,
                          "record %llu: %s, and record %llu at offset %llu was written when it was "
                          "on disk",
                          (unsigned long long)r->next_seq, why,
                          (unsigned long long)tail->witness_seq,
                          (unsigned long long)tail->witness_at);
        return damage(r, r->name, r->at, "record %llu: %s, and a later segment follows",
                      (unsigned long long)r->next_seq, why);
    }
}

/* Checks that the opened segment continues what was read before it. */
static enum err check_header(struct reader *r, const struct segment_header *before,
                             uint64_t first_seq)
{
    const uint8_t *page = NULL;
    size_t have = 0;
    struct segment_header *h = &r->header;
    if (r->size < SEGMENT_HEADER_LEN)
        return damage(r, r->name, r->size, "the file is shorter than a header");
    enum err e = bytes_at(r, 0, SEGMENT_HEADER_LEN, &page, &have);
    if (e != ERR_ok)
        return e;
    if (!segment_header_decode(page, h))
        return damage(r, r->name, 0,
                      "the header is damaged, or of a format that is not known here");
    if (h->size != r->size)
        return damage(r, r->name, r->size < h->size ? r->size : h->size,
                      "the file has %llu bytes, its header says %llu", (unsigned long long)r->size,
                      (unsigned long long)h->size);
    if (r->have_manifest && !uuid_equal(&h->epoch, &r->manifest.epoch))
        return damage(r, r->name, 16, "the segment is of another journal");
    /* The oldest that is there is believed where a snapshot covers what was before it. */
    bool oldest = before->number == 0 && first_seq > 1;
    if (oldest ? h->number < 2 : h->number != before->number + 1)
        return damage(r, r->name, 32, "this is segment %llu where %llu should be",
                      (unsigned long long)h->number, (unsigned long long)before->number + 1);
    if (h->first_seq != first_seq || first_seq != r->next_seq)
        return damage(r, r->name, 40, "the segment begins with record %llu where %llu should be",
                      (unsigned long long)h->first_seq, (unsigned long long)r->next_seq);
    if (oldest)
        r->chain = h->chain;
    else if (before->number == 0)
        r->chain = frame_chain_start(h->epoch.b);
    else if (!uuid_equal(&h->epoch, &before->epoch) ||
             memcmp(h->key.b, before->key.b, sizeof h->key.b) != 0)
        return damage(r, r->name, 16, "the segment is of another journal");
    if (!frame_chain_equal(&h->chain, &r->chain))
        return damage(r, r->name, 80, "the chain value is not the one of the segment before");
    if (r->have_manifest &&
        (h->first_seq == r->manifest.first_seq) != (h->number == r->manifest.number))
        return damage(r, r->name, 32, "the manifest gives this segment another number");
    if (oldest && r->mark_seq == first_seq - 1)
        return pass_mark(r);
    return ERR_ok;
}

static enum err read_segment(struct reader *r, uint64_t first_seq, enum verdict *verdict,
                             struct tail *tail)
{
    struct segment_header before = r->header;
    struct stat st = {0};
    segment_name(first_seq, r->name);
    r->fd = sys_open_at(r->dir, r->name, O_RDONLY, 0);
    if (r->fd < 0 && errno == ENOENT && r->again)
        return ERR_not_found;
    if (r->fd < 0)
        return call_failed(r, "open", r->name);
    enum err e = ERR_ok;
    if (sys.stat_fd(r->fd, &st) != 0)
        e = call_failed(r, "fstat", r->name);
    r->size = (uint64_t)st.st_size;
    window_open(&r->window, r->fd, r->size);
    if (e == ERR_ok)
        e = check_header(r, &before, first_seq);
    r->at = SEGMENT_HEADER_LEN;
    r->proven = r->at;
    r->retried_at = 0;
    if (e == ERR_ok && r->hooks->on_segment)
        r->hooks->on_segment(r->hooks->ctx, r->name, r->header.number, first_seq, r->size);
    if (e == ERR_ok)
        e = read_records(r, verdict, tail);
    sys.close(r->fd);
    r->fd = -1;
    return e;
}

static enum err read_manifest(struct reader *r)
{
    uint8_t page[MANIFEST_LEN + 1];
    int fd = sys_open_at(r->dir, "manifest", O_RDONLY, 0);
    if (fd < 0 && errno == ENOENT)
        return ERR_ok;
    if (fd < 0)
        return call_failed(r, "open", "manifest");
    ssize_t n = sys_read_full(fd, page, sizeof page, 0);
    enum err e = n < 0 ? call_failed(r, "read", "manifest") : ERR_ok;
    sys.close(fd);
    if (e != ERR_ok)
        return e;
    r->have_manifest = true;
    if (n != MANIFEST_LEN || !manifest_decode(page, &r->manifest))
        return damage(r, "manifest", 0,
                      "the manifest is damaged, or of a format that is not known here");
    return ERR_ok;
}

/* What the names alone say, before anybody hears of a record. */
static enum err check_list(const struct reader *r, const uint64_t *list, size_t count)
{
    if (!r->have_manifest) {
        if (count > 1)
            return damage(r, "manifest", 0, "the manifest is missing beside %zu segments", count);
        if (r->marks.files)
            return damage(r, "manifest", 0, "the manifest is missing beside a snapshot");
        return ERR_ok;
    }
    for (size_t i = 0; i < count; i++)
        if (list[i] == r->manifest.first_seq)
            return ERR_ok;
    if (r->again && count > 0 && list[0] > r->manifest.first_seq)
        return ERR_not_found;
    char name[SEGMENT_NAME_MAX];
    segment_name(r->manifest.first_seq, name);
    return damage(r, name, 0, "segment %llu is missing, which the manifest names",
                  (unsigned long long)r->manifest.number);
}

/* The first segment to be read: the one that holds what comes behind the snapshot, or the oldest,
 * where all are to be read. What is missing before it is damage. */
static enum err find_first(struct reader *r, const uint64_t *list, size_t count, size_t *first)
{
    *first = 0;
    find_mark(r, 0);
    if (count == 0)
        return ERR_ok; /* a new journal: with a manifest check_list has refused */
    if (r->hooks->on_load && r->marks.count > 0)
        r->base_seq = r->marks.list[0].seq;
    r->next_seq = r->base_seq + 1;
    while (*first + 1 < count && list[*first + 1] <= r->base_seq + 1)
        ++*first;
    /* Every record must be handed on, or lie in a snapshot. */
    uint64_t covered = r->base_seq;
    if (!r->hooks->on_load && r->marks.count > 0)
        covered = r->marks.list[r->marks.count - 1].seq;
    if (list[*first] > covered + 1 && r->again)
        return ERR_not_found;
    if (list[*first] > covered + 1 && r->marks.unread) {
        snprintf(r->report->damage, sizeof r->report->damage, "%s", r->report->snapshot);
        return ERR_io;
    }
    if (list[*first] > covered + 1) {
        char name[SEGMENT_NAME_MAX];
        segment_name(list[*first], name);
        return damage(r, name, 0,
                      "records %llu to %llu are missing: the journal begins here, and no snapshot "
                      "that is whole holds them%s%.160s",
                      (unsigned long long)covered + 1, (unsigned long long)list[*first] - 1,
                      r->report->snapshot[0] ? "; damaged: " : "", r->report->snapshot);
    }
    r->next_seq = list[*first];
    find_mark(r, list[*first] - 1);
    return ERR_ok;
}

/* Everything that a snapshot knows must be in the journal: it was there before the snapshot had its
 * name. */
static enum err check_end(const struct reader *r, enum verdict verdict)
{
    char name[SEGMENT_NAME_MAX];
    if (r->mark_seq == 0)
        return ERR_ok;
    snapshot_name(r->mark_seq, name);
    return damage(r, r->name, r->at, "%s, and " JOURNAL_DIR "/%s knows record %llu",
                  verdict == VERDICT_TORN ? "here is no whole record" : "the records end here",
                  name, (unsigned long long)r->mark_seq);
}

static enum err read_all(struct reader *r, const uint64_t *list, size_t count,
                         struct recovered *out)
{
    struct tail tail = {0};
    enum verdict verdict = VERDICT_END;
    size_t first = 0;
    enum err e = check_list(r, list, count);
    if (e == ERR_ok)
        e = find_first(r, list, count, &first);
    for (size_t i = first; i < count && e == ERR_ok; i++) {
        r->last = i + 1 == count;
        r->segment = i - first + 1;
        r->segments = count - first;
        e = read_segment(r, list[i], &verdict, &tail);
    }
    if (e == ERR_ok && count > 0)
        e = check_end(r, verdict);
    if (e != ERR_ok)
        return e;
    if (verdict == VERDICT_TORN && !r->have_manifest)
        return damage(r, "manifest", 0, "the manifest is missing beside records");
    *out = (struct recovered){
        .last = r->header,
        .next_seq = r->next_seq,
        .chain = r->chain,
        .end = r->at,
        .proven = r->proven,
        .torn_end = verdict == VERDICT_TORN ? tail.nonzero_end : 0,
        .manifest_stale = !r->have_manifest || r->manifest.number < r->header.number,
    };
    if (verdict == VERDICT_TORN) {
        snprintf(r->report->torn_file, sizeof r->report->torn_file, "%s", r->name);
        r->report->torn_at = out->end;
        r->report->torn_end = out->torn_end;
        snprintf(r->report->torn_tail, sizeof r->report->torn_tail,
                 JOURNAL_DIR "/%s: %llu bytes from offset %llu on are no whole record", r->name,
                 (unsigned long long)(out->torn_end - out->end), (unsigned long long)out->end);
    }
    return ERR_ok;
}

static enum err read_once(int dir, bool running, bool again, const struct journal_hooks *hooks,
                          struct journal_report *report, struct recovered *out)
{
    uint64_t *list = NULL;
    size_t count = 0;
    struct reader r = {.dir = dir,
                       .running = running,
                       .again = again,
                       .hooks = hooks,
                       .relay.hooks = hooks,
                       .report = report,
                       .next_seq = 1,
                       .fd = -1};
    *report = (struct journal_report){0};
    if (hooks->on_progress)
        r.window.on_read = say_progress;
    r.window.ctx = &r;
    /* The manifest first: what it names is there when the directory is listed after. The snapshots
     * before the segments: what they know is on disk then. */
    enum err e = read_manifest(&r);
    if (e == ERR_ok && (hooks->on_load || running))
        e = marks_init(&r.marks, dir, hooks, report);
    if (e == ERR_not_found && !again)
        e = ERR_io;
    if (e == ERR_ok && segment_list(dir, &list, &count) != 0)
        e = call_failed(&r, "reading the directory", ".");
    if (e == ERR_ok)
        e = read_all(&r, list, count, out);
    if (e == ERR_ok && hooks->on_load && r.marks.count > 0) {
        report->snapshot_seq = r.marks.list[0].seq;
        report->snapshot_records = r.marks.records;
        report->snapshot_bytes = r.marks.bytes;
    }
    window_release(&r.window);
    free(list);
    marks_release(&r.marks);
    return e;
}

enum err recover_read(int dir, bool running, const struct journal_hooks *hooks,
                      struct journal_report *report, struct recovered *out)
{
    for (int tries = 1;; tries++) {
        enum err e = read_once(dir, running, running && tries < TRIES_MAX, hooks, report, out);
        if (e == ERR_ok && !running && report->snapshot[0] != '\0')
            diag_warn("journal: a snapshot was passed over, and nothing is lost: %s",
                      report->snapshot);
        if (e != ERR_not_found)
            return e;
        /* A running server has deleted a file between the listing and the opening. */
        if (report->records > 0 && !hooks->on_reset) {
            snprintf(report->damage, sizeof report->damage,
                     "the server deletes old files of the journal just now; try again");
            return ERR_busy;
        }
        if (hooks->on_reset)
            hooks->on_reset(hooks->ctx);
    }
}

enum err recover_cut(int dir, int fd, const struct recovered *r, struct journal_report *report)
{
    char name[SEGMENT_NAME_MAX], copy[SEGMENT_NAME_MAX * 2];
    struct failure f;
    segment_name(r->last.first_seq, name);
    if (segment_keep_torn(dir, fd, name, r->end, r->torn_end, copy, &f) != 0)
        return recover_failed(report, &f);
    if (sys_write_zeros(fd, r->end, r->torn_end - r->end) != 0) {
        failure_set(&f, "write", name);
        return recover_failed(report, &f);
    }
    snprintf(report->torn_tail, sizeof report->torn_tail,
             JOURNAL_DIR
             "/%s: the last %llu bytes, from offset %llu on, were no whole record, as a "
             "crash leaves it; they were cut, and a copy is in " JOURNAL_DIR "/%s",
             name, (unsigned long long)(r->torn_end - r->end), (unsigned long long)r->end, copy);
    return ERR_ok;
}
