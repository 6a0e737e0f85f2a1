#include "base/vec.h"

#include "base/ensure.h"

#include <stdlib.h>

/* The directory of chunks doubles: it is full whenever the number of chunks is a power of two. */
static void vec_add_chunk(struct vec *v)
{
    uint32_t n = v->chunk_count;
    if ((n & (n - 1)) == 0)
        v->chunks = xrealloc(v->chunks, (n == 0 ? 1 : 2 * n) * sizeof *v->chunks);
    if (n == 0)
        v->first_cap = 4;
    v->chunks[n] = xmalloc((n == 0 ? v->first_cap : VEC_CHUNK) * sizeof(void *));
    v->chunk_count++;
}

void vec_push(struct vec *v, void *p)
{
    ENSURE(v->count < UINT32_MAX - 1);
    if (v->count / VEC_CHUNK == v->chunk_count)
        vec_add_chunk(v);
    if (v->count < VEC_CHUNK && v->count == v->first_cap) {
        v->first_cap *= 2;
        v->chunks[0] = xrealloc(v->chunks[0], v->first_cap * sizeof(void *));
    }
    v->count++;
    vec_set(v, v->count - 1, p);
}

void vec_release(struct vec *v)
{
    for (uint32_t i = 0; i < v->chunk_count; i++)
        free(v->chunks[i]);
    free(v->chunks);
    *v = (struct vec){0};
}
