/*
 * near: how alike two names are, so that a message about an unknown one can name the nearest.
 */
#ifndef BASE_NEAR_H
#define BASE_NEAR_H

#include "base/bytes.h"

/* Bytes of each name that are looked at. */
#define NEAR_MAX 60

/* How many characters must be put in, taken out or changed, or neighbours exchanged, to make one
 * name of the other (the restricted Damerau-Levenshtein distance). */
unsigned near_distance(struct bytes a, struct bytes b);

#endif
