#include "log/segment.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/ensure.h"
#include "base/hash.h"
#include "log/journal.h"
#include "log/pages.h"
#include "log/sys.h"

#define FORMAT_VERSION 1
#define CHECKSUM_LEN   16
/* A prepared file is synced in steps, so that it never has much unwritten data for the disk to
 * take in between two batches. */
#define PREPARE_STEP (1u << 20)
#define COPY_STEP    (64u << 10)
#define TORN_MAX     100000

static const char segment_magic[8] = {'G', 'C', 'J', 'S', 'E', 'G', '\r', '\n'};
static const char manifest_magic[8] = {'G', 'C', 'J', 'M', 'A', 'N', '\r', '\n'};

void failure_set(struct failure *f, const char *call, const char *name)
{
    char reason[96];
    f->error = errno;
    snprintf(f->text, sizeof f->text, "%s of " JOURNAL_DIR "/%s failed: %s", call, name,
             strerror_r(f->error, reason, sizeof reason));
}

void segment_name(uint64_t first_seq, char out[static SEGMENT_NAME_MAX])
{
    snprintf(out, SEGMENT_NAME_MAX, "%020llu.log", (unsigned long long)first_seq);
}

bool segment_name_parse(const char *name, uint64_t *first_seq)
{
    uint64_t v = 0;
    for (int i = 0; i < 20; i++) {
        if (name[i] < '0' || name[i] > '9')
            return false;
        uint64_t digit = (uint64_t)(name[i] - '0');
        if (v > (UINT64_MAX - digit) / 10)
            return false;
        v = v * 10 + digit;
    }
    if (strcmp(name + 20, ".log") != 0 || v == 0)
        return false;
    *first_seq = v;
    return true;
}

/* Builds a fixed layout in a page: the cursor only goes forward. */
static uint8_t *put(uint8_t *at, const void *p, size_t len)
{
    memcpy(at, p, len);
    return at + len;
}

static uint8_t *put_le(uint8_t *at, uint64_t v, size_t len)
{
    for (size_t i = 0; i < len; i++)
        at[i] = (uint8_t)(v >> 8 * i);
    return at + len;
}

static void put_checksum(uint8_t *page, size_t len)
{
    hash_bytes(bytes_of(page, len - CHECKSUM_LEN), page + len - CHECKSUM_LEN, CHECKSUM_LEN);
}

static bool checksum_holds(const uint8_t *page, size_t len)
{
    uint8_t sum[CHECKSUM_LEN];
    hash_bytes(bytes_of(page, len - CHECKSUM_LEN), sum, CHECKSUM_LEN);
    return memcmp(sum, page + len - CHECKSUM_LEN, CHECKSUM_LEN) == 0;
}

void segment_header_encode(const struct segment_header *h, uint8_t out[static SEGMENT_HEADER_LEN])
{
    memset(out, 0, SEGMENT_HEADER_LEN);
    uint8_t *at = put(out, segment_magic, sizeof segment_magic);
    at = put_le(at, FORMAT_VERSION, 4);
    at = put_le(at, SEGMENT_HEADER_LEN, 4);
    at = put(at, h->epoch.b, sizeof h->epoch.b);
    at = put_le(at, h->number, 8);
    at = put_le(at, h->first_seq, 8);
    at = put_le(at, h->size, 8);
    at = put_le(at, 0, 8);
    at = put(at, h->key.b, sizeof h->key.b);
    put(at, h->chain.b, sizeof h->chain.b);
    put_checksum(out, SEGMENT_HEADER_LEN);
}

bool segment_header_decode(const uint8_t *in, struct segment_header *h)
{
    if (memcmp(in, segment_magic, sizeof segment_magic) != 0 ||
        frame_u32(in + 8) != FORMAT_VERSION || frame_u32(in + 12) != SEGMENT_HEADER_LEN ||
        !checksum_holds(in, SEGMENT_HEADER_LEN))
        return false;
    memcpy(h->epoch.b, in + 16, sizeof h->epoch.b);
    h->number = frame_u64(in + 32);
    h->first_seq = frame_u64(in + 40);
    h->size = frame_u64(in + 48);
    memcpy(h->key.b, in + 64, sizeof h->key.b);
    memcpy(h->chain.b, in + 80, sizeof h->chain.b);
    return true;
}

void manifest_encode(const struct manifest *m, uint8_t out[static MANIFEST_LEN])
{
    uint8_t *at = put(out, manifest_magic, sizeof manifest_magic);
    at = put_le(at, FORMAT_VERSION, 4);
    at = put_le(at, MANIFEST_LEN, 4);
    at = put(at, m->epoch.b, sizeof m->epoch.b);
    at = put_le(at, m->number, 8);
    put_le(at, m->first_seq, 8);
    put_checksum(out, MANIFEST_LEN);
}

bool manifest_decode(const uint8_t *in, struct manifest *m)
{
    if (memcmp(in, manifest_magic, sizeof manifest_magic) != 0 ||
        frame_u32(in + 8) != FORMAT_VERSION || frame_u32(in + 12) != MANIFEST_LEN ||
        !checksum_holds(in, MANIFEST_LEN))
        return false;
    memcpy(m->epoch.b, in + 16, sizeof m->epoch.b);
    m->number = frame_u64(in + 32);
    m->first_seq = frame_u64(in + 40);
    return true;
}

static int compare_seq(const void *a, const void *b)
{
    const uint64_t *x = a, *y = b;
    return (*x > *y) - (*x < *y);
}

int segment_list_names(int dir, bool (*parse)(const char *name, uint64_t *seq), uint64_t **out,
                       size_t *count)
{
    int fd = sys_open_at(dir, ".", O_RDONLY | O_DIRECTORY, 0);
    if (fd < 0)
        return -1;
    DIR *list = sys.open_list(fd);
    if (!list) {
        int saved = errno;
        sys.close(fd);
        errno = saved;
        return -1;
    }
    struct buf found = {0};
    struct dirent *entry;
    uint64_t first_seq;
    errno = 0;
    while ((entry = readdir(list)) != NULL) {
        if (parse(entry->d_name, &first_seq))
            buf_add(&found, &first_seq, sizeof first_seq);
        errno = 0;
    }
    int saved = errno;
    closedir(list);
    if (saved != 0) {
        buf_release(&found);
        errno = saved;
        return -1;
    }
    *count = found.len / sizeof first_seq;
    *out = (uint64_t *)(void *)found.p;
    if (*count > 0)
        qsort(*out, *count, sizeof first_seq, compare_seq);
    return 0;
}

int segment_list(int dir, uint64_t **out, size_t *count)
{
    return segment_list_names(dir, segment_name_parse, out, count);
}

uint64_t segment_size_next(uint64_t size, uint64_t size_max, uint64_t record_len)
{
    uint64_t next = size == 0 ? SEGMENT_SIZE_FIRST : size * 2;
    if (next > size_max)
        next = size_max / PAGE_LEN * PAGE_LEN;
    /* A record must fit with the mark of a clean close behind it. */
    uint64_t need = SEGMENT_HEADER_LEN + record_len + FRAME_HEADER_LEN;
    if (next < need)
        next = (need + SEGMENT_HEADER_LEN - 1) / SEGMENT_HEADER_LEN * SEGMENT_HEADER_LEN;
    return next;
}

/* Closes and removes a file that got no name. */
static void discard(int dir, int fd, const char *name)
{
    sys.close(fd);
    sys.unlink_at(dir, name, 0);
}

/* Fills a file with zeros, on disk; or says which call failed. */
static bool fill(int fd, uint64_t size, const atomic_bool *stop, const char **call)
{
    /* Where a file system cannot allocate ahead, writing the zeros does. */
    *call = "fallocate";
    if (sys_allocate(fd, size) != 0 && errno != EOPNOTSUPP && errno != ENOSYS && errno != EINVAL)
        return false;
    for (uint64_t at = 0; at < size; at += PREPARE_STEP) {
        uint64_t len = size - at < PREPARE_STEP ? size - at : PREPARE_STEP;
        *call = "write";
        if (sys_write_zeros(fd, at, len) != 0)
            return false;
        *call = "fsync";
        if (at + len < size && sys_fdatasync(fd) != 0)
            return false;
        errno = ECANCELED;
        *call = "preparation";
        if (atomic_load(stop))
            return false;
    }
    *call = "fsync";
    return sys_fsync(fd) == 0;
}

int segment_prepare(int dir, uint64_t size, bool direct, const atomic_bool *stop, struct failure *f)
{
    const char *name = "next.tmp", *call = "open";
    int fd = pages_open_file(dir, name, O_RDWR | O_CREAT | O_TRUNC, direct);
    if (fd < 0) {
        failure_set(f, call, name);
        return -1;
    }
    if (fill(fd, size, stop, &call))
        return fd;
    int error = errno;
    failure_set(f, call, name);
    discard(dir, fd, name);
    /* A file system may take O_DIRECT and then none of its writes. */
    return direct && error == EINVAL ? segment_prepare(dir, size, false, stop, f) : -1;
}

enum err segment_put_in_place(int dir, const char *tmp, const char *name, struct failure *f)
{
    int rc;
    do
        rc = sys.rename_at(dir, tmp, dir, name);
    while (rc != 0 && errno == EINTR);
    if (rc != 0) {
        failure_set(f, "rename", name);
        return ERR_disk_full;
    }
    if (sys_fsync(dir) != 0) {
        failure_set(f, "fsync", ".");
        return ERR_read_only;
    }
    return ERR_ok;
}

enum err segment_publish(int dir, int fd, const struct segment_header *h, struct failure *f)
{
    uint8_t page[SEGMENT_HEADER_LEN];
    char name[SEGMENT_NAME_MAX];
    segment_header_encode(h, page);
    segment_name(h->first_seq, name);
    if (pages_write_page(fd, page, 0) != 0) {
        failure_set(f, "write", "next.tmp");
        return ERR_disk_full;
    }
    if (sys_fsync(fd) != 0) {
        failure_set(f, "fsync", "next.tmp");
        return ERR_disk_full;
    }
    return segment_put_in_place(dir, "next.tmp", name, f);
}

enum err manifest_write(int dir, const struct manifest *m, struct failure *f)
{
    const char *tmp = "manifest.tmp";
    uint8_t page[MANIFEST_LEN];
    manifest_encode(m, page);
    int fd = sys_open_at(dir, tmp, O_RDWR | O_CREAT | O_TRUNC, 0600);
    if (fd < 0) {
        failure_set(f, "open", tmp);
        return ERR_disk_full;
    }
    const char *call = "write";
    if (sys_write_full(fd, page, sizeof page, 0) != sizeof page)
        goto failed;
    call = "fsync";
    if (sys_fsync(fd) != 0)
        goto failed;
    sys.close(fd);
    return segment_put_in_place(dir, tmp, "manifest", f);
failed:
    failure_set(f, call, tmp);
    discard(dir, fd, tmp);
    return ERR_disk_full;
}

/* Copies [from, to) of `in` to the start of `out`. */
static int copy_range(int out, int in, uint64_t from, uint64_t to)
{
    uint8_t *p = xmalloc(COPY_STEP);
    int rc = -1;
    for (uint64_t at = from; at < to;) {
        size_t len = to - at < COPY_STEP ? (size_t)(to - at) : COPY_STEP;
        ssize_t n = sys_read_full(in, p, len, at);
        if (n == 0)
            errno = EIO; /* the file became shorter under us */
        if (n <= 0 || sys_write_full(out, p, (size_t)n, at - from) != (size_t)n)
            goto done;
        at += (uint64_t)n;
    }
    rc = 0;
done:
    free(p);
    return rc;
}

/* A name for a torn tail that is not taken yet. False where there is none. */
static bool torn_name(int dir, const char *name, char out[static SEGMENT_NAME_MAX * 2])
{
    for (int n = 1; n <= TORN_MAX; n++) {
        snprintf(out, SEGMENT_NAME_MAX * 2, "%s.torn-%d", name, n);
        int fd = sys_open_at(dir, out, O_RDONLY, 0);
        if (fd < 0)
            return errno == ENOENT;
        sys.close(fd);
    }
    errno = EEXIST;
    return false;
}

int segment_keep_torn(int dir, int fd, const char *name, uint64_t from, uint64_t to,
                      char out[static SEGMENT_NAME_MAX * 2], struct failure *f)
{
    const char *tmp = "torn.tmp";
    if (!torn_name(dir, name, out)) {
        failure_set(f, "open", out);
        return -1;
    }
    int copy = sys_open_at(dir, tmp, O_RDWR | O_CREAT | O_TRUNC, 0600);
    if (copy < 0) {
        failure_set(f, "open", tmp);
        return -1;
    }
    if (copy_range(copy, fd, from, to) != 0 || sys_fsync(copy) != 0) {
        failure_set(f, "copying the torn tail", name);
        discard(dir, copy, tmp);
        return -1;
    }
    sys.close(copy);
    return segment_put_in_place(dir, tmp, out, f) == ERR_ok ? 0 : -1;
}
