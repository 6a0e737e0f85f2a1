/*
 * runner: a main for a fuzz target that gives it each file of the named directories, once. So every
 * corpus is a test too, without clang.
 */
#include <dirent.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static char running[4200]; /* the line that says so */

/* A broken contract, or the end of the time that there is: says of which input. */
static void on_abort(int number)
{
    (void)!write(STDERR_FILENO, running, strlen(running));
    signal(number, SIG_DFL);
    raise(number);
}

static int run_file(const char *path)
{
    struct stat st;
    FILE *f = fopen(path, "rb");

    if (f == NULL || fstat(fileno(f), &st) != 0 || !S_ISREG(st.st_mode)) {
        if (f != NULL)
            fclose(f);
        return 0;
    }
    uint8_t *data = malloc((size_t)st.st_size + 1);
    size_t size = data != NULL ? fread(data, 1, (size_t)st.st_size, f) : 0;
    fclose(f);
    snprintf(running, sizeof running, "while running %s\n", path);
    LLVMFuzzerTestOneInput(data, size);
    free(data);
    return 1;
}

int main(int argc, char **argv)
{
    int files = 0;

    signal(SIGABRT, on_abort);
    for (int i = 1; i < argc; i++) {
        struct dirent **names;
        int count = scandir(argv[i], &names, NULL, alphasort);
        for (int k = 0; k < count; k++) {
            char path[4096];
            snprintf(path, sizeof path, "%s/%s", argv[i], names[k]->d_name);
            files += run_file(path);
            free(names[k]);
        }
        if (count >= 0)
            free(names);
    }
    printf("%s: %d inputs\n", argv[0], files);
    return files > 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
