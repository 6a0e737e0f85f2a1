#include "hooks/authorities.h"

#include <unistd.h>

#include "base/read_file.h"

#define BEGINNING "-----BEGIN CERTIFICATE-----"
#define END       "-----END CERTIFICATE-----"

/* Where `word` begins in what is left; in->len where it is not there. */
static size_t find(struct bytes in, struct bytes word)
{
    const void *at = memmem(in.p, in.len, word.p, word.len);

    return at != NULL ? (size_t)((const uint8_t *)at - in.p) : in.len;
}

static bool is_base64(uint8_t c)
{
    return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '+' ||
           c == '/' || c == '=' || c == '\r' || c == '\n' || c == ' ' || c == '\t';
}

/* Between its two lines: base64 of something that begins as a sequence does in DER. Whether it is a
 * certificate, the library says. */
static bool is_body(struct bytes body)
{
    bool has_begun = false;

    for (size_t i = 0; i < body.len; i++) {
        if (!is_base64(body.p[i]))
            return false;
        if (!has_begun && body.p[i] > ' ' && body.p[i] != 'M')
            return false;
        has_begun |= body.p[i] > ' ';
    }
    return has_begun;
}

/* A sentence where these are no certificates, else NULL. */
static const char *fault_of(struct bytes text)
{
    bool found = false;
    size_t at;

    if (memchr(text.p, 0, text.len) != NULL)
        return "is not text: certificates in PEM are wanted";
    while ((at = find(text, BYTES(BEGINNING))) < text.len) {
        text = bytes_of(text.p + at + sizeof BEGINNING - 1, text.len - at - sizeof BEGINNING + 1);
        at = find(text, BYTES(END));
        if (at == text.len || !is_body(bytes_of(text.p, at)))
            return "holds a certificate that is not whole";
        found = true;
    }
    return found ? NULL : "holds no certificate in PEM";
}

static const char *take(int fd, struct buf *text)
{
    buf_reserve(text, AUTHORITIES_MAX + 1);
    ssize_t n = read_fully(fd, text->p, AUTHORITIES_MAX + 1);
    if (n < 0)
        return "cannot be read";
    if (n > AUTHORITIES_MAX)
        return "is longer than 4 MiB";
    text->len = (size_t)n;
    return fault_of(buf_bytes(text));
}

enum err authorities_read(const char *path, struct buf *out, const char **why)
{
    struct buf text = {0};
    mode_t mode;
    int fd = read_file_open(path, &mode, why);

    if (fd < 0)
        return ERR_io;
    const char *fault = take(fd, &text);
    (void)close(fd);
    if (fault == NULL) {
        buf_reset(out);
        buf_add_bytes(out, buf_bytes(&text));
    } else {
        *why = fault;
    }
    buf_release(&text);
    return fault == NULL ? ERR_ok : ERR_io;
}
