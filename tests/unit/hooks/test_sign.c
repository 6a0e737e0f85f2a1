#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include "base/crypto.h"
#include "hooks/sign.h"

static bool reads(struct bytes text, struct bytes want)
{
    struct buf key = {0};
    bool good = sign_key_read(text, &key);

    if (good)
        assert_true(bytes_equal(buf_bytes(&key), want));
    else
        assert_int_equal(key.len, 0);
    buf_release(&key);
    return good;
}

static void test_keys(void **state)
{
    char text[256];
    (void)state;
    memset(text, 'x', sizeof text);
    assert_true(reads(BYTES("s"), BYTES("s")));
    assert_true(reads(BYTES("a secret of theirs"), BYTES("a secret of theirs")));
    assert_true(reads(bytes_of(text, 255), bytes_of(text, 255)));
    assert_false(reads(bytes_of(text, 256), BYTES("")));
    assert_false(reads(BYTES(""), BYTES("")));
    assert_true(reads(BYTES("whsec_"
                            "+/8="),
                      BYTES("\xfb\xff")));
    assert_true(reads(BYTES("whsec_+/8"), BYTES("\xfb\xff")));
    assert_true(reads(BYTES("whsec_YQ=="), BYTES("a")));
    assert_true(reads(BYTES("whsec_YWJj"), BYTES("abc")));
    assert_false(reads(BYTES("whsec_"), BYTES("")));
    assert_false(reads(BYTES("whsec_-_8="), BYTES("")));
    assert_false(reads(BYTES("whsec_YQ="), BYTES("")));
    assert_false(reads(BYTES("whsec_YQ==="), BYTES("")));
    assert_false(reads(BYTES("whsec_===="), BYTES("")));
    assert_false(reads(BYTES("whsec_Y Q="), BYTES("")));
    assert_false(reads(BYTES("whsec_YR=="), BYTES(""))); /* bits behind the end */
}

static void test_longest_key(void **state)
{
    uint8_t key[SIGN_KEY_MAX + 1];
    struct buf text = {0};
    (void)state;
    crypto_random(key, sizeof key);
    for (size_t len = 1; len <= SIGN_KEY_MAX; len++) {
        buf_reset(&text);
        sign_key_write(bytes_of(key, len), &text);
        assert_true(reads(buf_bytes(&text), bytes_of(key, len)));
    }
    buf_reset(&text);
    sign_key_write(bytes_of(key, sizeof key), &text);
    assert_false(reads(buf_bytes(&text), BYTES("")));
    buf_release(&text);
}

/* The example of the scheme's own libraries. */
static void test_example(void **state)
{
    struct buf key = {0}, out = {0};
    (void)state;
    assert_true(sign_key_read(BYTES("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"), &key));
    sign_add(buf_bytes(&key), "msg_p5jXN8AQM9LWM0D4loKWxJek", 1614265330,
             BYTES("{\"test\": 2432232314}"), &out);
    assert_true(
        bytes_equal(buf_bytes(&out), BYTES("v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=")));
    buf_release(&key);
    buf_release(&out);
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
        cmocka_unit_test(test_keys),
        cmocka_unit_test(test_longest_key),
        cmocka_unit_test(test_example),
    };
    return cmocka_run_group_tests(tests, start, NULL);
}
