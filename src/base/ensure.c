#include "base/ensure.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

void ensure_failed(const char *condition, const char *file, int line)
{
    /* dprintf and not diag: this must work whatever state the rest is in. */
    dprintf(STDERR_FILENO, "%s:%d: a contract was broken: %s\n", file, line, condition);
    abort();
}

/* Not an abort: the machine is at its limit, and a core file would not help it. */
void out_of_memory(unsigned long size)
{
    dprintf(STDERR_FILENO, "out of memory: %lu bytes could not be had\n", size);
    _exit(EXIT_FAILURE);
}

void *xmalloc(unsigned long size)
{
    void *p = malloc(size == 0 ? 1 : size);
    if (p == NULL)
        out_of_memory(size);
    return p;
}

void *xcalloc(unsigned long count, unsigned long size)
{
    void *p = count == 0 || size == 0 ? calloc(1, 1) : calloc(count, size);
    if (p == NULL)
        out_of_memory(size != 0 && count > SIZE_MAX / size ? SIZE_MAX : count * size);
    return p;
}

void *xaligned(unsigned long alignment, unsigned long size)
{
    void *p = aligned_alloc(alignment, size);
    if (p == NULL)
        out_of_memory(size);
    return p;
}

void *xrealloc(void *p, unsigned long size)
{
    /* realloc(p, 0) would free p and give NULL. */
    void *q = realloc(p, size == 0 ? 1 : size);
    if (q == NULL)
        out_of_memory(size);
    return q;
}
