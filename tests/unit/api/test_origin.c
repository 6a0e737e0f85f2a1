#include "api/origin.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

static const char *const fine[] = {
    "https://chat.example",
    "http://localhost:8080",
    "http://127.0.0.1:3000",
    "https://[2001:db8::1]",
    "https://[::1]:8443",
    "https://xn--bcher-kva.example",
    "http://a",
    "http://chat.example:443",
    "https://chat.example:80",
    "capacitor://localhost",
    "chrome-extension://abcde",
    "app+x-y.z://host_name",
    "http://localhost:65535",
};

static const char *const refused[] = {
    "*",
    "null",
    "chat.example",
    "//chat.example",
    "https:chat.example",
    "https:/chat.example",
    "https://",
    "https:///",
    "https://chat.example/",
    "https://chat.example/x",
    "https://chat.example?x",
    "https://chat.example#x",
    "https://*.chat.example",
    "https://*",
    "HTTPS://chat.example",
    "https://Chat.example",
    "https://chat.example:443",
    "http://chat.example:80",
    "https://chat.example:",
    "https://chat.example:0",
    "https://chat.example:080",
    "https://chat.example:65536",
    "https://chat.example:123456",
    "https://chat.example:8a",
    "https://user@chat.example",
    "https://\xc3\xbc.example",
    "https://[::1",
    "https://[]",
    "https://[::1]x",
    "https://[::G]",
    "1http://a",
    "://a",
    "https://a b",
    "http://a\r\nx: y",
};

static void test_what_is_an_origin(void **state)
{
    (void)state;
    struct origins o;
    struct bytes bad;

    for (size_t i = 0; i < sizeof fine / sizeof fine[0]; i++) {
        if (!origins_parse(bytes_cstr(fine[i]), &o, &bad))
            fail_msg("%s", fine[i]);
        assert_int_equal(o.count, 1);
        assert_true(bytes_equal(o.list[0], bytes_cstr(fine[i])));
    }
    for (size_t i = 0; i < sizeof refused / sizeof refused[0]; i++) {
        if (origins_parse(bytes_cstr(refused[i]), &o, &bad))
            fail_msg("%s", refused[i]);
        assert_true(bytes_equal(bad, bytes_cstr(refused[i])));
    }
}

static void test_lists(void **state)
{
    (void)state;
    struct origins o;
    struct bytes bad;
    char many[9 * (ORIGINS_MAX + 1) + 1];
    char longest[400] = "http://";

    assert_true(origins_parse(BYTES(""), &o, &bad));
    assert_int_equal(o.count, 0);
    assert_true(origins_parse(BYTES(" http://a ,, http://b,"), &o, &bad));
    assert_int_equal(o.count, 2);
    assert_true(bytes_equal(o.list[0], BYTES("http://a")));
    assert_true(bytes_equal(o.list[1], BYTES("http://b")));
    assert_false(origins_parse(BYTES("http://a, http://B ,http://c"), &o, &bad));
    assert_true(bytes_equal(bad, BYTES("http://B")));

    for (int i = 0; i <= ORIGINS_MAX; i++)
        memcpy(many + 9 * i, "http://a,", 10);
    assert_false(origins_parse(bytes_cstr(many), &o, &bad));
    many[9 * ORIGINS_MAX] = '\0';
    assert_true(origins_parse(bytes_cstr(many), &o, &bad));
    assert_int_equal(o.count, ORIGINS_MAX);

    memset(longest + 7, 'a', 293);
    assert_true(origins_parse(bytes_cstr(longest), &o, &bad));
    longest[300] = 'a';
    assert_false(origins_parse(bytes_cstr(longest), &o, &bad));
}

static struct http_request request(struct http_field *fields, uint32_t count)
{
    return (struct http_request){.method = HTTP_OPTIONS_, .fields = fields, .field_count = count};
}

static void test_places(void **state)
{
    (void)state;
    struct origins o, none = {0};
    struct bytes bad;
    struct http_field fields[2] = {{BYTES("Origin"), BYTES("http://b")},
                                   {BYTES("origin"), BYTES("http://b")}};
    struct http_request with = request(fields, 1), twice = request(fields, 2),
                        without = request(fields, 0);

    assert_true(origins_parse(BYTES("http://a,http://b"), &o, &bad));
    assert_int_equal(origins_place(&o, &with), 2);
    assert_int_equal(origins_place(&none, &with), 0);
    assert_int_equal(origins_place(&o, &without), 0);
    assert_int_equal(origins_place(&o, &twice), 0);
    assert_true(origins_admit(&o, &with));
    assert_true(origins_admit(&o, &without));
    assert_false(origins_admit(&o, &twice));
    assert_true(origins_admit(&none, &with));
    assert_true(origins_admit(&none, &twice));

    static const char *const others[] = {
        "",          "null",        "http://B",      "http://b/",  "http://bb",
        "https://b", "http://b:80", "http://b:8080", "http://a.b", "http://a,http://b",
        "*"};
    for (size_t i = 0; i < sizeof others / sizeof others[0]; i++) {
        fields[0].value = bytes_cstr(others[i]);
        assert_int_equal(origins_place(&o, &with), 0);
        assert_false(origins_admit(&o, &with));
    }
}

static void assert_fields(const struct origins *o, uint16_t place, struct bytes wanted)
{
    char fields[ORIGINS_FIELDS_MAX];

    size_t len = origins_fields(o, place, fields);
    assert_true(bytes_equal(bytes_of(fields, len), wanted));
}

static void test_fields(void **state)
{
    (void)state;
    struct origins o, none = {0};
    struct bytes bad;
    char longest[301] = "http://", fields[ORIGINS_FIELDS_MAX];

    assert_true(origins_parse(BYTES("http://a,http://b"), &o, &bad));
    assert_fields(&none, 0, BYTES(""));
    assert_fields(&o, 0, BYTES("vary: origin\r\n"));
    assert_fields(&o, 2,
                  BYTES("vary: origin\r\naccess-control-allow-origin: http://b\r\n"
                        "access-control-expose-headers: retry-after\r\n"));
    memset(longest + 7, 'a', 293);
    assert_true(origins_parse(bytes_cstr(longest), &o, &bad));
    size_t len = origins_fields(&o, 1, fields);
    assert_true(len > 300 && len < sizeof fields);
    assert_memory_equal(fields + len - 2, "\r\n", 2);
}

static void test_preflights(void **state)
{
    (void)state;
    struct http_field fields[1] = {{BYTES("Access-Control-Request-Method"), BYTES("PUT")}};
    struct http_request r = request(fields, 1);

    assert_true(origins_is_preflight(&r));
    r.method = HTTP_PUT_;
    assert_false(origins_is_preflight(&r));
    r = request(fields, 0);
    assert_false(origins_is_preflight(&r));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_what_is_an_origin),
        cmocka_unit_test(test_lists),
        cmocka_unit_test(test_places),
        cmocka_unit_test(test_fields),
        cmocka_unit_test(test_preflights),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
