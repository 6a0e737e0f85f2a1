/*
 * The whole server in one process: the real net, api, engine and model, on socket pairs, a journal
 * in memory, and clocks that only the input moves. The input is a script of steps that end with
 * 0x1E; a step is a letter and mostly the digit of a client (6 comes in by the app's door):
 *
 *   c1       connects            >1BYTES  sends bytes         "1TEXT  sends a WebSocket message
 *   r1METHOD PATH[ TOKEN[ FIELD: VALUE]]\nBODY    sends a request
 *   e1       ends its half       x1       closes              d1      stops or begins to read
 *   .        turns of the loop   w1500    time passes, ms     s       a snapshot
 *   f3       the third record from now fails                  q       the server is told to stop
 *
 * In what is sent, 0x01 and a letter and a digit stand for something that the server has said: i an
 * id, t a token, u a messaging URL, m a message; and r for 0x1E.
 *
 * Whatever clients do, they are told only what the protocol has; everybody who asked is answered;
 * once all are gone no connection is left; the model's invariants hold; and it is the replay of the
 * journal.
 */
#include "base/clock.h"
#include "base/crypto.h"
#include "base/diag.h"
#include "base/ensure.h"
#include "base/hash.h"
#include "fuzz/server_peer.h"
#include "fuzz/server_seams.h"
#include "server_inside.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define PEERS        8
#define SEP          0x1E
#define STEP_TURNS   4
#define SETTLE_TURNS 4096

struct world {
    struct server server;
    struct journal_memory memory;
    struct peer peers[PEERS];
    struct seen seen;
    unsigned ends; /* turn's ends since loop_run */
};

/* Small, so that an input reaches every limit. */
static const struct config *small_config(void)
{
    static char words[][32] = {"--head-max=1024",        "--body-max=2048",
                               "--message-max=2048",     "--header-count-max=16",
                               "--name-max=32",          "--user-ids-max=6",
                               "--group-members-max=3",  "--user-groups-max=3",
                               "--user-sessions-max=2",  "--session-sockets-max=2",
                               "--json-depth-max=8",     "--json-token-max=128",
                               "--send-queue-max=65536", "--send-rate=2",
                               "--send-burst=24",        "--register-rate=6",
                               "--snapshot-after=0",     "--connections-max=16",
                               "--rpc-rate=4",           "--rpc-burst=40",
                               "--user-rate=4",          "--user-burst=40",
                               "--address-rate=8",       "--address-burst=80",
                               "--origin=https://a.b",   "--polls-max=3",
                               "--retention=2",          "--trusted-proxy=10.0.0.7"};
    enum { COUNT = sizeof words / sizeof words[0] };
    static struct config config;
    char *argv[COUNT];
    char message[256];

    if (config.head_max != 0)
        return &config;
    for (int i = 0; i < COUNT; i++)
        argv[i] = words[i];
    ENSURE(config_read(&config, COUNT, argv, NULL, message, sizeof message) == CONFIG_OK);
    return &config;
}

/* ---- turns ------------------------------------------------------------------------------------
 */

/* loop_run begins with a turn's end, and then asks the system once. */
static void stop_behind_second(void *ctx)
{
    struct world *w = ctx;
    if (++w->ends == 2)
        loop_stop(w->server.loop);
}

/* One turn, without waiting; true where a client has got something. */
static bool turn(struct world *w)
{
    bool any = false;
    w->ends = 0;
    loop_again(w->server.loop);
    loop_run(w->server.loop);
    for (int i = 0; i < PEERS; i++)
        any |= peer_read(&w->peers[i]);
    return any;
}

/* Has the server waited long enough for what was in flight when it was told to stop? Then its loop
 * does not go on. */
static bool is_over(const struct world *w)
{
    return w->server.draining && clock_mono_ms() > w->server.drain_until_ms;
}

/* Until everybody is answered and nothing more comes. */
static void settle(struct world *w)
{
    unsigned quiet = 0;
    for (unsigned i = 0; quiet < STEP_TURNS && !is_over(w); i++) {
        ENSURE(i < SETTLE_TURNS);
        quiet = turn(w) || api_pending(&w->server.api) > 0 ? 0 : quiet + 1;
    }
}

static void pass_time(struct world *w, uint32_t ms)
{
    seams_pass_time(w->server.net, ms);
    api_tick(&w->server.api);
    if (!w->server.draining)
        retention_tick(&w->server.retention);
}

/* ---- the steps --------------------------------------------------------------------------------
 */

static void connect_peer(struct world *w, struct peer *p, unsigned number)
{
    int ends[2], small = 4096;

    if (p->fd >= 0 || w->server.draining)
        return;
    ENSURE(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, ends) == 0);
    /* A client that does not read is soon one for whom much waits. */
    ENSURE(setsockopt(ends[0], SOL_SOCKET, SO_SNDBUF, &small, sizeof small) == 0);
    seams_connect(w->server.net, ends[0], number);
    peer_open(p, ends[1], &w->seen);
}

/* Puts what the server has said in the place of what stands for it. */
static void expand(const struct world *w, struct bytes in, struct buf *out)
{
    static const char letters[SEEN_KINDS] = "itum";
    for (size_t i = 0; i < in.len; i++) {
        const char *letter = in.p[i] == 1 && i + 1 < in.len && in.p[i + 1] != 0
                                 ? memchr(letters, in.p[i + 1], sizeof letters)
                                 : NULL;
        if (letter != NULL && i + 2 < in.len) {
            buf_add_bytes(out, seen_get(&w->seen, (enum seen_kind)(letter - letters),
                                        (unsigned)in.p[i + 2] - '0'));
            i += 2;
        } else if (in.p[i] == 1 && i + 1 < in.len && in.p[i + 1] == 'r') {
            buf_add_u8(out, SEP);
            i++;
        } else {
            buf_add_u8(out, in.p[i]);
        }
    }
}

static uint32_t number_of(struct bytes in)
{
    uint32_t n = 0;
    for (size_t i = 0; i < in.len && i < 9 && in.p[i] >= '0' && in.p[i] <= '9'; i++)
        n = n * 10 + in.p[i] - '0';
    return n;
}

/* A step of the client that `in` begins with. */
static void peer_step(struct world *w, uint8_t letter, struct bytes in)
{
    unsigned number = in.len > 0 ? in.p[0] % PEERS : 0;
    struct peer *p = &w->peers[number];
    struct buf sent = {0};

    if (letter == 'c')
        connect_peer(w, p, number);
    if (p->fd < 0)
        return;
    if (in.len > 1)
        expand(w, bytes_of(in.p + 1, in.len - 1), &sent);
    if (letter == '>')
        peer_send(p, buf_bytes(&sent));
    else if (letter == '"')
        peer_send_text(p, buf_bytes(&sent));
    else if (letter == 'r')
        peer_send_request(p, buf_bytes(&sent));
    else if (letter == 'e')
        peer_end(p);
    else if (letter == 'x')
        peer_close(p);
    else if (letter == 'd')
        p->deaf = !p->deaf;
    buf_release(&sent);
}

static void step(struct world *w, struct bytes in)
{
    struct bytes rest = bytes_of(in.p + 1, in.len - 1);
    switch (in.p[0]) {
    case '.':
        for (int i = 0; i < STEP_TURNS; i++)
            turn(w);
        return;
    case 'w':
        pass_time(w, number_of(rest));
        return;
    case 'f':
        w->memory.fail_at = number_of(rest);
        return;
    case 's':
        /* Refused where nothing has changed: that is fine. */
        if (engine_snapshot(w->server.engine) == ERR_ok)
            turn(w);
        return;
    case 'q':
        server_drain(&w->server);
        return;
    default:
        peer_step(w, in.p[0], rest);
        return;
    }
}

static void play(struct world *w, struct bytes in)
{
    while (in.len > 0) {
        const uint8_t *end = memchr(in.p, SEP, in.len);
        size_t len = end != NULL ? (size_t)(end - in.p) : in.len;
        if (len > 0)
            step(w, bytes_of(in.p, len));
        len += end != NULL;
        in = bytes_of(in.p + len, in.len - len);
    }
}

/* ---- life -------------------------------------------------------------------------------------
 */

/* Keys of the app's own server, which scripts know. */
static void give_keys(struct server *s)
{
    static const char secret[] = "an app's secret, as long as needed";
    hash_bytes(BYTES("app"), s->app_key.hash, sizeof s->app_key.hash);
    s->app_key.there = true;
    s->app_token_key.len = sizeof secret - 1;
    memcpy(s->app_token_key.b, secret, sizeof secret - 1);
}

static void world_open(struct world *w)
{
    struct bytes bad;

    for (int i = 0; i < PEERS; i++)
        w->peers[i].fd = -1;
    w->server.config = small_config();
    w->server.lock_fd = -1;
    ENSURE(address_nets_parse(bytes_cstr(w->server.config->trusted_proxy),
                              &w->server.trusted_proxies, &bad));
    ENSURE(origins_parse(bytes_cstr(w->server.config->origin), &w->server.origins, &bad));
    give_keys(&w->server);
    server_wire(&w->server);
    ENSURE(engine_open_memory(w->server.engine, &w->memory) == ERR_ok);
    server_start(&w->server);
    loop_add_turn_end(w->server.loop, stop_behind_second, w);
}

/* Everybody reads what is theirs, then goes; then nobody may be left. */
static void everybody_goes(struct world *w)
{
    for (int i = 0; i < PEERS; i++)
        w->peers[i].deaf = false;
    settle(w);
    for (int i = 0; i < PEERS; i++)
        peer_close(&w->peers[i]);
    settle(w);
    pass_time(w, 0); /* that who waited for events has gone is seen now and then */
    settle(w);
    ENSURE(is_over(w) || (net_count(w->server.net) == 0 && api_pending(&w->server.api) == 0));
}

static void tell_nobody(void *ctx, const struct event *event, void *origin)
{
    (void)ctx;
    (void)event;
    (void)origin;
}

/* The digest of what the journal makes. */
static void replay(struct journal_memory *memory, uint8_t digest[static MODEL_DIGEST_LEN])
{
    const struct engine_hooks hooks = {.tell = tell_nobody};
    struct engine *e = engine_new(&hooks);
    ENSURE(engine_open_memory(e, memory) == ERR_ok);
    model_verify(engine_model(e));
    model_digest(engine_model(e), digest);
    engine_free(e);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    uint8_t lived[MODEL_DIGEST_LEN], replayed[MODEL_DIGEST_LEN];
    struct world *w = xcalloc(1, sizeof *w);

    crypto_init();
    diag_set_level(DIAG_ERROR);
    seams_reset();
    world_open(w);
    play(w, bytes_of(data, size));
    everybody_goes(w);
    model_verify(engine_model(w->server.engine));
    model_digest(engine_model(w->server.engine), lived);
    server_unwire(&w->server);
    replay(&w->memory, replayed);
    ENSURE(memcmp(lived, replayed, sizeof lived) == 0);
    journal_memory_release(&w->memory);
    free(w);
    return 0;
}
