#include "unit.h"

#include <signal.h>

#include "base/ensure.h"

/* The sanitizers end the process by themselves where memory is refused; ours is what is tested. */
const char *__asan_default_options(void);
const char *__asan_default_options(void)
{
    return "allocator_may_return_null=1";
}
const char *__tsan_default_options(void);
const char *__tsan_default_options(void)
{
    return "allocator_may_return_null=1";
}

static char out[4096];

static void break_contract(void)
{
    int two = 2;
    ENSURE(two + two == 5);
}

static void test_broken_contract_aborts_with_place_and_condition(void **state)
{
    (void)state;
    int status = unit_in_child(break_contract, out, sizeof out);
    assert_true(WIFSIGNALED(status));
    assert_int_equal(WTERMSIG(status), SIGABRT);
    assert_non_null(strstr(out, "two + two == 5"));
    assert_non_null(strstr(out, "test_ensure.c:"));
}

static void test_kept_contract_is_silent(void **state)
{
    (void)state;
    int looked = 0;
    ENSURE(++looked == 1);
    assert_int_equal(looked, 1);
}

static volatile unsigned long too_much = SIZE_MAX / 2;

static void malloc_too_much(void)
{
    free(xmalloc(too_much));
}

static void calloc_too_much(void)
{
    /* The product overflows. */
    free(xcalloc(too_much, 16));
}

static void realloc_too_much(void)
{
    free(xrealloc(xmalloc(1), too_much));
}

static void aligned_too_much(void)
{
    free(xaligned(64, too_much / 64 * 64));
}

static void test_out_of_memory_ends_the_process_with_a_message(void **state)
{
    (void)state;
    void (*const bodies[])(void) = {malloc_too_much, calloc_too_much, realloc_too_much,
                                    aligned_too_much};
    for (size_t i = 0; i < COUNT_OF(bodies); i++) {
        int status = unit_in_child(bodies[i], out, sizeof out);
        assert_true(WIFEXITED(status));
        assert_int_equal(WEXITSTATUS(status), EXIT_FAILURE);
        assert_non_null(strstr(out, "out of memory"));
    }
}

static void test_nothing_can_be_had_and_freed(void **state)
{
    (void)state;
    void *p = xmalloc(0);
    assert_non_null(p);
    p = xrealloc(p, 0);
    assert_non_null(p);
    free(p);
    p = xcalloc(0, 8);
    assert_non_null(p);
    free(p);
}

static void test_calloc_zeroes_and_realloc_keeps(void **state)
{
    (void)state;
    uint8_t *p = xcalloc(10, 10);
    for (int i = 0; i < 100; i++)
        assert_int_equal(p[i], 0);
    memset(p, 7, 100);
    p = xrealloc(p, 100000);
    for (int i = 0; i < 100; i++)
        assert_int_equal(p[i], 7);
    free(p);
    p = xaligned(256, 512);
    assert_int_equal((uintptr_t)p % 256, 0);
    free(p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_broken_contract_aborts_with_place_and_condition),
        cmocka_unit_test(test_kept_contract_is_silent),
        cmocka_unit_test(test_out_of_memory_ends_the_process_with_a_message),
        cmocka_unit_test(test_nothing_can_be_had_and_freed),
        cmocka_unit_test(test_calloc_zeroes_and_realloc_keeps),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
