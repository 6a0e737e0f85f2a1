#include "unit.h"

#include "base/asan.h"
#include "base/slab.h"

#include "resident.h"

#define THINGS 20000

struct thing {
    uint8_t *p;
    size_t size;
    uint8_t byte;
};

static size_t some_size(uint64_t *seed)
{
    uint64_t r = unit_random(seed);
    return 1 + (size_t)(r % 50 == 0 ? r / 50 % (3 * SLAB_SIZE_MAX) : r / 50 % 400);
}

static void thing_make(struct slab *s, struct thing *t, uint64_t *seed)
{
    t->size = some_size(seed);
    t->byte = (uint8_t)unit_random(seed);
    t->p = slab_alloc(s, t->size);
    assert_int_equal((uintptr_t)t->p % 8, 0);
    memset(t->p, t->byte, t->size);
}

static void thing_check(const struct thing *t)
{
    for (size_t i = 0; i < t->size; i++)
        assert_int_equal(t->p[i], t->byte);
}

static void test_things_are_aligned_and_apart(void **state)
{
    static struct thing things[THINGS];
    struct slab s = {0};
    uint64_t seed = 1;
    (void)state;

    for (size_t i = 0; i < THINGS; i++)
        thing_make(&s, &things[i], &seed);
    /* Each is given back and another made in its place, in any order, several times over. */
    for (size_t i = 0; i < (size_t)4 * THINGS; i++) {
        struct thing *t = &things[unit_random(&seed) % THINGS];
        thing_check(t);
        slab_free(&s, t->p, t->size);
        thing_make(&s, t, &seed);
    }
    for (size_t i = 0; i < THINGS; i++) {
        thing_check(&things[i]);
        slab_free(&s, things[i].p, things[i].size);
    }
    slab_release(&s);
    slab_release(&s);
}

#if !UNDER_ASAN
static void test_what_was_given_back_is_used_again(void **state)
{
    struct slab s = {0};
    void *p[100];
    (void)state;

    for (int round = 0; round < 1000; round++) {
        for (int i = 0; i < 100; i++)
            p[i] = slab_alloc(&s, 200);
        for (int i = 0; i < 100; i++)
            slab_free(&s, p[i], 200);
    }
    assert_in_range(s.reserved, 1, 64 << 10);
    /* The same size but for the rounding. */
    void *last = slab_alloc(&s, 193);
    assert_ptr_equal(last, p[99]);
    slab_release(&s);
}

/* What is written first is written to memory that is there, some things ahead and no more. */
static void test_the_next_things_have_memory(void **state)
{
    struct slab s = {0};
    size_t page = (size_t)sysconf(_SC_PAGESIZE);
    (void)state;

    for (int i = 0; i < 50000; i++) {
        uint8_t *p = slab_alloc(&s, 200), *last = p + 199;
        p -= (uintptr_t)p % page;
        last -= (uintptr_t)last % page;
        assert_true(!unit_populates() || unit_resident_pages(p, page) == 1);
        assert_true(!unit_populates() || unit_resident_pages(last, page) == 1);
    }
    /* The region is larger than what is made ready at once, and nothing behind that was touched. */
    uint8_t *behind = s.ready + page;
    behind -= (uintptr_t)behind % page;
    assert_true(s.end - behind > (ptrdiff_t)page);
    assert_int_equal(unit_resident_pages(behind, page), 0);
    slab_release(&s);
}

static void test_little_is_wasted(void **state)
{
    struct slab s = {0};
    size_t wanted = 0;
    uint64_t seed = 7;
    (void)state;

    while (wanted < (size_t)32 << 20) {
        size_t size = 100 + unit_random(&seed) % 200;
        slab_alloc(&s, size);
        wanted += size;
    }
    /* 3.5 bytes of rounding each, on average 200; a region that was just begun. */
    assert_in_range(s.reserved, wanted, wanted + wanted / 40 + (2 << 20));
    slab_release(&s);
}
#endif

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_things_are_aligned_and_apart),
#if !UNDER_ASAN
        cmocka_unit_test(test_what_was_given_back_is_used_again),
        cmocka_unit_test(test_the_next_things_have_memory),
        cmocka_unit_test(test_little_is_wasted),
#endif
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
