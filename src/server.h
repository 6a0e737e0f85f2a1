/*
 * server: the wiring: which room knows which, and the order of life and death.
 */
#ifndef SERVER_H
#define SERVER_H

#include "base/exit.h"
#include "config.h"

/* Serves until SIGTERM or SIGINT. Says on stdout where it listens and where its data is, on stderr
 * what is wrong. */
enum exit_code server_run(const struct config *config);

#endif
