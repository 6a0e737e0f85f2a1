#include "unit.h"

#include "base/vec.h"

/* Pointers that say which one they are; never followed. */
static void *nth(uint32_t i)
{
    return (void *)((uintptr_t)i * 16 + 16);
}

static void test_zero_is_empty(void **state)
{
    (void)state;
    struct vec v = {0};
    assert_int_equal(v.count, 0);
    vec_release(&v);
    vec_release(&v);
    assert_null(v.chunks);
}

/* Over the doublings of the first chunk, then of the directory of chunks. */
static void test_push(void **state)
{
    enum { COUNT = 9 * VEC_CHUNK + 3 };
    (void)state;
    struct vec v = {0};
    for (uint32_t i = 0; i < COUNT; i++) {
        vec_push(&v, nth(i));
        assert_int_equal(v.count, i + 1);
        assert_ptr_equal(vec_at(&v, i), nth(i));
        if (i % 61 == 0 || i % VEC_CHUNK < 2) {
            for (uint32_t k = 0; k <= i; k++)
                assert_ptr_equal(vec_at(&v, k), nth(k));
        }
    }
    assert_int_equal(v.chunk_count, 10);
    vec_release(&v);
    assert_int_equal(v.count, 0);
    vec_push(&v, nth(7));
    assert_ptr_equal(vec_at(&v, 0), nth(7));
    vec_release(&v);
}

static void test_short_one_is_small(void **state)
{
    (void)state;
    struct vec v = {0};
    vec_push(&v, nth(1));
    assert_int_equal(v.first_cap, 3);
    for (uint32_t i = 1; i < 4; i++)
        vec_push(&v, nth(1));
    assert_int_equal(v.first_cap, 7);
    /* What stands empty stays below a quarter. */
    while (v.count < VEC_CHUNK) {
        vec_push(&v, nth(1));
        assert_true(v.first_cap <= v.count + (v.count / 4 > 4 ? v.count / 4 : 4));
    }
    assert_int_equal(v.first_cap, VEC_CHUNK);
    vec_release(&v);
}

static void test_set(void **state)
{
    (void)state;
    struct vec v = {0};
    for (uint32_t i = 0; i < 2 * VEC_CHUNK; i++)
        vec_push(&v, nth(0));
    for (uint32_t i = 0; i < 2 * VEC_CHUNK; i += 3)
        vec_set(&v, i, nth(i));
    for (uint32_t i = 0; i < 2 * VEC_CHUNK; i++)
        assert_ptr_equal(vec_at(&v, i), i % 3 == 0 ? nth(i) : nth(0));
    vec_release(&v);
}

/* Down and up again, over the edges of chunks: what popping keeps is used again. */
static void test_pop(void **state)
{
    (void)state;
    struct vec v = {0};
    uint64_t random = 3;
    uint32_t count = 0;
    for (int i = 0; i < 400; i++) {
        uint32_t to = (uint32_t)(unit_random(&random) % (4 * VEC_CHUNK));
        for (; count < to; count++)
            vec_push(&v, nth(count));
        for (; count > to; count--)
            assert_ptr_equal(vec_pop(&v), nth(count - 1));
        assert_int_equal(v.count, count);
    }
    assert_true(v.chunk_count <= 4);
    while (count > 0)
        assert_ptr_equal(vec_pop(&v), nth(--count));
    assert_int_equal(v.count, 0);
    vec_release(&v);
}

/* What is dropped takes its chunks with it; the others stay at their places, and more come. */
static void test_drop(void **state)
{
    (void)state;
    for (uint32_t step = 1; step < 2000; step = step * 3 + 1) {
        struct vec v = {0};
        uint32_t gone = 0;
        for (uint32_t i = 0; i < 5 * VEC_CHUNK; i++) {
            vec_push(&v, nth(i));
            if (i % step != step - 1)
                continue;
            uint32_t to = v.count - v.count % 3;
            if (to > gone)
                vec_drop(&v, gone, to);
            gone = to > gone ? to : gone;
            for (uint32_t k = gone; k < v.count; k++)
                assert_ptr_equal(vec_at(&v, k), nth(k));
        }
        vec_release(&v);
    }
}

static void test_skip(void **state)
{
    static const uint32_t counts[] = {0,
                                      1,
                                      VEC_CHUNK - 1,
                                      VEC_CHUNK,
                                      VEC_CHUNK + 1,
                                      3 * VEC_CHUNK,
                                      4 * VEC_CHUNK,
                                      5 * VEC_CHUNK + 7,
                                      1000 * VEC_CHUNK};
    (void)state;
    for (size_t n = 0; n < sizeof counts / sizeof counts[0]; n++) {
        struct vec v = {0};
        vec_skip(&v, counts[n]);
        assert_int_equal(v.count, counts[n]);
        for (uint32_t i = 0; i < 3 * VEC_CHUNK; i++)
            vec_push(&v, nth(i));
        for (uint32_t i = 0; i < 3 * VEC_CHUNK; i++)
            assert_ptr_equal(vec_at(&v, counts[n] + i), nth(i));
        vec_drop(&v, counts[n], counts[n] + 2 * VEC_CHUNK);
        assert_ptr_equal(vec_at(&v, counts[n] + 2 * VEC_CHUNK), nth(2 * VEC_CHUNK));
        vec_release(&v);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_zero_is_empty),
        cmocka_unit_test(test_push),
        cmocka_unit_test(test_short_one_is_small),
        cmocka_unit_test(test_set),
        cmocka_unit_test(test_pop),
        cmocka_unit_test(test_drop),
        cmocka_unit_test(test_skip),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
