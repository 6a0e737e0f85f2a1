/* A hash on a thread of its own is the hash. */
#include "log/hasher.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <errno.h>
#include <string.h>

#include "log/sys.h"

#define PIECE 5000

/* Pieces of all lengths, from two buffers that take turns. */
static void check(bool threaded)
{
    static uint8_t buffers[2][PIECE];
    struct hasher h;
    struct hash want_hash;
    uint8_t got[32], want[32];
    hasher_init(&h, sizeof got, threaded);
    hash_init(&want_hash, sizeof want);
    for (size_t i = 0; i < 1000; i++) {
        uint8_t *p = buffers[i & 1];
        size_t len = i % 7 == 3 ? 0 : i * i * 31 % (PIECE + 1);
        memset(p, (int)i, len);
        hash_add(&want_hash, p, len);
        hasher_add(&h, p, len);
    }
    hash_final(&want_hash, want);
    hasher_final(&h, got);
    hasher_release(&h);
    assert_memory_equal(got, want, sizeof want);
}

static void with_a_thread(void **state)
{
    (void)state;
    check(true);
}

static void without(void **state)
{
    (void)state;
    check(false);
}

static int no_thread(pthread_t *thread, const pthread_attr_t *attr, void *(*run)(void *), void *arg)
{
    (void)thread;
    (void)attr;
    (void)run;
    (void)arg;
    return EAGAIN;
}

static void where_there_is_no_thread(void **state)
{
    (void)state;
    sys.thread_start = no_thread;
    check(true);
    sys_reset();
}

static void unfinished(void **state)
{
    (void)state;
    struct hasher h;
    hasher_init(&h, 32, true);
    hasher_release(&h);
    hasher_init(&h, 32, true);
    hasher_add(&h, "abc", 3);
    hasher_release(&h);
    assert_null(h.p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(with_a_thread),
        cmocka_unit_test(without),
        cmocka_unit_test(where_there_is_no_thread),
        cmocka_unit_test(unfinished),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
