#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/bytes.h"
#include "hooks/url.h"

static void test_good(void **state)
{
    static const char *const urls[] = {
        "http://h",
        "http://h/",
        "https://hooks.example.com/a/b?c=d&e=%20f",
        "HTTPS://Example.COM",
        "http://127.0.0.1:8080/x",
        "http://[::1]/x",
        "http://[2001:db8::1]:65535",
        "http://h:1/",
        "http://h?x",
        "http://a_b-c.d/~e/@f:g;h,i'j(k)*!$+",
    };
    (void)state;
    for (size_t i = 0; i < sizeof urls / sizeof urls[0]; i++) {
        if (!hook_url_valid(bytes_cstr(urls[i])))
            fail_msg("refused: %s", urls[i]);
    }
}

static void test_bad(void **state)
{
    static const char *const urls[] = {
        "",
        "http",
        "http:",
        "http://",
        "http:///x",
        "http:/h/x",
        "https://",
        "ftp://h/",
        "file:///etc/passwd",
        "gopher://h/",
        "javascript:alert(1)",
        " http://h",
        "http://h ",
        "http://user@h/",
        "http://user:password@h/",
        "http://h:@x/",
        "http://h:0/",
        "http://h:65536/",
        "http://h:99999999999999999999/",
        "http://h:/",
        "http://h:8o/",
        "http://:80/",
        "http://?x",
        "http://[::1",
        "http://[]/",
        "http://[::1]x/",
        "http://[::1]:/",
        "http://[::g%25eth0]/",
        "http://h#f",
        "http://h/#f",
        "http://h/a b",
        "http://h/\x7f",
        "http://h/\n",
        "http://h\r\nx: y/",
        "http://h/\xc3\xa4",
        "http://h\xc3\xa4/",
        "http://h/\"",
        "http://h/<x>",
        "http://h/\\x",
        "http://h\\@x/",
        "http://h/`",
        "http://h/{x}",
        "http://h/|^",
    };
    (void)state;
    for (size_t i = 0; i < sizeof urls / sizeof urls[0]; i++) {
        if (hook_url_valid(bytes_cstr(urls[i])))
            fail_msg("taken: %s", urls[i]);
    }
    assert_false(hook_url_valid(BYTES("http://h/\0x")));
    assert_false(hook_url_valid(BYTES("http://h\0x/")));
    assert_false(hook_url_valid(BYTES("http://[::\0]/")));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_good),
        cmocka_unit_test(test_bad),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
