/*
 * server_seams: what the server in fuzz_server gets in place of the two clocks, of randomness, of
 * the password threads and of a listener. The link puts the first three there (--wrap, as for
 * tests/sim), so that an input means the same every time, and a password costs nothing.
 */
#ifndef FUZZ_SERVER_SEAMS_H
#define FUZZ_SERVER_SEAMS_H

#include "net/conn.h"

/* The clocks stand at their beginning, and the random numbers begin anew. */
void seams_reset(void);

/* Moves both clocks, and lets the net see what is due. */
void seams_pass_time(struct net *n, uint32_t ms);

/* Gives the net a connected socket, from address 10.0.0.`number`. */
void seams_connect(struct net *n, int fd, unsigned number);

/* This client comes in by the app's door. */
#define SEAMS_APP_PEER 6

#endif
