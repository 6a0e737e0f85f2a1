/*
 * bytes: a borrowed run of bytes, pointer and length.
 *
 * Text from outside may hold NUL, so nothing here ends with one. A `struct bytes` owns nothing:
 * who hands it out says how long it lives. {NULL, 0} is the empty run.
 */
#ifndef BASE_BYTES_H
#define BASE_BYTES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

struct bytes {
    const uint8_t *p;
    size_t len;
};

/* A string literal as bytes, without its final NUL. */
#define BYTES(literal) ((struct bytes){(const uint8_t *)("" literal), sizeof(literal) - 1})

static inline struct bytes bytes_of(const void *p, size_t len)
{
    return (struct bytes){(const uint8_t *)p, len};
}

static inline struct bytes bytes_cstr(const char *s)
{
    return (struct bytes){(const uint8_t *)s, strlen(s)};
}

static inline bool bytes_equal(struct bytes a, struct bytes b)
{
    return a.len == b.len && (a.len == 0 || memcmp(a.p, b.p, a.len) == 0);
}

static inline bool bytes_begin_with(struct bytes s, struct bytes prefix)
{
    return s.len >= prefix.len && bytes_equal(bytes_of(s.p, prefix.len), prefix);
}

/* Equal without regard to the case of ASCII letters? Not constant-time. */
bool bytes_equal_nocase(struct bytes a, struct bytes b);

/* <0, 0, >0 as memcmp over the common part, then by length. */
int bytes_compare(struct bytes a, struct bytes b);

#endif
