#include "log/frame.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

/* The values of the paper's appendix and of its authors' program: key 00 … 0f, input 00 01 02 …. */
static void siphash_is_the_published_one(void **state)
{
    (void)state;
    static const struct {
        size_t len;
        uint64_t value;
    } known[] = {
        {0, 0x726fdb47dd0e0e31}, {1, 0x74f839c593dc67fd},  {7, 0xab0200f58b01d137},
        {8, 0x93f5f5799a932462}, {15, 0xa129ca6149be45e5}, {16, 0x3f2acc7f57c29bdb},
    };
    struct frame_key key;
    uint8_t in[16];
    for (uint8_t i = 0; i < 16; i++)
        key.b[i] = in[i] = i;
    for (size_t i = 0; i < sizeof known / sizeof known[0]; i++)
        assert_int_equal(frame_siphash(&key, in, known[i].len), known[i].value);
}

static void header_round_trip(void **state)
{
    (void)state;
    static const struct frame_key key = {{1, 2, 3}}, other = {{1, 2, 4}};
    static const struct frame_header cases[] = {
        {0, 1, 0, 1},
        {0xffffffff, 0xffff, 0xffff, UINT64_MAX},
        {0x01020304, 0x0506, 0x0708, 0x090a0b0c0d0e0f10},
        {0, 0, 0, 77}, /* a mark */
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        uint8_t raw[FRAME_HEADER_LEN];
        struct frame_header h;
        frame_header_encode(&cases[i], &key, raw);
        assert_true(frame_header_decode(raw, &key, &h));
        assert_int_equal(h.len, cases[i].len);
        assert_int_equal(h.type, cases[i].type);
        assert_int_equal(h.back, cases[i].back);
        assert_int_equal(h.seq, cases[i].seq);
        assert_false(frame_header_decode(raw, &other, &h));
        for (size_t bit = 0; bit < sizeof raw * 8; bit++) {
            raw[bit / 8] ^= (uint8_t)(1 << bit % 8);
            assert_false(frame_header_decode(raw, &key, &h));
            raw[bit / 8] ^= (uint8_t)(1 << bit % 8);
        }
    }
    /* Zeros, which is what lies behind the last record, are no header, nor is a mark with length.
     */
    uint8_t raw[FRAME_HEADER_LEN] = {0};
    struct frame_header h, mark = {.len = 1, .seq = 3};
    assert_false(frame_header_decode(raw, &key, &h));
    frame_header_encode(&mark, &key, raw);
    assert_false(frame_header_decode(raw, &key, &h));
}

static void bytes_are_where_the_drawing_says(void **state)
{
    (void)state;
    static const struct frame_key key = {{9}};
    static const uint8_t want[16] = {3, 0, 0, 0, 0x34, 0x12, 5, 0, 7, 0, 0, 0, 0, 0, 0, 0};
    struct frame_chain chain = {{0}}, again = {{0}};
    struct frame_header h = {.len = 3, .type = 0x1234, .back = 5, .seq = 7};
    struct buf b = {0};
    frame_add(&b, &h, &key, &chain, BYTES("abc"));
    assert_int_equal(b.len, FRAME_OVERHEAD + 3);
    assert_memory_equal(b.p, want, sizeof want);
    assert_int_equal(frame_u64(b.p + 16), frame_siphash(&key, want, sizeof want));
    assert_memory_equal(b.p + 24, "abc", 3);
    assert_memory_equal(b.p + 27, chain.b, sizeof chain.b);
    frame_chain_step(&again, b.p, BYTES("abc"));
    assert_true(frame_chain_equal(&chain, &again));
    frame_chain_step(&again, b.p, BYTES("abc"));
    assert_false(frame_chain_equal(&chain, &again));
    buf_release(&b);
}

static void claims_never_too_much(void **state)
{
    (void)state;
    static const struct {
        uint64_t seq, durable, claim;
    } cases[] = {
        {1, 1, 1},     {10, 10, 10},  {10, 1, 1},          {65535, 1, 1},
        {65536, 1, 0}, {70000, 1, 0}, {70000, 4466, 4466}, {70000, 4465, 0},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct frame_header h = {.seq = cases[i].seq};
        h.back = frame_back(h.seq, cases[i].durable);
        assert_int_equal(frame_claim(&h), cases[i].claim);
    }
    struct frame_header h = {.seq = 3, .back = 4};
    assert_int_equal(frame_claim(&h), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(siphash_is_the_published_one),
        cmocka_unit_test(header_round_trip),
        cmocka_unit_test(bytes_are_where_the_drawing_says),
        cmocka_unit_test(claims_never_too_much),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
