/*
 * poster: sends HTTP requests of our own. The only user of libcurl, which is loaded for the first.
 *
 * One POST a call, http or https, never more than it says: no redirect is followed, no proxy of the
 * environment is asked, no cookie is kept, what the receiver answers is thrown away but for its
 * status, and cut where it is long. Names are looked up on threads of the library's, which take no
 * signal; everything else happens on the loop. Loop thread only.
 */
#ifndef HOOKS_POSTER_H
#define HOOKS_POSTER_H

#include "base/bytes.h"
#include "base/err.h"
#include "net/loop.h"

struct poster;

/* How it ended: an answer, which may be any, or none. */
enum post_end {
    POST_ANSWERED,
    POST_NO_NAME,    /* the host's name leads to no address */
    POST_NO_CONNECT, /* nobody takes connections there */
    POST_TIMEOUT,
    POST_TLS,    /* the certificate, or what comes before, is not good */
    POST_BROKEN, /* anything else: it was cut, or is no HTTP */
};

struct post_result {
    enum post_end end;
    int status;            /* of the answer, or 0 */
    int64_t retry_after_s; /* what the answer's one Retry-After says; -1: nothing */
    const char *why; /* with POST_TLS: the library's sentence, borrowed for the call; else "" */
};

/* What the library says of a failure, with its end. */
#define POST_WHY_MAX 256

/* One request, embedded in its owner's struct; zero before the first. */
struct post {
    /* Set before poster_send. Called once, from the loop, unless it is cancelled. */
    void (*done)(struct post *post, struct post_result result);

    /* The poster's own. */
    struct poster *poster; /* NULL: none is under way */
    void *easy, *fields;
    uint32_t received;
    char why[POST_WHY_MAX];
};

#define POST_FIELDS_MAX 8

struct post_request {
    const char *url;
    const char *fields[POST_FIELDS_MAX]; /* "name: value", until NULL */
    struct bytes body;                   /* stays where it is until the end */
    uint32_t timeout_ms;                 /* for the whole of it */
};

/* Certificates are checked against `authorities` (PEM, stays where it is), where it is empty
 * against those of the system. NULL where the library is not there, which the log says. */
struct poster *poster_new(struct loop *loop, struct bytes authorities);
/* What is under way is forgotten, without a call. */
void poster_free(struct poster *p);

/* Begins; `post` is not under way. False where the library takes nothing of the kind: then done is
 * not called. */
bool poster_send(struct poster *p, struct post *post,
                 const struct post_request *request) MUST_CHECK;

/* Ends it without a call; harmless where none is under way. */
void post_cancel(struct post *post);

#endif
