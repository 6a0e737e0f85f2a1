#include "unit.h"

#include "base/arena.h"

#define PIECES 400

/* Fills pieces of many sizes, each with its own byte, and looks whether any overlap. */
static void fill_and_check(struct arena *a, uint64_t seed)
{
    uint8_t *pieces[PIECES];
    size_t sizes[PIECES];
    for (size_t i = 0; i < PIECES; i++) {
        uint64_t r = unit_random(&seed);
        sizes[i] = (size_t)(r % 100 == 0 ? r / 100 % 200000 : r / 100 % 300);
        pieces[i] = arena_alloc(a, sizes[i]);
        assert_non_null(pieces[i]);
        assert_int_equal((uintptr_t)pieces[i] % 16, 0);
        memset(pieces[i], (int)i, sizes[i]);
    }
    for (size_t i = 0; i < PIECES; i++) {
        for (size_t at = 0; at < sizes[i]; at++)
            assert_int_equal(pieces[i][at], (uint8_t)i);
    }
}

static void test_pieces_are_aligned_and_apart(void **state)
{
    (void)state;
    struct arena a = {0};
    for (uint64_t seed = 1; seed <= 20; seed++) {
        fill_and_check(&a, seed);
        arena_reset(&a);
    }
    arena_release(&a);
    assert_null(a.block);
    arena_release(&a);
}

static void test_reset_keeps_a_block_for_the_next_time(void **state)
{
    (void)state;
    struct arena a = {0};
    void *first = arena_alloc(&a, 100);
    arena_reset(&a);
    assert_non_null(a.block);
    assert_ptr_equal(arena_alloc(&a, 100), first);
    arena_release(&a);
}

static void test_reset_keeps_no_large_block(void **state)
{
    (void)state;
    struct arena a = {0};
    arena_alloc(&a, 1 << 20);
    arena_reset(&a);
    assert_null(a.block);

    /* With both, the small one stays. */
    void *small = arena_alloc(&a, 16);
    arena_alloc(&a, 1 << 20);
    arena_reset(&a);
    assert_ptr_equal(arena_alloc(&a, 16), small);
    arena_release(&a);
}

static void test_a_large_piece_leaves_the_rest_of_the_block_in_use(void **state)
{
    (void)state;
    struct arena a = {0};
    uint8_t *before = arena_alloc(&a, 16);
    arena_alloc(&a, 1 << 20);
    assert_ptr_equal(arena_alloc(&a, 16), before + 16);
    arena_release(&a);
}

static void test_copy(void **state)
{
    (void)state;
    struct arena a = {0};
    char text[] = "hello";
    struct bytes copy = arena_copy(&a, bytes_of(text, 5));
    text[0] = 'j';
    unit_assert_bytes(copy, BYTES("hello"));
    assert_int_equal(arena_copy(&a, (struct bytes){0}).len, 0);
    arena_reset(&a);
    arena_release(&a);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_pieces_are_aligned_and_apart),
        cmocka_unit_test(test_reset_keeps_a_block_for_the_next_time),
        cmocka_unit_test(test_reset_keeps_no_large_block),
        cmocka_unit_test(test_a_large_piece_leaves_the_rest_of_the_block_in_use),
        cmocka_unit_test(test_copy),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
