/* snapshot: asks a running server to write one, and waits for it. */
#include "tools/ask.h"
#include "tools/out.h"
#include "tools/tools.h"

#include <stdio.h>
#include <string.h>

enum { FLAG_DATA };

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
    char line[ASK_ANSWER_MAX];
    unsigned long long seq, bytes;
    enum exit_code code = ask_server(call->values[FLAG_DATA], "snapshot", line, call->json);
    if (code != EXIT_FINE)
        return code;
    if (strcmp(line, "ok unchanged") == 0)
        print_unchanged(call->json);
    /* NOLINTNEXTLINE(cert-err34-c): a server's numbers; what does not fit is not told as ok */
    else if (sscanf(line, "ok seq=%20llu bytes=%20llu", &seq, &bytes) == 2)
        print_done(call->json, seq, bytes);
    else
        return ask_failed(line, call->json);
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
