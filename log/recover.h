/*
 * recover: reads a journal's directory, and decides what a crash may have left and what is damage.
 * Private to log/.
 *
 * What a crash can leave. A batch is written only after the batch before it is on disk, and a
 * segment is named only after the one before it is full and on disk. So when the machine stops,
 * any sectors of the newest, never acknowledged batch may be missing (of several batches with
 * --fsync 1s or off), in any order: behind a hole there may stand whole records of the same batch.
 * Everything before is there. A record says in `back` what was on disk before it was written, so a
 * hole below that is no crash.
 *
 * The decision, where the records end or fail at number h (the first that is not there whole):
 *
 *   segment  bytes from there on   a header behind whose claim is above h   verdict
 *   ───────  ────────────────────  ───────────────────────────────────────  ───────────────────────
 *   any      zero                  (cannot be)                              the end
 *   any      a mark of h, zeros    (cannot be)                              the end, a clean close
 *   not the  anything else         any                                      damage
 *     last
 *   last     anything else         yes                                      damage: h was on disk
 *   last     anything else         no                                       torn tail: cut from
 * here
 *
 * "Fails" is: the header's check, the chain value, a number other than h, or a length that runs
 * past the file. "Behind" is searched at every byte, up to the end of the file.
 *
 * Reading begins with the newest snapshot that is whole (marks.h), and with the segment that holds
 * what comes behind it; the records before that are checked and not handed on. One that is damaged
 * is passed over.
 *
 * Damage as well: a header page or manifest whose checksum fails; a file that is shorter or longer
 * than its header says; an epoch, key, segment number, first number or chain value that does not
 * continue the segment before; a newest segment older than the manifest says (it was taken away);
 * no manifest beside a segment that holds anything, or beside a snapshot; a snapshot of another
 * history; records missing between it and the oldest segment; a journal that ends before it. A
 * manifest that is older than the newest segment is a crash between two steps of a roll, or a copy
 * of a running journal: written anew.
 */
#ifndef LOG_RECOVER_H
#define LOG_RECOVER_H

#include "log/journal.h"
#include "log/segment.h"

struct recovered {
    struct segment_header last; /* number 0: the directory holds no journal */
    uint64_t next_seq;
    struct frame_chain chain; /* before record next_seq */
    uint64_t end;             /* where record next_seq goes in the last segment */
    uint64_t proven;          /* no record says that bytes [proven, end) were ever synced */
    uint64_t torn_end;        /* bytes [end, torn_end) are to be cut; 0: nothing */
    bool manifest_stale;      /* absent, or older than the last segment */
};

/* Reads all of it and calls on_commit for each record; with on_load, for each behind the snapshot.
 * Changes nothing. `running`: another process may be writing there, and deleting. ERR_damaged,
 * ERR_io, ERR_busy: report->damage says what and where. */
enum err recover_read(int dir, bool running, const struct journal_hooks *hooks,
                      struct journal_report *report, struct recovered *out);

/* Copies the torn tail of the open last segment aside, then overwrites it with zeros. The copy is
 * on disk afterwards; the zeros are for the caller to sync. report->torn_tail says it. ERR_io,
 * ERR_disk_full: report->damage says why. */
enum err recover_cut(int dir, int fd, const struct recovered *r, struct journal_report *report);

/* The failure's text goes to report->damage. ERR_disk_full where room is what is missing, else
 * ERR_io. */
enum err recover_failed(struct journal_report *report, const struct failure *f);

#endif
