/*
 * asan: whether this is built under the address sanitizer. Memory that is kept for the next use
 * hides from it who uses what was given back, so then nothing is kept.
 */
#ifndef BASE_ASAN_H
#define BASE_ASAN_H

#ifndef __has_feature
#define __has_feature(feature) 0 /* clang's way of asking; gcc defines a macro */
#endif
#if defined(__SANITIZE_ADDRESS__) || __has_feature(address_sanitizer)
#define UNDER_ASAN 1
#else
#define UNDER_ASAN 0
#endif

#endif
