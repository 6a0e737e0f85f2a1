/*
 * people: users, devices, groups, messages, receipts at random, as records that the handlers would
 * make. They register and log in through password workers whose answers come in any order, send
 * again what they sent before, name what is not there, and know no more than the model shows.
 */
#ifndef TESTS_SIM_PEOPLE_H
#define TESTS_SIM_PEOPLE_H

#include "core/engine.h"

/* `long_texts`: a third of the messages are long, so that journal and snapshots become large. */
void people_reset(bool long_texts);

/* The server went down: what waited for a password worker is forgotten. */
void people_hang_up(void);

/* Somebody does something. What engine_propose said, or ERR_busy where nothing was proposed. */
enum err people_act(struct engine *e);

#endif
