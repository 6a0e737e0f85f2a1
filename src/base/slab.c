#include "base/slab.h"

#include <stdlib.h>

#include "base/asan.h"
#include "base/ensure.h"
#include "base/populate.h"

/* Regions grow with what there is already, so that a small server stays small. */
#define REGION_MIN ((size_t)64 << 10)
#define REGION_MAX ((size_t)1 << 20)
#define READY_STEP ((size_t)64 << 10)

/* malloc puts this before what it maps: with it, a region is a whole number of pages. */
#define MALLOC_HEAD 16

struct slab_region {
    struct slab_region *older;
};

struct slab_free {
    struct slab_free *next;
};

static size_t round_up(size_t n, size_t to)
{
    return (n + to - 1) & ~(to - 1);
}

static size_t class_of(size_t size)
{
    return (size - 1) / 8;
}

static size_t region_len(const struct slab *s)
{
    size_t len = REGION_MIN;
    while (len < REGION_MAX && len < s->reserved / 4)
        len *= 2;
    return len - MALLOC_HEAD;
}

static void region_new(struct slab *s)
{
    size_t len = region_len(s);
    struct slab_region *r = xmalloc(len);
    r->older = s->regions;
    s->regions = r;
    s->reserved += len;
    s->at = s->ready = (uint8_t *)(r + 1);
    s->end = (uint8_t *)r + len;
}

/* The memory of the next things of the region, some hundred of them. */
static void more_ready(struct slab *s)
{
    size_t rest = (size_t)(s->end - s->ready), step = rest < READY_STEP ? rest : READY_STEP;

    populate(s->ready, step);
    s->ready += step;
}

/* What is left of a region when a thing does not fit any more is used for one that does. */
static void keep_rest(struct slab *s)
{
    size_t rest = (size_t)(s->end - s->at);
    if (rest >= sizeof(struct slab_free))
        slab_free(s, s->at, rest < SLAB_SIZE_MAX ? rest : SLAB_SIZE_MAX);
}

void *slab_alloc(struct slab *s, size_t size)
{
    if (UNDER_ASAN || size > SLAB_SIZE_MAX)
        return xmalloc(size);
    struct slab_free **unused = &s->unused[class_of(size)];
    struct slab_free *first = *unused;
    if (first) {
        *unused = first->next;
        return first;
    }
    size = round_up(size, 8);
    if ((size_t)(s->end - s->at) < size) {
        keep_rest(s);
        region_new(s);
    }
    void *p = s->at;
    s->at += size;
    if (s->at > s->ready)
        more_ready(s);
    return p;
}

void slab_free(struct slab *s, void *p, size_t size)
{
    if (UNDER_ASAN || size > SLAB_SIZE_MAX) {
        free(p);
        return;
    }
    struct slab_free *f = p;
    f->next = s->unused[class_of(size)];
    s->unused[class_of(size)] = f;
}

void slab_release(struct slab *s)
{
    struct slab_region *older;
    for (struct slab_region *r = s->regions; r; r = older) {
        older = r->older;
        free(r);
    }
    *s = (struct slab){0};
}
