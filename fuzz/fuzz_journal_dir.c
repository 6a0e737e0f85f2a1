/*
 * A journal directory that somebody else wrote. The first byte chooses: the rest is the files
 * themselves, or changes to a good journal (also to one with snapshots), or a plan of one whose
 * checksums hold. Opening gives a
 * prefix or a refusal by name, never a crash; a refusal changes nothing; what opened opens again,
 * silently and with the same records.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/crypto.h"
#include "base/diag.h"
#include "base/ensure.h"
#include "base/hash.h"
#include "log/journal.h"
#include "log/snapshot.h"
#include "log/sys.h"

#define SEGMENT 65536
#define RECORDS 40

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct heard {
    struct hash hash;
    uint64_t count;
    bool saved; /* a snapshot has ended */
};

static char data_dir[64], journal_dir[96];

static void on_commit(void *ctx, const struct journal_record *record, void *ticket)
{
    struct heard *h = ctx;
    (void)ticket;
    ENSURE(record->seq == ++h->count);
    hash_add_u64(&h->hash, record->type);
    hash_add_bytes(&h->hash, record->payload);
}

static void on_fail(void *ctx, void *ticket, enum err why)
{
    (void)ctx;
    (void)ticket;
    ENSURE(why == ERR_ok); /* on a working disk nothing fails */
}

/* The state is small: a snapshot is one record. */
static void on_save(void *ctx, struct snapshot_writer *w)
{
    const struct heard *h = ctx;
    snapshot_add(w, 1, bytes_of(h, sizeof *h));
}

static bool on_load(void *ctx, uint16_t type, struct bytes payload)
{
    struct heard *h = ctx;
    if (type != 1 || payload.len != sizeof *h)
        return false;
    memcpy(h, payload.p, sizeof *h);
    return true;
}

static bool on_loaded(void *ctx, uint64_t seq)
{
    const struct heard *h = ctx;
    return h->count == seq;
}

static void on_reset(void *ctx)
{
    struct heard *h = ctx;
    h->count = 0;
    hash_init(&h->hash, 16);
}

static void on_snapshot(void *ctx, enum err err, uint64_t seq, uint64_t bytes, const char *why)
{
    struct heard *h = ctx;
    (void)bytes;
    ENSURE(err == ERR_ok && why[0] == '\0' && seq == h->count);
    h->saved = true;
}

static enum err open_journal(struct heard *h, struct journal_report *report, struct journal **j)
{
    struct journal_options o = {.dir = data_dir, .segment_size = SEGMENT};
    struct journal_hooks hooks = {
        .ctx = h,
        .on_commit = on_commit,
        .on_fail = on_fail,
        .on_load = on_load,
        .on_loaded = on_loaded,
        .on_reset = on_reset,
        .on_save = on_save,
        .on_snapshot = on_snapshot,
    };
    *h = (struct heard){0};
    on_reset(h);
    return journal_open_files(&o, &hooks, report, j);
}

static int journal_fd_open(const char *name, int flags)
{
    char path[192];
    snprintf(path, sizeof path, "%s/%s", journal_dir, name);
    return open(path, flags | O_CLOEXEC, 0600);
}

/* Calls f for each file; f may remove it. */
static void each_file(void (*f)(const char *name, void *ctx), void *ctx)
{
    DIR *list = opendir(journal_dir);
    struct dirent *e;
    ENSURE(list != NULL);
    while ((e = readdir(list)) != NULL)
        if (e->d_name[0] != '.')
            f(e->d_name, ctx);
    closedir(list);
}

static void remove_file(const char *name, void *ctx)
{
    char path[384];
    (void)ctx;
    snprintf(path, sizeof path, "%s/%s", journal_dir, name);
    ENSURE(unlink(path) == 0);
}

/* Adds a file's name and content to a sum in which order does not count. */
static void sum_file(const char *name, void *ctx)
{
    static uint8_t content[1 << 20];
    uint64_t *sum = ctx, one;
    struct hash h;
    int fd = journal_fd_open(name, O_RDONLY);
    ENSURE(fd >= 0);
    ssize_t n = read(fd, content, sizeof content);
    ENSURE(n >= 0 && n < (ssize_t)sizeof content);
    close(fd);
    hash_init(&h, sizeof one);
    hash_add_bytes(&h, bytes_cstr(name));
    hash_add_bytes(&h, bytes_of(content, (size_t)n));
    hash_final(&h, (uint8_t *)&one);
    *sum += one;
}

static void write_file(const char *name, const void *p, size_t len)
{
    int fd = journal_fd_open(name, O_WRONLY | O_CREAT | O_TRUNC);
    ENSURE(fd >= 0 && write(fd, p, len) == (ssize_t)len);
    close(fd);
}

static void remove_dir(void)
{
    each_file(remove_file, NULL);
    rmdir(journal_dir);
    rmdir(data_dir);
}

/* The child of a snapshot, here and at once. */
static int child_status;

static int child_start(int keep_fd, int (*run)(void *arg), void *arg)
{
    child_status = run(arg);
    return dup(keep_fd);
}

static int child_wait(int pidfd, int *status)
{
    (void)pidfd;
    *status = child_status;
    return 0;
}

static void begin(void)
{
    if (data_dir[0])
        return;
    crypto_init();
    diag_set_level(DIAG_ERROR + 1);
    sys.child_start = child_start;
    sys.child_wait = child_wait;
    snprintf(data_dir, sizeof data_dir, "/dev/shm/fuzz-journal-XXXXXX");
    if (!mkdtemp(data_dir)) {
        snprintf(data_dir, sizeof data_dir, "/tmp/fuzz-journal-XXXXXX");
        ENSURE(mkdtemp(data_dir) != NULL);
    }
    snprintf(journal_dir, sizeof journal_dir, "%s/journal", data_dir);
    ENSURE(mkdir(journal_dir, 0700) == 0);
    atexit(remove_dir);
}

/* Files as given: a byte for the name, two for the length, the content, zeros to a segment where
 * the name's byte says so. */
static void write_files(const uint8_t *data, size_t size)
{
    static uint8_t page[SEGMENT];
    while (size >= 3) {
        char name[SEGMENT_NAME_MAX] = "manifest";
        uint8_t kind = data[0];
        size_t len = (size_t)data[1] << 8 | data[2];
        data += 3;
        size -= 3;
        if (len > size)
            len = size;
        memset(page, 0, sizeof page);
        memcpy(page, data, len);
        data += len;
        size -= len;
        if (kind & 7)
            segment_name(kind & 7, name);
        write_file(name, page, kind & 8 ? sizeof page : len);
    }
}

/* Until the journal has something to hand out; libFuzzer's clock is a signal. */
static void wait_for(const struct journal *j)
{
    struct pollfd p = {.fd = journal_fd(j), .events = POLLIN};
    while (poll(&p, 1, -1) < 0)
        ENSURE(errno == EINTR);
}

/* Makes a snapshot of all that was proposed. */
static void save(struct journal *j, struct heard *h)
{
    journal_submit(j);
    for (; journal_pending(j) > 0; journal_dispatch(j, JOURNAL_ALL))
        wait_for(j);
    ENSURE(journal_snapshot(j) == ERR_ok);
    for (h->saved = false; !h->saved; journal_dispatch(j, JOURNAL_ALL))
        wait_for(j);
}

/* The names of all segments and snapshots. */
static size_t list_files(char (*names)[SEGMENT_NAME_MAX], size_t max)
{
    uint64_t *list;
    size_t count, n = 0;
    int dir = open(journal_dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    ENSURE(segment_list(dir, &list, &count) == 0 && count > 1);
    for (size_t i = 0; i < count && n < max; i++)
        segment_name(list[i], names[n++]);
    free(list);
    ENSURE(snapshot_list(dir, &list, &count) == 0);
    for (size_t i = 0; i < count && n < max; i++)
        snapshot_name(list[i], names[n++]);
    free(list);
    close(dir);
    return n;
}

/* A journal of some segments, then changes: a file, an offset, and a byte, or a new length. An odd
 * byte at the end, where it is one too many for a change: with two snapshots. */
static void write_changed(const uint8_t *data, size_t size)
{
    struct heard h;
    struct journal *j;
    struct journal_report report;
    char names[8][SEGMENT_NAME_MAX];
    bool snapshots = size % 5 != 0 && data[size - 1] & 1;
    static uint8_t payload[6000];
    ENSURE(open_journal(&h, &report, &j) == ERR_ok);
    for (int i = 0; i < RECORDS; i++) {
        struct bytes p = bytes_of(payload, i % 4 == 0 ? sizeof payload : (size_t)i);
        ENSURE(journal_propose(j, (uint16_t)(i + 1), p, NULL) == ERR_ok);
        if (i % 3 == 0)
            journal_submit(j);
        if (snapshots && (i == 20 || i == 35))
            save(j, &h);
    }
    journal_close(j);
    size_t count = list_files(names, sizeof names / sizeof names[0]);
    for (; size >= 5; data += 5, size -= 5) {
        char name[SEGMENT_NAME_MAX] = "manifest";
        size_t which = data[0] % (count + 1);
        off_t at = (off_t)(data[1] << 8 | data[2]);
        if (which < count)
            memcpy(name, names[which], sizeof name);
        else
            at %= MANIFEST_LEN;
        int fd = journal_fd_open(name, O_RDWR);
        if (fd < 0)
            continue;
        uint8_t byte = 0;
        ENSURE(pread(fd, &byte, 1, at) >= 0);
        byte ^= data[4];
        if (data[3] % 16 == 0)
            ENSURE(ftruncate(fd, at) == 0);
        else if (data[3] % 16 == 1)
            remove_file(name, NULL);
        else
            ENSURE(pwrite(fd, &byte, 1, at) == 1);
        close(fd);
    }
}

static void begin_segment(uint8_t *page, struct segment_header *h, uint64_t next_seq,
                          const struct frame_chain *chain)
{
    memset(page, 0, SEGMENT);
    h->first_seq = next_seq;
    h->chain = *chain;
    segment_header_encode(h, page);
}

static void end_segment(const uint8_t *page, const struct segment_header *h)
{
    char name[SEGMENT_NAME_MAX];
    segment_name(h->first_seq, name);
    write_file(name, page, SEGMENT);
}

/* Segments with good headers and records, and where the plan says so with holes, records out of
 * place, claims of any kind, numbers left out. Four bytes a step. */
static void write_planned(const uint8_t *data, size_t size)
{
    static uint8_t page[SEGMENT], payload[256];
    struct segment_header h = {.number = 1, .size = SEGMENT};
    struct frame_chain chain = frame_chain_start(h.epoch.b);
    uint64_t next_seq = 1, named = 1, named_seq = 1;
    size_t at = SEGMENT_HEADER_LEN;
    begin_segment(page, &h, next_seq, &chain);
    for (; size >= 4; data += 4, size -= 4) {
        struct frame_header r = {.len = data[2], .type = data[1], .back = data[3], .seq = next_seq};
        struct frame_chain lost = chain;
        struct buf record = {0};
        if (at + FRAME_OVERHEAD + sizeof payload > SEGMENT || data[0] % 8 == 7) {
            end_segment(page, &h);
            h.number += data[1] == 255 ? 2 : 1;
            named = data[2] & 1 ? h.number : named;
            named_seq = data[2] & 1 ? next_seq : named_seq;
            begin_segment(page, &h, next_seq, &chain);
            at = SEGMENT_HEADER_LEN;
        } else if (data[0] % 8 == 6) {
            at += data[1];
        } else if (r.type == 0) {
            r.len = 0;
            frame_header_encode(&r, &h.key, page + at);
            at += data[2] & 1 ? FRAME_HEADER_LEN : 0;
        } else {
            bool good = data[0] % 8 < 4;
            r.seq = good ? next_seq++ : next_seq + data[0] / 8;
            frame_add(&record, &r, &h.key, good ? &chain : &lost, bytes_of(payload, r.len));
            memcpy(page + at, record.p, record.len);
            at += record.len;
        }
        buf_release(&record);
    }
    end_segment(page, &h);
    struct manifest m = {.number = named, .first_seq = named_seq};
    manifest_encode(&m, page);
    write_file("manifest", page, MANIFEST_LEN);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct heard first, second;
    struct journal_report report;
    struct journal *j;
    uint8_t a[16], b[16];
    uint64_t before = 0, after = 0;
    if (size < 1)
        return 0;
    begin();
    each_file(remove_file, NULL);
    if (data[0] % 3 == 0)
        write_files(data + 1, size - 1);
    else if (data[0] % 3 == 1)
        write_changed(data + 1, size - 1);
    else
        write_planned(data + 1, size - 1);
    each_file(sum_file, &before);
    enum err e = open_journal(&first, &report, &j);
    if (e != ERR_ok) {
        each_file(sum_file, &after);
        ENSURE(e == ERR_damaged && before == after);
        ENSURE(strstr(report.damage, "journal/") && strstr(report.damage, "offset "));
        return 0;
    }
    ENSURE(report.snapshot_seq + report.records == first.count);
    ENSURE(journal_committed(j) == first.count);
    journal_close(j);
    ENSURE(open_journal(&second, &report, &j) == ERR_ok && report.torn_tail[0] == '\0');
    journal_close(j);
    hash_final(&first.hash, a);
    hash_final(&second.hash, b);
    ENSURE(first.count == second.count && memcmp(a, b, sizeof a) == 0);
    return 0;
}
