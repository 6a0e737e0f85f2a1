/* turns: asks a running server how long the turns of its loop took. */
#include "base/crypto.h"
#include "base/json_read.h"
#include "tools/ask.h"
#include "tools/out.h"
#include "tools/tools.h"

#include <stdio.h>
#include <string.h>

enum { FLAG_DATA };

static long long number(struct json object, const char *name)
{
    int64_t v = 0;
    (void)json_int(json_member(object, name), &v);
    return v;
}

static void print_clock(const char *what, struct json clock)
{
    out_say("%-10s %10lld %10lld %10lld %10lld %10lld", what, number(clock, "p50"),
            number(clock, "p99"), number(clock, "p999"), number(clock, "p9999"),
            number(clock, "max"));
}

static void print_text(struct json answer)
{
    out_say("turns      %lld, in %.1f s", number(answer, "turns"),
            (double)number(answer, "period_ms") / 1000);
    out_say("%-10s %10s %10s %10s %10s %10s", "us", "p50", "p99", "p99.9", "p99.99", "longest");
    print_clock("wall", json_member(answer, "wall_us"));
    print_clock("processor", json_member(answer, "cpu_us"));
    if (number(answer, "forks") > 0)
        out_say("forks      %lld, the longest %lld us", number(answer, "forks"),
                number(answer, "fork_us"));
}

/* The server's object, with the result that every tool's has. */
static void print_json(struct bytes object)
{
    struct buf b = {0};
    BUF_ADD_LIT(&b, "{\"result\":\"fine\",");
    buf_add(&b, object.p + 1, object.len - 1);
    out_line(&b);
    buf_release(&b);
}

static enum exit_code run(const struct tool_call *call)
{
    char line[ASK_ANSWER_MAX];
    struct arena arena = {0};
    struct json answer = {0};
    struct bytes object = {0};
    enum exit_code code = ask_server(call->values[FLAG_DATA], "turns", line, call->json);
    if (code != EXIT_FINE)
        return code;
    crypto_init(); /* as json_read asks */
    if (strncmp(line, "ok ", 3) == 0)
        object = bytes_cstr(line + 3);
    if (json_read(object, (struct json_limits){4, 64}, &arena, &answer, NULL) != ERR_ok ||
        json_type(answer) != JSON_OBJECT)
        code = ask_failed(line, call->json);
    else if (call->json)
        print_json(object);
    else
        print_text(answer);
    arena_release(&arena);
    return code;
}

const struct tool tool_turns = {
    .places = "",
    .place_count = 0,
    .about =
        "Asks the server that runs on the data directory how long the turns of its loop took "
        "since\n"
        "it was last asked, through the socket `control` in that directory, in microseconds: by "
        "the\n"
        "wall's clock, and by the processor time of its thread. Those that forked for a snapshot "
        "are\n"
        "told apart.\n",
    .flags = {[FLAG_DATA] = {"data", "DIR", "the data directory [./data]"}},
    .run = run,
};
