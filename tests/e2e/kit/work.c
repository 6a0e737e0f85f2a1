/*
 * Stands in front of the library's Argon2id and writes down each use: a line with the passes, the
 * bytes of memory and the bytes of the password, into the file that WORK names. So a test can
 * compare what was done for whom, without a clock. New hashes are made by another function and not
 * counted.
 */
#include <dlfcn.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

int crypto_pwhash_argon2id(unsigned char *out, unsigned long long out_len, const char *password,
                           unsigned long long len, const unsigned char *salt,
                           unsigned long long passes, size_t memory, int algorithm);

int crypto_pwhash_argon2id(unsigned char *out, unsigned long long out_len, const char *password,
                           unsigned long long len, const unsigned char *salt,
                           unsigned long long passes, size_t memory, int algorithm)
{
    typedef int (*hash_fn)(unsigned char *, unsigned long long, const char *, unsigned long long,
                           const unsigned char *, unsigned long long, size_t, int);
    hash_fn next = (hash_fn)dlsym(RTLD_NEXT, "crypto_pwhash_argon2id");
    const char *path = getenv("WORK");
    char line[160];
    int fd = path != NULL ? open(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0600) : -1;

    int n = snprintf(line, sizeof line, "%llu %zu %llu\n", passes, memory, len);
    if (next == NULL || fd < 0 || write(fd, line, (size_t)n) != n)
        abort();
    (void)close(fd);
    return next(out, out_len, password, len, salt, passes, memory, algorithm);
}
