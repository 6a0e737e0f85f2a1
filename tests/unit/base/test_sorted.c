#include "base/sorted.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define MANY 20000u

struct name {
    char text[12];
};

static struct bytes key_of(const void *entry)
{
    const struct name *n = entry;
    return bytes_of(n->text, strlen(n->text));
}

static struct name names[MANY];

static struct sorted empty(void)
{
    return (struct sorted){.key = key_of};
}

/* Numbers of five digits, so that their order is that of the texts. */
static void name_all(void)
{
    for (uint32_t i = 0; i < MANY; i++)
        (void)snprintf(names[i].text, sizeof names[i].text, "%05u", i);
}

static struct bytes text(uint32_t i)
{
    return key_of(&names[i]);
}

static void assert_in_order(const struct sorted *s, uint32_t step)
{
    const struct name *at = sorted_find(s, bytes_of("", 0), false);
    for (uint32_t i = 0; i < MANY; i += step) {
        assert_ptr_equal(at, &names[i]);
        at = sorted_find(s, key_of(at), true);
    }
    assert_null(at);
}

static void add_in_order(struct sorted *s, uint32_t first, uint32_t step)
{
    for (uint32_t i = first; i < MANY; i += step)
        sorted_add(s, &names[i]);
}

static void test_empty(void **state)
{
    (void)state;
    struct sorted s = empty();
    assert_null(sorted_find(&s, BYTES("a"), false));
    assert_null(sorted_find(&s, BYTES(""), true));
    assert_int_equal(sorted_count(&s), 0);
    sorted_release(&s);
}

static void test_upwards_and_downwards(void **state)
{
    (void)state;
    struct sorted s = empty();
    name_all();
    add_in_order(&s, 0, 1);
    assert_in_order(&s, 1);
    assert_int_equal(sorted_count(&s), MANY);
    sorted_release(&s);
    assert_int_equal(sorted_count(&s), 0);
    for (uint32_t i = MANY; i-- > 0;)
        sorted_add(&s, &names[i]);
    assert_in_order(&s, 1);
    sorted_release(&s);
}

/* Keys that come in order fill the blocks. */
static void test_in_order_is_dense(void **state)
{
    (void)state;
    struct sorted s = empty();
    name_all();
    add_in_order(&s, 0, 1);
    assert_true(s.count < MANY / 250);
    sorted_release(&s);
}

static void test_some_here_some_there(void **state)
{
    (void)state;
    struct sorted s = empty();
    name_all();
    for (uint32_t first = 0; first < 7; first++)
        add_in_order(&s, (first * 3) % 7, 7);
    assert_in_order(&s, 1);
    /* Every other one goes; blocks become empty where all go. */
    for (uint32_t i = 1; i < MANY; i += 2)
        sorted_remove(&s, &names[i]);
    assert_in_order(&s, 2);
    assert_int_equal(sorted_count(&s), MANY / 2);
    for (uint32_t i = 0; i < MANY; i += 2) {
        assert_ptr_equal(sorted_find(&s, text(i), false), &names[i]);
        assert_ptr_equal(sorted_find(&s, text(i + 1), false), i + 2 < MANY ? &names[i + 2] : NULL);
        assert_ptr_equal(sorted_find(&s, text(i), true), i + 2 < MANY ? &names[i + 2] : NULL);
    }
    for (uint32_t i = 0; i < MANY; i += 2)
        sorted_remove(&s, &names[i]);
    assert_int_equal(s.count, 0);
    assert_null(sorted_find(&s, text(0), false));
    add_in_order(&s, 0, 1);
    assert_in_order(&s, 1);
    sorted_release(&s);
}

static void test_what_begins_with_something(void **state)
{
    (void)state;
    static struct name some[] = {{"an"}, {"anna"}, {"annabel"}, {"anne"}, {"bert"}};
    struct sorted s = empty();
    for (uint32_t i = 5; i-- > 0;)
        sorted_add(&s, &some[i]);
    assert_ptr_equal(sorted_find(&s, BYTES("a"), false), &some[0]);
    assert_ptr_equal(sorted_find(&s, BYTES("an"), true), &some[1]);
    assert_ptr_equal(sorted_find(&s, BYTES("anna"), false), &some[1]);
    assert_ptr_equal(sorted_find(&s, BYTES("annab"), false), &some[2]);
    assert_ptr_equal(sorted_find(&s, BYTES("annz"), false), &some[4]);
    assert_null(sorted_find(&s, BYTES("bertb"), false));
    /* Bytes are not signed. */
    assert_null(sorted_find(&s, BYTES("\xc3\xa4"), false));
    sorted_release(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_empty),
        cmocka_unit_test(test_upwards_and_downwards),
        cmocka_unit_test(test_in_order_is_dense),
        cmocka_unit_test(test_some_here_some_there),
        cmocka_unit_test(test_what_begins_with_something),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
