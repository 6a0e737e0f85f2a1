#include "server.h"

#include "api/render.h"
#include "base/clock.h"
#include "base/crypto.h"
#include "base/diag.h"
#include "base/ensure.h"
#include "hooks/authorities.h"
#include "server_inside.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

/* How long a stop waits for what is in flight. */
#define DRAIN_MS_MAX 10000

/* Descriptors that are never a connection's: for the journal, snapshots, tools and some hooks; each
 * further hook may need so many. */
#define DESCRIPTORS_KEPT 64
#define HOOKS_IN_KEPT    10
#define HOOK_DESCRIPTORS 4

/* Where the app's own server and the operator's scraper come in, where there is a key of the app
 * and --admin-listen does not say. */
#define ADMIN_LISTEN "127.0.0.1:3001"

/* Bytes of journal that are told in one step of a turn. */
#define TELL_BYTES (64u << 10)

/* So old is a brief turn when it has told enough. */
#define BRIEF_TELL_US 500

/* Messages of what was deleted that are freed in a turn: about a tenth of a millisecond, where none
 * is in a cache. */
#define RECLAIM_MESSAGES 128u

/* ---- the data directory ---------------------------------------------------------------------- */

/* Makes the directory (0700) and holds its lock; another server there is an error. */
static enum exit_code hold_data_dir(struct server *s)
{
    const char *dir = s->config->data;
    char path[PATH_MAX + 8];

    if (mkdir(dir, 0700) != 0 && errno != EEXIST) {
        diag_error("cannot make the data directory %s: %s", dir, strerror(errno));
        return EXIT_FAILED;
    }
    if (realpath(dir, s->data_dir) == NULL) {
        diag_error("cannot find the data directory %s: %s", dir, strerror(errno));
        return EXIT_FAILED;
    }
    snprintf(path, sizeof path, "%s/lock", s->data_dir);
    s->lock_fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (s->lock_fd < 0) {
        diag_error("cannot open %s: %s", path, strerror(errno));
        return EXIT_FAILED;
    }
    if (flock(s->lock_fd, LOCK_EX | LOCK_NB) != 0) {
        diag_error("another server holds the data directory %s", s->data_dir);
        return EXIT_FAILED;
    }
    return EXIT_FINE;
}

/* Is there a journal already? Then the key must be there too, or every token would be void. */
static bool has_journal(const struct server *s)
{
    char path[PATH_MAX + 16];
    struct stat st;

    snprintf(path, sizeof path, "%s/journal", s->data_dir);
    return stat(path, &st) == 0;
}

static enum exit_code load_key(struct server *s)
{
    const char *why = "";
    enum err err = token_key_load(s->data_dir, !has_journal(s), &s->key, &why);

    if (err == ERR_ok)
        return EXIT_FINE;
    if (err == ERR_not_found)
        diag_error("the signing key %s/key is missing beside a journal: put it back from a backup "
                   "(without it every login token is void; to accept that, make a file of 32 "
                   "random bytes with mode 0600 there)",
                   s->data_dir);
    else
        diag_error("the signing key %s/key: %s", s->data_dir, why);
    return EXIT_FAILED;
}

/* The keys of the app's own server, and whom it trusts, where there are any. */
static enum exit_code load_app_files(struct server *s)
{
    const struct config *c = s->config;
    const char *why = "";

    if (c->api_key_file[0] != '\0' && app_key_load(c->api_key_file, &s->app_key, &why) != ERR_ok)
        diag_error("--api-key-file: %s %s", c->api_key_file, why);
    else if (c->app_token_key_file[0] != '\0' &&
             secret_file_read(c->app_token_key_file, &s->app_token_key, &why) != ERR_ok)
        diag_error("--app-token-key-file: %s %s", c->app_token_key_file, why);
    else if (c->hook_ca_file[0] != '\0' &&
             authorities_read(c->hook_ca_file, &s->hook_authorities, &why) != ERR_ok)
        diag_error("--hook-ca-file: %s %s", c->hook_ca_file, why);
    else
        return EXIT_FINE;
    return EXIT_FAILED;
}

/* ---- the journal ----------------------------------------------------------------------------- */

/* Whoever asks meanwhile is told to wait. */
static void on_progress(void *ctx, const struct journal_progress *progress)
{
    struct server *s = ctx;

    s->api.progress = *progress;
    loop_poll(s->loop);
}

static enum exit_code open_journal(struct server *s)
{
    static const enum journal_sync syncs[] = {JOURNAL_SYNC_ALWAYS, JOURNAL_SYNC_EVERY_SECOND,
                                              JOURNAL_SYNC_OFF};
    struct journal_options options = {.dir = s->data_dir,
                                      .sync = syncs[s->config->fsync],
                                      .segment_size = s->config->segment_size,
                                      .record_max = 32u << 20,
                                      .queue_max = 256u << 20};
    struct journal_report report = {0};
    int64_t start = clock_mono_ms();

    engine_on_progress(s->engine, on_progress, s);
    enum err err = engine_open_files(s->engine, &options, &report);
    if (report.torn_tail[0] != '\0')
        diag_warn("%s", report.torn_tail);
    if (err != ERR_ok) {
        diag_error("%s", report.damage[0] != '\0' ? report.damage : err_sentence(err));
        return err == ERR_damaged ? EXIT_DAMAGED : EXIT_FAILED;
    }
    if (report.snapshot_seq != 0)
        diag_info("loaded the snapshot behind record %llu: %llu records, %llu bytes",
                  (unsigned long long)report.snapshot_seq,
                  (unsigned long long)report.snapshot_records,
                  (unsigned long long)report.snapshot_bytes);
    diag_info("replayed %llu records (%llu bytes) in %lld ms", (unsigned long long)report.records,
              (unsigned long long)report.bytes, (long long)(clock_mono_ms() - start));
    return EXIT_FINE;
}

/* Only the waking counts: each turn's end looks for what the disk has finished. */
static void on_journal(void *ctx, int events)
{
    (void)ctx;
    (void)events;
}

static void on_password(void *ctx, int events)
{
    struct server *s = (struct server *)((char *)ctx - offsetof(struct server, password_io));
    (void)events;
    password_dispatch(s->passwords);
}

/* ---- signals and the end --------------------------------------------------------------------- */

static void print_digest(void *ctx)
{
    struct server *s = ctx;
    uint8_t digest[MODEL_DIGEST_LEN];
    const struct model *m = engine_model(s->engine);

    model_digest(m, digest);
    printf("digest %llu ", (unsigned long long)model_cursor(m));
    for (size_t i = 0; i < sizeof digest; i++)
        printf("%02x", digest[i]);
    printf("\n");
    fflush(stdout);
}

void server_drain(struct server *s)
{
    if (s->draining)
        return;
    s->draining = true;
    s->drain_until_ms = clock_mono_ms() + DRAIN_MS_MAX;
    api_drain(&s->api, s->net);
    hooks_stop(s->hooks);
    loop_again(s->loop);
}

static void on_stop(void *ctx)
{
    struct server *s = ctx;

    if (!s->draining)
        diag_info("stopping: finishing what is in flight");
    server_drain(s);
}

static void tell_durable(struct server *s)
{
    struct journal *j = engine_journal(s->engine);
    bool more;

    do
        more = journal_dispatch(j, loop_piece(s->loop, TELL_BYTES));
    while (more && loop_has_time(s->loop, BRIEF_TELL_US));
    if (more)
        loop_more(s->loop);
}

/*
 * The end of each turn: what was proposed goes to the disk before the sockets are written, so that
 * both work at once; the net added itself behind this. A turn that reads in steps is one batch.
 * What the disk has finished is told in pieces, a step each, so that what is told to a socket is
 * written while it is in the cache.
 */
static void turn_end(void *ctx)
{
    struct server *s = ctx;
    struct journal *j = engine_journal(s->engine);

    if (s->api.starting)
        return;
    if (!loop_has_more(s->loop))
        journal_submit(j);
    tell_durable(s);
    hooks_turn(s->hooks); /* while those who wait for what was committed still wait */
    if (api_turn(&s->api))
        loop_more(s->loop);
    snapshots_turn(&s->snapshots);
    if (engine_reclaim(s->engine, (uint32_t)loop_piece(s->loop, RECLAIM_MESSAGES)))
        loop_again(s->loop);
    if (!s->draining) {
        retention_turn(&s->retention);
        erasure_turn(&s->erasure);
        return;
    }
    if (api_pending(&s->api) == 0)
        net_drain(s->net);
    if (net_count(s->net) == 0 || clock_mono_ms() > s->drain_until_ms)
        loop_stop(s->loop);
}

/* Also makes a turn at least so often, so that a drain's deadline is seen. */
static void tick(void *ctx)
{
    struct server *s = ctx;

    if (s->api.starting)
        return;
    snapshots_tick(&s->snapshots);
    api_tick(&s->api);
    engine_look_at_memory(s->engine);
    hooks_tick(s->hooks);
    if (!s->draining) {
        retention_tick(&s->retention);
        erasure_tick(&s->erasure);
    }
}

/* ---- the wiring ------------------------------------------------------------------------------ */

/* So many a minute, and so many at once; 0 is no limit. */
static struct limit_rate rate_of(uint64_t per_minute)
{
    return (struct limit_rate){(uint32_t)per_minute, per_minute > 0 ? (uint32_t)per_minute : 1};
}

static struct limit_rate per_second(uint64_t rate, uint64_t burst)
{
    return (struct limit_rate){(uint32_t)rate * 60, (uint32_t)burst};
}

static struct api_limits limits_of(const struct config *c)
{
    return (struct api_limits){.password_min = (uint32_t)c->password_min,
                               .password_max = (uint32_t)c->password_max,
                               .name_max = (uint32_t)c->name_max,
                               .username_max = (uint32_t)c->username_max,
                               .user_ids_max = (uint32_t)c->user_ids_max,
                               .group_members_max = (uint32_t)c->group_members_max,
                               .user_groups_max = (uint32_t)c->user_groups_max,
                               .typing_ms = (uint32_t)c->typing_timeout * 1000,
                               .presence_grace_ms = (uint32_t)c->presence_grace * 1000,
                               .presence_group_max = (uint32_t)c->presence_group_max,
                               .user_blocks_max = (uint32_t)c->user_blocks_max,
                               .user_sessions_max = (uint32_t)c->user_sessions_max,
                               .session_sockets_max = (uint32_t)c->session_sockets_max,
                               .user_reactions_max = (uint32_t)c->user_reactions_max,
                               .message_reactions_max = (uint32_t)c->message_reactions_max,
                               .message_emojis_max = (uint32_t)c->message_emojis_max,
                               .mentions_max = (uint32_t)c->mentions_max,
                               .meta_max = (uint32_t)c->meta_max,
                               .hooks_max = (uint32_t)c->hooks_max,
                               .hook_url_max = (uint32_t)c->hook_url_max,
                               .hook_secret_ms = (uint32_t)c->hook_secret_hours * INT64_C(3600000),
                               .polls_max = (uint32_t)c->polls_max,
                               .poll_wait_s_max = (uint32_t)c->poll_wait_max,
                               .message_max = (uint32_t)c->message_max,
                               .ping_interval_s = (uint32_t)c->ping_interval,
                               .send_queue_max = (uint32_t)c->send_queue_max,
                               .token_days = (uint32_t)c->token_days,
                               .app_token_days = (uint32_t)c->app_token_days,
                               .json = {(uint32_t)c->json_depth_max, (uint32_t)c->json_token_max},
                               .send = per_second(c->send_rate, c->send_burst),
                               .rpc = per_second(c->rpc_rate, c->rpc_burst),
                               .request_user = per_second(c->user_rate, c->user_burst),
                               .request_address = per_second(c->address_rate, c->address_burst),
                               .register_ = rate_of(c->register_rate),
                               .login_account = rate_of(c->login_fail_account),
                               .login_address = rate_of(c->login_fail_address)};
}

static struct net_options net_options_of(const struct server *s)
{
    const struct config *c = s->config;
    uint32_t connections_max = (uint32_t)c->connections_max;

    if (s->connections_max > 0 && s->connections_max < connections_max)
        connections_max = s->connections_max;
    return (struct net_options){
        .http = {(uint32_t)c->head_max, (uint32_t)c->header_count_max, (uint32_t)c->body_max},
        .message_max = (uint32_t)c->message_max,
        .send_queue_max = (uint32_t)c->send_queue_max,
        .connections_max = connections_max,
        .address_connections_max = (uint32_t)c->address_connections_max,
        .proxies = &s->trusted_proxies,
        .head_timeout_s = (uint32_t)c->head_timeout,
        .body_timeout_s = (uint32_t)c->body_timeout,
        .idle_timeout_s = (uint32_t)c->idle_timeout,
        .message_timeout_s = (uint32_t)c->message_timeout,
        .ping_interval_s = (uint32_t)c->ping_interval};
}

/* The lists of the configuration, which are read where they are understood. */
static enum exit_code read_lists(struct server *s)
{
    struct bytes bad;

    if (!address_nets_parse(bytes_cstr(s->config->trusted_proxy), &s->trusted_proxies, &bad))
        diag_error("--trusted-proxy: %.*s is no address or network (10.0.0.0/8), or one too many",
                   (int)bad.len, (const char *)bad.p);
    else if (!origins_parse(bytes_cstr(s->config->origin), &s->origins, &bad))
        diag_error("--origin: %.*s is no origin as browsers send it (https://chat.example, "
                   "http://localhost:8080), or one too many",
                   (int)bad.len, (const char *)bad.p);
    else
        return EXIT_FINE;
    return EXIT_USAGE;
}

/*
 * As many descriptors as the system allows, and for how many connections they are. Some are never a
 * connection's: with none left the journal could not open its next segment, and whoever opens many
 * sockets would stop everybody's writing.
 */
static uint32_t raise_descriptor_limit(const struct config *c)
{
    struct rlimit limit;
    uint64_t hooks = c->hooks_max > HOOKS_IN_KEPT ? c->hooks_max - HOOKS_IN_KEPT : 0;
    rlim_t kept = DESCRIPTORS_KEPT + HOOK_DESCRIPTORS * hooks;
    rlim_t want = c->connections_max + kept;

    if (getrlimit(RLIMIT_NOFILE, &limit) != 0 || limit.rlim_cur >= want)
        return (uint32_t)c->connections_max;
    rlim_t before = limit.rlim_cur;
    limit.rlim_cur = limit.rlim_max < want ? limit.rlim_max : want;
    if (limit.rlim_cur > before && setrlimit(RLIMIT_NOFILE, &limit) != 0) {
        diag_warn("cannot raise the limit of open files: %s", strerror(errno));
        limit.rlim_cur = before;
    }
    if (limit.rlim_cur >= want)
        return (uint32_t)c->connections_max;
    rlim_t left = limit.rlim_cur > 2 * kept ? limit.rlim_cur - kept : limit.rlim_cur / 2;
    diag_info("at most %llu open files: %llu connections, fewer than --connections-max",
              (unsigned long long)limit.rlim_cur, (unsigned long long)left);
    return left > 0 ? (uint32_t)left : 1;
}

/*
 * What is in memory is nobody's to read from a file that a crash left: tokens, keys, messages. A
 * limit of 1 and not of 0: where a program collects core files Linux minds no limit but that one
 * (do_coredump in fs/coredump.c).
 */
static void forbid_core_files(void)
{
    struct rlimit limit;

    if (getrlimit(RLIMIT_CORE, &limit) != 0)
        return;
    limit.rlim_cur = limit.rlim_max < 1 ? limit.rlim_max : 1;
    if (setrlimit(RLIMIT_CORE, &limit) != 0)
        diag_warn("cannot forbid core files: %s", strerror(errno));
}

static enum exit_code open_door(struct server *s, const char *where, enum net_door door)
{
    const char *why = "";

    if (net_listen(s->net, where, door, &why) == ERR_ok)
        return EXIT_FINE;
    diag_error("cannot listen on %s: %s", where, why);
    return EXIT_FAILED;
}

static void say_door(const struct server *s, const char *who, const char *where, enum net_door door)
{
    const char *colon = strrchr(where, ':');

    printf("%s listening on http://%.*s:%u\n", who, (int)(colon != NULL ? colon - where : 0), where,
           net_port(s->net, door));
}

/* Where the app and the operator come in; "" where they do not. */
static const char *admin_listen(const struct server *s)
{
    if (s->config->admin_listen[0] != '\0')
        return s->config->admin_listen;
    return s->app_key.there ? ADMIN_LISTEN : "";
}

static enum exit_code open_doors(struct server *s)
{
    const char *admin = admin_listen(s);

    enum exit_code code = open_door(s, s->config->listen, NET_DOOR_PUBLIC);
    if (code == EXIT_FINE && admin[0] != '\0')
        code = open_door(s, admin, NET_DOOR_APP);
    if (code != EXIT_FINE)
        return code;
    s->api.public_port = net_port(s->net, NET_DOOR_PUBLIC);
    diag_info("reading the journal; /readyz on port %u says how far it is", s->api.public_port);
    return EXIT_FINE;
}

/* Now it serves. */
static void say_doors(const struct server *s)
{
    const char *admin = admin_listen(s);

    say_door(s, "groups-chat " GROUPS_CHAT_VERSION, s->config->listen, NET_DOOR_PUBLIC);
    if (admin[0] != '\0')
        say_door(s, s->app_key.there ? "for the app's own server:" : "for metrics:", admin,
                 NET_DOOR_APP);
    printf("data directory: %s\n", s->data_dir);
    fflush(stdout);
}

/* What was committed is told to those who are connected, and to the app's hooks. */
static void tell(void *ctx, const struct event *event, void *origin)
{
    struct server *s = ctx;

    s->api_hooks.tell(s->api_hooks.ctx, event, origin);
    hooks_note(s->hooks, event);
}

static void soon(void *ctx, const struct listener *l)
{
    struct server *s = ctx;

    s->api_hooks.soon(s->api_hooks.ctx, l);
}

static struct hooks_options hooks_options_of(const struct server *s)
{
    const struct config *c = s->config;

    return (struct hooks_options){.render = render_event,
                                  .batch_max = (uint32_t)c->hook_batch,
                                  .offline_max = (uint32_t)c->hook_offline_max,
                                  .fare = {.timeout_ms = (uint32_t)c->hook_timeout * 1000,
                                           .pause_min_ms = (uint32_t)c->hook_pause_min,
                                           .pause_max_ms = (uint32_t)c->hook_pause_max},
                                  .authorities = buf_bytes(&s->hook_authorities)};
}

void server_wire(struct server *s)
{
    static const enum password_cost costs[] = {PASSWORD_COST_MIN, PASSWORD_COST_NORMAL,
                                               PASSWORD_COST_HIGH};
    struct net_options options = net_options_of(s);
    struct net_hooks net_hooks = api_net_hooks(&s->api);
    struct engine_hooks engine_hooks = {.ctx = s, .tell = tell, .soon = soon};
    struct hooks_options hooks_options = hooks_options_of(s);

    s->loop = loop_new();
    s->api_hooks = api_engine_hooks(&s->api);
    s->engine = engine_new(&engine_hooks);
    s->hooks = hooks_new(s->engine, s->loop, &hooks_options);
    s->passwords =
        password_pool_new(costs[s->config->password_cost], (unsigned)s->config->password_threads,
                          (unsigned)s->config->password_queue);
    s->net = net_new(s->loop, &options, &net_hooks);
    s->api = (struct api){.engine = s->engine,
                          .hooks = s->hooks,
                          .net = s->net,
                          .loop = s->loop,
                          .passwords = s->passwords,
                          .token_key = &s->key,
                          .app_key = &s->app_key,
                          .app_token_key = &s->app_token_key,
                          .public_url = s->config->public_url,
                          .origins = &s->origins,
                          .trusted_proxies = &s->trusted_proxies,
                          .limits = limits_of(s->config)};
    api_init(&s->api);
    s->api.starting = true;
    loop_io_start(s->loop, &s->password_io, password_fd(s->passwords), LOOP_READ, on_password);
    loop_add_turn_end(s->loop, turn_end, s);
    net_start(s->net);
    loop_add_tick(s->loop, 500, tick, s);
    retention_init(&s->retention, s->engine, s->loop, (uint32_t)s->config->retention);
    erasure_init(&s->erasure, s->engine, s->loop);
}

void server_start(struct server *s)
{
    int fd = journal_fd(engine_journal(s->engine));

    if (fd >= 0) /* a journal in memory has none: a turn's end finds all of it done */
        loop_io_start(s->loop, &s->journal_io, fd, LOOP_READ, on_journal);
    s->api.starting = false;
    turns_forget(loop_turns(s->loop)); /* between two of them the journal was read */
}

static void take_signals(struct server *s)
{
    loop_add_signal(s->loop, SIGTERM, on_stop, s);
    loop_add_signal(s->loop, SIGINT, on_stop, s);
    loop_add_signal(s->loop, SIGUSR1, print_digest, s);
}

/* In the opposite order of life. The pool goes first: its jobs hold connections. */
void server_unwire(struct server *s)
{
    loop_io_stop(s->loop, &s->journal_io);
    loop_io_stop(s->loop, &s->password_io);
    password_pool_free(s->passwords);
    hooks_stop(s->hooks);
    engine_close(s->engine);
    snapshots_release(&s->snapshots);
    api_stop(&s->api);
    net_free(s->net);
    erasure_release(&s->erasure);
    api_release(&s->api);
    hooks_free(s->hooks);
    engine_free(s->engine);
    loop_free(s->loop);
    crypto_wipe(&s->key, sizeof s->key);
    crypto_wipe(&s->app_token_key, sizeof s->app_token_key);
}

enum exit_code server_run(const struct config *config)
{
    struct server *s = xcalloc(1, sizeof *s);
    enum exit_code code;

    s->config = config;
    s->lock_fd = -1;
    if (config->core_files == 0)
        forbid_core_files();
    code = read_lists(s);
    if (code == EXIT_FINE)
        code = hold_data_dir(s);
    if (code == EXIT_FINE)
        code = load_key(s);
    if (code == EXIT_FINE)
        code = load_app_files(s);
    if (code != EXIT_FINE)
        goto done;
    signal(SIGPIPE, SIG_IGN);
    s->connections_max = raise_descriptor_limit(config);
    server_wire(s);
    /* Whoever asks while the journal is read is told that it is, and that may take long. */
    code = open_doors(s);
    if (code == EXIT_FINE)
        code = open_journal(s);
    if (code == EXIT_FINE) {
        engine_limit_memory(s->engine, config->memory_max);
        snapshots_init(&s->snapshots, s->engine, s->loop, s->data_dir, config->snapshot_after);
        /* Signals are taken before anybody can know that the server serves. */
        server_start(s);
        take_signals(s);
        hooks_start(s->hooks);
        say_doors(s);
        loop_run(s->loop);
        diag_info("stopped");
    }
    server_unwire(s);
done:
    buf_release(&s->hook_authorities);
    if (s->lock_fd >= 0)
        close(s->lock_fd);
    free(s);
    return code;
}
