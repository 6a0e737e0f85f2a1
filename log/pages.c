#include "log/pages.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>

#include "base/ensure.h"
#include "log/sys.h"

/* So much is written in one call, which lasts until the disk has it. */
#define BUFFER_LEN (1u << 20)

static uint64_t page_floor(uint64_t n)
{
    return n & ~(uint64_t)(PAGE_LEN - 1);
}

static uint64_t page_ceiling(uint64_t n)
{
    return page_floor(n + PAGE_LEN - 1);
}

int pages_open_file(int dir, const char *name, int flags, bool direct)
{
    int fd = -1;
    if (direct)
        fd = sys_open_at(dir, name, flags | O_DIRECT, 0600);
    /* EINVAL: a file system that has no O_DIRECT. */
    if (!direct || (fd < 0 && errno == EINVAL))
        fd = sys_open_at(dir, name, flags, 0600);
    return fd;
}

int pages_write_page(int fd, const uint8_t page[PAGE_LEN], uint64_t offset)
{
    _Alignas(PAGE_LEN) uint8_t copy[PAGE_LEN];
    memcpy(copy, page, sizeof copy);
    return sys_write_full(fd, copy, sizeof copy, offset) == sizeof copy ? 0 : -1;
}

/* A child that writes a snapshot is forked at any time, also while the disk reads this memory: it
 * gets none of it, as open(2) advises for O_DIRECT. So it is a mapping of its own. */
static uint8_t *buffer_new(void)
{
    void *p = mmap(NULL, BUFFER_LEN, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    ENSURE(p != MAP_FAILED); /* out of memory ends the process */
    ENSURE(madvise(p, BUFFER_LEN, MADV_DONTFORK) == 0);
    return p;
}

int pages_start(struct pages *p, int fd, uint64_t at, uint64_t size)
{
    if (!p->buffer)
        p->buffer = buffer_new();
    uint64_t first = page_floor(at);
    if (at > first) {
        ssize_t n = sys_read_full(fd, p->buffer, PAGE_LEN, first);
        if (n >= 0 && (uint64_t)n < at - first) {
            errno = EIO; /* the file became shorter under us */
            return -1;
        }
        if (n < 0)
            return -1;
        memcpy(p->tail, p->buffer, at - first);
    }
    p->fd = fd;
    p->at = at;
    p->size = size;
    return 0;
}

/* Where a write of whole pages that holds the bytes before `end` ends. A file that an older version
 * made may end inside a page. */
static uint64_t write_end(const struct pages *p, uint64_t end)
{
    uint64_t whole = page_ceiling(end);
    return whole < p->size ? whole : p->size;
}

size_t pages_append(struct pages *p, const uint8_t *bytes, size_t len)
{
    uint64_t at = p->at;
    size_t done = 0;
    const uint8_t *tail = p->tail;
    ENSURE(len <= p->size - p->at);
    while (done < len) {
        size_t head = (size_t)(at - page_floor(at));
        size_t part = len - done < BUFFER_LEN - head ? len - done : BUFFER_LEN - head;
        size_t whole = (size_t)(write_end(p, at + part) - page_floor(at));
        memmove(p->buffer, tail, head);
        memcpy(p->buffer + head, bytes + done, part);
        memset(p->buffer + head + part, 0, whole - head - part);
        size_t n = sys_write_full(p->fd, p->buffer, whole, page_floor(at));
        /* Where a part of the padding alone is missing: it is zero on disk already. */
        if (n < whole && (n < head || n - head < part))
            return done + (n < head ? 0 : n - head);
        at += part;
        done += part;
        tail = p->buffer + page_floor(head + part);
    }
    memmove(p->tail, tail, (size_t)(at - page_floor(at)));
    p->at = at;
    return len;
}

int pages_clear(struct pages *p, uint64_t len)
{
    uint64_t first = page_floor(p->at), end = write_end(p, p->at + len);
    size_t head = (size_t)(p->at - first);
    size_t part = end - first < PAGE_LEN ? (size_t)(end - first) : PAGE_LEN;
    if (len == 0)
        return 0;
    memcpy(p->buffer, p->tail, head);
    memset(p->buffer + head, 0, PAGE_LEN - head);
    if (sys_write_full(p->fd, p->buffer, part, first) != part)
        return -1;
    return sys_write_zeros(p->fd, first + part, end - first - part);
}

void pages_release(struct pages *p)
{
    if (p->buffer)
        munmap(p->buffer, BUFFER_LEN);
    *p = (struct pages){.fd = -1};
}
