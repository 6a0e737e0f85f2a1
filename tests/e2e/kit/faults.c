/*
 * A library that stands before the C library (LD_PRELOAD) and makes calls about files of a journal
 * fail, as the rules say that a test writes into the file $FAULTS while the server runs. Both map
 * it; kit/faults.py has the same layout.
 */
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/types.h>
#include <unistd.h>

#define RULES 8

struct rule {
    char call[16]; /* "" : no rule */
    char name[48]; /* a part of the path, "" for any below /journal; with $ behind it: its end */
    int32_t error; /* errno; 0: half of the bytes and no error */
    int32_t skip;  /* calls that pass before */
    int32_t times; /* calls that fail then; -1: all */
    int32_t hits;  /* calls that failed */
};

static struct rule *rules;

__attribute__((constructor)) static void map_rules(void)
{
    const char *path = getenv("FAULTS");
    int fd = path ? open(path, O_RDWR | O_CLOEXEC) : -1;
    if (fd < 0)
        return;
    void *p = mmap(NULL, sizeof(struct rule) * RULES, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    if (p != MAP_FAILED)
        rules = p;
    close(fd);
}

/* Takes one from a count that is above zero. */
static int take(int32_t *count)
{
    int32_t now = __atomic_load_n(count, __ATOMIC_ACQUIRE);
    while (now > 0)
        if (__atomic_compare_exchange_n(count, &now, now - 1, 0, __ATOMIC_ACQ_REL,
                                        __ATOMIC_ACQUIRE))
            return 1;
    return 0;
}

static int names(const char *path, const char *name)
{
    size_t len = strlen(path), part = strnlen(name, sizeof rules->name);
    if (part == 0 || name[part - 1] != '$')
        return strstr(path, name) != NULL;
    part--;
    return len >= part && memcmp(path + len - part, name, part) == 0;
}

/* The rule that this call on the path of `dir`, and `name` below it, meets, or NULL. */
static const struct rule *meets(const char *call, int dir, const char *name)
{
    char link[64], path[4352];
    if (!rules)
        return NULL;
    snprintf(link, sizeof link, "/proc/self/fd/%d", dir);
    ssize_t n = readlink(link, path, 4096);
    if (n < 0)
        return NULL;
    snprintf(path + n, sizeof path - (size_t)n, "/%s", name);
    if (!strstr(path, "/journal/"))
        return NULL;
    for (struct rule *r = rules; r < rules + RULES; r++) {
        if (strcmp(r->call, call) != 0 || !names(path, r->name))
            continue;
        if (take(&r->skip))
            continue;
        if (__atomic_load_n(&r->times, __ATOMIC_ACQUIRE) >= 0 && !take(&r->times))
            continue;
        __atomic_add_fetch(&r->hits, 1, __ATOMIC_ACQ_REL);
        errno = r->error;
        return r;
    }
    return NULL;
}

#define REAL(name) ((__typeof__(&name))dlsym(RTLD_NEXT, #name))

ssize_t pwrite(int fd, const void *p, size_t len, off_t offset)
{
    const struct rule *r = meets("pwrite", fd, "");
    if (r && r->error != 0)
        return -1;
    /* Whole sectors, as the system does it past the page cache. */
    if (r)
        len = len / 2 >= 512 ? len / 2 / 512 * 512 : len;
    return REAL(pwrite)(fd, p, len, offset);
}

int fdatasync(int fd)
{
    return meets("fdatasync", fd, "") ? -1 : REAL(fdatasync)(fd);
}

int fsync(int fd)
{
    return meets("fsync", fd, "") ? -1 : REAL(fsync)(fd);
}

int fallocate(int fd, int mode, off_t offset, off_t len)
{
    return meets("fallocate", fd, "") ? -1 : REAL(fallocate)(fd, mode, offset, len);
}

int renameat(int old_dir, const char *old_name, int new_dir, const char *new_name)
{
    if (meets("renameat", new_dir, new_name))
        return -1;
    return REAL(renameat)(old_dir, old_name, new_dir, new_name);
}

int openat(int dir, const char *name, int flags, ...)
{
    mode_t mode = 0;
    va_list args;
    va_start(args, flags);
    if ((flags & O_CREAT) != 0)
        mode = va_arg(args, mode_t);
    va_end(args);
    /* "create" is an openat that may make the file: what a directory without rights refuses. */
    if (meets("openat", dir, name) || ((flags & O_CREAT) != 0 && meets("create", dir, name)))
        return -1;
    return REAL(openat)(dir, name, flags, mode);
}
