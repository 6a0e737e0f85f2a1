/*
 * clock: the two clocks, in milliseconds, and two for measuring, in nanoseconds. Nothing in model/
 * may include this: time reaches the model inside records.
 */
#ifndef BASE_CLOCK_H
#define BASE_CLOCK_H

#include <stdint.h>

/* Milliseconds since 1970; may jump when the operator sets the clock. */
int64_t clock_wall_ms(void);

/* Milliseconds since some start; never goes back. For deadlines and rates. */
int64_t clock_mono_ms(void);

/* Nanoseconds since some start, exact; never goes back. */
uint64_t clock_mono_ns(void);

/* Nanoseconds for which this thread has had a processor. A system call. */
uint64_t clock_thread_ns(void);

#endif
