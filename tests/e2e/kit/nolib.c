/*
 * A library that stands before the C library (LD_PRELOAD) for which none of the libraries is there
 * whose name begins with $NOLIB: as on a machine where that was not installed.
 */
#include <dlfcn.h>
#include <stdlib.h>
#include <string.h>

void *dlopen(const char *name, int flags)
{
    void *(*real)(const char *, int) = (void *(*)(const char *, int))dlsym(RTLD_NEXT, "dlopen");
    const char *missing = getenv("NOLIB");

    if (name && missing && strncmp(name, missing, strlen(missing)) == 0)
        return NULL;
    return real(name, flags);
}
