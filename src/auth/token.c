/*
 *   eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9 . base64url of the claims . base64url of the signature
 *   |-- 36, always these characters ---|   |- at most CLAIMS_TEXT -|   |-------- 43 ---------|
 *
 * The claims are {"user_id":"<36 characters>","exp":<digits>}, and ,"gen":<digits> before the brace
 * where that is not 0. There is one spelling of each token:
 * the signature is compared as text, and the claims must be what claims_format makes of them.
 */
#include "auth/token.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/crypto.h"
#include "base/ensure.h"
#include "base/read_file.h"

/* {"alg":"HS256","typ":"JWT"} in base64url, and the dot. */
static const char HEADER[] = "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.";
#define HEADER_LEN (sizeof HEADER - 1)

#define SIGNATURE_LEN 43  /* of 32 bytes in base64url */
#define CLAIMS_MAX    96  /* 94 with the longest exp and gen */
#define CLAIMS_TEXT   128 /* CLAIMS_MAX bytes in base64url */

/* ---- the key file ------------------------------------------------------------------------- */

#define KEY_NAME "key"
#define KEY_TEMP "key.new"

static bool write_fully(int fd, const uint8_t *p, size_t len)
{
    while (len > 0) {
        ssize_t n = write(fd, p, len);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return false;
        p += n;
        len -= (size_t)n;
    }
    return true;
}

/* Reads an open key file. */
static enum err key_read(int fd, struct token_key *out, const char **why)
{
    struct stat st;
    uint8_t bytes[TOKEN_KEY_LEN + 1];
    enum err err = ERR_io;

    if (fstat(fd, &st) != 0) {
        *why = "the signing key cannot be examined";
    } else if (!S_ISREG(st.st_mode)) {
        *why = "the signing key is not a regular file";
    } else if ((st.st_mode & 077) != 0) {
        *why = "the signing key is open to other users; after checking who read it: chmod 600";
    } else {
        ssize_t n = read_fully(fd, bytes, sizeof bytes);
        if (n < 0) {
            *why = "the signing key cannot be read";
        } else if (n != TOKEN_KEY_LEN) {
            *why = "the signing key is not 32 bytes long";
        } else {
            memcpy(out->b, bytes, TOKEN_KEY_LEN);
            err = ERR_ok;
        }
        crypto_wipe(bytes, sizeof bytes);
    }
    return err;
}

/* Writes `key` to the temporary file. fchmod, since the umask may take too much away. */
static bool key_write_temp(int dir_fd, const struct token_key *key)
{
    int fd = openat(dir_fd, KEY_TEMP, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
    if (fd < 0)
        return false;
    bool ok = fchmod(fd, 0600) == 0 && write_fully(fd, key->b, sizeof key->b) && fsync(fd) == 0;
    if (close(fd) != 0)
        ok = false;
    return ok;
}

static enum err key_create(int dir_fd, struct token_key *out, const char **why)
{
    struct token_key key;
    enum err err = ERR_io;

    crypto_random(key.b, sizeof key.b);
    /* A crash may have left one; it was never used, or it would have its final name. */
    if (unlinkat(dir_fd, KEY_TEMP, 0) != 0 && errno != ENOENT) {
        *why = "the remains of a signing key (key.new) cannot be removed";
    } else if (!key_write_temp(dir_fd, &key) || renameat(dir_fd, KEY_TEMP, dir_fd, KEY_NAME) != 0) {
        *why = "a new signing key cannot be written";
        (void)unlinkat(dir_fd, KEY_TEMP, 0);
    } else if (fsync(dir_fd) != 0) {
        *why = "a new signing key was written, but its directory cannot be synced";
    } else {
        *out = key;
        err = ERR_ok;
    }
    crypto_wipe(&key, sizeof key);
    return err;
}

enum err token_key_load(const char *dir, bool may_create, struct token_key *out, const char **why)
{
    const char *ignored;
    enum err err = ERR_io;

    if (why == NULL)
        why = &ignored;

    int dir_fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (dir_fd < 0) {
        *why = "the directory of the signing key cannot be opened";
        return ERR_io;
    }
    /* O_NONBLOCK: a FIFO of that name is refused by key_read, not waited for. */
    int fd = openat(dir_fd, KEY_NAME, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
    if (fd >= 0) {
        err = key_read(fd, out, why);
        (void)close(fd);
    } else if (errno != ENOENT) {
        *why = errno == ELOOP ? "the signing key is a symbolic link"
                              : "the signing key cannot be opened";
    } else if (may_create) {
        err = key_create(dir_fd, out, why);
    } else {
        *why = "the signing key is missing";
        err = ERR_not_found;
    }
    (void)close(dir_fd);
    return err;
}

/* ---- tokens ------------------------------------------------------------------------------- */

/* Writes the claims, the one way in which they are written. Returns their length. */
static size_t claims_format(const struct token_claims *claims, char out[CLAIMS_MAX])
{
    char id[UUID_TEXT_LEN], generation[24] = "";

    uuid_format(&claims->user_id, id);
    if (claims->generation > 0)
        snprintf(generation, sizeof generation, ",\"gen\":%" PRIu32, claims->generation);
    int n = snprintf(out, CLAIMS_MAX, "{\"user_id\":\"%.*s\",\"exp\":%" PRId64 "%s}", UUID_TEXT_LEN,
                     id, claims->expires_s, generation);
    ENSURE(n > 0 && n < CLAIMS_MAX);
    return (size_t)n;
}

/* Takes `expected` off the front of *s. */
static bool skip(struct bytes *s, struct bytes expected)
{
    if (s->len < expected.len || memcmp(s->p, expected.p, expected.len) != 0)
        return false;
    s->p += expected.len;
    s->len -= expected.len;
    return true;
}

/* Takes decimal digits that fit int64 off the front of *s. */
static bool skip_digits(struct bytes *s, int64_t *value)
{
    int64_t v = 0;
    size_t n = 0;

    for (; n < s->len && s->p[n] >= '0' && s->p[n] <= '9'; n++)
        if (__builtin_mul_overflow(v, 10, &v) || __builtin_add_overflow(v, s->p[n] - '0', &v))
            return false;
    s->p += n;
    s->len -= n;
    *value = v;
    return n > 0;
}

/* Reads claims; true only where claims_format writes them so. */
static bool claims_read(struct bytes text, struct token_claims *claims)
{
    struct bytes s = text;
    char again[CLAIMS_MAX];
    int64_t generation = 0;

    if (!skip(&s, BYTES("{\"user_id\":\"")) || s.len < UUID_TEXT_LEN)
        return false;
    if (!uuid_parse(bytes_of(s.p, UUID_TEXT_LEN), &claims->user_id))
        return false;
    s = bytes_of(s.p + UUID_TEXT_LEN, s.len - UUID_TEXT_LEN);
    if (!skip(&s, BYTES("\",\"exp\":")) || !skip_digits(&s, &claims->expires_s))
        return false;
    if (skip(&s, BYTES(",\"gen\":")) && (!skip_digits(&s, &generation) || generation > UINT32_MAX))
        return false;
    claims->generation = (uint32_t)generation;
    /* Upper-case ids, leading zeros, a "gen" of 0 and whatever follows the brace show here. */
    size_t len = claims_format(claims, again);
    return bytes_equal(text, bytes_of(again, len));
}

/* The signature over header and claims, as the text that a token carries. */
static void sign(const struct token_key *key, struct bytes signed_part, char out[SIGNATURE_LEN])
{
    uint8_t mac[CRYPTO_HMAC_LEN];

    _Static_assert((CRYPTO_HMAC_LEN * 8 + 5) / 6 == SIGNATURE_LEN, "base64url of an HMAC");
    crypto_hmac_sha256(bytes_of(key->b, sizeof key->b), signed_part, mac);
    crypto_base64_encode(bytes_of(mac, sizeof mac), out);
}

void token_issue(const struct token_key *key, const struct token_claims *claims, struct buf *out)
{
    char text[CLAIMS_MAX];
    char encoded[CLAIMS_TEXT];
    char signature[SIGNATURE_LEN];
    size_t start = out->len;

    ENSURE(claims->expires_s >= 0);
    size_t text_len = claims_format(claims, text);
    size_t encoded_len = crypto_base64_len(text_len);
    ENSURE(encoded_len <= sizeof encoded);
    crypto_base64_encode(bytes_of(text, text_len), encoded);

    buf_add(out, HEADER, HEADER_LEN);
    buf_add(out, encoded, encoded_len);
    sign(key, bytes_of(out->p + start, out->len - start), signature);
    buf_add_u8(out, '.');
    buf_add(out, signature, sizeof signature);
}

enum err token_verify(const struct token_key *key, struct bytes token, int64_t now_s,
                      struct token_claims *claims)
{
    char signature[SIGNATURE_LEN];
    uint8_t text[CLAIMS_MAX];
    struct token_claims read;

    if (token.len < HEADER_LEN + 1 + SIGNATURE_LEN ||
        token.len > HEADER_LEN + CLAIMS_TEXT + 1 + SIGNATURE_LEN)
        return ERR_unauthorized;
    size_t signed_len = token.len - SIGNATURE_LEN - 1;
    if (token.p[signed_len] != '.' || memcmp(token.p, HEADER, HEADER_LEN) != 0)
        return ERR_unauthorized;

    /* The signature first: nothing in the claims is looked at that we did not write. */
    sign(key, bytes_of(token.p, signed_len), signature);
    if (!crypto_equal(signature, token.p + signed_len + 1, SIGNATURE_LEN))
        return ERR_unauthorized;

    long text_len = crypto_base64_decode(bytes_of(token.p + HEADER_LEN, signed_len - HEADER_LEN),
                                         text, sizeof text);
    if (text_len < 0 || !claims_read(bytes_of(text, (size_t)text_len), &read))
        return ERR_unauthorized;
    if (read.expires_s <= now_s)
        return ERR_unauthorized;
    *claims = read;
    return ERR_ok;
}
