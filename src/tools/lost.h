/*
 * lost: what a repair loses: which records, and whose, as far as they can be read behind the damage
 * and as far as what remains knows who that is.
 */
#ifndef TOOLS_LOST_H
#define TOOLS_LOST_H

#include "log/frame.h"
#include "model/model.h"

struct lost {
    uint64_t highest; /* number that is known to have been there; 0: none */
    struct buf found; /* struct lost_record, as they were found */
};

struct lost_record {
    uint64_t seq;
    uint32_t user;  /* who did it; 0: it does not say */
    uint32_t group; /* where; 0: nowhere */
};

/* Notes a record whose header holds; what is not whole counts too, but for nobody. */
void lost_add(struct lost *l, const struct frame_header *h, struct bytes payload);

/* Notes that this number was there, though nothing of it was found. */
void lost_known(struct lost *l, uint64_t seq);

/* All that was noted with a number beyond `last_seq`, the newest that remains: text to stdout, or a
 * JSON object under "lost". `m` is what remains. */
void lost_print(struct lost *l, uint64_t last_seq, const struct model *m);
void lost_print_json(struct lost *l, struct buf *b, uint64_t last_seq, const struct model *m);

void lost_release(struct lost *l);

#endif
