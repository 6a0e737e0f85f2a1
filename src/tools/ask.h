/*
 * ask: a question to the server that runs on a data directory, through the socket `control` in it.
 */
#ifndef TOOLS_ASK_H
#define TOOLS_ASK_H

#include <stdbool.h>

#include "base/exit.h"

#define ASK_ANSWER_MAX  512
#define ASK_COMMAND_MAX 32

/* Sends one line to the server on `dir` (NULL: ./data) and waits for its answer, which goes to
 * `line` without its end. EXIT_FAILED, said, where no server is there or it does not answer. */
enum exit_code ask_server(const char *dir, const char *command, char line[static ASK_ANSWER_MAX],
                          bool json);

/* Says the error that the server answered. EXIT_FAILED. */
enum exit_code ask_failed(const char *line, bool json);

#endif
