#include "unit.h"

#include "base/text.h"
#include "base/utf8.h"

static void test_valid_utf8(void **state)
{
    (void)state;
    assert_true(text_utf8_valid((struct bytes){0}));
    assert_true(text_utf8_valid(BYTES("plain, with a NUL \0 in it")));
    assert_true(text_utf8_valid(BYTES("\xc2\x80\xdf\xbf\xe0\xa0\x80\xed\x9f\xbf\xee\x80\x80\xef\xbf"
                                      "\xbf\xf0\x90\x80\x80\xf4\x8f\xbf\xbf")));
    const struct bytes invalid[] = {
        BYTES("\x80"),
        BYTES("\xbf"),
        BYTES("\xc0\x80"),
        BYTES("\xc1\xbf"),
        BYTES("\xc2"),
        BYTES("\xc2\x41"),
        BYTES("\xe0\x80\x80"),
        BYTES("\xe0\x9f\xbf"),
        BYTES("\xed\xa0\x80"),
        BYTES("\xed\xbf\xbf"),
        BYTES("\xe2\x82"),
        BYTES("\xf0\x80\x80\x80"),
        BYTES("\xf0\x8f\xbf\xbf"),
        BYTES("\xf0\x9f\x98"),
        BYTES("\xf4\x90\x80\x80"),
        BYTES("\xf5\x80\x80\x80"),
        BYTES("\xff"),
        BYTES("\xfe\xfe"),
    };
    for (size_t i = 0; i < COUNT_OF(invalid); i++)
        assert_false(text_utf8_valid(invalid[i]));
}

/* One wrong byte, or a character cut off by the end, at each place around the eight-byte steps. */
static void test_invalid_at_every_place(void **state)
{
    (void)state;
    for (size_t len = 1; len <= 40; len++) {
        uint8_t *p = malloc(len);
        assert_non_null(p);
        for (size_t place = 0; place < len; place++) {
            memset(p, 'a', len);
            assert_true(text_utf8_valid(bytes_of(p, len)));
            p[place] = 0xFF;
            assert_false(text_utf8_valid(bytes_of(p, len)));
            p[place] = 0xC3;
            assert_false(text_utf8_valid(bytes_of(p, len)));
            if (place + 1 < len) {
                p[place + 1] = 0xA9;
                assert_true(text_utf8_valid(bytes_of(p, len)));
                assert_int_equal(text_length(bytes_of(p, len)), len - 1);
            }
        }
        free(p);
    }
}

static void test_length(void **state)
{
    (void)state;
    assert_int_equal(text_length((struct bytes){0}), 0);
    assert_int_equal(text_length(BYTES("a\0b")), 3);
    assert_int_equal(text_length(BYTES("h\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80")), 4);
}

static void test_control(void **state)
{
    (void)state;
    for (uint32_t code = 0; code < 0x3000; code++) {
        uint8_t p[6] = {'a'};
        size_t n = utf8_encode(code, p + 1);
        p[1 + n] = 'b';
        bool control = code < 0x20 || (code >= 0x7F && code <= 0x9F);
        assert_int_equal(text_has_control(bytes_of(p, n + 2)), control);
    }
    assert_false(text_has_control((struct bytes){0}));
}

static void assert_folds(struct bytes in, struct bytes wanted)
{
    struct buf b = {0};
    BUF_ADD_LIT(&b, "x");
    assert_true(text_fold_name(in, &b));
    unit_assert_bytes(bytes_of(b.p + 1, b.len - 1), wanted);
    buf_release(&b);
}

static void assert_refused(struct bytes in)
{
    struct buf b = {0};
    BUF_ADD_LIT(&b, "x");
    assert_false(text_fold_name(in, &b));
    unit_assert_bytes(buf_bytes(&b), BYTES("x"));
    buf_release(&b);
}

static void test_names_that_are_the_same(void **state)
{
    (void)state;
    assert_folds(BYTES("alice"), BYTES("alice"));
    assert_folds(BYTES("Alice_99-x.y"), BYTES("alice_99-x.y"));
    /* STRASSE with a sharp s; E with acute accent, composed and not. */
    assert_folds(BYTES("Stra\xc3\x9f"
                       "e"),
                 BYTES("strasse"));
    assert_folds(BYTES("\xc3\x89"), BYTES("\xc3\xa9"));
    assert_folds(BYTES("E\xcc\x81"), BYTES("\xc3\xa9"));
    /* Full width letters, the ligature ffi, a circled one, the Kelvin sign. */
    assert_folds(BYTES("\xef\xbc\xa1\xef\xbd\x82"), BYTES("ab"));
    assert_folds(BYTES("\xef\xac\x83"), BYTES("ffi"));
    assert_folds(BYTES("\xe2\x91\xa0"), BYTES("1"));
    assert_folds(BYTES("\xe2\x84\xaa"), BYTES("k"));
    /* Greek: final sigma. */
    assert_folds(BYTES("\xce\xa3\xcf\x82"), BYTES("\xcf\x83\xcf\x83"));
    /* A Hangul filler shows nothing: the name without it is the same. */
    assert_folds(BYTES("bob\xe3\x85\xa4"), BYTES("bob"));
    /* Cyrillic a stays another letter. */
    assert_folds(BYTES("\xd0\xb0"), BYTES("\xd0\xb0"));
}

static void test_names_that_are_refused(void **state)
{
    (void)state;
    const struct bytes refused[] = {
        {0},                        /* nothing */
        BYTES("a b"),               /* a space */
        BYTES("a\xc2\xa0"),         /* a no-break space */
        BYTES("a\xe3\x80\x80"),     /* an ideographic space */
        BYTES("a\0"),               /* NUL */
        BYTES("a\n"),               /* a line end */
        BYTES("a\xc2\x85"),         /* C1 */
        BYTES("a\xe2\x80\x8b"),     /* zero width space: format */
        BYTES("a\xe2\x80\xae"),     /* right-to-left override: format */
        BYTES("a\xe2\x80\xa8"),     /* line separator */
        BYTES("a\xc2\xad"),         /* soft hyphen: format */
        BYTES("a\xef\xbb\xbf"),     /* byte order mark: format */
        BYTES("a\xee\x80\x80"),     /* private use */
        BYTES("a\xf4\x8f\xbf\xbf"), /* unassigned */
        BYTES("a\xcd\xb8"),         /* U+0378, unassigned */
        BYTES("\xe3\x85\xa4"),      /* a filler alone: folds to nothing */
        BYTES("\xc2\xa8"),          /* diaeresis: folds to a space and a mark */
        BYTES("a\xff"),             /* no UTF-8 */
    };
    for (size_t i = 0; i < COUNT_OF(refused); i++)
        assert_refused(refused[i]);
}

/* Whatever one code point folds to, alone or between others, folds to itself. */
static void test_folding_twice_is_folding_once(void **state)
{
    (void)state;
    struct buf once = {0};
    struct buf twice = {0};
    size_t folded = 0;
    for (uint32_t code = 1; code <= 0x10FFFF; code++) {
        /* Planes 4 to 13 have no characters, 15 and 16 are for private use: a sample is enough. */
        if ((code >= 0xD800 && code <= 0xDFFF) || (code > 0x40000 && code % 4099 != 0))
            continue;
        uint8_t p[8];
        size_t n = utf8_encode(code, p);
        p[n++] = 0xCC; /* and an accent behind it, which composes with many */
        p[n++] = 0x81;
        buf_reset(&once);
        buf_reset(&twice);
        if (!text_fold_name(bytes_of(p, n), &once))
            continue;
        folded++;
        if (!text_fold_name(buf_bytes(&once), &twice) ||
            !bytes_equal(buf_bytes(&once), buf_bytes(&twice)))
            fail_msg("U+%04X", code);
    }
    assert_true(folded > 100000);
    buf_release(&once);
    buf_release(&twice);
}

static void test_case_makes_no_difference_to_ascii(void **state)
{
    (void)state;
    for (int c = 0x21; c < 0x7F; c++) {
        uint8_t in = (uint8_t)c;
        uint8_t wanted = c >= 'A' && c <= 'Z' ? (uint8_t)(c + 32) : (uint8_t)c;
        assert_folds(bytes_of(&in, 1), bytes_of(&wanted, 1));
    }
}

static void assert_email(struct bytes in, struct bytes wanted)
{
    struct buf b = {0};
    bool ok = text_fold_email(in, &b);
    assert_int_equal(ok, wanted.len != 0);
    unit_assert_bytes(buf_bytes(&b), wanted);
    buf_release(&b);
}

static void test_email(void **state)
{
    (void)state;
    const struct bytes no = {0};
    assert_email(BYTES("Bob@Example.ORG"), BYTES("bob@example.org"));
    assert_email(BYTES("a@b"), BYTES("a@b"));
    assert_email(BYTES("a@b@c"), BYTES("a@b@c"));
    assert_email(BYTES("\"a@b\"@c"), BYTES("\"a@b\"@c"));
    assert_email(BYTES("\xc3\x9c@b\xc3\xbc"
                       "cher.example"),
                 BYTES("\xc3\xbc@b\xc3\xbc"
                       "cher.example"));
    assert_email((struct bytes){0}, no);
    assert_email(BYTES("a"), no);
    assert_email(BYTES("@"), no);
    assert_email(BYTES("a@"), no);
    assert_email(BYTES("a@b@"), no);
    assert_email(BYTES("@b"), no);
    assert_email(BYTES("a b@c"), no);
    assert_email(BYTES("a@b\n"), no);
    assert_email(BYTES("a@b\0"), no);
    assert_email(BYTES("a\xe2\x80\x8b@b"), no);
    /* A filler is no domain. */
    assert_email(BYTES("a@\xe3\x85\xa4"), no);

    uint8_t p[255];
    memset(p, 'a', sizeof p);
    p[100] = '@';
    assert_email(bytes_of(p, 254), bytes_of(p, 254));
    assert_email(bytes_of(p, 255), no);
}

static void test_is_email(void **state)
{
    (void)state;
    static const char *const fine[] = {
        "a@b",
        "user1@example.com",
        "User.Name+tag@Example.COM",
        "!#$%&'*+-/=?^_`{|}~@example.org",
        "0@0.0",
        "a.b.c@d-e.f--g.h",
        "a@localhost",
        "a@xn--bcher-kva.example",
        "\xc3\xbc.\xc3\xbc@b\xc3\xbc.example",
        "\xe5\x90\x8d@\xe4\xbe\x8b.jp",
    };
    static const char *const refused[] = {
        "",        "@",          "a",     "a@",      "@b",          "a@b@c",  "\"a@b\"@c",
        "\"a\"@b", ".a@b",       "a.@b",  "a..b@c",  ".@b",         "a@.b",   "a@b.",
        "a@b..c",  "a@.",        "a@-b",  "a@b-",    "a@b.-c",      "a@b-.c", "a@-",
        "a@b_c",   "a@b c",      "a b@c", "a@[::1]", "a@[1.2.3.4]", "a@b:25", "a(x)@b",
        "a<b@c>",  "<a@b>",      "a,b@c", "a;b@c",   "a:b@c",       "a\\b@c", "a[b@c",
        "a]b@c",   "mailto:a@b", "a@b/c", "a@b?c",   "a@b!c",       "a@b\n",  "\ta@b",
        "a@b,c@d", "A <a@b>",    "a@b%c", "a\"b@c",  "a@'b'",       "a@b+c",
    };
    uint8_t p[300];

    for (size_t i = 0; i < COUNT_OF(fine); i++)
        if (!text_is_email(bytes_cstr(fine[i])))
            fail_msg("%s", fine[i]);
    for (size_t i = 0; i < COUNT_OF(refused); i++)
        if (text_is_email(bytes_cstr(refused[i])))
            fail_msg("%s", refused[i]);
    assert_false(text_is_email((struct bytes){NULL, 0}));
    assert_false(text_is_email(BYTES("a@b\0")));

    /* Each length at its limit, and one beyond. */
    memset(p, 'a', sizeof p);
    p[64] = '@';
    assert_true(text_is_email(bytes_of(p, 64 + 1 + 63)));
    assert_false(text_is_email(bytes_of(p, 64 + 1 + 64)));
    p[64 + 1 + 63] = p[64 + 1 + 63 + 1 + 63] = '.';
    assert_true(text_is_email(bytes_of(p, 254)));
    p[64 + 1 + 63 + 1 + 63 + 1 + 30] = '.';
    assert_true(text_is_email(bytes_of(p, 254)));
    assert_false(text_is_email(bytes_of(p, 255)));
    p[64] = 'a';
    p[65] = '@';
    assert_false(text_is_email(bytes_of(p, 100)));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_valid_utf8),
        cmocka_unit_test(test_invalid_at_every_place),
        cmocka_unit_test(test_length),
        cmocka_unit_test(test_control),
        cmocka_unit_test(test_names_that_are_the_same),
        cmocka_unit_test(test_names_that_are_refused),
        cmocka_unit_test(test_folding_twice_is_folding_once),
        cmocka_unit_test(test_case_makes_no_difference_to_ascii),
        cmocka_unit_test(test_email),
        cmocka_unit_test(test_is_email),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
