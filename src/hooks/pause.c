#include "hooks/pause.h"

uint32_t pause_ms(uint32_t least, uint32_t most, uint32_t failures, uint32_t random)
{
    uint64_t whole = least;

    for (uint32_t i = 1; i < failures && whole < most; i++)
        whole *= 2;
    if (whole > most)
        whole = most;
    uint64_t quarter = whole / 4;
    return (uint32_t)(whole - (uint64_t)random * (quarter + 1) / ((uint64_t)UINT32_MAX + 1));
}
