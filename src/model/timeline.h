/*
 * timeline: what a user missed, as a stream of events in the order of the journal.
 *
 * Nothing is stored for it: it is a merge of the timelines of the user's groups over the spans in
 * which they were a member, plus the marks of the members' receipts. It goes in rounds: a round
 * covers what is there when it starts, (position, horizon], and may be read piece by piece while
 * others commit; the next round covers what came meanwhile. When timeline_next says that there is
 * nothing left, position is the model's cursor at this instant, so whoever listens live from here
 * on sees every event, none of them twice.
 *
 * Receipts tell a state, not its history. After a cursor: the newest mark of each member and group
 * since then, once. From the beginning ("all"): each own message that was delivered or read comes
 * with its newest receipt, at that receipt's cursor (several messages with the same receipt: newest
 * first). A mark that moved while the user was away from the group is not told, not even its
 * earlier places: they are not kept. Of a group that was deleted its end is told, to everybody who
 * has ever been in it, and nothing else.
 */
#ifndef MODEL_TIMELINE_H
#define MODEL_TIMELINE_H

#include "model/model.h"

struct timeline;

/* Events of `user` after cursor `after`. `all`: from the beginning, as the call without a cursor
 * asks (after is 0 then). Costs nothing before the first timeline_next. */
struct timeline *timeline_new(const struct model *m, const struct user *user, uint64_t after,
                              bool all);
/* The same, of the events that are newer than `time`. */
struct timeline *timeline_new_since(const struct model *m, const struct user *user, int64_t time);
void timeline_free(struct timeline *t);

/* The next event; false when there is nothing left at this instant. Events of one cursor come one
 * behind the other. */
bool timeline_next(struct timeline *t, struct event *out);

/* Everything up to this cursor was given. */
uint64_t timeline_position(const struct timeline *t);

#endif
