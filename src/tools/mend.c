#include "tools/mend.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#define TMP_NAME  "repair.tmp"
#define KEPT_MAX  100000
#define COPY_STEP (1u << 20)

/* Closes and keeps errno; returns `ok`. */
static bool closed(int fd, bool ok)
{
    int saved = errno;
    if (fd >= 0)
        close(fd);
    errno = saved;
    return ok;
}

bool mend_map(int dir, const char *name, struct bytes *out)
{
    static uint8_t nothing[1]; /* what an empty file's bytes point to */
    struct stat st;
    void *p = nothing;
    int fd = openat(dir, name, O_RDONLY | O_CLOEXEC);
    if (fd < 0 || fstat(fd, &st) != 0)
        return closed(fd, false);
    if (st.st_size > 0)
        p = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
    if (p == MAP_FAILED)
        return closed(fd, false);
    *out = bytes_of(p, (size_t)st.st_size);
    return closed(fd, true);
}

void mend_unmap(struct bytes all)
{
    if (all.len > 0)
        munmap((void *)(uintptr_t)all.p, all.len);
}

bool mend_header(struct bytes all, struct segment_header *h)
{
    errno = 0;
    return all.len >= SEGMENT_HEADER_LEN && segment_header_decode(all.p, h);
}

/* ---- names --------------------------------------------------------------------------------- */

/* The first NAME.cut-<n> that is not taken. */
static bool kept_name(int dir, const char *name, char kept[static MEND_NAME_MAX])
{
    struct stat st;
    for (int n = 1; n <= KEPT_MAX; n++) {
        (void)snprintf(kept, MEND_NAME_MAX, "%.40s.cut-%d", name, n);
        if (fstatat(dir, kept, &st, AT_SYMLINK_NOFOLLOW) != 0)
            return errno == ENOENT;
    }
    errno = EEXIST;
    return false;
}

bool mend_aside(int dir, const char *name, char kept[static MEND_NAME_MAX])
{
    return kept_name(dir, name, kept) && renameat(dir, name, dir, kept) == 0 && fsync(dir) == 0;
}

/* ---- bytes --------------------------------------------------------------------------------- */

static bool write_all(int fd, struct bytes content)
{
    while (content.len > 0) {
        ssize_t n = write(fd, content.p, content.len);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return false;
        content = bytes_of(content.p + n, content.len - (size_t)n);
    }
    return true;
}

/* Makes repair.tmp of two stretches of bytes, `size` long, and gives it a name. */
static bool make_file(int dir, const char *name, struct bytes a, struct bytes b, uint64_t size)
{
    int fd = openat(dir, TMP_NAME, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    if (fd < 0)
        return false;
    if (!write_all(fd, a) || !write_all(fd, b) || ftruncate(fd, (off_t)size) != 0 || fsync(fd) != 0)
        return closed(fd, false);
    return closed(fd, true) && renameat(dir, TMP_NAME, dir, name) == 0 && fsync(dir) == 0;
}

static bool zero_range(int fd, uint64_t at, uint64_t end)
{
    static const uint8_t zeros[64 * 1024];
    while (at < end) {
        size_t len = end - at < sizeof zeros ? (size_t)(end - at) : sizeof zeros;
        ssize_t n = pwrite(fd, zeros, len, (off_t)at);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return false;
        at += (uint64_t)n;
    }
    return fsync(fd) == 0;
}

bool mend_cut(int dir, const char *name, uint64_t at, char kept[static MEND_NAME_MAX])
{
    struct bytes all;
    if (!mend_map(dir, name, &all))
        return false;
    if (at > all.len)
        at = all.len;
    size_t end = all.len;
    while (end > at && all.p[end - 1] == 0)
        end--;
    struct bytes tail = bytes_of(all.p + at, end > at ? end - (size_t)at : 0);
    bool ok = kept_name(dir, name, kept) && make_file(dir, kept, tail, bytes_of(NULL, 0), tail.len);
    int saved = errno;
    mend_unmap(all);
    errno = saved;
    if (!ok)
        return false;
    int fd = openat(dir, name, O_WRONLY | O_CLOEXEC);
    return closed(fd, fd >= 0 && zero_range(fd, at, end));
}

bool mend_resize(int dir, const char *name, uint64_t size, char kept[static MEND_NAME_MAX])
{
    struct bytes all;
    kept[0] = '\0';
    if (!mend_map(dir, name, &all))
        return false;
    bool ok = true;
    if (all.len > size) {
        struct bytes more = bytes_of(all.p + size, all.len - (size_t)size);
        ok = kept_name(dir, name, kept) && make_file(dir, kept, more, bytes_of(NULL, 0), more.len);
    }
    int saved = errno;
    mend_unmap(all);
    errno = saved;
    if (!ok)
        return false;
    int fd = openat(dir, name, O_WRONLY | O_CLOEXEC);
    return closed(fd, fd >= 0 && ftruncate(fd, (off_t)size) == 0 && fsync(fd) == 0);
}

bool mend_segment(int dir, const struct segment_header *h, struct bytes records,
                  char kept[static MEND_NAME_MAX])
{
    char name[SEGMENT_NAME_MAX];
    uint8_t page[SEGMENT_HEADER_LEN];
    struct stat st;
    segment_name(h->first_seq, name);
    segment_header_encode(h, page);
    kept[0] = '\0';
    /* A second name and not a new one: at each moment one of the two files has the segment's. */
    if (fstatat(dir, name, &st, AT_SYMLINK_NOFOLLOW) == 0 &&
        (!kept_name(dir, name, kept) || linkat(dir, name, dir, kept, 0) != 0))
        return false;
    return make_file(dir, name, bytes_of(page, sizeof page), records, h->size);
}

bool mend_manifest(int dir, const struct segment_header *h)
{
    struct manifest m = {.epoch = h->epoch, .number = h->number, .first_seq = h->first_seq};
    uint8_t page[MANIFEST_LEN];
    manifest_encode(&m, page);
    return make_file(dir, "manifest", bytes_of(page, sizeof page), bytes_of(NULL, 0), sizeof page);
}

/* ---- records ------------------------------------------------------------------------------- */

/* Is there a record's header at all[at]? */
static bool header_at(struct bytes all, size_t at, const struct frame_key *key,
                      struct frame_header *h)
{
    return all.len - at >= FRAME_HEADER_LEN && frame_header_decode(all.p + at, key, h) &&
           h->type != 0;
}

void mend_find(struct bytes all, size_t from, const struct frame_key *key, uint64_t seq_min,
               mend_found_fn *fn, void *ctx)
{
    struct frame_header h;
    for (size_t at = from; at < all.len && all.len - at >= FRAME_HEADER_LEN;) {
        /* A number that is far too great saves the work of a check. */
        uint64_t seq = frame_u64(all.p + at + 8);
        if (seq < seq_min || seq >> 56 != 0 || !header_at(all, at, key, &h)) {
            at++;
            continue;
        }
        size_t behind = all.len - at - FRAME_HEADER_LEN;
        fn(ctx, &h, bytes_of(all.p + at + FRAME_HEADER_LEN, h.len < behind ? h.len : behind));
        at += h.len + FRAME_CHAIN_LEN <= behind ? (size_t)frame_len(&h) : FRAME_HEADER_LEN;
    }
}

/* Is the record at all[at] whole, number `seq`, and does it continue *chain? Then steps that. */
static size_t whole_at(struct bytes all, size_t at, const struct frame_key *key, uint64_t seq,
                       struct frame_chain *chain)
{
    struct frame_header h;
    if (!header_at(all, at, key, &h) || h.seq != seq || frame_len(&h) > all.len - at)
        return 0;
    struct frame_chain next = *chain;
    frame_chain_step(&next, all.p + at, bytes_of(all.p + at + FRAME_HEADER_LEN, h.len));
    if (memcmp(next.b, all.p + at + FRAME_HEADER_LEN + h.len, sizeof next.b) != 0)
        return 0;
    *chain = next;
    return (size_t)frame_len(&h);
}

struct bytes mend_run(struct bytes all, const struct frame_key *key,
                      const struct frame_chain *chain, uint64_t seq, uint64_t *end)
{
    *end = seq;
    for (size_t at = 0; at < all.len && all.len - at >= FRAME_OVERHEAD; at++) {
        struct frame_chain c = *chain;
        size_t len, to = at;
        if (frame_u64(all.p + at + 8) != seq)
            continue;
        while (to < all.len && (len = whole_at(all, to, key, *end, &c)) > 0) {
            to += len;
            ++*end;
        }
        if (to > at)
            return bytes_of(all.p + at, to - at);
    }
    return bytes_of(NULL, 0);
}
