#include "unit.h"

/* libuuid's function of this name is of another type. */
#define uuid_parse libuuid_parse
#include <uuid/uuid.h>
#undef uuid_parse

#include "base/crypto.h"
#include "base/uuid.h"

static int compare(const void *a, const void *b)
{
    return memcmp(a, b, sizeof(struct uuid));
}

static void test_random_ids_differ_and_are_version_4(void **state)
{
    (void)state;
    enum { COUNT = 10000 };
    struct uuid *ids = calloc(COUNT, sizeof *ids);
    assert_non_null(ids);
    uint8_t ever[16] = {0};
    uint8_t always[16];
    memset(always, 0xFF, sizeof always);
    for (size_t i = 0; i < COUNT; i++) {
        ids[i] = uuid_random();
        assert_int_equal(ids[i].b[6] >> 4, 4);
        assert_int_equal(ids[i].b[8] >> 6, 2);
        for (size_t k = 0; k < 16; k++) {
            ever[k] |= ids[i].b[k];
            always[k] &= ids[i].b[k];
        }
    }
    /* Every bit but the six fixed ones was seen as 0 and as 1. */
    for (size_t k = 0; k < 16; k++) {
        assert_int_equal(ever[k], k == 6 ? 0x4F : k == 8 ? 0xBF : 0xFF);
        assert_int_equal(always[k], k == 6 ? 0x40 : k == 8 ? 0x80 : 0x00);
    }
    qsort(ids, COUNT, sizeof *ids, compare);
    for (size_t i = 1; i < COUNT; i++)
        assert_false(uuid_equal(&ids[i - 1], &ids[i]));
    free(ids);
}

static void print_next_id(void)
{
    struct uuid u = uuid_random();
    char text[UUID_TEXT_LEN];
    uuid_format(&u, text);
    if (write(STDERR_FILENO, text, sizeof text) != (ssize_t)sizeof text)
        _exit(1);
}

static void test_a_child_does_not_mint_its_parents_ids(void **state)
{
    (void)state;
    (void)uuid_random(); /* the block has something left */
    char childs[64];
    char others[64];
    assert_int_equal(unit_in_child(print_next_id, childs, sizeof childs), 0);
    assert_int_equal(unit_in_child(print_next_id, others, sizeof others), 0);
    assert_int_equal(strlen(childs), UUID_TEXT_LEN);
    assert_string_not_equal(childs, others);
    for (int i = 0; i < 300; i++) {
        struct uuid u = uuid_random();
        char text[UUID_TEXT_LEN];
        uuid_format(&u, text);
        assert_memory_not_equal(text, childs, UUID_TEXT_LEN);
    }
}

static void test_format_and_parse(void **state)
{
    (void)state;
    const struct uuid u = {{0x12, 0x3e, 0x45, 0x67, 0xe8, 0x9b, 0x42, 0xd3, 0xa4, 0x56, 0x42, 0x66,
                            0x14, 0x17, 0x40, 0x0f}};
    char text[UUID_TEXT_LEN + 1];
    text[UUID_TEXT_LEN] = '#';
    uuid_format(&u, text);
    assert_memory_equal(text, "123e4567-e89b-42d3-a456-42661417400f#", UUID_TEXT_LEN + 1);

    struct uuid read;
    assert_true(uuid_parse(bytes_of(text, UUID_TEXT_LEN), &read));
    assert_true(uuid_equal(&u, &read));
    assert_true(uuid_parse(BYTES("123E4567-E89B-42D3-A456-42661417400F"), &read));
    assert_true(uuid_equal(&u, &read));

    for (int i = 0; i < 1000; i++) {
        struct uuid v = uuid_random();
        uuid_format(&v, text);
        char theirs[UUID_STR_LEN];
        uuid_unparse_lower(v.b, theirs);
        assert_memory_equal(text, theirs, UUID_TEXT_LEN);
        assert_true(uuid_parse(bytes_of(text, UUID_TEXT_LEN), &read));
        assert_true(uuid_equal(&v, &read));
    }
}

/* Each place of the text with each byte: what is accepted is exactly what the form says. */
static void test_parse_is_strict_at_every_place(void **state)
{
    (void)state;
    for (size_t place = 0; place < UUID_TEXT_LEN; place++) {
        bool dash = place == 8 || place == 13 || place == 18 || place == 23;
        for (int c = 0; c < 256; c++) {
            uint8_t text[] = "00000000-0000-0000-0000-000000000000";
            text[place] = (uint8_t)c;
            bool hex = (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F');
            struct uuid u;
            memset(&u, 0x55, sizeof u);
            bool read = uuid_parse(bytes_of(text, UUID_TEXT_LEN), &u);
            assert_int_equal(read, dash ? c == '-' : hex);
            if (!read)
                assert_int_equal(u.b[place % 16], 0x55);
        }
    }
    struct uuid u;
    assert_false(uuid_parse(BYTES("00000000-0000-0000-0000-00000000000"), &u));
    assert_false(uuid_parse(BYTES("00000000-0000-0000-0000-0000000000000"), &u));
    assert_false(uuid_parse((struct bytes){0}, &u));
}

static void test_zero_and_hash(void **state)
{
    (void)state;
    struct uuid u = {{0}};
    assert_true(uuid_is_zero(&u));
    u.b[15] = 1;
    assert_false(uuid_is_zero(&u));
    struct uuid v = u;
    assert_true(uuid_hash(&u) == uuid_hash(&v));
    v.b[0] = 1;
    assert_true(uuid_hash(&u) != uuid_hash(&v));
}

static int start(void **state)
{
    (void)state;
    crypto_init();
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_random_ids_differ_and_are_version_4),
        cmocka_unit_test(test_a_child_does_not_mint_its_parents_ids),
        cmocka_unit_test(test_format_and_parse),
        cmocka_unit_test(test_parse_is_strict_at_every_place),
        cmocka_unit_test(test_zero_and_hash),
    };
    return cmocka_run_group_tests(tests, start, NULL);
}
