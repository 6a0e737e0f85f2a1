/*
 * metrics: GET /metrics, for Prometheus and whatever else reads its text format (version 0.0.4).
 *
 * The rooms count, each in a struct of its own (net_stats, engine_stats, ...); here they are only
 * written down. Nothing on the page names a user, a group or a key: labels are words of this file,
 * routes, numbers of methods and codes of errors. So it has the same length whoever uses the
 * server, and what it costs does not grow with them.
 */
#include "api/rest.h"
#include "hooks/hooks.h"
#include "net/loop.h"

#include <stdio.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <time.h>

#define NS_PER_S 1000000000u

/* ---- the format ------------------------------------------------------------------------------ */

/* The two lines before a metric's values. None of our texts needs escaping: they are one line, and
 * without a backslash. */
static void head(struct buf *out, const char *name, const char *type, const char *help)
{
    buf_printf(out, "# HELP %s %s\n# TYPE %s %s\n", name, help, name, type);
}

static void add(struct buf *out, const char *name, uint64_t value)
{
    buf_printf(out, "%s %llu\n", name, (unsigned long long)value);
}

/* With one label, whose value needs no escaping. */
static void add_labelled(struct buf *out, const char *name, const char *label, const char *is,
                         uint64_t value)
{
    buf_printf(out, "%s{%s=\"%s\"} %llu\n", name, label, is, (unsigned long long)value);
}

static void add_seconds(struct buf *out, const char *name, uint64_t ns)
{
    buf_printf(out, "%s %llu.%09llu\n", name, (unsigned long long)(ns / NS_PER_S),
               (unsigned long long)(ns % NS_PER_S));
}

static void counter(struct buf *out, const char *name, const char *help, uint64_t value)
{
    head(out, name, "counter", help);
    add(out, name, value);
}

static void gauge(struct buf *out, const char *name, const char *help, uint64_t value)
{
    head(out, name, "gauge", help);
    add(out, name, value);
}

static void gauge_seconds(struct buf *out, const char *name, const char *help, uint64_t ns)
{
    head(out, name, "gauge", help);
    add_seconds(out, name, ns);
}

/* A histogram, from the bound `first` on: what is shorter is in that one. */
static void histogram(struct buf *out, const char *name, const char *help, const struct timing *t,
                      unsigned first)
{
    char part[96];
    uint64_t sum = 0;

    head(out, name, "histogram", help);
    for (unsigned i = 0; i < TIMING_BOUNDS; i++) {
        sum += timing_read(&t->counts[i]);
        if (i < first)
            continue;
        buf_printf(out, "%s_bucket{le=\"%g\"} %llu\n", name, (double)timing_bounds_ns[i] / NS_PER_S,
                   (unsigned long long)sum);
    }
    sum += timing_read(&t->counts[TIMING_BOUNDS]);
    buf_printf(out, "%s_bucket{le=\"+Inf\"} %llu\n", name, (unsigned long long)sum);
    snprintf(part, sizeof part, "%s_sum", name);
    add_seconds(out, part, timing_read(&t->sum_ns));
    buf_printf(out, "%s_count %llu\n", name, (unsigned long long)sum);
}

/* ---- what is told ---------------------------------------------------------------------------- */

static void add_process(struct buf *out, const struct api *a)
{
    struct rusage used;
    struct rlimit files;
    struct stat st;

    head(out, "groups_chat_build_info", "gauge", "Always 1; the label says which version runs.");
    add_labelled(out, "groups_chat_build_info", "version", GROUPS_CHAT_VERSION, 1);
    gauge_seconds(out, "process_start_time_seconds",
                  "When the server was started, in seconds since 1970.",
                  (uint64_t)a->stats.start_ms * 1000000);
    gauge(out, "process_resident_memory_bytes", "Memory that the process has from the system.",
          memory_resident());
    if (getrusage(RUSAGE_SELF, &used) == 0) {
        uint64_t us = (uint64_t)(used.ru_utime.tv_sec + used.ru_stime.tv_sec) * 1000000 +
                      (uint64_t)(used.ru_utime.tv_usec + used.ru_stime.tv_usec);
        head(out, "process_cpu_seconds_total", "counter", "Processor time of all threads.");
        add_seconds(out, "process_cpu_seconds_total", us * 1000);
    }
    if (getrlimit(RLIMIT_NOFILE, &files) == 0)
        gauge(out, "process_max_fds", "Descriptors that the process may have.", files.rlim_cur);
    /* Linux has said how many there are since 6.2; counting them would be a walk through all. */
    if (stat("/proc/self/fd", &st) == 0 && st.st_size > 0)
        gauge(out, "process_open_fds", "Descriptors that the process has.", (uint64_t)st.st_size);
}

static void add_connections(struct buf *out, const struct api *a)
{
    static const char *const cuts[NET_CUTS] = {
        [NET_CUT_HEAD] = "head_timeout",       [NET_CUT_BODY] = "body_timeout",
        [NET_CUT_IDLE] = "idle_timeout",       [NET_CUT_SILENT] = "no_sign_of_life",
        [NET_CUT_MESSAGE] = "message_timeout", [NET_CUT_SLOW] = "slow_reader",
        [NET_CUT_CLOSING] = "close_timeout",   [NET_CUT_FRAME] = "bad_frame"};
    const struct net_stats *s = net_stats(a->net);
    uint64_t sockets = s->upgraded - s->websockets_closed;

    head(out, "groups_chat_connections", "gauge", "Open connections.");
    add_labelled(out, "groups_chat_connections", "kind", "http", net_count(a->net) - sockets);
    add_labelled(out, "groups_chat_connections", "kind", "websocket", sockets);
    counter(out, "groups_chat_connections_accepted_total", "Connections that were taken.",
            s->accepted);
    counter(out, "groups_chat_connections_closed_total", "Of these, those that are over.",
            s->closed);
    head(out, "groups_chat_connections_refused_total", "counter",
         "Connections that were not taken: too many of that address; or the system had none to "
         "give.");
    add_labelled(out, "groups_chat_connections_refused_total", "reason", "address", s->refused);
    add_labelled(out, "groups_chat_connections_refused_total", "reason", "system",
                 s->accept_faults);
    head(out, "groups_chat_connections_cut_total", "counter",
         "Connections that the server has ended, by what the peer did or did not do.");
    for (unsigned i = 0; i < NET_CUTS; i++)
        add_labelled(out, "groups_chat_connections_cut_total", "reason", cuts[i], s->cut[i]);
    counter(out, "groups_chat_websockets_opened_total", "Handshakes that were answered with 101.",
            s->upgraded);
    counter(out, "groups_chat_received_bytes_total", "Bytes read from connections.", s->bytes_in);
    counter(out, "groups_chat_sent_bytes_total", "Bytes written to connections.", s->bytes_out);
    counter(out, "groups_chat_websocket_texts_sent_total",
            "Events and replies that were queued, one a receiver.", s->sent);
}

/* Only what there was: most pairs of a route and a class never come. */
static void add_requests(struct buf *out, const struct api *a)
{
    static const char *const routes[API_ROUTES + 1] = {
#define ROUTE(method, path, handler, needs) #method " " path,
#include "api/route.def"
#undef ROUTE
        "none"};
    const struct api_stats *s = &a->stats;

    head(out, "groups_chat_requests_total", "counter",
         "HTTP requests that were answered, by route and by the class of the status; none: no "
         "route was found or looked for.");
    for (unsigned i = 0; i <= API_ROUTES; i++)
        for (unsigned class = 1; class < 6; class ++)
            if (s->requests[i][class] > 0)
                buf_printf(out, "groups_chat_requests_total{route=\"%s\",status=\"%uxx\"} %llu\n",
                           routes[i], class, (unsigned long long)s->requests[i][class]);
    /* The clock of the kernel's ticks, of some milliseconds, costs requests nothing. */
    histogram(out, "groups_chat_request_duration_seconds",
              "From a request to its answer, to the kernel's tick; without GET /events, which "
              "waits.",
              &s->request_time, 5);
    gauge(out, "groups_chat_requests_waiting",
          "Requests and RPCs that wait for the disk or a password's hash.", a->pending_count);
    gauge(out, "groups_chat_polls_waiting", "GET /events that wait for an event.", a->poll_count);
}

static void add_rpcs(struct buf *out, const struct api *a)
{
    const struct api_stats *s = &a->stats;
    uint64_t others = 0;

    for (unsigned i = 0; i < API_METHODS; i++)
        others += s->rpcs[i];
    head(out, "groups_chat_rpcs_total", "counter", "RPCs that came; other: no such method.");
#define RPC(method, handler)                                                                       \
    add_labelled(out, "groups_chat_rpcs_total", "method", #method, s->rpcs[method]);               \
    others -= s->rpcs[method];
#include "api/rpc.def"
#undef RPC
    add_labelled(out, "groups_chat_rpcs_total", "method", "other", others);
    head(out, "groups_chat_rpcs_refused_total", "counter", "RPCs that were refused, by code.");
    for (unsigned i = 1; i < ERR_COUNT; i++)
        if (s->rpc_refusals[i] > 0)
            add_labelled(out, "groups_chat_rpcs_refused_total", "code", err_code((enum err)i),
                         s->rpc_refusals[i]);
}

static void add_limits(struct buf *out, const struct api *a)
{
    static const char *const kinds[THROTTLED_KINDS] = {
        [THROTTLED_ADDRESS] = "address",   [THROTTLED_USER] = "user",
        [THROTTLED_SEND] = "send",         [THROTTLED_RPC] = "rpc",
        [THROTTLED_REGISTER] = "register", [THROTTLED_LOGIN] = "login"};
    struct password_stats p = password_stats(a->passwords);

    head(out, "groups_chat_throttled_total", "counter",
         "Requests and RPCs that were refused with 429, by the rate that was exceeded.");
    for (unsigned i = 0; i < THROTTLED_KINDS; i++)
        add_labelled(out, "groups_chat_throttled_total", "rate", kinds[i], a->stats.throttled[i]);
    gauge(out, "groups_chat_password_jobs", "Passwords that are hashed or wait for it.", p.open);
    gauge(out, "groups_chat_password_jobs_max", "How many there may be.", p.open_max);
    counter(out, "groups_chat_password_jobs_done_total", "Passwords that were hashed.", p.done);
    counter(out, "groups_chat_password_jobs_refused_total",
            "Requests that were refused with busy since there were too many.", p.refused);
}

static void add_state(struct buf *out, const struct api *a, const struct engine_stats *e)
{
    struct model_counts n = model_counts(engine_model(a->engine));

    gauge(out, "groups_chat_users", "Users that there are.", n.users);
    gauge(out, "groups_chat_sessions", "Sessions: devices of users.", n.sessions);
    gauge(out, "groups_chat_groups", "Groups that there are.", n.groups);
    gauge(out, "groups_chat_memberships", "Pairs of a group and somebody who is or was in it.",
          n.memberships);
    gauge(out, "groups_chat_messages", "Messages that are kept.", n.messages);
    gauge(out, "groups_chat_hooks", "Webhooks that there are.", n.hooks);
    counter(out, "groups_chat_messages_sent_total", "Messages that were sent.", a->stats.messages);
    gauge(out, "groups_chat_memory_used_bytes", "Memory that counts against the limit.",
          e->memory_used);
    gauge(out, "groups_chat_memory_max_bytes", "The limit, --memory-max; 0: none.", e->memory_max);
    gauge(out, "groups_chat_memory_full", "1 while changes are refused with memory_full.",
          e->memory_full);
}

static void add_journal(struct buf *out, const struct journal_stats *j)
{
    gauge(out, "groups_chat_journal_failed",
          "1 when a sync has failed: changes are refused with read_only until a restart.",
          j->state == JOURNAL_FAILED);
    gauge(out, "groups_chat_journal_disk_full",
          "1 from a write that found no room to the next change that was taken.", j->full);
    counter(out, "groups_chat_journal_records_total", "Records that became durable.", j->records);
    counter(out, "groups_chat_journal_bytes_total", "Bytes of these.", j->bytes);
    counter(out, "groups_chat_journal_batches_total", "Batches that the disk has finished.",
            j->batches);
    counter(out, "groups_chat_journal_records_failed_total",
            "Changes that were refused while they waited for the disk.", j->failed);
    gauge(out, "groups_chat_journal_pending", "Changes that wait for the disk.", j->pending);
    gauge(out, "groups_chat_journal_pending_bytes", "Bytes of these.", j->pending_bytes);
    gauge(out, "groups_chat_journal_segment", "Number of the newest segment.", j->segment);
    if (j->syncs != NULL)
        histogram(out, "groups_chat_journal_sync_duration_seconds",
                  "How long the disk took to make records durable.", j->syncs, 0);
}

static void add_snapshots(struct buf *out, const struct engine_stats *e)
{
    gauge(out, "groups_chat_snapshot_pending_bytes",
          "Bytes of journal that a start would replay: since the newest snapshot.",
          e->journal.bytes_since_snapshot);
    gauge(out, "groups_chat_snapshot_running", "1 while one is being written.",
          e->snapshot_running);
    counter(out, "groups_chat_snapshots_total", "Snapshots that were written.", e->snapshots);
    counter(out, "groups_chat_snapshots_failed_total", "Snapshots that failed.",
            e->snapshots_failed);
    if (e->snapshots == 0)
        return;
    gauge_seconds(out, "groups_chat_snapshot_last_time_seconds",
                  "When the newest was finished, in seconds since 1970.",
                  (uint64_t)e->snapshot_time * 1000000);
    gauge_seconds(out, "groups_chat_snapshot_last_duration_seconds", "How long it took.",
                  (uint64_t)e->snapshot_ms * 1000000);
    gauge(out, "groups_chat_snapshot_last_size_bytes", "Its size.", e->snapshot_bytes);
}

static void add_hooks(struct buf *out, const struct hooks *h)
{
    struct hooks_stats s = hooks_stats(h);

    head(out, "groups_chat_hook_requests_total", "counter", "Requests to webhooks.");
    add_labelled(out, "groups_chat_hook_requests_total", "result", "taken", s.taken);
    add_labelled(out, "groups_chat_hook_requests_total", "result", "failed", s.failed);
    counter(out, "groups_chat_hook_events_total", "Events that webhooks have taken.", s.events);
    gauge(out, "groups_chat_hooks_failing", "Webhooks whose last request failed.", s.failing);
    gauge(out, "groups_chat_hooks_behind_records",
          "Records that the slowest webhook has not taken yet.", s.behind_max);
}

enum err metrics_page(struct call *call, struct problem *problem)
{
    struct api *a = call->api;
    struct buf *out = &a->body;
    const struct timing *turns = &loop_turns(a->loop)->all;
    struct engine_stats e;

    (void)problem;
    engine_stats(a->engine, &e);
    buf_reset(out);
    add_process(out, a);
    add_connections(out, a);
    add_requests(out, a);
    add_rpcs(out, a);
    add_limits(out, a);
    add_state(out, a, &e);
    add_journal(out, &e.journal);
    add_snapshots(out, &e);
    if (a->hooks != NULL)
        add_hooks(out, a->hooks);
    histogram(out, "groups_chat_loop_turn_duration_seconds",
              "Turns of the loop: how long a socket that became ready may have waited.", turns, 0);
    gauge_seconds(out, "groups_chat_loop_turn_longest_seconds", "The longest turn since the start.",
                  timing_read(&turns->max_ns));
    rest_answer_as(a, call->conn, BYTES("text/plain; version=0.0.4; charset=utf-8"),
                   buf_bytes(out));
    return ERR_ok;
}
