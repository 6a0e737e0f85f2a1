#include "base/text.h"

#include <stdlib.h>
#include <utf8proc.h>

#include "base/ensure.h"
#include "base/swar.h"
#include "base/utf8.h"

#define EMAIL_LEN_MAX 254
#define LOCAL_LEN_MAX 64
#define LABEL_LEN_MAX 63

/* One pass is enough for nearly every name; a few characters need a second one. */
#define FOLD_PASSES_MAX 8

bool text_utf8_valid(struct bytes s)
{
    for (size_t i = 0; i < s.len;) {
        while (s.len - i >= 16 && swar_ascii_16(s.p + i))
            i += 16;
        while (s.len - i >= 8 && swar_high(swar_load(s.p + i)) == 0)
            i += 8;
        while (i < s.len && s.p[i] < 0x80)
            i++;
        while (i < s.len && s.p[i] >= 0x80) {
            uint32_t code;
            size_t n = utf8_decode(s.p + i, s.len - i, &code);
            if (n == 0)
                return false;
            i += n;
        }
    }
    return true;
}

size_t text_length(struct bytes s)
{
    size_t n = 0;
    for (size_t i = 0; i < s.len; i++)
        n += (s.p[i] & 0xC0) != 0x80;
    return n;
}

bool text_has_control(struct bytes s)
{
    for (size_t i = 0; i < s.len; i++) {
        uint8_t c = s.p[i];
        if (c < 0x20 || c == 0x7F)
            return true;
        /* C1: U+0080 to U+009F are C2 80 to C2 9F. */
        if (c == 0xC2 && i + 1 < s.len && s.p[i + 1] < 0xA0)
            return true;
    }
    return false;
}

/* Has `s` only code points that a name may hold? */
static bool name_allowed(struct bytes s)
{
    for (size_t i = 0; i < s.len;) {
        uint32_t code;
        size_t n = utf8_decode(s.p + i, s.len - i, &code);
        if (n == 0)
            return false;
        i += n;
        utf8proc_category_t category = utf8proc_category((utf8proc_int32_t)code);
        bool refused = category == UTF8PROC_CATEGORY_CC || category == UTF8PROC_CATEGORY_CF ||
                       category == UTF8PROC_CATEGORY_CN || category == UTF8PROC_CATEGORY_CO ||
                       category == UTF8PROC_CATEGORY_CS || category == UTF8PROC_CATEGORY_ZS ||
                       category == UTF8PROC_CATEGORY_ZL || category == UTF8PROC_CATEGORY_ZP;
        if (refused)
            return false;
    }
    return true;
}

/* One pass of NFKC with case folding, which also drops characters that show nothing (the default
 * ignorable ones: fillers, variation selectors). The result is malloc's; {NULL, 0} on failure. */
static struct bytes fold_once(struct bytes s)
{
    const utf8proc_option_t options =
        UTF8PROC_STABLE | UTF8PROC_COMPOSE | UTF8PROC_COMPAT | UTF8PROC_CASEFOLD | UTF8PROC_IGNORE;
    utf8proc_uint8_t *folded = NULL;
    utf8proc_ssize_t len = utf8proc_map(s.p, (utf8proc_ssize_t)s.len, &folded, options);
    if (len == UTF8PROC_ERROR_NOMEM)
        out_of_memory(s.len); /* else a good name would be refused */
    if (len < 0)
        return (struct bytes){0};
    return bytes_of(folded, (size_t)len);
}

/* Folds until another pass would change nothing. The result is malloc's; {NULL, 0} where the name
 * is refused. */
static struct bytes fold(struct bytes s)
{
    if (s.len == 0 || !name_allowed(s))
        return (struct bytes){0};

    struct bytes last = {0};
    struct bytes next = fold_once(s);
    for (int pass = 1; pass < FOLD_PASSES_MAX && next.p != NULL; pass++) {
        free((void *)last.p);
        last = next;
        next = fold_once(last);
        if (next.p != NULL && bytes_equal(last, next) && last.len != 0 && name_allowed(last)) {
            free((void *)next.p);
            return last;
        }
    }
    free((void *)last.p);
    free((void *)next.p);
    return (struct bytes){0};
}

bool text_fold_name(struct bytes s, struct buf *out)
{
    struct bytes folded = fold(s);
    if (folded.p == NULL)
        return false;
    buf_add_bytes(out, folded);
    free((void *)folded.p);
    return true;
}

static bool is_alnum(uint8_t c)
{
    return (c >= '0' && c <= '9') || ((c | 0x20) >= 'a' && (c | 0x20) <= 'z');
}

/* atext of RFC 5322, 3.2.3, and RFC 6531, 3.3. */
static bool is_atom(uint8_t c)
{
    const struct bytes others = BYTES("!#$%&'*+-/=?^_`{|}~");

    return is_alnum(c) || c >= 0x80 || memchr(others.p, c, others.len) != NULL;
}

static bool atom_fits(struct bytes s)
{
    for (size_t i = 0; i < s.len; i++)
        if (!is_atom(s.p[i]))
            return false;
    return s.len > 0;
}

static bool label_fits(struct bytes s)
{
    for (size_t i = 0; i < s.len; i++)
        if (!is_alnum(s.p[i]) && s.p[i] < 0x80 && s.p[i] != '-')
            return false;
    return s.len > 0 && s.len <= LABEL_LEN_MAX && s.p[0] != '-' && s.p[s.len - 1] != '-';
}

/* Do all parts between the dots fit? */
static bool parts_fit(struct bytes s, bool (*fits)(struct bytes))
{
    const uint8_t *dot;

    while ((dot = s.len > 0 ? memchr(s.p, '.', s.len) : NULL) != NULL) {
        size_t len = (size_t)(dot - s.p);
        if (!fits(bytes_of(s.p, len)))
            return false;
        s = bytes_of(dot + 1, s.len - len - 1);
    }
    return fits(s);
}

bool text_is_email(struct bytes s)
{
    const uint8_t *at = s.len > 0 && s.len <= EMAIL_LEN_MAX ? memchr(s.p, '@', s.len) : NULL;

    if (at == NULL || at - s.p > LOCAL_LEN_MAX)
        return false;
    size_t local = (size_t)(at - s.p);
    return parts_fit(bytes_of(s.p, local), atom_fits) &&
           parts_fit(bytes_of(at + 1, s.len - local - 1), label_fits);
}

/* local@domain: an '@', the last one of which has something on either side. */
static bool email_shaped(struct bytes s)
{
    const uint8_t *at = s.len == 0 ? NULL : memrchr(s.p, '@', s.len);
    return at != NULL && at != s.p && at != s.p + s.len - 1;
}

bool text_fold_email(struct bytes s, struct buf *out)
{
    if (s.len > EMAIL_LEN_MAX || !email_shaped(s))
        return false;
    struct bytes folded = fold(s);
    /* Again: what showed nothing is gone. */
    bool ok = folded.p != NULL && email_shaped(folded);
    if (ok)
        buf_add_bytes(out, folded);
    free((void *)folded.p);
    return ok;
}
