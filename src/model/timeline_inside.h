/* For timeline*.c only; everybody else has timeline.h. */
#ifndef MODEL_TIMELINE_INSIDE_H
#define MODEL_TIMELINE_INSIDE_H

#include "model/timeline.h"

/*
 * A source yields events of one group in the order of their cursors; the heap merges sources. Four
 * kinds: a span of membership (messages and changes of the group in it), one receipt, one notice: a
 * state of the group that it tells instead of how it came to be, and what was done to messages.
 */
struct source {
    uint64_t cursor;             /* of its next event */
    const struct member *member; /* span: the user's own; receipt: the reader; notice: of whom */
    uint64_t last;               /* span: the last cursor that it may give */
    int64_t time;                /* receipt: of its mark; notice: its own */
    const struct user *by;       /* notice */
    uint32_t message; /* span: place of the next message; receipt: seq of the next own message */
    uint32_t change;  /* span: place of the next change */
    uint32_t message_floor; /* receipt: own messages down to above this seq */
    uint8_t receipt;        /* the event type, 22 or 23; 0: another kind */
    uint8_t notice;         /* the event type, 71, 74 or 75; 0: another kind */
    uint8_t role;           /* 74 */
    bool amends;            /* what was done to messages; `last` as for a span */
};

struct timeline {
    const struct model *m;
    const struct user *user;
    uint64_t position;
    uint64_t horizon;
    int64_t newer_than; /* of the first round: receipts up to this time are left out */
    bool all;           /* of the first round */
    bool in_round;
    struct source *heap; /* the source with the smallest cursor first */
    uint32_t count;
    uint32_t cap;
};

/* Adds a source, whose next event is at its cursor. */
void timeline_push(struct timeline *t, struct source s);

/* ---- receipts (timeline_receipts.c) ---------------------------------------------------------- */

/* Adds what is told in this round of who got and read the user's messages in the group of `own`,
 * their membership. */
void timeline_add_receipts(struct timeline *t, const struct member *own);

/* Gives the receipt of one own message; false when the step has no more. The mark may have moved on
 * since the round began: this one stays true, and the newer one is in the next round. */
bool timeline_receipt_next(const struct timeline *t, struct source *s, struct event *out);

/* ---- notices (timeline_notices.c) ------------------------------------------------------------ */

/* Adds what is told in this round of the group's settings, roles and end; it has notices. */
void timeline_add_notices(struct timeline *t, const struct member *own);

/* Gives it; false, since each is one event. */
bool timeline_notice_next(const struct source *s, struct event *out);

#endif
