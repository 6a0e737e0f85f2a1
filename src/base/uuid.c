/*
 * Every message has five ids written and one read, so both are done here with a table; libuuid,
 * which the unit tests compare this with, takes several hundred instructions for each. It draws an
 * id with a system call, and falls back to a weak generator in silence where that fails; so ids are
 * cut from blocks of libsodium's randomness.
 */
#include "base/uuid.h"

#include <pthread.h>

#include "base/crypto.h"
#include "base/ensure.h"

#define POOL_LEN (256 * sizeof(struct uuid))

static uint8_t pool[POOL_LEN];
static size_t pool_left; /* bytes at the end of the pool that were not handed out yet */

/* A forked child would mint its parent's ids. */
static void forget_pool(void)
{
    crypto_wipe(pool, sizeof pool);
    pool_left = 0;
}

static void fill_pool(void)
{
    static bool guarded;
    if (!guarded) {
        ENSURE(pthread_atfork(NULL, NULL, forget_pool) == 0);
        guarded = true;
    }
    crypto_random(pool, sizeof pool);
    pool_left = sizeof pool;
}

struct uuid uuid_random(void)
{
    if (pool_left == 0)
        fill_pool();

    struct uuid u;
    uint8_t *next = pool + sizeof pool - pool_left;
    memcpy(u.b, next, sizeof u.b);
    memset(next, 0, sizeof u.b);
    pool_left -= sizeof u.b;

    u.b[6] = (uint8_t)((u.b[6] & 0x0F) | 0x40); /* version 4 */
    u.b[8] = (uint8_t)((u.b[8] & 0x3F) | 0x80); /* the variant of RFC 9562 */
    return u;
}

/* The value of a hex digit with HEX set; 0 for any other byte. */
#define HEX 0x10
static const uint8_t hex_value[256] = {
    ['0'] = HEX,      ['1'] = HEX + 1,  ['2'] = HEX + 2,  ['3'] = HEX + 3,  ['4'] = HEX + 4,
    ['5'] = HEX + 5,  ['6'] = HEX + 6,  ['7'] = HEX + 7,  ['8'] = HEX + 8,  ['9'] = HEX + 9,
    ['a'] = HEX + 10, ['b'] = HEX + 11, ['c'] = HEX + 12, ['d'] = HEX + 13, ['e'] = HEX + 14,
    ['f'] = HEX + 15, ['A'] = HEX + 10, ['B'] = HEX + 11, ['C'] = HEX + 12, ['D'] = HEX + 13,
    ['E'] = HEX + 14, ['F'] = HEX + 15,
};

/* Where each byte's two digits stand in the text (RFC 9562, section 4). */
static const uint8_t place[16] = {0, 2, 4, 6, 9, 11, 14, 16, 19, 21, 24, 26, 28, 30, 32, 34};

bool uuid_parse(struct bytes text, struct uuid *out)
{

    if (text.len != UUID_TEXT_LEN)
        return false;
    const uint8_t *p = text.p;
    if (p[8] != '-' || p[13] != '-' || p[18] != '-' || p[23] != '-')
        return false;

    struct uuid u;
    uint8_t all = HEX;
#pragma GCC unroll 16
    for (size_t i = 0; i < sizeof u.b; i++) {
        uint8_t high = hex_value[p[place[i]]];
        uint8_t low = hex_value[p[place[i] + 1]];
        all &= high & low;
        u.b[i] = (uint8_t)(high << 4 | (low & 0x0F));
    }
    if ((all & HEX) == 0)
        return false;
    *out = u;
    return true;
}

/* The two digits of each byte. */
#define DIGITS_1(high, low)                                                                        \
    {                                                                                              \
#high[0], #low[0]                                                                          \
    }
#define DIGITS_16(h)                                                                               \
    DIGITS_1(h, 0), DIGITS_1(h, 1), DIGITS_1(h, 2), DIGITS_1(h, 3), DIGITS_1(h, 4),                \
        DIGITS_1(h, 5), DIGITS_1(h, 6), DIGITS_1(h, 7), DIGITS_1(h, 8), DIGITS_1(h, 9),            \
        DIGITS_1(h, a), DIGITS_1(h, b), DIGITS_1(h, c), DIGITS_1(h, d), DIGITS_1(h, e),            \
        DIGITS_1(h, f)
static const char digits[256][2] = {DIGITS_16(0), DIGITS_16(1), DIGITS_16(2), DIGITS_16(3),
                                    DIGITS_16(4), DIGITS_16(5), DIGITS_16(6), DIGITS_16(7),
                                    DIGITS_16(8), DIGITS_16(9), DIGITS_16(a), DIGITS_16(b),
                                    DIGITS_16(c), DIGITS_16(d), DIGITS_16(e), DIGITS_16(f)};

void uuid_format(const struct uuid *u, char out[static UUID_TEXT_LEN])
{
    out[8] = out[13] = out[18] = out[23] = '-';
#pragma GCC unroll 16
    for (size_t i = 0; i < sizeof u->b; i++)
        memcpy(out + place[i], digits[u->b[i]], 2);
}
