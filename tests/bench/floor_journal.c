#include "floor_journal.h"

#include <err.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/ensure.h"

/* Records and the tickets that wait for them. */
struct batch {
    struct buf bytes;
    struct buf tickets; /* uint64_t each */
};

struct floor_journal {
    int file, wake;
    size_t size, record_len;
    uint8_t *record;

    struct batch open;  /* loop thread: queued in this turn */
    struct buf taken;   /* loop thread: what floor_journal_take lent out */
    struct batch write; /* disk thread: on its way */
    size_t offset;      /* disk thread */

    pthread_mutex_t mutex;
    pthread_cond_t filled;
    struct batch waiting; /* under the mutex: submitted */
    struct buf done;      /* under the mutex: tickets that are durable */
};

static void batch_swap(struct batch *a, struct batch *b)
{
    struct batch t = *a;

    *a = *b;
    *b = t;
}

static void write_all(struct floor_journal *j, const uint8_t *p, size_t len)
{
    if (len > j->size)
        errx(1, "a batch of %zu bytes does not fit the journal file", len);
    if (j->offset + len > j->size)
        j->offset = 0;
    while (len > 0) {
        ssize_t n = pwrite(j->file, p, len, (off_t)j->offset);
        if (n <= 0)
            err(1, "journal: write");
        p += n;
        len -= (size_t)n;
        j->offset += (size_t)n;
    }
}

static void *disk_main(void *arg)
{
    struct floor_journal *j = arg;
    uint64_t one = 1;

    pthread_mutex_lock(&j->mutex);
    for (;;) {
        while (j->waiting.tickets.len == 0)
            pthread_cond_wait(&j->filled, &j->mutex);
        batch_swap(&j->waiting, &j->write);
        pthread_mutex_unlock(&j->mutex);

        write_all(j, j->write.bytes.p, j->write.bytes.len);
        if (fdatasync(j->file) != 0)
            err(1, "journal: fdatasync");

        pthread_mutex_lock(&j->mutex);
        buf_add(&j->done, j->write.tickets.p, j->write.tickets.len);
        buf_reset(&j->write.bytes);
        buf_reset(&j->write.tickets);
        if (write(j->wake, &one, sizeof(one)) != sizeof(one))
            err(1, "journal: eventfd");
    }
    return NULL;
}

/* Real zeros, not a hole: a later fdatasync then has no block to allocate and no size to change. */
static void preallocate(int file, size_t size)
{
    size_t chunk = 1 << 20;
    void *zeros = xcalloc(1, chunk);

    for (size_t at = 0; at < size; at += chunk) {
        size_t n = size - at < chunk ? size - at : chunk;
        if (pwrite(file, zeros, n, (off_t)at) != (ssize_t)n)
            err(1, "journal: preallocate");
    }
    free(zeros);
    if (fsync(file) != 0)
        err(1, "journal: fsync");
}

struct floor_journal *floor_journal_new(const char *path, size_t size, size_t record_len)
{
    struct floor_journal *j = xcalloc(1, sizeof(*j));
    pthread_t thread;

    j->file = open(path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    if (j->file < 0)
        err(1, "%s", path);
    preallocate(j->file, size);
    j->wake = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    if (j->wake < 0)
        err(1, "eventfd");
    j->size = size;
    j->record_len = record_len;
    j->record = xmalloc(record_len);
    memset(j->record, 'r', record_len);
    pthread_mutex_init(&j->mutex, NULL);
    pthread_cond_init(&j->filled, NULL);
    if (pthread_create(&thread, NULL, disk_main, j) != 0)
        errx(1, "cannot start the disk thread");
    pthread_detach(thread);
    return j;
}

void floor_journal_add(struct floor_journal *j, uint64_t ticket)
{
    buf_add(&j->open.bytes, j->record, j->record_len);
    buf_add(&j->open.tickets, &ticket, sizeof(ticket));
}

void floor_journal_submit(struct floor_journal *j)
{
    if (j->open.tickets.len == 0)
        return;
    pthread_mutex_lock(&j->mutex);
    if (j->waiting.tickets.len == 0) {
        batch_swap(&j->open, &j->waiting);
    } else {
        buf_add(&j->waiting.bytes, j->open.bytes.p, j->open.bytes.len);
        buf_add(&j->waiting.tickets, j->open.tickets.p, j->open.tickets.len);
        buf_reset(&j->open.bytes);
        buf_reset(&j->open.tickets);
    }
    pthread_cond_signal(&j->filled);
    pthread_mutex_unlock(&j->mutex);
}

int floor_journal_fd(const struct floor_journal *j)
{
    return j->wake;
}

size_t floor_journal_take(struct floor_journal *j, const uint64_t **tickets)
{
    uint64_t count;
    struct buf t;

    if (read(j->wake, &count, sizeof(count)) != sizeof(count))
        return 0;
    buf_reset(&j->taken);
    pthread_mutex_lock(&j->mutex);
    t = j->done;
    j->done = j->taken;
    j->taken = t;
    pthread_mutex_unlock(&j->mutex);
    *tickets = (const uint64_t *)j->taken.p;
    return j->taken.len / sizeof(uint64_t);
}
