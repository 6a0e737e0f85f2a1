/*
 * witness: what the machine itself adds to how long a turn takes.
 *
 *   witness
 *
 * Counts for WORK_NS about once a millisecond, always equally far, until standard input ends. It
 * touches no memory and calls nothing meanwhile, so what a round takes beyond that, the machine has
 * put there: a hypervisor that ran somebody else, an interrupt. Prints "rounds N", "work_us N", and
 * the p99.9 and the longest of its rounds by the thread's processor time and by the wall's clock,
 * in microseconds.
 */
#include <inttypes.h>
#include <poll.h>
#include <stdio.h>

#include "base/clock.h"
#include "base/histogram.h"

#define WORK_NS  200000u
#define TRIAL    100000u
#define TRIALS   50
#define PAUSE_MS 1

static void count_to(uint64_t n)
{
    for (volatile uint64_t i = 0; i < n; i++)
        ;
}

/* How far it counts in WORK_NS, when nothing comes between. */
static uint64_t how_far(void)
{
    uint64_t least = UINT64_MAX;
    for (int i = 0; i < TRIALS; i++) {
        uint64_t begun = clock_mono_ns();
        count_to(TRIAL);
        uint64_t took = clock_mono_ns() - begun;
        least = took < least ? took : least;
    }
    return (uint64_t)TRIAL * WORK_NS / least;
}

int main(void)
{
    struct pollfd in = {.fd = 0, .events = POLLIN};
    struct histogram cpu = {0}, wall = {0};
    uint64_t far = how_far();

    while (poll(&in, 1, PAUSE_MS) == 0) {
        uint64_t wall_begun = clock_mono_ns(), cpu_begun = clock_thread_ns();
        count_to(far);
        histogram_add(&cpu, clock_thread_ns() - cpu_begun);
        histogram_add(&wall, clock_mono_ns() - wall_begun);
    }
    printf("rounds %" PRIu64 "\nwork_us %u\n", cpu.count, WORK_NS / 1000);
    printf("cpu_p999_us %" PRIu64 "\ncpu_max_us %" PRIu64 "\n", histogram_us(&cpu, 9990),
           histogram_us(&cpu, 10000));
    printf("wall_p999_us %" PRIu64 "\nwall_max_us %" PRIu64 "\n", histogram_us(&wall, 9990),
           histogram_us(&wall, 10000));
    return 0;
}
