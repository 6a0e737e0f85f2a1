/*
 * clock: the two clocks, in milliseconds. Nothing in model/ may include this: time reaches the
 * model inside records.
 */
#ifndef BASE_CLOCK_H
#define BASE_CLOCK_H

#include <stdint.h>

/* Milliseconds since 1970; may jump when the operator sets the clock. */
int64_t clock_wall_ms(void);

/* Milliseconds since some start; never goes back. For deadlines and rates. */
int64_t clock_mono_ms(void);

#endif
