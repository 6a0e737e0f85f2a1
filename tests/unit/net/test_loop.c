#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include <signal.h>
#include <stdbool.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "net/loop.h"

struct fixture {
    struct loop *loop;
    struct loop_io io;
    int fds[2];
    char log[200];
    int turns, ticks, stop_at;
    bool has_time;
    struct loop_timer timer, other;
    uint64_t started_ns;
};

static void note(struct fixture *f, const char *word)
{
    strncat(f->log, word, sizeof f->log - strlen(f->log) - 1);
}

static void on_turn_end(void *ctx)
{
    struct fixture *f = ctx;
    note(f, "e");
    if (++f->turns == f->stop_at)
        loop_stop(f->loop);
}

static void on_second_turn_end(void *ctx)
{
    note(ctx, "E ");
}

static struct fixture *of_io(void *ctx)
{
    return (struct fixture *)(void *)((char *)ctx - offsetof(struct fixture, io));
}

static void on_io(void *ctx, int events)
{
    struct fixture *f = of_io(ctx);
    char byte;
    if (events & LOOP_READ && recv(f->fds[0], &byte, 1, 0) == 1)
        note(f, byte == 'x' ? "x" : "r");
    if (events & LOOP_WRITE)
        note(f, "w");
}

static void on_io_stop(void *ctx, int events)
{
    struct fixture *f = of_io(ctx);
    on_io(ctx, events);
    loop_stop(f->loop);
}

static void setup(struct fixture *f)
{
    memset(f, 0, sizeof *f);
    f->loop = loop_new();
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, f->fds), 0);
    loop_add_turn_end(f->loop, on_turn_end, f);
    loop_add_turn_end(f->loop, on_second_turn_end, f);
}

static void teardown(struct fixture *f)
{
    loop_io_stop(f->loop, &f->io);
    loop_free(f->loop);
    close(f->fds[0]);
    close(f->fds[1]);
}

/* What was queued before the loop ran gets its turn's end first; the last turn has its end too. */
static void test_turns(void **state)
{
    struct fixture f;
    (void)state;
    setup(&f);
    loop_io_start(f.loop, &f.io, f.fds[0], LOOP_READ, on_io_stop);
    assert_int_equal(send(f.fds[1], "x", 1, 0), 1);
    loop_run(f.loop);
    assert_string_equal(f.log, "eE xeE ");
    teardown(&f);
}

/* One turn outside loop_run: what is ready is heard, and nothing is waited for. */
static void test_poll(void **state)
{
    struct fixture f;
    (void)state;
    setup(&f);
    loop_io_start(f.loop, &f.io, f.fds[0], LOOP_READ, on_io);
    loop_poll(f.loop);
    assert_string_equal(f.log, "eE ");
    assert_int_equal(send(f.fds[1], "x", 1, 0), 1);
    loop_more(f.loop); /* what was left to do is done in this one */
    loop_poll(f.loop);
    assert_false(loop_has_more(f.loop));
    assert_string_equal(f.log, "eE xeE ");
    turns_forget(loop_turns(f.loop));
    assert_int_equal(timing_read(&loop_turns(f.loop)->all.counts[0]), 0);
    assert_int_equal(loop_turns(f.loop)->wall.count, 0);
    teardown(&f);
}

static void test_again(void **state)
{
    struct fixture f;
    (void)state;
    setup(&f);
    f.stop_at = 2;
    loop_again(f.loop);
    loop_run(f.loop); /* nothing is ready, and yet it does not wait */
    assert_string_equal(f.log, "eE eE ");
    teardown(&f);
}

/* Steps of work, and a byte that comes in the first. */
static void on_step(void *ctx)
{
    struct fixture *f = ctx;
    if (f->ticks == 0)
        assert_int_equal(send(f->fds[1], "r", 1, 0), 1);
    assert_false(loop_has_more(f->loop));
    f->ticks++;
    loop_more(f->loop);
    assert_true(loop_has_more(f->loop));
}

static void steps(bool brief, const char *expected)
{
    struct fixture f;
    setup(&f);
    loop_io_start(f.loop, &f.io, f.fds[0], LOOP_READ, on_io);
    loop_add_turn_end(f.loop, on_step, &f);
    loop_set_brief(f.loop, brief);
    f.stop_at = 4;
    loop_run(f.loop);
    assert_string_equal(f.log, expected);
    teardown(&f);
}

static void test_steps(void **state)
{
    (void)state;
    steps(false, "eE eE eE eE ");
    /* In a brief turn there is one. */
    steps(true, "eE reE eE eE ");
}

static void test_a_brief_piece(void **state)
{
    struct fixture f;
    (void)state;
    setup(&f);
    assert_int_equal(loop_piece(f.loop, 64), 64);
    loop_set_brief(f.loop, true);
    assert_int_equal(loop_piece(f.loop, 64), 8);
    loop_set_brief(f.loop, false);
    assert_int_equal(loop_piece(f.loop, 64), 64);
    teardown(&f);
}

/* Asks at a turn's end what time there is. */
static void on_time(void *ctx)
{
    struct fixture *f = ctx;
    f->has_time = loop_has_time(f->loop, UINT32_MAX);
    assert_false(loop_has_time(f->loop, 0)); /* it is older */
}

static bool time_in_a_turn(bool brief, int turns)
{
    struct fixture f;
    setup(&f);
    loop_add_turn_end(f.loop, on_time, &f);
    loop_set_brief(f.loop, brief);
    f.stop_at = turns;
    loop_again(f.loop);
    loop_run(f.loop);
    assert_false(loop_has_time(f.loop, 0));
    bool has_time = f.has_time;
    teardown(&f);
    return has_time;
}

static void test_the_time_of_a_brief_turn(void **state)
{
    (void)state;
    assert_true(time_in_a_turn(true, 2));
    assert_false(time_in_a_turn(false, 2)); /* a piece was all */
    assert_false(time_in_a_turn(true, 1));  /* nothing has begun before the first wait */
}

static void test_stop_at_the_first_turn_end(void **state)
{
    struct fixture f;
    (void)state;
    setup(&f);
    f.stop_at = 1;
    loop_run(f.loop);
    assert_string_equal(f.log, "eE ");
    teardown(&f);
}

static void test_io_set(void **state)
{
    struct fixture f;
    (void)state;
    setup(&f);
    loop_io_stop(f.loop, &f.io); /* harmless on zeroes */
    loop_io_start(f.loop, &f.io, f.fds[0], 0, on_io);
    assert_int_equal(send(f.fds[1], "rr", 2, 0), 2);
    f.stop_at = 2;
    loop_again(f.loop);
    loop_run(f.loop); /* paused: the bytes wait */
    assert_string_equal(f.log, "eE eE ");
    f.log[0] = '\0';
    loop_io_set(f.loop, &f.io, LOOP_READ);
    loop_io_set(f.loop, &f.io, LOOP_READ);
    f.turns = 0;
    f.stop_at = 3;
    loop_run(f.loop);
    assert_string_equal(f.log, "eE reE reE ");
    f.log[0] = '\0';
    loop_io_set(f.loop, &f.io, LOOP_READ | LOOP_WRITE);
    f.turns = 0;
    f.stop_at = 2;
    loop_run(f.loop);
    assert_string_equal(f.log, "eE weE ");
    loop_io_stop(f.loop, &f.io);
    loop_io_stop(f.loop, &f.io);
    teardown(&f);
}

static void on_tick(void *ctx)
{
    struct fixture *f = ctx;
    if (++f->ticks == 3)
        loop_stop(f->loop);
}

static void test_tick_and_clock(void **state)
{
    struct fixture f;
    (void)state;
    setup(&f);
    int64_t before = clock_mono_ms();
    loop_add_tick(f.loop, 5, on_tick, &f);
    loop_run(f.loop);
    assert_int_equal(f.ticks, 3);
    assert_true(loop_now_ms(f.loop) >= before);
    assert_true(loop_now_ms(f.loop) <= clock_mono_ms());
    teardown(&f);
}

static void on_timer(void *ctx)
{
    struct fixture *f = (struct fixture *)(void *)((char *)ctx - offsetof(struct fixture, timer));
    assert_true(clock_mono_ns() - f->started_ns >= 20 * UINT64_C(1000000));
    note(f, "t");
    if (++f->ticks == 2)
        loop_stop(f->loop);
    f->started_ns = clock_mono_ns();
    loop_timer_start(f->loop, &f->timer, 20, on_timer);
}

static void never(void *ctx)
{
    (void)ctx;
    fail_msg("a timer that was stopped");
}

/* Once a start, not before its time; one that is started again begins anew. */
static void test_timer(void **state)
{
    struct fixture f;
    (void)state;
    setup(&f);
    loop_timer_stop(f.loop, &f.other);
    loop_timer_start(f.loop, &f.other, 0, never);
    loop_timer_stop(f.loop, &f.other);
    loop_timer_start(f.loop, &f.timer, 0, never);
    f.started_ns = clock_mono_ns();
    loop_timer_start(f.loop, &f.timer, 20, on_timer);
    f.stop_at = -1;
    loop_run(f.loop);
    assert_int_equal(f.ticks, 2);
    loop_timer_stop(f.loop, &f.timer);
    loop_timer_stop(f.loop, &f.timer);
    teardown(&f);
}

static void on_signal(void *ctx)
{
    struct fixture *f = ctx;
    note(f, "s");
    loop_stop(f->loop);
}

static void test_signal(void **state)
{
    struct fixture f;
    (void)state;
    setup(&f);
    loop_add_signal(f.loop, SIGUSR1, on_signal, &f);
    assert_int_equal(raise(SIGUSR1), 0);
    loop_run(f.loop);
    assert_string_equal(f.log, "eE seE ");
    teardown(&f);
}

/* Turns that are looked at from within: the first does nothing, the second uses the processor, the
 * third only waits, the fourth is told apart, the fifth ends it. */
#define MS 1000000u

static void on_turn_of_some_kind(void *ctx)
{
    struct fixture *f = ctx;
    struct timespec wait = {.tv_nsec = 30 * MS};
    uint64_t begun = clock_thread_ns();

    loop_again(f->loop);
    switch (f->ticks++) {
    case 0: /* before the first wait: no turn yet */
    case 1:
        break;
    case 2:
        while (clock_thread_ns() - begun < 5 * MS)
            ;
        break;
    case 3:
    case 4:
        if (f->ticks == 5)
            turns_apart(loop_turns(f->loop));
        assert_int_equal(nanosleep(&wait, NULL), 0);
        break;
    default:
        loop_stop(f->loop);
    }
}

static void test_how_long_turns_took(void **state)
{
    struct fixture f;
    (void)state;
    setup(&f);
    struct turns *t = loop_turns(f.loop);
    assert_int_equal(turns_period_ms(t), 0);
    loop_add_turn_end(f.loop, on_turn_of_some_kind, &f);
    loop_run(f.loop);
    assert_int_equal(t->wall.count, 3); /* the last has not ended with a wait */
    assert_int_equal(t->cpu.count, 3);
    assert_int_equal(t->apart.count, 1);
    assert_true(t->wall.max_ns >= 30 * MS);
    assert_true(t->apart.max_ns >= 30 * MS);
    assert_true(t->cpu.max_ns >= 5 * MS);
    assert_true(t->cpu.max_ns <= t->wall.max_ns);
    /* Two of three were short by the processor's clock: the one that waited is one of them. */
    assert_true(histogram_us(&t->cpu, 6600) < 5000);
    assert_true(turns_period_ms(t) >= 60);
    turns_reset(t);
    assert_int_equal(t->wall.count + t->cpu.count + t->apart.count, 0);
    assert_int_equal(t->wall.max_ns + t->cpu.max_ns + t->apart.max_ns, 0);
    teardown(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_turns),
        cmocka_unit_test(test_poll),
        cmocka_unit_test(test_again),
        cmocka_unit_test(test_steps),
        cmocka_unit_test(test_a_brief_piece),
        cmocka_unit_test(test_the_time_of_a_brief_turn),
        cmocka_unit_test(test_stop_at_the_first_turn_end),
        cmocka_unit_test(test_io_set),
        cmocka_unit_test(test_tick_and_clock),
        cmocka_unit_test(test_timer),
        cmocka_unit_test(test_signal),
        cmocka_unit_test(test_how_long_turns_took),
    };
    return cmocka_run_group_tests_name("loop", tests, NULL, NULL);
}
