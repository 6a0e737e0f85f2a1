/*
 * attempt: guesses at passwords, counted.
 *
 * Failures are counted an account and an address. An attempt counts from its beginning, so that as
 * many as wait for a worker cannot pass the throttles together, and is given back where it was
 * none: the password was right, or nobody looked at it.
 */
#ifndef API_ATTEMPT_H
#define API_ATTEMPT_H

#include "api/api.h"

/* ERR_too_many_requests, with problem->retry_ms, where either has none left: then it takes from
 * neither. `account` is the id of a user where there is one. */
enum err attempt_begin(struct api *a, struct bytes account, const struct conn_address *who,
                       struct problem *problem) MUST_CHECK;

/* It was none. */
void attempt_give_back(struct api *a, struct bytes account, const struct conn_address *who);

#endif
