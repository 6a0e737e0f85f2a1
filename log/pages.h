/*
 * pages: a file that is written in whole pages, past the page cache where the file system can
 * (O_DIRECT). Private to log/.
 *
 * A journal is written once, in order, synced at once, and not read again: the page cache only
 * costs it a copy, memory, and the writing-back that each sync has to start and to wait for. On the
 * machine where this was decided, a write and a sync of 220 bytes to 200 KB took a quarter less
 * processor time and a quarter less waiting without it, and making a segment of zeros took less
 * than half.
 *
 * Such writes are of whole pages. So the page in which the file's content ends is kept here: a
 * write begins with it again, and fills its last page up with zeros, as they are there anyway.
 */
#ifndef LOG_PAGES_H
#define LOG_PAGES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define PAGE_LEN 4096

struct pages {
    int fd;
    uint64_t at;   /* where the content ends */
    uint64_t size; /* of the file; nothing is written behind it */
    uint8_t *buffer;
    uint8_t tail[PAGE_LEN]; /* the page that `at` is in, up to `at` */
};

/* Opens `name` as sys_open_at does: past the page cache where `direct` is wanted and the file
 * system has it. -1 with errno. */
int pages_open_file(int dir, const char *name, int flags, bool direct);

/* Writes one page at `offset`. 0 or -1 with errno. */
int pages_write_page(int fd, const uint8_t page[PAGE_LEN], uint64_t offset);

/* {0} but fd -1 is one without a file. `pages_start` goes on with a file whose content ends at
 * `at`, and whose descriptor it takes over; the one before is forgotten, not closed. Reads the page
 * around `at`. 0 or -1 with errno, then nothing has changed. */
int pages_start(struct pages *p, int fd, uint64_t at, uint64_t size);

/* Writes `len` bytes at p->at, which moves. Returns how many bytes of them were written: less than
 * `len` means that the call failed with errno, and p->at has not moved. They are not on disk before
 * sys_fdatasync(p->fd). */
size_t pages_append(struct pages *p, const uint8_t *bytes, size_t len);

/* Overwrites `len` bytes behind p->at, which stays, and what is behind them in the last page, with
 * zeros. 0 or -1 with errno. */
int pages_clear(struct pages *p, uint64_t len);

/* Frees what it holds; does not close. */
void pages_release(struct pages *p);

#endif
