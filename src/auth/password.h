/*
 * password: Argon2id on worker threads, so that the loop never waits for it.
 *
 * Work is queued (bounded: beyond that ERR_busy, which becomes a 503) and comes back through
 * password_dispatch on the loop thread when password_fd is readable. Passwords are copied in and
 * wiped after use. Checking the password of somebody who does not exist costs the same: it is
 * compared with a hash of random bytes that the workers make once, when the pool starts.
 *
 * Every function here belongs to one thread, the loop thread; the workers block all signals.
 * crypto_init comes first.
 */
#ifndef AUTH_PASSWORD_H
#define AUTH_PASSWORD_H

#include "base/bytes.h"
#include "base/crypto.h"
#include "base/err.h"

enum password_cost {
    PASSWORD_COST_MIN,    /* the least that libsodium takes: for tests only */
    PASSWORD_COST_NORMAL, /* 19 MiB, 2 passes (OWASP's first choice for Argon2id) */
    PASSWORD_COST_HIGH    /* 64 MiB, 3 passes */
};

struct password_pool;

struct password_result {
    enum err err; /* ERR_ok, ERR_bad_credentials (verify), ERR_busy (no memory) */
    char encoded[CRYPTO_PASSWORD_LEN]; /* of password_hash: NUL-terminated */
};

typedef void (*password_done_fn)(void *arg, const struct password_result *result);

/* Starts `threads` workers (1 to 16). Beyond one job a worker `queue_max` may wait; a job counts
 * until its done was called. `cost` is that of new hashes: checking takes it from the hash. Ends
 * the process where threads cannot be had. */
struct password_pool *password_pool_new(enum password_cost cost, unsigned threads,
                                        unsigned queue_max);

/* Drops what waits or was not dispatched (its done is never called), waits for what is being worked
 * on, wipes and frees. Never from inside a done. NULL is fine. */
void password_pool_free(struct password_pool *pool);

/* Hashes a password; `done` gets the encoded hash, or ERR_busy where there was no memory for it.
 * ERR_busy from here: the queue is full, and done is not called. */
enum err password_hash(struct password_pool *pool, struct bytes password, password_done_fn done,
                       void *arg) MUST_CHECK;

/* Checks a password against `encoded` (copied), or against a hash that nobody has the password of
 * where encoded.len is 0 (done then gets ERR_bad_credentials, after the same work). ERR_busy as
 * above. */
enum err password_verify(struct password_pool *pool, struct bytes encoded, struct bytes password,
                         password_done_fn done, void *arg) MUST_CHECK;

/* What happened since the pool was made. */
struct password_stats {
    uint32_t open;     /* jobs that wait, are worked on or were not dispatched */
    uint32_t open_max; /* one more is refused */
    uint64_t done, refused;
};
struct password_stats password_stats(const struct password_pool *pool);

/* Readable when password_dispatch has something to do. The pool's. */
int password_fd(const struct password_pool *pool);

/* Calls done for all that is finished, in the order of finishing. Never blocks. A done may queue
 * more. */
void password_dispatch(struct password_pool *pool);

#endif
