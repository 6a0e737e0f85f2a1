/*
 * hashread: the floor of start-up: reads files and hashes what is written in them with BLAKE2b.
 *
 *   hashread FILE...
 *
 * The zeros that a preallocated file ends with are not hashed. Prints "bytes N" and "ns N".
 */
#include <err.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/ensure.h"
#include "base/hash.h"

enum { CHUNK = 1 << 20, DIGEST_LEN = 32 };

static uint64_t now_ns(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000000000ull + (uint64_t)t.tv_nsec;
}

/* The bytes up to the last that is not zero. */
static off_t used_len(int file, off_t size, uint8_t *chunk)
{
    while (size > 0) {
        off_t start = size > CHUNK ? size - CHUNK : 0;
        ssize_t n = pread(file, chunk, (size_t)(size - start), start);
        if (n != size - start)
            err(1, "read");
        while (n > 0 && chunk[n - 1] == 0)
            n--;
        if (n > 0)
            return start + n;
        size = start;
    }
    return 0;
}

int main(int argc, char **argv)
{
    uint64_t bytes = 0, ns = 0;
    uint8_t *chunk = xmalloc(CHUNK), digest[DIGEST_LEN];

    for (int i = 1; i < argc; i++) {
        int file = open(argv[i], O_RDONLY | O_CLOEXEC);
        struct hash h;
        struct stat st;
        uint64_t start_ns;
        off_t len;

        if (file < 0 || fstat(file, &st) != 0)
            err(1, "%s", argv[i]);
        len = used_len(file, st.st_size, chunk);
        start_ns = now_ns();
        hash_init(&h, sizeof(digest));
        for (off_t at = 0; at < len;) {
            size_t want = len - at < CHUNK ? (size_t)(len - at) : CHUNK;
            ssize_t n = pread(file, chunk, want, at);
            if (n <= 0)
                err(1, "%s", argv[i]);
            hash_add(&h, chunk, (size_t)n);
            at += n;
        }
        hash_final(&h, digest);
        ns += now_ns() - start_ns;
        bytes += (uint64_t)len;
        close(file);
    }
    free(chunk);
    printf("bytes %" PRIu64 "\nns %" PRIu64 "\n", bytes, ns);
    return 0;
}
