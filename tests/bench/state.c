/*
 * state: writes a journal of so many users, groups, memberships and messages, for measuring what a
 * state takes in memory. Quicker than asking a server for each.
 *
 *   state --dir DIR [--users N] [--groups N] [--members N] [--messages N]
 *
 * --members are those of each group; they follow each other among the users. The messages go round
 * the groups, each by one of its members, with a client_id of 8 bytes and texts of 60 to 140 bytes,
 * all of them equally often. DIR must be there and have no journal.
 *
 * Prints "records N" and "text N" (the bytes of all texts and client_ids).
 */
#include <err.h>
#include <getopt.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/crypto.h"
#include "log/journal.h"
#include "model/record.h"
#include "tests/await.h"

enum { TEXT_MIN = 60, TEXT_MAX = 140, IN_FLIGHT_MAX = 4096 };

/* Any time: what counts is that it is the same. */
#define TIME INT64_C(1700000000000)

struct plan {
    const char *dir;
    uint64_t users, groups, members, messages;
};

struct writing {
    struct journal *journal;
    uint64_t proposed, committed;
    struct buf payload;
    uint64_t text;
};

static void on_commit(void *ctx, const struct journal_record *record, void *ticket)
{
    struct writing *w = ctx;

    (void)ticket;
    w->committed = record->seq;
}

static void on_fail(void *ctx, void *ticket, enum err why)
{
    (void)ctx;
    (void)ticket;
    errx(1, "a record was not taken: %s", err_sentence(why));
}

/* Lets the disk have what was proposed until at most `left` wait. */
static void settle(struct writing *w, uint64_t left)
{
    journal_submit(w->journal);
    while (w->proposed - w->committed > left) {
        AWAIT_READABLE(journal_fd(w->journal));
        journal_dispatch(w->journal, JOURNAL_ALL);
    }
}

static void add(struct writing *w, const struct record *r)
{
    buf_reset(&w->payload);
    record_encode(r, &w->payload);
    enum err e = journal_propose(w->journal, (uint16_t)r->type, buf_bytes(&w->payload), NULL);
    if (e != ERR_ok)
        errx(1, "a record was refused: %s", err_sentence(e));
    w->proposed++;
    if (w->proposed - w->committed >= IN_FLIGHT_MAX)
        settle(w, IN_FLIGHT_MAX / 2);
}

/* As long as what the server would hash for a new account. */
#define PASSWORD                                                                                   \
    "$argon2id$v=19$m=19456,t=2,p=1$AAAAAAAAAAAAAAAAAAAAAA$"                                       \
    "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"

static void add_users(struct writing *w, const struct plan *plan)
{
    char name[32], email[48];

    for (uint64_t i = 0; i < plan->users; i++) {
        snprintf(name, sizeof name, "user%07" PRIu64, i);
        snprintf(email, sizeof email, "%s@example.com", name);
        struct record r = {.type = RECORD_user_create,
                           .user_create = {.time = TIME,
                                           .id = uuid_random(),
                                           .username = bytes_cstr(name),
                                           .username_key = bytes_cstr(name),
                                           .email = bytes_cstr(email),
                                           .email_key = bytes_cstr(email),
                                           .password = BYTES(PASSWORD)}};
        add(w, &r);
    }
}

static uint32_t user_of(const struct plan *plan, uint64_t group, uint64_t member)
{
    return 1 + (uint32_t)((group * plan->members + member) % plan->users);
}

static void add_groups(struct writing *w, const struct plan *plan)
{
    struct buf members = {0};
    char name[32];

    for (uint64_t g = 0; g < plan->groups; g++) {
        buf_reset(&members);
        for (uint64_t i = 0; i < plan->members; i++)
            buf_add_u32le(&members, user_of(plan, g, i));
        snprintf(name, sizeof name, "group%07" PRIu64, g);
        struct record r = {.type = RECORD_group_create,
                           .group_create = {.time = TIME,
                                            .id = uuid_random(),
                                            .owner = user_of(plan, g, 0),
                                            .name = bytes_cstr(name),
                                            .members = {members.p, (uint32_t)plan->members}}};
        add(w, &r);
    }
    buf_release(&members);
}

static void add_messages(struct writing *w, const struct plan *plan)
{
    static uint8_t letters[TEXT_MAX];
    char client_id[24];

    memset(letters, 'a', sizeof letters);
    for (uint64_t i = 0; i < plan->messages; i++) {
        uint64_t group = i % plan->groups;
        size_t len = TEXT_MIN + (size_t)(i % (TEXT_MAX - TEXT_MIN + 1));
        snprintf(client_id, sizeof client_id, "%08" PRIx64, i);
        struct record r = {
            .type = RECORD_message_post,
            .message_post = {.time = TIME,
                             .id = uuid_random(),
                             .group = 1 + (uint32_t)group,
                             .author = user_of(plan, group, i / plan->groups % plan->members),
                             .client_id = bytes_cstr(client_id),
                             .data = bytes_of(letters, len)}};
        w->text += r.message_post.client_id.len + len;
        add(w, &r);
    }
}

static struct plan plan_read(int argc, char **argv)
{
    static const struct option options[] = {
        {"dir", required_argument, NULL, 'd'},      {"users", required_argument, NULL, 'u'},
        {"groups", required_argument, NULL, 'g'},   {"members", required_argument, NULL, 'm'},
        {"messages", required_argument, NULL, 'n'}, {NULL, 0, NULL, 0},
    };
    struct plan plan = {.members = 1};
    int o;

    while ((o = getopt_long(argc, argv, "", options, NULL)) != -1) {
        uint64_t n = optarg != NULL ? strtoull(optarg, NULL, 10) : 0;
        if (o == 'd')
            plan.dir = optarg;
        else if (o == 'u')
            plan.users = n;
        else if (o == 'g')
            plan.groups = n;
        else if (o == 'm')
            plan.members = n;
        else if (o == 'n')
            plan.messages = n;
        else
            exit(2);
    }
    if (plan.dir == NULL || plan.members == 0 || (plan.groups > 0 && plan.users < plan.members) ||
        (plan.messages > 0 && plan.groups == 0))
        errx(2, "--dir, and users for each member and groups for the messages");
    return plan;
}

int main(int argc, char **argv)
{
    struct plan plan = plan_read(argc, argv);
    struct writing w = {0};
    struct journal_options options = {.dir = plan.dir, .sync = JOURNAL_SYNC_OFF};
    struct journal_hooks hooks = {.ctx = &w, .on_commit = on_commit, .on_fail = on_fail};
    struct journal_report report;

    crypto_init();
    if (journal_open_files(&options, &hooks, &report, &w.journal) != ERR_ok)
        errx(1, "%s", report.damage);
    if (w.committed > 0)
        errx(2, "%s has a journal", plan.dir);
    add_users(&w, &plan);
    add_groups(&w, &plan);
    add_messages(&w, &plan);
    settle(&w, 0);
    journal_close(w.journal);
    buf_release(&w.payload);
    printf("records %" PRIu64 "\ntext %" PRIu64 "\n", w.proposed, w.text);
    return 0;
}
