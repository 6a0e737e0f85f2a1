#include "hooks/poster.h"

#include "base/clock.h"
#include "base/diag.h"
#include "base/ensure.h"
#include "hooks/retry_after.h"

#include <curl/curl.h>
#include <dlfcn.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>

/* Of an answer: more is not read. */
#define RECEIVED_MAX (64u << 10)

/* ---- the library -----------------------------------------------------------------------------
 */

/* It is loaded for the first hook: with the thirty libraries that it needs in turn, which most
 * servers would carry for nothing. */
#define LIBRARY "libcurl.so.4"

#define FUNCTIONS(F)                                                                               \
    F(easy_init)                                                                                   \
    F(easy_cleanup)                                                                                \
    F(easy_setopt)                                                                                 \
    F(easy_getinfo)                                                                                \
    F(easy_header)                                                                                 \
    F(global_init)                                                                                 \
    F(global_cleanup)                                                                              \
    F(multi_add_handle)                                                                            \
    F(multi_assign)                                                                                \
    F(multi_cleanup)                                                                               \
    F(multi_info_read)                                                                             \
    F(multi_init)                                                                                  \
    F(multi_remove_handle)                                                                         \
    F(multi_setopt)                                                                                \
    F(multi_socket_action)                                                                         \
    F(slist_append)                                                                                \
    F(slist_free_all)

static struct {
#define FUNCTION(name) __typeof__(curl_##name) *name;
    FUNCTIONS(FUNCTION)
#undef FUNCTION
} curl;

static bool find_function(void *library, const char *name, void *to)
{
    void *function = dlsym(library, name);

    memcpy(to, &function, sizeof function);
    return function != NULL;
}

/* Stays loaded. */
static bool load_library(void)
{
    static bool is_loaded;
    void *library = is_loaded ? NULL : dlopen(LIBRARY, RTLD_NOW | RTLD_LOCAL);

    if (is_loaded)
        return true;
    is_loaded = library != NULL;
#define FUNCTION(name) is_loaded = is_loaded && find_function(library, "curl_" #name, &curl.name);
    FUNCTIONS(FUNCTION)
#undef FUNCTION
    if (!is_loaded)
        diag_error("hooks wait, since " LIBRARY " is not there: install libcurl4, and restart");
    return is_loaded;
}

struct poster {
    struct loop_timer timer; /* first: the loop hands it back */
    struct loop *loop;
    CURLM *multi;
    struct bytes authorities;
};

/* What the loop watches for the library. */
struct watch {
    struct loop_io io; /* first: the loop hands it back */
    struct poster *poster;
    curl_socket_t fd;
};

/* ---- threads of the library's ----------------------------------------------------------------
 */

/* They look names up, and are born in any call; a signal is the loop thread's. */
static sigset_t block_signals(void)
{
    sigset_t all, before;

    sigfillset(&all);
    ENSURE(pthread_sigmask(SIG_BLOCK, &all, &before) == 0);
    return before;
}

static void restore_signals(const sigset_t *before)
{
    ENSURE(pthread_sigmask(SIG_SETMASK, before, NULL) == 0);
}

/* ---- what has ended --------------------------------------------------------------------------
 */

/* Of which kind a failure is. More than is wanted of an answer is an answer all the same. */
static enum post_end end_of(CURLcode code, int status)
{
    switch ((int)code) {
    case CURLE_OK:
        return POST_ANSWERED;
    case CURLE_WRITE_ERROR:
        return status > 0 ? POST_ANSWERED : POST_BROKEN;
    case CURLE_COULDNT_RESOLVE_HOST:
        return POST_NO_NAME;
    case CURLE_COULDNT_CONNECT:
        return POST_NO_CONNECT;
    case CURLE_OPERATION_TIMEDOUT:
        return POST_TIMEOUT;
    case CURLE_SSL_CONNECT_ERROR:
    case CURLE_PEER_FAILED_VERIFICATION:
    case CURLE_SSL_CACERT_BADFILE:
    case CURLE_SSL_CERTPROBLEM:
    case CURLE_SSL_CIPHER:
    case CURLE_SSL_ISSUER_ERROR:
    case CURLE_SSL_INVALIDCERTSTATUS:
        return POST_TLS;
    default:
        return POST_BROKEN;
    }
}

/* Gives back what poster_send took; signals are blocked. */
static void release(struct post *post)
{
    ENSURE(curl.multi_remove_handle(post->poster->multi, post->easy) == CURLM_OK);
    curl.easy_cleanup(post->easy);
    curl.slist_free_all(post->fields);
    post->easy = post->fields = NULL;
    post->poster = NULL;
}

/* Two of them contradict each other, or one is enough. */
static int64_t retry_after_of(CURL *easy)
{
    struct curl_header *field;
    int64_t seconds;

    if (curl.easy_header(easy, "Retry-After", 0, CURLH_HEADER, -1, &field) != CURLHE_OK ||
        field->amount != 1 ||
        !retry_after_read(bytes_cstr(field->value), clock_wall_ms() / 1000, &seconds))
        return -1;
    return seconds;
}

static void finish(struct post *post, CURLcode code)
{
    long status = 0;
    sigset_t before = block_signals();

    (void)curl.easy_getinfo(post->easy, CURLINFO_RESPONSE_CODE, &status);
    struct post_result result = {
        .end = end_of(code, (int)status), .status = (int)status, .why = ""};
    result.retry_after_s = result.end == POST_ANSWERED ? retry_after_of(post->easy) : -1;
    release(post);
    restore_signals(&before);
    if (result.end == POST_TLS)
        result.why = post->why;
    post->done(post, result);
}

/* One after the other: each may lead to another call of the library. */
static void finish_all(struct poster *p)
{
    CURLMsg *message;
    int left;

    while ((message = curl.multi_info_read(p->multi, &left)) != NULL) {
        struct post *post = NULL;
        CURLcode code = message->data.result;
        if (message->msg != CURLMSG_DONE)
            continue;
        ENSURE(curl.easy_getinfo(message->easy_handle, CURLINFO_PRIVATE, (char **)&post) ==
               CURLE_OK);
        finish(post, code);
    }
}

/* ---- the loop --------------------------------------------------------------------------------
 */

static void act(struct poster *p, curl_socket_t fd, int events)
{
    int running;
    sigset_t before = block_signals();

    ENSURE(curl.multi_socket_action(p->multi, fd, events, &running) == CURLM_OK);
    restore_signals(&before);
    finish_all(p);
}

static void on_socket(void *ctx, int events)
{
    const struct watch *w = ctx;

    act(w->poster, w->fd,
        (events & LOOP_READ ? CURL_CSELECT_IN : 0) | (events & LOOP_WRITE ? CURL_CSELECT_OUT : 0));
}

static void on_timer(void *ctx)
{
    act(ctx, CURL_SOCKET_TIMEOUT, 0);
}

/* The library wants a socket to be watched, or no more. */
static int watch_socket(CURL *easy, curl_socket_t fd, int what, void *ctx, void *known)
{
    struct poster *p = ctx;
    struct watch *w = known;
    int events = (what == CURL_POLL_IN || what == CURL_POLL_INOUT ? LOOP_READ : 0) |
                 (what == CURL_POLL_OUT || what == CURL_POLL_INOUT ? LOOP_WRITE : 0);

    (void)easy;
    if (what == CURL_POLL_REMOVE) {
        if (w != NULL)
            loop_io_stop(p->loop, &w->io);
        free(w);
        return 0;
    }
    if (w == NULL) {
        w = xcalloc(1, sizeof *w);
        w->poster = p;
        w->fd = fd;
        loop_io_start(p->loop, &w->io, fd, events, on_socket);
        (void)curl.multi_assign(p->multi, fd, w);
    } else {
        loop_io_set(p->loop, &w->io, events);
    }
    return 0;
}

/* One millisecond more than it wants: a timer that came a little early would be forgotten. */
static int set_timer(CURLM *multi, long ms, void *ctx)
{
    struct poster *p = ctx;

    (void)multi;
    if (ms < 0)
        loop_timer_stop(p->loop, &p->timer);
    else
        loop_timer_start(p->loop, &p->timer, ms > 0 ? (uint32_t)ms + 1 : 0, on_timer);
    return 0;
}

/* ---- requests --------------------------------------------------------------------------------
 */

/* Throws away what the receiver says, the head as the body. */
static size_t receive(char *data, size_t size, size_t count, void *ctx)
{
    struct post *post = ctx;

    (void)data;
    if (size * count > RECEIVED_MAX - post->received)
        return 0;
    post->received += (uint32_t)(size * count);
    return size * count;
}

#define SET(option, value) (curl.easy_setopt(easy, option, value) == CURLE_OK)
/* Whose certificates are good: those of the system without a word. These are a file of some
 * hundred, which takes tens of milliseconds to read; the library keeps what it has read for a day,
 * but only where it is not asked to look in a directory too. */
static bool set_authorities(CURL *easy, struct bytes authorities)
{
    struct curl_blob blob = {(void *)(uintptr_t)authorities.p, authorities.len, CURL_BLOB_NOCOPY};

    return SET(CURLOPT_CAPATH, NULL) && (authorities.len == 0 || SET(CURLOPT_CAINFO_BLOB, &blob));
}

static bool set_up(CURL *easy, struct post *post, const struct post_request *r)
{
    return SET(CURLOPT_PRIVATE, post) && SET(CURLOPT_URL, r->url) &&
           SET(CURLOPT_PROTOCOLS_STR, "http,https") && SET(CURLOPT_FOLLOWLOCATION, 0L) &&
           SET(CURLOPT_PROXY, "") && SET(CURLOPT_NETRC, (long)CURL_NETRC_IGNORED) &&
           SET(CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1) && SET(CURLOPT_NOSIGNAL, 1L) &&
           /* Whoever ends does not wait for a name that is being looked up. */
           SET(CURLOPT_QUICK_EXIT, 1L) && SET(CURLOPT_TIMEOUT_MS, (long)r->timeout_ms) &&
           SET(CURLOPT_CONNECTTIMEOUT_MS, (long)r->timeout_ms) && SET(CURLOPT_POST, 1L) &&
           SET(CURLOPT_POSTFIELDS, r->body.p) &&
           SET(CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)r->body.len) &&
           SET(CURLOPT_HTTPHEADER, post->fields) && SET(CURLOPT_WRITEFUNCTION, receive) &&
           SET(CURLOPT_WRITEDATA, post) && SET(CURLOPT_HEADERFUNCTION, receive) &&
           SET(CURLOPT_HEADERDATA, post) && SET(CURLOPT_ERRORBUFFER, post->why);
}
#undef SET

bool poster_send(struct poster *p, struct post *post, const struct post_request *r)
{
    struct curl_slist *fields = curl.slist_append(NULL, "expect:");
    CURL *easy = curl.easy_init();

    ENSURE(post->poster == NULL && easy != NULL);
    for (int i = 0; i < POST_FIELDS_MAX && r->fields[i] != NULL; i++)
        fields = curl.slist_append(fields, r->fields[i]);
    ENSURE(fields != NULL);
    post->easy = easy;
    post->fields = fields;
    post->received = 0;
    post->why[0] = '\0';
    sigset_t before = block_signals();
    bool fine = set_up(easy, post, r) && set_authorities(easy, p->authorities) &&
                curl.multi_add_handle(p->multi, easy) == CURLM_OK;
    if (fine) {
        post->poster = p;
    } else {
        curl.easy_cleanup(easy);
        curl.slist_free_all(fields);
        post->easy = post->fields = NULL;
    }
    restore_signals(&before);
    return fine;
}

void post_cancel(struct post *post)
{
    if (post->poster == NULL)
        return;
    sigset_t before = block_signals();
    release(post);
    restore_signals(&before);
}

struct poster *poster_new(struct loop *loop, struct bytes authorities)
{
    if (!load_library())
        return NULL;
    struct poster *p = xcalloc(1, sizeof *p);
    ENSURE(curl.global_init(CURL_GLOBAL_DEFAULT) == CURLE_OK);
    p->loop = loop;
    p->authorities = authorities;
    p->multi = curl.multi_init();
    ENSURE(p->multi != NULL);
#define SET(option, value) ENSURE(curl.multi_setopt(p->multi, option, value) == CURLM_OK)
    SET(CURLMOPT_SOCKETFUNCTION, watch_socket);
    SET(CURLMOPT_SOCKETDATA, p);
    SET(CURLMOPT_TIMERFUNCTION, set_timer);
    SET(CURLMOPT_TIMERDATA, p);
#undef SET
    return p;
}

void poster_free(struct poster *p)
{
    if (p == NULL)
        return;
    sigset_t before = block_signals();
    (void)curl.multi_cleanup(p->multi);
    restore_signals(&before);
    loop_timer_stop(p->loop, &p->timer);
    curl.global_cleanup();
    free(p);
}
