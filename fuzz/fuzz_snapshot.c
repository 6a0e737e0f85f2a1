/*
 * The records of a snapshot: u16 type, u16 length, payload, again and again; the cursor of the
 * whole is what the head says. Whatever they say, the model takes them whole, and then every
 * invariant holds, timelines can be read, and saving and loading again changes nothing; or it
 * refuses, and can be reset.
 */
#include "base/crypto.h"
#include "base/ensure.h"
#include "base/varint.h"
#include "model/save.h"
#include "model/timeline.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static bool load_input(struct model *m, struct bytes in)
{
    uint64_t cursor = 0;

    while (in.len >= 4) {
        uint16_t type = (uint16_t)(in.p[0] | in.p[1] << 8);
        size_t len = (size_t)in.p[2] | (size_t)in.p[3] << 8;
        struct bytes payload = bytes_of(in.p + 4, len < in.len - 4 ? len : in.len - 4);
        struct bytes rest = payload;
        in = bytes_of(payload.p + payload.len, in.len - 4 - payload.len);
        if (!model_load(m, type, payload))
            return false;
        if (type == SAVED_head)
            ENSURE(varint_take(&rest, &cursor));
    }
    return model_loaded(m, cursor);
}

static void load_saved(void *ctx, uint16_t type, struct bytes payload)
{
    ENSURE(model_load(ctx, type, payload));
}

static void check_loaded(const struct model *m)
{
    uint8_t first[MODEL_DIGEST_LEN], second[MODEL_DIGEST_LEN];
    struct model *again = model_new();
    struct event e;

    model_verify(m);
    for (uint32_t i = 1; i <= model_user_count(m); i++) {
        for (int all = 0; all < 2; all++) {
            struct timeline *t = timeline_new(m, model_user(m, i), 0, all != 0);
            while (timeline_next(t, &e))
                ENSURE(e.user != NULL && e.group != NULL && e.cursor <= model_cursor(m));
            timeline_free(t);
        }
    }
    model_save(m, load_saved, again);
    ENSURE(model_loaded(again, model_cursor(m)));
    model_digest(m, first);
    model_digest(again, second);
    ENSURE(memcmp(first, second, sizeof first) == 0);
    model_free(again);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    crypto_init();
    struct model *m = model_new();
    if (load_input(m, bytes_of(data, size)))
        check_loaded(m);
    model_reset(m);
    model_verify(m);
    model_free(m);
    return 0;
}
