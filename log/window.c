#include "log/window.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/ensure.h"
#include "log/sys.h"

#define WINDOW_LEN (1u << 20)

void window_open(struct window *w, int fd, uint64_t size)
{
    size_t cap = size < WINDOW_LEN ? (size_t)size : WINDOW_LEN;
    w->fd = fd;
    w->size = size;
    w->start = 0;
    w->len = 0;
    if (w->cap >= cap)
        return;
    w->cap = cap;
    w->p = xrealloc(w->p, cap);
}

void window_release(struct window *w)
{
    free(w->p);
    *w = (struct window){0};
}

/* Reads so that `need` bytes from `offset` on lie at the front. */
static int slide(struct window *w, uint64_t offset, size_t need, size_t skip)
{
    uint64_t rest = w->size - offset;
    if (w->on_read)
        w->on_read(w->ctx);
    w->len -= skip;
    if (w->len > 0)
        memmove(w->p, w->p + skip, w->len);
    w->start = offset;
    if (need > w->cap) {
        w->cap = need + WINDOW_LEN;
        w->p = xrealloc(w->p, w->cap);
    }
    uint64_t want = rest - w->len < w->cap - w->len ? rest - w->len : w->cap - w->len;
    ssize_t n = sys_read_full(w->fd, w->p + w->len, (size_t)want, offset + w->len);
    if (n < 0)
        return -1;
    w->len += (size_t)n;
    if (w->len >= need)
        return 0;
    errno = EIO; /* shorter than fstat said: it is being cut under us */
    return -1;
}

int window_at(struct window *w, uint64_t offset, size_t need, const uint8_t **p, size_t *have)
{
    uint64_t rest = w->size - offset;
    if (need > rest)
        need = (size_t)rest;
    bool inside = offset >= w->start && offset - w->start <= w->len;
    size_t skip = inside ? (size_t)(offset - w->start) : w->len;
    if (!inside || w->len - skip < need) {
        if (slide(w, offset, need, skip) != 0)
            return -1;
        skip = 0;
    }
    *p = w->p + skip;
    *have = w->len - skip;
    return 0;
}
