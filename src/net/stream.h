/*
 * stream: bytes through a socket that does not block. The only calls that move bytes; a stream that
 * encrypts takes its place here, with the same results.
 */
#ifndef NET_STREAM_H
#define NET_STREAM_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/uio.h>

/* What the calls return beside a count of bytes; 0 from stream_read is the peer's end. */
#define STREAM_AGAIN (-1L) /* nothing can be moved now */
#define STREAM_GONE  (-2L) /* the connection is broken */

long stream_read(int fd, void *to, size_t len);
/* Some or all of the bytes; no SIGPIPE. */
long stream_write(int fd, const void *from, size_t len);
long stream_writev(int fd, const struct iovec *parts, int count);
/* Has the peer ended its half, or gone? Moves nothing, and what waits to be read hides nothing. */
bool stream_has_ended(int fd);
/* Says that nothing more is written, so that the peer reads all of it before the end. */
void stream_end(int fd);

#endif
