#include "unit.h"

#include "base/err.h"

static void test_known_lines(void **state)
{
    (void)state;
    assert_int_equal(ERR_ok, 0);
    assert_string_equal(err_code(ERR_ok), "ok");
    assert_int_equal(err_status(ERR_ok), 200);
    assert_string_equal(err_code(ERR_username_taken), "username_taken");
    assert_int_equal(err_status(ERR_username_taken), 409);
    assert_string_equal(err_code(ERR_head_too_large), "head_too_large");
    assert_int_equal(err_status(ERR_head_too_large), 431);
}

static void test_every_line_is_fit_for_its_readers(void **state)
{
    (void)state;
    for (int e = 1; e < ERR_COUNT; e++) {
        const char *code = err_code((enum err)e);
        assert_true(code[0] != '\0');
        assert_int_equal(strspn(code, "abcdefghijklmnopqrstuvwxyz_0123456789"), strlen(code));
        int status = err_status((enum err)e);
        assert_true(status == 200 || (status >= 400 && status < 600));
        const char *sentence = err_sentence((enum err)e);
        size_t len = strlen(sentence);
        assert_true(len > 1 && sentence[0] >= 'A' && sentence[0] <= 'Z');
        assert_int_equal(sentence[len - 1], '.');
        /* It is put into JSON as it is. */
        assert_null(strpbrk(sentence, "\"\\\n"));
        for (int other = 0; other < e; other++)
            assert_string_not_equal(code, err_code((enum err)other));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_known_lines),
        cmocka_unit_test(test_every_line_is_fit_for_its_readers),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
