/*
 * hasher: a running hash that a thread of its own computes, so that who reads can go on with what
 * was read. Private to log/.
 *
 * One piece is in the works at a time: hasher_add waits for the one before. So two buffers that
 * take turns are enough.
 */
#ifndef LOG_HASHER_H
#define LOG_HASHER_H

#include <pthread.h>

#include "base/hash.h"

struct hasher {
    struct hash hash; /* the thread's, while it has a piece */
    bool threaded;
    pthread_t thread;
    pthread_mutex_t lock;
    pthread_cond_t given;
    pthread_cond_t done;
    const void *p; /* under the lock, as the next two: the piece; NULL: none */
    size_t len;
    bool stop;
};

/* Where `threaded` is false, or no thread is to be had, hasher_add does the work. */
void hasher_init(struct hasher *h, size_t out_len, bool threaded);
/* The bytes stay as they are until the next hasher_add but one returns, or hasher_final. */
void hasher_add(struct hasher *h, const void *p, size_t len);
/* Writes the hash; before hasher_release. */
void hasher_final(struct hasher *h, uint8_t *out);
/* Ends the thread. Once, whether or not the hash was finished. */
void hasher_release(struct hasher *h);

#endif
