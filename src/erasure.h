/*
 * erasure: takes those who are no more out of their groups, and their messages with them.
 *
 * Somebody who has deleted themselves (user_delete) is named nowhere any more, but may be a member
 * of thousands of groups and the author of a million messages. These are proposed to go in small
 * pieces, the next when the last is durable: first the groups, so that nothing new comes, then the
 * messages, the oldest first. How far it is the model knows, so a start goes on where it was. Loop
 * thread only.
 */
#ifndef ERASURE_H
#define ERASURE_H

#include "core/engine.h"
#include "net/loop.h"

struct erasure {
    struct proposal proposal; /* first; of all that are under way */
    struct engine *engine;
    struct loop *loop;
    uint32_t user;       /* number of who is on the way, 0 for nobody */
    uint32_t membership; /* place of the one that is being looked at */
    bool has_left;       /* all groups: it is the messages' turn */
    bool is_gathering;   /* the membership's messages, newest first */
    uint32_t next;       /* seq of the next one to gather, 0: that was all */
    struct buf seqs;     /* uint32_t: those that are to go, the oldest last */
    uint32_t under_way;
    bool refused; /* some could not be proposed, or not be written: to be looked for again */
    bool go_on;
};

/* Nothing is proposed before the first tick. */
void erasure_init(struct erasure *e, struct engine *engine, struct loop *loop);
void erasure_release(struct erasure *e);

/* To be called about twice a second. */
void erasure_tick(struct erasure *e);

/* To be called in each turn: goes on where the one before has become durable. */
void erasure_turn(struct erasure *e);

#endif
