/*
 * uuid: 16-byte ids, RFC 9562 version 4.
 */
#ifndef BASE_UUID_H
#define BASE_UUID_H

#include "base/bytes.h"

struct uuid {
    uint8_t b[16];
};

#define UUID_TEXT_LEN 36

/* A fresh version 4 UUID. Random bytes come from the system's generator in blocks, so that an id
 * costs no system call. Loop thread only; a forked child starts with a block of its own. */
struct uuid uuid_random(void);

/* Reads the 36-character form (either case). False, and *out untouched, where it is not one. */
bool uuid_parse(struct bytes text, struct uuid *out);

/* Writes the 36 lower-case characters, no NUL. */
void uuid_format(const struct uuid *u, char out[static UUID_TEXT_LEN]);

static inline bool uuid_equal(const struct uuid *a, const struct uuid *b)
{
    return memcmp(a->b, b->b, sizeof a->b) == 0;
}

static inline bool uuid_is_zero(const struct uuid *u)
{
    static const struct uuid zero;
    return uuid_equal(u, &zero);
}

/* A hash for ids that this server minted: their own random bits. */
static inline uint64_t uuid_hash(const struct uuid *u)
{
    uint64_t h;
    memcpy(&h, u->b, sizeof h);
    return h;
}

#endif
