/*
 * app_key: the key with which the app's own server may act for its users. Only its hash is kept.
 */
#ifndef AUTH_APP_KEY_H
#define AUTH_APP_KEY_H

#include "base/bytes.h"
#include "base/err.h"

struct app_key {
    uint8_t hash[32]; /* BLAKE2b-256 */
    bool there;
};

/* Reads the key from a file, as secret_file_read does; it must be visible ASCII, since it comes in
 * a header. ERR_io with a static sentence in *why. */
enum err app_key_load(const char *path, struct app_key *out, const char **why) MUST_CHECK;

/* Is this the key? False where there is none. In constant time. */
bool app_key_is(const struct app_key *key, struct bytes given);

#endif
