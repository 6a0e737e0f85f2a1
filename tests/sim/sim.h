/*
 * sim: what the parts of the simulation share.
 *
 *   sim.c      a seed is a history: lives of a server between crashes
 *   people.c   who uses it, and the shadow that knows what was proposed and acknowledged
 *   prove.c    what must hold after each start
 *   media.c    the disk below sys.h
 *   tasks.c    threads, locks and clocks
 *   rng.c      chance, and the trace
 */
#ifndef TESTS_SIM_SIM_H
#define TESTS_SIM_SIM_H

/* Says what is wrong, and which seed replays it; ends the process. */
_Noreturn void sim_fail(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* A line of the history on stderr, where --say asks for it. */
void sim_say(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* Fails where the condition is false. */
#define SIM_EXPECT(cond, ...) ((cond) ? (void)0 : sim_fail(__VA_ARGS__))

#endif
