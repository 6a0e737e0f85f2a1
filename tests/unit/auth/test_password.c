#include "auth/password.h"

#include <dirent.h>
#include <dlfcn.h>
#include <poll.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "tests/await.h"

/* Stands in front of the library's Argon2id and counts the checks; new hashes are made by another
 * function. A worker is done with this when its answer is there. */
static pthread_mutex_t checked_mutex = PTHREAD_MUTEX_INITIALIZER;
static unsigned checked;
static unsigned long long last_passes;
static size_t last_memory;

int crypto_pwhash_argon2id(unsigned char *out, unsigned long long out_len, const char *password,
                           unsigned long long len, const unsigned char *salt,
                           unsigned long long passes, size_t memory, int algorithm);

int crypto_pwhash_argon2id(unsigned char *out, unsigned long long out_len, const char *password,
                           unsigned long long len, const unsigned char *salt,
                           unsigned long long passes, size_t memory, int algorithm)
{
    typedef int (*hash_fn)(unsigned char *, unsigned long long, const char *, unsigned long long,
                           const unsigned char *, unsigned long long, size_t, int);
    hash_fn next = (hash_fn)dlsym(RTLD_NEXT, "crypto_pwhash_argon2id");

    assert_int_equal(pthread_mutex_lock(&checked_mutex), 0);
    checked++;
    last_passes = passes;
    last_memory = memory;
    assert_int_equal(pthread_mutex_unlock(&checked_mutex), 0);
    return next(out, out_len, password, len, salt, passes, memory, algorithm);
}

/* What done has told. */
struct answer {
    struct password_result result;
    unsigned calls;
};

static void on_done(void *arg, const struct password_result *result)
{
    struct answer *answer = arg;

    answer->result = *result;
    answer->calls++;
}

static void turn(struct password_pool *pool)
{
    AWAIT_READABLE(password_fd(pool));
    password_dispatch(pool);
}

/* Dispatches until `answer` has been called `calls` times. */
static void wait_for(struct password_pool *pool, const struct answer *answer, unsigned calls)
{
    AWAIT_BY(turn(pool), answer->calls >= calls);
    assert_int_equal(answer->calls, calls);
}

static struct password_result hash(struct password_pool *pool, struct bytes password)
{
    struct answer answer = {0};

    assert_int_equal(password_hash(pool, password, on_done, &answer), ERR_ok);
    wait_for(pool, &answer, 1);
    return answer.result;
}

static enum err verify(struct password_pool *pool, struct bytes encoded, struct bytes password)
{
    struct answer answer = {0};

    assert_int_equal(password_verify(pool, encoded, password, on_done, &answer), ERR_ok);
    wait_for(pool, &answer, 1);
    return answer.result.err;
}

static void test_hash_then_verify(void **state)
{
    (void)state;
    struct password_pool *pool = password_pool_new(PASSWORD_COST_MIN, 2, 4);
    struct password_result made = hash(pool, BYTES("0000"));

    assert_int_equal(made.err, ERR_ok);
    assert_memory_equal(made.encoded, "$argon2id$", 10);
    struct bytes encoded = bytes_cstr(made.encoded);
    assert_int_equal(verify(pool, encoded, BYTES("0000")), ERR_ok);
    assert_int_equal(verify(pool, encoded, BYTES("0001")), ERR_bad_credentials);
    assert_int_equal(verify(pool, encoded, BYTES("000")), ERR_bad_credentials);
    assert_int_equal(verify(pool, encoded, BYTES("")), ERR_bad_credentials);

    /* Salted: the same password has another hash each time. */
    struct password_result again = hash(pool, BYTES("0000"));
    assert_string_not_equal(made.encoded, again.encoded);
    password_pool_free(pool);
}

static void test_passwords_are_bytes(void **state)
{
    (void)state;
    struct password_pool *pool = password_pool_new(PASSWORD_COST_MIN, 1, 4);
    struct password_result with_nul = hash(pool, BYTES("a\0b"));
    struct password_result empty = hash(pool, (struct bytes){NULL, 0});

    assert_int_equal(verify(pool, bytes_cstr(with_nul.encoded), BYTES("a\0b")), ERR_ok);
    assert_int_equal(verify(pool, bytes_cstr(with_nul.encoded), BYTES("a\0c")),
                     ERR_bad_credentials);
    assert_int_equal(verify(pool, bytes_cstr(with_nul.encoded), BYTES("a")), ERR_bad_credentials);
    assert_int_equal(verify(pool, bytes_cstr(empty.encoded), BYTES("")), ERR_ok);
    assert_int_equal(verify(pool, bytes_cstr(empty.encoded), BYTES("x")), ERR_bad_credentials);
    password_pool_free(pool);
}

/* The caller may forget its copies as soon as the call returns. */
static void test_arguments_are_copied(void **state)
{
    (void)state;
    struct password_pool *pool = password_pool_new(PASSWORD_COST_MIN, 1, 4);
    struct password_result made = hash(pool, BYTES("secret"));
    struct answer answer = {0};
    char password[] = "secret";

    struct bytes encoded = bytes_cstr(made.encoded);
    assert_int_equal(password_verify(pool, encoded, bytes_cstr(password), on_done, &answer),
                     ERR_ok);
    memset(password, 'x', sizeof password - 1);
    memset(made.encoded, 'x', sizeof made.encoded);
    wait_for(pool, &answer, 1);
    assert_int_equal(answer.result.err, ERR_ok);
    password_pool_free(pool);
}

static void test_nobody(void **state)
{
    (void)state;
    /* Many workers, so that some of them need the decoy while another is making it. */
    struct password_pool *pool = password_pool_new(PASSWORD_COST_MIN, 16, 64);
    struct answer answers[64] = {0};

    for (int i = 0; i < 64; i++)
        assert_int_equal(
            password_verify(pool, (struct bytes){NULL, 0}, BYTES("0000"), on_done, &answers[i]),
            ERR_ok);
    for (int i = 0; i < 64; i++) {
        wait_for(pool, &answers[i], 1);
        assert_int_equal(answers[i].result.err, ERR_bad_credentials);
    }
    assert_int_equal(verify(pool, (struct bytes){NULL, 0}, BYTES("")), ERR_bad_credentials);
    password_pool_free(pool);
}

/* Whoever it is, one check at the pool's cost: no more, no less, whether there is such a user, and
 * whether the password is right. Counted, not timed. */
static void test_the_same_work_for_nobody(void **state)
{
    (void)state;
    struct password_pool *pool = password_pool_new(PASSWORD_COST_MIN, 1, 4);
    struct password_result made = hash(pool, BYTES("0000"));
    const struct bytes encoded[] = {bytes_cstr(made.encoded), {NULL, 0}, BYTES("")};
    const struct bytes passwords[] = {BYTES("0000"), BYTES("0001"), BYTES("")};

    for (size_t i = 0; i < sizeof encoded / sizeof encoded[0]; i++) {
        for (size_t k = 0; k < sizeof passwords / sizeof passwords[0]; k++) {
            unsigned before = checked;
            enum err expected = i == 0 && k == 0 ? ERR_ok : ERR_bad_credentials;
            assert_int_equal(verify(pool, encoded[i], passwords[k]), expected);
            assert_int_equal(checked, before + 1);
            assert_int_equal(last_passes, CRYPTO_PASSWORD_PASSES_MIN);
            assert_int_equal(last_memory, CRYPTO_PASSWORD_MEMORY_MIN);
        }
    }
    password_pool_free(pool);
}

static void test_what_is_no_hash(void **state)
{
    (void)state;
    struct password_pool *pool = password_pool_new(PASSWORD_COST_MIN, 1, 4);
    struct password_result made = hash(pool, BYTES("0000"));
    char longer[CRYPTO_PASSWORD_LEN + 1];

    assert_int_equal(verify(pool, BYTES("0000"), BYTES("0000")), ERR_bad_credentials);
    assert_int_equal(verify(pool, BYTES("$argon2id$"), BYTES("0000")), ERR_bad_credentials);
    /* With its NUL, cut short by one, and too long by one. */
    size_t len = strlen(made.encoded);
    assert_int_equal(verify(pool, bytes_of(made.encoded, len + 1), BYTES("0000")),
                     ERR_bad_credentials);
    assert_int_equal(verify(pool, bytes_of(made.encoded, len - 1), BYTES("0000")),
                     ERR_bad_credentials);
    memset(longer, '$', sizeof longer);
    memcpy(longer, made.encoded, len);
    assert_int_equal(verify(pool, bytes_of(longer, sizeof longer), BYTES("0000")),
                     ERR_bad_credentials);
    assert_int_equal(verify(pool, bytes_of(longer, sizeof longer - 1), BYTES("0000")),
                     ERR_bad_credentials);
    password_pool_free(pool);
}

/* The cost is in the hash: a pool of one cost checks what another has made. */
static void test_cost_of_the_hash_counts(void **state)
{
    (void)state;
    struct password_pool *pool = password_pool_new(PASSWORD_COST_MIN, 1, 4);
    char encoded[CRYPTO_PASSWORD_LEN];

    assert_true(crypto_password_hash(BYTES("0000"), 3, 65536, encoded));
    assert_int_equal(verify(pool, bytes_cstr(encoded), BYTES("0000")), ERR_ok);
    assert_int_equal(verify(pool, bytes_cstr(encoded), BYTES("1111")), ERR_bad_credentials);
    password_pool_free(pool);

    static const struct {
        enum password_cost cost;
        const char *parameters;
    } costs[] = {
        {PASSWORD_COST_MIN, "$argon2id$v=19$m=8,t=1,p=1$"},
        {PASSWORD_COST_NORMAL, "$argon2id$v=19$m=19456,t=2,p=1$"},
        {PASSWORD_COST_HIGH, "$argon2id$v=19$m=65536,t=3,p=1$"},
    };
    for (size_t i = 0; i < sizeof costs / sizeof costs[0]; i++) {
        pool = password_pool_new(costs[i].cost, 1, 4);
        struct password_result made = hash(pool, BYTES("0000"));
        assert_memory_equal(made.encoded, costs[i].parameters, strlen(costs[i].parameters));
        assert_int_equal(verify(pool, bytes_cstr(encoded), BYTES("0000")), ERR_ok);
        password_pool_free(pool);
    }
}

/* A job counts until its done was called, so the bound does not depend on how fast workers are. */
static void test_queue_is_bounded(void **state)
{
    (void)state;
    struct password_pool *pool = password_pool_new(PASSWORD_COST_MIN, 2, 3);
    struct answer answer = {0};

    for (int round = 1; round <= 3; round++) {
        for (int i = 0; i < 5; i++)
            assert_int_equal(password_hash(pool, BYTES("0000"), on_done, &answer), ERR_ok);
        assert_int_equal(password_hash(pool, BYTES("0000"), on_done, &answer), ERR_busy);
        assert_int_equal(password_verify(pool, BYTES(""), BYTES("0000"), on_done, &answer),
                         ERR_busy);
        wait_for(pool, &answer, 5 * round);
    }
    password_pool_free(pool);
}

struct chain {
    struct password_pool *pool;
    struct answer answer;
    unsigned left;
};

static void on_chain(void *arg, const struct password_result *result)
{
    struct chain *chain = arg;

    on_done(&chain->answer, result);
    if (--chain->left > 0)
        assert_int_equal(password_hash(chain->pool, BYTES("next"), on_chain, chain), ERR_ok);
}

static void test_done_may_queue_more(void **state)
{
    (void)state;
    /* One job at a time: the place of the finished one must be free inside its done. */
    struct password_pool *pool = password_pool_new(PASSWORD_COST_MIN, 1, 0);
    struct chain chain = {.pool = pool, .left = 10};

    assert_int_equal(password_hash(pool, BYTES("first"), on_chain, &chain), ERR_ok);
    wait_for(pool, &chain.answer, 10);
    password_pool_free(pool);
}

static void test_free_drops_what_waits(void **state)
{
    (void)state;
    struct answer answer = {0};

    for (unsigned threads = 1; threads <= 3; threads++) {
        struct password_pool *pool = password_pool_new(PASSWORD_COST_MIN, threads, 100);
        for (int i = 0; i < 100; i++)
            assert_int_equal(password_hash(pool, BYTES("0000"), on_done, &answer), ERR_ok);
        password_pool_free(pool);
    }
    assert_int_equal(answer.calls, 0);
    password_pool_free(NULL);
}

static void test_dispatch_without_work(void **state)
{
    (void)state;
    struct password_pool *pool = password_pool_new(PASSWORD_COST_MIN, 1, 4);
    struct pollfd p = {.fd = password_fd(pool), .events = POLLIN};

    password_dispatch(pool);
    assert_int_equal(hash(pool, BYTES("0000")).err, ERR_ok);
    assert_int_equal(poll(&p, 1, 0), 0);
    password_dispatch(pool);
    password_pool_free(pool);
}

/*
 * The blocked signals of a thread, from /proc; false where the thread is no worker, or has ended. A
 * thread that was joined may still be listed for a moment.
 */
static bool worker_mask(const char *task, unsigned long long *mask)
{
    char path[300];
    char line[256];
    bool worker = false;

    (void)snprintf(path, sizeof path, "/proc/self/task/%s/status", task);
    FILE *f = fopen(path, "r");
    if (f == NULL)
        return false;
    while (fgets(line, sizeof line, f) != NULL) {
        if (strcmp(line, "Name:\tpassword\n") == 0)
            worker = true;
        (void)sscanf(line, "SigBlk: %llx", mask);
    }
    (void)fclose(f);
    return worker;
}

/* How many threads of the process are workers, and the signals that all of them block. */
static unsigned count_workers(unsigned long long *blocked)
{
    unsigned workers = 0;

    *blocked = ~0ULL;
    DIR *tasks = opendir("/proc/self/task");
    assert_non_null(tasks);
    for (struct dirent *e = readdir(tasks); e != NULL; e = readdir(tasks)) {
        unsigned long long mask = 0;
        if (e->d_name[0] == '.' || !worker_mask(e->d_name, &mask))
            continue;
        workers++;
        *blocked &= mask;
    }
    (void)closedir(tasks);
    return workers;
}

static void test_workers_block_signals(void **state)
{
    (void)state;
    sigset_t before;
    sigset_t after;
    unsigned long long blocked = 0;

    /* Those of the tests before are joined, but the kernel may not have buried them yet. */
    AWAIT(count_workers(&blocked) == 0);
    assert_int_equal(pthread_sigmask(SIG_SETMASK, NULL, &before), 0);
    struct password_pool *pool = password_pool_new(PASSWORD_COST_MIN, 3, 4);
    assert_int_equal(pthread_sigmask(SIG_SETMASK, NULL, &after), 0);
    for (int s = 1; s < 32; s++)
        assert_int_equal(sigismember(&before, s), sigismember(&after, s));

    assert_int_equal(count_workers(&blocked), 3);
    for (int s = 1; s < 32; s++)
        if (s != SIGKILL && s != SIGSTOP)
            assert_true((blocked >> (s - 1) & 1) == 1);
    password_pool_free(pool);
}

int main(void)
{
    crypto_init();
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_hash_then_verify),
        cmocka_unit_test(test_passwords_are_bytes),
        cmocka_unit_test(test_arguments_are_copied),
        cmocka_unit_test(test_nobody),
        cmocka_unit_test(test_the_same_work_for_nobody),
        cmocka_unit_test(test_what_is_no_hash),
        cmocka_unit_test(test_cost_of_the_hash_counts),
        cmocka_unit_test(test_queue_is_bounded),
        cmocka_unit_test(test_done_may_queue_more),
        cmocka_unit_test(test_free_drops_what_waits),
        cmocka_unit_test(test_dispatch_without_work),
        cmocka_unit_test(test_workers_block_signals),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
