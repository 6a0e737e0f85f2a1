/*
 * tokens: what a user shows to be let in.
 */
#ifndef API_TOKENS_H
#define API_TOKENS_H

#include "api/rest.h"

/* Answers 200 {"token"} with a new one of the user's. */
void tokens_answer(struct api *a, struct conn *c, const struct user *u);

/* Whose token the request carries: sets call->user, and what else is said of it there. */
enum err tokens_authenticate(struct call *call) MUST_CHECK;

/* The token behind "authorization: bearer"; false where there is none, or two. */
bool tokens_bearer(const struct http_request *r, struct bytes *token) MUST_CHECK;

#endif
