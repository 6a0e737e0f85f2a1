/*
 * Looking up a name of .example takes as long as the file that HANGING_NAMES names is there: for
 * tests of what must go on meanwhile. Then there is no such name.
 */
#include <dlfcn.h>
#include <netdb.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

typedef int lookup_fn(const char *node, const char *service, const struct addrinfo *hints,
                      struct addrinfo **found);

int getaddrinfo(const char *restrict node, const char *restrict service,
                const struct addrinfo *restrict hints, struct addrinfo **restrict found)
{
    const char *file = getenv("HANGING_NAMES");
    lookup_fn *real;

    if (node == NULL || file == NULL || strstr(node, ".example") == NULL) {
        *(void **)&real = dlsym(RTLD_NEXT, "getaddrinfo");
        return real(node, service, hints, found);
    }
    while (access(file, F_OK) == 0)
        usleep(10000);
    return EAI_NONAME;
}
