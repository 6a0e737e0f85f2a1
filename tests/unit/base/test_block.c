#include "unit.h"

#include "base/block.h"

#include "resident.h"

#define COUNT 300

static size_t resident_pages(void *block)
{
    return unit_resident_pages(block, BLOCK_BYTES);
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

/* Nobody who writes to it waits for a page, where the system can do that. */
static void test_the_memory_of_a_block_is_there(void **state)
{
    uint8_t *blocks[COUNT];

    (void)state;
    for (int round = 0; round < 2; round++) {
        for (size_t i = 0; i < COUNT; i++) {
            blocks[i] = block_get();
            assert_int_equal(resident_pages(blocks[i]),
                             unit_populates() ? BLOCK_BYTES / (size_t)sysconf(_SC_PAGESIZE) : 0);
        }
        for (size_t i = 0; i < COUNT; i++)
            block_put(blocks[i]);
    }
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
    for (size_t i = 0; i < COUNT; i += 2)
        block_put(blocks[i]);
    for (size_t i = 0; i < COUNT; i += 2)
        assert_int_equal(resident_pages(blocks[i]), 0);
    for (size_t i = 1; i < COUNT; i += 2)
        block_put(blocks[i]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_blocks_are_zero_aligned_and_apart),
        cmocka_unit_test(test_the_memory_of_a_block_is_there),
        cmocka_unit_test(test_what_is_put_is_the_systems),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
