#include "log/hasher.h"

#include "base/ensure.h"
#include "log/sys.h"

static void lock(struct hasher *h)
{
    ENSURE(pthread_mutex_lock(&h->lock) == 0);
}

static void unlock(struct hasher *h)
{
    ENSURE(pthread_mutex_unlock(&h->lock) == 0);
}

static void *hasher_run(void *arg)
{
    struct hasher *h = arg;
    lock(h);
    while (!h->stop || h->p) {
        if (!h->p) {
            pthread_cond_wait(&h->given, &h->lock);
            continue;
        }
        unlock(h);
        /* Nobody changes the piece while it is there. */
        hash_add(&h->hash, h->p, h->len);
        lock(h);
        h->p = NULL;
        pthread_cond_signal(&h->done);
    }
    unlock(h);
    return NULL;
}

void hasher_init(struct hasher *h, size_t out_len, bool threaded)
{
    *h = (struct hasher){.threaded = threaded};
    hash_init(&h->hash, out_len);
    if (!threaded)
        return;
    pthread_mutex_init(&h->lock, NULL);
    pthread_cond_init(&h->given, NULL);
    pthread_cond_init(&h->done, NULL);
    h->threaded = sys_thread_start(&h->thread, hasher_run, h) == 0;
    if (!h->threaded) {
        pthread_cond_destroy(&h->done);
        pthread_cond_destroy(&h->given);
        pthread_mutex_destroy(&h->lock);
    }
}

/* With the lock held. */
static void await_piece(struct hasher *h)
{
    while (h->p)
        pthread_cond_wait(&h->done, &h->lock);
}

void hasher_add(struct hasher *h, const void *p, size_t len)
{
    if (!h->threaded) {
        hash_add(&h->hash, p, len);
        return;
    }
    lock(h);
    await_piece(h);
    if (len > 0) {
        h->p = p;
        h->len = len;
        pthread_cond_signal(&h->given);
    }
    unlock(h);
}

void hasher_final(struct hasher *h, uint8_t *out)
{
    if (h->threaded) {
        lock(h);
        await_piece(h);
        unlock(h);
    }
    hash_final(&h->hash, out);
}

void hasher_release(struct hasher *h)
{
    if (!h->threaded)
        return;
    lock(h);
    h->stop = true;
    pthread_cond_signal(&h->given);
    unlock(h);
    pthread_join(h->thread, NULL);
    pthread_cond_destroy(&h->done);
    pthread_cond_destroy(&h->given);
    pthread_mutex_destroy(&h->lock);
    h->threaded = false;
}
