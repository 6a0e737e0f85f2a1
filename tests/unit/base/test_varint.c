#include "unit.h"

#include "base/varint.h"

static void test_round_trip(void **state)
{
    (void)state;
    for (unsigned bit = 0; bit <= 64; bit++) {
        for (int64_t off = -2; off <= 2; off++) {
            uint64_t v = (bit < 64 ? UINT64_C(1) << bit : 0) + (uint64_t)off, got = 0;
            struct buf b = {0};
            buf_add_varint(&b, v);
            size_t bits = v == 0 ? 1 : 64 - (size_t)__builtin_clzll(v);
            assert_int_equal(b.len, (bits + 6) / 7);
            buf_add_u8(&b, 0xee);
            struct bytes in = buf_bytes(&b);
            assert_true(varint_take(&in, &got));
            assert_true(got == v);
            assert_int_equal(in.len, 1);
            assert_int_equal(in.p[0], 0xee);
            /* Every beginning of it is none, and changes nothing. */
            for (size_t len = 0; len + 1 < b.len; len++) {
                in = bytes_of(b.p, len);
                got = 77;
                assert_false(varint_take(&in, &got));
                assert_int_equal(got, 77);
                assert_int_equal(in.len, len);
                assert_ptr_equal(in.p, b.p);
            }
            buf_release(&b);
        }
    }
}

static void test_too_large(void **state)
{
    static const uint8_t over[] = {0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x02};
    static const uint8_t endless[] = {0x80, 0x80, 0x80, 0x80, 0x80, 0x80,
                                      0x80, 0x80, 0x80, 0x80, 0x00};
    uint64_t got = 77;
    struct bytes in = bytes_of(over, sizeof over);

    (void)state;
    assert_false(varint_take(&in, &got));
    in = bytes_of(endless, sizeof endless);
    assert_false(varint_take(&in, &got));
    assert_int_equal(in.len, sizeof endless);
    assert_int_equal(got, 77);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_round_trip),
        cmocka_unit_test(test_too_large),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
