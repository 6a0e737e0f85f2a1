/*
 * Every message has five ids written and one read, so both are done here without a branch a digit;
 * libuuid, which the unit tests compare this with, takes several hundred instructions for each. It
 * draws an id with a system call, and falls back to a weak generator in silence where that fails;
 * so ids are cut from blocks of libsodium's randomness.
 */
#include "base/uuid.h"

#include <pthread.h>

#include "base/crypto.h"
#include "base/ensure.h"
#include "base/swar.h"

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

/* Where each byte's two digits stand in the text (RFC 9562, section 4). */
static const uint8_t place[16] = {0, 2, 4, 6, 9, 11, 14, 16, 19, 21, 24, 26, 28, 30, 32, 34};

/*
 * Eight hex digits as four bytes, the first one lowest; adds to *wrong where one is none. A digit's
 * value is its low half, and nine more for a letter; it was a digit if that value, written as a
 * lower-case digit, gives the character back.
 */
static uint32_t read_digits(uint64_t text, uint64_t *wrong)
{
    uint64_t letter = text >> 6 & SWAR_ONES;
    uint64_t value = (text & SWAR_ONES * 0x0F) + letter * 9;
    uint64_t above_9 = (value + SWAR_ONES * 6) >> 4 & SWAR_ONES;
    uint64_t written = value + SWAR_ONES * '0' + above_9 * ('a' - '9' - 1);
    *wrong |= (written ^ (text | letter * 0x20)) | (value & SWAR_ONES * 0xF0);
    uint64_t pairs = (value << 4 | value >> 8) & UINT64_C(0x00FF00FF00FF00FF);
    pairs = (pairs | pairs >> 8) & UINT64_C(0x0000FFFF0000FFFF);
    return (uint32_t)(pairs | pairs >> 16);
}

/* Four characters at `first`, four at `second`. */
static uint64_t load_halves(const uint8_t *first, const uint8_t *second)
{
    uint8_t both[8];
    memcpy(both, first, 4);
    memcpy(both + 4, second, 4);
    return swar_load(both);
}

bool uuid_parse(struct bytes text, struct uuid *out)
{
    uint64_t wrong = 0;

    if (text.len != UUID_TEXT_LEN)
        return false;
    const uint8_t *p = text.p;
    const uint32_t parts[4] = {
        htole32(read_digits(swar_load(p), &wrong)),
        htole32(read_digits(load_halves(p + 9, p + 14), &wrong)),
        htole32(read_digits(load_halves(p + 19, p + 24), &wrong)),
        htole32(read_digits(swar_load(p + 28), &wrong)),
    };
    wrong |= (p[8] ^ '-') | (p[13] ^ '-') | (p[18] ^ '-') | (p[23] ^ '-');
    if (wrong != 0)
        return false;
    memcpy(out->b, parts, sizeof out->b);
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
