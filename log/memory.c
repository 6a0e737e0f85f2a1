/* The journal in memory: the same frames in one buffer, no thread, no file. */
#include <stdlib.h>

#include "base/ensure.h"
#include "log/backend.h"

struct memory {
    struct journal_memory *past; /* the caller's; outlives the journal */
    struct batch *offered;
    bool snapshot_ended;
    struct snapshot_result result;
};

static int memory_fd(const void *impl)
{
    (void)impl;
    return -1;
}

static void memory_submit(void *impl, struct batch *b)
{
    struct memory *m = impl;
    ENSURE(!m->offered);
    m->offered = b;
}

static struct batch *memory_reclaim(void *impl)
{
    struct memory *m = impl;
    struct batch *b = m->offered;
    m->offered = NULL;
    return b;
}

/* How many records of the batch are written before the one that is to fail. */
static uint32_t records_before_failure(struct journal_memory *past, const struct batch *b)
{
    if (past->fail_at == 0 || past->fail_at > b->count) {
        if (past->fail_at != 0)
            past->fail_at -= b->count;
        return b->count;
    }
    uint32_t before = (uint32_t)(past->fail_at - 1);
    past->fail_at = 0;
    return before;
}

static void keep(struct journal_memory *past, const struct batch *b)
{
    size_t len = 0;
    for (uint32_t i = 0; i < b->done; i++)
        len += FRAME_OVERHEAD + frame_u32(b->frames.p + len);
    struct buf all = {past->bytes, past->len, past->cap};
    buf_add(&all, b->frames.p, len);
    past->bytes = all.p;
    past->len = all.len;
    past->cap = all.cap;
}

static struct batch *memory_take_done(void *impl)
{
    struct memory *m = impl;
    struct batch *b = memory_reclaim(impl);
    if (!b)
        return NULL;
    b->done = records_before_failure(m->past, b);
    b->why = b->done == b->count ? ERR_ok : ERR_disk_full;
    keep(m->past, b);
    return b;
}

static uint64_t memory_durable(void *impl, uint64_t first_seq)
{
    (void)impl;
    return first_seq;
}

static bool memory_writable(void *impl)
{
    (void)impl;
    return true;
}

static void memory_wait(void *impl)
{
    (void)impl;
}

/* Drops the frames of the records up to `seq`. */
static void drop_frames(struct journal_memory *past, uint64_t seq)
{
    size_t at = 0;
    while (at < past->len && frame_u64(past->bytes + at + 8) <= seq)
        at += FRAME_OVERHEAD + frame_u32(past->bytes + at);
    if (at > 0)
        memmove(past->bytes, past->bytes + at, past->len - at);
    past->len -= at;
}

static enum err memory_snapshot(void *impl, const struct journal_hooks *hooks,
                                const struct snapshot_header *h)
{
    struct memory *m = impl;
    struct buf out = {0};
    struct snapshot_info info;
    struct failure f;
    struct snapshot_writer *w = snapshot_begin(-1, &out, h);
    hooks->on_save(hooks->ctx, w);
    ENSURE(snapshot_end(w, &info, &f) == ERR_ok);
    free(m->past->snapshot);
    m->past->snapshot = out.p;
    m->past->snapshot_len = out.len;
    drop_frames(m->past, h->seq);
    m->snapshot_ended = true;
    m->result = (struct snapshot_result){.seq = h->seq, .bytes = info.bytes};
    return ERR_ok;
}

static bool memory_take_snapshot(void *impl, struct snapshot_result *out)
{
    struct memory *m = impl;
    bool ended = m->snapshot_ended;
    m->snapshot_ended = false;
    *out = m->result;
    return ended;
}

static void memory_stop_snapshot(void *impl)
{
    (void)impl;
}

static void memory_close(void *impl)
{
    struct memory *m = impl;
    ENSURE(!m->offered);
    free(m);
}

static const struct journal_backend backend = {
    .fd = memory_fd,
    .submit = memory_submit,
    .reclaim = memory_reclaim,
    .take_done = memory_take_done,
    .durable = memory_durable,
    .writable = memory_writable,
    .wait = memory_wait,
    .snapshot = memory_snapshot,
    .take_snapshot = memory_take_snapshot,
    .stop_snapshot = memory_stop_snapshot,
    .close = memory_close,
};

/* Hands every record in past->bytes to on_commit; steps *chain and *next_seq. */
static enum err replay(const struct journal_memory *past, const struct journal_hooks *hooks,
                       const struct frame_key *key, struct frame_chain *chain, uint64_t *next_seq)
{
    size_t at = 0;
    while (at < past->len) {
        struct frame_header h;
        const uint8_t *p = past->bytes + at;
        size_t rest = past->len - at;
        if (rest < FRAME_OVERHEAD || !frame_header_decode(p, key, &h) || h.type == 0 ||
            h.seq != *next_seq || frame_len(&h) > rest)
            return ERR_damaged;
        struct bytes payload = bytes_of(p + FRAME_HEADER_LEN, h.len);
        frame_chain_step(chain, p, payload);
        if (memcmp(chain->b, p + FRAME_HEADER_LEN + h.len, FRAME_CHAIN_LEN) != 0)
            return ERR_damaged;
        struct journal_record record = {.seq = h.seq, .type = h.type, .payload = payload};
        hooks->on_commit(hooks->ctx, &record, NULL);
        at += (size_t)frame_len(&h);
        (*next_seq)++;
    }
    return ERR_ok;
}

/* Loads the snapshot, if there is one; *start goes on behind it. */
static enum err load(const struct journal_memory *past, const struct journal_hooks *hooks,
                     struct journal_start *start)
{
    struct snapshot_info info;
    struct snapshot_fault fault;
    if (past->snapshot_len == 0)
        return ERR_ok;
    if (!hooks->on_load)
        return ERR_damaged;
    struct bytes all = bytes_of(past->snapshot, past->snapshot_len);
    enum err e = snapshot_read_memory(all, hooks, &info, &fault);
    if (e != ERR_ok || !uuid_equal(&info.header.epoch, &past->epoch))
        return ERR_damaged;
    start->snapshot_seq = info.header.seq;
    start->next_seq = info.header.seq + 1;
    start->chain = info.header.chain;
    return ERR_ok;
}

enum err journal_open_memory(struct journal_memory *memory, const struct journal_hooks *hooks,
                             struct journal **out)
{
    if (uuid_is_zero(&memory->epoch))
        memory->epoch = uuid_random();
    /* The key of a journal in memory is zero: there is no tail to search. */
    struct journal_start start = {
        .backend = &backend,
        .epoch = memory->epoch,
        .chain = frame_chain_start(memory->epoch.b),
        .next_seq = 1,
        .bytes_since = memory->len,
        .record_max = JOURNAL_RECORD_MAX_DEFAULT,
        .queue_max = JOURNAL_QUEUE_MAX_DEFAULT,
    };
    enum err e = load(memory, hooks, &start);
    if (e == ERR_ok)
        e = replay(memory, hooks, &start.key, &start.chain, &start.next_seq);
    if (e != ERR_ok)
        return e;
    struct memory *m = xcalloc(1, sizeof *m);
    m->past = memory;
    start.impl = m;
    *out = journal_new(&start, hooks);
    return ERR_ok;
}

void journal_memory_release(struct journal_memory *memory)
{
    free(memory->bytes);
    free(memory->snapshot);
    *memory = (struct journal_memory){0};
}
