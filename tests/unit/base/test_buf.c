#include "unit.h"

#include "base/buf.h"

static void test_adding_byte_by_byte_keeps_all_and_doubles(void **state)
{
    (void)state;
    struct buf b = {0};
    size_t growths = 0;
    size_t cap = 0;
    for (size_t i = 0; i < 100000; i++) {
        buf_add_u8(&b, (uint8_t)(i * 7));
        if (b.cap != cap) {
            cap = b.cap;
            growths++;
        }
    }
    assert_true(growths <= 17);
    assert_int_equal(b.len, 100000);
    for (size_t i = 0; i < b.len; i++)
        assert_int_equal(b.p[i], (uint8_t)(i * 7));
    buf_release(&b);
    assert_null(b.p);
    assert_int_equal(b.cap, 0);
    buf_release(&b);
}

static void test_reserve_changes_no_content(void **state)
{
    (void)state;
    struct buf b = {0};
    BUF_ADD_LIT(&b, "abc");
    buf_reserve(&b, 1000);
    assert_true(b.cap - b.len >= 1000);
    const uint8_t *p = b.p;
    buf_grow(&b, 10);
    assert_ptr_equal(b.p, p);
    unit_assert_bytes(buf_bytes(&b), BYTES("abc"));
    buf_release(&b);
}

static void test_adding_nothing_needs_no_memory(void **state)
{
    (void)state;
    struct buf b = {0};
    buf_add(&b, NULL, 0);
    buf_add_bytes(&b, (struct bytes){0});
    assert_null(b.p);
    assert_int_equal(buf_bytes(&b).len, 0);
}

static void test_little_endian(void **state)
{
    (void)state;
    struct buf b = {0};
    buf_add_u16le(&b, 0x0102);
    buf_add_u32le(&b, 0x03040506);
    buf_add_u64le(&b, UINT64_C(0x0708090A0B0C0D0E));
    unit_assert_bytes(buf_bytes(&b), BYTES("\x02\x01\x06\x05\x04\x03"
                                           "\x0e\x0d\x0c\x0b\x0a\x09\x08\x07"));
    buf_release(&b);
}

static void test_printf_of_every_length_around_the_capacity(void **state)
{
    (void)state;
    char text[300];
    memset(text, 'x', sizeof text);
    for (int n = 0; n < (int)sizeof text; n++) {
        struct buf b = {0};
        BUF_ADD_LIT(&b, "<");
        buf_printf(&b, "%d:%.*s", n, n, text);
        char wanted[400];
        int len = snprintf(wanted, sizeof wanted, "<%d:%.*s", n, n, text);
        unit_assert_bytes(buf_bytes(&b), bytes_of(wanted, (size_t)len));
        buf_release(&b);
    }
}

static void test_consume(void **state)
{
    (void)state;
    struct buf b = {0};
    BUF_ADD_LIT(&b, "0123456789");
    buf_consume(&b, 0);
    buf_consume(&b, 4);
    unit_assert_bytes(buf_bytes(&b), BYTES("456789"));
    buf_consume(&b, 6);
    assert_int_equal(b.len, 0);
    buf_release(&b);
}

static void test_shrink_keeps_what_is_small(void **state)
{
    (void)state;
    struct buf b = {0};
    BUF_ADD_LIT(&b, "abc");
    size_t cap = b.cap;
    buf_shrink(&b, cap);
    assert_int_equal(b.len, 0);
    assert_int_equal(b.cap, cap);
    buf_shrink(&b, cap - 1);
    assert_int_equal(b.cap, 0);
    assert_null(b.p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_adding_byte_by_byte_keeps_all_and_doubles),
        cmocka_unit_test(test_reserve_changes_no_content),
        cmocka_unit_test(test_adding_nothing_needs_no_memory),
        cmocka_unit_test(test_little_endian),
        cmocka_unit_test(test_printf_of_every_length_around_the_capacity),
        cmocka_unit_test(test_consume),
        cmocka_unit_test(test_shrink_keeps_what_is_small),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
