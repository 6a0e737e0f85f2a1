/*
 * hashread: the floor of start-up: reads files and hashes what is written in them with BLAKE2b.
 *
 *   hashread FILE...
 *
 * The zeros that a preallocated file ends with are not hashed. The hash is libsodium's and not our
 * own, so that the floor stays where it is when ours becomes faster. Prints "bytes N" and "ns N".
 */
#include <err.h>
#include <fcntl.h>
#include <inttypes.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/ensure.h"

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

    if (sodium_init() < 0)
        errx(1, "libsodium does not start");
    for (int i = 1; i < argc; i++) {
        int file = open(argv[i], O_RDONLY | O_CLOEXEC);
        crypto_generichash_blake2b_state h;
        struct stat st;
        uint64_t start_ns;
        off_t len;

        if (file < 0 || fstat(file, &st) != 0)
            err(1, "%s", argv[i]);
        len = used_len(file, st.st_size, chunk);
        start_ns = now_ns();
        crypto_generichash_blake2b_init(&h, NULL, 0, sizeof(digest));
        for (off_t at = 0; at < len;) {
            size_t want = len - at < CHUNK ? (size_t)(len - at) : CHUNK;
            ssize_t n = pread(file, chunk, want, at);
            if (n <= 0)
                err(1, "%s", argv[i]);
            crypto_generichash_blake2b_update(&h, chunk, (size_t)n);
            at += n;
        }
        crypto_generichash_blake2b_final(&h, digest, sizeof(digest));
        ns += now_ns() - start_ns;
        bytes += (uint64_t)len;
        close(file);
    }
    free(chunk);
    printf("bytes %" PRIu64 "\nns %" PRIu64 "\n", bytes, ns);
    return 0;
}
