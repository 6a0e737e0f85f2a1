/*
 * presence: who is there, told to those who share a small group with them (event 42).
 *
 * Somebody is online while a socket of theirs is open, and for a grace behind that, so that who
 * only connects again is not told of. Whom it concerns is looked for a piece a turn, one person
 * after the other, so that it costs no turn much when thousands come or go at once. Nothing is
 * stored: behind a start everybody is offline. Loop thread only.
 */
#ifndef API_PRESENCE_H
#define API_PRESENCE_H

#include "api/api.h"

void presence_init(struct api *a);
void presence_release(struct api *a);

/* The user has a socket; harmless where they had one. */
void presence_came(struct api *a, const struct user *u);
/* The user has none left. */
void presence_went(struct api *a, const struct user *u);

/* Those whose grace is over are offline. Now and then. */
void presence_tick(struct api *a);
/* Tells some; true where there are more to tell. */
bool presence_turn(struct api *a);

/* Is the group small enough for its members to know who of them is there? */
bool presence_is_shown(const struct api *a, const struct group *g);
/* ,"online":…,"last_seen":… of a user, for `asker`; nothing where one of them blocks the other. */
void presence_add(struct api *a, const struct user *u, const struct user *asker);

#endif
