/*
 * load: drives groups-chat or the floor, counts, and says what the server used.
 *
 *   load --port P --plan FILE --pid PID [--in-flight K | --rate N] [--seconds S] [--messages N]
 *        [--warm-up S] [--verify]
 *   load --port P --plan FILE --rest
 *   load --port P --plan FILE --ping
 *
 * The plan has a line a connection: its path, the number of its group from 0, the group's id as the
 * server knows it. A group's first connection sends 100-byte texts: K at a time, the next as soon
 * as one is acknowledged; or all groups together N a second, evenly, whether answered or not. A
 * warm-up, then the measured time, which ends when every delivery that is due has arrived. Each
 * connection's count is checked after that. --verify also checks that each text is the one that is
 * due next: in the warm-up, and with --rate in the measured time too.
 *
 * --ping has the plan's connections answer a ping every millisecond until standard input ends, and
 * then says how long they took from when each was due: what the longest turns of the server's loop
 * add to anybody's waiting. p999_apart_us leaves out what the longest single stall held up.
 *
 * --rest opens the connections, has each answer a ping, says "resting N" and holds them until
 * standard input ends. Results are lines of "name value" on standard output; whatever is not as it
 * must be ends the process with 1.
 */
#include <err.h>
#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/ensure.h"
#include "client.h"
#include "cpu.h"

enum { TEXT_LEN = 100, NUMBER_LEN = 8, FRAME_MAX = 512, WAIT_S = 30 };
#define NS_PER_S 1000000000ull

struct group {
    struct client *sender;
    uint32_t others; /* members that a message is delivered to */
    uint32_t ready;  /* messages to send at the end of this turn */
    bool queued;
    uint64_t sent; /* since the start */
    uint64_t base; /* sent before this phase */
    uint8_t frame[FRAME_MAX];
    size_t frame_len, number_at;
};

static struct {
    struct clients clients;
    struct group *groups;
    uint32_t group_count;
    uint32_t *queue; /* groups with something ready */
    uint32_t queued;

    pid_t pid;
    uint32_t in_flight;
    uint64_t rate, seconds, warm_up, messages;
    bool verify, rest, ping;

    /* this phase */
    bool sending, checking;
    uint64_t start_ns, stop_ns, max, sends, acks, events, due;
    uint64_t event_len, ack_len; /* of the newest */
    uint64_t sent_in_all;        /* warm-up included */
    uint32_t *latency_us10;      /* tenths of a microsecond, one a delivery; NULL: not taken */
    uint64_t latency_cap, late_ns;
    uint64_t batch_ns; /* when the bytes that are being read arrived */
} l;

static const uint8_t mask[4] = {0x5a, 0xc3, 0x17, 0x88};

/* ---- messages -------------------------------------------------------------------------------- */

/* The group's masked frame; only the number in its text changes from message to message. */
static void group_frame(struct group *g, const char *id)
{
    struct buf json = {0};
    size_t text_at;

    buf_printf(&json, "{\"method\":40,\"body\":{\"group_id\":\"%s\",\"data\":\"", id);
    text_at = json.len;
    while (json.len < text_at + TEXT_LEN)
        buf_add_u8(&json, '.');
    BUF_ADD_LIT(&json, "\"}}");
    if (json.len < 126 || json.len + 8 > FRAME_MAX)
        errx(1, "a group id of %zu bytes is not expected", strlen(id));
    g->frame[0] = 0x81;
    g->frame[1] = 0x80 | 126;
    g->frame[2] = (uint8_t)(json.len >> 8);
    g->frame[3] = (uint8_t)json.len;
    memcpy(g->frame + 4, mask, 4);
    for (size_t i = 0; i < json.len; i++)
        g->frame[8 + i] = json.p[i] ^ mask[i & 3];
    g->frame_len = 8 + json.len;
    g->number_at = text_at;
    buf_release(&json);
}

static void number_write(uint8_t out[NUMBER_LEN], uint64_t n)
{
    for (int i = NUMBER_LEN - 1; i >= 0; i--, n >>= 4)
        out[i] = (uint8_t) "0123456789abcdef"[n & 15];
}

static void group_send(struct group *g, uint32_t count)
{
    static uint8_t joined[64 * FRAME_MAX];
    size_t len = 0;

    for (; count > 0; count--) {
        uint8_t *frame = joined + len, number[NUMBER_LEN];
        memcpy(frame, g->frame, g->frame_len);
        number_write(number, g->sent);
        for (size_t i = 0; i < NUMBER_LEN; i++)
            frame[8 + g->number_at + i] = number[i] ^ mask[(g->number_at + i) & 3];
        len += g->frame_len;
        g->sent++;
        l.sends++;
        l.sent_in_all++;
        l.due += g->others;
        if (len + FRAME_MAX > sizeof(joined) || count == 1) {
            client_send(&l.clients, g->sender, joined, len);
            len = 0;
        }
    }
}

static void group_ready(uint32_t index, uint32_t count)
{
    struct group *g = &l.groups[index];

    g->ready += count;
    if (!g->queued) {
        g->queued = true;
        l.queue[l.queued++] = index;
    }
}

static void check_text(const struct client *c, const uint8_t *text, size_t len)
{
    static const char before[] = "\"data\":\"";
    const uint8_t *data = memmem(text, len, before, sizeof(before) - 1);
    uint8_t number[NUMBER_LEN];

    number_write(number, c->events);
    if (data)
        data += sizeof(before) - 1;
    if (!data || data + TEXT_LEN > text + len || memcmp(data, number, NUMBER_LEN) != 0)
        errx(1, "group %u: message %.8s is due, not %.*s", c->group, (const char *)number, (int)len,
             (const char *)text);
}

static void on_event(struct client *c, const uint8_t *text, size_t len)
{
    if (l.checking)
        check_text(c, text, len);
    if (l.latency_us10 && l.events < l.latency_cap) {
        uint64_t nth = (c->events - l.groups[c->group].base) * l.group_count + c->group;
        uint64_t sent_ns = l.start_ns + nth * NS_PER_S / l.rate;
        l.latency_us10[l.events] = (uint32_t)((now_ns() - sent_ns) / 100);
    }
    l.events++;
    l.event_len = len;
}

static void on_ack(struct client *c, const uint8_t *text, size_t len)
{
    (void)text;
    if (!c->sender)
        errx(1, "an acknowledgement for somebody who did not send");
    l.acks++;
    l.ack_len = len;
    if (l.sending && l.in_flight)
        group_ready(c->group, 1);
}

/* ---- a phase --------------------------------------------------------------------------------- */

static void send_ready(void)
{
    for (uint32_t i = 0; i < l.queued; i++) {
        struct group *g = &l.groups[l.queue[i]];
        uint64_t left = l.max - l.sends;
        if (l.sending)
            group_send(g, g->ready < left ? g->ready : (uint32_t)left);
        g->ready = 0;
        g->queued = false;
    }
    l.queued = 0;
}

/* Sends what the clock says is due; returns when the next is. */
static uint64_t send_at_rate(void)
{
    for (;;) {
        uint64_t due_ns = l.start_ns + l.sends * NS_PER_S / l.rate, now = now_ns();
        if (due_ns > now || l.sends == l.max)
            return due_ns;
        if (now - due_ns > l.late_ns)
            l.late_ns = now - due_ns;
        group_send(&l.groups[l.sends % l.group_count], 1);
    }
}

/* Every connection has exactly what its group's sender sent, or acknowledgements for it. */
static void check_counts(void)
{
    for (uint32_t i = 0; i < l.clients.count; i++) {
        const struct client *c = &l.clients.all[i];
        uint64_t sent = l.groups[c->group].sent, events = c->sender ? 0 : sent;
        if (c->events != events || c->acks != sent - events)
            errx(1,
                 "connection %u: %" PRIu64 " events and %" PRIu64 " acknowledgements for %" PRIu64
                 " messages",
                 i, c->events, c->acks, sent);
    }
}

static void phase_begin(uint64_t seconds, uint64_t max)
{
    l.sends = l.acks = l.events = l.due = l.late_ns = 0;
    l.max = max;
    l.sending = true;
    for (uint32_t g = 0; g < l.group_count; g++)
        l.groups[g].base = l.groups[g].sent;
    l.start_ns = now_ns();
    l.stop_ns = l.start_ns + seconds * NS_PER_S;
    for (uint32_t g = 0; l.in_flight && g < l.group_count; g++)
        group_ready(g, l.in_flight);
}

/* Sends for so long, or so many messages; returns the nanoseconds until the last has arrived. */
static uint64_t phase_run(uint64_t seconds, uint64_t max)
{
    uint64_t moved = 0, moved_ns;

    phase_begin(seconds, max);
    moved_ns = l.start_ns;
    while (l.sending || l.acks < l.sends || l.events < l.due) {
        uint64_t now, until = now_ns() + NS_PER_S / 10;
        if (l.rate && l.sending) {
            uint64_t next = send_at_rate();
            until = next < until ? next : until;
        }
        send_ready();
        clients_poll(&l.clients, until);
        now = now_ns();
        if (now >= l.stop_ns || l.sends >= l.max)
            l.sending = false;
        if (l.acks + l.events != moved || l.sending) {
            moved = l.acks + l.events;
            moved_ns = now;
        } else if (now - moved_ns > WAIT_S * NS_PER_S) {
            errx(1,
                 "%" PRIu64 " of %" PRIu64 " acknowledgements and %" PRIu64 " of %" PRIu64
                 " deliveries arrived, then nothing",
                 l.acks, l.sends, l.events, l.due);
        }
    }
    return now_ns() - l.start_ns;
}

static int compare_u32(const void *a, const void *b)
{
    uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

    return x < y ? -1 : x > y;
}

static void print_latency(void)
{
    uint64_t n = l.events, middle = n / 2, high = n * 99 / 100;

    qsort(l.latency_us10, n, sizeof(uint32_t), compare_u32);
    printf("p50_us %.1f\n", l.latency_us10[middle] / 10.0);
    printf("p99_us %.1f\n", l.latency_us10[high] / 10.0);
    printf("max_us %.1f\n", l.latency_us10[n - 1] / 10.0);
    printf("late_max_us %.1f\n", (double)l.late_ns / 1000.0);
}

static void measure(void)
{
    struct cpu server, self;
    uint64_t wall_ns, reads;

    l.checking = l.verify;
    phase_run(l.warm_up, UINT64_MAX);
    clients_barrier(&l.clients);
    check_counts();
    if (l.rate) {
        uint64_t fan_out = 0;
        ENSURE(l.group_count > 0);
        for (uint32_t g = 0; g < l.group_count; g++)
            fan_out += l.groups[g].others;
        l.latency_cap = (l.rate * l.seconds / l.group_count + 1) * fan_out;
        l.latency_us10 = xcalloc(l.latency_cap, sizeof(uint32_t));
    }
    /* Correlating a delivery by its number is only right where each is the one that is due. */
    l.checking = l.verify && l.rate;
    reads = l.clients.read_count;
    server = cpu_read(l.pid);
    self = cpu_read(getpid());
    wall_ns = phase_run(l.seconds, l.rate ? l.rate * l.seconds : l.messages);
    server = cpu_between(server, cpu_read(l.pid));
    self = cpu_between(self, cpu_read(getpid()));
    reads = l.clients.read_count - reads;
    if (l.latency_us10)
        print_latency();
    clients_barrier(&l.clients);
    check_counts();
    printf("sends %" PRIu64 "\ndeliveries %" PRIu64 "\nwall_ns %" PRIu64 "\n", l.sends, l.events,
           wall_ns);
    printf("reads %" PRIu64 "\n", reads);
    printf("sent_in_all %" PRIu64 "\n", l.sent_in_all);
    printf("cpu_ns %" PRIu64 "\nuser_ns %" PRIu64 "\nsystem_ns %" PRIu64 "\n", server.total_ns,
           server.user_ns, server.system_ns);
    printf("load_cpu_ns %" PRIu64 "\n", self.total_ns);
    printf("event_len %" PRIu64 "\nack_len %" PRIu64 "\n", l.event_len, l.ack_len);
}

/* Connections that say nothing; pings are answered until standard input ends. */
static void rest(void)
{
    struct pollfd ends = {.fd = STDIN_FILENO, .events = POLLIN};

    clients_barrier(&l.clients);
    printf("resting %u\n", l.clients.count);
    fflush(stdout);
    while (poll(&ends, 1, 0) == 0)
        clients_poll(&l.clients, now_ns() + NS_PER_S / 10);
}

/* ---- pings ----------------------------------------------------------------------------------- */

enum { PINGS_MAX = 1 << 22 };

/* The samples that are not part of the longest stall: that sample, and those around it that waited
 * for the same. */
static size_t drop_longest(uint32_t *samples, size_t count)
{
    size_t longest = 0, first, end, kept;

    for (size_t i = 1; i < count; i++)
        if (samples[i] > samples[longest])
            longest = i;
    /* One that was due d later has d less to wait. */
    first = end = longest;
    while (first > 0 && samples[first - 1] > samples[longest] / 20)
        first--;
    while (end < count && samples[end] > samples[longest] / 20)
        end++;
    kept = count - (end - first);
    memmove(samples + first, samples + end, (count - end) * sizeof(*samples));
    return kept;
}

static void ping(void)
{
    struct pollfd ends = {.fd = STDIN_FILENO, .events = POLLIN};
    uint32_t *us10 = xcalloc(PINGS_MAX, sizeof(*us10));
    size_t count = 0;
    uint64_t due_ns;

    clients_barrier(&l.clients);
    printf("pinging %u\n", l.clients.count);
    fflush(stdout);
    for (due_ns = now_ns(); count < PINGS_MAX && poll(&ends, 1, 0) == 0;) {
        uint64_t now = now_ns();
        if (now < due_ns) {
            clients_poll(&l.clients, due_ns);
            continue;
        }
        clients_barrier(&l.clients);
        us10[count++] = (uint32_t)((now_ns() - due_ns) / 100);
        due_ns += NS_PER_S / 1000;
    }
    if (count == 0)
        errx(1, "no ping was answered");
    uint32_t *apart_us10 = xcalloc(count, sizeof(*apart_us10));
    memcpy(apart_us10, us10, count * sizeof(*us10));
    size_t apart = drop_longest(apart_us10, count);
    qsort(us10, count, sizeof(*us10), compare_u32);
    qsort(apart_us10, apart, sizeof(*apart_us10), compare_u32);
    size_t middle = count / 2, high = count * 999 / 1000, apart_high = apart * 999 / 1000;
    printf("pings %zu\np50_us %.1f\np999_us %.1f\nmax_us %.1f\n", count, us10[middle] / 10.0,
           us10[high] / 10.0, us10[count - 1] / 10.0);
    printf("p999_apart_us %.1f\n", apart > 0 ? apart_us10[apart_high] / 10.0 : 0.0);
    free(apart_us10);
    free(us10);
}

/* ---- life ------------------------------------------------------------------------------------ */

static void plan_line(const char *path, uint32_t group, const char *id, uint32_t *cap)
{
    struct client *c;

    if (l.clients.count == *cap) {
        *cap = *cap ? *cap * 2 : 1024;
        l.clients.all = xrealloc(l.clients.all, *cap * sizeof(struct client));
    }
    if (group > l.group_count)
        errx(1, "the plan's groups must start at 0 and come in order");
    c = &l.clients.all[l.clients.count++];
    *c = (struct client){.fd = -1, .group = group, .path = strdup(path)};
    if (group < l.group_count) {
        l.groups[group].others++;
        return;
    }
    l.groups = xrealloc(l.groups, ++l.group_count * sizeof(struct group));
    l.groups[group] = (struct group){0};
    c->sender = true;
    group_frame(&l.groups[group], id);
}

static void plan_read(const char *name)
{
    char line[512], path[256], id[128];
    FILE *file = fopen(name, "re");
    uint32_t group, cap = 0;

    if (!file)
        err(1, "%s", name);
    while (fgets(line, sizeof(line), file)) {
        if (sscanf(line, "%255s %" SCNu32 " %127s", path, &group, id) != 3)
            errx(1, "%s: not a line of a plan: %s", name, line);
        plan_line(path, group, id, &cap);
    }
    fclose(file);
    if (l.clients.count == 0)
        errx(1, "%s: no connections", name);
    for (uint32_t i = 0; i < l.clients.count; i++) {
        if (l.clients.all[i].sender)
            l.groups[l.clients.all[i].group].sender = &l.clients.all[i];
    }
    l.queue = xcalloc(l.group_count, sizeof(*l.queue));
}

static uint64_t number(const char *text)
{
    char *end;
    unsigned long long v = strtoull(text, &end, 10);

    if (end == text || *end)
        errx(2, "not a number: %s", text);
    return v;
}

static const char *arguments(int argc, char **argv)
{
    static const struct option options[] = {
        {"port", required_argument, NULL, 'p'},     {"plan", required_argument, NULL, 'f'},
        {"pid", required_argument, NULL, 'i'},      {"in-flight", required_argument, NULL, 'k'},
        {"rate", required_argument, NULL, 'r'},     {"seconds", required_argument, NULL, 's'},
        {"messages", required_argument, NULL, 'm'}, {"warm-up", required_argument, NULL, 'w'},
        {"verify", no_argument, NULL, 'v'},         {"rest", no_argument, NULL, 'q'},
        {"ping", no_argument, NULL, 'g'},           {NULL, 0, NULL, 0},
    };
    const char *plan = NULL;
    int o;

    l.seconds = l.warm_up = 1;
    l.messages = UINT64_MAX;
    while ((o = getopt_long(argc, argv, "", options, NULL)) != -1) {
        switch (o) {
        case 'p':
            l.clients.port = (uint16_t)number(optarg);
            break;
        case 'f':
            plan = optarg;
            break;
        case 'i':
            l.pid = (pid_t)number(optarg);
            break;
        case 'k':
            l.in_flight = (uint32_t)number(optarg);
            break;
        case 'r':
            l.rate = number(optarg);
            break;
        case 's':
            l.seconds = number(optarg);
            break;
        case 'm':
            l.messages = number(optarg);
            break;
        case 'w':
            l.warm_up = number(optarg);
            break;
        case 'v':
            l.verify = true;
            break;
        case 'q':
            l.rest = true;
            break;
        case 'g':
            l.ping = true;
            break;
        default:
            exit(2);
        }
    }
    if (!plan || !l.clients.port || (!l.rest && !l.ping && (!l.pid || !l.in_flight == !l.rate)))
        errx(2, "--port and --plan; --rest, --ping, or --pid and one of --in-flight and --rate");
    return plan;
}

int main(int argc, char **argv)
{
    const char *plan = arguments(argc, argv);
    struct rlimit limit;

    if (getrlimit(RLIMIT_NOFILE, &limit) == 0) {
        limit.rlim_cur = limit.rlim_max;
        setrlimit(RLIMIT_NOFILE, &limit);
    }
    prctl(PR_SET_TIMERSLACK, 1);
    l.clients.on_event = on_event;
    l.clients.on_ack = on_ack;
    plan_read(plan);
    clients_open(&l.clients);
    if (l.rest)
        rest();
    else if (l.ping)
        ping();
    else
        measure();
    return 0;
}
