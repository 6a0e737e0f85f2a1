/*
 * An engine that writes snapshots and starts from them is, at every moment, the one that never
 * does: the same records go to both, and their digests are compared. In memory at random moments,
 * and in files with the child, the helper thread and the segments that go.
 */
#include "tests/unit/model/naive.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/engine.h"
#include "tests/await.h"

struct fixture {
    struct journal_memory memory;
    const char *dir; /* NULL: in memory */
    struct journal_report report;
    struct engine *engine;
    struct engine_snapshot_result result; /* the last one; `why` in here */
    char why[256];
    int results;
};

static void on_tell(void *ctx, const struct event *event, void *origin)
{
    (void)ctx;
    (void)event;
    (void)origin;
}

static void on_snapshot(void *ctx, const struct engine_snapshot_result *result)
{
    struct fixture *f = ctx;
    f->result = *result;
    snprintf(f->why, sizeof f->why, "%s", result->why);
    f->result.why = f->why;
    f->results++;
}

static void open_engine(struct fixture *f)
{
    struct engine_hooks hooks = {.ctx = f, .tell = on_tell};
    f->engine = engine_new(&hooks);
    engine_on_snapshot(f->engine, on_snapshot, f);
    if (f->dir == NULL) {
        assert_int_equal(engine_open_memory(f->engine, &f->memory), ERR_ok);
        return;
    }
    struct journal_options options = {
        .dir = f->dir, .sync = JOURNAL_SYNC_OFF, .segment_size = 64 << 10};
    assert_int_equal(engine_open_files(f->engine, &options, &f->report), ERR_ok);
}

struct asked {
    struct proposal proposal; /* first */
    struct fixture *f;
    int calls;
};

static void on_done(struct proposal *p, enum err err, uint64_t cursor)
{
    struct asked *a = (struct asked *)p;
    assert_int_equal(err, ERR_ok);
    assert_true(cursor > 0);
    a->calls++;
}

/* One turn: until something comes, where there is a descriptor to wait for. */
static void turn(struct fixture *f)
{
    struct journal *j = engine_journal(f->engine);

    journal_submit(j);
    if (journal_fd(j) >= 0)
        AWAIT_READABLE(journal_fd(j));
    journal_dispatch(j, JOURNAL_ALL);
}

static void must(struct fixture *f, const struct record *r)
{
    struct asked a = {.proposal = {on_done, NULL}, .f = f};
    assert_int_equal(engine_propose(f->engine, r, &a.proposal), ERR_ok);
    AWAIT_BY(turn(f), a.calls > 0);
    assert_int_equal(a.calls, 1);
}

static void snapshot(struct fixture *f)
{
    int results = f->results;
    assert_int_equal(engine_snapshot(f->engine), ERR_ok);
    AWAIT_BY(turn(f), f->results > results);
    assert_int_equal(f->results, results + 1);
    assert_int_equal(f->result.err, ERR_ok);
    assert_string_equal(f->why, "");
    assert_true(f->result.bytes > 0);
}

static void restart(struct fixture *f)
{
    engine_free(f->engine);
    open_engine(f);
}

static void close_fixture(struct fixture *f)
{
    engine_free(f->engine);
    journal_memory_release(&f->memory);
}

static void assert_same(const struct fixture *a, const struct fixture *b)
{
    world_assert_same(engine_model(a->engine), engine_model(b->engine));
}

/* The records of a random history that were taken, one after the other. */
static bool next_record(const struct world *w, uint32_t *at, struct record *out)
{
    while (*at < w->count && w->records[*at].err != ERR_ok)
        (*at)++;
    if (*at == w->count)
        return false;
    const struct world_record *r = &w->records[(*at)++];
    assert_true(record_decode(r->type, bytes_of(w->payloads.p + r->at, r->len), out));
    return true;
}

static void random_moments(uint64_t seed)
{
    static struct naive n;
    struct fixture plain = {0}, f = {0};
    struct record r;
    uint32_t at = 0, snapshots = 0;
    uint64_t last = 0;

    naive_init(&n, seed, 2 + (uint32_t)seed % 5, 1 + (uint32_t)seed % 4);
    n.keep = true;
    for (int i = 0; i < 160; i++)
        naive_step(&n);
    open_engine(&plain);
    open_engine(&f);
    while (next_record(&n.w, &at, &r)) {
        must(&plain, &r);
        must(&f, &r);
        uint64_t cursor = model_cursor(engine_model(f.engine));
        if (naive_below(&n, 8) == 0) {
            snapshot(&f);
            assert_int_equal(f.result.seq, cursor);
            assert_int_equal(engine_bytes_since_snapshot(f.engine), 0);
            last = cursor;
            snapshots++;
        }
        assert_int_equal(engine_bytes_since_snapshot(f.engine) == 0, last == cursor);
        if (naive_below(&n, 8) == 0)
            restart(&f);
        assert_same(&plain, &f);
    }
    if (snapshots == 0) /* a short one: its only group was deleted early */
        snapshot(&f);
    restart(&f);
    restart(&plain);
    assert_same(&plain, &f);
    assert_true(f.memory.len < plain.memory.len);
    close_fixture(&f);
    close_fixture(&plain);
    world_release(&n.w);
}

static void test_random_moments(void **state)
{
    (void)state;
    crypto_init();
    for (uint64_t seed = 1; seed <= 20; seed++)
        random_moments(seed);
}

static void test_refusals(void **state)
{
    struct fixture f = {0};
    struct world ids = {.now = 1000};

    (void)state;
    crypto_init();
    struct engine_hooks hooks = {.ctx = &f, .tell = on_tell};
    struct engine *unopened = engine_new(&hooks);
    assert_int_equal(engine_snapshot(unopened), ERR_shutting_down);
    assert_int_equal(engine_bytes_since_snapshot(unopened), 0);
    engine_free(unopened);
    open_engine(&f);
    assert_int_equal(engine_snapshot(f.engine), ERR_refused); /* there is nothing */
    struct record r = world_user_record(&ids, "anna");
    must(&f, &r);
    snapshot(&f);
    assert_int_equal(engine_snapshot(f.engine), ERR_refused); /* nothing new */
    restart(&f);
    assert_int_equal(engine_snapshot(f.engine), ERR_refused);
    engine_close(f.engine);
    assert_int_equal(engine_snapshot(f.engine), ERR_shutting_down);
    close_fixture(&f);
}

/* A snapshot in memory that was changed: the frames below it are gone, so nothing else can be. */
static void test_damaged_in_memory(void **state)
{
    struct fixture f = {0};
    struct world ids = {.now = 1000};

    (void)state;
    crypto_init();
    open_engine(&f);
    struct record r = world_user_record(&ids, "anna");
    must(&f, &r);
    snapshot(&f);
    engine_free(f.engine);
    f.memory.snapshot[f.memory.snapshot_len / 2] ^= 4;
    struct engine_hooks hooks = {.ctx = &f, .tell = on_tell};
    f.engine = engine_new(&hooks);
    assert_int_equal(engine_open_memory(f.engine, &f.memory), ERR_damaged);
    assert_int_equal(model_user_count(engine_model(f.engine)), 0);
    close_fixture(&f);
}

/* ---- files ----------------------------------------------------------------------------------- */

static void remove_dir(const char *path)
{
    DIR *d = opendir(path);
    const struct dirent *entry;
    char inner[4096];

    assert_non_null(d);
    while ((entry = readdir(d)) != NULL) {
        if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0)
            continue;
        snprintf(inner, sizeof inner, "%s/%s", path, entry->d_name);
        if (unlink(inner) != 0)
            remove_dir(inner);
    }
    closedir(d);
    assert_int_equal(rmdir(path), 0);
}

#define NEWEST_LEN 512

/* How many files of the journal end so; the name of the last one in `newest`, where not NULL. */
static int count_files(const char *dir, const char *end, char *newest)
{
    char path[128];
    snprintf(path, sizeof path, "%s/journal", dir);
    struct dirent **names;
    int count = scandir(path, &names, NULL, alphasort), hits = 0;

    assert_true(count >= 0);
    for (int i = 0; i < count; i++) {
        size_t len = strlen(names[i]->d_name), end_len = strlen(end);
        if (len > end_len && strcmp(names[i]->d_name + len - end_len, end) == 0) {
            hits++;
            if (newest != NULL)
                snprintf(newest, NEWEST_LEN, "%.100s/%.200s", path, names[i]->d_name);
        }
        free(names[i]);
    }
    free(names);
    return hits;
}

static void posts(struct fixture *f, struct world *ids, int count)
{
    char text[512];
    memset(text, 't', sizeof text - 1);
    text[sizeof text - 1] = 0;
    for (int i = 0; i < count; i++) {
        struct record r = world_post_record(ids, 1, 1, "", text);
        must(f, &r);
    }
}

static void test_files(void **state)
{
    char dir[] = "/tmp/groups-chat-snapshot-XXXXXX", newest[NEWEST_LEN];
    uint8_t before[MODEL_DIGEST_LEN], after[MODEL_DIGEST_LEN];
    struct world ids = {.now = 1000};

    (void)state;
    crypto_init();
    assert_non_null(mkdtemp(dir));
    struct fixture f = {.dir = dir};
    open_engine(&f);
    struct record r = world_user_record(&ids, "anna");
    must(&f, &r);
    r = world_group_record(&ids, 1, WORLD_U32S(1));
    must(&f, &r);
    posts(&f, &ids, 300);
    assert_true(count_files(dir, ".log", NULL) >= 2);
    snapshot(&f);
    assert_int_equal(f.result.seq, 302);
    posts(&f, &ids, 300);
    snapshot(&f);
    posts(&f, &ids, 10);
    assert_int_equal(count_files(dir, ".snap", newest), 2);
    model_digest(engine_model(f.engine), before);
    restart(&f);
    model_verify(engine_model(f.engine));
    model_digest(engine_model(f.engine), after);
    assert_memory_equal(before, after, sizeof before);
    assert_int_equal(f.report.snapshot_seq, 602);
    assert_int_equal(f.report.records, 10);

    /* The newest is damaged in its middle: the one before does, and what was loaded is forgotten.
     */
    struct stat st = {0};
    uint8_t byte;
    engine_free(f.engine);
    int fd = open(newest, O_RDWR);
    assert_true(fd >= 0 && fstat(fd, &st) == 0);
    assert_int_equal(pread(fd, &byte, 1, st.st_size * 2 / 3), 1);
    byte ^= 1;
    assert_int_equal(pwrite(fd, &byte, 1, st.st_size * 2 / 3), 1);
    close(fd);
    open_engine(&f);
    model_verify(engine_model(f.engine));
    model_digest(engine_model(f.engine), after);
    assert_memory_equal(before, after, sizeof before);
    assert_int_equal(f.report.snapshot_seq, 302);
    assert_int_equal(f.report.records, 310);
    assert_true(strlen(f.report.snapshot) > 0);
    close_fixture(&f);
    remove_dir(dir);
}

/* What is proposed and committed while the child writes is not in the snapshot, and not lost. */
static void test_traffic_meanwhile(void **state)
{
    char dir[] = "/tmp/groups-chat-snapshot-XXXXXX";
    uint8_t before[MODEL_DIGEST_LEN], after[MODEL_DIGEST_LEN];
    struct world ids = {.now = 1000};

    (void)state;
    crypto_init();
    assert_non_null(mkdtemp(dir));
    struct fixture f = {.dir = dir};
    open_engine(&f);
    struct record r = world_user_record(&ids, "anna");
    must(&f, &r);
    r = world_group_record(&ids, 1, WORLD_U32S(1));
    must(&f, &r);
    for (int round = 0; round < 5; round++) {
        posts(&f, &ids, 200);
        uint64_t cursor = model_cursor(engine_model(f.engine));
        int results = f.results;
        assert_int_equal(engine_snapshot(f.engine), ERR_ok);
        if (f.results == results) {
            enum err again = engine_snapshot(f.engine);
            assert_true(again == ERR_busy || again == ERR_refused);
        }
        posts(&f, &ids, 200);
        AWAIT_BY(turn(&f), f.results > results);
        assert_int_equal(f.result.err, ERR_ok);
        assert_int_equal(f.result.seq, cursor);
        model_digest(engine_model(f.engine), before);
        restart(&f);
        model_digest(engine_model(f.engine), after);
        assert_memory_equal(before, after, sizeof before);
        assert_int_equal(f.report.snapshot_seq, cursor);
        assert_int_equal(f.report.records, 200);
    }
    close_fixture(&f);
    remove_dir(dir);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_random_moments),    cmocka_unit_test(test_refusals),
        cmocka_unit_test(test_damaged_in_memory), cmocka_unit_test(test_files),
        cmocka_unit_test(test_traffic_meanwhile),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
