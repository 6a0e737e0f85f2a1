#include "auth/secret_file.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/crypto.h"

static bool is_space(uint8_t c)
{
    return c == ' ' || (c >= '\t' && c <= '\r');
}

/* Up to `len` bytes; how many there were, or -1. */
static ssize_t read_fully(int fd, uint8_t *p, size_t len)
{
    size_t done = 0;

    while (done < len) {
        ssize_t n = read(fd, p + done, len - done);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return -1;
        if (n == 0)
            break;
        done += (size_t)n;
    }
    return (ssize_t)done;
}

/* What an open file holds; a sentence where it cannot be taken, else NULL. */
static const char *take(int fd, struct secret *out)
{
    uint8_t text[2 * SECRET_LEN_MAX];
    struct stat st;

    if (fstat(fd, &st) != 0)
        return "cannot be examined";
    if (!S_ISREG(st.st_mode))
        return "is not a regular file";
    if ((st.st_mode & 077) != 0)
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
    /* O_NONBLOCK: a FIFO is refused, not waited for. */
    int fd = open(path, O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);

    if (fd < 0) {
        *why = errno == ENOENT ? "is not there" : "cannot be opened";
        return ERR_io;
    }
    const char *fault = take(fd, out);
    (void)close(fd);
    if (fault == NULL)
        return ERR_ok;
    *why = fault;
    return ERR_io;
}
