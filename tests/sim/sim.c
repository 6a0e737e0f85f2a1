/*
 * A seed is a history: a disk, a server that lives again and again, people who use it, and the end
 * of each life: the power goes or the process is killed, between two calls of the system or in the
 * middle of one, while it starts, serves or closes. After each start everything is proved
 * (shadow.h). Between two lives a bit may rot.
 *
 *     sim [--seed FIRST] [--seeds COUNT] [--crashes COUNT] [--crashes-a-seed COUNT] [--say 1]
 *         [--sweep 1]
 *
 * With --sweep each call of one life fails, or is its last, one after the other.
 *
 * What was done is said on stdout at the end; a failure says which seed replays it, and ends
 * with 1.
 */
#include <errno.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/crypto.h"
#include "base/diag.h"
#include "base/ensure.h"
#include "tests/sim/life.h"
#include "tests/sim/media.h"
#include "tests/sim/people.h"
#include "tests/sim/rng.h"
#include "tests/sim/shadow.h"
#include "tests/sim/sim.h"
#include "tests/sim/tasks.h"

static uint64_t seed;
static uint64_t crashes_a_seed = 40;
static bool saying;
static bool sweeping;

/* Made before it is needed: a signal handler formats nothing. */
static char replay[64];

static void say_seed(void)
{
    (void)!write(STDERR_FILENO, replay, strlen(replay));
}

_Noreturn void sim_fail(const char *format, ...)
{
    char text[1024];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    dprintf(STDERR_FILENO, "seed %llu, crash %llu: %s\n", (unsigned long long)seed,
            (unsigned long long)life_counts.crashes, text);
    say_seed();
    _exit(1);
}

void sim_say(const char *format, ...)
{
    va_list args;
    if (!saying)
        return;
    va_start(args, format);
    vdprintf(STDERR_FILENO, format, args);
    va_end(args);
    dprintf(STDERR_FILENO, "\n");
}

/* A broken contract aborts: the seed is said there too. */
static void on_signal(int number)
{
    say_seed();
    signal(number, SIG_DFL);
    raise(number);
}

static void begin_seed(void)
{
    snprintf(replay, sizeof replay, "replay with: make sim SEED=%llu\n", (unsigned long long)seed);
    rng_seed(seed);
    tasks_reset();
    media_reset();
    life_reset();
}

static uint64_t run_seed(void)
{
    uint64_t until = life_counts.crashes + crashes_a_seed;
    begin_seed();
    while (life_counts.crashes < until)
        life_run();
    life_end();
    shadow_release();
    media_release();
    return trace_value();
}

/* Fails, or ends at, each call of one life, one after the other. */
static void sweep(void)
{
    static const struct life_plan plans[] = {
        {.ends = true, .end = MEDIA_POWER},
        {.ends = true, .end = MEDIA_KILL},
        {.fault = {.call = MEDIA_CALLS, .times = 1, .error = EIO}},
        {.fault = {.call = MEDIA_CALLS, .times = 1, .error = ENOSPC}},
        {.fault = {.call = MEDIA_CALLS, .times = 2, .error = EINTR}},
        {.fault = {.call = MEDIA_CALLS, .times = 1, .error = EMFILE}},
        {.fault = {.call = MEDIA_CALLS, .times = UINT64_MAX, .error = EIO}},
        {.fault = {.call = MEDIA_CALLS, .times = UINT64_MAX, .error = ENOSPC}},
        {.fault = {.call = MEDIA_WRITE, .times = 1, .error = 0, .after = ENOSPC}},
    };
    for (size_t i = 0; i < sizeof plans / sizeof plans[0]; i++) {
        struct life_plan plan = plans[i];
        bool met = true;
        for (plan.nth = 1; met; plan.nth++) {
            sim_say("plan %zu, call %llu", i, (unsigned long long)plan.nth);
            begin_seed();
            met = life_planned(&plan);
        }
        printf("plan %zu: each of %llu calls\n", i, (unsigned long long)plan.nth - 2);
    }
    shadow_release();
    media_release();
}

static void report(uint64_t seeds, uint64_t trace)
{
    const struct life_counts *l = &life_counts;
    const struct media_counts *m = &media_counts;
    const struct shadow_counts *s = &shadow_counts;
    printf(
        "%llu seeds, %llu crashes (%llu of power, %llu of the process; %llu in a call, %llu while "
        "starting, %llu while closing), %llu clean ends\n",
        (unsigned long long)seeds, (unsigned long long)l->crashes, (unsigned long long)l->power,
        (unsigned long long)l->kill, (unsigned long long)l->in_call,
        (unsigned long long)l->starting, (unsigned long long)l->closing,
        (unsigned long long)l->clean);
    printf("%llu records proposed, %llu acknowledged (%llu of them refused by law); of those "
           "without an answer %llu were there after a crash, %llu were not; %llu met a full disk, "
           "%llu a failed one\n",
           (unsigned long long)s->proposed, (unsigned long long)s->acknowledged,
           (unsigned long long)s->refused_by_law, (unsigned long long)s->recovered_unacknowledged,
           (unsigned long long)s->lost_unacknowledged, (unsigned long long)s->no_room,
           (unsigned long long)s->read_only);
    printf("%llu calls of the system, %llu faults, %llu full disks; not synced: %llu sectors lost, "
           "%llu kept, %llu directory changes lost, %llu kept\n",
           (unsigned long long)m->calls, (unsigned long long)m->faults,
           (unsigned long long)l->full_disks, (unsigned long long)m->sectors_lost,
           (unsigned long long)m->sectors_kept, (unsigned long long)m->entries_lost,
           (unsigned long long)m->entries_kept);
    printf("%llu torn tails cut; %llu bits flipped: %llu starts refused by name, %llu went on\n",
           (unsigned long long)l->torn, (unsigned long long)m->bits_flipped,
           (unsigned long long)l->rot_refused, (unsigned long long)l->rot_survived);
    printf(
        "%llu snapshots made, %llu failed; %llu of %llu children killed; %llu starts loaded one, "
        "%llu passed a damaged one over\n",
        (unsigned long long)l->snapshots, (unsigned long long)l->snapshots_failed,
        (unsigned long long)m->children_killed, (unsigned long long)m->children,
        (unsigned long long)l->loaded, (unsigned long long)l->fallbacks);
    printf("trace %016llx\n", (unsigned long long)trace);
}

static uint64_t number(const char *text)
{
    char *end;
    errno = 0;
    uint64_t v = strtoull(text, &end, 10);
    if (errno != 0 || end == text || *end != '\0') {
        dprintf(STDERR_FILENO, "sim: %s is no number\n", text);
        exit(2);
    }
    return v;
}

int main(int argc, char **argv)
{
    uint64_t first = 1, seeds = 1, crashes = UINT64_MAX, all = 0, ran = 0;
    for (int i = 1; i + 1 < argc; i += 2) {
        if (strcmp(argv[i], "--seed") == 0)
            first = number(argv[i + 1]);
        else if (strcmp(argv[i], "--seeds") == 0)
            seeds = number(argv[i + 1]);
        else if (strcmp(argv[i], "--crashes") == 0)
            crashes = number(argv[i + 1]);
        else if (strcmp(argv[i], "--crashes-a-seed") == 0)
            crashes_a_seed = number(argv[i + 1]);
        else if (strcmp(argv[i], "--sweep") == 0)
            sweeping = number(argv[i + 1]) != 0;
        else if (strcmp(argv[i], "--say") == 0)
            saying = number(argv[i + 1]) != 0;
        else
            number(argv[i]);
    }
    crypto_init();
    diag_set_level((enum diag_level)(DIAG_ERROR + 1));
    signal(SIGABRT, on_signal);
    signal(SIGSEGV, on_signal);
    for (uint64_t i = 0; sweeping && i < seeds; i++) {
        seed = first + i;
        sweep();
    }
    for (; !sweeping && ran < seeds && life_counts.crashes < crashes; ran++) {
        seed = first + ran;
        uint64_t trace = run_seed();
        all = all * 31 + trace;
        /* A seed that does not replay exactly is worth nothing. */
        if (ran % 50 == 0)
            SIM_EXPECT(run_seed() == trace, "the same seed went another way");
    }
    report(ran, all);
    return 0;
}
