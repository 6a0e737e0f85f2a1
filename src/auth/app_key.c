#include "auth/app_key.h"

#include "auth/secret_file.h"
#include "base/crypto.h"
#include "base/hash.h"

enum err app_key_load(const char *path, struct app_key *out, const char **why)
{
    struct secret secret;

    enum err err = secret_file_read(path, &secret, why);
    if (err != ERR_ok)
        return err;
    for (size_t i = 0; i < secret.len && err == ERR_ok; i++) {
        if (secret.b[i] <= ' ' || secret.b[i] > '~') {
            *why = "must hold one word of visible ASCII, as it comes in a header";
            err = ERR_io;
        }
    }
    if (err == ERR_ok) {
        hash_bytes(secret_bytes(&secret), out->hash, sizeof out->hash);
        out->there = true;
    }
    crypto_wipe(&secret, sizeof secret);
    return err;
}

bool app_key_is(const struct app_key *key, struct bytes given)
{
    uint8_t hash[sizeof key->hash];

    hash_bytes(given, hash, sizeof hash);
    return key->there && crypto_equal(hash, key->hash, sizeof hash);
}
