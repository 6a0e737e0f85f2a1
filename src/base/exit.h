/*
 * exit: what the process says when it ends.
 */
#ifndef BASE_EXIT_H
#define BASE_EXIT_H

/* Fine; failed (the system would not, or another process was in the way); wrong usage, nothing was
 * done; the data on disk is damaged. */
enum exit_code { EXIT_FINE = 0, EXIT_FAILED = 1, EXIT_USAGE = 2, EXIT_DAMAGED = 3 };

#endif
