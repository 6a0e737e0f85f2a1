#include "log/disk.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/eventfd.h>

#include "base/diag.h"
#include "base/ensure.h"
#include "log/keeper.h"
#include "log/sys.h"

#define SYNC_EVERY_MS  1000
#define PROBE_EVERY_MS 100

struct disk {
    /* the disk thread's */
    struct writer writer;
    enum journal_sync sync;
    int64_t sync_at_ms; /* EVERY_SECOND and dirty: when to sync */
    /* set before the thread starts */
    pthread_t thread;
    struct keeper *keeper;
    int event_fd;
    atomic_bool woken; /* event_fd is readable, or about to be */
    /* written by the disk thread, read by the loop thread */
    atomic_uint_least64_t synced_seq; /* every record below is on disk */
    atomic_uint_least64_t segment;    /* number of the newest */
    /* both, under the lock */
    pthread_mutex_t lock;
    pthread_cond_t wake;
    pthread_cond_t synced; /* sync_wanted was answered; one waits at most */
    struct batch *offered;
    struct batch *done_first;
    struct batch *done_last;
    bool idle; /* the thread waits for `wake` */
    bool stop;
    bool full;   /* take nothing until a probe found room */
    bool failed; /* take nothing any more */
    bool probe_wanted;
    bool sync_wanted;      /* before a snapshot gets its name */
    int64_t probe_next_ms; /* not before */
};

static void lock(struct disk *d)
{
    ENSURE(pthread_mutex_lock(&d->lock) == 0);
}

static void unlock(struct disk *d)
{
    ENSURE(pthread_mutex_unlock(&d->lock) == 0);
}

/* ---- the disk thread: called and left with the lock held, but not while the disk works ---- */

/* Tells the loop that there is something to take, which is there already. Any thread, without the
 * lock; a system call only where the loop has looked since the last one. */
static void wake_loop(struct disk *d)
{
    if (!atomic_exchange(&d->woken, true))
        ENSURE(sys.wake(d->event_fd) == 0);
}

/* Gives a batch to the loop. */
static void give_back(struct disk *d, struct batch *b)
{
    b->next = NULL;
    if (!d->done_first)
        d->done_first = b;
    else
        d->done_last->next = b;
    d->done_last = b;
    d->full = b->why == ERR_disk_full;
    d->failed = b->why == ERR_read_only;
    unlock(d);
    wake_loop(d);
    lock(d);
}

static void say_failure(const struct disk *d, enum err why)
{
    if (why == ERR_read_only)
        diag_error("journal: %s; what is on disk is not known, so no more changes are taken until "
                   "a restart",
                   d->writer.failure.text);
    else
        diag_error("journal: %s; changes are refused until there is room", d->writer.failure.text);
}

static uint32_t count_records(const uint8_t *p, size_t len)
{
    uint32_t count = 0;
    for (size_t at = 0; at < len; at += FRAME_OVERHEAD + frame_u32(p + at))
        count++;
    return count;
}

static void write_batch(struct disk *d)
{
    struct batch *b = d->offered;
    struct writer *w = &d->writer;
    bool was_dirty = w->dirty;
    size_t done;
    d->offered = NULL;
    unlock(d);
    b->why = writer_append(w, b->frames.p, b->frames.len, b->count, d->sync == JOURNAL_SYNC_ALWAYS,
                           &done);
    b->done = b->why == ERR_ok ? b->count : count_records(b->frames.p, done);
    atomic_store(&d->synced_seq, w->synced_seq);
    atomic_store_explicit(&d->segment, w->header.number, memory_order_relaxed);
    if (w->dirty && !was_dirty)
        d->sync_at_ms = sys.now_ms() + SYNC_EVERY_MS;
    if (b->why != ERR_ok)
        say_failure(d, b->why);
    lock(d);
    give_back(d, b);
}

/* The sync that no batch asks for. Where it fails and no batch is there to say so, an empty one
 * does. */
static void timed_sync(struct disk *d)
{
    unlock(d);
    enum err e = writer_sync(&d->writer);
    atomic_store(&d->synced_seq, d->writer.synced_seq);
    struct batch *notice = NULL;
    if (e != ERR_ok) {
        say_failure(d, e);
        notice = batch_new();
        notice->why = e;
    }
    lock(d);
    if (notice)
        give_back(d, notice);
}

static void wanted_sync(struct disk *d)
{
    d->sync_wanted = false;
    if (!d->failed)
        timed_sync(d);
    pthread_cond_signal(&d->synced);
}

static void probe(struct disk *d)
{
    d->probe_wanted = false;
    unlock(d);
    enum err e = writer_probe(&d->writer);
    int64_t now = sys.now_ms();
    if (e == ERR_ok)
        diag_info("journal: there is room again; changes are taken");
    struct batch *notice = NULL;
    if (e == ERR_read_only) {
        say_failure(d, e);
        notice = batch_new();
        notice->why = e;
    }
    lock(d);
    d->probe_next_ms = now + PROBE_EVERY_MS;
    if (e == ERR_ok)
        d->full = false;
    if (notice)
        give_back(d, notice);
}

/* Waits for something to do, no longer than until the sync that is due. */
static void rest(struct disk *d, bool sync_due)
{
    d->idle = true;
    if (sync_due) {
        struct timespec when = {.tv_sec = d->sync_at_ms / 1000,
                                .tv_nsec = d->sync_at_ms % 1000 * 1000000};
        sys.wait_until(&d->wake, &d->lock, &when);
    } else {
        pthread_cond_wait(&d->wake, &d->lock);
    }
    d->idle = false;
}

static void *disk_run(void *arg)
{
    struct disk *d = arg;
    lock(d);
    for (;;) {
        bool sync_due = d->sync == JOURNAL_SYNC_EVERY_SECOND && d->writer.dirty && !d->failed;
        if (d->sync_wanted)
            wanted_sync(d);
        else if (sync_due && sys.now_ms() >= d->sync_at_ms)
            timed_sync(d);
        else if (d->offered && !d->full && !d->failed)
            write_batch(d);
        else if (d->stop)
            break;
        else if (d->probe_wanted && d->full)
            probe(d);
        else
            rest(d, sync_due);
    }
    unlock(d);
    return NULL;
}

/* ---- the helper thread of a snapshot ---- */

static bool disk_sync_to(void *ctx, uint64_t seq)
{
    struct disk *d = ctx;
    lock(d);
    while (!d->failed && atomic_load(&d->synced_seq) <= seq) {
        d->sync_wanted = true;
        if (d->idle)
            pthread_cond_signal(&d->wake);
        pthread_cond_wait(&d->synced, &d->lock);
    }
    bool ok = !d->failed;
    unlock(d);
    return ok;
}

static void disk_snapshot_ended(void *ctx)
{
    wake_loop(ctx);
}

/* ---- the loop thread ---- */

static int disk_fd(const void *impl)
{
    const struct disk *d = impl;
    return d->event_fd;
}

static void disk_submit(void *impl, struct batch *b)
{
    struct disk *d = impl;
    lock(d);
    ENSURE(!d->offered);
    d->offered = b;
    bool idle = d->idle;
    unlock(d);
    if (idle)
        pthread_cond_signal(&d->wake);
}

static struct batch *disk_reclaim(void *impl)
{
    struct disk *d = impl;
    lock(d);
    struct batch *b = d->offered;
    d->offered = NULL;
    unlock(d);
    return b;
}

static struct batch *disk_take_done(void *impl)
{
    struct disk *d = impl;
    /* In this order: what is given from here on wakes again, and what was given before is taken
     * below. A wake that is still on its way (EAGAIN) is taken back at a later look. */
    if (atomic_load(&d->woken) && sys.unwake(d->event_fd) == 0)
        atomic_store(&d->woken, false);
    lock(d);
    struct batch *b = d->done_first;
    d->done_first = NULL;
    d->done_last = NULL;
    unlock(d);
    return b;
}

static uint64_t disk_durable(void *impl, uint64_t first_seq)
{
    struct disk *d = impl;
    return d->sync == JOURNAL_SYNC_ALWAYS ? first_seq : atomic_load(&d->synced_seq);
}

static bool disk_writable(void *impl)
{
    struct disk *d = impl;
    lock(d);
    bool ok = !d->full && !d->failed;
    bool ask = d->full && !d->probe_wanted && sys.now_ms() >= d->probe_next_ms;
    if (ask)
        d->probe_wanted = true;
    unlock(d);
    if (ask)
        pthread_cond_signal(&d->wake);
    return ok;
}

static void disk_stats(const void *impl, struct journal_stats *out)
{
    const struct disk *d = impl;
    out->segment = atomic_load_explicit(&d->segment, memory_order_relaxed);
    out->syncs = &d->writer.syncs;
}

static void disk_wait(void *impl)
{
    struct disk *d = impl;
    struct pollfd p = {.fd = d->event_fd, .events = POLLIN};
    while (poll(&p, 1, -1) < 0)
        ENSURE(errno == EINTR);
}

static enum err disk_snapshot(void *impl, const struct journal_hooks *hooks,
                              const struct snapshot_header *h)
{
    struct disk *d = impl;
    return keeper_start(d->keeper, hooks, h);
}

static bool disk_take_snapshot(void *impl, struct snapshot_result *out)
{
    struct disk *d = impl;
    return keeper_take(d->keeper, out);
}

static void disk_stop_snapshot(void *impl)
{
    struct disk *d = impl;
    keeper_stop(d->keeper);
}

static void disk_free(struct disk *d)
{
    keeper_free(d->keeper);
    sys.close(d->event_fd);
    pthread_cond_destroy(&d->synced);
    pthread_cond_destroy(&d->wake);
    pthread_mutex_destroy(&d->lock);
    free(d);
}

static void disk_close(void *impl)
{
    struct disk *d = impl;
    lock(d);
    d->stop = true;
    unlock(d);
    pthread_cond_signal(&d->wake);
    pthread_join(d->thread, NULL);
    ENSURE(!d->offered);
    writer_release(&d->writer);
    sys.close(d->writer.dir);
    while (d->done_first) {
        struct batch *b = d->done_first;
        d->done_first = b->next;
        batch_free(b);
    }
    disk_free(d);
}

const struct journal_backend disk_backend = {
    .fd = disk_fd,
    .submit = disk_submit,
    .reclaim = disk_reclaim,
    .take_done = disk_take_done,
    .durable = disk_durable,
    .writable = disk_writable,
    .stats = disk_stats,
    .wait = disk_wait,
    .snapshot = disk_snapshot,
    .take_snapshot = disk_take_snapshot,
    .stop_snapshot = disk_stop_snapshot,
    .close = disk_close,
};

struct disk *disk_start(struct writer *writer, enum journal_sync sync, uint64_t snapshot_seq,
                        struct failure *f)
{
    struct disk *d = xcalloc(1, sizeof *d);
    pthread_condattr_t monotonic;
    d->sync = sync;
    d->probe_next_ms = INT64_MIN;
    d->event_fd = sys.eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (d->event_fd < 0) {
        failure_set(f, "eventfd", ".");
        free(d);
        return NULL;
    }
    pthread_mutex_init(&d->lock, NULL);
    pthread_condattr_init(&monotonic);
    pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    pthread_cond_init(&d->wake, &monotonic);
    pthread_condattr_destroy(&monotonic);
    pthread_cond_init(&d->synced, NULL);
    d->keeper = keeper_new(writer->dir, snapshot_seq,
                           &(struct keeper_hooks){d, disk_sync_to, disk_snapshot_ended});
    ENSURE(!writer->preparing);
    memcpy(&d->writer, writer, sizeof *writer);
    atomic_init(&d->writer.stop, false);
    atomic_init(&d->synced_seq, d->writer.synced_seq);
    atomic_init(&d->segment, d->writer.header.number);
    errno = sys_thread_start(&d->thread, disk_run, d);
    if (errno == 0) {
        *writer = (struct writer){.dir = -1, .pages.fd = -1, .next_fd = -1};
        return d;
    }
    failure_set(f, "starting the thread", ".");
    disk_free(d);
    return NULL;
}
