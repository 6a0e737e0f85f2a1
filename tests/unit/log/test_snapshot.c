/* The file of a snapshot: its bytes, and that nothing else passes for one. */
#include "log/snapshot.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <errno.h>

#include "base/crypto.h"
#include "base/hash.h"
#include "log/sys.h"
#include "tests/unit/log/dir.h"

static const struct snapshot_header head = {
    .epoch = {{0x6f, 0x1d, 0x7c, 0x2a, 0x90, 0xb3, 0x4e, 0x5f, 0x8a, 0x21, 0xc4, 0xd6, 0xe8, 0xf0,
               0x13, 0x57}},
    .seq = 2,
    .time_ms = 1767225600000,
    .key = {{0xa0, 0xa1, 0xa2, 0xa3, 0xa4, 0xa5, 0xa6, 0xa7, 0xa8, 0xa9, 0xaa, 0xab, 0xac, 0xad,
             0xae, 0xaf}},
    .chain = {{0x9f, 0x3c, 0x59, 0x24, 0x60, 0x56, 0xaf, 0x50, 0x49, 0x92, 0x33, 0x1f, 0x33, 0x7e,
               0x54, 0xc8}},
};

static struct buf example(struct snapshot_info *info)
{
    struct buf b = {0};
    struct failure f;
    struct snapshot_writer *w = snapshot_begin(-1, &b, &head);
    snapshot_add(w, 1, BYTES("state"));
    snapshot_add(w, 7, BYTES(""));
    assert_int_equal(snapshot_end(w, info, &f), ERR_ok);
    return b;
}

/* The worked example of docs/journal-format.md; its bytes were made by a program in another
 * language, from that page. */
static void the_example_of_the_format_page(void **state)
{
    (void)state;
    static const uint8_t want[] = {
        0x47, 0x43, 0x4a, 0x53, 0x4e, 0x50, 0x0d, 0x0a, 0x01, 0x00, 0x00, 0x00, 0x80, 0x00, 0x00,
        0x00, 0x6f, 0x1d, 0x7c, 0x2a, 0x90, 0xb3, 0x4e, 0x5f, 0x8a, 0x21, 0xc4, 0xd6, 0xe8, 0xf0,
        0x13, 0x57, 0x02, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0xa8, 0xda, 0x76, 0x9b,
        0x01, 0x00, 0x00, 0xa0, 0xa1, 0xa2, 0xa3, 0xa4, 0xa5, 0xa6, 0xa7, 0xa8, 0xa9, 0xaa, 0xab,
        0xac, 0xad, 0xae, 0xaf, 0x9f, 0x3c, 0x59, 0x24, 0x60, 0x56, 0xaf, 0x50, 0x49, 0x92, 0x33,
        0x1f, 0x33, 0x7e, 0x54, 0xc8, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00,
        0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00,
        0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0xbc, 0xe7, 0x4f, 0x8d, 0x4e, 0x5f, 0xa5, 0x29,
        0x70, 0xd8, 0x62, 0x30, 0xc8, 0xdd, 0x2a, 0x2c, 0x05, 0x00, 0x00, 0x00, 0x01, 0x00, 0x73,
        0x74, 0x61, 0x74, 0x65, 0x00, 0x00, 0x00, 0x00, 0x07, 0x00, 0x30, 0x00, 0x00, 0x00, 0x00,
        0x00, 0x02, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0xc7, 0x00, 0x00, 0x00, 0x00, 0x00,
        0x00, 0x00, 0x3e, 0xc9, 0x3b, 0xcc, 0x7b, 0xca, 0x83, 0xfd, 0xeb, 0x32, 0x7a, 0xf7, 0xc2,
        0x8e, 0x6f, 0x70, 0xf4, 0xd7, 0x7a, 0xc6, 0x7f, 0x4c, 0x86, 0xc0, 0xe1, 0x18, 0xf5, 0xc4,
        0x08, 0x39, 0x51, 0x67};
    struct snapshot_info info, again;
    struct snapshot_fault fault;
    struct buf b = example(&info);
    assert_int_equal(b.len, sizeof want);
    assert_memory_equal(b.p, want, sizeof want);
    assert_int_equal(info.bytes, sizeof want);
    assert_int_equal(info.records, 2);
    assert_int_equal(snapshot_read_memory(buf_bytes(&b), NULL, &again, &fault), ERR_ok);
    assert_int_equal(again.bytes, sizeof want);
    assert_int_equal(again.records, 2);
    assert_int_equal(again.header.time_ms, head.time_ms);
    assert_memory_equal(&again.header, &head, sizeof head);
    buf_release(&b);
}

static void names(void **state)
{
    (void)state;
    char name[SEGMENT_NAME_MAX];
    uint64_t seq = 0;
    snapshot_name(1234, name);
    assert_string_equal(name, "00000000000000001234.snap");
    assert_true(snapshot_name_parse(name, &seq));
    assert_int_equal(seq, 1234);
    assert_false(snapshot_name_parse("00000000000000000000.snap", &seq));
    assert_false(snapshot_name_parse("0000000000000000123.snap", &seq));
    assert_false(snapshot_name_parse("000000000000000001234.snap", &seq));
    assert_false(snapshot_name_parse("00000000000000001234.snaps", &seq));
    assert_false(snapshot_name_parse("00000000000000001234.log", &seq));
    assert_false(snapshot_name_parse("99999999999999999999.snap", &seq));
    assert_false(snapshot_name_parse("", &seq));
}

/* A writer that is wrong, and a hash that is right: what the hash does not find. */
static void check_forged(const struct buf *b, size_t at, uint64_t v, size_t len, const char *why)
{
    struct buf forged = {0};
    struct snapshot_info info;
    struct snapshot_fault fault;
    buf_add_bytes(&forged, buf_bytes(b));
    for (size_t i = 0; i < len && forged.p; i++)
        forged.p[at + i] = (uint8_t)(v >> 8 * i);
    hash_bytes(bytes_of(forged.p, 112), forged.p + 112, 16);
    size_t hashed = forged.len - SNAPSHOT_HASH_LEN;
    hash_bytes(bytes_of(forged.p, hashed), forged.p + hashed, SNAPSHOT_HASH_LEN);
    assert_int_equal(snapshot_read_memory(buf_bytes(&forged), NULL, &info, &fault), ERR_damaged);
    if (!strstr(fault.text, why))
        fail_msg("%s", fault.text);
    buf_release(&forged);
}

static void a_right_hash_is_not_enough(void **state)
{
    (void)state;
    struct snapshot_info info;
    struct buf b = example(&info);
    check_forged(&b, 8, 2, 4, "a format that is not known");
    check_forged(&b, 12, 127, 4, "a format that is not known");
    check_forged(&b, 128, 0xffffffff, 4, "past the end");
    check_forged(&b, 128, 12, 4, "past the end");
    check_forged(&b, 128, 11, 4, "says that it holds 2 records, and holds 1");
    check_forged(&b, 132, 0, 2, "not the end of the file");
    check_forged(&b, 0x91, 47, 4, "not the end of the file");
    check_forged(&b, 0x95, 1, 2, "past the end");
    check_forged(&b, 0x97, 3, 8, "says that it holds 3 records");
    check_forged(&b, 0x9f, 198, 8, "says that it has 198 bytes");
    buf_release(&b);
}

static void every_length(void **state)
{
    (void)state;
    struct snapshot_info info;
    struct snapshot_fault fault;
    struct buf b = example(&info);
    size_t whole = b.len;
    buf_add(&b, "\0\0\0\0\0\0\0\0", 8);
    for (size_t len = 0; len <= b.len; len++) {
        uint8_t *p = malloc(len + 1); /* so that a read behind it is found */
        memcpy(p, b.p, len);
        enum err e = snapshot_read_memory(bytes_of(p, len), NULL, &info, &fault);
        assert_int_equal(e, len == whole ? ERR_ok : ERR_damaged);
        free(p);
    }
    buf_release(&b);
}

/* ---- in a file ---- */

#define BIG 3000000 /* more than a buffer */

struct heard {
    size_t count;
    size_t bytes;
    bool refuse_state;
    size_t refuse_at;
};

static bool on_load(void *ctx, uint16_t type, struct bytes payload)
{
    struct heard *h = ctx;
    assert_int_equal(type, h->count % 60000 + 1);
    if (h->refuse_at == h->count + 1)
        return false;
    for (size_t i = 0; i < payload.len; i++)
        if (payload.p[i] != (uint8_t)(h->count + i))
            fail_msg("record %zu: byte %zu differs", h->count, i);
    h->count++;
    h->bytes += payload.len;
    return true;
}

static bool on_loaded(void *ctx, uint64_t seq)
{
    const struct heard *h = ctx;
    assert_int_equal(seq, head.seq);
    return !h->refuse_state;
}

/* Records of many sizes, some larger than a buffer, over several buffers. */
static size_t write_records(struct snapshot_writer *w)
{
    uint8_t *p = malloc(BIG);
    size_t n = 0;
    assert_non_null(p);
    for (size_t i = 0; i < 300; i++, n++) {
        size_t len = i == 7 || i == 250 ? BIG : i * i * 7 % 40000;
        for (size_t k = 0; k < len; k++)
            p[k] = (uint8_t)(n + k);
        snapshot_add(w, (uint16_t)(n % 60000 + 1), bytes_of(p, len));
    }
    free(p);
    return n;
}

static enum err read_back(int dir, uint64_t seq, struct heard *h, struct snapshot_fault *fault)
{
    struct snapshot_info info;
    struct journal_hooks hooks = {.ctx = h, .on_load = on_load, .on_loaded = on_loaded};
    h->count = h->bytes = 0;
    return snapshot_read(dir, "00000000000000000002.snap", seq, &hooks, &info, fault);
}

static void a_large_one(void **state)
{
    (void)state;
    struct data_dir d = dir_new();
    struct files none = {0};
    struct heard h = {0};
    struct snapshot_info info;
    struct snapshot_fault fault;
    struct failure f;
    dir_write(&d, &none);
    int dir = dir_open(&d);
    int fd = openat(dir, "00000000000000000002.snap", O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    assert_true(fd >= 0);
    struct snapshot_writer *w = snapshot_begin(fd, NULL, &head);
    size_t count = write_records(w);
    assert_int_equal(snapshot_end(w, &info, &f), ERR_ok);
    close(fd);
    assert_int_equal(info.records, count);
    assert_int_equal(read_back(dir, 2, &h, &fault), ERR_ok);
    assert_int_equal(h.count, count);
    assert_int_equal(info.bytes, SNAPSHOT_HEADER_LEN + count * SNAPSHOT_RECORD_LEN + h.bytes +
                                     SNAPSHOT_END_LEN);
    assert_int_equal(snapshot_check(dir, 2, &info, &fault), ERR_ok);
    assert_int_equal(snapshot_check(dir, 3, &info, &fault), ERR_not_found);
    assert_int_equal(read_back(dir, 3, &h, &fault), ERR_damaged);
    assert_non_null(strstr(fault.text, "the snapshot behind record 2"));
    h.refuse_at = 251;
    assert_int_equal(read_back(dir, 2, &h, &fault), ERR_damaged);
    assert_non_null(strstr(fault.text, "record 251"));
    h.refuse_at = 0;
    h.refuse_state = true;
    assert_int_equal(read_back(dir, 2, &h, &fault), ERR_damaged);
    assert_non_null(strstr(fault.text, "do not make a whole state"));
    /* The same records in memory are the same bytes. */
    struct files files = dir_read(&d);
    struct buf b = {0};
    w = snapshot_begin(-1, &b, &head);
    write_records(w);
    assert_int_equal(snapshot_end(w, &info, &f), ERR_ok);
    assert_int_equal(b.len, files.list[0].len);
    assert_memory_equal(b.p, files.list[0].p, b.len);
    buf_release(&b);
    files_free(&files);
    close(dir);
    dir_free(&d);
}

int main(void)
{
    crypto_init();
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_example_of_the_format_page),
        cmocka_unit_test(names),
        cmocka_unit_test(a_right_hash_is_not_enough),
        cmocka_unit_test(every_length),
        cmocka_unit_test(a_large_one),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
