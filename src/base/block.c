/*
 * Blocks are cut from regions, which are mapped once and never given back: so the process has few
 * mappings, however many blocks come and go.
 */
#include "base/block.h"

#include <stddef.h>
#include <stdint.h>
#include <sys/mman.h>

#include "base/ensure.h"
#include "base/populate.h"
#include "base/vec.h"

#define REGION_BYTES ((unsigned long)32 * BLOCK_BYTES)

static struct vec empty;           /* were put; their memory is the system's */
static uint8_t *fresh, *fresh_end; /* of the newest region, never used */

static void region_map(void)
{
    /* One block more, so that there is a whole number of them from a multiple of their size on. */
    uint8_t *p = mmap(NULL, REGION_BYTES + BLOCK_BYTES, PROT_READ | PROT_WRITE,
                      MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (p == MAP_FAILED)
        out_of_memory(REGION_BYTES);
    fresh = p + (BLOCK_BYTES - 1 - ((uintptr_t)(p - 1) & (BLOCK_BYTES - 1)));
    fresh_end = fresh + REGION_BYTES;
}

static void *block_find(void)
{
    if (empty.count > 0)
        return vec_pop(&empty);
    if (fresh == fresh_end)
        region_map();
    fresh += BLOCK_BYTES;
    return fresh - BLOCK_BYTES;
}

void *block_get(void)
{
    void *block = block_find();

    populate(block, BLOCK_BYTES);
    return block;
}

void block_put(void *block)
{
    ENSURE(madvise(block, BLOCK_BYTES, MADV_DONTNEED) == 0);
    vec_push(&empty, block);
}
