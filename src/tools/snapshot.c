/* snapshot: asks a running server to write one, and waits for it. */
#include "tools/out.h"
#include "tools/tools.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#define ANSWER_MAX 512

enum { FLAG_DATA };

/* Connects to DIR/control; the directory's path may be longer than a socket's address. */
static int open_control(const char *dir)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int at = open(dir, O_PATH | O_DIRECTORY | O_CLOEXEC);
    int fd = at >= 0 ? socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0) : -1;
    (void)snprintf(address.sun_path, sizeof address.sun_path, "/proc/self/fd/%d/control", at);
    if (fd >= 0 && connect(fd, (const struct sockaddr *)&address, sizeof address) != 0) {
        int saved = errno;
        close(fd);
        fd = -1;
        errno = saved;
    }
    if (at >= 0) {
        int saved = errno;
        close(at);
        errno = saved;
    }
    return fd;
}

/* Sends the command and reads one line, without its end. False with errno, 0 where the server went
 * away. */
static bool ask(int fd, const char *command, char line[static ANSWER_MAX])
{
    size_t len = 0;
    char *end = NULL;
    line[0] = '\0';
    if (send(fd, command, strlen(command), MSG_NOSIGNAL) != (ssize_t)strlen(command))
        return false;
    do {
        ssize_t n = recv(fd, line + len, ANSWER_MAX - 1 - len, 0);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return false;
        errno = 0;
        if (n == 0)
            return false;
        len += (size_t)n;
        line[len] = '\0';
    } while ((end = strchr(line, '\n')) == NULL);
    *end = '\0';
    return true;
}

static void print_done(bool json, unsigned long long seq, unsigned long long bytes)
{
    struct buf b = {0};
    if (!json) {
        out_say("a snapshot holds the state behind record %llu: %llu bytes", seq, bytes);
        return;
    }
    out_open(&b, NULL, '{');
    out_cstr(&b, "result", "fine");
    out_uint(&b, "seq", seq);
    out_uint(&b, "bytes", bytes);
    out_close(&b, '}');
    out_line(&b);
    buf_release(&b);
}

static void print_unchanged(bool json)
{
    struct buf b = {0};
    if (!json) {
        out_say("nothing was committed since the newest snapshot");
        return;
    }
    out_open(&b, NULL, '{');
    out_cstr(&b, "result", "fine");
    out_bool(&b, "unchanged", true);
    out_close(&b, '}');
    out_line(&b);
    buf_release(&b);
}

static enum exit_code run(const struct tool_call *call)
{
    const char *dir = call->values[FLAG_DATA] ? call->values[FLAG_DATA] : "./data";
    char line[ANSWER_MAX];
    unsigned long long seq, bytes;
    int fd = open_control(dir);
    if (fd < 0 && (errno == ENOENT || errno == ECONNREFUSED))
        return out_error(call->json, EXIT_FAILED, "no server runs on %s", dir);
    if (fd < 0)
        return out_error(call->json, EXIT_FAILED, "cannot open %s/control: %s", dir,
                         strerror(errno));
    bool answered = ask(fd, "snapshot\n", line);
    int error = errno;
    close(fd);
    if (!answered)
        return out_error(call->json, EXIT_FAILED, "the server on %s did not answer: %s", dir,
                         error != 0 ? strerror(error) : "it closed the connection");
    if (strcmp(line, "ok unchanged") == 0)
        print_unchanged(call->json);
    /* NOLINTNEXTLINE(cert-err34-c): a server's numbers; what does not fit is not told as ok */
    else if (sscanf(line, "ok seq=%20llu bytes=%20llu", &seq, &bytes) == 2)
        print_done(call->json, seq, bytes);
    else
        return out_error(call->json, EXIT_FAILED, "%s",
                         strncmp(line, "error ", 6) == 0 ? line + 6 : line);
    return EXIT_FINE;
}

const struct tool tool_snapshot = {
    .places = "",
    .place_count = 0,
    .about =
        "Asks the server that runs on the data directory for a snapshot of its state, through the\n"
        "socket `control` in that directory, and waits until it is on disk. The next start then\n"
        "reads it and what follows it, and the files that only older snapshots need are deleted.\n",
    .flags = {[FLAG_DATA] = {"data", "DIR", "the data directory [./data]"}},
    .run = run,
};
