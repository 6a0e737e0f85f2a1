/*
 * window: a file as it is read from front to back, in large pieces. Private to log/.
 */
#ifndef LOG_WINDOW_H
#define LOG_WINDOW_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* {0} is one; the memory serves for many files. `p` holds the file's bytes
 * [start, start + len). */
struct window {
    int fd;
    uint64_t size; /* of the file */
    uint8_t *p;
    size_t cap;
    size_t len;
    uint64_t start;
    /* Called before each read; NULL: nobody asks. */
    void (*on_read)(void *ctx);
    void *ctx;
};

/* Goes on with another file, or reads this one anew. */
void window_open(struct window *w, int fd, uint64_t size);
void window_release(struct window *w);

/* Would window_at find these bytes without a read, and leave what is there where it is? */
static inline bool window_has(const struct window *w, uint64_t offset, size_t need)
{
    return offset >= w->start && offset - w->start + need <= w->len;
}

/* Points *p at `need` bytes from `offset` on, or at as many as the file has, and says in *have how
 * many there are. `offset` is at most the file's size. They stay until the next call. -1 with errno
 * where a read failed, or the file became shorter. */
int window_at(struct window *w, uint64_t offset, size_t need, const uint8_t **p, size_t *have);

#endif
