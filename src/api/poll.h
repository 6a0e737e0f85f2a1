/*
 * poll: GET /events, for those who cannot hold a socket: what happened after a cursor, or, where
 * that is nothing, the wait for it.
 *
 * One that waits is a listener of its user like a socket, but told only that there is something:
 * what that is comes from the timeline, as for a socket that resumes. So both see the same events,
 * and a poll holds no events, only a cursor.
 */
#ifndef API_POLL_H
#define API_POLL_H

#include "api/api.h"

/* Something was told to `l`, a poll's listener; polls_turn looks what. */
void poll_wake(struct api *a, struct listener *l);

/* Answers those that were woken, some of them: true where there are more. At a turn's end. */
bool polls_turn(struct api *a);

/* Ends those whose time is over and those whose client has gone. Now and then. */
void polls_tick(struct api *a);

/* Answers those of one user with ERR_unauthorized: what they came with has ended. */
void polls_refuse(struct api *a, const struct user *u);

/* Answers all at once: the server goes away. */
void polls_end(struct api *a);

#endif
