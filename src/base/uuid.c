/*
 * Who does what here, as measured on one machine (gcc -O2): libuuid writes a text in 22 ns, so it
 * does. It reads one in 200 ns, of which every RPC has at least one, and draws an id in 2.2 us, a
 * system call each, falling back to a weak generator in silence where that fails; so a table of
 * ours reads, and ids are cut from blocks of libsodium's randomness.
 */
#include "base/uuid.h"

#include <pthread.h>

/* libuuid has a uuid_parse of its own, of another type. */
#define uuid_parse libuuid_parse
#include <uuid/uuid.h>
#undef uuid_parse

#include "base/crypto.h"
#include "base/ensure.h"

_Static_assert(sizeof(struct uuid) == sizeof(uuid_t), "both are the 16 bytes");
_Static_assert(UUID_TEXT_LEN + 1 == UUID_STR_LEN, "libuuid adds a NUL");

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

/* Hidden, so that it does not take the place of libuuid's function of this name for whichever
 * shared library calls that one. */
__attribute__((visibility("hidden"))) bool uuid_parse(struct bytes text, struct uuid *out)
{
    static const uint8_t place[16] = {0, 2, 4, 6, 9, 11, 14, 16, 19, 21, 24, 26, 28, 30, 32, 34};

    if (text.len != UUID_TEXT_LEN)
        return false;
    const uint8_t *p = text.p;
    if (p[8] != '-' || p[13] != '-' || p[18] != '-' || p[23] != '-')
        return false;

    struct uuid u;
    uint8_t all = HEX;
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

void uuid_format(const struct uuid *u, char out[static UUID_TEXT_LEN])
{
    char text[UUID_STR_LEN];
    uuid_unparse_lower(u->b, text);
    memcpy(out, text, UUID_TEXT_LEN);
}
