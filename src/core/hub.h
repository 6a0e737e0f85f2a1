/*
 * hub: who listens to what: the sockets of each user.
 *
 * The list hangs on the user's annotation, so that a fan-out goes from a member straight to its
 * listeners. A listener is embedded in its owner (api/channel) and is a place to send to, no more:
 * the hub knows neither frames nor sockets. Loop thread only.
 */
#ifndef CORE_HUB_H
#define CORE_HUB_H

#include "model/model.h"

struct listener {
    struct listener *next; /* of the same user, newest first */
    struct user *user;
    const struct session *session; /* or NULL; valid: session_ended comes before it goes */
    bool live;  /* gets durable events as they happen; false while it is being caught up */
    bool waits; /* of one that is not live: is told that there is something, and no more */
};

/* Puts `l` on the list of the session's user; `live` and `waits` are the caller's to set. */
void hub_attach(struct listener *l, const struct session *session);

/* The same of one that belongs to no session. */
void hub_attach_user(struct listener *l, const struct user *u);

/* Takes it off; harmless on one that is not attached (user is NULL then). `now_ms` is kept as the
 * time of the session's last use. */
void hub_detach(struct listener *l, int64_t now_ms);

/* The user's listeners, newest first; NULL for none. */
static inline struct listener *hub_first(const struct user *u)
{
    return u->annotation.p;
}

/* Has the user a listener with a session? */
bool hub_has_socket(const struct user *u);

/* When a session of the user was used last, ms since 1970, of those that have no socket now: 0
 * where that was not since start-up. */
int64_t hub_last_used(const struct user *u);

/* How many sockets the session has, and the oldest of them (NULL for none). */
uint32_t hub_session_sockets(const struct session *s, struct listener **oldest);

/* Of the user's sessions the one that was unused longest: those without a socket come first, then
 * the time of last use since start-up, or of creation. NULL where there is none. */
const struct session *hub_longest_unused(const struct user *u);

/* Two words of the user's for a limit of the caller's (auth/limit's bucket); never NULL. */
static inline uint32_t *hub_user_words(const struct user *u)
{
    return ((struct user *)(uintptr_t)u)->annotation.words;
}

#endif
