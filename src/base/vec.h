/*
 * vec: a vector of pointers that never moves what it holds.
 *
 * Elements live in chunks of 512 pointers, so adding to a vector of ten million costs what adding
 * to a small one does. Most vectors are short: the first chunk starts with 3 places and grows by a
 * quarter, and alone it needs no directory. {0} is a valid empty vector. It owns its chunks, not
 * the elements.
 */
#ifndef BASE_VEC_H
#define BASE_VEC_H

#include <stdint.h>

#define VEC_CHUNK 512u

struct vec {
    union {
        void **first;   /* while there is one chunk at most */
        void ***chunks; /* with more, all of them */
    };
    uint32_t count;
    uint32_t chunk_count; /* chunks that had memory; popping gives none back */
    uint32_t first_cap;   /* places in the first chunk */
};

/* Adds `p` at the end; at most UINT32_MAX - 1 elements. */
void vec_push(struct vec *v, void *p);

/* The place of element `i` < count. */
static inline void **vec_place(const struct vec *v, uint32_t i)
{
    return (v->chunk_count < 2 ? v->first : v->chunks[i / VEC_CHUNK]) + i % VEC_CHUNK;
}

/* Element `i` < count. */
static inline void *vec_at(const struct vec *v, uint32_t i)
{
    return *vec_place(v, i);
}

/* Replaces element `i` < count. */
static inline void vec_set(struct vec *v, uint32_t i, void *p)
{
    *vec_place(v, i) = p;
}

/* Takes the last element off and returns it; count > 0. */
static inline void *vec_pop(struct vec *v)
{
    v->count--;
    return vec_at(v, v->count);
}

/*
 * The elements below `to` <= count are gone, those below `from` (of the call before; 0) are
 * already: chunks that hold nothing else are freed. Those elements may not be looked at any more;
 * all others stay at their places.
 */
void vec_drop(struct vec *v, uint32_t from, uint32_t to);

/* Makes an empty vector one of `count` elements that are all gone. */
void vec_skip(struct vec *v, uint32_t count);

/* Frees the chunks; {0} afterwards. Idempotent. */
void vec_release(struct vec *v);

#endif
