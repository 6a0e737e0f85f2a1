/*
 * settings: what a group is called, who may come by themselves, and how much of its past they see.
 */
#ifndef API_SETTINGS_H
#define API_SETTINGS_H

#include "api/rest.h"

/* Reads "join" and "history" of the body into *out, which stays what it is where they are not
 * there. */
enum err settings_read_rules(struct call *call, struct settings *out,
                             struct problem *problem) MUST_CHECK;

#endif
