/*
 * secret_file: a secret that the operator keeps in a file of its own, so that it stands neither on
 * a command line nor in an environment.
 */
#ifndef AUTH_SECRET_FILE_H
#define AUTH_SECRET_FILE_H

#include "base/bytes.h"
#include "base/err.h"

#define SECRET_LEN_MIN 32
#define SECRET_LEN_MAX 1024

struct secret {
    uint8_t b[SECRET_LEN_MAX];
    size_t len; /* 0: there is none */
};

static inline struct bytes secret_bytes(const struct secret *s)
{
    return bytes_of(s->b, s->len);
}

/*
 * Reads the file at `path` (symbolic links are followed) without the white space at its beginning
 * and end. ERR_io, with a static sentence in *why, where it cannot be read, is no regular file, is
 * open to group or others, or holds fewer than SECRET_LEN_MIN or more than SECRET_LEN_MAX bytes.
 * *out is set only on success, and the caller's to wipe.
 */
enum err secret_file_read(const char *path, struct secret *out, const char **why) MUST_CHECK;

#endif
