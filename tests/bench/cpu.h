/*
 * cpu: what a process has used, from /proc.
 */
#ifndef BENCH_CPU_H
#define BENCH_CPU_H

#include <stdint.h>
#include <sys/types.h>

struct cpu {
    uint64_t total_ns;           /* user and system, all threads: /proc/PID/task/T/schedstat */
    uint64_t user_ns, system_ns; /* /proc/PID/stat, in steps of the clock tick */
};

/* Reads them. Ends the process with a sentence where the kernel does not tell. */
struct cpu cpu_read(pid_t pid);

/* What was used between two readings. */
struct cpu cpu_between(struct cpu from, struct cpu to);

#endif
