#include "base/vec.h"

#include "base/ensure.h"

#include <stdlib.h>

/* Odd, and so are the next ones: with malloc's header they fill its steps of 16 bytes. */
#define FIRST_CAP 3

/* The directory doubles: it is full whenever the number of chunks is a power of two. */
static void vec_add_chunk(struct vec *v)
{
    uint32_t n = v->chunk_count;
    if (n == 0) {
        v->first_cap = FIRST_CAP;
        v->first = xmalloc(FIRST_CAP * sizeof(void *));
    } else {
        void **first = n == 1 ? v->first : NULL;
        if ((n & (n - 1)) == 0)
            v->chunks = xrealloc(n == 1 ? NULL : v->chunks, 2 * n * sizeof *v->chunks);
        if (n == 1)
            v->chunks[0] = first;
        v->chunks[n] = xmalloc(VEC_CHUNK * sizeof(void *));
    }
    v->chunk_count++;
}

/* By a quarter, in fours: less stands empty than with doubling, and a chunk is soon full. */
static void vec_grow_first(struct vec *v)
{
    uint32_t more = v->first_cap / 16 * 4;
    uint32_t cap = v->first_cap + (more > 0 ? more : 4);
    v->first_cap = cap < VEC_CHUNK ? cap : VEC_CHUNK;
    v->first = xrealloc(v->first, v->first_cap * sizeof(void *));
}

void vec_push(struct vec *v, void *p)
{
    ENSURE(v->count < UINT32_MAX - 1);
    if (v->count / VEC_CHUNK == v->chunk_count)
        vec_add_chunk(v);
    if (v->count < VEC_CHUNK && v->count == v->first_cap)
        vec_grow_first(v);
    v->count++;
    vec_set(v, v->count - 1, p);
}

void vec_drop(struct vec *v, uint32_t from, uint32_t to)
{
    for (uint32_t i = from / VEC_CHUNK; i < to / VEC_CHUNK; i++) {
        void ***chunk = v->chunk_count < 2 ? NULL : &v->chunks[i];
        free(chunk != NULL ? (void *)*chunk : (void *)v->first);
        if (chunk != NULL)
            *chunk = NULL;
        else
            v->first = NULL;
    }
}

void vec_skip(struct vec *v, uint32_t count)
{
    uint32_t gone = count / VEC_CHUNK;

    ENSURE(v->chunk_count == 0);
    if (gone > 0) {
        uint32_t places = 1;
        while (places < gone)
            places *= 2;
        void ***chunks = places > 1 ? xcalloc(places, sizeof *chunks) : NULL;
        v->chunks = chunks;
        v->chunk_count = gone;
        v->first_cap = VEC_CHUNK;
        v->count = gone * VEC_CHUNK;
    }
    while (v->count < count)
        vec_push(v, NULL);
}

void vec_release(struct vec *v)
{
    if (v->chunk_count > 1) {
        for (uint32_t i = 0; i < v->chunk_count; i++)
            free(v->chunks[i]);
    }
    free(v->chunk_count > 1 ? (void *)v->chunks : (void *)v->first);
    *v = (struct vec){0};
}
