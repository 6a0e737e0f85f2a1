/*
 * retention: proposes that messages go which have been kept long enough.
 *
 * Which go is in the journal (messages_expire), so a start needs no clock to know it. What is due
 * is looked for in small pieces, some groups twice a second, round and round; and what is found
 * goes a hundred messages at a time, of as many groups as have them, the next when these are
 * durable. So it costs no turn of the loop much, however much is due. Loop thread only.
 */
#ifndef RETENTION_H
#define RETENTION_H

#include "core/engine.h"
#include "net/loop.h"

struct retention {
    struct proposal proposal; /* first; of all that are under way */
    struct engine *engine;
    struct loop *loop;
    uint32_t days;  /* for which the server keeps messages; 0: for ever */
    uint32_t group; /* number of the one that was looked at last */
    uint32_t under_way;
    bool again;   /* it may have more */
    bool refused; /* some could not be proposed, or not be written */
    bool go_on;   /* all are durable, and there may be more */
};

/* Nothing is proposed before the first tick. */
void retention_init(struct retention *r, struct engine *engine, struct loop *loop, uint32_t days);

/* To be called about twice a second. */
void retention_tick(struct retention *r);

/* To be called in each turn: goes on where the one before has become durable. */
void retention_turn(struct retention *r);

#endif
