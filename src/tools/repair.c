/*
 * journal repair: makes a damaged journal one that a server starts with, and says what that costs.
 *
 * It goes in rounds: read the directory as a start does, mend the first thing that is wrong, read
 * again, until a start would go well. So each step is small, and a repair that was interrupted goes
 * on where it was. What is decided for each kind of damage stands at mend_first.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/file.h>
#include <unistd.h>

#include "log/snapshot.h"
#include "model/save.h"
#include "tools/lost.h"
#include "tools/mend.h"
#include "tools/out.h"
#include "tools/scan.h"
#include "tools/tools.h"

enum { FLAG_DRY_RUN };

struct repair {
    bool json;
    bool dry_run;
    char dir[PATH_MAX];
    int lock;
    int journal;
    /* as of the last reading */
    struct model *model;
    struct journal_report report;
    uint64_t *list; /* the first numbers of the segments */
    size_t count;
    struct snapshot_header base; /* the newest snapshot that is whole; seq 0: none */
    /* what was done */
    struct buf steps; /* JSON */
    unsigned step_count;
    struct lost lost;
};

static enum exit_code failed(const struct repair *r, const char *what, const char *name)
{
    return out_error(r->json, EXIT_FAILED, "cannot %s " JOURNAL_DIR "/%s: %s", what, name,
                     strerror(errno));
}

static enum exit_code refuse(const struct repair *r, const char *why)
{
    return out_error(r->json, EXIT_DAMAGED, "%s: restore a backup. The damage: %s", why,
                     r->report.damage);
}

/* Says a step that was done, or would be. */
static void say_step(struct repair *r, const char *what, const char *file, uint64_t offset,
                     const char *kept)
{
    r->step_count++;
    out_open(&r->steps, NULL, '{');
    out_cstr(&r->steps, "step", what);
    out_cstr(&r->steps, "file", file);
    out_uint(&r->steps, "offset", offset);
    if (!r->dry_run && kept[0] != '\0')
        out_cstr(&r->steps, "kept_in", kept);
    out_close(&r->steps, '}');
    if (r->json)
        return;
    char where[48] = "", what_kept[MEND_NAME_MAX + 48] = "";
    if (offset > 0)
        (void)snprintf(where, sizeof where, " at offset %llu", (unsigned long long)offset);
    if (!r->dry_run && kept[0] != '\0')
        (void)snprintf(what_kept, sizeof what_kept, "; what was there is in " JOURNAL_DIR "/%s",
                       kept);
    out_say("%s%s " JOURNAL_DIR "/%s%s%s", r->dry_run ? "would " : "", what, file, where,
            what_kept);
}

/* ---- reading as a start does --------------------------------------------------------------- */

static void on_commit(void *ctx, const struct journal_record *record, void *ticket)
{
    struct repair *r = ctx;
    (void)ticket;
    /* A record that is refused, or not known, is no damage of the journal. */
    enum err e = model_commit(r->model, record->seq, record->type, record->payload, NULL);
    (void)e;
}

static void on_fail(void *ctx, void *ticket, enum err why)
{
    (void)ctx;
    (void)ticket;
    (void)why;
}

static bool on_load(void *ctx, uint16_t type, struct bytes payload)
{
    struct repair *r = ctx;
    return model_load(r->model, type, payload);
}

static bool on_loaded(void *ctx, uint64_t seq)
{
    struct repair *r = ctx;
    return model_loaded(r->model, seq);
}

static void on_reset(void *ctx)
{
    struct repair *r = ctx;
    model_reset(r->model);
}

/* The newest snapshot that is whole. */
static void find_base(struct repair *r)
{
    uint64_t *list = NULL;
    size_t count = 0;
    r->base = (struct snapshot_header){0};
    if (snapshot_list(r->journal, &list, &count) != 0)
        return; /* the reading that follows fails too, and says why */
    while (count > 0 && r->base.seq == 0) {
        struct snapshot_info info;
        struct snapshot_fault fault;
        if (snapshot_check(r->journal, list[--count], &info, &fault) == ERR_ok)
            r->base = info.header;
    }
    free(list);
}

static enum exit_code read_as_start(struct repair *r)
{
    struct journal_options options = {.dir = r->dir};
    struct journal_hooks hooks = {.ctx = r,
                                  .on_commit = on_commit,
                                  .on_fail = on_fail,
                                  .on_load = on_load,
                                  .on_loaded = on_loaded,
                                  .on_reset = on_reset};
    free(r->list);
    r->list = NULL;
    r->count = 0;
    model_reset(r->model);
    if (segment_list(r->journal, &r->list, &r->count) != 0)
        return failed(r, "list", ".");
    find_base(r);
    enum err e = journal_scan_files(&options, &hooks, &r->report);
    if (e == ERR_ok)
        return EXIT_FINE;
    if (e == ERR_damaged)
        return EXIT_DAMAGED;
    return out_error(r->json, EXIT_FAILED, "%s",
                     r->report.damage[0] != '\0' ? r->report.damage : err_sentence(e));
}

/* ---- the steps ----------------------------------------------------------------------------- */

static void on_lost(void *ctx, const struct frame_header *h, struct bytes payload)
{
    struct repair *r = ctx;
    lost_add(&r->lost, h, payload);
}

/* Notes what can be found of records from `seq_min` on in segments `i` to `end` - 1, in the first
 * of them from `from` on. */
static void count_lost(struct repair *r, size_t i, size_t end, uint64_t from,
                       const struct frame_key *key, uint64_t seq_min)
{
    char name[SEGMENT_NAME_MAX];
    struct bytes all;
    for (; i < end; i++, from = SEGMENT_HEADER_LEN) {
        if (r->list[i] > seq_min)
            lost_known(&r->lost, r->list[i] - 1);
        segment_name(r->list[i], name);
        if (!mend_map(r->journal, name, &all))
            continue; /* what cannot be read cannot be counted */
        mend_find(all, from < all.len ? (size_t)from : all.len, key, seq_min, on_lost, r);
        mend_unmap(all);
    }
}

/* The header of segment `i`; false where it does not hold, or is another segment's. */
static bool read_header(const struct repair *r, size_t i, struct segment_header *h)
{
    char name[SEGMENT_NAME_MAX];
    struct bytes all;
    segment_name(r->list[i], name);
    if (!mend_map(r->journal, name, &all))
        return false;
    bool ok = mend_header(all, h) && h->first_seq == r->list[i];
    mend_unmap(all);
    return ok;
}

/* Moves a file aside. */
static enum exit_code step_aside(struct repair *r, const char *name)
{
    char kept[MEND_NAME_MAX] = "";
    if (!r->dry_run && !mend_aside(r->journal, name, kept))
        return failed(r, "move aside", name);
    say_step(r, "move aside", name, 0, kept);
    return EXIT_FINE;
}

/* Moves segment `i` and all behind it aside, the newest first, so that an interruption leaves what
 * is found again the same way. */
static enum exit_code aside_from(struct repair *r, size_t i)
{
    char name[SEGMENT_NAME_MAX];
    enum exit_code code = EXIT_FINE;
    for (size_t j = r->count; j > i && code == EXIT_FINE; j--) {
        segment_name(r->list[j - 1], name);
        code = step_aside(r, name);
    }
    return code;
}

/* The manifest names the segment of that header as the newest, and nothing else. */
static enum exit_code step_manifest(struct repair *r, const struct segment_header *h)
{
    struct manifest m;
    struct bytes all;
    if (mend_map(r->journal, "manifest", &all)) {
        bool named = all.len == MANIFEST_LEN && manifest_decode(all.p, &m) &&
                     m.number == h->number && m.first_seq == h->first_seq &&
                     uuid_equal(&m.epoch, &h->epoch);
        mend_unmap(all);
        if (named)
            return EXIT_FINE;
    }
    if (!r->dry_run && !mend_manifest(r->journal, h))
        return failed(r, "write", "manifest");
    say_step(r, "write", "manifest", 0, "");
    return EXIT_FINE;
}

/* Ends the journal in segment `i` at an offset. */
static enum exit_code cut_at(struct repair *r, size_t i, uint64_t at)
{
    char name[SEGMENT_NAME_MAX], kept[MEND_NAME_MAX] = "";
    struct segment_header h;
    segment_name(r->list[i], name);
    if (!read_header(r, i, &h))
        return refuse(r, "the segment's header could not be read again");
    lost_known(&r->lost, r->report.damage_seq);
    count_lost(r, i, r->count, at, &h.key, r->report.damage_seq);
    enum exit_code code = step_manifest(r, &h);
    if (code == EXIT_FINE)
        code = aside_from(r, i + 1);
    if (code != EXIT_FINE)
        return code;
    if (!r->dry_run && !mend_cut(r->journal, name, at, kept))
        return failed(r, "cut", name);
    say_step(r, "cut", name, at, kept);
    return EXIT_FINE;
}

/* Ends the journal before segment `i`. */
static enum exit_code cut_before(struct repair *r, size_t i)
{
    struct segment_header before;
    if (i == 0 || !read_header(r, i - 1, &before))
        return refuse(r, "nothing that is whole would remain");
    lost_known(&r->lost, r->report.damage_seq);
    count_lost(r, i, r->count, 0, &before.key, r->report.damage_seq);
    enum exit_code code = step_manifest(r, &before);
    return code == EXIT_FINE ? aside_from(r, i) : code;
}

/* The manifest is damaged, or names what is not there: the newest segment that can be read is the
 * newest now. */
static enum exit_code mend_manifest_of(struct repair *r, bool there)
{
    struct segment_header h;
    size_t i = r->count;
    while (i > 0 && !read_header(r, i - 1, &h))
        i--;
    if (i == 0)
        return refuse(r, "no segment can be read");
    if (there) {
        enum exit_code code = step_aside(r, "manifest");
        if (code != EXIT_FINE)
            return code;
    }
    return step_manifest(r, &h);
}

/* The header of segment `i` from what is beside it. */
static bool guess_header(const struct repair *r, size_t i, struct bytes all,
                         struct segment_header *h)
{
    struct segment_header before;
    char name[SEGMENT_NAME_MAX];
    struct bytes prev;
    uint64_t end;
    if (i == 0 || !read_header(r, i - 1, &before))
        return false;
    segment_name(r->list[i - 1], name);
    if (!mend_map(r->journal, name, &prev))
        return false;
    struct bytes run = mend_run(prev, &before.key, &before.chain, before.first_seq, &end);
    *h = before;
    h->number++;
    h->first_seq = r->list[i];
    h->size = all.len;
    if (run.len > 0)
        memcpy(h->chain.b, run.p + run.len - FRAME_CHAIN_LEN, FRAME_CHAIN_LEN);
    mend_unmap(prev);
    if (end != h->first_seq)
        return false;
    run = mend_run(all, &h->key, &h->chain, h->first_seq, &end);
    return run.len > 0 && run.p == all.p + SEGMENT_HEADER_LEN;
}

/* Only the header of segment `i` is damaged: what it must be follows from the segment before, and
 * the records behind it prove that. *mended: so it was. */
static enum exit_code mend_header_of(struct repair *r, size_t i, bool *mended)
{
    char name[SEGMENT_NAME_MAX], kept[MEND_NAME_MAX] = "";
    struct segment_header h;
    struct bytes all;
    enum exit_code code = EXIT_FINE;
    *mended = false;
    segment_name(r->list[i], name);
    if (!mend_map(r->journal, name, &all))
        return failed(r, "read", name);
    if (!mend_header(all, &h) && guess_header(r, i, all, &h)) {
        *mended = true;
        struct bytes records = bytes_of(all.p + SEGMENT_HEADER_LEN, all.len - SEGMENT_HEADER_LEN);
        if (!r->dry_run && !mend_segment(r->journal, &h, records, kept))
            code = failed(r, "write", name);
        else
            say_step(r, "write the header of", name, 0, kept);
    }
    mend_unmap(all);
    return code;
}

/* ---- a segment from a snapshot ------------------------------------------------------------- */

/* The number of the segment that is put in the place of `i`; 0 where it cannot be known. */
static uint64_t number_for(const struct repair *r, size_t i)
{
    struct segment_header h;
    struct manifest m;
    struct bytes all;
    uint64_t number = 0;
    if (i < r->count && read_header(r, i, &h))
        return h.number;
    if (mend_map(r->journal, "manifest", &all)) {
        if (all.len == MANIFEST_LEN && manifest_decode(all.p, &m) &&
            (i >= r->count || m.first_seq == r->list[i]))
            number = m.number;
        mend_unmap(all);
    }
    if (number == 0 && i + 1 < r->count && read_header(r, i + 1, &h))
        number = h.number - 1;
    if (number == 0 && i > 0 && i <= r->count && read_header(r, i - 1, &h))
        number = h.number + 1;
    return number;
}

/* Adds the records of segments `i` to `end` - 1 that continue *chain, from record *seq on. */
static bool gather(struct repair *r, size_t i, size_t end, struct frame_chain chain, uint64_t *seq,
                   struct buf *out)
{
    for (; i < end; i++) {
        char name[SEGMENT_NAME_MAX];
        struct bytes all;
        segment_name(r->list[i], name);
        if (!mend_map(r->journal, name, &all))
            return false;
        struct bytes run = mend_run(all, &r->base.key, &chain, *seq, seq);
        buf_add_bytes(out, run);
        if (run.len > 0)
            memcpy(chain.b, run.p + run.len - FRAME_CHAIN_LEN, FRAME_CHAIN_LEN);
        mend_unmap(all);
    }
    return true;
}

/*
 * The snapshot holds what is damaged. So the journal may begin behind it: a segment takes the place
 * of number `i` (r->count: of none) that holds the records behind the snapshot, as far as they
 * continue it. Segment 1 begins with record 1, this one does not, so it is number 2 at least: where
 * others follow that are 2, 3, … already, it takes their records too.
 */
static enum exit_code rebuild(struct repair *r, size_t i)
{
    char name[SEGMENT_NAME_MAX], old[SEGMENT_NAME_MAX] = "", kept[MEND_NAME_MAX] = "";
    struct buf records = {0};
    uint64_t end = r->base.seq + 1;
    struct segment_header h = {.epoch = r->base.epoch,
                               .number = number_for(r, i),
                               .first_seq = r->base.seq + 1,
                               .size = SEGMENT_SIZE_MIN,
                               .key = r->base.key,
                               .chain = r->base.chain};
    bool all = h.number < 2 && i + 1 < r->count;
    size_t behind = all || i >= r->count ? r->count : i + 1;
    enum exit_code code = EXIT_FINE;
    if (h.number < 2)
        h.number = 2;
    segment_name(h.first_seq, name);
    if (i < r->count)
        segment_name(r->list[i], old);
    if (!gather(r, i, behind, h.chain, &end, &records))
        code = failed(r, "read", old);
    count_lost(r, i, behind, 0, &h.key, end);
    uint64_t need = SEGMENT_HEADER_LEN + records.len + FRAME_HEADER_LEN;
    if (h.size < need)
        h.size = (need + SEGMENT_HEADER_LEN - 1) / SEGMENT_HEADER_LEN * SEGMENT_HEADER_LEN;
    if (code == EXIT_FINE && !r->dry_run &&
        !mend_segment(r->journal, &h, buf_bytes(&records), kept))
        code = failed(r, "write", name);
    buf_release(&records);
    if (code != EXIT_FINE)
        return code;
    say_step(r, "write, from a snapshot and what follows it,", name, 0, kept);
    if (behind >= r->count)
        code = step_manifest(r, &h);
    if (code == EXIT_FINE && behind > i + 1)
        code = aside_from(r, i + 1);
    if (code == EXIT_FINE && old[0] != '\0' && strcmp(old, name) != 0)
        code = step_aside(r, old);
    return code;
}

/* ---- which step ---------------------------------------------------------------------------- */

/* The damaged file is a segment that is there. */
static enum exit_code mend_segment_of(struct repair *r, size_t i)
{
    char name[SEGMENT_NAME_MAX], kept[MEND_NAME_MAX] = "";
    struct segment_header h;
    struct bytes all;
    uint64_t at = r->report.damage_at, seq = r->report.damage_seq, base = r->base.seq;
    bool mended;
    segment_name(r->list[i], name);
    if (!mend_map(r->journal, name, &all))
        return failed(r, "read", name);
    bool whole = mend_header(all, &h);
    uint64_t size = all.len;
    mend_unmap(all);
    if (whole && h.first_seq == r->list[i] && h.size != size) {
        if (!r->dry_run && !mend_resize(r->journal, name, h.size, kept))
            return failed(r, "change the length of", name);
        say_step(r, "change the length of", name, h.size, kept);
        return EXIT_FINE;
    }
    enum exit_code code = mend_header_of(r, i, &mended);
    if (mended || code != EXIT_FINE)
        return code;
    if (base > 0 && r->list[i] <= base + 1 && (seq <= base || at < SEGMENT_HEADER_LEN))
        return rebuild(r, i);
    if (whole && at == 0)
        return refuse(r, "what came before is not there");
    return at >= SEGMENT_HEADER_LEN ? cut_at(r, i, at) : cut_before(r, i);
}

/* Would the journal reach back to record 1, or to another snapshot that is whole, without this? */
static bool covered_without(const struct repair *r, uint64_t seq)
{
    uint64_t *list = NULL;
    size_t count = 0;
    bool covered = r->count > 0 && r->list[0] == 1;
    if (snapshot_list(r->journal, &list, &count) != 0)
        return covered;
    for (size_t i = 0; i < count && !covered; i++) {
        struct snapshot_info info;
        struct snapshot_fault fault;
        covered = list[i] != seq && r->count > 0 && r->list[0] <= list[i] + 1 &&
                  snapshot_check(r->journal, list[i], &info, &fault) == ERR_ok;
    }
    free(list);
    return covered;
}

/*
 * Mends the first thing that is wrong, by the file that it is in:
 *
 *   manifest                      written anew for the newest segment that can be read
 *   a segment that is missing     the same: what it held is lost
 *   a snapshot of another journal moved aside, where the rest is enough without it
 *   a segment of another length   made as long as its header says
 *   a segment's header            written anew from the segment before, where the records prove it
 *   what a snapshot holds         a segment that begins behind the snapshot takes its place
 *   a segment's header, else      the journal ends before it
 *   a record                      the journal ends before it
 */
static enum exit_code mend_first(struct repair *r)
{
    const char *file = r->report.damage_file;
    uint64_t seq;
    if (strcmp(file, "manifest") == 0)
        return mend_manifest_of(r, faccessat(r->journal, file, F_OK, 0) == 0);
    if (snapshot_name_parse(file, &seq))
        return covered_without(r, seq) ? step_aside(r, file)
                                       : refuse(r, "without this snapshot the rest is not enough");
    if (!segment_name_parse(file, &seq))
        return refuse(r, "there is no way to mend that");
    for (size_t i = 0; i < r->count; i++)
        if (r->list[i] == seq)
            return mend_segment_of(r, i);
    lost_known(&r->lost, seq - 1);
    if (r->count > 0)
        return mend_manifest_of(r, false);
    return r->base.seq > 0 ? rebuild(r, 0) : refuse(r, "no segment is there");
}

/* A start goes well. Moves aside what it does not need and what is damaged: snapshots, and what
 * only serves an older one. */
static enum exit_code clear_up(struct repair *r)
{
    struct scan s = {0};
    enum exit_code code = EXIT_FINE;
    (void)snprintf(s.dir, sizeof s.dir, "%s", r->dir);
    if (scan_run(&s) == EXIT_FAILED)
        code = out_error(r->json, EXIT_FAILED, "%s", s.report.damage);
    for (size_t i = 0; i < s.snapshot_count && code == EXIT_FINE; i++)
        if (!s.snapshots[i].whole || (s.err == ERR_damaged && s.snapshots[i].seq < r->base.seq))
            code = step_aside(r, s.snapshots[i].name);
    for (size_t i = 0; i + 1 < r->count && code == EXIT_FINE && s.err == ERR_damaged; i++) {
        char name[SEGMENT_NAME_MAX];
        if (r->list[i + 1] > r->base.seq + 1)
            break;
        segment_name(r->list[i], name);
        code = step_aside(r, name);
    }
    scan_release(&s);
    return code;
}

/* What verify says of the result. */
static enum exit_code prove(const struct repair *r)
{
    struct scan s = {0};
    (void)snprintf(s.dir, sizeof s.dir, "%s", r->dir);
    enum exit_code code = scan_run(&s);
    if (code == EXIT_DAMAGED)
        out_error(r->json, code, "there is damage that was not mended: %s", scan_damage(&s));
    else if (code != EXIT_FINE)
        out_error(r->json, code, "%s", s.report.damage);
    scan_release(&s);
    return code;
}

static enum exit_code mend_all(struct repair *r)
{
    unsigned rounds = 0, rounds_max;
    enum exit_code code = read_as_start(r);
    rounds_max = 16 + 4 * (unsigned)(r->count < 100000 ? r->count : 100000);
    while (code == EXIT_DAMAGED) {
        if (++rounds > rounds_max)
            return refuse(r, "each step leaves other damage");
        code = mend_first(r);
        if (code != EXIT_FINE || r->dry_run)
            return code;
        code = read_as_start(r);
    }
    if (code == EXIT_FINE)
        code = clear_up(r);
    return code == EXIT_FINE && !r->dry_run ? prove(r) : code;
}

/* ---- the tool ------------------------------------------------------------------------------ */

static enum exit_code hold(struct repair *r, const char *given)
{
    char path[PATH_MAX + 16], why[PATH_MAX + 128];
    if (!scan_find(given, r->dir, why, sizeof why))
        return out_error(r->json, EXIT_FAILED, "%s", why);
    (void)snprintf(path, sizeof path, "%s/lock", r->dir);
    r->lock = open(path, O_RDWR | O_CLOEXEC | (r->dry_run ? 0 : O_CREAT), 0600);
    if (r->lock < 0 && !(r->dry_run && errno == ENOENT))
        return out_error(r->json, EXIT_FAILED, "cannot open %s: %s", path, strerror(errno));
    if (r->lock >= 0 && flock(r->lock, LOCK_EX | LOCK_NB) != 0)
        return out_error(r->json, EXIT_FAILED, "a server holds %s: stop it first", r->dir);
    (void)snprintf(path, sizeof path, "%s/" JOURNAL_DIR, r->dir);
    r->journal = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (r->journal < 0)
        return out_error(r->json, EXIT_FAILED, "cannot open %s: %s", path, strerror(errno));
    return EXIT_FINE;
}

static void print_json(struct repair *r, enum exit_code code, uint64_t last_seq)
{
    struct buf b = {0};
    out_open(&b, NULL, '{');
    out_cstr(&b, "result", out_result(code));
    out_cstr(&b, "directory", r->dir);
    out_bool(&b, "dry_run", r->dry_run);
    out_open(&b, "steps", '[');
    buf_add_bytes(&b, buf_bytes(&r->steps));
    out_close(&b, ']');
    out_uint(&b, "last_seq", last_seq);
    lost_print_json(&r->lost, &b, last_seq, r->model);
    out_close(&b, '}');
    out_line(&b);
    buf_release(&b);
}

static void print_text(struct repair *r, uint64_t last_seq)
{
    if (r->step_count == 0) {
        out_say("fine: there is nothing to repair");
        return;
    }
    lost_print(&r->lost, last_seq, r->model);
    if (r->dry_run)
        out_say("nothing was changed; after these steps the journal would be read again, and what "
                "is still wrong mended");
    else
        out_say("the journal ends with record %llu; a server can be started",
                (unsigned long long)last_seq);
}

static enum exit_code run(const struct tool_call *call)
{
    struct repair r = {.json = call->json,
                       .dry_run = call->values[FLAG_DRY_RUN] != NULL,
                       .lock = -1,
                       .journal = -1,
                       .model = model_new()};
    enum exit_code code = hold(&r, call->places[0]);
    if (code == EXIT_FINE)
        code = mend_all(&r);
    if (code == EXIT_FINE) {
        uint64_t last_seq = model_cursor(r.model);
        if (r.dry_run && r.step_count > 0)
            code = EXIT_DAMAGED;
        if (call->json)
            print_json(&r, code, last_seq);
        else
            print_text(&r, last_seq);
    }
    model_free(r.model);
    lost_release(&r.lost);
    buf_release(&r.steps);
    free(r.list);
    if (r.journal >= 0)
        close(r.journal);
    if (r.lock >= 0)
        close(r.lock);
    return code;
}

const struct tool tool_repair = {
    .places = "DIR",
    .place_count = 1,
    .about =
        "Makes the journal in the data directory DIR one that a server starts with: it ends the "
        "journal\n"
        "where the damage begins, and says which records are lost by that and whose. What a "
        "snapshot\n"
        "holds is not lost. Nothing is thrown away: what is cut or replaced stays in DIR/journal "
        "as\n"
        "NAME.cut-<n>, which no start reads. It refuses while a server runs, and where nothing "
        "whole\n"
        "would remain. A backup is the better way where there is one: first look with --dry-run.\n",
    .flags = {[FLAG_DRY_RUN] = {"dry-run", NULL,
                                "changes nothing, says the first steps (exit code 3)"}},
    .run = run,
};
