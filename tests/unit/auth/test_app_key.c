#include "auth/app_key.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "auth/secret_file.h"
#include "base/crypto.h"

#define KEY "0123456789abcdef0123456789abcdef"

static char path[] = "/tmp/groups-chat-secret-XXXXXX";

static int setup(void **state)
{
    (void)state;
    crypto_init();
    int fd = mkstemp(path);
    return fd >= 0 ? close(fd) : -1;
}

static int teardown(void **state)
{
    (void)state;
    return unlink(path);
}

static void put(struct bytes text)
{
    FILE *f = fopen(path, "w");
    assert_non_null(f);
    assert_int_equal(fwrite(text.p, 1, text.len, f), text.len);
    assert_int_equal(fclose(f), 0);
}

static void test_content(void **state)
{
    static const struct {
        struct bytes text;
        size_t len; /* 0: refused */
    } cases[] = {
        {BYTES(""), 0},
        {BYTES("0123456789abcdef0123456789abcde"), 0},
        {BYTES("0123456789abcdef0123456789abcde\n\n\n"), 0},
        {BYTES(KEY), 32},
        {BYTES(KEY "\n"), 32},
        {BYTES(" \t\r\n\v\f" KEY " \t\r\n\v\f"), 32},
        {BYTES(KEY " " KEY), 65},
        {BYTES(KEY "\0"), 33},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct secret secret = {.len = 0};
        const char *why = NULL;
        put(cases[i].text);
        enum err err = secret_file_read(path, &secret, &why);
        assert_int_equal(err, cases[i].len > 0 ? ERR_ok : ERR_io);
        assert_int_equal(secret.len, cases[i].len);
        assert_int_equal(why == NULL, cases[i].len > 0);
        if (cases[i].len > 0)
            assert_memory_equal(secret.b, KEY, 32);
    }
}

static void test_longest(void **state)
{
    uint8_t text[4 * SECRET_LEN_MAX];
    struct secret secret = {.len = 0};
    const char *why;
    (void)state;
    memset(text, 'x', sizeof text);
    for (size_t len = SECRET_LEN_MAX - 1; len <= SECRET_LEN_MAX; len++) {
        put(bytes_of(text, len));
        assert_int_equal(secret_file_read(path, &secret, &why), ERR_ok);
        assert_int_equal(secret.len, len);
    }
    put(bytes_of(text, SECRET_LEN_MAX + 1));
    assert_int_equal(secret_file_read(path, &secret, &why), ERR_io);
    put(bytes_of(text, sizeof text));
    assert_int_equal(secret_file_read(path, &secret, &why), ERR_io);
}

static void test_key(void **state)
{
    struct app_key key = {.there = false};
    const char *why;
    (void)state;
    assert_false(app_key_is(&key, BYTES(KEY)));
    put(BYTES(KEY "\n"));
    assert_int_equal(app_key_load(path, &key, &why), ERR_ok);
    assert_true(app_key_is(&key, BYTES(KEY)));
    assert_false(app_key_is(&key, BYTES(KEY "\n")));
    assert_false(app_key_is(&key, BYTES(KEY KEY)));
    assert_false(app_key_is(&key, BYTES("")));
    assert_false(app_key_is(&key, bytes_of(key.hash, sizeof key.hash)));
    for (size_t i = 0; i < 32; i++) {
        uint8_t other[] = KEY;
        other[i] ^= 1;
        assert_false(app_key_is(&key, bytes_of(other, 32)));
    }
}

static void test_no_key(void **state)
{
    struct app_key key = {.there = false};
    const char *why;
    (void)state;
    put(BYTES(KEY " " KEY));
    assert_int_equal(app_key_load(path, &key, &why), ERR_io);
    put(BYTES(KEY "\x7f"));
    assert_int_equal(app_key_load(path, &key, &why), ERR_io);
    assert_int_equal(app_key_load("/nowhere/at/all", &key, &why), ERR_io);
    assert_string_equal(why, "is not there");
    put(BYTES(KEY));
    assert_int_equal(chmod(path, 0640), 0);
    assert_int_equal(app_key_load(path, &key, &why), ERR_io);
    assert_int_equal(chmod(path, 0600), 0);
    assert_false(key.there);
    assert_false(app_key_is(&key, BYTES(KEY)));
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_content),
                                       cmocka_unit_test(test_longest), cmocka_unit_test(test_key),
                                       cmocka_unit_test(test_no_key)};
    return cmocka_run_group_tests(tests, setup, teardown);
}
