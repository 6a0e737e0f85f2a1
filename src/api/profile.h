/*
 * profile: what people change of themselves, and their end.
 */
#ifndef API_PROFILE_H
#define API_PROFILE_H

#include "api/api.h"

/* The record with which `u` is no more, who, or for whom somebody, came with a token of that
 * generation. */
struct record profile_end(struct api *a, const struct user *u, uint32_t tokens);

#endif
