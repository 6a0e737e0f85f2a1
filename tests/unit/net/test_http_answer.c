#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/err.h"
#include "net/http.h"

static bool has(const struct buf *b, const char *text)
{
    return memmem(b->p, b->len, text, strlen(text)) != NULL;
}

static bool ends_with(const struct buf *b, const char *text)
{
    size_t n = strlen(text);
    return b->len >= n && memcmp(b->p + b->len - n, text, n) == 0;
}

static void test_answer(void **state)
{
    struct buf b = {0};
    struct http_answer a = {.status = 201,
                            .type = BYTES("application/json"),
                            .body = BYTES("{}"),
                            .extra = BYTES("x-a: 1\r\nx-b: 2\r\n")};
    (void)state;
    http_add_answer(&b, &a);
    assert_memory_equal(b.p, "HTTP/1.1 201 Created\r\n", 22);
    assert_true(has(&b, "\r\ncontent-type: application/json\r\n"));
    assert_true(has(&b, "\r\ncontent-length: 2\r\n"));
    assert_true(has(&b, "\r\nx-a: 1\r\nx-b: 2\r\n"));
    assert_true(has(&b, "\r\ndate: "));
    assert_true(has(&b, " GMT\r\n"));
    assert_false(has(&b, "connection:"));
    assert_true(ends_with(&b, "\r\n\r\n{}"));
    buf_release(&b);
}

static void test_variants(void **state)
{
    struct buf b = {0};
    (void)state;
    http_add_answer(&b,
                    &(struct http_answer){.status = 200, .body = BYTES("abc"), .head_only = true});
    assert_true(has(&b, "content-length: 3\r\n"));
    assert_false(has(&b, "content-type"));
    assert_true(ends_with(&b, "\r\n\r\n"));
    buf_reset(&b);
    http_add_answer(&b, &(struct http_answer){.status = 204});
    assert_false(has(&b, "content-length")); /* RFC 9110, 8.6 */
    buf_reset(&b);
    http_add_answer(&b, &(struct http_answer){.status = 400, .close = true, .version_1_0 = true});
    assert_true(has(&b, "connection: close\r\n"));
    assert_true(has(&b, "content-length: 0\r\n"));
    buf_reset(&b);
    http_add_answer(&b, &(struct http_answer){.status = 200, .version_1_0 = true});
    assert_true(has(&b, "connection: keep-alive\r\n"));
    buf_release(&b);
}

/* Every status that an error of ours has must have its phrase. */
static void test_phrases(void **state)
{
    (void)state;
    for (int e = 0; e < ERR_COUNT; e++)
        assert_string_not_equal(http_phrase(err_status((enum err)e)), "");
    assert_string_equal(http_phrase(299), "");
}

/* The example of RFC 6455, 1.3. */
static void test_websocket_answer(void **state)
{
    struct buf b = {0};
    (void)state;
    http_add_websocket_answer(&b, BYTES("dGhlIHNhbXBsZSBub25jZQ=="));
    assert_memory_equal(b.p, "HTTP/1.1 101 Switching Protocols\r\n", 34);
    assert_true(has(&b, "\r\nupgrade: websocket\r\n"));
    assert_true(has(&b, "\r\nconnection: Upgrade\r\n"));
    assert_true(ends_with(&b, "\r\nsec-websocket-accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n"));
    buf_release(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_answer),
        cmocka_unit_test(test_variants),
        cmocka_unit_test(test_phrases),
        cmocka_unit_test(test_websocket_answer),
    };
    return cmocka_run_group_tests_name("http_answer", tests, NULL, NULL);
}
