#include "tests/sim/life.h"

#include <errno.h>

#include "base/ensure.h"
#include "core/engine.h"
#include "log/frame.h"
#include "log/segment.h"
#include "tests/sim/media.h"
#include "tests/sim/people.h"
#include "tests/sim/rng.h"
#include "tests/sim/shadow.h"
#include "tests/sim/sim.h"
#include "tests/sim/tasks.h"

struct life_counts life_counts;

static struct {
    struct journal_options options;
    struct engine *engine;
    uint64_t floor;    /* how many records the next start must find */
    bool closed_well;  /* the life before ended cleanly, and nothing has happened since */
    bool full;         /* the disk has no room */
    uint64_t snapshot; /* the newest that was reported as made */
} l;

static void tell_nobody(void *ctx, const struct event *event, void *origin)
{
    (void)ctx;
    (void)event;
    (void)origin;
}

/* ---- what befalls a life ----------------------------------------------------------------------
 */

static enum media_end some_end(void)
{
    return rng_percent(65) ? MEDIA_POWER : MEDIA_KILL;
}

/* At any call, or at one of those that change what is safe on the disk. */
static void draw_end(uint64_t max)
{
    static const enum media_call calls[] = {MEDIA_RENAME, MEDIA_SYNC, MEDIA_UNLINK, MEDIA_WRITE};
    if (rng_percent(65))
        media_set_end(some_end(), MEDIA_CALLS, 1 + rng_skewed(max));
    else
        media_set_end(some_end(), calls[rng_below(4)], 1 + rng_skewed(max / 8));
}

static void draw_fault(void)
{
    static const struct {
        enum media_call call;
        int error;
    } faults[] = {
        {MEDIA_WRITE, EIO},       {MEDIA_WRITE, ENOSPC}, {MEDIA_WRITE, EINTR},
        {MEDIA_WRITE, 0},         {MEDIA_WRITE, 0},      {MEDIA_SYNC, EIO},
        {MEDIA_WRITE, 0},         {MEDIA_SYNC, EIO},     {MEDIA_SYNC, EINTR},
        {MEDIA_SYNC, ENOSPC},     {MEDIA_OPEN, EMFILE},  {MEDIA_OPEN, EINTR},
        {MEDIA_OPEN, EROFS},      {MEDIA_RENAME, EIO},   {MEDIA_RENAME, EROFS},
        {MEDIA_ALLOCATE, ENOSPC}, {MEDIA_ALLOCATE, EIO}, {MEDIA_ALLOCATE, EOPNOTSUPP},
        {MEDIA_ALLOCATE, EINTR},  {MEDIA_READ, EIO},     {MEDIA_READ, EINTR},
        {MEDIA_CHILD, EAGAIN},    {MEDIA_LIST, ENOMEM},  {MEDIA_READ, 0},
        {MEDIA_THREAD, EAGAIN},   {MEDIA_UNLINK, EIO},
    };
    size_t i = (size_t)rng_below(sizeof faults / sizeof faults[0]);
    struct media_fault f = {.call = faults[i].call,
                            .nth = 1 + rng_skewed(30),
                            .times = rng_percent(70) ? 1 : 1 + rng_skewed(1000),
                            .error = faults[i].error};
    if (f.error == 0 && f.call == MEDIA_WRITE && rng_percent(60)) {
        /* As a disk that becomes full in the middle of a write. */
        f.after = ENOSPC;
        f.times = 1;
    }
    if (f.error == EINTR && f.times > 3)
        f.times = 3;
    media_set_fault(&f);
}

static void count_crash(bool power)
{
    life_counts.crashes++;
    if (power)
        life_counts.power++;
    else
        life_counts.kill++;
}

/*
 * The process is gone: what it held is given back by its ghost, then the disk decides. What it had
 * acknowledged while it served must be there at the next start; a start that fails acknowledges
 * nothing, but the power may go meanwhile.
 */
static void bury(bool served, bool closing)
{
    bool was_dead = media_dead();
    if (closing && !was_dead) {
        engine_close(l.engine);
        l.closed_well = !media_dead();
        life_counts.closing += media_dead();
    }
    if (media_dead()) {
        count_crash(media_power_lost());
        l.closed_well = false;
    }
    uint64_t floor = shadow_floor(media_power_lost());
    if (served || floor < l.floor)
        l.floor = floor;
    sim_say("end: %s; %llu records of %llu must be there",
            !media_dead()        ? "clean"
            : media_power_lost() ? "no power"
                                 : "killed",
            (unsigned long long)l.floor, (unsigned long long)shadow_proposed());
    engine_free(l.engine);
    l.engine = NULL;
    people_hang_up();
    media_restart();
}

/* ---- starting ---------------------------------------------------------------------------------
 */

static void on_snapshot(void *ctx, const struct engine_snapshot_result *result)
{
    (void)ctx;
    if (media_dead())
        return;
    sim_say("snapshot of %llu: %s %s", (unsigned long long)result->seq, err_code(result->err),
            result->why);
    trace_add('s', result->seq, result->err);
    life_counts.snapshots += result->err == ERR_ok;
    life_counts.snapshots_failed += result->err != ERR_ok;
    SIM_EXPECT(result->seq <= shadow_acknowledged(), "a snapshot of what is not durable");
    if (result->err == ERR_ok)
        l.snapshot = result->seq;
}

static enum err try_start(struct journal_report *report)
{
    struct engine_hooks hooks = {.tell = tell_nobody};
    l.engine = engine_new(&hooks);
    engine_on_snapshot(l.engine, on_snapshot, NULL);
    return engine_open_files(l.engine, &l.options, report);
}

/* Starts that fail, each as it may, and then one that does not. */
static void start(void)
{
    for (unsigned tries = 0;; tries++) {
        struct journal_report report;
        bool troubled = false;
        media_set_room(UINT64_MAX);
        media_set_slow(rng_one_in(5) ? 20 : 0);
        if (tries < 4 && rng_one_in(4)) {
            draw_end(60);
        } else if (tries < 4 && rng_one_in(8)) {
            draw_fault();
            troubled = true;
        }
        uint64_t faults = media_counts.faults;
        enum err e = try_start(&report);
        trace_add('o', e, tries);
        sim_say("start: %s; %llu records, %llu of a snapshot%s%s", err_code(e),
                (unsigned long long)model_cursor(engine_model(l.engine)),
                (unsigned long long)report.snapshot_seq, media_dead() ? "; it ends" : "",
                report.torn_tail[0] ? "; a torn tail" : "");
        if (e == ERR_ok && !media_dead()) {
            SIM_EXPECT(!l.closed_well || report.torn_tail[0] == '\0',
                       "a torn tail after a clean close: %s", report.torn_tail);
            SIM_EXPECT(troubled || report.snapshot_seq >= l.snapshot,
                       "snapshot %llu was made, and %llu was loaded: %s",
                       (unsigned long long)l.snapshot, (unsigned long long)report.snapshot_seq,
                       report.snapshot);
            life_counts.torn += report.torn_tail[0] != '\0';
            life_counts.loaded += report.snapshot_seq > 0;
            media_set_end(MEDIA_POWER, MEDIA_CALLS, 0);
            media_set_fault(&(struct media_fault){0});
            return;
        }
        SIM_EXPECT(media_dead() || (troubled && media_counts.faults > faults),
                   "the start was refused: %s: %s", err_code(e), report.damage);
        SIM_EXPECT(media_dead() || (e != ERR_damaged && report.damage[0] != '\0'),
                   "a fault while starting was taken for damage, or not named: %s: %s", err_code(e),
                   report.damage);
        life_counts.starting += media_dead();
        l.closed_well = false;
        bury(false, false);
    }
}

/* ---- serving ----------------------------------------------------------------------------------
 */

static void turn(void)
{
    uint64_t what = rng_below(100);
    if (what < 40) {
        for (uint64_t n = 1 + rng_skewed(12); n > 0; n--)
            (void)people_act(l.engine);
    } else if (what < 55) {
        journal_submit(engine_journal(l.engine));
    } else if (what < 85) {
        for (uint64_t n = 1 + rng_skewed(30); n > 0 && tasks_run(); n--)
            ;
    } else if (what < 95) {
        journal_dispatch(engine_journal(l.engine),
                         rng_one_in(2) ? JOURNAL_ALL : (size_t)rng_skewed(4000) + 1);
    } else if (what < 96) {
        enum err e = engine_snapshot(l.engine);
        trace_add('S', e, 0);
    } else {
        tasks_advance((int64_t)rng_skewed(3000));
        if (rng_one_in(10))
            tasks_set_wall(INT64_C(1700000000000) - (int64_t)rng_below(100000));
    }
}

/* Where there is room again and nothing has failed for ever, changes are taken again. */
static void must_go_on(void)
{
    uint64_t before = shadow_acknowledged();
    media_set_fault(&(struct media_fault){0});
    for (unsigned i = 0; i < 400; i++) {
        if (media_dead() || shadow_failed() || shadow_acknowledged() > before)
            return;
        tasks_advance(100);
        (void)people_act(l.engine);
        journal_submit(engine_journal(l.engine));
        for (unsigned n = 0; n < 20 && tasks_run(); n++)
            ;
        journal_dispatch(engine_journal(l.engine), JOURNAL_ALL);
    }
    SIM_EXPECT(journal_state(engine_journal(l.engine)) == JOURNAL_FAILED,
               "there is room, and no change is taken");
}

static void change_room(void)
{
    if (l.full) {
        media_set_room(UINT64_MAX);
        l.full = false;
        must_go_on();
    } else {
        media_set_room(media_used() + rng_skewed(200u << 10));
        l.full = true;
        life_counts.full_disks++;
    }
}

static void serve(void)
{
    uint64_t turns = 1 + rng_skewed(300);
    bool troubled = rng_one_in(4), may_fill = rng_one_in(5);
    if (rng_percent(55))
        draw_end(100);
    if (troubled)
        draw_fault();
    for (; turns > 0 && !media_dead() && !(shadow_failed() && rng_one_in(3)); turns--) {
        turn();
        if (may_fill && rng_one_in(20))
            change_room();
    }
    if (media_dead()) {
        life_counts.in_call++;
        return;
    }
    if (l.full)
        change_room();
    else if (troubled && rng_one_in(4))
        must_go_on();
}

/* ---- rot --------------------------------------------------------------------------------------
 */

#define SEGMENT_KEY_AT 64

/*
 * How many records must survive when a bit of the newest segment rots: those before the newest
 * batch, as its last record says in `back`. Read from the bytes with nothing of log/ but the layout
 * and the check: of a header that a crash cut in half the first half may be there.
 */
static uint64_t below_newest_batch(const char *newest)
{
    uint64_t size, seq = 0, claimed = UINT64_MAX;
    segment_name_parse(newest, &seq);
    const uint8_t *p = media_bytes(newest, &size);
    struct frame_key key;
    memcpy(key.b, p + SEGMENT_KEY_AT, sizeof key.b);
    for (uint64_t at = SEGMENT_HEADER_LEN; at + FRAME_OVERHEAD <= size;) {
        uint64_t len = frame_u32(p + at), back = frame_u16(p + at + 6);
        if (frame_u64(p + at + 8) != seq || frame_u16(p + at + 4) == 0 || len > size - at ||
            frame_siphash(&key, p + at, 16) != frame_u64(p + at + 16))
            break;
        claimed = back == UINT16_MAX ? 0 : seq - back - 1;
        seq++;
        at += FRAME_OVERHEAD + len;
    }
    return claimed;
}

static const char *some_file(uint64_t *size)
{
    size_t count = 0;
    while (media_file(count, size))
        count++;
    return count == 0 ? NULL : media_file((size_t)rng_below(count), size);
}

/* Behind the last byte that is not zero. */
static uint64_t used(const char *name)
{
    uint64_t size;
    const uint8_t *p = media_bytes(name, &size);
    while (size > 0 && p[size - 1] == 0)
        size--;
    return size;
}

/* What was passed over, or not read at all, stays as it is for a while; that what stands in for it
 * fails as well is more than is promised. */
static void mend(const char *name, uint64_t offset, unsigned bit)
{
    uint64_t size;
    const char *there;
    for (size_t i = 0; (there = media_file(i, &size)) != NULL; i++)
        if (strcmp(there, name) == 0 && offset < size)
            media_flip(name, offset, bit);
}

static void rot(void)
{
    struct journal_report report;
    char name[MEDIA_NAME_MAX] = "";
    uint64_t size = 0;
    const char *file = some_file(&size);
    if (!file || size == 0)
        return;
    memcpy(name, file, strlen(file) + 1);
    uint64_t near = used(name) + 64 < size ? used(name) + 64 : size;
    uint64_t offset = rng_below(rng_percent(80) ? near : size);
    unsigned bit = (unsigned)rng_below(8);
    const char *segment = media_newest_segment_name();
    bool newest = segment && strcmp(segment, name) == 0;
    uint64_t floor = l.floor;
    if (newest && below_newest_batch(name) < floor)
        floor = below_newest_batch(name);
    media_flip(name, offset, bit);
    uint64_t changes = media_counts.changes;
    media_set_room(UINT64_MAX);
    enum err e = try_start(&report);
    trace_add('r', e, offset);
    sim_say("rot: %s, offset %llu: %s %s", name, (unsigned long long)offset, err_code(e),
            report.damage);
    if (e == ERR_ok) {
        life_counts.rot_survived++;
        life_counts.fallbacks += report.snapshot[0] != '\0';
        shadow_prove(l.engine, floor);
        bury(true, true);
        if (!newest)
            mend(name, offset, bit);
        return;
    }
    /* A snapshot has another behind it, or the whole journal; what has no meaning has none. */
    SIM_EXPECT(strstr(name, "manifest") || strcmp(name + strlen(name) - 4, ".log") == 0,
               "a bit of %s rotted, and the start is refused: %s", name, report.damage);
    SIM_EXPECT(e == ERR_damaged && strstr(report.damage, JOURNAL_DIR "/"),
               "a bit of %s rotted at offset %llu: %s: %s", name, (unsigned long long)offset,
               err_code(e), report.damage);
    SIM_EXPECT(media_counts.changes == changes, "a refused start changed something: %s",
               report.damage);
    life_counts.rot_refused++;
    engine_free(l.engine);
    l.engine = NULL;
    media_flip(name, offset, bit);
}

/* ---- a history --------------------------------------------------------------------------------
 */

void life_reset(void)
{
    static const enum journal_sync syncs[] = {JOURNAL_SYNC_ALWAYS,       JOURNAL_SYNC_ALWAYS,
                                              JOURNAL_SYNC_ALWAYS,       JOURNAL_SYNC_ALWAYS,
                                              JOURNAL_SYNC_EVERY_SECOND, JOURNAL_SYNC_OFF};
    memset(&l, 0, sizeof l);
    l.options.dir = MEDIA_ROOT;
    l.options.sync = syncs[rng_below(6)];
    l.options.segment_size = (uint64_t)(64 + 16 * rng_skewed(12)) << 10;
    sim_say("sync %d, segments of %llu bytes", (int)l.options.sync,
            (unsigned long long)l.options.segment_size);
    bool large = rng_one_in(25);
    if (large)
        l.options.segment_size *= 8;
    people_reset(large);
    l.options.queue_max = rng_one_in(4) ? 20000 : 0;
    shadow_reset(l.options.sync);
}

void life_run(void)
{
    start();
    shadow_prove(l.engine, l.floor);
    l.full = false;
    serve();
    bool closing = !media_dead() && rng_percent(25);
    if (closing && rng_one_in(2))
        draw_end(20);
    else if (closing)
        media_set_end(MEDIA_POWER, MEDIA_CALLS, 0);
    else if (!media_dead())
        media_end_now(shadow_failed() && rng_percent(70) ? MEDIA_KILL : some_end());
    bury(true, closing);
    life_counts.clean += l.closed_well;
    if (rng_percent(20))
        rot();
}

void life_end(void)
{
    struct journal_report report;
    media_set_room(UINT64_MAX);
    enum err e = try_start(&report);
    SIM_EXPECT(e == ERR_ok, "the last start was refused: %s: %s", err_code(e), report.damage);
    shadow_prove(l.engine, l.floor);
    bury(true, true);
    SIM_EXPECT(l.closed_well, "the last close did not work");
}

/* ---- the nth call -----------------------------------------------------------------------------
 */

static void some_turns(unsigned count)
{
    for (unsigned i = 0; i < count && !media_dead(); i++) {
        if (i % 50 == 40)
            trace_add('S', engine_snapshot(l.engine), i);
        turn();
    }
}

/* A start without trouble, which finds everything. */
static void start_well(void)
{
    struct journal_report report;
    media_set_room(UINT64_MAX);
    enum err e = try_start(&report);
    SIM_EXPECT(e == ERR_ok, "a start without trouble was refused: %s: %s", err_code(e),
               report.damage);
    shadow_prove(l.engine, l.floor);
}

bool life_planned(const struct life_plan *plan)
{
    struct journal_report report;
    start_well();
    some_turns(150);
    media_end_now(MEDIA_KILL);
    bury(true, false);
    struct media_fault fault = plan->fault;
    fault.nth = plan->ends ? 0 : plan->nth;
    media_set_fault(&fault);
    media_set_end(plan->end, MEDIA_CALLS, plan->ends ? plan->nth : 0);
    uint64_t faults = media_counts.faults;
    enum err e = try_start(&report);
    SIM_EXPECT(e != ERR_damaged || media_dead(), "a fault while starting was taken for damage: %s",
               report.damage);
    if (e == ERR_ok && !media_dead()) {
        shadow_prove(l.engine, l.floor);
        some_turns(600);
    }
    bool met = media_dead() || media_counts.faults > faults;
    bury(e == ERR_ok, e == ERR_ok && !met);
    start_well();
    must_go_on();
    bury(true, true);
    return met;
}
