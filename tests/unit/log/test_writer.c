/*
 * Power loss. A disk is played that keeps what was synced and, of what was not, any part: each
 * sector, each length and each name for itself. The machine stops before the nth call, for every
 * n; what is then on the disk must start, with everything that was acknowledged.
 */
#include "log/writer.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "base/crypto.h"
#include "log/sys.h"
#include "tests/unit/log/child.h"
#include "tests/unit/log/dir.h"

#define SEGMENT  65536
#define SECTOR   512
#define FD_MAX   256
#define FILE_MAX 4096
#define OPS_MAX  4096
#define IMAGES   3

/* A file, whatever its name: as programs see it, and as it would be after power loss at most. */
struct inode {
    struct buf now;
    struct buf durable;
};

/* A name as programs see it; inode -1: none. */
struct entry {
    char name[80];
    int inode;
    int durable_inode;
};

static struct {
    pthread_mutex_t lock;
    struct sys real;
    struct inode inodes[FILE_MAX];
    int inode_count;
    struct entry entries[FILES_MAX];
    size_t entry_count;
    int of_fd[FD_MAX]; /* inode + 1; 0: not ours */
    int calls;
    int stop_at;
    uint64_t random;
    atomic_size_t acknowledged;
    size_t acknowledged_then;
    bool stopped;
    struct files images[IMAGES];
} disk = {.lock = PTHREAD_MUTEX_INITIALIZER};

/* A test repeats exactly: no clock and no system randomness (xorshift64*). */
static uint64_t draw(void)
{
    disk.random ^= disk.random >> 12;
    disk.random ^= disk.random << 25;
    disk.random ^= disk.random >> 27;
    return disk.random * 0x2545f4914f6cdd1d;
}

static void buf_set_len(struct buf *b, size_t len)
{
    if (len > b->len) {
        buf_reserve(b, len - b->len);
        memset(b->p + b->len, 0, len - b->len);
    }
    b->len = len;
}

/* What is left of one file: of everything that was not synced, a part. */
static void leave_file(const struct inode *n, struct file *out)
{
    size_t len = draw() & 1 ? n->now.len : n->durable.len;
    out->len = len;
    out->p = calloc(1, len + 1);
    assert_non_null(out->p);
    for (size_t at = 0; at < len; at += SECTOR) {
        const struct buf *from = draw() & 1 ? &n->now : &n->durable;
        size_t end = at + SECTOR < len ? at + SECTOR : len;
        if (end > from->len)
            end = from->len;
        if (at < end)
            memcpy(out->p + at, from->p + at, end - at);
    }
}

static void leave_image(struct files *out)
{
    for (size_t i = 0; i < disk.entry_count; i++) {
        const struct entry *e = &disk.entries[i];
        int inode = draw() & 1 ? e->inode : e->durable_inode;
        if (inode < 0)
            continue;
        struct file *f = &out->list[out->count++];
        snprintf(f->name, sizeof f->name, "%s", e->name);
        leave_file(&disk.inodes[inode], f);
    }
    qsort(out->list, out->count, sizeof out->list[0], files_compare);
}

/* Called with the lock held, before each call that changes something. */
static void tick(void)
{
    if (++disk.calls != disk.stop_at)
        return;
    disk.stopped = true;
    disk.acknowledged_then = disk.acknowledged;
    for (int i = 0; i < IMAGES; i++)
        leave_image(&disk.images[i]);
}

static struct entry *find(const char *name)
{
    for (size_t i = 0; i < disk.entry_count; i++)
        if (strcmp(disk.entries[i].name, name) == 0)
            return &disk.entries[i];
    assert_true(disk.entry_count < FILES_MAX);
    struct entry *e = &disk.entries[disk.entry_count++];
    snprintf(e->name, sizeof e->name, "%s", name);
    e->inode = -1;
    e->durable_inode = -1;
    return e;
}

static int d_open_at(int dir, const char *name, int flags, mode_t mode)
{
    pthread_mutex_lock(&disk.lock);
    if (flags & O_CREAT)
        tick();
    int fd = disk.real.open_at(dir, name, flags, mode);
    if (fd >= 0 && !(flags & O_DIRECTORY)) {
        assert_true(fd < FD_MAX);
        struct entry *e = find(name);
        if (e->inode < 0) {
            assert_true(disk.inode_count < FILE_MAX);
            e->inode = disk.inode_count++;
        } else if (flags & O_TRUNC) {
            buf_set_len(&disk.inodes[e->inode].now, 0);
        }
        disk.of_fd[fd] = e->inode + 1;
    }
    pthread_mutex_unlock(&disk.lock);
    return fd;
}

static int d_close(int fd)
{
    pthread_mutex_lock(&disk.lock);
    disk.of_fd[fd] = 0;
    int rc = disk.real.close(fd);
    pthread_mutex_unlock(&disk.lock);
    return rc;
}

static ssize_t d_pwrite(int fd, const void *p, size_t len, off_t offset)
{
    pthread_mutex_lock(&disk.lock);
    tick();
    ssize_t n = disk.real.pwrite(fd, p, len, offset);
    assert_int_equal(n, len);
    struct buf *now = &disk.inodes[disk.of_fd[fd] - 1].now;
    if (now->len < (size_t)offset + len)
        buf_set_len(now, (size_t)offset + len);
    memcpy(now->p + offset, p, len);
    pthread_mutex_unlock(&disk.lock);
    return n;
}

static int d_allocate(int fd, int mode, off_t offset, off_t len)
{
    pthread_mutex_lock(&disk.lock);
    tick();
    int rc = disk.real.allocate(fd, mode, offset, len);
    struct buf *now = &disk.inodes[disk.of_fd[fd] - 1].now;
    if (rc == 0 && now->len < (size_t)(offset + len))
        buf_set_len(now, (size_t)(offset + len));
    pthread_mutex_unlock(&disk.lock);
    return rc;
}

/* Syncs a file's bytes and length, or a directory's names. */
static int d_sync(int fd)
{
    pthread_mutex_lock(&disk.lock);
    tick();
    if (disk.of_fd[fd] > 0) {
        struct inode *n = &disk.inodes[disk.of_fd[fd] - 1];
        buf_reset(&n->durable);
        buf_add_bytes(&n->durable, buf_bytes(&n->now));
    } else {
        for (size_t i = 0; i < disk.entry_count; i++)
            disk.entries[i].durable_inode = disk.entries[i].inode;
    }
    pthread_mutex_unlock(&disk.lock);
    return 0;
}

static int d_rename_at(int from_dir, const char *from, int to_dir, const char *to)
{
    pthread_mutex_lock(&disk.lock);
    tick();
    int rc = disk.real.rename_at(from_dir, from, to_dir, to);
    assert_int_equal(rc, 0);
    find(to)->inode = find(from)->inode;
    find(from)->inode = -1;
    pthread_mutex_unlock(&disk.lock);
    return rc;
}

static int d_unlink_at(int dir, const char *name, int flags)
{
    pthread_mutex_lock(&disk.lock);
    tick();
    int rc = disk.real.unlink_at(dir, name, flags);
    find(name)->inode = -1;
    pthread_mutex_unlock(&disk.lock);
    return rc;
}

static void disk_begin(int stop_at)
{
    for (int i = 0; i < disk.inode_count; i++) {
        buf_release(&disk.inodes[i].now);
        buf_release(&disk.inodes[i].durable);
    }
    disk.inode_count = 0;
    disk.entry_count = 0;
    disk.calls = 0;
    disk.stop_at = stop_at;
    disk.random = 0x9e3779b97f4a7c15 + (uint64_t)stop_at;
    disk.acknowledged = 0;
    disk.stopped = false;
    disk.real = sys;
    sys.open_at = d_open_at;
    sys.close = d_close;
    sys.pwrite = d_pwrite;
    sys.allocate = d_allocate;
    sys.fdatasync = d_sync;
    sys.fsync = d_sync;
    sys.rename_at = d_rename_at;
    sys.unlink_at = d_unlink_at;
    child_here();
}

static void on_commit(void *ctx, const struct journal_record *record, void *ticket)
{
    seen_on_commit(ctx, record, ticket);
    if (ticket)
        disk.acknowledged++;
}

/* Puts files into the directory and onto the played disk, where only the `durable` bytes of them
 * are safe. */
static void disk_load(const struct data_dir *d, const struct files *now,
                      const struct files *durable)
{
    dir_write(d, now);
    for (size_t i = 0; i < now->count; i++) {
        struct entry *e = find(now->list[i].name);
        e->inode = e->durable_inode = disk.inode_count++;
        buf_add(&disk.inodes[e->inode].now, now->list[i].p, now->list[i].len);
        buf_add(&disk.inodes[e->inode].durable, durable->list[i].p, durable->list[i].len);
    }
}

/* Two lives with a restart between them: small batches, batches of many sectors, one of more than
 * a segment, a record of more than a segment; two snapshots in each, which delete segments. */
static void live(const struct data_dir *d, enum journal_sync sync)
{
    static const struct {
        int records;
        size_t len;
    } batches[] = {{1, 10}, {3, 100},  {20, 90},   {2, 3000}, {12, 4000}, {1, 10},
                   {1, 1},  {5, 9000}, {14, 9000}, {1, 10},   {1, 70000}, {2, 10}};
    int id = 1;
    for (int life = 0; life < 2; life++) {
        struct seen s = {0};
        struct journal_report report;
        struct journal_options o = dir_options(d, SEGMENT);
        struct journal_hooks hooks = seen_hooks(&s);
        hooks.on_commit = on_commit;
        o.sync = sync;
        assert_int_equal(journal_open_files(&o, &hooks, &report, &s.journal), ERR_ok);
        for (size_t b = (size_t)life * 6; b < (size_t)life * 6 + 6; b++) {
            for (int i = 0; i < batches[b].records; i++, id++)
                seen_propose(&s, id, batches[b].len + (size_t)i);
            seen_flush(&s);
            if (b % 3 == 2) {
                seen_snapshot(&s);
                assert_int_equal(s.ended.err, ERR_ok);
            }
        }
        journal_close(s.journal);
        assert_int_equal(s.count, id - 1);
        assert_int_equal(s.failed, 0);
        seen_release(&s);
    }
}

static size_t start(const struct data_dir *d, struct journal_report *report)
{
    struct seen s = {0};
    enum err e = dir_try(d, SEGMENT, &s, report);
    if (e != ERR_ok)
        fail_msg("stopped before call %d: %s: %s", disk.stop_at, err_code(e), report->damage);
    size_t count = s.count;
    for (size_t i = 0; i < count; i++)
        assert_int_equal(s.records[i].id, i + 1);
    journal_close(s.journal);
    seen_release(&s);
    return count;
}

static void stop_before_every_call(enum journal_sync sync)
{
    struct data_dir left = dir_new();
    int torn = 0, calls = 0;
    for (int n = 1;; n++) {
        struct data_dir d = dir_new();
        disk_begin(n);
        live(&d, sync);
        sys_reset();
        dir_free(&d);
        if (!disk.stopped)
            break;
        calls++;
        for (int i = 0; i < IMAGES; i++) {
            struct journal_report report;
            dir_write(&left, &disk.images[i]);
            files_free(&disk.images[i]);
            size_t count = start(&left, &report);
            torn += report.torn_tail[0] != '\0';
            if (sync == JOURNAL_SYNC_ALWAYS)
                assert_true(count >= disk.acknowledged_then);
            assert_int_equal(start(&left, &report), count);
            assert_string_equal(report.torn_tail, "");
        }
    }
    dir_free(&left);
    disk_begin(0);
    sys_reset();
    assert_true(calls > 80);
    assert_true(torn > 10);
}

static void power_loss(void **state)
{
    (void)state;
    stop_before_every_call(JOURNAL_SYNC_ALWAYS);
}

static void power_loss_without_syncs(void **state)
{
    (void)state;
    stop_before_every_call(JOURNAL_SYNC_OFF);
}

/* The process dies before its records are synced, the next one starts and writes, and then the
 * machine stops. With `torn`, the first leaves half a record, too. */
static void power_loss_after_a_death(bool torn)
{
    struct data_dir left = dir_new();
    struct journal_report report;
    struct seen s = {0};
    struct journal_options o = dir_options(&left, SEGMENT);
    struct journal_hooks hooks = seen_hooks(&s);
    o.sync = JOURNAL_SYNC_OFF;
    assert_int_equal(journal_open_files(&o, &hooks, &report, &s.journal), ERR_ok);
    struct files durable = dir_read(&left);
    for (int id = 1; id <= 10; id++)
        seen_propose(&s, id, 300);
    seen_flush(&s);
    struct files now = dir_read(&left);
    journal_close(s.journal);
    seen_release(&s);
    if (torn)
        memset(files_last(&now)->p + file_used(files_last(&now)) - 200, 0, 200);
    size_t replayed = torn ? 9 : 10;
    bool stopped = true;
    for (int n = 1; stopped; n++) {
        struct data_dir d = dir_new();
        disk_begin(n);
        disk_load(&d, &now, &durable);
        hooks.on_commit = on_commit;
        o = dir_options(&d, SEGMENT);
        assert_int_equal(journal_open_files(&o, &hooks, &report, &s.journal), ERR_ok);
        assert_int_equal(s.count, replayed);
        for (int id = (int)replayed + 1; id <= 20; id++) {
            seen_propose(&s, id, 300);
            seen_flush(&s);
        }
        journal_close(s.journal);
        seen_release(&s);
        sys_reset();
        dir_free(&d);
        stopped = disk.stopped;
        for (int i = 0; i < IMAGES && stopped; i++) {
            dir_write(&left, &disk.images[i]);
            files_free(&disk.images[i]);
            size_t count = start(&left, &report);
            if (disk.acknowledged_then > 0)
                assert_true(count >= replayed + disk.acknowledged_then);
        }
    }
    files_free(&now);
    files_free(&durable);
    dir_free(&left);
    disk_begin(0);
    sys_reset();
}

static void power_loss_after_a_death_of_the_process(void **state)
{
    (void)state;
    power_loss_after_a_death(false);
    power_loss_after_a_death(true);
}

int main(void)
{
    crypto_init();
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(power_loss),
        cmocka_unit_test(power_loss_without_syncs),
        cmocka_unit_test(power_loss_after_a_death_of_the_process),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
