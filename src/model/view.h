/*
 * view: what a member sees of a group's messages: those of the times in which they were a member,
 * or, where the group's history is for all, everything until they went.
 *
 * All of it is derived from spans and marks, none of it stored but member.own_unread. Costs a
 * binary search over the messages a span.
 */
#ifndef MODEL_VIEW_H
#define MODEL_VIEW_H

#include "model/model.h"

/* Does the member see this message? */
bool view_sees(const struct member *mb, const struct message *msg);

/* The nearest message that the member sees with a number of at least, or at most, `seq`; NULL where
 * there is none. */
const struct message *view_from(const struct member *mb, uint32_t seq);
const struct message *view_until(const struct member *mb, uint32_t seq);

/* Does the member see this message of the group? */
bool view_sees(const struct member *mb, const struct message *msg);

/* How many messages with numbers above `after` are of the times in which they were a member: what
 * was before one's time is there to be read, but never unread. */
uint32_t view_count(const struct member *mb, uint32_t after);

/* How many of these are above the member's read mark, somebody else's, and not deleted. */
uint32_t view_unread(const struct member *mb);

#endif
