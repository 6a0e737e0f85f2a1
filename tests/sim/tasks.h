/*
 * tasks: the threads of the code under test as coroutines of one thread, and the clock.
 *
 * A thread that log/ starts (through sys.thread_start) becomes a task with a stack of its own. It
 * runs when the main task, which is the loop thread and the world around it, lets it, until it
 * blocks or until a call of the simulated disk gives way. What blocks in the C library (locks,
 * conditions, joins, poll) and what reads a clock or random bytes is replaced when
 * the program is linked (-Wl,--wrap): so every interleaving comes from the seed. A wake-up that is
 * forgotten is found: where the main task waits and nobody can run, the simulation fails.
 */
#ifndef TESTS_SIM_TASKS_H
#define TESTS_SIM_TASKS_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

/* Forgets all tasks, which must have ended, and sets the clock. */
void tasks_reset(void);

/* Runs one task that can, chosen at random, until it gives way. False where there is none. */
bool tasks_run(void);

/* Lets others run: from a task, to the main task. Nothing where the main task calls it. */
void tasks_give_way(void);

/* Makes the calling task wait that long; the main task only moves the clock. */
void tasks_sleep(int64_t ms);

/* Moves the clock; the wall's may be set to any other time as well. */
void tasks_advance(int64_t ms);
void tasks_set_wall(int64_t offset_ms);
int64_t tasks_now(void);

/* Is the caller a thread of the code under test? */
bool tasks_inside(void);

/* For the table of system calls. */
int tasks_start(pthread_t *thread, const pthread_attr_t *attr, void *(*run)(void *), void *arg);
int tasks_wait_until(pthread_cond_t *cond, pthread_mutex_t *lock, const struct timespec *when);
int64_t tasks_now_ms(void);

/* What poll asks: has the descriptor something to read? Given by media. */
typedef bool (*tasks_ready_fn)(int fd);
void tasks_set_ready(tasks_ready_fn ready);

#endif
