#include "unit.h"

#include "base/block.h"

#include <sys/mman.h>
#include <unistd.h>

#define COUNT 300

/* How many of a block's pages have memory. Asked page by page: what /proc says of the whole process
 * is gathered from the processors, and may be a while behind. */
static size_t resident_pages(void *block)
{
    unsigned char in[BLOCK_BYTES / 4096];
    size_t pages = BLOCK_BYTES / (size_t)sysconf(_SC_PAGESIZE), count = 0;

    assert_in_range(pages, 1, sizeof in);
    assert_int_equal(mincore(block, BLOCK_BYTES, in), 0);
    for (size_t i = 0; i < pages; i++)
        count += in[i] & 1;
    return count;
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
        cmocka_unit_test(test_what_is_put_is_the_systems),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
