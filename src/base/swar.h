/*
 * swar: eight bytes of text at a time in one register, or sixteen where it is enough to know that
 * all of them are ordinary. What text, json_scan and json_write share.
 *
 * The markers below are 0x80 in each byte that is of the kind asked for. Borrows may set a marker
 * above a true one by mistake, never below: the lowest marker is always right.
 */
#ifndef BASE_SWAR_H
#define BASE_SWAR_H

#include <endian.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#define SWAR_ONES  UINT64_C(0x0101010101010101)
#define SWAR_HIGHS UINT64_C(0x8080808080808080)

/* The eight bytes at p, the first one lowest. */
static inline uint64_t swar_load(const uint8_t *p)
{
    uint64_t w;
    memcpy(&w, p, sizeof w);
    return le64toh(w);
}

/* Markers of bytes from 0x80 on. */
static inline uint64_t swar_high(uint64_t w)
{
    return w & SWAR_HIGHS;
}

/* Markers of the quote, the backslash, and bytes below 0x20: what RFC 8259 does not let stand in a
 * string as it is. */
static inline uint64_t swar_json_escaped(uint64_t w)
{
    uint64_t quote = w ^ (SWAR_ONES * '"');
    uint64_t backslash = w ^ (SWAR_ONES * '\\');
    return (((w - SWAR_ONES * 0x20) & ~w) | ((quote - SWAR_ONES) & ~quote) |
            ((backslash - SWAR_ONES) & ~backslash)) &
           SWAR_HIGHS;
}

/* Which byte has the lowest marker; `markers` is not 0. */
static inline size_t swar_first(uint64_t markers)
{
    return (size_t)__builtin_ctzll(markers) / 8;
}

/* Sixteen bytes; the compiler makes of it what the machine has. */
typedef int8_t swar_16 __attribute__((vector_size(16)));

static inline swar_16 swar_load_16(const uint8_t *p)
{
    swar_16 v;
    memcpy(&v, p, sizeof v);
    return v;
}

/* Is a marker set in any byte? */
static inline bool swar_any_16(swar_16 markers)
{
    uint64_t half[2];
    memcpy(half, &markers, sizeof half);
    return (half[0] | half[1]) != 0;
}

/* How many bytes come before the first that has a marker; 16 for none. */
static inline size_t swar_first_16(swar_16 markers)
{
#ifdef __SSE2__
    typedef char chars __attribute__((vector_size(16)));
    return (size_t)__builtin_ctz((unsigned)__builtin_ia32_pmovmskb128((chars)markers) | 1u << 16);
#else
    uint64_t half[2];
    memcpy(half, &markers, sizeof half);
    if (half[0] != 0)
        return swar_first(le64toh(half[0]));
    return half[1] != 0 ? 8 + swar_first(le64toh(half[1])) : 16;
#endif
}

/* Are the sixteen bytes at p ASCII? */
static inline bool swar_ascii_16(const uint8_t *p)
{
    return !swar_any_16(swar_load_16(p) < 0);
}

/* Markers of those that are not ASCII or that RFC 8259 does not let stand in a string as they are.
 */
static inline swar_16 swar_json_special_16(const uint8_t *p)
{
    swar_16 v = swar_load_16(p);
    return (v < 0x20) | (v == '"') | (v == '\\');
}

#endif
