/*
 * fare: how a hook fares: what went wrong when it was told last, when it is tried again, and what
 * the log says of it: a line when it begins to fail or fails for another reason, one a minute at
 * most, and one when that is over. No URL is in it, which may hold what opens the receiver.
 */
#ifndef HOOKS_FARE_H
#define HOOKS_FARE_H

#include "base/uuid.h"
#include "hooks/poster.h"

struct fare {
    uint32_t failures; /* in a row */
    const char *error; /* one word for the last of them; NULL: there is none */
    int status;        /* of the answer that was not taken, or 0 */
    /* The word that the log has, NULL where all is well, and until when it says no more. */
    const char *said;
    int64_t say_at_ms;
};

struct fare_options {
    uint32_t timeout_ms, pause_min_ms, pause_max_ms;
};

/* It was not taken: notes and says so; for how many milliseconds it rests now. */
uint32_t fare_failed(struct fare *f, const struct uuid *hook, const struct post_result *result,
                     const struct fare_options *o);

/* It was taken. */
void fare_taken(struct fare *f, const struct uuid *hook);

#endif
