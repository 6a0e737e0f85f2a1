#include "unit.h"

#include "base/populate.h"

#include "resident.h"

#define PAGES 32

static size_t page_len(void)
{
    return (size_t)sysconf(_SC_PAGESIZE);
}

static uint8_t *pages_new(void)
{
    void *p =
        mmap(NULL, PAGES * page_len(), PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

    assert_true(p != MAP_FAILED);
    assert_int_equal(unit_resident_pages(p, PAGES * page_len()), 0);
    return p;
}

static void test_pages_are_there_and_no_others(void **state)
{
    uint8_t *p = pages_new();
    size_t page = page_len();

    (void)state;
    /* The end of page 3, pages 4 to 8, the start of page 9. */
    populate(p + 4 * page - 1, 5 * page + 2);
    assert_int_equal(unit_resident_pages(p, 3 * page), 0);
    assert_int_equal(unit_resident_pages(p + 3 * page, 7 * page), unit_populates() ? 7 : 0);
    assert_int_equal(unit_resident_pages(p + 10 * page, (PAGES - 10) * page), 0);
    munmap(p, PAGES * page);
}

static void test_what_is_there_stays(void **state)
{
    uint8_t *p = pages_new();
    size_t page = page_len();

    (void)state;
    p[2 * page + 17] = 42;
    populate(p, 4 * page);
    for (size_t i = 0; i < 4 * page; i++)
        assert_int_equal(p[i], i == 2 * page + 17 ? 42 : 0);
    munmap(p, PAGES * page);
}

/* As far as there is a mapping; nothing ends. */
static void test_what_cannot_be_had_is_left(void **state)
{
    uint8_t *p = pages_new();
    size_t page = page_len();

    (void)state;
    assert_int_equal(munmap(p + 8 * page, page), 0);
    populate(p, 16 * page);
    populate(p, 0);
    p[7 * page] = 1;
    assert_int_equal(p[7 * page], 1);
    munmap(p, PAGES * page);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_pages_are_there_and_no_others),
        cmocka_unit_test(test_what_is_there_stays),
        cmocka_unit_test(test_what_cannot_be_had_is_left),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
