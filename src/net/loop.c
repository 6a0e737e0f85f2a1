#include "net/loop.h"

#include <ev.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/ensure.h"

#define LOOP_SLOTS 8
#define STEPS_MAX  16 /* of one turn */
#define BRIEF_PART 8

struct turn_end {
    loop_fn fn;
    void *ctx;
};

struct tick {
    ev_timer timer;
    loop_fn fn;
    void *ctx;
};

struct signal_watch {
    ev_signal watcher;
    loop_fn fn;
    void *ctx;
};

struct loop {
    struct ev_loop *ev;
    ev_check turn_start;
    int64_t now_ms;
    struct turns turns;
    bool stopped;
    bool again; /* the next wait does not wait */
    bool more;  /* the turn has another step */
    bool brief;
    unsigned turn_end_count, tick_count, signal_count;
    struct turn_end turn_ends[LOOP_SLOTS];
    struct tick ticks[LOOP_SLOTS];
    struct signal_watch signals[LOOP_SLOTS];
};

_Static_assert(sizeof(ev_io) <= sizeof(struct loop_io), "loop_io holds an ev_io");
_Static_assert(_Alignof(ev_io) <= _Alignof(struct loop_io), "loop_io is aligned as an ev_io");
_Static_assert(sizeof(ev_timer) <= sizeof(struct loop_timer), "loop_timer holds an ev_timer");
_Static_assert(_Alignof(ev_timer) <= _Alignof(struct loop_timer), "and is aligned as one");
_Static_assert(LOOP_READ == EV_READ && LOOP_WRITE == EV_WRITE, "events need no translation");

/* libev runs this before any other callback of a turn, since its priority is the highest. */
static void on_turn_start(struct ev_loop *ev, ev_check *w, int events)
{
    struct loop *loop = w->data;
    (void)ev;
    (void)events;
    loop->now_ms = clock_mono_ms();
}

/* libev calls these around the system's wait, and nowhere else. */
static void on_wait(struct ev_loop *ev)
{
    turns_end(ev_userdata(ev));
}

static void on_woken(struct ev_loop *ev)
{
    turns_begin(ev_userdata(ev));
}

/* libev's own would abort. */
static void *allocate(void *p, long size)
{
    if (size > 0)
        return xrealloc(p, (unsigned long)size);
    free(p);
    return NULL;
}

struct loop *loop_new(void)
{
    ev_set_allocator(allocate);
    struct loop *loop = xcalloc(1, sizeof *loop);
    loop->ev = ev_loop_new(EVFLAG_NOENV | EVFLAG_NOINOTIFY | EVFLAG_NOTIMERFD | EVBACKEND_EPOLL);
    ENSURE(loop->ev);
    loop->now_ms = clock_mono_ms();
    ev_check_init(&loop->turn_start, on_turn_start);
    ev_set_priority(&loop->turn_start, EV_MAXPRI);
    loop->turn_start.data = loop;
    ev_check_start(loop->ev, &loop->turn_start);
    ev_set_userdata(loop->ev, &loop->turns);
    ev_set_loop_release_cb(loop->ev, on_wait, on_woken);
    return loop;
}

void loop_free(struct loop *loop)
{
    if (!loop)
        return;
    for (unsigned i = 0; i < loop->tick_count; i++)
        ev_timer_stop(loop->ev, &loop->ticks[i].timer);
    for (unsigned i = 0; i < loop->signal_count; i++)
        ev_signal_stop(loop->ev, &loop->signals[i].watcher);
    ev_check_stop(loop->ev, &loop->turn_start);
    ev_loop_destroy(loop->ev);
    free(loop);
}

static void end_turn(struct loop *loop)
{
    for (unsigned i = 0; i < loop->turn_end_count; i++)
        loop->turn_ends[i].fn(loop->turn_ends[i].ctx);
}

/* The turn's end runs here and not in an ev_prepare, because ev_run leaves without it when it is
 * told to stop. */
void loop_run(struct loop *loop)
{
    unsigned steps = 0;

    loop->stopped = false;
    end_turn(loop);
    while (!loop->stopped) {
        if (loop->more && !loop->brief && steps++ < STEPS_MAX) {
            loop->more = false;
        } else {
            int how = loop->again || loop->more ? EVRUN_ONCE | EVRUN_NOWAIT : EVRUN_ONCE;
            loop->again = loop->more = false;
            steps = 0;
            ev_run(loop->ev, how);
        }
        end_turn(loop);
    }
}

void loop_poll(struct loop *loop)
{
    loop->again = loop->more = false;
    ev_run(loop->ev, EVRUN_ONCE | EVRUN_NOWAIT);
    end_turn(loop);
}

void loop_stop(struct loop *loop)
{
    loop->stopped = true;
}

static void on_io(struct ev_loop *ev, ev_io *w, int events)
{
    loop_io_fn fn;
    (void)ev;
    memcpy(&fn, &w->data, sizeof fn);
    fn(w, events & (EV_READ | EV_WRITE));
}

void loop_io_start(struct loop *loop, struct loop_io *io, int fd, int events, loop_io_fn fn)
{
    ev_io *w = (ev_io *)(void *)io;
    ev_io_init(w, on_io, fd, events);
    memcpy(&w->data, &fn, sizeof fn);
    if (events)
        ev_io_start(loop->ev, w);
}

void loop_io_set(struct loop *loop, struct loop_io *io, int events)
{
    ev_io *w = (ev_io *)(void *)io;
    int current = ev_is_active(w) ? w->events & (EV_READ | EV_WRITE) : 0;
    if (current == events)
        return;
    ev_io_stop(loop->ev, w);
    if (events) {
        ev_io_set(w, w->fd, events);
        ev_io_start(loop->ev, w);
    }
}

void loop_io_stop(struct loop *loop, struct loop_io *io)
{
    ev_io_stop(loop->ev, (ev_io *)(void *)io);
}

static void on_timer(struct ev_loop *ev, ev_timer *w, int events)
{
    loop_fn fn;
    (void)ev;
    (void)events;
    memcpy(&fn, &w->data, sizeof fn);
    fn(w);
}

void loop_timer_start(struct loop *loop, struct loop_timer *timer, uint32_t ms, loop_fn fn)
{
    ev_timer *w = (ev_timer *)(void *)timer;
    loop_timer_stop(loop, timer);
    ev_timer_init(w, on_timer, ms / 1000.0, 0);
    memcpy(&w->data, &fn, sizeof fn);
    ev_now_update(loop->ev); /* else it comes early, by as much as this turn has taken */
    ev_timer_start(loop->ev, w);
}

void loop_timer_stop(struct loop *loop, struct loop_timer *timer)
{
    ev_timer_stop(loop->ev, (ev_timer *)(void *)timer);
}

void loop_add_turn_end(struct loop *loop, loop_fn fn, void *ctx)
{
    ENSURE(loop->turn_end_count < LOOP_SLOTS);
    loop->turn_ends[loop->turn_end_count++] = (struct turn_end){fn, ctx};
}

void loop_again(struct loop *loop)
{
    loop->again = true;
}

static void on_tick(struct ev_loop *ev, ev_timer *w, int events)
{
    struct tick *t = w->data;
    (void)ev;
    (void)events;
    t->fn(t->ctx);
}

void loop_more(struct loop *loop)
{
    loop->more = true;
}

bool loop_has_more(const struct loop *loop)
{
    return loop->more;
}

void loop_set_brief(struct loop *loop, bool on)
{
    loop->brief = on;
}

size_t loop_piece(const struct loop *loop, size_t most)
{
    return loop->brief ? most / BRIEF_PART : most;
}

bool loop_has_time(const struct loop *loop, uint32_t us)
{
    return loop->brief && turns_age_ns(&loop->turns) < UINT64_C(1000) * us;
}

void loop_add_tick(struct loop *loop, uint32_t interval_ms, loop_fn fn, void *ctx)
{
    ENSURE(loop->tick_count < LOOP_SLOTS && interval_ms > 0);
    struct tick *t = &loop->ticks[loop->tick_count++];
    double seconds = interval_ms / 1000.0;
    t->fn = fn;
    t->ctx = ctx;
    ev_timer_init(&t->timer, on_tick, seconds, seconds);
    t->timer.data = t;
    ev_now_update(loop->ev); /* else the first interval is short after a long start */
    ev_timer_start(loop->ev, &t->timer);
}

static void on_signal(struct ev_loop *ev, ev_signal *w, int events)
{
    struct signal_watch *s = w->data;
    (void)ev;
    (void)events;
    s->fn(s->ctx);
}

void loop_add_signal(struct loop *loop, int signum, loop_fn fn, void *ctx)
{
    ENSURE(loop->signal_count < LOOP_SLOTS);
    struct signal_watch *s = &loop->signals[loop->signal_count++];
    s->fn = fn;
    s->ctx = ctx;
    ev_signal_init(&s->watcher, on_signal, signum);
    s->watcher.data = s;
    ev_signal_start(loop->ev, &s->watcher);
}

int64_t loop_now_ms(const struct loop *loop)
{
    return loop->now_ms;
}

struct turns *loop_turns(struct loop *loop)
{
    return &loop->turns;
}
