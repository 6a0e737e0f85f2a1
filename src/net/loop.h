/*
 * loop: the event loop. The only user of libev; what a watcher costs is its struct.
 *
 * One thread, the loop thread, calls everything here and gets every callback. A turn is: wait,
 * callbacks of what is ready, then the turn-end callbacks in the order they were added, then wait
 * again. Watcher memory belongs to the caller and must live until loop_io_stop.
 */
#ifndef NET_LOOP_H
#define NET_LOOP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "net/turns.h"

struct loop;

#define LOOP_READ  1
#define LOOP_WRITE 2

struct loop_io {
    _Alignas(8) unsigned char opaque[48]; /* an ev_io; its size is checked in loop.c */
};

struct loop_timer {
    _Alignas(8) unsigned char opaque[48]; /* an ev_timer */
};

typedef void (*loop_io_fn)(void *ctx, int events);
typedef void (*loop_fn)(void *ctx);

struct loop *loop_new(void);
void loop_free(struct loop *loop);

/* Runs until loop_stop. */
void loop_run(struct loop *loop);
/* One turn that waits for nothing, for who is busy with something long outside loop_run. */
void loop_poll(struct loop *loop);
/* The current turn is the last: its turn-end callbacks still run. */
void loop_stop(struct loop *loop);

/* Starts watching `fd` for `events` (LOOP_READ | LOOP_WRITE); `io` is not in use. The callback is
 * found through `fn`, which is called with `io` itself as ctx: the owner contains its loop_io. */
void loop_io_start(struct loop *loop, struct loop_io *io, int fd, int events, loop_io_fn fn);
/* Changes what is watched; 0 pauses. Free of charge where nothing changes. */
void loop_io_set(struct loop *loop, struct loop_io *io, int events);
/* Stops; harmless on a stopped or zeroed watcher. Before the descriptor is closed. */
void loop_io_stop(struct loop *loop, struct loop_io *io);

/* Calls `fn` once, `ms` or more from now, with `timer` itself as ctx: the owner contains it. One
 * that runs already begins anew; one that is zero may be given. */
void loop_timer_start(struct loop *loop, struct loop_timer *timer, uint32_t ms, loop_fn fn);
/* Harmless on one that does not run, or is zero. */
void loop_timer_stop(struct loop *loop, struct loop_timer *timer);

/* Calls fn at the end of every turn, before the loop waits. At most 8. */
void loop_add_turn_end(struct loop *loop, loop_fn fn, void *ctx);
/* Makes the next wait not wait, so that another turn follows at once. */
void loop_again(struct loop *loop);

/* Makes the turn-end callbacks run once more before anything is waited for or asked of the system:
 * for work that was cut into steps. After 16 steps the system is asked all the same. */
void loop_more(struct loop *loop);
/* Was loop_more called in this step? */
bool loop_has_more(const struct loop *loop);

/* While on, what is done costs more than usually, and nobody knows how much: a turn has one step,
 * and a step does its work in smaller pieces and looks at the clock between them. So no turn
 * becomes long, and as much is joined as there is time for. */
void loop_set_brief(struct loop *loop, bool on);
/* How much of something is one piece, of which a step does `most` ordinarily: all, or an eighth. */
size_t loop_piece(const struct loop *loop, size_t most);
/* Behind a piece: may the step do another? In an ordinary turn never, since a piece is all; in a
 * brief one while the turn is younger than so many microseconds. */
bool loop_has_time(const struct loop *loop, uint32_t us);

/* Calls fn about every `interval_ms`. At most 8. */
void loop_add_tick(struct loop *loop, uint32_t interval_ms, loop_fn fn, void *ctx);

/* Calls fn on the loop thread when the signal comes. At most 8. */
void loop_add_signal(struct loop *loop, int signum, loop_fn fn, void *ctx);

/* clock_mono_ms as of the start of this turn. */
int64_t loop_now_ms(const struct loop *loop);

/* How long the turns took; the loop's. The steps of loop_more count together: a socket that becomes
 * ready is noticed behind the last of them. */
struct turns *loop_turns(struct loop *loop);

#endif
