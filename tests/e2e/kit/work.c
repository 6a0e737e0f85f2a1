/*
 * Stands in front of the library's password check and writes down each: a line with the parameters
 * of the hash that was checked against, into the file that WORK names. So a test can compare what
 * was done for whom, without a clock.
 */
#include <dlfcn.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

typedef int (*verify_fn)(const char *encoded, const char *password, unsigned long long len);

int crypto_pwhash_argon2id_str_verify(const char *encoded, const char *password,
                                      unsigned long long len);

/* "$argon2id$v=19$m=8,t=1,p=1$salt$hash": up to the fourth dollar. */
static int parameters_len(const char *encoded)
{
    int dollars = 0;
    int n = 0;

    for (; encoded[n] != '\0' && dollars < 4; n++)
        dollars += encoded[n] == '$';
    return n;
}

int crypto_pwhash_argon2id_str_verify(const char *encoded, const char *password,
                                      unsigned long long len)
{
    verify_fn next = (verify_fn)dlsym(RTLD_NEXT, "crypto_pwhash_argon2id_str_verify");
    const char *path = getenv("WORK");
    char line[160];
    int fd = path != NULL ? open(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0600) : -1;

    int n = snprintf(line, sizeof line, "%.*s %llu\n", parameters_len(encoded), encoded, len);
    if (next == NULL || fd < 0 || write(fd, line, (size_t)n) != n)
        abort();
    (void)close(fd);
    return next(encoded, password, len);
}
