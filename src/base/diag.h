/*
 * diag: what the operator reads, one line a message on stderr, with time and level.
 *
 * Never pass a password, a token, a key or the text of a message. Text from outside is quoted:
 * control bytes are printed as \xNN, so that nobody writes lines of his own. Any thread.
 */
#ifndef BASE_DIAG_H
#define BASE_DIAG_H

enum diag_level { DIAG_DEBUG, DIAG_INFO, DIAG_WARN, DIAG_ERROR };

/* Messages below `level` are dropped; DIAG_INFO before the first call. */
void diag_set_level(enum diag_level level);

void diag_debug(const char *format, ...) __attribute__((format(printf, 1, 2)));
void diag_info(const char *format, ...) __attribute__((format(printf, 1, 2)));
void diag_warn(const char *format, ...) __attribute__((format(printf, 1, 2)));
void diag_error(const char *format, ...) __attribute__((format(printf, 1, 2)));

#endif
