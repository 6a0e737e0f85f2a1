/*
 * slab: memory for very many small things of many sizes, which live long.
 *
 * malloc spends 16 bytes and a rounding on each, and a walk through its bins. Here a thing costs
 * its size rounded up to 8 and is cut from a region, which grow up to 1 MiB, and of which the next
 * 64 KiB have their memory at once (base/populate). (Regions on huge pages were tried: fewer
 * faults, but each costs so much more where the memory was not used before that a message became
 * dearer.)
 *
 * What is given back is kept for things of the same size (rounded up); it never goes back to the
 * system before slab_release. {0} is a valid empty slab. Under the address sanitizer each thing is
 * a malloc of its own, so that it sees who uses one that was given back.
 */
#ifndef BASE_SLAB_H
#define BASE_SLAB_H

#include <stddef.h>
#include <stdint.h>

/* Larger things are malloc's. */
#define SLAB_SIZE_MAX ((size_t)1024)
#define SLAB_CLASSES  (SLAB_SIZE_MAX / 8)

struct slab_region;
struct slab_free;

struct slab {
    uint8_t *at;    /* the rest of the newest region */
    uint8_t *ready; /* so far its memory is there */
    uint8_t *end;
    struct slab_region *regions; /* newest first */
    size_t reserved;             /* bytes of all of them */
    struct slab_free *unused[SLAB_CLASSES];
};

/* `size` bytes (at least 1), aligned to 8, not zeroed. Never NULL. */
void *slab_alloc(struct slab *s, size_t size);

/* Gives back what slab_alloc gave for this size. */
void slab_free(struct slab *s, void *p, size_t size);

/* Gives back everything but the things larger than SLAB_SIZE_MAX, which are to be given back one by
 * one before. Idempotent. */
void slab_release(struct slab *s);

#endif
