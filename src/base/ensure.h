/*
 * ensure: contracts that stay on in production.
 *
 * ENSURE(cond) states what can only be false through a bug of ours. It is always compiled in; a
 * false condition prints file, line and condition to stderr and aborts: the journal has the rest.
 * Never use it for what a client, a file or the operating system can cause.
 */
#ifndef BASE_ENSURE_H
#define BASE_ENSURE_H

#define ENSURE(cond) ((cond) ? (void)0 : ensure_failed(#cond, __FILE__, __LINE__))

_Noreturn void ensure_failed(const char *condition, const char *file, int line);

/* malloc, calloc and realloc that never return NULL: running out of memory ends the process with
 * a message (what was acknowledged is on disk). `size` may be 0; the result can be freed. */
void *xmalloc(unsigned long size);
void *xcalloc(unsigned long count, unsigned long size);
void *xrealloc(void *p, unsigned long size);
/* At a multiple of `alignment`, a power of two that divides `size`. */
void *xaligned(unsigned long alignment, unsigned long size);

/* How they end: one line on stderr, exit code 1, no core. For a library's "no memory", too. */
_Noreturn void out_of_memory(unsigned long size);

#endif
