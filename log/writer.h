/*
 * writer: writes to the newest segment and makes the next ones. Private to log/; one thread at a
 * time (the one that opens, then the disk thread).
 *
 * The next segment is prepared by a thread of its own while the current one fills, so that a batch
 * does not wait for 64 MiB of zeros. It runs once a segment and is joined when the segment is
 * needed.
 *
 * A full disk is met in two places. Making room for the next segment: nothing was written, the
 * records wait or fail, the current segment is as it was. Writing into the current segment, where
 * the file system could not keep its promise: what was written is overwritten with zeros and
 * synced, so that a record that failed is not there at the next start. Where even that fails, or
 * any sync of a file that holds records, nobody knows what is on disk: ERR_read_only for ever.
 */
#ifndef LOG_WRITER_H
#define LOG_WRITER_H

#include <pthread.h>

#include "log/pages.h"
#include "log/recover.h"

struct writer {
    int dir;
    uint64_t segment_size;
    bool direct;                  /* write past the page cache */
    struct pages pages;           /* the current segment, fd -1 for none; the next record goes to
                                     its end */
    struct segment_header header; /* of it */
    uint64_t next_seq;            /* its number */
    struct frame_chain chain;     /* the chain value before it */
    uint64_t synced_seq;          /* every record below was on disk after the last writer_sync */
    bool dirty;                   /* written since the last sync */
    bool manifest_due;            /* the manifest does not name the current segment yet */
    bool failed;                  /* for ever */
    uint64_t wanted;              /* bytes of the record that waits for the next segment; 0: none */
    struct failure failure;       /* the last one */
    struct timing syncs;          /* how long those took that made records durable */
    /* the next segment in the making */
    pthread_t thread;
    bool preparing;     /* the thread is to be joined */
    atomic_bool stop;   /* it should give up */
    uint64_t next_size; /* what it makes, or made */
    int next_fd;        /* what it made; -1 for nothing. The thread's until it is joined */
    struct failure next_failure;
};

/* Goes on where recover_read stopped: opens the last segment, or makes the first one of a new
 * journal; cuts a torn tail; writes the manifest where it is stale; syncs. The writer must be
 * zero. ERR_io, ERR_disk_full: report->damage says which call failed. */
enum err writer_init(struct writer *w, int dir, uint64_t segment_size, bool direct,
                     const struct recovered *r, struct journal_report *report);

/*
 * Writes `count` whole records, rolling to the next segment as they fill up; `sync` makes each part
 * durable. *done is the number of bytes that count: all of `len` with ERR_ok. ERR_disk_full: the
 * others are not on disk, ask writer_probe. ERR_read_only: for ever.
 */
enum err writer_append(struct writer *w, const uint8_t *p, size_t len, uint32_t count, bool sync,
                       size_t *done);

/* fdatasync of what was written; ERR_read_only where that fails. */
enum err writer_sync(struct writer *w);

/* Tries to make the room that was missing. ERR_disk_full: still none. */
enum err writer_probe(struct writer *w);

/* Syncs, leaves the mark of a clean close (where nothing failed), stops the preparation, closes.
 * Idempotent, safe on a writer whose init failed. */
void writer_release(struct writer *w);

#endif
