#include "unit.h"

#include "base/buf.h"
#include "base/crypto.h"
#include "base/json_read.h"

/* Every case of json_cases.def, with the limits that the server has by default. */

static const struct json_limits limits = {.depth_max = 32, .token_max = 16384};

/* Reads a copy that ends where its memory ends, so that a sanitizer sees a byte read too many. */
static bool is_taken(struct bytes text)
{
    struct arena arena = {0};
    struct json root;
    const char *why = NULL;
    uint8_t *copy = malloc(text.len == 0 ? 1 : text.len);
    assert_non_null(copy);
    if (text.len != 0)
        memcpy(copy, text.p, text.len);
    bool taken = json_read(bytes_of(copy, text.len), limits, &arena, &root, &why) == ERR_ok;
    assert_int_equal(taken, why == NULL);
    if (taken) { /* what is taken is there from its first byte to its last but for the space */
        struct bytes raw = json_raw(root);
        assert_true(json_type(root) != JSON_NONE && raw.len > 0 && raw.len <= text.len);
    }
    arena_release(&arena);
    free(copy);
    return taken;
}

static void check(const char *name, struct bytes text, bool wanted)
{
    if (is_taken(text) != wanted)
        fail_msg("%s is %s", name, wanted ? "refused" : "taken");
}

static void check_times(const char *name, struct bytes a, unsigned n, struct bytes b, unsigned m,
                        bool wanted)
{
    struct buf text = {0};
    for (unsigned i = 0; i < n; i++)
        buf_add_bytes(&text, a);
    for (unsigned i = 0; i < m; i++)
        buf_add_bytes(&text, b);
    check(name, buf_bytes(&text), wanted);
    buf_release(&text);
}

static void test_cases(void **state)
{
    (void)state;
#define VALID(name, text)               check(name, BYTES(text), true);
#define TAKEN(name, text)               check(name, BYTES(text), true);
#define INVALID(name, text)             check(name, BYTES(text), false);
#define REFUSED(name, text)             check(name, BYTES(text), false);
#define VALID_TIMES(name, a, n, b, m)   check_times(name, BYTES(a), n, BYTES(b), m, true);
#define TAKEN_TIMES(name, a, n, b, m)   check_times(name, BYTES(a), n, BYTES(b), m, true);
#define INVALID_TIMES(name, a, n, b, m) check_times(name, BYTES(a), n, BYTES(b), m, false);
#define REFUSED_TIMES(name, a, n, b, m) check_times(name, BYTES(a), n, BYTES(b), m, false);
#include "json_cases.def"
}

static int set_up(void **state)
{
    (void)state;
    crypto_init();
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_cases),
    };
    return cmocka_run_group_tests_name("json_cases", tests, set_up, NULL);
}
