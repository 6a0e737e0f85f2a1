#include "base/read_file.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

/* A sentence where the open file is no regular one, else NULL. */
static const char *examine(int fd, mode_t *mode)
{
    struct stat st;

    if (fstat(fd, &st) != 0)
        return "cannot be examined";
    *mode = st.st_mode & 07777;
    return S_ISREG(st.st_mode) ? NULL : "is not a regular file";
}

int read_file_open(const char *path, mode_t *mode, const char **why)
{
    /* O_NONBLOCK: for a FIFO. */
    int fd = open(path, O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);

    if (fd < 0) {
        *why = errno == ENOENT ? "is not there" : "cannot be opened";
        return -1;
    }
    const char *fault = examine(fd, mode);
    if (fault == NULL)
        return fd;
    (void)close(fd);
    *why = fault;
    return -1;
}

ssize_t read_fully(int fd, uint8_t *p, size_t len)
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
