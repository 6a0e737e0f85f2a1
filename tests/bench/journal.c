/*
 * journal: records a second through log/ alone, or the floor of that.
 *
 *   journal --dir DIR --batch N [--seconds S]       proposes N records of 100 bytes, waits until
 *                                                   the N before them are durable, and again
 *   journal --floor FILE --batch N [--seconds S]    writes as many bytes as N records take into a
 *                                                   preallocated file of zeros, syncs, and again
 *
 * Prints "records N", "bytes N" (what they take on disk) and "ns N".
 */
#include <err.h>
#include <fcntl.h>
#include <getopt.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "base/crypto.h"
#include "base/ensure.h"
#include "log/frame.h"
#include "log/journal.h"
#include "tests/await.h"

enum { PAYLOAD_LEN = 100, FLOOR_LEN = 64 << 20 };
#define NS_PER_S 1000000000ull

static uint64_t now_ns(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * NS_PER_S + (uint64_t)t.tv_nsec;
}

static void print(uint64_t records, uint64_t ns)
{
    printf("records %" PRIu64 "\nbytes %" PRIu64 "\nns %" PRIu64 "\n", records,
           records * (FRAME_OVERHEAD + PAYLOAD_LEN), ns);
}

/* ---- ours ------------------------------------------------------------------------------------ */

static void on_commit(void *ctx, const struct journal_record *record, void *ticket)
{
    uint64_t *committed = ctx;

    (void)ticket;
    *committed = record->seq;
}

static void on_fail(void *ctx, void *ticket, enum err why)
{
    (void)ctx;
    (void)ticket;
    errx(1, "a record was not taken: %s", err_sentence(why));
}

static void propose(struct journal *j, uint64_t count)
{
    static const uint8_t payload[PAYLOAD_LEN] = {1};

    for (uint64_t i = 0; i < count; i++)
        if (journal_propose(j, 1, bytes_of(payload, sizeof(payload)), NULL) != ERR_ok)
            errx(1, "a record was refused");
    journal_submit(j);
}

static void await(struct journal *j, const uint64_t *committed, uint64_t last)
{
    while (*committed < last) {
        AWAIT_READABLE(journal_fd(j));
        journal_dispatch(j, JOURNAL_ALL);
    }
}

/* As the server does it: while one batch is on its way to the disk, the next is made. */
static void run_for(struct journal *j, uint64_t batch, uint64_t ns, const uint64_t *committed)
{
    uint64_t start_ns = now_ns(), proposed = *committed;

    while (now_ns() - start_ns < ns) {
        propose(j, batch);
        proposed += batch;
        await(j, committed, proposed - batch);
    }
    await(j, committed, proposed);
}

static void ours(const char *dir, uint64_t batch, uint64_t seconds)
{
    uint64_t committed = 0, before, start_ns;
    struct journal_options options = {.dir = dir, .sync = JOURNAL_SYNC_ALWAYS};
    struct journal_hooks hooks = {.ctx = &committed, .on_commit = on_commit, .on_fail = on_fail};
    struct journal_report report;
    struct journal *j;

    crypto_init();
    if (journal_open_files(&options, &hooks, &report, &j) != ERR_ok)
        errx(1, "%s", report.damage);
    /* The first segments are small; the floor has one that is large. */
    run_for(j, batch, NS_PER_S, &committed);
    before = committed;
    start_ns = now_ns();
    run_for(j, batch, seconds * NS_PER_S, &committed);
    print(committed - before, now_ns() - start_ns);
    journal_close(j);
}

/* ---- the floor ------------------------------------------------------------------------------- */

static void floor_run(const char *path, uint64_t batch, uint64_t seconds)
{
    size_t len = batch * (FRAME_OVERHEAD + PAYLOAD_LEN);
    uint8_t *zeros = xcalloc(1, FLOOR_LEN);
    uint64_t records = 0, start_ns;
    off_t at = 0;
    int fd = open(path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

    if (len > FLOOR_LEN)
        errx(2, "--batch is too large");
    if (fd < 0 || pwrite(fd, zeros, FLOOR_LEN, 0) != FLOOR_LEN || fsync(fd) != 0)
        err(1, "%s", path);
    memset(zeros, 1, len);
    start_ns = now_ns();
    while (now_ns() - start_ns < seconds * NS_PER_S) {
        if (at + (off_t)len > FLOOR_LEN)
            at = 0;
        if (pwrite(fd, zeros, len, at) != (ssize_t)len || fdatasync(fd) != 0)
            err(1, "%s", path);
        at += (off_t)len;
        records += batch;
    }
    print(records, now_ns() - start_ns);
    close(fd);
    free(zeros);
}

int main(int argc, char **argv)
{
    static const struct option options[] = {
        {"dir", required_argument, NULL, 'd'},
        {"floor", required_argument, NULL, 'f'},
        {"batch", required_argument, NULL, 'b'},
        {"seconds", required_argument, NULL, 's'},
        {NULL, 0, NULL, 0},
    };
    const char *dir = NULL, *file = NULL;
    uint64_t batch = 100, seconds = 1;
    int o;

    while ((o = getopt_long(argc, argv, "", options, NULL)) != -1) {
        if (o == 'd')
            dir = optarg;
        else if (o == 'f')
            file = optarg;
        else if (o == 'b')
            batch = strtoull(optarg, NULL, 10);
        else if (o == 's')
            seconds = strtoull(optarg, NULL, 10);
        else
            return 2;
    }
    if (!dir == !file || batch == 0)
        errx(2, "--dir or --floor, and --batch");
    if (dir)
        ours(dir, batch, seconds);
    else
        floor_run(file, batch, seconds);
    return 0;
}
