#include "unit.h"

#include "base/block.h"

#include <stdio.h>
#include <unistd.h>

#define COUNT 300

static size_t resident(void)
{
    unsigned long all, pages = 0;
    FILE *f = fopen("/proc/self/statm", "r");
    assert_non_null(f);
    assert_int_equal(fscanf(f, "%lu %lu", &all, &pages), 2);
    fclose(f);
    return pages * (size_t)sysconf(_SC_PAGESIZE);
}

static void assert_zeros(const uint8_t *block)
{
    for (size_t i = 0; i < BLOCK_BYTES; i++)
        assert_int_equal(block[i], 0);
}

static void test_blocks_are_zero_aligned_and_apart(void **state)
{
    uint8_t *blocks[COUNT];

    (void)state;
    for (size_t i = 0; i < COUNT; i++) {
        blocks[i] = block_get();
        assert_int_equal((uintptr_t)blocks[i] % BLOCK_BYTES, 0);
        assert_zeros(blocks[i]);
        memset(blocks[i], (int)(i % 255) + 1, BLOCK_BYTES);
    }
    for (size_t i = 0; i < COUNT; i++) {
        for (size_t at = 0; at < BLOCK_BYTES; at += 97)
            assert_int_equal(blocks[i][at], i % 255 + 1);
    }
    for (size_t i = 0; i < COUNT; i++)
        block_put(blocks[i]);
    for (size_t i = 0; i < COUNT; i++) {
        blocks[i] = block_get();
        assert_zeros(blocks[i]);
    }
    for (size_t i = 0; i < COUNT; i++)
        block_put(blocks[i]);
}

/* Every second one goes, so that malloc could give nothing back. */
static void test_what_is_put_is_the_systems(void **state)
{
    uint8_t *blocks[COUNT];

    (void)state;
    for (size_t i = 0; i < COUNT; i++) {
        blocks[i] = block_get();
        memset(blocks[i], 1, BLOCK_BYTES);
    }
    size_t full = resident();
    for (size_t i = 0; i < COUNT; i += 2)
        block_put(blocks[i]);
    assert_true(full - resident() > (size_t)COUNT / 2 * BLOCK_BYTES / 100 * 95);
    for (size_t i = 1; i < COUNT; i += 2)
        block_put(blocks[i]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_blocks_are_zero_aligned_and_apart),
        cmocka_unit_test(test_what_is_put_is_the_systems),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
