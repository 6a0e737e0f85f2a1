#include "cpu.h"

#include <dirent.h>
#include <err.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Reads a small file of /proc whole; `text` has room for 1024 bytes. */
static void slurp(const char *path, char *text)
{
    FILE *file = fopen(path, "re");
    size_t n;

    if (!file)
        err(1, "%s", path);
    n = fread(text, 1, 1023, file);
    text[n] = '\0';
    fclose(file);
}

struct cpu cpu_read(pid_t pid)
{
    uint64_t tick_ns = 1000000000ull / (uint64_t)sysconf(_SC_CLK_TCK), user, system, on_cpu;
    struct cpu cpu = {0};
    struct dirent *entry;
    char path[128], text[1024];
    const char *fields;
    DIR *dir;

    snprintf(path, sizeof(path), "/proc/%d/stat", (int)pid);
    slurp(path, text);
    /* Behind the name, which may hold anything: state, then ten numbers, then utime and stime. */
    fields = strrchr(text, ')');
    if (!fields ||
        sscanf(fields + 2, "%*c %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %" SCNu64 " %" SCNu64,
               &user, &system) != 2)
        errx(1, "%s: not as expected", path);
    cpu.user_ns = user * tick_ns;
    cpu.system_ns = system * tick_ns;

    snprintf(path, sizeof(path), "/proc/%d/task", (int)pid);
    dir = opendir(path);
    if (!dir)
        err(1, "%s", path);
    while ((entry = readdir(dir)) != NULL) {
        if (entry->d_name[0] == '.')
            continue;
        snprintf(path, sizeof(path), "/proc/%d/task/%d/schedstat", (int)pid, atoi(entry->d_name));
        slurp(path, text);
        if (sscanf(text, "%" SCNu64, &on_cpu) != 1)
            errx(1, "%s: not as expected", path);
        cpu.total_ns += on_cpu;
    }
    closedir(dir);
    return cpu;
}

struct cpu cpu_between(struct cpu from, struct cpu to)
{
    return (struct cpu){.total_ns = to.total_ns - from.total_ns,
                        .user_ns = to.user_ns - from.user_ns,
                        .system_ns = to.system_ns - from.system_ns};
}
