#include "log/snapshot.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/ensure.h"
#include "base/hash.h"
#include "log/hasher.h"
#include "log/sys.h"

#define FORMAT_VERSION 1
#define CHECKSUM_LEN   16
#define CHECKED_LEN    (SNAPSHOT_HEADER_LEN - CHECKSUM_LEN)
#define BUFFER_LEN     (1u << 20)
/* What may wait unwritten in the kernel: a sync of much of it at once would make the journal's own
 * syncs wait. */
#define SYNC_STEP (16u << 20)
/* From this size on a load is worth a thread that hashes while the records are taken. */
#define THREAD_MIN (4u << 20)

static const char magic[8] = {'G', 'C', 'J', 'S', 'N', 'P', '\r', '\n'};

void snapshot_name(uint64_t seq, char out[static SEGMENT_NAME_MAX])
{
    snprintf(out, SEGMENT_NAME_MAX, "%020llu.snap", (unsigned long long)seq);
}

bool snapshot_name_parse(const char *name, uint64_t *seq)
{
    char as_segment[SEGMENT_NAME_MAX];
    size_t len = strlen(name);
    if (len != 25 || strcmp(name + 20, ".snap") != 0)
        return false;
    snprintf(as_segment, sizeof as_segment, "%.20s.log", name);
    return segment_name_parse(as_segment, seq);
}

static void put_le(uint8_t *at, uint64_t v, size_t len)
{
    for (size_t i = 0; i < len; i++)
        at[i] = (uint8_t)(v >> 8 * i);
}

void snapshot_header_encode(const struct snapshot_header *h,
                            uint8_t out[static SNAPSHOT_HEADER_LEN])
{
    memset(out, 0, SNAPSHOT_HEADER_LEN);
    memcpy(out, magic, sizeof magic);
    put_le(out + 8, FORMAT_VERSION, 4);
    put_le(out + 12, SNAPSHOT_HEADER_LEN, 4);
    memcpy(out + 16, h->epoch.b, sizeof h->epoch.b);
    put_le(out + 32, h->seq, 8);
    put_le(out + 40, (uint64_t)h->time_ms, 8);
    memcpy(out + 48, h->key.b, sizeof h->key.b);
    memcpy(out + 64, h->chain.b, sizeof h->chain.b);
    hash_bytes(bytes_of(out, CHECKED_LEN), out + CHECKED_LEN, CHECKSUM_LEN);
}

bool snapshot_header_decode(const uint8_t *in, struct snapshot_header *h)
{
    uint8_t sum[CHECKSUM_LEN];
    hash_bytes(bytes_of(in, CHECKED_LEN), sum, sizeof sum);
    if (memcmp(in, magic, sizeof magic) != 0 || frame_u32(in + 8) != FORMAT_VERSION ||
        frame_u32(in + 12) != SNAPSHOT_HEADER_LEN || memcmp(in + CHECKED_LEN, sum, sizeof sum) != 0)
        return false;
    memcpy(h->epoch.b, in + 16, sizeof h->epoch.b);
    h->seq = frame_u64(in + 32);
    h->time_ms = (int64_t)frame_u64(in + 40);
    memcpy(h->key.b, in + 48, sizeof h->key.b);
    memcpy(h->chain.b, in + 64, sizeof h->chain.b);
    return true;
}

int snapshot_list(int dir, uint64_t **out, size_t *count)
{
    return segment_list_names(dir, snapshot_name_parse, out, count);
}

/* ---- writing ---- */

struct snapshot_writer {
    int fd;          /* -1: memory */
    struct buf own;  /* of a file: what is not written yet */
    struct buf *buf; /* that, or the caller's */
    size_t hashed;   /* memory: so much of *buf belongs to others or is in the hash */
    struct hash hash;
    struct snapshot_info info;
    uint64_t unsynced;
    enum err err; /* the first failure; nothing is written after it */
    struct failure failure;
};

static void writer_failed(struct snapshot_writer *w, const char *call)
{
    failure_set(&w->failure, call, SNAPSHOT_TMP);
    w->err = w->failure.error == ENOSPC || w->failure.error == EDQUOT ? ERR_disk_full : ERR_io;
}

struct snapshot_writer *snapshot_begin(int fd, struct buf *out, const struct snapshot_header *h)
{
    struct snapshot_writer *w = xcalloc(1, sizeof *w);
    uint8_t header[SNAPSHOT_HEADER_LEN];
    w->fd = fd;
    w->buf = fd < 0 ? out : &w->own;
    w->hashed = w->buf->len;
    w->info.header = *h;
    hash_init(&w->hash, SNAPSHOT_HASH_LEN);
    if (fd >= 0)
        buf_reserve(w->buf, BUFFER_LEN);
    snapshot_header_encode(h, header);
    buf_add(w->buf, header, sizeof header);
    return w;
}

/* Takes what the buffer holds into the hash; a file gets it. */
static void writer_flush(struct snapshot_writer *w)
{
    struct buf *b = w->buf;
    size_t len = b->len - w->hashed;
    hash_add(&w->hash, b->p + w->hashed, len);
    w->info.bytes += len;
    w->hashed = b->len;
    if (w->fd < 0)
        return;
    if (w->err == ERR_ok && sys_write_full(w->fd, b->p, len, w->info.bytes - len) != len)
        writer_failed(w, "write");
    buf_reset(b);
    w->hashed = 0;
    w->unsynced += len;
    if (w->unsynced < SYNC_STEP || w->err != ERR_ok)
        return;
    w->unsynced = 0;
    if (sys_fdatasync(w->fd) != 0)
        writer_failed(w, "fdatasync");
}

void snapshot_add(struct snapshot_writer *w, uint16_t type, struct bytes payload)
{
    ENSURE(type != 0 && payload.len <= SNAPSHOT_PAYLOAD_MAX);
    if (w->err != ERR_ok)
        return;
    if (w->buf->len - w->hashed + SNAPSHOT_RECORD_LEN + payload.len > BUFFER_LEN)
        writer_flush(w);
    buf_add_u32le(w->buf, (uint32_t)payload.len);
    buf_add_u16le(w->buf, type);
    buf_add_bytes(w->buf, payload);
    w->info.records++;
}

enum err snapshot_end(struct snapshot_writer *w, struct snapshot_info *info, struct failure *f)
{
    uint8_t sum[SNAPSHOT_HASH_LEN];
    writer_flush(w);
    buf_add_u32le(w->buf, SNAPSHOT_END_LEN - SNAPSHOT_RECORD_LEN);
    buf_add_u16le(w->buf, 0);
    buf_add_u64le(w->buf, w->info.records);
    buf_add_u64le(w->buf, w->info.bytes + SNAPSHOT_END_LEN);
    hash_add(&w->hash, w->buf->p + w->hashed, SNAPSHOT_END_LEN - SNAPSHOT_HASH_LEN);
    hash_final(&w->hash, sum);
    buf_add(w->buf, sum, sizeof sum);
    if (w->fd >= 0 && w->err == ERR_ok &&
        sys_write_full(w->fd, w->buf->p, SNAPSHOT_END_LEN, w->info.bytes) != SNAPSHOT_END_LEN)
        writer_failed(w, "write");
    w->info.bytes += SNAPSHOT_END_LEN;
    if (w->fd >= 0 && w->err == ERR_ok && sys_fsync(w->fd) != 0)
        writer_failed(w, "fsync");
    enum err e = w->err;
    *info = w->info;
    if (e != ERR_ok)
        *f = w->failure;
    buf_release(&w->own);
    free(w);
    return e;
}

/* ---- reading ---- */

struct reader {
    int fd; /* -1: memory */
    uint64_t size;
    uint64_t read;    /* bytes that are in the window or behind it */
    const uint8_t *p; /* the window: p[0..len) are the bytes up to `read` */
    size_t len;
    struct {
        uint8_t *p;
        size_t cap;
    } own[2]; /* what a file's window lies in, in turns: the other one may still be hashed */
    int turn;
    struct hasher hasher;
    const struct journal_hooks *hooks; /* may be NULL */
    struct snapshot_fault *fault;
};

static void say_progress(const struct reader *r)
{
    if (!r->hooks || !r->hooks->on_progress)
        return;
    struct journal_progress p = {.bytes = r->read, .size = r->size};
    r->hooks->on_progress(r->hooks->ctx, &p);
}

static __attribute__((format(printf, 3, 4))) enum err damaged(struct reader *r, uint64_t offset,
                                                              const char *format, ...)
{
    va_list args;
    va_start(args, format);
    vsnprintf(r->fault->text, sizeof r->fault->text, format, args);
    va_end(args);
    r->fault->offset = offset;
    return ERR_damaged;
}

/* Takes all but the file's last bytes, which are the hash itself. */
static void hash_read(struct reader *r, const uint8_t *p, size_t len)
{
    uint64_t end = r->size - SNAPSHOT_HASH_LEN;
    if (r->read < end)
        hasher_add(&r->hasher, p, end - r->read < len ? (size_t)(end - r->read) : len);
    r->read += len;
}

static uint64_t reader_offset(const struct reader *r)
{
    return r->read - r->len;
}

/* Makes the next `need` bytes lie in the window. The file must be that long. */
static enum err reader_need(struct reader *r, size_t need)
{
    if (r->len >= need)
        return ERR_ok;
    ENSURE(need <= r->size - reader_offset(r));
    say_progress(r);
    r->turn = !r->turn;
    uint8_t **own = &r->own[r->turn].p;
    size_t *cap = &r->own[r->turn].cap;
    if (*cap < need) {
        *cap = need + (r->size < BUFFER_LEN ? (size_t)r->size : BUFFER_LEN);
        free(*own);
        *own = xmalloc(*cap);
    }
    if (r->len > 0)
        memcpy(*own, r->p, r->len);
    r->p = *own;
    uint64_t want = r->size - r->read;
    if (want > *cap - r->len)
        want = *cap - r->len;
    ssize_t n = sys_read_full(r->fd, *own + r->len, (size_t)want, r->read);
    if (n < 0) {
        char reason[96];
        (void)damaged(r, r->read, "read failed: %s", strerror_r(errno, reason, sizeof reason));
        return ERR_io;
    }
    hash_read(r, *own + r->len, (size_t)n);
    r->len += (size_t)n;
    if (r->len < need)
        return damaged(r, r->read, "the file is being cut");
    return ERR_ok;
}

static void reader_skip(struct reader *r, size_t len)
{
    r->p += len;
    r->len -= len;
}

static enum err read_header(struct reader *r, struct snapshot_info *info)
{
    if (r->size < SNAPSHOT_HEADER_LEN + SNAPSHOT_END_LEN)
        return damaged(r, r->size, "the file is shorter than a snapshot can be");
    enum err e = reader_need(r, SNAPSHOT_HEADER_LEN);
    if (e != ERR_ok)
        return e;
    if (!snapshot_header_decode(r->p, &info->header))
        return damaged(r, 0, "the header is damaged, or of a format that is not known here");
    reader_skip(r, SNAPSHOT_HEADER_LEN);
    return ERR_ok;
}

/* Reads one record and hands it on; *end where it was the end. The file has room for an end here,
 * and behind each record that is taken. */
static enum err read_record(struct reader *r, const struct journal_hooks *hooks,
                            struct snapshot_info *info, bool *end)
{
    uint64_t at = reader_offset(r), rest = r->size - at;
    enum err e = reader_need(r, SNAPSHOT_RECORD_LEN);
    if (e != ERR_ok)
        return e;
    uint32_t len = frame_u32(r->p);
    uint16_t type = frame_u16(r->p + 4);
    *end = type == 0;
    if (*end && (len != SNAPSHOT_END_LEN - SNAPSHOT_RECORD_LEN || rest != SNAPSHOT_END_LEN))
        return damaged(r, at, "the end of the snapshot is not the end of the file");
    if (*end)
        return ERR_ok;
    if (len > SNAPSHOT_PAYLOAD_MAX || (uint64_t)SNAPSHOT_RECORD_LEN + len + SNAPSHOT_END_LEN > rest)
        return damaged(r, at, "a record runs past the end of the file");
    e = reader_need(r, SNAPSHOT_RECORD_LEN + len);
    if (e != ERR_ok)
        return e;
    struct bytes payload = bytes_of(r->p + SNAPSHOT_RECORD_LEN, len);
    if (hooks && !hooks->on_load(hooks->ctx, type, payload))
        return damaged(r, at, "record %llu, of type %u, is not one that this version takes here",
                       (unsigned long long)info->records + 1, type);
    info->records++;
    reader_skip(r, SNAPSHOT_RECORD_LEN + len);
    return ERR_ok;
}

/* Checks count, size and hash at the end. */
static enum err read_end(struct reader *r, const struct snapshot_info *info)
{
    uint8_t sum[SNAPSHOT_HASH_LEN];
    uint64_t at = reader_offset(r);
    enum err e = reader_need(r, SNAPSHOT_END_LEN);
    if (e != ERR_ok)
        return e;
    const uint8_t *p = r->p + SNAPSHOT_RECORD_LEN;
    hasher_final(&r->hasher, sum);
    if (memcmp(p + 16, sum, sizeof sum) != 0)
        return damaged(r, at + SNAPSHOT_END_LEN - sizeof sum,
                       "the hash is not the one of the file's content");
    if (frame_u64(p) != info->records)
        return damaged(r, at, "it says that it holds %llu records, and holds %llu",
                       (unsigned long long)frame_u64(p), (unsigned long long)info->records);
    if (frame_u64(p + 8) != r->size)
        return damaged(r, at, "it says that it has %llu bytes, and has %llu",
                       (unsigned long long)frame_u64(p + 8), (unsigned long long)r->size);
    return ERR_ok;
}

static enum err read_all(struct reader *r, const struct journal_hooks *hooks, const uint64_t *seq,
                         struct snapshot_info *info)
{
    bool end = false;
    *info = (struct snapshot_info){.bytes = r->size};
    enum err e = read_header(r, info);
    if (e == ERR_ok && seq && info->header.seq != *seq)
        e = damaged(r, 32, "it is the snapshot behind record %llu",
                    (unsigned long long)info->header.seq);
    while (e == ERR_ok && !end)
        e = read_record(r, hooks, info, &end);
    if (e == ERR_ok)
        e = read_end(r, info);
    if (e == ERR_ok && hooks && hooks->on_loaded && !hooks->on_loaded(hooks->ctx, info->header.seq))
        e = damaged(r, 0, "its records do not make a whole state");
    return e;
}

static enum err call_failed(const char *call, struct snapshot_fault *fault)
{
    char reason[96];
    enum err e = errno == ENOENT ? ERR_not_found : ERR_io;
    *fault = (struct snapshot_fault){0};
    snprintf(fault->text, sizeof fault->text, "%s failed: %s", call,
             strerror_r(errno, reason, sizeof reason));
    return e;
}

enum err snapshot_read(int dir, const char *name, uint64_t seq, const struct journal_hooks *hooks,
                       struct snapshot_info *info, struct snapshot_fault *fault)
{
    struct reader r = {.hooks = hooks, .fault = fault};
    struct stat st;
    r.fd = sys_open_at(dir, name, O_RDONLY, 0);
    if (r.fd < 0)
        return call_failed("open", fault);
    enum err e = sys.stat_fd(r.fd, &st) != 0 ? call_failed("fstat", fault) : ERR_ok;
    if (e == ERR_ok) {
        r.size = (uint64_t)st.st_size;
        hasher_init(&r.hasher, SNAPSHOT_HASH_LEN, hooks && r.size >= THREAD_MIN);
        e = read_all(&r, hooks, &seq, info);
        hasher_release(&r.hasher);
        free(r.own[0].p);
        free(r.own[1].p);
    }
    sys.close(r.fd);
    return e;
}

enum err snapshot_read_memory(struct bytes all, const struct journal_hooks *hooks,
                              struct snapshot_info *info, struct snapshot_fault *fault)
{
    struct reader r = {.fd = -1, .size = all.len, .p = all.p, .len = all.len, .fault = fault};
    hasher_init(&r.hasher, SNAPSHOT_HASH_LEN, false);
    if (all.len > SNAPSHOT_HASH_LEN)
        hash_read(&r, all.p, all.len);
    return read_all(&r, hooks, NULL, info);
}
