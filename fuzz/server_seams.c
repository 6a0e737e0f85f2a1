#include "fuzz/server_seams.h"

#include "auth/password.h"
#include "base/clock.h"
#include "base/ensure.h"
#include "base/uuid.h"
#include "net/inside.h"

#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

#define WALL_START_MS 1600000000000
#define MONO_START_MS 1000000

static int64_t passed_ms;
static uint64_t drawn;

void seams_reset(void)
{
    passed_ms = 0;
    drawn = 0;
}

void seams_pass_time(struct net *n, uint32_t ms)
{
    passed_ms += ms;
    net_skip_time(n, ms / 1000);
}

void seams_connect(struct net *n, int fd, unsigned number)
{
    struct conn_address address = {{[10] = 0xFF, [11] = 0xFF, [12] = 10, [15] = (uint8_t)number}};
    struct conn *c = conn_open(n, fd, address);
    c->door = (number == SEAMS_APP_PEER ? NET_DOOR_APP : NET_DOOR_PUBLIC) & 1;
}

/* ---- clocks and randomness ------------------------------------------------------------------ */

int64_t __wrap_clock_wall_ms(void);
int64_t __wrap_clock_mono_ms(void);
void __wrap_crypto_random(void *out, size_t len);
uint64_t __wrap_crypto_siphash(struct bytes s);
struct uuid __wrap_uuid_random(void);

int64_t __wrap_clock_wall_ms(void)
{
    return WALL_START_MS + passed_ms;
}

int64_t __wrap_clock_mono_ms(void)
{
    return MONO_START_MS + passed_ms;
}

/* A bijection whose bits look random (splitmix64's). */
static uint64_t mixed(uint64_t x)
{
    x += 0x9E3779B97F4A7C15;
    x = (x ^ (x >> 30)) * 0xBF58476D1CE4E5B9;
    x = (x ^ (x >> 27)) * 0x94D049BB133111EB;
    return x ^ (x >> 31);
}

void __wrap_crypto_random(void *out, size_t len)
{
    uint8_t *p = out;
    for (size_t i = 0; i < len; i++)
        p[i] = (uint8_t)mixed(drawn++);
}

/* FNV-1a: the table's order is of no consequence, but that it is the same helps the fuzzer. */
uint64_t __wrap_crypto_siphash(struct bytes s)
{
    uint64_t h = 0xCBF29CE484222325;
    for (size_t i = 0; i < s.len; i++)
        h = (h ^ s.p[i]) * 0x100000001B3;
    return mixed(h);
}

struct uuid __wrap_uuid_random(void)
{
    struct uuid id;
    __wrap_crypto_random(id.b, sizeof id.b);
    id.b[6] = (uint8_t)(0x40 | (id.b[6] & 0x0F));
    id.b[8] = (uint8_t)(0x80 | (id.b[8] & 0x3F));
    return id;
}

/* ---- passwords ------------------------------------------------------------------------------ */

/* Does the work when it is asked for, and tells of it in a later turn, as the threads would. The
 * encoded form is the password's own beginning. */
struct password_pool {
    int fd;
    unsigned open;
    unsigned open_max;
    struct job *first, *last; /* finished */
};

struct job {
    struct job *next;
    password_done_fn done;
    void *arg;
    struct password_result result;
};

struct password_pool *__wrap_password_pool_new(enum password_cost cost, unsigned threads,
                                               unsigned queue_max);
void __wrap_password_pool_free(struct password_pool *pool);
enum err __wrap_password_hash(struct password_pool *pool, struct bytes password,
                              password_done_fn done, void *arg);
enum err __wrap_password_verify(struct password_pool *pool, struct bytes encoded,
                                struct bytes password, password_done_fn done, void *arg);
int __wrap_password_fd(const struct password_pool *pool);
void __wrap_password_dispatch(struct password_pool *pool);

struct password_pool *__wrap_password_pool_new(enum password_cost cost, unsigned threads,
                                               unsigned queue_max)
{
    struct password_pool *pool = xcalloc(1, sizeof *pool);
    (void)cost;
    pool->fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    ENSURE(pool->fd >= 0);
    pool->open_max = threads + queue_max;
    return pool;
}

void __wrap_password_pool_free(struct password_pool *pool)
{
    for (struct job *next, *job = pool->first; job != NULL; job = next) {
        next = job->next;
        free(job);
    }
    close(pool->fd);
    free(pool);
}

static void encode(struct bytes password, char out[static CRYPTO_PASSWORD_LEN])
{
    static const char digits[] = "0123456789abcdef";
    size_t at = 0;
    for (size_t i = 0; i < password.len && at + 3 < CRYPTO_PASSWORD_LEN; i++) {
        out[at++] = digits[password.p[i] >> 4];
        out[at++] = digits[password.p[i] & 15];
    }
    out[at] = '\0';
}

static enum err enqueue(struct password_pool *pool, password_done_fn done, void *arg,
                        const struct password_result *result)
{
    const uint64_t one = 1;
    if (pool->open == pool->open_max)
        return ERR_busy;
    struct job *job = xcalloc(1, sizeof *job);
    job->done = done;
    job->arg = arg;
    job->result = *result;
    pool->open++;
    if (pool->first == NULL)
        pool->first = job;
    else
        pool->last->next = job;
    pool->last = job;
    ENSURE(write(pool->fd, &one, sizeof one) == (ssize_t)sizeof one);
    return ERR_ok;
}

enum err __wrap_password_hash(struct password_pool *pool, struct bytes password,
                              password_done_fn done, void *arg)
{
    struct password_result result = {.err = ERR_ok};
    encode(password, result.encoded);
    return enqueue(pool, done, arg, &result);
}

enum err __wrap_password_verify(struct password_pool *pool, struct bytes encoded,
                                struct bytes password, password_done_fn done, void *arg)
{
    struct password_result result = {.err = ERR_bad_credentials};
    char given[CRYPTO_PASSWORD_LEN];
    encode(password, given);
    if (bytes_equal(encoded, bytes_cstr(given)))
        result.err = ERR_ok;
    return enqueue(pool, done, arg, &result);
}

int __wrap_password_fd(const struct password_pool *pool)
{
    return pool->fd;
}

void __wrap_password_dispatch(struct password_pool *pool)
{
    uint64_t wakes;
    ssize_t n = read(pool->fd, &wakes, sizeof wakes);
    struct job *ready = pool->first;
    (void)n;
    pool->first = pool->last = NULL;
    for (struct job *next, *job = ready; job != NULL; job = next) {
        next = job->next;
        pool->open--;
        job->done(job->arg, &job->result);
        free(job);
    }
}
