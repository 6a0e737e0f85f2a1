/*
 * feed: what happened in all groups, in the order of the journal, from behind a cursor on.
 *
 * An event is named by an entry, which is small and stays good when the model goes on; what it says
 * is read from the model when it is wanted. So nothing is stored for it, and what the model holds
 * no more (messages that expired, a name or a mark that was replaced) is passed over: what replaced
 * it has an entry of its own, behind. One change has one entry: of the receipts that it tells to
 * several people, the one that names the message which was acknowledged.
 *
 * A scan looks through all groups, in steps, for the entries behind a cursor, the smallest first as
 * far as its room goes.
 */
#ifndef MODEL_FEED_H
#define MODEL_FEED_H

#include "model/model.h"

struct feed_entry {
    uint64_t cursor;
    uint32_t group; /* number */
    uint32_t user;  /* 22, 23: number of the reader; else 0 */
    uint8_t type;   /* enum event_type */
};

/* The entry of an event that was just told; its type is one that a hook may be told (hook_offers).
 */
struct feed_entry feed_entry_of(const struct event *event);

/* Fills *out with what the entry names, but for `to`; false where the model holds it no more. */
bool feed_event(const struct model *m, const struct feed_entry *entry,
                struct event *out) MUST_CHECK;

/* How many entries a scan keeps. */
#define FEED_SCAN_MAX 4096

struct feed_scan {
    uint64_t after, horizon;
    uint64_t covered; /* when it is done: every entry up to here is in it */
    uint32_t group;   /* number of the next */
    uint32_t count;
    bool full;                                /* there were more */
    struct feed_entry entries[FEED_SCAN_MAX]; /* when it is done: rising */
};

/* Begins: for what is behind `after` now. */
void feed_scan_begin(struct feed_scan *scan, const struct model *m, uint64_t after);

/* Goes on, for about `work` looks at something; true when it is done. */
bool feed_scan_step(struct feed_scan *scan, const struct model *m, uint32_t work) MUST_CHECK;

#endif
