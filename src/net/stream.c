#include "net/stream.h"

#include <errno.h>
#include <poll.h>
#include <sys/socket.h>

static long result(ssize_t n)
{
    if (n >= 0)
        return n;
    return errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR ? STREAM_AGAIN : STREAM_GONE;
}

long stream_read(int fd, void *to, size_t len)
{
    return result(recv(fd, to, len, 0));
}

long stream_write(int fd, const void *from, size_t len)
{
    return result(send(fd, from, len, MSG_NOSIGNAL));
}

long stream_writev(int fd, const struct iovec *parts, int count)
{
    struct msghdr message = {.msg_iov = (struct iovec *)parts, .msg_iovlen = (size_t)count};
    return result(sendmsg(fd, &message, MSG_NOSIGNAL));
}

bool stream_has_ended(int fd)
{
    struct pollfd p = {.fd = fd, .events = POLLRDHUP};
    return poll(&p, 1, 0) > 0;
}

void stream_end(int fd)
{
    (void)shutdown(fd, SHUT_WR); /* a peer that is gone already needs no end */
}
