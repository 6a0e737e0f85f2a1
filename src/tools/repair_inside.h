/*
 * repair_inside: what the two halves of `journal repair` share: repair.c reads and decides,
 * repair_steps.c carries out. Each step is done and said, or with --dry-run only said.
 *
 * A step returns EXIT_FINE, EXIT_FAILED where the system would not, or EXIT_DAMAGED where there is
 * no way; the latter two are said.
 */
#ifndef TOOLS_REPAIR_INSIDE_H
#define TOOLS_REPAIR_INSIDE_H

#include <limits.h>

#include "log/snapshot.h"
#include "tools/lost.h"
#include "tools/mend.h"
#include "tools/out.h"

struct repair {
    bool json;
    bool dry_run;
    char dir[PATH_MAX];
    int lock;
    int journal;
    /* as of the last reading */
    struct model *model;
    struct journal_report report;
    uint64_t *list; /* the first numbers of the segments */
    size_t count;
    struct snapshot_header base; /* the newest snapshot that is whole; seq 0: none */
    /* what was done */
    struct buf steps; /* JSON */
    unsigned step_count;
    struct lost lost;
};

/* The system would not, with errno. EXIT_FAILED. */
enum exit_code repair_failed(const struct repair *r, const char *what, const char *name);

/* There is no way. EXIT_DAMAGED. */
enum exit_code repair_refuse(const struct repair *r, const char *why);

/* Says a step that was done, or would be. */
void repair_say(struct repair *r, const char *what, const char *file, uint64_t offset,
                const char *kept);

/* Moves a file aside. */
enum exit_code repair_aside(struct repair *r, const char *name);

/* Ends the journal in segment `i` at an offset. */
enum exit_code repair_cut_at(struct repair *r, size_t i, uint64_t at);

/* Ends the journal before segment `i`. */
enum exit_code repair_cut_before(struct repair *r, size_t i);

/* The manifest is damaged (`there`), or names what is not there: the newest segment that can be
 * read is the newest now. */
enum exit_code repair_manifest(struct repair *r, bool there);

/* Only the header of segment `i` is damaged: what it must be follows from the segment before, and
 * the records behind it prove that. *mended: so it was. */
enum exit_code repair_header(struct repair *r, size_t i, bool *mended);

/*
 * The snapshot holds what is damaged. So the journal may begin behind it: a segment takes the place
 * of number `i` (r->count: of none) that holds the records behind the snapshot, as far as they
 * continue it. Segment 1 begins with record 1, this one does not, so it is number 2 at least: where
 * others follow that are 2, 3, … already, it takes their records too.
 */
enum exit_code repair_rebuild(struct repair *r, size_t i);

#endif
