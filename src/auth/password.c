#include "auth/password.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "base/diag.h"
#include "base/ensure.h"
#include "base/list.h"

#define THREADS_MAX 16

/* What a cost means to Argon2id. */
struct work {
    uint64_t passes;
    size_t memory;
};

/* A job belongs to the loop thread until it is queued, to one worker while it is worked on, and to
 * the loop thread again once it is in `finished`. */
struct job {
    struct list node;
    bool verify;
    password_done_fn done;
    void *arg;
    char encoded[CRYPTO_PASSWORD_LEN]; /* verify: NUL-terminated; "": the decoy's */
    struct password_result result;
    size_t password_len;
    uint8_t password[];
};

enum decoy_state { DECOY_NONE, DECOY_MAKING, DECOY_READY };

struct password_pool {
    /* Fixed after password_pool_new. */
    struct work work;
    unsigned thread_count;
    unsigned open_max;
    int fd;
    pthread_t threads[THREADS_MAX];

    /* Loop thread. */
    unsigned open; /* jobs that were taken and whose done was not yet called */
    uint64_t done, refused;

    /* Under `mutex`. */
    pthread_mutex_t mutex;
    pthread_cond_t has_work;   /* `waiting` is not empty, or `stopping` */
    pthread_cond_t decoy_made; /* `decoy` is no longer DECOY_MAKING */
    struct list waiting;
    struct list finished;
    bool stopping;
    enum decoy_state decoy;
    char decoy_encoded[CRYPTO_PASSWORD_LEN]; /* DECOY_READY: never changes again */
};

static void lock(struct password_pool *pool)
{
    int e = pthread_mutex_lock(&pool->mutex);
    ENSURE(e == 0);
}

static void unlock(struct password_pool *pool)
{
    int e = pthread_mutex_unlock(&pool->mutex);
    ENSURE(e == 0);
}

static struct work work_of(enum password_cost cost)
{
    struct work work = {0};

    switch (cost) {
    case PASSWORD_COST_MIN:
        work = (struct work){.passes = CRYPTO_PASSWORD_PASSES_MIN,
                             .memory = CRYPTO_PASSWORD_MEMORY_MIN};
        break;
    case PASSWORD_COST_NORMAL:
        work = (struct work){.passes = 2, .memory = 19 << 20};
        break;
    case PASSWORD_COST_HIGH:
        work = (struct work){.passes = 3, .memory = 64 << 20};
        break;
    }
    ENSURE(work.passes != 0);
    return work;
}

/* ---- on the workers ----------------------------------------------------------------------- */

static bool decoy_make(struct password_pool *pool, char out[static CRYPTO_PASSWORD_LEN])
{
    uint8_t secret[32];

    crypto_random(secret, sizeof secret);
    bool ok = crypto_password_hash(bytes_of(secret, sizeof secret), pool->work.passes,
                                   pool->work.memory, out);
    crypto_wipe(secret, sizeof secret);
    return ok;
}

/*
 * The hash that nobody has the password of, made once, by whichever worker needs it first; who
 * needs it meanwhile waits. NULL where there is no memory for making it: the next one tries again.
 */
static const char *decoy_get(struct password_pool *pool)
{
    lock(pool);
    while (pool->decoy == DECOY_MAKING)
        pthread_cond_wait(&pool->decoy_made, &pool->mutex);
    if (pool->decoy == DECOY_NONE) {
        char encoded[CRYPTO_PASSWORD_LEN];
        pool->decoy = DECOY_MAKING;
        unlock(pool);
        bool ok = decoy_make(pool, encoded);
        lock(pool);
        if (ok)
            memcpy(pool->decoy_encoded, encoded, sizeof encoded);
        pool->decoy = ok ? DECOY_READY : DECOY_NONE;
        pthread_cond_broadcast(&pool->decoy_made);
    }
    const char *encoded = pool->decoy == DECOY_READY ? pool->decoy_encoded : NULL;
    unlock(pool);
    return encoded;
}

static enum err job_verify(struct password_pool *pool, const struct job *job)
{
    struct bytes password = bytes_of(job->password, job->password_len);
    const char *encoded = job->encoded;
    bool real = encoded[0] != '\0';

    if (!real)
        encoded = decoy_get(pool);
    if (encoded == NULL)
        return ERR_busy;
    enum err err = crypto_password_verify(encoded, password);
    return err == ERR_ok && !real ? ERR_bad_credentials : err;
}

static void job_work(struct password_pool *pool, struct job *job)
{
    if (job->verify)
        job->result.err = job_verify(pool, job);
    else if (crypto_password_hash(bytes_of(job->password, job->password_len), pool->work.passes,
                                  pool->work.memory, job->result.encoded))
        job->result.err = ERR_ok;
    else
        job->result.err = ERR_busy;
    /* Here and not when the job is freed: it may wait for the loop. */
    crypto_wipe(job->password, job->password_len);
}

static void wake_loop(struct password_pool *pool)
{
    uint64_t one = 1;
    ssize_t n;

    do
        n = write(pool->fd, &one, sizeof one);
    while (n < 0 && errno == EINTR);
    /* EAGAIN would take 2^64 - 1 wake-ups that nobody read. */
    ENSURE(n == (ssize_t)sizeof one);
}

static void *worker_main(void *arg)
{
    struct password_pool *pool = arg;

    /* Before anybody asks, so that the first unknown user waits no longer than the others. */
    (void)decoy_get(pool);

    lock(pool);
    for (;;) {
        while (list_empty(&pool->waiting) && !pool->stopping)
            pthread_cond_wait(&pool->has_work, &pool->mutex);
        if (pool->stopping)
            break;
        struct job *job = LIST_OWNER(pool->waiting.next, struct job, node);
        list_remove(&job->node);
        unlock(pool);

        job_work(pool, job);

        lock(pool);
        bool first = list_empty(&pool->finished);
        list_append(&pool->finished, &job->node);
        if (first)
            wake_loop(pool);
    }
    unlock(pool);
    return NULL;
}

/* ---- on the loop -------------------------------------------------------------------------- */

/* Signals are the loop thread's: a thread inherits the mask that its maker has just then. */
static void start_threads(struct password_pool *pool)
{
    sigset_t all;
    sigset_t before;

    sigfillset(&all);
    int e = pthread_sigmask(SIG_SETMASK, &all, &before);
    ENSURE(e == 0);
    for (unsigned i = 0; i < pool->thread_count; i++) {
        e = pthread_create(&pool->threads[i], NULL, worker_main, pool);
        if (e != 0) {
            diag_error("a password thread cannot be started: %s", strerror(e));
            exit(EXIT_FAILURE);
        }
        (void)pthread_setname_np(pool->threads[i], "password");
    }
    e = pthread_sigmask(SIG_SETMASK, &before, NULL);
    ENSURE(e == 0);
}

struct password_pool *password_pool_new(enum password_cost cost, unsigned threads,
                                        unsigned queue_max)
{
    ENSURE(threads >= 1 && threads <= THREADS_MAX);
    ENSURE(queue_max <= 1u << 30);

    struct password_pool *pool = xcalloc(1, sizeof *pool);
    pool->work = work_of(cost);
    pool->thread_count = threads;
    pool->open_max = queue_max + threads;
    list_init(&pool->waiting);
    list_init(&pool->finished);
    pool->fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    if (pool->fd < 0) {
        diag_error("no eventfd for the password threads: %s", strerror(errno));
        exit(EXIT_FAILURE);
    }
    int e = pthread_mutex_init(&pool->mutex, NULL);
    ENSURE(e == 0);
    e = pthread_cond_init(&pool->has_work, NULL);
    ENSURE(e == 0);
    e = pthread_cond_init(&pool->decoy_made, NULL);
    ENSURE(e == 0);
    start_threads(pool);
    return pool;
}

static void job_free(struct job *job)
{
    crypto_wipe(job, sizeof *job + job->password_len);
    free(job);
}

static void job_list_free(struct list *jobs)
{
    struct list *next;

    for (struct list *node = jobs->next; node != jobs; node = next) {
        next = node->next;
        job_free(LIST_OWNER(node, struct job, node));
    }
    list_init(jobs);
}

void password_pool_free(struct password_pool *pool)
{
    if (pool == NULL)
        return;
    lock(pool);
    pool->stopping = true;
    pthread_cond_broadcast(&pool->has_work);
    unlock(pool);
    for (unsigned i = 0; i < pool->thread_count; i++) {
        int e = pthread_join(pool->threads[i], NULL);
        ENSURE(e == 0);
    }
    job_list_free(&pool->waiting);
    job_list_free(&pool->finished);
    pthread_cond_destroy(&pool->decoy_made);
    pthread_cond_destroy(&pool->has_work);
    pthread_mutex_destroy(&pool->mutex);
    (void)close(pool->fd);
    free(pool);
}

static enum err enqueue(struct password_pool *pool, bool verify, struct bytes encoded,
                        struct bytes password, password_done_fn done, void *arg)
{
    if (pool->open == pool->open_max) {
        pool->refused++;
        return ERR_busy;
    }

    struct job *job = xcalloc(1, sizeof *job + password.len);
    job->verify = verify;
    job->done = done;
    job->arg = arg;
    /* What is too long for an encoded hash, or holds NUL, is nobody's: it matches nothing. */
    if (encoded.len < sizeof job->encoded && memchr(encoded.p, '\0', encoded.len) == NULL)
        memcpy(job->encoded, encoded.p, encoded.len);
    job->password_len = password.len;
    if (password.len > 0)
        memcpy(job->password, password.p, password.len);

    pool->open++;
    lock(pool);
    list_append(&pool->waiting, &job->node);
    pthread_cond_signal(&pool->has_work);
    unlock(pool);
    return ERR_ok;
}

enum err password_hash(struct password_pool *pool, struct bytes password, password_done_fn done,
                       void *arg)
{
    return enqueue(pool, false, BYTES(""), password, done, arg);
}

enum err password_verify(struct password_pool *pool, struct bytes encoded, struct bytes password,
                         password_done_fn done, void *arg)
{
    if (encoded.len == 0)
        encoded = BYTES("");
    return enqueue(pool, true, encoded, password, done, arg);
}

int password_fd(const struct password_pool *pool)
{
    return pool->fd;
}

struct password_stats password_stats(const struct password_pool *pool)
{
    return (struct password_stats){.open = pool->open,
                                   .open_max = pool->open_max,
                                   .done = pool->done,
                                   .refused = pool->refused};
}

void password_dispatch(struct password_pool *pool)
{
    struct list ready;
    uint64_t wakes;

    /* Nothing to read (EAGAIN) means nothing new; the list says so too. */
    ssize_t n = read(pool->fd, &wakes, sizeof wakes);
    (void)n;

    list_init(&ready);
    lock(pool);
    while (!list_empty(&pool->finished)) {
        struct list *node = pool->finished.next;
        list_remove(node);
        list_append(&ready, node);
    }
    unlock(pool);

    /* A done may queue more; what that yields comes with another wake-up. */
    while (!list_empty(&ready)) {
        struct job *job = LIST_OWNER(ready.next, struct job, node);
        list_remove(&job->node);
        pool->open--;
        pool->done++;
        job->done(job->arg, &job->result);
        job_free(job);
    }
}
