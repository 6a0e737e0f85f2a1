/*
 * marks: the snapshots of a directory, as points that the journal's chain must pass. Private to
 * log/.
 *
 * A start loads the newest snapshot that is whole: one mark, and reading goes on behind it. A scan
 * that hands out every record proves each snapshot: as many marks as are whole.
 */
#ifndef LOG_MARKS_H
#define LOG_MARKS_H

#include "log/snapshot.h"

struct marks {
    struct snapshot_header *list; /* ascending */
    size_t count;
    bool files;              /* snapshots are there, whole or not */
    bool unread;             /* a call that failed kept one from being read */
    uint64_t records, bytes; /* of the one that was loaded */
};

/*
 * With hooks->on_load: loads the newest snapshot that is whole, calling on_reset behind each that
 * turned out not to be. Without: proves all. report->snapshot says which were passed over and
 * why. ERR_not_found: one vanished meanwhile. ERR_io: report->damage. Release in any case.
 */
enum err marks_init(struct marks *m, int dir, const struct journal_hooks *hooks,
                    struct journal_report *report);
void marks_release(struct marks *m);

#endif
