#include "net/address.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "net/http.h"

static struct conn_address address(const char *text)
{
    struct conn_address a;

    if (!address_parse(bytes_cstr(text), &a))
        fail_msg("%s", text);
    return a;
}

static void assert_same(struct conn_address a, struct conn_address b)
{
    assert_memory_equal(a.b, b.b, sizeof a.b);
}

static void test_addresses(void **state)
{
    (void)state;
    static const uint8_t v4[16] = {[10] = 0xff, [11] = 0xff, [12] = 192, [14] = 2, [15] = 1};
    static const uint8_t v6[16] = {0x20, 0x01, 0x0d, 0xb8, [15] = 1};

    assert_memory_equal(address("192.0.2.1").b, v4, 16);
    assert_memory_equal(address("::ffff:192.0.2.1").b, v4, 16);
    assert_memory_equal(address("::FFFF:c000:0201").b, v4, 16);
    assert_memory_equal(address("2001:db8::1").b, v6, 16);
    assert_memory_equal(address("2001:0DB8:0:0:0:0:0:1").b, v6, 16);
}

static void test_what_is_no_address(void **state)
{
    (void)state;
    static const char *const refused[] = {
        "",           " ",          "1.2.3",       "1.2.3.4.5",
        "1.2.3.256",  "01.2.3.4",   "1.2.3.4 ",    " 1.2.3.4",
        "1.2.3.4:80", "[::1]",      "::1%lo",      "fe80::1%25eth0",
        "1::2::3",    "12345::",    "localhost",   "unknown",
        "_hidden",    "0x7f.0.0.1", "1.2.3.4/32",  "::ffff:1.2.3.4.5",
        ":",          ":::",        "2130706433",  "1:2:3:4:5:6:7:8:9",
        "-1.2.3.4",   "1.2.3.4\n",  "\xc2\xb9::1", "1234:1234:1234:1234:1234:1234:255.255.255.2550",
    };
    struct conn_address a, before;

    memset(&before, 0xee, sizeof before);
    a = before;
    for (size_t i = 0; i < sizeof refused / sizeof refused[0]; i++) {
        if (address_parse(bytes_cstr(refused[i]), &a))
            fail_msg("%s", refused[i]);
        assert_same(a, before);
    }
    assert_false(address_parse(BYTES("1.2.3.4\0"), &a));
    assert_false(address_parse((struct bytes){NULL, 0}, &a));
}

static struct address_nets nets(const char *list)
{
    struct address_nets n;
    struct bytes bad;

    if (!address_nets_parse(bytes_cstr(list), &n, &bad))
        fail_msg("%.*s", (int)bad.len, (const char *)bad.p);
    return n;
}

static void assert_has(const char *list, const char *text, bool has)
{
    struct address_nets n = nets(list);

    if (address_nets_have(&n, address(text)) != has)
        fail_msg("%s in %s", text, list);
}

static void test_networks(void **state)
{
    (void)state;
    assert_has("", "127.0.0.1", false);
    assert_has("127.0.0.1", "127.0.0.1", true);
    assert_has("127.0.0.1", "127.0.0.2", false);
    assert_has("127.0.0.1", "::1", false);
    assert_has("127.0.0.1", "::ffff:127.0.0.1", true);
    assert_has("10.0.0.0/8", "10.255.255.255", true);
    assert_has("10.0.0.0/8", "11.0.0.0", false);
    assert_has("192.0.2.128/25", "192.0.2.127", false);
    assert_has("192.0.2.128/25", "192.0.2.128", true);
    assert_has("192.0.2.1/32", "192.0.2.1", true);
    assert_has("192.0.2.1/32", "192.0.2.0", false);
    assert_has("0.0.0.0/0", "255.255.255.255", true);
    assert_has("0.0.0.0/0", "2001:db8::1", false);
    assert_has("::/0", "1.2.3.4", true);
    assert_has("2001:db8::/33", "2001:db8:7fff::1", true);
    assert_has("2001:db8::/33", "2001:db8:8000::1", false);
    assert_has("2001:db8::1/128", "2001:db8::1", true);
    assert_has("2001:db8::1/128", "2001:db8::", false);
    assert_has(" ::1 , 127.0.0.1 ,, 10.0.0.0/8", "10.1.1.1", true);
    assert_has(" ::1 , 127.0.0.1 ,, 10.0.0.0/8", "::1", true);
    assert_int_equal(nets(",, ,").count, 0);
}

static void test_what_is_no_network(void **state)
{
    (void)state;
    static const char *const refused[] = {
        "localhost",  "10.0.0.1/8",   "10.0.0.0/33",      "10.0.0.0/",
        "10.0.0.0/x", "10.0.0.0/08",  "10.0.0.0/-1",      "10.0.0.0/8/8",
        "/8",         "10/8",         "2001:db8::/129",   "2001:db8::1/64",
        "[::1]",      "10.0.0.0 /8",  "10.0.0.0/ 8",      "10.0.0.0/4294967304",
        "*",          "10.0.0.0/255", "::ffff:0.0.0.0/8",
    };
    struct address_nets n;
    struct bytes bad;
    char list[64];

    for (size_t i = 0; i < sizeof refused / sizeof refused[0]; i++) {
        (void)snprintf(list, sizeof list, "127.0.0.1, %s ,::1", refused[i]);
        if (address_nets_parse(bytes_cstr(list), &n, &bad))
            fail_msg("%s", refused[i]);
        assert_true(bytes_equal(bad, bytes_cstr(refused[i])));
    }
}

static void test_as_many_networks_as_there_may_be(void **state)
{
    (void)state;
    char list[8 * (ADDRESS_NETS_MAX + 1) + 1] = "";
    struct address_nets n;
    struct bytes bad;

    for (int i = 0; i < ADDRESS_NETS_MAX; i++)
        memcpy(list + 8 * i, "1.2.3.4,", 9);
    assert_int_equal(nets(list).count, ADDRESS_NETS_MAX);
    memcpy(list + 8 * ADDRESS_NETS_MAX, "1.2.3.5", 8);
    assert_false(address_nets_parse(bytes_cstr(list), &n, &bad));
    assert_true(bytes_equal(bad, BYTES("1.2.3.5")));
}

/* ---- behind proxies -------------------------------------------------------------------------- */

#define TRUSTED "10.0.0.0/8, fd00::/8"

/* The client where `peer` sends these fields X-Forwarded-For, NULL at the end. */
static struct conn_address client_of(const char *trusted, const char *peer,
                                     const char *const *values)
{
    struct address_nets n = nets(trusted);
    struct http_field fields[8] = {{BYTES("host"), BYTES("9.9.9.9")}};
    struct http_request r = {.fields = fields, .field_count = 1};

    for (; *values != NULL; values++) {
        fields[r.field_count].name =
            r.field_count % 2 ? BYTES("X-Forwarded-For") : BYTES("x-forwarded-for");
        fields[r.field_count++].value = bytes_cstr(*values);
    }
    return address_of_client(&n, address(peer), &r);
}

#define VALUES(...) ((const char *const[]){__VA_ARGS__, NULL})

static void test_who_is_behind_a_proxy(void **state)
{
    (void)state;
    static const struct {
        const char *peer, *value, *client;
    } cases[] = {
        /* Who is not trusted is the client, whatever is said. */
        {"192.0.2.1", "1.2.3.4", "192.0.2.1"},
        {"192.0.2.1", "10.0.0.1", "192.0.2.1"},
        {"2001:db8::1", "1.2.3.4", "2001:db8::1"},
        /* From the right: what the client wrote itself is on the left. */
        {"10.0.0.1", "1.2.3.4", "1.2.3.4"},
        {"10.0.0.1", "6.6.6.6, 1.2.3.4", "1.2.3.4"},
        {"10.0.0.1", "10.0.0.9, 1.2.3.4", "1.2.3.4"},
        {"10.0.0.1", "6.6.6.6,1.2.3.4,10.0.0.2", "1.2.3.4"},
        {"10.0.0.1", "6.6.6.6 ,\t1.2.3.4 ,\t10.0.0.2 , fd00::1", "1.2.3.4"},
        {"fd00::9", "2001:db8::1", "2001:db8::1"},
        {"::ffff:10.0.0.1", "::ffff:1.2.3.4", "1.2.3.4"},
        /* Nobody left who is not trusted: the farthest. */
        {"10.0.0.1", "10.0.0.3, 10.0.0.2", "10.0.0.3"},
        /* With ports. */
        {"10.0.0.1", "1.2.3.4:5678", "1.2.3.4"},
        {"10.0.0.1", "[2001:db8::1]:5678", "2001:db8::1"},
        {"10.0.0.1", "[2001:db8::1]", "2001:db8::1"},
        {"10.0.0.1", "6.6.6.6, [fd00::2]:1", "6.6.6.6"},
        /* What cannot be read ends it: the last that was believed. */
        {"10.0.0.1", "", "10.0.0.1"},
        {"10.0.0.1", ",", "10.0.0.1"},
        {"10.0.0.1", "1.2.3.4,", "10.0.0.1"},
        {"10.0.0.1", "1.2.3.4, unknown", "10.0.0.1"},
        {"10.0.0.1", "1.2.3.4, unknown, 10.0.0.2", "10.0.0.2"},
        {"10.0.0.1", "1.2.3.4, , 10.0.0.2", "10.0.0.2"},
        {"10.0.0.1", "1.2.3.4:", "10.0.0.1"},
        {"10.0.0.1", "1.2.3.4:x", "10.0.0.1"},
        {"10.0.0.1", "1.2.3.4:123456", "10.0.0.1"},
        {"10.0.0.1", "[1.2.3.4]", "10.0.0.1"},
        {"10.0.0.1", "[1.2.3.4]:80", "10.0.0.1"},
        {"10.0.0.1", "[2001:db8::1", "10.0.0.1"},
        {"10.0.0.1", "[2001:db8::1]x", "10.0.0.1"},
        {"10.0.0.1", "[]", "10.0.0.1"},
        {"10.0.0.1", "[", "10.0.0.1"},
        {"10.0.0.1", ":80", "10.0.0.1"},
        {"10.0.0.1", "\"1.2.3.4\"", "10.0.0.1"},
        {"10.0.0.1", "for=1.2.3.4", "10.0.0.1"},
        {"10.0.0.1", "1.2.3.4;1.2.3.5", "10.0.0.1"},
        {"10.0.0.1", "1.2.3.4 1.2.3.5", "10.0.0.1"},
    };

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct conn_address got = client_of(TRUSTED, cases[i].peer, VALUES(cases[i].value));
        struct conn_address wanted = address(cases[i].client);
        if (memcmp(&got, &wanted, sizeof got) != 0)
            fail_msg("%s says %s", cases[i].peer, cases[i].value);
    }
}

/* Several fields are one list, in their order (RFC 9110, 5.3). */
static void test_fields_that_come_more_than_once(void **state)
{
    (void)state;
    assert_same(client_of(TRUSTED, "10.0.0.1", (const char *const[]){NULL}), address("10.0.0.1"));
    assert_same(client_of(TRUSTED, "10.0.0.1", VALUES("6.6.6.6", "1.2.3.4")), address("1.2.3.4"));
    assert_same(client_of(TRUSTED, "10.0.0.1", VALUES("6.6.6.6", "1.2.3.4", "10.0.0.2")),
                address("1.2.3.4"));
    assert_same(client_of(TRUSTED, "10.0.0.1", VALUES("6.6.6.6, 1.2.3.4", "10.0.0.3, 10.0.0.2")),
                address("1.2.3.4"));
    assert_same(client_of(TRUSTED, "10.0.0.1", VALUES("1.2.3.4", "", "10.0.0.2")),
                address("10.0.0.2"));
    assert_same(client_of("", "10.0.0.1", VALUES("1.2.3.4")), address("10.0.0.1"));
    assert_same(client_of("::/0", "10.0.0.1", VALUES("1.2.3.4", "5.6.7.8")), address("1.2.3.4"));
}

static void test_what_counts(void **state)
{
    (void)state;
    assert_same(address_counted(address("192.0.2.1")), address("192.0.2.1"));
    assert_same(address_counted(address("2001:db8:1:2:3:4:5:6")), address("2001:db8:1:2::"));
    assert_same(address_counted(address("2001:db8:1:3:3:4:5:6")), address("2001:db8:1:3::"));
    assert_same(address_counted(address("::1")), address("::"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_addresses),
        cmocka_unit_test(test_what_is_no_address),
        cmocka_unit_test(test_networks),
        cmocka_unit_test(test_what_is_no_network),
        cmocka_unit_test(test_as_many_networks_as_there_may_be),
        cmocka_unit_test(test_who_is_behind_a_proxy),
        cmocka_unit_test(test_fields_that_come_more_than_once),
        cmocka_unit_test(test_what_counts),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
