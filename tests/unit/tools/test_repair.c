/*
 * A repair that is killed at any of its calls, and then done again, ends as one that was not: the
 * calls that change files are counted here, in front of the C library's.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/crypto.h"
#include "base/ensure.h"
#include "log/snapshot.h"
#include "model/save.h"
#include "tests/await.h"
#include "tools/scan.h"
#include "tools/tools.h"

#define KILLED 99
#define USERS  3000

/* ---- the calls that count ----------------------------------------------------------------------
 */

static unsigned calls_left; /* in the child: the call at which it ends; 0: never */

static void count_call(void)
{
    if (calls_left > 0 && --calls_left == 0)
        _exit(KILLED);
}

int fsync(int fd)
{
    count_call();
    return (int)syscall(SYS_fsync, fd);
}

int renameat(int from_dir, const char *from, int to_dir, const char *to)
{
    count_call();
    return (int)syscall(SYS_renameat2, from_dir, from, to_dir, to, 0);
}

int linkat(int from_dir, const char *from, int to_dir, const char *to, int flags)
{
    count_call();
    return (int)syscall(SYS_linkat, from_dir, from, to_dir, to, flags);
}

int ftruncate(int fd, off_t len)
{
    count_call();
    return (int)syscall(SYS_ftruncate, fd, len);
}

ssize_t write(int fd, const void *p, size_t len)
{
    count_call();
    return syscall(SYS_write, fd, p, len);
}

ssize_t pwrite(int fd, const void *p, size_t len, off_t at)
{
    count_call();
    return syscall(SYS_pwrite64, fd, p, len, at);
}

/* ---- a directory
 * --------------------------------------------------------------------------------- */

/* In memory where the machine has that: what is killed here is the process, not the power. */
static char root[] = "/dev/shm/test_repair_XXXXXX";
static char original[64], damaged[64], work[64];
static struct model *model;
static unsigned snapshots_ended;

static const char *path_of(const char *dir, const char *name)
{
    static char path[256];
    (void)snprintf(path, sizeof path, "%s/journal/%s", dir, name);
    return path;
}

static void shell(const char *command)
{
    assert_int_equal(system(command), 0); /* NOLINT(cert-env33-c): paths of our own making */
}

static void remove_dir(const char *dir)
{
    char command[128];
    (void)snprintf(command, sizeof command, "rm -rf %.100s", dir);
    shell(command);
}

static void copy_dir(const char *from, const char *to)
{
    char command[160];
    remove_dir(to);
    (void)snprintf(command, sizeof command, "cp -r %.64s %.64s", from, to);
    shell(command);
}

static void on_commit(void *ctx, const struct journal_record *record, void *ticket)
{
    (void)ctx;
    (void)ticket;
    assert_int_equal(model_commit(model, record->seq, record->type, record->payload, NULL), ERR_ok);
}

static void on_fail(void *ctx, void *ticket, enum err why)
{
    (void)ctx;
    (void)ticket;
    (void)why;
    fail();
}

static void add_saved(void *ctx, uint16_t type, struct bytes payload)
{
    snapshot_add(ctx, type, payload);
}

static bool on_load(void *ctx, uint16_t type, struct bytes payload)
{
    (void)ctx;
    return model_load(model, type, payload);
}

static bool on_loaded(void *ctx, uint64_t seq)
{
    (void)ctx;
    return model_loaded(model, seq);
}

static void on_reset(void *ctx)
{
    (void)ctx;
    model_reset(model);
}

static void on_save(void *ctx, struct snapshot_writer *w)
{
    (void)ctx;
    model_save(model, add_saved, w);
}

static void on_snapshot(void *ctx, enum err err, uint64_t seq, uint64_t bytes, const char *why)
{
    (void)ctx;
    (void)seq;
    (void)bytes;
    (void)why;
    assert_int_equal(err, ERR_ok);
    snapshots_ended++;
}

static void turn(struct journal *j)
{
    AWAIT_READABLE(journal_fd(j));
    while (journal_dispatch(j, JOURNAL_ALL))
        ;
}

static void dispatch_until(struct journal *j, uint64_t seq, unsigned snapshots)
{
    journal_submit(j);
    AWAIT_BY(turn(j), journal_committed(j) >= seq && snapshots_ended >= snapshots);
}

/* Proposes users `from` to `to` - 1, each its record's number. */
static void add_users(struct journal *j, unsigned from, unsigned to)
{
    char name[32], password[201];
    struct buf payload = {0};
    memset(password, 'p', sizeof password);
    for (unsigned i = from; i < to; i++) {
        int len = snprintf(name, sizeof name, "user%u", i);
        struct record r = {.type = RECORD_user_create};
        r.user_create.time = 1000 + i;
        memcpy(r.user_create.id.b, &i, sizeof i);
        r.user_create.id.b[15] = 1;
        r.user_create.username = r.user_create.username_key = bytes_of(name, (size_t)len);
        r.user_create.password = bytes_of(password, 200);
        buf_reset(&payload);
        record_encode(&r, &payload);
        assert_int_equal(journal_propose(j, RECORD_user_create, buf_bytes(&payload), NULL), ERR_ok);
    }
    dispatch_until(j, to - 1, snapshots_ended);
    buf_release(&payload);
}

/* A journal of several segments: `part` records, then each of so many snapshots with `part` more
 * behind it, then the rest. */
static void make_original(unsigned snapshots, unsigned part)
{
    struct journal_hooks hooks = {.on_commit = on_commit,
                                  .on_fail = on_fail,
                                  .on_load = on_load,
                                  .on_loaded = on_loaded,
                                  .on_reset = on_reset,
                                  .on_save = on_save,
                                  .on_snapshot = on_snapshot};
    struct journal_options options = {
        .dir = original, .sync = JOURNAL_SYNC_OFF, .segment_size = 64u << 10};
    struct journal_report report;
    struct journal *j;
    remove_dir(original);
    assert_int_equal(mkdir(original, 0700), 0);
    model = model_new();
    snapshots_ended = 0;
    assert_int_equal(journal_open_files(&options, &hooks, &report, &j), ERR_ok);
    add_users(j, 1, part);
    for (unsigned i = 1; i <= snapshots; i++) {
        assert_int_equal(journal_snapshot(j), ERR_ok);
        dispatch_until(j, 0, i);
        add_users(j, i * part, (i + 1) * part);
    }
    add_users(j, (snapshots + 1) * part, USERS);
    journal_close(j);
    model_free(model);
}

/* Segment number `i` of the directory, from the end where negative. */
static void segment_at(const char *dir, int i, char name[static SEGMENT_NAME_MAX])
{
    uint64_t *list = NULL;
    size_t count = 0;
    int fd = open(path_of(dir, "."), O_RDONLY | O_DIRECTORY);
    assert_true(fd >= 0 && segment_list(fd, &list, &count) == 0);
    ENSURE(list != NULL && count >= 4);
    segment_name(list[i < 0 ? count - (size_t)-i : (size_t)i], name);
    free(list);
    close(fd);
}

static void flip(const char *path, off_t at)
{
    uint8_t byte = 0;
    int fd = open(path, O_RDWR);
    assert_true(fd >= 0 && pread(fd, &byte, 1, at) == 1);
    byte ^= 4;
    assert_int_equal(pwrite(fd, &byte, 1, at), 1);
    close(fd);
}

/* ---- repairs
 * ------------------------------------------------------------------------------------- */

/* Runs a repair of `work` in a child that ends at its nth counted call; its exit code. */
static int repair_in_child(unsigned nth)
{
    char *words[] = {(char *)"journal", (char *)"repair", work};
    (void)fflush(NULL);
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        await_as_child();
        int null = open("/dev/null", O_WRONLY);
        dup2(null, STDOUT_FILENO);
        calls_left = nth;
        _exit((int)tools_run(3, words));
    }
    int status = AWAIT_CHILD(pid);
    assert_true(WIFEXITED(status));
    return WEXITSTATUS(status);
}

/* The number of the last record of a directory that is whole. */
static uint64_t last_of(const char *dir)
{
    struct scan s = {0};
    (void)snprintf(s.dir, sizeof s.dir, "%s", dir);
    assert_int_equal(scan_run(&s), EXIT_FINE);
    uint64_t last = s.last_seq;
    scan_release(&s);
    return last;
}

/* `damaged` is as it is to be repaired. */
static void killed_everywhere(uint64_t expected_last)
{
    unsigned nth;
    copy_dir(damaged, work);
    assert_int_equal(repair_in_child(0), EXIT_FINE);
    uint64_t last = last_of(work);
    if (expected_last > 0)
        assert_int_equal(last, expected_last);
    assert_true(last > 0);
    for (nth = 1;; nth++) {
        copy_dir(damaged, work);
        int code = repair_in_child(nth);
        if (code == EXIT_FINE)
            break;
        assert_int_equal(code, KILLED);
        assert_int_equal(repair_in_child(0), EXIT_FINE);
        assert_int_equal(last_of(work), last);
    }
    assert_true(nth > 3); /* else nothing was killed, and nothing was tested */
}

static void a_damaged_record(void **state)
{
    char name[SEGMENT_NAME_MAX];
    (void)state;
    for (int i = 0; i < 3; i++) {
        copy_dir(original, damaged);
        segment_at(damaged, i == 2 ? -1 : i, name);
        flip(path_of(damaged, name), SEGMENT_HEADER_LEN + 3000);
        killed_everywhere(0);
    }
}

static void a_damaged_header(void **state)
{
    char name[SEGMENT_NAME_MAX];
    (void)state;
    for (int i = 1; i < 4; i++) {
        copy_dir(original, damaged);
        segment_at(damaged, i == 3 ? -1 : i, name);
        flip(path_of(damaged, name), 100);
        killed_everywhere(USERS - 1);
    }
}

static void a_missing_segment(void **state)
{
    char name[SEGMENT_NAME_MAX];
    uint64_t first;
    (void)state;
    for (int i = 1; i < 3; i++) {
        copy_dir(original, damaged);
        segment_at(damaged, i == 2 ? -1 : i, name);
        assert_int_equal(unlink(path_of(damaged, name)), 0);
        assert_true(segment_name_parse(name, &first));
        killed_everywhere(first - 1);
    }
}

static void a_segment_of_another_length(void **state)
{
    char name[SEGMENT_NAME_MAX];
    (void)state;
    copy_dir(original, damaged);
    segment_at(damaged, 1, name);
    assert_int_equal(truncate(path_of(damaged, name), 20000), 0);
    killed_everywhere(0);
    copy_dir(original, damaged);
    int fd = open(path_of(damaged, name), O_WRONLY | O_APPEND);
    assert_true(fd >= 0 && write(fd, "more", 4) == 4);
    close(fd);
    killed_everywhere(USERS - 1);
}

static void a_damaged_manifest(void **state)
{
    (void)state;
    copy_dir(original, damaged);
    flip(path_of(damaged, "manifest"), 20);
    killed_everywhere(USERS - 1);
}

/* Everything below the newest snapshot is in it; the segments there are damaged in turn. */
static void what_a_snapshot_holds(void **state)
{
    char name[SEGMENT_NAME_MAX];
    uint64_t first, base = 2 * (uint64_t)USERS / 3 - 1;
    (void)state;
    make_original(2, USERS / 3);
    for (int i = 0;; i++) {
        copy_dir(original, damaged);
        segment_at(damaged, i, name);
        assert_true(segment_name_parse(name, &first));
        if (first > base)
            break;
        flip(path_of(damaged, name), SEGMENT_HEADER_LEN + 30);
        killed_everywhere(USERS - 1);
        copy_dir(original, damaged);
        flip(path_of(damaged, name), 100);
        killed_everywhere(USERS - 1);
    }
    assert_true(first > 1);
}

/* The snapshot lies in the first segment, which cannot be replaced by one that begins later. */
static void what_an_early_snapshot_holds(void **state)
{
    char name[SEGMENT_NAME_MAX];
    (void)state;
    make_original(1, 50);
    for (int i = 0; i < 2; i++) {
        copy_dir(original, damaged);
        segment_at(damaged, 0, name);
        assert_string_equal(name, "00000000000000000001.log");
        flip(path_of(damaged, name), i == 0 ? 100 : SEGMENT_HEADER_LEN + 30);
        killed_everywhere(USERS - 1);
    }
}

static int set_up(void **state)
{
    (void)state;
    crypto_init();
    if (!mkdtemp(root)) {
        (void)snprintf(root, sizeof root, "/tmp/test_repair_XXXXXX");
        assert_non_null(mkdtemp(root));
    }
    (void)snprintf(original, sizeof original, "%s/original", root);
    (void)snprintf(damaged, sizeof damaged, "%s/damaged", root);
    (void)snprintf(work, sizeof work, "%s/work", root);
    make_original(0, USERS);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    remove_dir(root);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_damaged_record),
        cmocka_unit_test(a_damaged_header),
        cmocka_unit_test(a_missing_segment),
        cmocka_unit_test(a_segment_of_another_length),
        cmocka_unit_test(a_damaged_manifest),
        cmocka_unit_test(what_a_snapshot_holds), /* last: these replace the original */
        cmocka_unit_test(what_an_early_snapshot_holds),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
