/*
 * backend: what journal.c asks of files and of memory. Private to log/.
 *
 * journal.c, on the loop thread, numbers the records and encodes them into the open batch; the
 * backend makes batches durable, one after the other, and gives each back with its result. The
 * payloads that on_commit sees lie in the batch: nothing is copied between propose and commit.
 *
 *             journal_propose        submit               take_done
 *   spare ──────────────────► open ──────────► offered ─► taken ──────────► done ──► spare
 *                               ▲                │       (the disk works)
 *                               └────────────────┘
 *                                    reclaim: the disk has not taken it yet
 *
 * So the loop never writes into a batch that the other side can see, and what is proposed while
 * the disk works joins the one batch that waits.
 */
#ifndef LOG_BACKEND_H
#define LOG_BACKEND_H

#include "log/frame.h"
#include "log/journal.h"
#include "log/snapshot.h"

struct batch {
    struct batch *next; /* of done and spare batches */
    struct buf frames;
    void **tickets; /* one a record */
    uint32_t ticket_cap;
    uint32_t count;
    uint64_t first_seq;
    struct frame_chain before; /* the chain value before the first record */
    /* The result: the first `done` records are durable; the others failed with `why`. */
    uint32_t done;
    enum err why; /* ERR_ok where done is count; else ERR_disk_full or ERR_read_only */
};

struct batch *batch_new(void);
void batch_free(struct batch *b);

/* How a snapshot ended. */
struct snapshot_result {
    enum err err;
    uint64_t seq;
    uint64_t bytes;
    char why[256];
};

struct journal_backend {
    int (*fd)(const void *impl);
    /* Takes over the batch; nothing else is offered at that time. */
    void (*submit)(void *impl, struct batch *b);
    /* The batch that was offered and not taken, or NULL. */
    struct batch *(*reclaim)(void *impl);
    /* All batches that are done, oldest first, or NULL. After one that failed no other is taken
     * until `writable` has answered true. */
    struct batch *(*take_done)(void *impl);
    /* The number below which every record is on disk before the batch that starts with
     * `first_seq` is written. */
    uint64_t (*durable)(void *impl, uint64_t first_seq);
    /* After ERR_disk_full: is there room again? Asks for a probe where not. */
    bool (*writable)(void *impl);
    /* Fills in what journal_stats has of files; NULL: nothing. */
    void (*stats)(const void *impl, struct journal_stats *out);
    /* Blocks until take_done or take_snapshot has something. Only while a batch is offered or
     * taken, or a snapshot is being written. */
    void (*wait)(void *impl);
    /* Begins a snapshot; none is being written. The hooks live as long as the journal. */
    enum err (*snapshot)(void *impl, const struct journal_hooks *hooks,
                         const struct snapshot_header *h);
    /* Fetches the result of what `snapshot` began; false: not ended yet. */
    bool (*take_snapshot)(void *impl, struct snapshot_result *out);
    /* Makes the snapshot that is being written end soon. */
    void (*stop_snapshot)(void *impl);
    /* Ends the backend; nothing is offered or taken, no snapshot is being written. Frees impl. */
    void (*close)(void *impl);
};

/* What a journal starts with after its replay. */
struct journal_start {
    const struct journal_backend *backend;
    void *impl;
    struct uuid epoch;
    struct frame_key key;
    struct frame_chain chain;
    uint64_t next_seq;
    uint64_t snapshot_seq; /* the snapshot that was loaded; 0: none */
    uint64_t bytes_since;  /* of the records behind it */
    uint32_t record_max;
    size_t queue_max;
};

struct journal *journal_new(const struct journal_start *start, const struct journal_hooks *hooks);

#define JOURNAL_SEGMENT_SIZE_DEFAULT (64u << 20)
#define JOURNAL_RECORD_MAX_DEFAULT   (4u << 20)
#define JOURNAL_QUEUE_MAX_DEFAULT    (64u << 20)

#endif
