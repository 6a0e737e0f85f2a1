#include "auth/secret_file.h"

#include <unistd.h>

#include "base/crypto.h"
#include "base/read_file.h"

static bool is_space(uint8_t c)
{
    return c == ' ' || (c >= '\t' && c <= '\r');
}

/* What an open file holds; a sentence where it cannot be taken, else NULL. */
static const char *take(int fd, mode_t mode, struct secret *out)
{
    uint8_t text[2 * SECRET_LEN_MAX];

    if ((mode & 077) != 0)
        return "is open to other users; after checking who read it: chmod 600";
    ssize_t n = read_fully(fd, text, sizeof text);
    if (n < 0)
        return "cannot be read";
    struct bytes s = bytes_of(text, (size_t)n);
    while (s.len > 0 && is_space(s.p[s.len - 1]))
        s.len--;
    while (s.len > 0 && is_space(s.p[0]))
        s = bytes_of(s.p + 1, s.len - 1);
    bool fits = s.len >= SECRET_LEN_MIN && s.len <= SECRET_LEN_MAX;
    if (fits) {
        memcpy(out->b, s.p, s.len);
        out->len = s.len;
    }
    crypto_wipe(text, sizeof text);
    return fits ? NULL : "must hold 32 to 1024 bytes";
}

enum err secret_file_read(const char *path, struct secret *out, const char **why)
{
    mode_t mode;
    int fd = read_file_open(path, &mode, why);

    if (fd < 0)
        return ERR_io;
    const char *fault = take(fd, mode, out);
    (void)close(fd);
    if (fault == NULL)
        return ERR_ok;
    *why = fault;
    return ERR_io;
}
