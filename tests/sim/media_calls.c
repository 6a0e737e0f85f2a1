/* The system calls of log/, as the simulated disk answers them. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/ensure.h"
#include "log/sys.h"
#include "tests/sim/media_inside.h"
#include "tests/sim/rng.h"
#include "tests/sim/sim.h"
#include "tests/sim/tasks.h"

#define DESC_FIRST 1000 /* never a real descriptor */
#define DESC_MAX   32

struct desc {
    bool used;
    struct inode *inode; /* NULL: an eventfd */
    bool direct;         /* O_DIRECT: whole sectors only */
    bool child;          /* a pidfd: its process ran to its end when it was started, */
    int status;          /*   with this exit code, */
    int64_t ended_at;    /*   and is seen to end then */
    uint64_t count;      /* of an eventfd */
};

/* What fdopendir gives; the names as they were then. */
struct listing {
    int fd;
    size_t at;
    struct names names;
    struct dirent entry;
};

static struct desc descs[DESC_MAX];
static struct media_fault fault;
static enum media_end end_kind;
static enum media_call end_call;
static uint64_t end_in;
static int64_t slow_ms;
static bool dead;
static bool in_child;
static uint64_t child_calls; /* that it may still make before it is killed */

void (*media_on_sync)(void);

void media_set_slow(int64_t ms)
{
    slow_ms = ms;
}

void media_set_fault(const struct media_fault *f)
{
    fault = *f;
}

void media_set_end(enum media_end end, enum media_call call, uint64_t nth)
{
    end_kind = end;
    end_call = call;
    end_in = nth;
}

void media_end_now(enum media_end end)
{
    end_kind = end;
    dead = true;
}

bool media_power_lost(void)
{
    return dead && end_kind == MEDIA_POWER;
}

bool media_dead(void)
{
    return dead;
}

void media_calls_reset(void)
{
    for (size_t i = 0; i < DESC_MAX; i++)
        SIM_EXPECT(!descs[i].used, "a descriptor was left open");
    dead = false;
    end_in = 0;
    slow_ms = 0;
    fault = (struct media_fault){0};
}

/* ---- descriptors ------------------------------------------------------------------------------
 */

static int desc_new(struct inode *inode)
{
    for (int i = 0; i < DESC_MAX; i++)
        if (!descs[i].used) {
            descs[i] = (struct desc){.used = true, .inode = inode};
            if (inode)
                inode->open++;
            return DESC_FIRST + i;
        }
    sim_fail("%d descriptors are open", DESC_MAX);
}

static struct desc *desc_of(int fd)
{
    SIM_EXPECT(fd >= DESC_FIRST && fd < DESC_FIRST + DESC_MAX && descs[fd - DESC_FIRST].used,
               "descriptor %d is not open", fd);
    return &descs[fd - DESC_FIRST];
}

static struct inode *inode_of(int fd)
{
    struct inode *inode = desc_of(fd)->inode;
    SIM_EXPECT(inode, "descriptor %d is no file", fd);
    return inode;
}

/* ---- the gate before each call ----------------------------------------------------------------
 */

enum gate { GATE_GO, GATE_FAIL, GATE_SHORT, GATE_CUT };

static enum gate gate(enum media_call call)
{
    if (!dead && slow_ms > 0)
        tasks_sleep((int64_t)rng_skewed((uint64_t)slow_ms));
    if (!dead && rng_percent(40))
        tasks_give_way();
    errno = EIO;
    if (dead || (in_child && child_calls == 0))
        return GATE_FAIL;
    child_calls -= in_child;
    media_counts.calls++;
    trace_add('c', call, 0);
    if (end_in > 0 && (end_call == call || end_call == MEDIA_CALLS) && --end_in == 0) {
        dead = true;
        return GATE_CUT;
    }
    if (fault.nth == 0 || (fault.call != call && fault.call != MEDIA_CALLS) || --fault.nth > 0)
        return GATE_GO;
    media_counts.faults++;
    trace_add('e', call, (uint64_t)fault.error);
    sim_say("fault: call of kind %d: error %d", (int)call, fault.error);
    /* The next of its kind as well, until it has happened often enough. */
    int error = fault.error;
    fault.nth = --fault.times > 0;
    if (fault.nth == 0 && fault.after != 0) {
        fault = (struct media_fault){.call = call, .nth = 1, .times = 1, .error = fault.after};
    }
    errno = error;
    return error != 0 ? GATE_FAIL : GATE_SHORT;
}

static bool passes(enum media_call call)
{
    enum gate g = gate(call);
    return g == GATE_GO || g == GATE_SHORT;
}

/* ---- names ------------------------------------------------------------------------------------
 */

static int call_open_at(int dir, const char *name, int flags, mode_t mode)
{
    (void)mode;
    if (!passes(MEDIA_OPEN))
        return -1;
    if (dir == AT_FDCWD) {
        ENSURE(strcmp(name, MEDIA_ROOT) == 0);
        return desc_new(media_root);
    }
    struct inode *parent = inode_of(dir);
    struct inode *found = strcmp(name, ".") == 0 ? parent : names_find(parent->names_now, name);
    if (!found && (flags & O_CREAT) == 0) {
        errno = ENOENT;
        return -1;
    }
    if (found && (flags & O_CREAT) != 0 && (flags & O_EXCL) != 0) {
        errno = EEXIST;
        return -1;
    }
    if (!found) {
        found = inode_new(false);
        dir_do(parent, OP_LINK, name, NULL, found);
        media_counts.changes++;
    } else if ((flags & O_TRUNC) != 0) {
        file_truncate(found);
        media_counts.changes++;
    }
    int fd = desc_new(found);
    desc_of(fd)->direct = (flags & O_DIRECT) != 0;
    return fd;
}

static int call_mkdir_at(int dir, const char *name, mode_t mode)
{
    (void)mode;
    if (!passes(MEDIA_MKDIR))
        return -1;
    struct inode *parent = inode_of(dir);
    if (names_find(parent->names_now, name)) {
        errno = EEXIST;
        return -1;
    }
    dir_do(parent, OP_LINK, name, NULL, inode_new(true));
    media_counts.changes++;
    return 0;
}

static int call_rename_at(int old_dir, const char *old_name, int new_dir, const char *new_name)
{
    struct inode *dir = inode_of(old_dir);
    ENSURE(old_dir == new_dir);
    enum gate g = gate(MEDIA_RENAME);
    /* It may just have happened when the power went. */
    if (g == GATE_FAIL || (g == GATE_CUT && rng_percent(50)))
        return -1;
    struct inode *inode = names_find(dir->names_now, old_name);
    SIM_EXPECT(inode, "%s is renamed, which is not there", old_name);
    dir_do(dir, OP_RENAME, new_name, old_name, inode);
    media_counts.changes++;
    errno = EIO;
    return g == GATE_CUT ? -1 : 0;
}

static int call_unlink_at(int dir, const char *name, int flags)
{
    (void)flags;
    if (!passes(MEDIA_UNLINK))
        return -1;
    struct inode *parent = inode_of(dir);
    if (!names_find(parent->names_now, name)) {
        errno = ENOENT;
        return -1;
    }
    dir_do(parent, OP_UNLINK, name, NULL, NULL);
    media_counts.changes++;
    return 0;
}

static DIR *call_open_list(int fd)
{
    if (!passes(MEDIA_LIST))
        return NULL;
    struct listing *l = xcalloc(1, sizeof *l);
    l->fd = fd;
    l->names = *inode_of(fd)->names_now;
    return (DIR *)(void *)l;
}

struct dirent *__wrap_readdir(DIR *list);
int __wrap_closedir(DIR *list);

struct dirent *__wrap_readdir(DIR *list)
{
    struct listing *l = (struct listing *)(void *)list;
    if (l->at == l->names.count)
        return NULL;
    const char *name = l->names.list[l->at++].name;
    memcpy(l->entry.d_name, name, strlen(name) + 1);
    return &l->entry;
}

int __wrap_closedir(DIR *list)
{
    struct listing *l = (struct listing *)(void *)list;
    sys.close(l->fd);
    free(l);
    return 0;
}

/* ---- contents ---------------------------------------------------------------------------------
 */

static bool aligned(const struct desc *d, const void *p, size_t len, off_t offset)
{
    return !d->direct ||
           ((uintptr_t)p % SECTOR == 0 && len % SECTOR == 0 && (uint64_t)offset % SECTOR == 0);
}

static int call_stat_fd(int fd, struct stat *st)
{
    const struct inode *f = inode_of(fd);
    if (!passes(MEDIA_STAT))
        return -1;
    memset(st, 0, sizeof *st);
    st->st_mode = f->is_dir ? S_IFDIR : S_IFREG;
    st->st_size = (off_t)f->size_now;
    st->st_blksize = 4096;
    return 0;
}

static ssize_t call_pread(int fd, void *p, size_t len, off_t offset)
{
    const struct inode *f = inode_of(fd);
    enum gate g = gate(MEDIA_READ);
    if (g == GATE_FAIL || g == GATE_CUT)
        return -1;
    if (!aligned(desc_of(fd), p, len, offset)) {
        errno = EINVAL;
        return -1;
    }
    uint64_t at = (uint64_t)offset;
    uint64_t rest = at < f->size_now ? f->size_now - at : 0;
    if (len > rest)
        len = (size_t)rest;
    if (g == GATE_SHORT && len > 1 && !desc_of(fd)->direct)
        len = 1 + (size_t)rng_below(len - 1);
    if (len > 0)
        memcpy(p, f->now + at, len);
    return (ssize_t)len;
}

/* The longest part of [at, at + len) that the disk has room for. */
static uint64_t with_room(const struct inode *f, uint64_t at, uint64_t len)
{
    uint64_t room = media_room(), end = at;
    while (end < at + len) {
        uint64_t s = end / SECTOR;
        bool missing = s >= f->cap / SECTOR || !f->allocated[s];
        if (missing && room == 0)
            break;
        room -= missing;
        end = (s + 1) * SECTOR;
    }
    return end < at + len ? end - at : len;
}

static ssize_t call_pwrite(int fd, const void *p, size_t len, off_t offset)
{
    struct inode *f = inode_of(fd);
    enum gate g = gate(MEDIA_WRITE);
    uint64_t part = len;
    if (g == GATE_FAIL)
        return -1;
    if (!aligned(desc_of(fd), p, len, offset)) {
        errno = EINVAL;
        return -1;
    }
    if ((g == GATE_CUT || g == GATE_SHORT) && len > 0)
        part = rng_below(len) + (g == GATE_SHORT);
    if (desc_of(fd)->direct && part < len)
        part = part < SECTOR && g == GATE_SHORT ? SECTOR : part - part % SECTOR;
    part = with_room(f, (uint64_t)offset, part);
    file_allocate(f, (uint64_t)offset, (uint64_t)offset + part);
    if (part > 0)
        file_write(f, (uint64_t)offset, p, part);
    trace_add('w', (uint64_t)offset, part);
    media_counts.changes++;
    if (g != GATE_CUT && (part > 0 || len == 0))
        return (ssize_t)part;
    errno = g == GATE_CUT ? EIO : ENOSPC;
    return -1;
}

static int call_allocate(int fd, int mode, off_t offset, off_t len)
{
    struct inode *f = inode_of(fd);
    ENSURE(mode == 0);
    if (!passes(MEDIA_ALLOCATE))
        return -1;
    uint64_t from = (uint64_t)offset, to = from + (uint64_t)len;
    if (file_missing(f, from, to) > media_room()) {
        errno = ENOSPC;
        return -1;
    }
    file_allocate(f, from, to);
    if (to > f->size_now)
        f->size_now = to;
    media_counts.changes++;
    return 0;
}

static int call_sync(int fd)
{
    struct inode *inode = inode_of(fd);
    enum gate g = gate(MEDIA_SYNC);
    if (g == GATE_CUT)
        return -1;
    if (g == GATE_FAIL && !dead && errno != EINTR && !inode->is_dir) {
        int saved = errno;
        file_sync_failed(inode);
        errno = saved;
    }
    if (g == GATE_FAIL)
        return -1;
    if (inode->is_dir)
        dir_sync(inode);
    else
        file_sync(inode);
    if (media_on_sync && inode == media_newest_segment())
        media_on_sync();
    return 0;
}

static int call_close(int fd)
{
    struct desc *d = desc_of(fd);
    if (d->inode)
        d->inode->open--;
    d->used = false;
    return 0;
}

/* ---- children ---------------------------------------------------------------------------------
 */

/* What a forked child sees is the state at this instant, so it runs at once; it may be killed at
 * any of its calls, and the others learn of its end later. */
static int call_child_start(int keep_fd, int (*run)(void *arg), void *arg)
{
    (void)keep_fd;
    if (!dead && !passes(MEDIA_CHILD))
        return -1;
    int fd = desc_new(NULL);
    struct desc *d = desc_of(fd);
    d->child = true;
    child_calls = rng_one_in(4) ? 1 + rng_skewed(12) : UINT64_MAX;
    in_child = true;
    d->status = run(arg);
    if (child_calls == 0)
        d->status = -1;
    in_child = false;
    d->ended_at = tasks_now() + (int64_t)rng_skewed(5000);
    media_counts.children++;
    media_counts.children_killed += child_calls == 0;
    return fd;
}

static int call_child_wait(int pidfd, int *status)
{
    while (!dead && tasks_now() < desc_of(pidfd)->ended_at)
        tasks_sleep(desc_of(pidfd)->ended_at - tasks_now());
    *status = desc_of(pidfd)->status;
    return 0;
}

static int call_child_kill(int pidfd)
{
    desc_of(pidfd)->ended_at = tasks_now();
    return 0;
}

/* ---- wake-ups and threads ---------------------------------------------------------------------
 */

static int call_eventfd(unsigned count, int flags)
{
    (void)flags;
    if (!passes(MEDIA_OPEN))
        return -1;
    int fd = desc_new(NULL);
    desc_of(fd)->count = count;
    return fd;
}

static int call_wake(int fd)
{
    desc_of(fd)->count++;
    return 0;
}

static int call_unwake(int fd)
{
    struct desc *d = desc_of(fd);
    errno = EAGAIN;
    if (d->count == 0)
        return -1;
    d->count = 0;
    return 0;
}

static bool ready(int fd)
{
    return desc_of(fd)->count > 0;
}

static int call_thread_start(pthread_t *thread, const pthread_attr_t *attr, void *(*run)(void *),
                             void *arg)
{
    /* Also when the power is gone: what has no thread would end in another way than it does. */
    if (!dead && !passes(MEDIA_THREAD))
        return EAGAIN;
    return tasks_start(thread, attr, run, arg);
}

__attribute__((constructor)) static void install(void)
{
    sys.open_at = call_open_at;
    sys.mkdir_at = call_mkdir_at;
    sys.open_list = call_open_list;
    sys.stat_fd = call_stat_fd;
    sys.pread = call_pread;
    sys.pwrite = call_pwrite;
    sys.allocate = call_allocate;
    sys.fdatasync = call_sync;
    sys.fsync = call_sync;
    sys.rename_at = call_rename_at;
    sys.unlink_at = call_unlink_at;
    sys.close = call_close;
    sys.eventfd = call_eventfd;
    sys.wake = call_wake;
    sys.unwake = call_unwake;
    sys.thread_start = call_thread_start;
    sys.child_start = call_child_start;
    sys.child_wait = call_child_wait;
    sys.child_kill = call_child_kill;
    sys.wait_until = tasks_wait_until;
    sys.now_ms = tasks_now_ms;
    tasks_set_ready(ready);
}
