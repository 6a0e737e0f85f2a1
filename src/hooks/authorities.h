/* authorities: whose certificates the receivers of hooks may show, as the operator says it. */
#ifndef HOOKS_AUTHORITIES_H
#define HOOKS_AUTHORITIES_H

#include "base/buf.h"
#include "base/err.h"

/* Of the file: some ten times what a system trusts. */
#define AUTHORITIES_MAX (4u << 20)

/*
 * Reads a file of certificates in PEM (RFC 7468); text between them is taken as it is. ERR_io, with
 * a static sentence in *why, where it cannot be read, is no regular file, is longer than
 * AUTHORITIES_MAX bytes, or holds no certificate, or one without its end. `out` is set only on
 * success.
 */
enum err authorities_read(const char *path, struct buf *out, const char **why) MUST_CHECK;

#endif
