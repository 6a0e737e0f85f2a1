#include "unit.h"

static int sign(int v)
{
    return (v > 0) - (v < 0);
}

static void test_equal(void **state)
{
    (void)state;
    assert_true(bytes_equal(BYTES("abc"), bytes_cstr("abc")));
    assert_false(bytes_equal(BYTES("abc"), BYTES("abd")));
    assert_false(bytes_equal(BYTES("abc"), BYTES("ab")));
    assert_true(bytes_equal((struct bytes){0}, BYTES("")));
    assert_int_equal(BYTES("a\0b").len, 3);
    assert_false(bytes_equal(BYTES("a\0b"), BYTES("a\0c")));
}

static void test_equal_nocase_is_for_ascii_letters_only(void **state)
{
    (void)state;
    assert_true(bytes_equal_nocase(BYTES("Content-LENGTH"), BYTES("content-length")));
    assert_true(bytes_equal_nocase((struct bytes){0}, BYTES("")));
    assert_false(bytes_equal_nocase(BYTES("a"), BYTES("ab")));
    for (int a = 0; a < 256; a++) {
        for (int b = 0; b < 256; b++) {
            uint8_t x = (uint8_t)a;
            uint8_t y = (uint8_t)b;
            bool letters =
                (a >= 'A' && a <= 'Z' && b == a + 32) || (b >= 'A' && b <= 'Z' && a == b + 32);
            assert_int_equal(bytes_equal_nocase(bytes_of(&x, 1), bytes_of(&y, 1)),
                             a == b || letters);
        }
    }
}

static void test_compare(void **state)
{
    (void)state;
    const struct bytes sorted[] = {BYTES(""),   BYTES("\0"), BYTES("a"),    BYTES("a\0"),
                                   BYTES("ab"), BYTES("b"),  BYTES("\x80"), BYTES("\xff")};
    for (size_t i = 0; i < COUNT_OF(sorted); i++) {
        for (size_t j = 0; j < COUNT_OF(sorted); j++)
            assert_int_equal(sign(bytes_compare(sorted[i], sorted[j])), (i > j) - (i < j));
    }
    assert_int_equal(bytes_compare((struct bytes){0}, (struct bytes){0}), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_equal),
        cmocka_unit_test(test_equal_nocase_is_for_ascii_letters_only),
        cmocka_unit_test(test_compare),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
