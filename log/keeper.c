#include "log/keeper.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>

#include "base/diag.h"
#include "base/ensure.h"
#include "log/sys.h"

/* What the child says, in memory that it shares with the parent. */
struct child_report {
    bool finished;
    enum err err;
    struct snapshot_info info;
    struct failure failure;
};

struct keeper {
    int dir;
    struct keeper_hooks hooks;
    uint64_t good_seq; /* the newest snapshot known to be good; the helper's while one runs */
    bool failed;       /* a sync of the directory failed: for ever; likewise */
    /* of the snapshot that is being made */
    struct snapshot_header header;
    const struct journal_hooks *user;
    struct child_report *child_report;
    pthread_t thread;
    struct snapshot_result result;
    /* under the lock */
    pthread_mutex_t lock;
    int child; /* pidfd, -1: none */
    bool stopping;
    bool ended;
};

static void lock(struct keeper *k)
{
    ENSURE(pthread_mutex_lock(&k->lock) == 0);
}

static void unlock(struct keeper *k)
{
    ENSURE(pthread_mutex_unlock(&k->lock) == 0);
}

struct keeper *keeper_new(int dir, uint64_t good_seq, const struct keeper_hooks *hooks)
{
    struct keeper *k = xcalloc(1, sizeof *k);
    k->dir = dir;
    k->good_seq = good_seq;
    k->hooks = *hooks;
    k->child = -1;
    pthread_mutex_init(&k->lock, NULL);
    return k;
}

void keeper_free(struct keeper *k)
{
    if (!k)
        return;
    ENSURE(k->child < 0);
    pthread_mutex_destroy(&k->lock);
    free(k);
}

/* ---- the child ---- */

/* Writes the file, and proves that it can be read. */
static enum err child_write(const struct keeper *k, struct child_report *report)
{
    struct snapshot_info again;
    struct snapshot_fault fault;
    int fd = sys_open_at(k->dir, SNAPSHOT_TMP, O_RDWR | O_CREAT | O_TRUNC, 0600);
    if (fd < 0) {
        failure_set(&report->failure, "open", SNAPSHOT_TMP);
        return ERR_io;
    }
    struct snapshot_writer *w = snapshot_begin(fd, NULL, &k->header);
    k->user->on_save(k->user->ctx, w);
    enum err e = snapshot_end(w, &report->info, &report->failure);
    sys.close(fd);
    if (e != ERR_ok)
        return e;
    e = snapshot_read(k->dir, SNAPSHOT_TMP, k->header.seq, NULL, &again, &fault);
    if (e == ERR_ok && again.bytes == report->info.bytes && again.records == report->info.records)
        return ERR_ok;
    snprintf(report->failure.text, sizeof report->failure.text,
             "reading " JOURNAL_DIR "/" SNAPSHOT_TMP " back, offset %llu: %s",
             (unsigned long long)fault.offset, e == ERR_ok ? "it is another file" : fault.text);
    return ERR_io;
}

static int child_run(void *arg)
{
    struct keeper *k = arg;
    k->child_report->err = child_write(k, k->child_report);
    k->child_report->finished = true;
    return k->child_report->err == ERR_ok ? EXIT_SUCCESS : EXIT_FAILURE;
}

/* ---- the helper thread ---- */

static enum err await_child(struct keeper *k, char *why, size_t why_size)
{
    struct child_report *r = k->child_report;
    int status = -1;
    /* Where it cannot be waited for, somebody else did so, and what it left says enough. */
    (void)sys.child_wait(k->child, &status);
    lock(k);
    sys.close(k->child);
    k->child = -1;
    bool stopping = k->stopping;
    unlock(k);
    if (r->finished) {
        k->result.bytes = r->info.bytes;
        snprintf(why, why_size, "%s", r->failure.text);
        return r->err;
    }
    snprintf(why, why_size, "the process that wrote it was ended");
    return stopping ? ERR_shutting_down : ERR_io;
}

static enum err publish(struct keeper *k, char *why, size_t why_size)
{
    char name[SEGMENT_NAME_MAX];
    struct failure f;
    snapshot_name(k->header.seq, name);
    snprintf(why, why_size, "the journal has failed");
    if (!k->hooks.sync(k->hooks.ctx, k->header.seq))
        return ERR_io;
    enum err e = segment_put_in_place(k->dir, SNAPSHOT_TMP, name, &f);
    if (e == ERR_ok)
        return ERR_ok;
    /* Whether it has its name nobody knows, and a later sync would not say either. */
    k->failed = e == ERR_read_only;
    snprintf(why, why_size, "%s", f.text);
    return e == ERR_disk_full && (f.error == ENOSPC || f.error == EDQUOT) ? ERR_disk_full : ERR_io;
}

static void remove_file(struct keeper *k, const char *name)
{
    struct failure f;
    if (sys.unlink_at(k->dir, name, 0) == 0 || errno == ENOENT)
        return;
    failure_set(&f, "unlink", name);
    diag_warn("journal: %s; the next snapshot tries again", f.text);
}

/* A segment goes with the copies of its torn tails: they hold texts, too. */
static void remove_segment(struct keeper *k, uint64_t first_seq)
{
    char name[SEGMENT_NAME_MAX], copy[SEGMENT_NAME_MAX * 2];
    segment_name(first_seq, name);
    int n = 1;
    do
        snprintf(copy, sizeof copy, "%s.torn-%d", name, n++);
    while (sys.unlink_at(k->dir, copy, 0) == 0);
    remove_file(k, name);
}

/* Deletes the snapshots but this one and the good one before, and the segments that end at or below
 * the latter. In rising order, so that what is left begins later and has no hole. */
static void retire(struct keeper *k)
{
    uint64_t *list = NULL;
    size_t count = 0;
    bool have_before = false;
    if (snapshot_list(k->dir, &list, &count) != 0)
        return;
    for (size_t i = 0; i < count; i++) {
        char name[SEGMENT_NAME_MAX];
        have_before = have_before || list[i] == k->good_seq;
        snapshot_name(list[i], name);
        if (list[i] != k->good_seq && list[i] != k->header.seq)
            remove_file(k, name);
    }
    free(list);
    if (!have_before || segment_list(k->dir, &list, &count) != 0)
        return;
    for (size_t i = 0; i + 1 < count && list[i + 1] <= k->good_seq + 1; i++)
        remove_segment(k, list[i]);
    free(list);
    if (sys_fsync(k->dir) != 0)
        k->failed = true;
}

static void *helper_run(void *arg)
{
    struct keeper *k = arg;
    struct snapshot_result *r = &k->result;
    *r = (struct snapshot_result){.seq = k->header.seq};
    r->err = await_child(k, r->why, sizeof r->why);
    if (r->err == ERR_ok)
        r->err = publish(k, r->why, sizeof r->why);
    if (r->err == ERR_ok) {
        r->why[0] = '\0';
        retire(k);
        k->good_seq = k->header.seq;
    } else if (!k->failed) {
        remove_file(k, SNAPSHOT_TMP);
    }
    lock(k);
    k->ended = true;
    unlock(k);
    k->hooks.ended(k->hooks.ctx);
    return NULL;
}

/* ---- the loop thread ---- */

static void forget_child(struct keeper *k)
{
    int status;
    sys.child_kill(k->child);
    (void)sys.child_wait(k->child, &status);
    sys.close(k->child);
    sys.unlink_at(k->dir, SNAPSHOT_TMP, 0);
    k->child = -1;
}

enum err keeper_start(struct keeper *k, const struct journal_hooks *hooks,
                      const struct snapshot_header *h)
{
    if (k->failed)
        return ERR_io;
    void *shared = mmap(NULL, sizeof *k->child_report, PROT_READ | PROT_WRITE,
                        MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (shared == MAP_FAILED)
        return ERR_io;
    k->child_report = shared;
    k->header = *h;
    k->user = hooks;
    k->stopping = false;
    k->ended = false;
    k->child = sys.child_start(k->dir, child_run, k);
    if (k->child >= 0) {
        if (sys_thread_start(&k->thread, helper_run, k) == 0)
            return ERR_ok;
        forget_child(k);
    }
    munmap(shared, sizeof *k->child_report);
    return ERR_io;
}

bool keeper_take(struct keeper *k, struct snapshot_result *out)
{
    lock(k);
    bool ended = k->ended;
    k->ended = false;
    unlock(k);
    if (!ended)
        return false;
    pthread_join(k->thread, NULL);
    munmap(k->child_report, sizeof *k->child_report);
    *out = k->result;
    return true;
}

void keeper_stop(struct keeper *k)
{
    lock(k);
    k->stopping = true;
    if (k->child >= 0)
        sys.child_kill(k->child);
    unlock(k);
}
