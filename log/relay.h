/*
 * relay: records that were read and proven, on their way to on_commit: some at a time, so that they
 * can be announced before (on_soon). Private to log/.
 *
 * Their payloads are where they were read, so that place may not change before relay_flush.
 */
#ifndef LOG_RELAY_H
#define LOG_RELAY_H

#include "log/journal.h"

/* {.hooks = ...} is an empty one. */
struct relay {
    const struct journal_hooks *hooks;
    uint32_t count;
    struct journal_record records[JOURNAL_SOON_MAX];
};

/* One more; hands all on where there are as many as are announced at once. */
void relay_add(struct relay *r, const struct journal_record *record);

/* Announces what is there and hands it on, in order. Idempotent. */
void relay_flush(struct relay *r);

#endif
