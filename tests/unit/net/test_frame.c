#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "net/frame.h"

/* RFC 6455, 5.2 and the examples of 5.7. */
static void test_text(void **state)
{
    (void)state;
    struct frame *f = frame_new_text(BYTES("Hello"));
    assert_int_equal(f->refs, 1);
    assert_true(bytes_equal(bytes_of(f->bytes, f->len), BYTES("\x81\x05Hello")));
    frame_ref(f);
    assert_int_equal(f->refs, 2);
    frame_unref(f);
    assert_int_equal(f->bytes[2], 'H');
    frame_unref(f);
}

static void test_lengths(void **state)
{
    static const struct {
        size_t len;
        struct bytes header;
    } rows[] = {
        {0, {(const uint8_t *)"\x81\x00", 2}},
        {125, {(const uint8_t *)"\x81\x7d", 2}},
        {126, {(const uint8_t *)"\x81\x7e\x00\x7e", 4}},
        {65535, {(const uint8_t *)"\x81\x7e\xff\xff", 4}},
        {65536, {(const uint8_t *)"\x81\x7f\0\0\0\0\x00\x01\x00\x00", 10}},
        {1 << 24, {(const uint8_t *)"\x81\x7f\0\0\0\0\x01\x00\x00\x00", 10}},
    };
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        uint8_t *payload = calloc(1, rows[i].len + 1);
        assert_non_null(payload);
        struct frame *f = frame_new_text(bytes_of(payload, rows[i].len));
        assert_int_equal(f->len, rows[i].header.len + rows[i].len);
        assert_memory_equal(f->bytes, rows[i].header.p, rows[i].header.len);
        frame_unref(f);
        free(payload);
    }
}

static void test_raw_and_header(void **state)
{
    struct buf b = {0};
    (void)state;
    struct frame *f = frame_new_raw(BYTES("HTTP/1.1 100 Continue\r\n\r\n"));
    assert_true(bytes_equal(bytes_of(f->bytes, f->len), BYTES("HTTP/1.1 100 Continue\r\n\r\n")));
    frame_unref(f);
    frame_add_header(&b, 9, 2);
    frame_add_header(&b, 8, 0);
    assert_true(bytes_equal(buf_bytes(&b), BYTES("\x89\x02\x88\x00")));
    buf_release(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_text),
        cmocka_unit_test(test_lengths),
        cmocka_unit_test(test_raw_and_header),
    };
    return cmocka_run_group_tests_name("frame", tests, NULL, NULL);
}
