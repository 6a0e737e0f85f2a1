/*
 * life: a server from its start to its end, and what may befall it.
 */
#ifndef TESTS_SIM_LIFE_H
#define TESTS_SIM_LIFE_H

#include <stdint.h>

#include "tests/sim/media.h"

struct life_counts {
    uint64_t crashes;
    uint64_t power, kill;                /* of these */
    uint64_t in_call, starting, closing; /* of these, too */
    uint64_t clean;                      /* ends that were none */
    uint64_t full_disks, torn;
    uint64_t snapshots, snapshots_failed, loaded, fallbacks;
    uint64_t rot_refused, rot_survived;
};

extern struct life_counts life_counts;

/* A new history: draws its settings. The disk is empty. */
void life_reset(void);

/* Starts, proves, serves for a while, ends in some way, and perhaps a bit rots. */
void life_run(void);

/* The same life for each plan: some calls happen before it, and then its nth call, counted from the
 * first of its start, fails, or is its last. */
struct life_plan {
    bool ends; /* the process ends there, as `end` says; else `fault` is met */
    enum media_end end;
    struct media_fault fault;
    uint64_t nth;
};

/* Lives it, starts again without trouble, and proves. False where the life had fewer calls. */
bool life_planned(const struct life_plan *plan);

/* The last start of a history: nothing happens, and everything must be there. */
void life_end(void);

#endif
