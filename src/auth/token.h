/*
 * token: the bearer token, a JWT (RFC 7519) of exactly one kind.
 *
 * Header {"alg":"HS256","typ":"JWT"}, byte for byte as we write it; claims "user_id" and "exp"
 * (seconds since 1970), in this order, and behind them "gen" where it is not 0: how often the
 * user's tokens of before were ended; signed with HMAC-SHA256. Any other header, algorithm, claim
 * set, padding or encoding is refused, and the signature is compared in constant time.
 */
#ifndef AUTH_TOKEN_H
#define AUTH_TOKEN_H

#include "base/buf.h"
#include "base/err.h"
#include "base/uuid.h"

#define TOKEN_KEY_LEN 32

struct token_key {
    uint8_t b[TOKEN_KEY_LEN];
};

/*
 * Reads DIR/key (exactly 32 bytes, mode 0600 or less), or makes it from random bytes (DIR/key.new,
 * fsync, rename, fsync of the directory) where it is missing and `may_create`. The caller holds the
 * lock of the directory. ERR_not_found: missing and may not be created. ERR_io: not readable, no
 * regular file, wrong size, or open to group or others. Where it fails *why (`why` may be NULL)
 * gets a static sentence for the operator; *out is set only on success, and the caller's to wipe.
 */
enum err token_key_load(const char *dir, bool may_create, struct token_key *out,
                        const char **why) MUST_CHECK;

/* Whose a token is, and until when: seconds since 1970, not negative. */
struct token_claims {
    struct uuid user_id;
    int64_t expires_s;
    uint32_t generation;
};

/* Adds a token to *out. */
void token_issue(const struct token_key *key, const struct token_claims *claims, struct buf *out);

/* What does the token say? ERR_unauthorized for any fault, with no more said, and where it is over
 * at `now_s`. A token that is taken is byte for byte what token_issue makes of its claims. Whether
 * its generation is the user's, the caller knows. */
enum err token_verify(const struct token_key *key, struct bytes token, int64_t now_s,
                      struct token_claims *claims) MUST_CHECK;

#endif
