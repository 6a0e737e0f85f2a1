/*
 * journal: records of bytes, in one order, durable. THE contract of this library.
 *
 * The library knows nothing of what a record means, of sockets or of the event loop. Who uses it
 * proposes a record and gets it back through on_commit once it is durable: in order, once, on the
 * thread that calls journal_dispatch (the "loop thread", on which every function below is called).
 * At start-up the records that are on disk come back through the same on_commit, with
 * JOURNAL_REPLAYING as the state and no ticket. So the state that on_commit builds is, at every
 * instant, exactly the replay of the durable journal.
 *
 *   journal_open ──► REPLAYING ──► LIVE ──► DRAINING (journal_close)
 *                        │           │
 *                        └─ damage   └─ fsync failed ──► FAILED (terminal for changes)
 *
 * A record's number (`seq`) is 1, 2, 3, … without holes. A proposal that fails (disk full) gives
 * its number back together with all that was proposed behind it, so the next one takes it.
 *
 * Batching has no timer and no knob: journal_submit hands over all that was proposed since the
 * last batch was taken; what arrives while the disk works is the next batch. One write and one
 * fdatasync a batch.
 *
 * A snapshot is the user's state behind a record, written beside the journal so that a start need
 * not replay all of it, and so that the segments below can go. The user hands it over as records
 * (on_save) and gets the same records back in the same order (on_load). In files it is written by a
 * forked child while the loop goes on; see journal_snapshot.
 *
 * Backends: files (journal_open_files, the default) and memory (journal_open_memory: tests,
 * fuzzing, simulation); the rest of this header is the same for both.
 */
#ifndef LOG_JOURNAL_H
#define LOG_JOURNAL_H

#include "base/bytes.h"
#include "base/err.h"
#include "base/timing.h"
#include "base/uuid.h"

struct journal;
struct snapshot_writer;

enum journal_state { JOURNAL_REPLAYING, JOURNAL_LIVE, JOURNAL_DRAINING, JOURNAL_FAILED };

/* When a record counts as durable: after fdatasync (ALWAYS); after write, with an fdatasync every
 * second (EVERY_SECOND: a crash of the machine, not of the process, loses up to a second); after
 * write, the kernel decides (OFF). */
enum journal_sync { JOURNAL_SYNC_ALWAYS, JOURNAL_SYNC_EVERY_SECOND, JOURNAL_SYNC_OFF };

struct journal_record {
    uint64_t seq;
    uint16_t type;        /* the user's; 1 to 65535 */
    struct bytes payload; /* borrowed for the call */
};

/* How far a start has got with reading. */
struct journal_progress {
    uint64_t segment, segments; /* it reads the first, second, ... of so many; 0: a snapshot */
    uint64_t bytes, size;       /* of that file: what was read, and all */
    uint64_t records;           /* of segments that were handed on, so far */
};

/* So many records are announced at once at most. */
#define JOURNAL_SOON_MAX 16

struct journal_hooks {
    void *ctx;
    /* A durable record. `ticket` is what was given to journal_propose, NULL while replaying. May
     * call journal_propose; must not call dispatch, submit or close. */
    void (*on_commit)(void *ctx, const struct journal_record *record, void *ticket);
    /* A proposal that will never be durable: ERR_disk_full (try again later; nothing is on disk)
     * or ERR_read_only (the journal is FAILED: whether the record is on disk is not known). Called
     * in the order of proposing. Must not call dispatch, submit or close. */
    void (*on_fail)(void *ctx, void *ticket, enum err why);

    /* All below may be NULL. Without on_load and on_save this user has no snapshots. */

    /* A record of a snapshot, while opening, in the order in which it was saved; before any
     * on_commit. Its bytes are not proven yet: that comes with on_loaded. False: not one that this
     * version knows, or it contradicts what came before; then the snapshot counts as damaged. */
    bool (*on_load)(void *ctx, uint16_t type, struct bytes payload);
    /* All were loaded and their hash holds: the state is that behind record `seq`. False: it is not
     * whole; then the snapshot counts as damaged. */
    bool (*on_loaded)(void *ctx, uint64_t seq);
    /* Forget everything: the snapshot that was being loaded is damaged, and an older one or the
     * journal from record 1 follows; or a scan beside a running server begins again. */
    void (*on_reset)(void *ctx);
    /* Hands over the state behind record journal_committed with snapshot_add. In files it runs in a
     * forked child, where no other thread exists: reads only, takes no lock, logs nothing. */
    void (*on_save)(void *ctx, struct snapshot_writer *w);
    /* A snapshot that journal_snapshot began has ended: ERR_ok (it is durable and holds the state
     * behind record `seq` in a file of `bytes`), ERR_disk_full, ERR_io (`why` is the text of the
     * failure; the journal goes on as before), ERR_shutting_down. From journal_dispatch and
     * journal_close. `why` is borrowed for the call and "" with ERR_ok. */
    void (*on_snapshot)(void *ctx, enum err err, uint64_t seq, uint64_t bytes, const char *why);
    /* These records, `count` <= JOURNAL_SOON_MAX of them with their tickets, are what on_commit
     * gets next: a good time to prefetch, for all at once. Each is announced once, live and where
     * segments are read; in these `tickets` is NULL. Must not call anything of this header. */
    void (*on_soon)(void *ctx, const struct journal_record *records, void *const *tickets,
                    uint32_t count);
    /* A segment is about to be read, at a start or in a scan: its file's name within the journal's
     * directory, number, first record, and bytes. */
    void (*on_segment)(void *ctx, const char *name, uint64_t number, uint64_t first_seq,
                       uint64_t size);
    /* While opening, before each piece of about a megabyte: a good time to look after something
     * else, as the thread has for a long journal nothing else to do for minutes. Must not call
     * anything of this header. */
    void (*on_progress)(void *ctx, const struct journal_progress *progress);
};

struct journal_options {
    const char *dir; /* the data directory; segments live in DIR/journal */
    enum journal_sync sync;
    uint64_t segment_size; /* bytes of a segment, 64 KiB to 4 GiB; 0: 64 MiB */
    uint32_t record_max;   /* bytes of the largest payload, up to 1 GiB; 0: 4 MiB */
    size_t queue_max;      /* bytes that may wait for the disk; beyond: ERR_busy; 0: 64 MiB */
};

/* What journal_open found; texts name file and offset. */
struct journal_report {
    uint64_t records;          /* replayed, or in a scan without on_load: read */
    uint64_t bytes;            /* of these, with their overhead */
    uint64_t snapshot_seq;     /* the snapshot that was loaded; 0: none */
    uint64_t snapshot_records; /* in it */
    uint64_t snapshot_bytes;   /* of its file */
    char snapshot[512];        /* which snapshots were passed over, and why, or "" */
    char torn_tail[512];       /* what was cut and where the copy is, or "" */
    char torn_file[64];        /* the segment of it, within the journal's directory */
    uint64_t torn_at;          /* where it begins */
    uint64_t torn_end;         /* behind its last byte that is not zero */
    char damage[768];          /* with ERR_damaged: file, offset, what is wrong, what to do */
    char damage_file[64];      /* the file, within the journal's directory */
    uint64_t damage_at;        /* the offset */
    uint64_t damage_seq;       /* the first record that is not there whole; 0: not known */
};

/*
 * Opens the journal below options->dir (which must exist and be locked by the caller; the journal
 * directory is made), loads the newest snapshot that is whole, replays every record behind it
 * through on_commit, makes ready to write, and starts the disk thread. On success *out is LIVE and
 * the caller's to close. ERR_damaged: nothing was changed, report->damage says what and where
 * (on_load and on_commit may have heard what was before it). ERR_io, ERR_disk_full: report->damage
 * says which call failed. `epoch` of a new journal is minted here, so crypto_init comes first. Log
 * lines about damaged snapshots, and about a disk that fails or recovers later, go to diag.
 */
enum err journal_open_files(const struct journal_options *options,
                            const struct journal_hooks *hooks, struct journal_report *report,
                            struct journal **out) MUST_CHECK;

/*
 * Reads the directory without changing, locking or writing anything; for tools and for a look
 * beside a running server (a torn tail is then no error; report->torn_tail says that there is one).
 * With on_load: as a start does, from the newest snapshot that is whole. Without: every record of
 * every segment that is there. Where the oldest is not number 1 it is believed, and must be covered
 * by a snapshot that reads whole; the chain must agree with every snapshot that it passes. A
 * segment or snapshot that a running server deletes meanwhile makes it call on_reset and begin
 * again, up to 8 times. ERR_busy: it happened without on_reset when a record had been heard.
 */
enum err journal_scan_files(const struct journal_options *options,
                            const struct journal_hooks *hooks,
                            struct journal_report *report) MUST_CHECK;

/*
 * A journal in memory: what was committed is kept in *memory, which must outlive the journal; what
 * is there already (from another open of the same) is replayed first. ERR_damaged where it is no
 * journal. {0} is an empty one; its epoch is minted where it is zero. Commits come from
 * journal_dispatch, without a thread, for what was submitted before. `fail_at`: the nth record that
 * would be committed from now on fails with ERR_disk_full, and all that wait behind it; then there
 * is room again; 0 for none. journal_snapshot saves at once, in this process, and drops the frames
 * that it covers; on_snapshot comes with the next journal_dispatch.
 */
struct journal_memory {
    uint8_t *bytes; /* the frames, as on disk; free with journal_memory_release */
    size_t len;
    size_t cap;
    struct uuid epoch;
    uint64_t fail_at;
    uint8_t *snapshot; /* as its file would be */
    size_t snapshot_len;
};
enum err journal_open_memory(struct journal_memory *memory, const struct journal_hooks *hooks,
                             struct journal **out) MUST_CHECK;
void journal_memory_release(struct journal_memory *memory);

/*
 * Queues a record; on_commit or on_fail answers, later, from journal_dispatch. The payload is
 * copied; the type must not be 0. ERR_busy: the queue is full. ERR_read_only: FAILED.
 * ERR_disk_full: waiting for room; asking is what makes the disk thread look whether there is some
 * again. ERR_shutting_down: DRAINING. ERR_too_large: over record_max. In all of these nothing was
 * queued and neither hook will be called.
 */
enum err journal_propose(struct journal *j, uint16_t type, struct bytes payload,
                         void *ticket) MUST_CHECK;

/* Hands what was proposed to the disk thread if it is idle; else it takes it when it is. Call once
 * at the end of each turn of the loop; free of charge when nothing was proposed. */
void journal_submit(struct journal *j);

/* A descriptor that becomes readable when journal_dispatch has something to do; -1 for memory. */
int journal_fd(const struct journal *j);

/*
 * Calls on_commit and on_fail for what the disk thread has finished. Never blocks. Stops behind the
 * record with which `bytes_max` bytes are handed out, so that the caller can do something with them
 * while they are in the cache; true where it stopped before the end: call again, journal_fd may say
 * nothing.
 */
#define JOURNAL_ALL SIZE_MAX
bool journal_dispatch(struct journal *j, size_t bytes_max);

/*
 * Begins to write a snapshot of the state behind the newest committed record: forks (in files),
 * nothing else happens on this thread. A helper thread waits for the child, gives the file its
 * name, and deletes older snapshots, and segments that are wholly below the second newest one. Not
 * from within a hook. ERR_busy: one is being written. ERR_io: the system has no child or thread to
 * give, or a sync of the directory failed before. ERR_read_only: FAILED. ERR_shutting_down:
 * DRAINING. ERR_refused: nothing was committed since the last one. After ERR_ok on_snapshot says
 * how it ended.
 */
enum err journal_snapshot(struct journal *j) MUST_CHECK;

/* The largest payload that snapshot_add takes. */
#define SNAPSHOT_PAYLOAD_MAX (64u << 20)

/* Adds a record to the snapshot that on_save writes: type 1 to 65535, at most SNAPSHOT_PAYLOAD_MAX
 * bytes. Errors are kept and end the snapshot later. */
void snapshot_add(struct snapshot_writer *w, uint16_t type, struct bytes payload);

/* The bytes of records committed since the newest snapshot (at a start: those behind it), with
 * their overhead. */
uint64_t journal_bytes_since_snapshot(const struct journal *j);

/* Waits until all that was proposed is durable or has failed, dispatches it, ends a snapshot that
 * is being written (it is lost), stops the disk thread, closes the files and frees; harmless on
 * NULL. What on_commit proposes meanwhile is refused with ERR_shutting_down. */
void journal_close(struct journal *j);

enum journal_state journal_state(const struct journal *j);

/* What happened since the open, for a page of metrics. */
struct journal_stats {
    enum journal_state state;
    bool full;        /* the last write found no room; nobody has asked since */
    uint64_t records; /* committed */
    uint64_t bytes;   /* of these, with their overhead */
    uint64_t batches; /* that the disk has finished */
    uint64_t failed;  /* proposals that never became durable */
    uint64_t pending; /* proposals that wait for the disk */
    uint64_t pending_bytes;
    uint64_t bytes_since_snapshot;
    /* Of files only. */
    uint64_t segment; /* the number of the newest; 0 in memory */
    const struct timing
        *syncs; /* how long each took; NULL in memory. Lives as long as the journal */
};
void journal_stats(const struct journal *j, struct journal_stats *out);

/* What a small proposal would be refused with just now, but for ERR_busy: ERR_ok, ERR_read_only,
 * ERR_shutting_down or ERR_disk_full, of which the asking makes the disk thread look, as there. */
enum err journal_refuses(struct journal *j);

/* The number of the newest record that went through on_commit; 0 for none. */
uint64_t journal_committed(const struct journal *j);

/* How many proposals wait for the disk. */
uint64_t journal_pending(const struct journal *j);

/* The UUID that was made with the journal. */
struct uuid journal_epoch(const struct journal *j);

#endif
