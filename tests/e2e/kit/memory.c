/*
 * A library that stands before the C library (LD_PRELOAD) and lets one allocation fail: the nth
 * from the moment in which a test writes n into the file $MEMORY, which both map; kit/memory.py has
 * the same layout.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

struct control {
    int64_t left;   /* the allocation that takes it from 1 to 0 fails; below 1: none does */
    int64_t failed; /* how many have failed */
};

static struct control *control;

__attribute__((constructor)) static void map_control(void)
{
    const char *path = getenv("MEMORY");
    int fd = path ? open(path, O_RDWR | O_CLOEXEC) : -1;
    if (fd < 0)
        return;
    void *p = mmap(NULL, sizeof *control, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    if (p != MAP_FAILED)
        control = p;
    close(fd);
}

static int fails(void)
{
    if (!control || __atomic_load_n(&control->left, __ATOMIC_ACQUIRE) < 1)
        return 0;
    if (__atomic_sub_fetch(&control->left, 1, __ATOMIC_ACQ_REL) != 0)
        return 0;
    __atomic_add_fetch(&control->failed, 1, __ATOMIC_ACQ_REL);
    errno = ENOMEM;
    return 1;
}

/* The C library's own names for what stands behind the public ones. */
extern void *__libc_malloc(size_t size);
extern void *__libc_calloc(size_t count, size_t size);
extern void *__libc_realloc(void *p, size_t size);
extern void *__libc_memalign(size_t alignment, size_t size);

void *malloc(size_t size)
{
    return fails() ? NULL : __libc_malloc(size);
}

void *calloc(size_t count, size_t size)
{
    return fails() ? NULL : __libc_calloc(count, size);
}

void *realloc(void *p, size_t size)
{
    return fails() ? NULL : __libc_realloc(p, size);
}

void *aligned_alloc(size_t alignment, size_t size)
{
    return fails() ? NULL : __libc_memalign(alignment, size);
}

int posix_memalign(void **out, size_t alignment, size_t size)
{
    void *p = fails() ? NULL : __libc_memalign(alignment, size);
    if (!p)
        return ENOMEM;
    *out = p;
    return 0;
}
