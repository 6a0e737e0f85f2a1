#include "base/arena.h"

#include <stdlib.h>

#include "base/ensure.h"

#define ARENA_ALIGN       16
#define ARENA_FIRST       (4096 - sizeof(struct arena_block))
#define ARENA_KEEP_MAX    ((size_t)65536)
#define ARENA_REQUEST_MAX (SIZE_MAX / 4)

struct arena_block {
    struct arena_block *older;
    size_t cap; /* bytes of data; a multiple of ARENA_ALIGN */
    _Alignas(ARENA_ALIGN) uint8_t data[];
};

static struct arena_block *block_new(size_t cap, struct arena_block *older)
{
    struct arena_block *block = xmalloc(sizeof *block + cap);
    block->older = older;
    block->cap = cap;
    return block;
}

/* A block for `size` bytes where the newest has not got them. */
static void *alloc_slow(struct arena *a, size_t size)
{
    ENSURE(size <= ARENA_REQUEST_MAX);

    size_t cap = ARENA_FIRST;
    if (a->block != NULL) {
        cap = a->block->cap * 2 < ARENA_KEEP_MAX ? a->block->cap * 2 : ARENA_KEEP_MAX;
        if (size > cap) {
            /* A block of its own, behind the newest, whose rest stays in use. */
            struct arena_block *own = block_new(size, a->block->older);
            a->block->older = own;
            return own->data;
        }
    } else if (size > cap) {
        cap = size;
    }
    a->block = block_new(cap, a->block);
    a->used = size;
    return a->block->data;
}

void *arena_alloc(struct arena *a, size_t size)
{
    if (size <= ARENA_REQUEST_MAX)
        size = (size + ARENA_ALIGN - 1) & ~(size_t)(ARENA_ALIGN - 1);
    if (a->block == NULL || a->block->cap - a->used < size)
        return alloc_slow(a, size);

    void *p = a->block->data + a->used;
    a->used += size;
    return p;
}

struct bytes arena_copy(struct arena *a, struct bytes s)
{
    uint8_t *p = arena_alloc(a, s.len);
    if (s.len != 0)
        memcpy(p, s.p, s.len);
    return bytes_of(p, s.len);
}

void arena_reset(struct arena *a)
{
    struct arena_block *keep = NULL;
    struct arena_block *older;
    for (struct arena_block *block = a->block; block != NULL; block = older) {
        older = block->older;
        bool better = block->cap <= ARENA_KEEP_MAX && (keep == NULL || block->cap > keep->cap);
        if (better) {
            free(keep);
            keep = block;
        } else {
            free(block);
        }
    }
    if (keep != NULL)
        keep->older = NULL;
    a->block = keep;
    a->used = 0;
}

void arena_release(struct arena *a)
{
    struct arena_block *older;
    for (struct arena_block *block = a->block; block != NULL; block = older) {
        older = block->older;
        free(block);
    }
    *a = (struct arena){0};
}
