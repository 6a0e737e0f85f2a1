/*
 * scan: reads all of a journal as the tools see it: each segment and snapshot that is there, each
 * record, and the verdict of log/. Changes nothing, locks nothing; beside a running server too,
 * which deletes files: where one vanished the scan begins again.
 */
#ifndef TOOLS_SCAN_H
#define TOOLS_SCAN_H

#include <limits.h>

#include "base/buf.h"
#include "base/exit.h"
#include "log/journal.h"

#define SCAN_NAME_MAX 32

struct scan_segment {
    char name[SCAN_NAME_MAX];
    uint64_t first_seq; /* as its name says */
    uint64_t size;      /* of the file */
    uint64_t records;   /* that were read from it */
    uint64_t used;      /* where they end */
};

struct scan_snapshot {
    char name[SCAN_NAME_MAX];
    uint64_t seq; /* as its name says */
    uint64_t size;
    uint64_t records;
    int64_t time_ms;
    bool whole;
    uint64_t damage_at;
    char why[512]; /* it is not */
};

struct scan {
    char dir[PATH_MAX]; /* the data directory */
    struct journal_report report;
    enum err err;                  /* ERR_ok, ERR_damaged, or what made the scan fail */
    struct scan_segment *segments; /* in order */
    size_t segment_count;
    struct scan_snapshot *snapshots; /* in order */
    size_t snapshot_count;
    size_t snapshots_damaged;
    uint64_t records;
    uint64_t bytes;               /* of these, with their overhead */
    uint64_t first_seq, last_seq; /* 0 where there are no records */
    /* The caller's: NULL, or called for each record, and where all that was read is to be
     * forgotten since the scan begins again. */
    void *ctx;
    void (*on_record)(void *ctx, const struct journal_record *record);
    void (*on_reset)(void *ctx);
};

/* Finds the data directory of what was given: itself, or the directory `journal` in it. False with
 * the reason in `why`. */
bool scan_find(const char *given, char dir[static PATH_MAX], char *why, size_t why_len);

/* Scans s->dir; ctx and the hooks were set by the caller, everything else is zero. EXIT_FINE,
 * EXIT_DAMAGED, also where a snapshot is damaged and nothing else, or EXIT_FAILED. */
enum exit_code scan_run(struct scan *s);

void scan_release(struct scan *s);

/* scan_find and scan_run; what fails is said, with the call's --json. EXIT_FINE and EXIT_DAMAGED
 * come back without a word. */
enum exit_code scan_open(struct scan *s, const char *given, bool json);

/* The verdict in one sentence: of the journal, or of the first snapshot that is damaged. "" where
 * there is no damage. */
const char *scan_damage(const struct scan *s);

/* The number behind which a start replays: of the newest snapshot that is whole; 0 for none. */
uint64_t scan_snapshot_seq(const struct scan *s);

/* Adds the list "snapshots" to a JSON object, as verify and stat print it. */
void scan_add_snapshots(const struct scan *s, struct buf *b);

#endif
