/*
 * err: the one vocabulary of expected failures.
 *
 * A function that can fail in an expected way returns `enum err`; 0 (ERR_ok) is success and the
 * result must be looked at. Results travel through out pointers that are set only on success.
 * The list is err.def: one line gives the constant, the code word, the HTTP status, the sentence.
 */
#ifndef BASE_ERR_H
#define BASE_ERR_H

enum err {
    ERR_ok = 0,
#define ERR(name, status, sentence) ERR_##name,
#include "base/err.def"
#undef ERR
    ERR_COUNT
};

/* Makes the compiler complain when a result is dropped. */
#define MUST_CHECK __attribute__((warn_unused_result))

/* The word that a program reads ("username_taken"; "ok" for 0). Static, never NULL. */
const char *err_code(enum err e);

/* The sentence that a person reads. Static, never NULL. */
const char *err_sentence(enum err e);

/* The HTTP status (200 for ERR_ok), also the "status" of an RPC's error reply. */
int err_status(enum err e);

#endif
