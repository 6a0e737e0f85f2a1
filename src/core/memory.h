/*
 * memory: may the state grow any more? The limit of --memory-max, at which changes are refused
 * rather than the process killed.
 *
 * What counts is what the system has given to the process: that is what ends it where it is too
 * much. Asking for it is a system call, so it is asked for twice a second, and where more was
 * proposed meanwhile than would be safe not to look at: the nearer the limit, the sooner.
 * Loop thread only.
 */
#ifndef CORE_MEMORY_H
#define CORE_MEMORY_H

#include "model/record.h"

#include <stdbool.h>

/* Gives the bytes that are in use now. */
typedef uint64_t memory_look_fn(void *ctx);

struct memory {
    memory_look_fn *look;
    void *ctx;
    uint64_t max;   /* 0: no limit */
    uint64_t used;  /* when it was looked at last */
    uint64_t grown; /* taken since */
    uint64_t step;  /* look again when so much was taken */
    bool full;
};

/* Sets the limit and looks. */
void memory_init(struct memory *m, uint64_t max, memory_look_fn *look, void *ctx);

/* May this record, whose payload has `len` bytes, be proposed? Always, where it does not make the
 * state grow: receipts, leaving, ending sessions. */
bool memory_takes(struct memory *m, const struct record *r, size_t len);

/* Looks again. Full at the limit, until a sixteenth of it is free again; says so in the log. */
void memory_look(struct memory *m);

/* The bytes of memory that the process has from the system; 0 where that cannot be told. */
uint64_t memory_resident(void);

#endif
