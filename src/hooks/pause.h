/*
 * pause: how long to wait before something that failed is tried again.
 */
#ifndef HOOKS_PAUSE_H
#define HOOKS_PAUSE_H

#include <stdint.h>

/* Milliseconds behind the `failures`th failure in a row (1, 2, 3, …): twice as long each time, from
 * `least` up to `most`, and of that between three quarters and the whole, as `random` has it, so
 * that those who failed together do not come back together. */
uint32_t pause_ms(uint32_t least, uint32_t most, uint32_t failures, uint32_t random);

#endif
