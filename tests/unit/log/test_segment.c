#include "log/segment.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "tests/unit/log/dir.h"

static void names(void **state)
{
    (void)state;
    char name[SEGMENT_NAME_MAX];
    uint64_t seq = 0;
    segment_name(1, name);
    assert_string_equal(name, "00000000000000000001.log");
    segment_name(UINT64_MAX, name);
    assert_string_equal(name, "18446744073709551615.log");
    assert_true(segment_name_parse(name, &seq));
    assert_true(seq == UINT64_MAX);
    static const char *const bad[] = {
        "",
        "manifest",
        "1.log",
        "00000000000000000000.log",
        "18446744073709551616.log",
        "99999999999999999999.log",
        "0000000000000000001.log",
        "000000000000000000001.log",
        "00000000000000000001.lo",
        "00000000000000000001.log.torn-1",
        "0000000000000000000a.log",
        "-0000000000000000001.log",
    };
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        assert_false(segment_name_parse(bad[i], &seq));
}

static void headers_notice_every_flip(void **state)
{
    (void)state;
    struct segment_header h = {.number = 7, .first_seq = 1000, .size = 65536}, got;
    uint8_t page[SEGMENT_HEADER_LEN];
    memset(h.epoch.b, 0xe1, sizeof h.epoch.b);
    memset(h.key.b, 0x5e, sizeof h.key.b);
    memset(h.chain.b, 0xc4, sizeof h.chain.b);
    segment_header_encode(&h, page);
    assert_true(segment_header_decode(page, &got));
    assert_memory_equal(&got, &h, sizeof h);
    for (size_t at = 0; at < sizeof page; at++) {
        page[at] ^= (uint8_t)(1 << at % 8);
        assert_false(segment_header_decode(page, &got));
        page[at] ^= (uint8_t)(1 << at % 8);
    }
}

static void manifests_notice_every_flip(void **state)
{
    (void)state;
    struct manifest m = {.number = 3, .first_seq = 99}, got;
    uint8_t page[MANIFEST_LEN];
    memset(m.epoch.b, 0xe1, sizeof m.epoch.b);
    manifest_encode(&m, page);
    assert_true(manifest_decode(page, &got));
    assert_memory_equal(&got, &m, sizeof m);
    for (size_t bit = 0; bit < sizeof page * 8; bit++) {
        page[bit / 8] ^= (uint8_t)(1 << bit % 8);
        assert_false(manifest_decode(page, &got));
        page[bit / 8] ^= (uint8_t)(1 << bit % 8);
    }
}

static void sizes_grow_to_the_setting(void **state)
{
    (void)state;
    assert_int_equal(segment_size_next(0, 64u << 20, 40), 1u << 20);
    assert_int_equal(segment_size_next(1u << 20, 64u << 20, 40), 2u << 20);
    assert_int_equal(segment_size_next(64u << 20, 64u << 20, 40), 64u << 20);
    assert_int_equal(segment_size_next(0, 64u << 10, 40), 64u << 10);
    assert_int_equal(segment_size_next(1u << 20, 64u << 10, 40), 64u << 10);
    /* A record larger than a segment gets one that holds it and a mark. */
    uint64_t record = 5u << 20, size = segment_size_next(64u << 10, 64u << 10, record);
    assert_in_range(size, SEGMENT_HEADER_LEN + record + FRAME_HEADER_LEN,
                    2 * SEGMENT_HEADER_LEN + record + FRAME_HEADER_LEN);
    assert_int_equal(size % SEGMENT_HEADER_LEN, 0);
}

static void lists_in_order_and_ignores_others(void **state)
{
    (void)state;
    struct data_dir d = dir_new();
    struct files none = {0};
    uint64_t *list;
    size_t count;
    dir_write(&d, &none);
    int dir = dir_open(&d);
    assert_int_equal(segment_list(dir, &list, &count), 0);
    assert_int_equal(count, 0);
    free(list);
    static const char *const names_there[] = {"00000000000000000300.log", "manifest",
                                              "00000000000000000001.log", "next.tmp",
                                              "00000000000000000020.log", "notes.txt"};
    for (size_t i = 0; i < 6; i++)
        dir_put(&d, names_there[i], (const uint8_t *)"x", 1);
    assert_int_equal(segment_list(dir, &list, &count), 0);
    assert_int_equal(count, 3);
    assert_int_equal(list[0], 1);
    assert_int_equal(list[1], 20);
    assert_int_equal(list[2], 300);
    free(list);
    close(dir);
    dir_free(&d);
}

static void prepares_zeros_and_gives_up_when_told(void **state)
{
    (void)state;
    struct data_dir d = dir_new();
    struct files files = {0};
    struct failure f = {0};
    atomic_bool stop = false;
    dir_write(&d, &files);
    int dir = dir_open(&d);
    int fd = segment_prepare(dir, 3u << 20, true, &stop, &f);
    assert_true(fd >= 0);
    close(fd);
    files = dir_read(&d);
    assert_int_equal(files.count, 1);
    assert_string_equal(files.list[0].name, "next.tmp");
    assert_int_equal(files.list[0].len, 3u << 20);
    assert_int_equal(file_used(&files.list[0]), 0);
    files_free(&files);
    stop = true;
    assert_int_equal(segment_prepare(dir, 3u << 20, true, &stop, &f), -1);
    files = dir_read(&d);
    assert_int_equal(files.count, 0);
    close(dir);
    dir_free(&d);
}

/* The worked example of docs/journal-format.md; its bytes were made by a program in another
 * language, from that page. */
static void the_example_of_the_format_page(void **state)
{
    (void)state;
    static const uint8_t head[] = {
        0x47, 0x43, 0x4a, 0x53, 0x45, 0x47, 0x0d, 0x0a, 0x01, 0x00, 0x00, 0x00, 0x00, 0x10,
        0x00, 0x00, 0x6f, 0x1d, 0x7c, 0x2a, 0x90, 0xb3, 0x4e, 0x5f, 0x8a, 0x21, 0xc4, 0xd6,
        0xe8, 0xf0, 0x13, 0x57, 0x01, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x01, 0x00,
        0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x10, 0x00, 0x00, 0x00, 0x00, 0x00,
        0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0xa0, 0xa1, 0xa2, 0xa3, 0xa4, 0xa5,
        0xa6, 0xa7, 0xa8, 0xa9, 0xaa, 0xab, 0xac, 0xad, 0xae, 0xaf, 0xca, 0xfb, 0x1a, 0x39,
        0x39, 0x3c, 0x83, 0x2a, 0x74, 0x70, 0x8a, 0x21, 0x6e, 0xe1, 0xd1, 0x82};
    static const uint8_t sum[] = {0xf6, 0xa9, 0xe8, 0xdc, 0xef, 0xf9, 0x7d, 0xe5,
                                  0x4d, 0x0e, 0xa1, 0x32, 0xc1, 0x0f, 0x9e, 0x58};
    static const uint8_t records[] = {
        0x05, 0x00, 0x00, 0x00, 0x01, 0x00, 0x00, 0x00, 0x01, 0x00, 0x00, 0x00, 0x00, 0x00,
        0x00, 0x00, 0xee, 0x44, 0x4a, 0xf2, 0xe9, 0xc0, 0x23, 0x6c, 0x68, 0x65, 0x6c, 0x6c,
        0x6f, 0x53, 0xdf, 0xa6, 0x48, 0xdf, 0x11, 0x0c, 0x65, 0xc8, 0x24, 0x21, 0x7c, 0x33,
        0x71, 0x02, 0x4a, 0x00, 0x00, 0x00, 0x00, 0x02, 0x00, 0x00, 0x00, 0x02, 0x00, 0x00,
        0x00, 0x00, 0x00, 0x00, 0x00, 0x73, 0xb5, 0x7a, 0x98, 0xd1, 0xe2, 0xf4, 0x4f, 0x9f,
        0x3c, 0x59, 0x24, 0x60, 0x56, 0xaf, 0x50, 0x49, 0x92, 0x33, 0x1f, 0x33, 0x7e, 0x54,
        0xc8, 0x03, 0x00, 0x00, 0x00, 0x01, 0x00, 0x01, 0x00, 0x03, 0x00, 0x00, 0x00, 0x00,
        0x00, 0x00, 0x00, 0xe5, 0x37, 0xde, 0xd6, 0x79, 0x17, 0xd3, 0x80, 0x62, 0x79, 0x65,
        0xdd, 0x33, 0x4b, 0xe3, 0x0f, 0x5d, 0x7c, 0xcc, 0xbd, 0x97, 0x08, 0x79, 0x44, 0x84,
        0x9a, 0x4a, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x04, 0x00, 0x00, 0x00,
        0x00, 0x00, 0x00, 0x00, 0x60, 0xd7, 0xf7, 0xdf, 0xd9, 0x4d, 0x3d, 0x20};
    static const uint8_t want_manifest[] = {
        0x47, 0x43, 0x4a, 0x4d, 0x41, 0x4e, 0x0d, 0x0a, 0x01, 0x00, 0x00, 0x00, 0x40,
        0x00, 0x00, 0x00, 0x6f, 0x1d, 0x7c, 0x2a, 0x90, 0xb3, 0x4e, 0x5f, 0x8a, 0x21,
        0xc4, 0xd6, 0xe8, 0xf0, 0x13, 0x57, 0x01, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00,
        0x00, 0x01, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x0e, 0x69, 0xe6, 0x52,
        0xe8, 0xaa, 0x20, 0xc0, 0xd3, 0x47, 0x61, 0x69, 0xed, 0x01, 0x84, 0xa6};

    struct segment_header h = {.number = 1, .first_seq = 1, .size = 1u << 20};
    struct manifest m = {.number = 1, .first_seq = 1};
    uint8_t page[SEGMENT_HEADER_LEN], small[MANIFEST_LEN], mark[FRAME_HEADER_LEN];
    struct buf b = {0};
    memcpy(h.epoch.b, head + 16, sizeof h.epoch.b);
    memcpy(m.epoch.b, head + 16, sizeof m.epoch.b);
    for (size_t i = 0; i < sizeof h.key.b; i++)
        h.key.b[i] = (uint8_t)(0xa0 + i);
    h.chain = frame_chain_start(h.epoch.b);
    segment_header_encode(&h, page);
    assert_memory_equal(page, head, sizeof head);
    assert_memory_equal(page + SEGMENT_HEADER_LEN - sizeof sum, sum, sizeof sum);
    struct frame_chain chain = h.chain;
    struct frame_header one = {5, 1, 0, 1}, two = {0, 2, 0, 2}, three = {3, 1, 1, 3},
                        end = {0, 0, 0, 4};
    frame_add(&b, &one, &h.key, &chain, BYTES("hello"));
    frame_add(&b, &two, &h.key, &chain, BYTES(""));
    frame_add(&b, &three, &h.key, &chain, BYTES("bye"));
    frame_header_encode(&end, &h.key, mark);
    buf_add(&b, mark, sizeof mark);
    assert_int_equal(b.len, sizeof records);
    assert_memory_equal(b.p, records, sizeof records);
    manifest_encode(&m, small);
    assert_memory_equal(small, want_manifest, sizeof small);
    buf_release(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(names),
        cmocka_unit_test(the_example_of_the_format_page),
        cmocka_unit_test(headers_notice_every_flip),
        cmocka_unit_test(manifests_notice_every_flip),
        cmocka_unit_test(sizes_grow_to_the_setting),
        cmocka_unit_test(lists_in_order_and_ignores_others),
        cmocka_unit_test(prepares_zeros_and_gives_up_when_told),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
