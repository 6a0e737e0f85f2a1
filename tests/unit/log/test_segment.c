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
    int fd = segment_prepare(dir, 3u << 20, &stop, &f);
    assert_true(fd >= 0);
    close(fd);
    files = dir_read(&d);
    assert_int_equal(files.count, 1);
    assert_string_equal(files.list[0].name, "next.tmp");
    assert_int_equal(files.list[0].len, 3u << 20);
    assert_int_equal(file_used(&files.list[0]), 0);
    files_free(&files);
    stop = true;
    assert_int_equal(segment_prepare(dir, 3u << 20, &stop, &f), -1);
    files = dir_read(&d);
    assert_int_equal(files.count, 0);
    close(dir);
    dir_free(&d);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(names),
        cmocka_unit_test(headers_notice_every_flip),
        cmocka_unit_test(manifests_notice_every_flip),
        cmocka_unit_test(sizes_grow_to_the_setting),
        cmocka_unit_test(lists_in_order_and_ignores_others),
        cmocka_unit_test(prepares_zeros_and_gives_up_when_told),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
