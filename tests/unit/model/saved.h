/*
 * saved: a model as the records that model_save gives, kept one behind the other, and back.
 */
#ifndef UNIT_MODEL_SAVED_H
#define UNIT_MODEL_SAVED_H

#include "base/buf.h"
#include "base/ensure.h"
#include "model/save.h"

#include <stdlib.h>

struct saved_record {
    size_t at; /* in bytes */
    size_t len;
    uint16_t type;
};

struct saved {
    struct buf bytes;
    struct saved_record *records;
    uint32_t count;
};

static inline void saved_add(void *ctx, uint16_t type, struct bytes payload)
{
    struct saved *s = ctx;
    if ((s->count & (s->count - 1)) == 0)
        s->records = xrealloc(s->records, (s->count == 0 ? 1 : 2 * s->count) * sizeof *s->records);
    s->records[s->count++] = (struct saved_record){s->bytes.len, payload.len, type};
    buf_add_bytes(&s->bytes, payload);
}

static inline struct bytes saved_payload(const struct saved *s, uint32_t i)
{
    return bytes_of(s->bytes.p + s->records[i].at, s->records[i].len);
}

static inline void saved_of(struct saved *s, const struct model *m)
{
    *s = (struct saved){0};
    model_save(m, saved_add, s);
}

/* Each record from memory of its own, which is gone when it was taken: the model holds copies or
 * the sanitizers say so. */
static inline bool saved_load_one(const struct saved *s, uint32_t i, struct model *m)
{
    struct bytes payload = saved_payload(s, i);
    uint8_t *copy = xmalloc(payload.len);
    if (payload.len > 0)
        memcpy(copy, payload.p, payload.len);
    bool taken = model_load(m, s->records[i].type, bytes_of(copy, payload.len));
    free(copy);
    return taken;
}

/* Loads all of it into `m`; false as soon as something is refused. */
static inline bool saved_load(const struct saved *s, struct model *m, uint64_t cursor)
{
    for (uint32_t i = 0; i < s->count; i++) {
        if (!saved_load_one(s, i, m))
            return false;
    }
    return model_loaded(m, cursor);
}

static inline void saved_release(struct saved *s)
{
    buf_release(&s->bytes);
    free(s->records);
    *s = (struct saved){0};
}

/* A second model, by way of a snapshot. NULL where it was refused. */
static inline struct model *saved_copy(const struct model *m)
{
    struct saved s;
    struct model *again = model_new();

    saved_of(&s, m);
    if (!saved_load(&s, again, model_cursor(m))) {
        model_free(again);
        again = NULL;
    }
    saved_release(&s);
    return again;
}

#endif
