#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/crypto.h"
#include "net/crowd.h"

static struct conn_address address(const char *text)
{
    struct conn_address a;
    assert_true(address_parse(bytes_cstr(text), &a));
    return a;
}

static void test_each_address_has_its_own_room(void **state)
{
    (void)state;
    struct crowd cr;
    struct conn_address a = address("192.0.2.1"), b = address("192.0.2.2");
    crowd_init(&cr, 2, NULL);
    for (int i = 0; i < 2; i++) {
        assert_true(crowd_has_room(&cr, a));
        crowd_enter(&cr, a);
    }
    assert_false(crowd_has_room(&cr, a));
    assert_true(crowd_has_room(&cr, b));
    crowd_enter(&cr, b);
    crowd_leave(&cr, a);
    assert_true(crowd_has_room(&cr, a));
    crowd_leave(&cr, a);
    assert_int_equal(map_count(&cr.addresses), 1); /* nobody is remembered who has gone */
    crowd_release(&cr);
}

static void test_a_network_of_ipv6_is_one(void **state)
{
    (void)state;
    struct crowd cr;
    crowd_init(&cr, 1, NULL);
    crowd_enter(&cr, address("2001:db8:0:1::1"));
    assert_false(crowd_has_room(&cr, address("2001:db8:0:1:ffff::2")));
    assert_true(crowd_has_room(&cr, address("2001:db8:0:2::1")));
    crowd_leave(&cr, address("2001:db8:0:1:abcd::3")); /* the same, to who counts */
    assert_int_equal(map_count(&cr.addresses), 0);
    crowd_release(&cr);
}

static void test_proxies_are_exempt(void **state)
{
    (void)state;
    struct crowd cr;
    struct address_nets proxies;
    struct bytes bad;
    assert_true(address_nets_parse(BYTES("10.0.0.0/8"), &proxies, &bad));
    crowd_init(&cr, 1, &proxies);
    for (int i = 0; i < 3; i++) {
        assert_true(crowd_has_room(&cr, address("10.1.2.3")));
        crowd_enter(&cr, address("10.1.2.3"));
    }
    crowd_enter(&cr, address("11.1.2.3"));
    assert_false(crowd_has_room(&cr, address("11.1.2.3")));
    crowd_release(&cr); /* with everybody there */
}

static void test_no_limit_counts_nobody(void **state)
{
    (void)state;
    struct crowd cr;
    crowd_init(&cr, 0, NULL);
    for (int i = 0; i < 100; i++) {
        crowd_enter(&cr, address("192.0.2.1"));
        assert_true(crowd_has_room(&cr, address("192.0.2.1")));
    }
    assert_int_equal(map_count(&cr.addresses), 0);
    for (int i = 0; i < 100; i++)
        crowd_leave(&cr, address("192.0.2.1"));
    crowd_release(&cr);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_each_address_has_its_own_room),
        cmocka_unit_test(test_a_network_of_ipv6_is_one),
        cmocka_unit_test(test_proxies_are_exempt),
        cmocka_unit_test(test_no_limit_counts_nobody),
    };
    crypto_init();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
