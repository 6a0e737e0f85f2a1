#include "tools/ask.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "tools/out.h"

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
static bool send_and_read(int fd, const char *command, char line[static ASK_ANSWER_MAX])
{
    size_t len = 0;
    char *end = NULL;
    line[0] = '\0';
    if (send(fd, command, strlen(command), MSG_NOSIGNAL) != (ssize_t)strlen(command))
        return false;
    do {
        ssize_t n = recv(fd, line + len, ASK_ANSWER_MAX - 1 - len, 0);
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

enum exit_code ask_server(const char *dir, const char *command, char line[static ASK_ANSWER_MAX],
                          bool json)
{
    char text[ASK_COMMAND_MAX + 2];
    if (dir == NULL)
        dir = "./data";
    int fd = open_control(dir);
    if (fd < 0 && (errno == ENOENT || errno == ECONNREFUSED))
        return out_error(json, EXIT_FAILED, "no server runs on %s", dir);
    if (fd < 0)
        return out_error(json, EXIT_FAILED, "cannot open %s/control: %s", dir, strerror(errno));
    (void)snprintf(text, sizeof text, "%s\n", command);
    bool answered = send_and_read(fd, text, line);
    int error = errno;
    close(fd);
    if (!answered)
        return out_error(json, EXIT_FAILED, "the server on %s did not answer: %s", dir,
                         error != 0 ? strerror(error) : "it closed the connection");
    return EXIT_FINE;
}

enum exit_code ask_failed(const char *line, bool json)
{
    return out_error(json, EXIT_FAILED, "%s", strncmp(line, "error ", 6) == 0 ? line + 6 : line);
}
