/*
 * typing: who is typing where, told to who is there, never stored.
 *
 * It ends when its author says so, sends, leaves the group or has no socket left, and by itself
 * after a while: all of them have the same while, so who began first is at the head of the list.
 * A user types in a few groups at most; one more ends the first. Loop thread only.
 */
#ifndef API_TYPING_H
#define API_TYPING_H

#include "api/api.h"

void typing_init(struct api *a);
void typing_release(struct api *a);

/* The user types no more in the group; tells the others, where they did. */
void typing_end(struct api *a, const struct user *u, const struct group *g);

/* The same of all groups: no socket of the user is left. */
void typing_end_all(struct api *a, const struct user *u);

/* Ends those whose time is over. Now and then. */
void typing_tick(struct api *a);

#endif
