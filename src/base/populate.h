/*
 * populate: memory that is about to be written, from the system in one call.
 *
 * The system gives memory when a page is first written, by a fault a page. A fault costs several
 * times what the page itself does, more on a virtual machine, and comes in the middle of something
 * else. Who knows that a run of pages will be written soon, whole, asks for it here.
 */
#ifndef BASE_POPULATE_H
#define BASE_POPULATE_H

#include <stddef.h>

/* Has the system give the pages of [p, p + len), which the caller has mapped, private and writable;
 * what is in them stays. Where the system cannot (before Linux 5.14, or short of memory) nothing
 * happens, and a write takes its fault as always. */
void populate(void *p, size_t len);

#endif
