#include "tests/sim/shadow.h"

#include <stdlib.h>

#include "base/ensure.h"
#include "model/timeline.h"
#include "tests/sim/media.h"
#include "tests/sim/rng.h"
#include "tests/sim/sim.h"

struct shadow_counts shadow_counts;

struct entry {
    uint16_t type;
    struct buf payload;
};

struct pending {
    struct proposal base;
    uint64_t seq;
};

static struct {
    enum journal_sync sync;
    struct entry *log;
    uint64_t count, cap;
    uint64_t acknowledged;
    uint64_t synced; /* acknowledged when the newest segment was last synced */
    bool failed;
    struct model *model; /* of the first model_cursor(model) records */
    struct buf payload;
} s;

static void on_sync(void)
{
    s.synced = s.acknowledged;
}

static void cut_log(uint64_t count)
{
    while (s.count > count)
        buf_release(&s.log[--s.count].payload);
}

void shadow_release(void)
{
    cut_log(0);
    free(s.log);
    model_free(s.model);
    buf_release(&s.payload);
    memset(&s, 0, sizeof s);
}

void shadow_reset(enum journal_sync sync)
{
    shadow_release();
    s.sync = sync;
    s.model = model_new();
    media_on_sync = on_sync;
}

uint64_t shadow_proposed(void)
{
    return s.count;
}

uint64_t shadow_acknowledged(void)
{
    return s.acknowledged;
}

bool shadow_failed(void)
{
    return s.failed;
}

uint64_t shadow_floor(bool power)
{
    return power && s.sync != JOURNAL_SYNC_ALWAYS ? s.synced : s.acknowledged;
}

/* ---- proposing --------------------------------------------------------------------------------
 */

static void acknowledge(const struct pending *p, enum err err, uint64_t cursor)
{
    SIM_EXPECT(cursor == p->seq && cursor == s.acknowledged + 1 && cursor <= s.count,
               "record %llu was committed as %llu, behind %llu", (unsigned long long)p->seq,
               (unsigned long long)cursor, (unsigned long long)s.acknowledged);
    s.acknowledged = cursor;
    shadow_counts.acknowledged++;
    shadow_counts.refused_by_law += err != ERR_ok;
    trace_add('a', cursor, err);
}

static void on_done(struct proposal *base, enum err err, uint64_t cursor)
{
    struct pending *p = (struct pending *)(void *)base;
    bool failed = err == ERR_disk_full || err == ERR_read_only;
    if (media_dead()) {
        /* A ghost's words are heard by nobody. */
    } else if (!failed) {
        acknowledge(p, err, cursor);
    } else {
        SIM_EXPECT(p->seq > s.acknowledged, "record %llu failed after it was acknowledged",
                   (unsigned long long)p->seq);
        if (err == ERR_disk_full)
            cut_log(s.acknowledged);
        else
            s.failed = true;
        shadow_counts.no_room += err == ERR_disk_full;
        shadow_counts.read_only += err == ERR_read_only;
        trace_add('n', p->seq, err);
    }
    free(p);
}

static void remember(const struct record *r)
{
    if (s.count == s.cap) {
        s.cap = s.cap ? s.cap * 2 : 256;
        s.log = xrealloc(s.log, s.cap * sizeof *s.log);
    }
    struct entry *e = &s.log[s.count++];
    *e = (struct entry){.type = (uint16_t)r->type};
    record_encode(r, &e->payload);
}

enum err shadow_propose(struct engine *e, const struct record *r)
{
    struct pending *p = xcalloc(1, sizeof *p);
    p->base.done = on_done;
    p->seq = s.count + 1;
    enum err err = engine_propose(e, r, &p->base);
    trace_add('p', r->type, err);
    if (err != ERR_ok) {
        free(p);
        return err;
    }
    SIM_EXPECT(!s.failed, "a change was taken after the journal had failed");
    remember(r);
    shadow_counts.proposed++;
    return ERR_ok;
}

/* ---- proving ----------------------------------------------------------------------------------
 */

static void catch_up(uint64_t count)
{
    if (model_cursor(s.model) > count) {
        model_free(s.model);
        s.model = model_new();
    }
    for (uint64_t i = model_cursor(s.model); i < count; i++) {
        const struct entry *e = &s.log[i];
        enum err err = model_commit(s.model, i + 1, e->type, buf_bytes(&e->payload), NULL);
        ENSURE(err != ERR_damaged);
    }
}

static void prove_digest(const struct model *m)
{
    uint8_t there[MODEL_DIGEST_LEN], here[MODEL_DIGEST_LEN];
    model_digest(m, there);
    model_digest(s.model, here);
    SIM_EXPECT(memcmp(there, here, sizeof there) == 0,
               "the recovered model is not that of the first %llu records",
               (unsigned long long)model_cursor(m));
    uint64_t word;
    memcpy(&word, here, sizeof word);
    trace_add('d', model_cursor(m), word);
}

/* Each group's messages are numbered without holes, in the order of their cursors. */
static void prove_dense(const struct model *m)
{
    for (uint32_t g = 1; g <= model_group_count(m); g++) {
        const struct group *group = model_group(m, g);
        uint64_t cursor = 0;
        for (uint32_t i = group->expired + 1; i <= group->messages.count; i++) {
            const struct message *msg = group_message(group, i);
            SIM_EXPECT(msg->seq == i && msg->cursor > cursor && msg->group == g,
                       "group %u: message %u is not in its place", g, i);
            cursor = msg->cursor;
        }
    }
}

static bool same_uuid(const struct uuid *a, const struct uuid *b)
{
    return (!a && !b) || (a && b && uuid_equal(a, b));
}

static bool same_event(const struct event *a, const struct event *b)
{
    return a->type == b->type && a->cursor == b->cursor && a->time == b->time &&
           same_uuid(a->group ? &a->group->id : NULL, b->group ? &b->group->id : NULL) &&
           same_uuid(a->user ? &a->user->id : NULL, b->user ? &b->user->id : NULL) &&
           same_uuid(a->by ? &a->by->id : NULL, b->by ? &b->by->id : NULL) &&
           same_uuid(a->owner ? &a->owner->id : NULL, b->owner ? &b->owner->id : NULL) &&
           a->role == b->role && same_uuid(a->to ? &a->to->id : NULL, b->to ? &b->to->id : NULL) &&
           same_uuid(a->message ? &a->message->id : NULL, b->message ? &b->message->id : NULL) &&
           (a->reaction != NULL) == (b->reaction != NULL) &&
           (!a->reaction || a->reaction->cursor == b->reaction->cursor);
}

/* Somebody resumes from somewhere, and sees what they would have seen without the crash. */
static void prove_timeline(const struct model *m)
{
    uint32_t count = model_user_count(m);
    if (count == 0)
        return;
    uint32_t number = 1 + (uint32_t)rng_below(count);
    uint64_t after = rng_one_in(4) ? 0 : rng_below(model_cursor(m) + 1);
    bool all = after == 0;
    struct timeline *there = timeline_new(m, model_user(m, number), after, all);
    struct timeline *here = timeline_new(s.model, model_user(s.model, number), after, all);
    struct event a, b;
    bool more;
    do {
        more = timeline_next(there, &a);
        SIM_EXPECT(more == timeline_next(here, &b), "user %u misses events after %llu", number,
                   (unsigned long long)after);
        SIM_EXPECT(!more || same_event(&a, &b), "user %u sees another event at %llu", number,
                   (unsigned long long)a.cursor);
    } while (more);
    SIM_EXPECT(timeline_position(there) == timeline_position(here), "user %u is elsewhere", number);
    timeline_free(there);
    timeline_free(here);
}

void shadow_prove(const struct engine *e, uint64_t floor)
{
    const struct model *m = engine_model(e);
    uint64_t count = journal_committed(engine_journal(e));
    SIM_EXPECT(model_cursor(m) == count, "the model stands at %llu, the journal at %llu",
               (unsigned long long)model_cursor(m), (unsigned long long)count);
    SIM_EXPECT(count >= floor, "%llu records were recovered, %llu had been acknowledged",
               (unsigned long long)count, (unsigned long long)floor);
    SIM_EXPECT(count <= s.count, "%llu records were recovered, %llu had been proposed",
               (unsigned long long)count, (unsigned long long)s.count);
    if (count > s.acknowledged)
        shadow_counts.recovered_unacknowledged += count - s.acknowledged;
    shadow_counts.lost_unacknowledged += s.count - count;
    cut_log(count);
    catch_up(count);
    model_verify(m);
    prove_digest(m);
    prove_dense(m);
    prove_timeline(m);
    s.acknowledged = count;
    s.synced = count;
    s.failed = false;
}
