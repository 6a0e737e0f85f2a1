/*
 * read_file: reads a small file that an operator has named.
 */
#ifndef BASE_READ_FILE_H
#define BASE_READ_FILE_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/*
 * Opens the regular file at `path` for reading; symbolic links are followed, and a FIFO or a device
 * is refused, not waited for. Its permissions (07777) go to *mode. The descriptor is the caller's
 * to close; -1, with a static sentence in *why that begins behind the file's name, where it is not
 * there or cannot be opened, or is no regular file.
 */
int read_file_open(const char *path, mode_t *mode, const char **why);

/* Reads up to `len` bytes; how many there were, fewer only at the end, or -1 with errno. */
ssize_t read_fully(int fd, uint8_t *p, size_t len);

#endif
