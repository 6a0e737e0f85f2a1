/*
 * What the tests of this room share: cmocka with the headers that it wants first, random numbers
 * that are the same in each run, and a child process whose stderr is read.
 */
#ifndef UNIT_BASE_H
#define UNIT_BASE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/bytes.h"
#include "tests/await.h"

#define COUNT_OF(array) (sizeof(array) / sizeof((array)[0]))

/* splitmix64: good enough to mix, and the same everywhere. */
static inline uint64_t unit_random(uint64_t *state)
{
    uint64_t z = (*state += UINT64_C(0x9E3779B97F4A7C15));
    z = (z ^ (z >> 30)) * UINT64_C(0xBF58476D1CE4E5B9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94D049BB133111EB);
    return z ^ (z >> 31);
}

static inline void unit_assert_bytes(struct bytes got, struct bytes wanted)
{
    assert_int_equal(got.len, wanted.len);
    if (wanted.len != 0)
        assert_memory_equal(got.p, wanted.p, wanted.len);
}

/* Runs `body` in a child; its stderr (NUL-terminated, cut at `size`) goes to `out`. Returns the
 * status that waitpid gives. */
static inline int unit_in_child(void (*body)(void), char *out, size_t size)
{
    int ends[2];
    assert_int_equal(pipe(ends), 0);
    fflush(NULL);
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        await_as_child();
        dup2(ends[1], STDERR_FILENO);
        close(ends[0]);
        close(ends[1]);
        body();
        _exit(0);
    }
    close(ends[1]);
    size_t len = 0;
    ssize_t n;
    while (len + 1 < size && (n = read(ends[0], out + len, size - 1 - len)) > 0)
        len += (size_t)n;
    out[len] = '\0';
    close(ends[0]);
    return AWAIT_CHILD(pid);
}

#endif
