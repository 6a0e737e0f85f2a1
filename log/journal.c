#include "log/journal.h"

#include <stdlib.h>

#include "base/clock.h"
#include "base/ensure.h"
#include "log/backend.h"

/* What a batch keeps when nothing waits, and how many batches are kept: one that the disk works
 * on, one that is open, one whose records are being handed out. */
#define BATCH_KEEP_BYTES   (256u << 10)
#define BATCH_KEEP_TICKETS (8u << 10)
#define SPARES_MAX         3

struct journal {
    const struct journal_backend *backend;
    void *impl;
    struct journal_hooks hooks;
    enum journal_state state;
    bool full;        /* a write failed; refuse until the backend is writable */
    bool dispatching; /* inside journal_dispatch */
    uint32_t record_max;
    size_t queue_max;
    size_t queue_len; /* bytes of the frames that wait */
    uint64_t pending; /* records that wait */
    uint64_t next_seq;
    uint64_t committed;
    struct uuid epoch;
    struct frame_key key;
    struct frame_chain chain; /* after record next_seq - 1 */
    struct frame_chain committed_chain;
    uint64_t snapshot_seq;     /* the newest snapshot; 0: none */
    uint64_t bytes_since;      /* committed since then */
    uint64_t bytes_in_running; /* of these, in the one that is being written */
    uint64_t bytes_before;     /* committed before that snapshot, less those of the start */
    uint64_t first_seq;        /* the first that this start committed */
    uint64_t batches, failed;  /* counted for journal_stats */
    bool snapshotting;
    struct batch *open;  /* being filled, or NULL */
    bool offered;        /* the backend may have a batch that it has not taken */
    struct batch *done;  /* what is being handed out, oldest first */
    uint32_t done_count; /* records of the first that were */
    size_t done_len;     /* their bytes */
    struct batch *spare;
    unsigned spare_count;
};

struct batch *batch_new(void)
{
    return xcalloc(1, sizeof(struct batch));
}

void batch_free(struct batch *b)
{
    if (!b)
        return;
    buf_release(&b->frames);
    free(b->tickets);
    free(b);
}

static void batch_shrink(struct batch *b)
{
    buf_shrink(&b->frames, BATCH_KEEP_BYTES);
    if (b->ticket_cap > BATCH_KEEP_TICKETS) {
        free(b->tickets);
        b->tickets = NULL;
        b->ticket_cap = 0;
    }
}

static void batch_add_ticket(struct batch *b, void *ticket)
{
    if (b->count == b->ticket_cap) {
        b->ticket_cap = b->ticket_cap ? b->ticket_cap * 2 : 64;
        b->tickets = xrealloc(b->tickets, sizeof *b->tickets * b->ticket_cap);
    }
    b->tickets[b->count++] = ticket;
}

struct journal *journal_new(const struct journal_start *start, const struct journal_hooks *hooks)
{
    struct journal *j = xcalloc(1, sizeof *j);
    j->backend = start->backend;
    j->impl = start->impl;
    j->hooks = *hooks;
    j->state = JOURNAL_LIVE;
    j->record_max = start->record_max;
    j->queue_max = start->queue_max;
    j->next_seq = start->next_seq;
    j->committed = start->next_seq - 1;
    j->epoch = start->epoch;
    j->key = start->key;
    j->chain = start->chain;
    j->committed_chain = start->chain;
    j->snapshot_seq = start->snapshot_seq;
    j->bytes_since = start->bytes_since;
    j->bytes_before = 0 - start->bytes_since;
    j->first_seq = start->next_seq;
    return j;
}

/* Makes j->open the batch that new records belong to: the one that waits, or an empty one. */
static void open_batch(struct journal *j)
{
    if (j->offered) {
        j->offered = false;
        j->open = j->backend->reclaim(j->impl);
        if (j->open)
            return;
    }
    struct batch *b = j->spare;
    if (b) {
        j->spare = b->next;
        j->spare_count--;
    } else {
        b = batch_new();
    }
    buf_reset(&b->frames);
    b->next = NULL;
    b->count = 0;
    b->done = 0;
    b->why = ERR_ok;
    b->first_seq = j->next_seq;
    b->before = j->chain;
    j->open = b;
}

enum err journal_propose(struct journal *j, uint16_t type, struct bytes payload, void *ticket)
{
    ENSURE(type != 0);
    if (j->state == JOURNAL_FAILED)
        return ERR_read_only;
    if (j->state == JOURNAL_DRAINING)
        return ERR_shutting_down;
    if (payload.len > j->record_max)
        return ERR_too_large;
    if (j->full && !j->backend->writable(j->impl))
        return ERR_disk_full;
    j->full = false;
    size_t len = FRAME_OVERHEAD + payload.len;
    /* A record larger than the whole queue goes when it is alone. */
    if (j->queue_len > 0 && (len > j->queue_max || j->queue_len > j->queue_max - len))
        return ERR_busy;

    if (!j->open)
        open_batch(j);
    struct frame_header h = {.len = (uint32_t)payload.len, .type = type, .seq = j->next_seq};
    h.back = frame_back(h.seq, j->backend->durable(j->impl, j->open->first_seq));
    frame_add(&j->open->frames, &h, &j->key, &j->chain, payload);
    batch_add_ticket(j->open, ticket);
    j->next_seq++;
    j->pending++;
    j->queue_len += len;
    return ERR_ok;
}

void journal_submit(struct journal *j)
{
    ENSURE(!j->dispatching);
    if (!j->open)
        return;
    j->offered = true;
    j->backend->submit(j->impl, j->open);
    j->open = NULL;
}

static void recycle(struct journal *j, struct batch *b)
{
    if (j->spare_count == SPARES_MAX) {
        batch_free(b);
        return;
    }
    b->next = j->spare;
    j->spare = b;
    j->spare_count++;
}

/* The chain value behind the first b->done records of a batch. */
static struct frame_chain chain_behind(const struct batch *b, size_t done_len)
{
    struct frame_chain chain = b->before;
    if (b->done > 0)
        memcpy(chain.b, b->frames.p + done_len - FRAME_CHAIN_LEN, FRAME_CHAIN_LEN);
    return chain;
}

/* Answers the tickets from `from` on. The numbers are given back before, in fail_from. */
static void fail_tickets(struct journal *j, const struct batch *b, uint32_t from, enum err why)
{
    j->failed += b->count - from;
    for (uint32_t i = from; i < b->count; i++)
        j->hooks.on_fail(j->hooks.ctx, b->tickets[i], why);
}

/* Batch b failed behind its first b->done records, which have been committed: these, and all that
 * was proposed behind, fail in order, and the next proposal takes the number of the first. */
static void fail_from(struct journal *j, struct batch *b, size_t done_len)
{
    struct batch *behind = j->open;
    if (!behind && j->offered)
        behind = j->backend->reclaim(j->impl);
    j->open = NULL;
    j->offered = false;
    if (b->why == ERR_read_only)
        j->state = JOURNAL_FAILED;
    j->full = true;
    j->next_seq = j->committed + 1;
    if (b->count > 0)
        j->chain = chain_behind(b, done_len);
    else if (behind)
        j->chain = behind->before;
    j->pending = 0;
    j->queue_len = 0;
    fail_tickets(j, b, b->done, b->why);
    if (behind) {
        fail_tickets(j, behind, 0, b->why);
        recycle(j, behind);
    }
}

/* Reads the next records of the first done batch, as far as `records` has room and `len` more bytes
 * of payloads and overhead begin; returns how many, and announces them. */
static uint32_t read_next(const struct journal *j, struct journal_record *records, size_t len)
{
    const struct batch *b = j->done;
    const uint8_t *p = b->frames.p + j->done_len;
    uint32_t count = 0, left = b->done - j->done_count;
    for (size_t sum = 0; count < JOURNAL_SOON_MAX && count < left && sum < len; count++) {
        records[count] = (struct journal_record){
            .seq = frame_u64(p + 8),
            .type = frame_u16(p + 4),
            .payload = bytes_of(p + FRAME_HEADER_LEN, frame_u32(p)),
        };
        p += FRAME_OVERHEAD + records[count].payload.len;
        sum += FRAME_OVERHEAD + records[count].payload.len;
    }
    if (j->hooks.on_soon)
        j->hooks.on_soon(j->hooks.ctx, records, b->tickets + j->done_count, count);
    return count;
}

static void commit(struct journal *j, const struct journal_record *record, void *ticket)
{
    size_t len = FRAME_OVERHEAD + record->payload.len;
    ENSURE(record->seq == j->committed + 1);
    j->done_count++;
    j->done_len += len;
    j->bytes_since += len;
    j->committed = record->seq;
    j->pending--;
    j->queue_len -= len;
    j->hooks.on_commit(j->hooks.ctx, record, ticket);
}

/* Hands out the records of the first done batch, until it ends or `left` is used up. */
static void dispatch_batch(struct journal *j, size_t *left)
{
    struct batch *b = j->done;
    while (*left > 0 && j->done_count < b->done) {
        struct journal_record records[JOURNAL_SOON_MAX];
        size_t before = j->done_len;
        uint32_t count = read_next(j, records, *left);
        for (uint32_t i = 0; i < count; i++)
            commit(j, &records[i], b->tickets[j->done_count]);
        size_t len = j->done_len - before;
        *left -= len < *left ? len : *left;
    }
    if (j->done_count > 0)
        memcpy(j->committed_chain.b, b->frames.p + j->done_len - FRAME_CHAIN_LEN, FRAME_CHAIN_LEN);
    if (j->done_count < b->done)
        return;
    if (b->why != ERR_ok)
        fail_from(j, b, j->done_len);
    j->batches++;
    j->done = b->next;
    j->done_count = 0;
    j->done_len = 0;
    recycle(j, b);
}

/* Says how a snapshot ended, if it has. */
static void dispatch_snapshot(struct journal *j)
{
    struct snapshot_result r;
    if (!j->backend->take_snapshot(j->impl, &r))
        return;
    j->snapshotting = false;
    if (r.err == ERR_ok) {
        j->snapshot_seq = r.seq;
        j->bytes_since -= j->bytes_in_running;
        j->bytes_before += j->bytes_in_running;
    }
    if (j->hooks.on_snapshot)
        j->hooks.on_snapshot(j->hooks.ctx, r.err, r.seq, r.bytes, r.why);
}

bool journal_dispatch(struct journal *j, size_t bytes_max)
{
    size_t left = bytes_max;
    ENSURE(!j->dispatching);
    j->dispatching = true;
    if (!j->done)
        j->done = j->backend->take_done(j->impl);
    while (j->done && left > 0)
        dispatch_batch(j, &left);
    if (j->pending == 0)
        for (struct batch *b = j->spare; b; b = b->next)
            batch_shrink(b);
    if (j->snapshotting)
        dispatch_snapshot(j);
    j->dispatching = false;
    return j->done != NULL;
}

void journal_close(struct journal *j)
{
    if (!j)
        return;
    journal_submit(j);
    if (j->state == JOURNAL_LIVE)
        j->state = JOURNAL_DRAINING;
    while (journal_dispatch(j, JOURNAL_ALL) || j->pending > 0)
        j->backend->wait(j->impl);
    if (j->snapshotting)
        j->backend->stop_snapshot(j->impl);
    while (j->snapshotting) {
        j->backend->wait(j->impl);
        journal_dispatch(j, JOURNAL_ALL);
    }
    j->backend->close(j->impl);
    batch_free(j->open);
    while (j->spare) {
        struct batch *b = j->spare;
        j->spare = b->next;
        batch_free(b);
    }
    free(j);
}

enum err journal_snapshot(struct journal *j)
{
    ENSURE(!j->dispatching && j->hooks.on_save);
    if (j->state == JOURNAL_FAILED)
        return ERR_read_only;
    if (j->state == JOURNAL_DRAINING)
        return ERR_shutting_down;
    if (j->snapshotting)
        return ERR_busy;
    if (j->committed == j->snapshot_seq)
        return ERR_refused;
    struct snapshot_header h = {
        .epoch = j->epoch,
        .seq = j->committed,
        .time_ms = clock_wall_ms(),
        .key = j->key,
        .chain = j->committed_chain,
    };
    enum err e = j->backend->snapshot(j->impl, &j->hooks, &h);
    j->snapshotting = e == ERR_ok;
    j->bytes_in_running = j->bytes_since;
    return e;
}

uint64_t journal_bytes_since_snapshot(const struct journal *j)
{
    return j->bytes_since;
}

int journal_fd(const struct journal *j)
{
    return j->backend->fd(j->impl);
}

enum journal_state journal_state(const struct journal *j)
{
    return j->state;
}

void journal_stats(const struct journal *j, struct journal_stats *out)
{
    *out = (struct journal_stats){.state = j->state,
                                  .full = j->full,
                                  .records = j->committed + 1 - j->first_seq,
                                  .bytes = j->bytes_before + j->bytes_since,
                                  .batches = j->batches,
                                  .failed = j->failed,
                                  .pending = j->pending,
                                  .pending_bytes = j->queue_len,
                                  .bytes_since_snapshot = j->bytes_since};
    if (j->backend->stats)
        j->backend->stats(j->impl, out);
}

enum err journal_refuses(struct journal *j)
{
    if (j->state == JOURNAL_FAILED)
        return ERR_read_only;
    if (j->state == JOURNAL_DRAINING)
        return ERR_shutting_down;
    return j->full && !j->backend->writable(j->impl) ? ERR_disk_full : ERR_ok;
}

uint64_t journal_committed(const struct journal *j)
{
    return j->committed;
}

uint64_t journal_pending(const struct journal *j)
{
    return j->pending;
}

struct uuid journal_epoch(const struct journal *j)
{
    return j->epoch;
}
