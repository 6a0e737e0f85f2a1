/*
 * bisect: looks for a place in what rises, by halving.
 */
#ifndef BASE_BISECT_H
#define BASE_BISECT_H

#include <stdint.h>

/*
 * The first place `i` in [from, to) for which `is_below`, an expression in `i`, is false; `to`
 * where there is none. Once it is false it must stay so. `from` is at most `to`; both are uint32_t
 * and evaluated once, `is_below` log2(to - from) times. Takes the name of `i`:
 *
 *     uint32_t at = BISECT(i, 0, count, numbers[i] < number);
 */
#define BISECT(i, from, to, is_below)                                                              \
    ({                                                                                             \
        uint32_t bisect_low = (from), bisect_high = (to);                                          \
        while (bisect_low < bisect_high) {                                                         \
            uint32_t i = bisect_low + (bisect_high - bisect_low) / 2;                              \
            if (is_below)                                                                          \
                bisect_low = i + 1;                                                                \
            else                                                                                   \
                bisect_high = i;                                                                   \
        }                                                                                          \
        bisect_low;                                                                                \
    })

#endif
