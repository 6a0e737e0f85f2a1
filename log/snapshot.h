/*
 * snapshot: the file of a snapshot: its bytes, one writer, one reader. Private to log/ and to the
 * tools; what snapshots are for is in journal.h, who makes and deletes them in keeper.h.
 *
 *   DIR/journal/<seq, 20 digits>.snap   the state behind record seq
 *   DIR/journal/snapshot.tmp            unfinished; worth nothing
 *
 *   0        128                                           size-54            size-32        size
 *   ├────────┼──────────────┬──────────────┬─ ─ ─ ─────────┼──────────────────┼──────────────┤
 *   │ header │ record       │ record       │               │ end: count, size │ BLAKE2b-256  │
 *   └────────┴──────────────┴──────────────┴─ ─ ─ ─────────┴──────────────────┴──────────────┘
 *
 * A record is length (4), type (2) and payload; the end is a record of type 0. The hash covers all
 * before it, so the records carry no checks of their own: a snapshot is good as a whole or not at
 * all. It is read in one pass, and its records are handed on before the hash is known: who takes
 * them must be able to forget them (on_reset). docs/journal-format.md draws every byte.
 */
#ifndef LOG_SNAPSHOT_H
#define LOG_SNAPSHOT_H

#include "log/journal.h"
#include "log/segment.h"

#define SNAPSHOT_HEADER_LEN 128
#define SNAPSHOT_RECORD_LEN 6
#define SNAPSHOT_HASH_LEN   32
#define SNAPSHOT_END_LEN    (SNAPSHOT_RECORD_LEN + 8 + 8 + SNAPSHOT_HASH_LEN)
#define SNAPSHOT_TMP        "snapshot.tmp"

struct snapshot_header {
    struct uuid epoch;
    uint64_t seq;    /* the last record that is in it */
    int64_t time_ms; /* when it was begun, since 1970 */
    struct frame_key key;
    struct frame_chain chain; /* behind record seq */
};

struct snapshot_info {
    struct snapshot_header header;
    uint64_t records;
    uint64_t bytes; /* of the file */
};

/* Why a snapshot is not good. */
struct snapshot_fault {
    uint64_t offset;
    char text[192];
};

void snapshot_name(uint64_t seq, char out[static SEGMENT_NAME_MAX]);
bool snapshot_name_parse(const char *name, uint64_t *seq);

void snapshot_header_encode(const struct snapshot_header *h,
                            uint8_t out[static SNAPSHOT_HEADER_LEN]);
/* False where magic, version or checksum do not hold. */
bool snapshot_header_decode(const uint8_t *in, struct snapshot_header *h);

/* The numbers of the directory's snapshots, ascending; free(*out). -1 with errno. */
int snapshot_list(int dir, uint64_t **out, size_t *count);

/* Writing. Into `fd`, an empty file, or behind `out`, where fd is -1. `out` may be NULL with a
 * file. The writer must end with snapshot_end. */
struct snapshot_writer *snapshot_begin(int fd, struct buf *out, const struct snapshot_header *h);
/* Writes what is left and the end, makes a file durable, frees. info->header is the one that was
 * given. ERR_disk_full, ERR_io: *f says which call failed. */
enum err snapshot_end(struct snapshot_writer *w, struct snapshot_info *info,
                      struct failure *f) MUST_CHECK;

/*
 * Reads the snapshot file `name`, which must hold the state behind record `seq`, whole; hands its
 * records to hooks->on_load and on_loaded, or to nobody where hooks is NULL. ERR_damaged, and
 * ERR_io where it could not be opened or read: *fault says why. ERR_not_found: no such file.
 */
enum err snapshot_read(int dir, const char *name, uint64_t seq, const struct journal_hooks *hooks,
                       struct snapshot_info *info, struct snapshot_fault *fault) MUST_CHECK;
/* The same for a snapshot in memory; any seq. */
enum err snapshot_read_memory(struct bytes all, const struct journal_hooks *hooks,
                              struct snapshot_info *info, struct snapshot_fault *fault) MUST_CHECK;

/* Reads one file whole, changes nothing, says what it holds. ERR_damaged, ERR_io: *fault. */
static inline enum err snapshot_check(int dir, uint64_t seq, struct snapshot_info *info,
                                      struct snapshot_fault *fault)
{
    char name[SEGMENT_NAME_MAX];
    snapshot_name(seq, name);
    return snapshot_read(dir, name, seq, NULL, info, fault);
}

#endif
