/*
 * journal repair: makes a damaged journal one that a server starts with, and says what that costs.
 *
 * It goes in rounds: read the directory as a start does, mend the first thing that is wrong, read
 * again, until a start would go well. So each step is small, and a repair that was interrupted goes
 * on where it was. What is decided for each kind of damage stands at mend_first; the steps are in
 * repair_steps.c.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/file.h>
#include <unistd.h>

#include "model/save.h"
#include "tools/repair_inside.h"
#include "tools/scan.h"
#include "tools/tools.h"

enum { FLAG_DRY_RUN };

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
        return repair_failed(r, "list", ".");
    find_base(r);
    enum err e = journal_scan_files(&options, &hooks, &r->report);
    if (e == ERR_ok)
        return EXIT_FINE;
    if (e == ERR_damaged)
        return EXIT_DAMAGED;
    return out_error(r->json, EXIT_FAILED, "%s",
                     r->report.damage[0] != '\0' ? r->report.damage : err_sentence(e));
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
        return repair_failed(r, "read", name);
    bool whole = mend_header(all, &h);
    uint64_t size = all.len;
    mend_unmap(all);
    if (whole && h.first_seq == r->list[i] && h.size != size) {
        if (!r->dry_run && !mend_resize(r->journal, name, h.size, kept))
            return repair_failed(r, "change the length of", name);
        repair_say(r, "change the length of", name, h.size, kept);
        return EXIT_FINE;
    }
    enum exit_code code = repair_header(r, i, &mended);
    if (mended || code != EXIT_FINE)
        return code;
    if (base > 0 && r->list[i] <= base + 1 && (seq <= base || at < SEGMENT_HEADER_LEN))
        return repair_rebuild(r, i);
    if (whole && at == 0)
        return repair_refuse(r, "what came before is not there");
    return at >= SEGMENT_HEADER_LEN ? repair_cut_at(r, i, at) : repair_cut_before(r, i);
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
        return repair_manifest(r, faccessat(r->journal, file, F_OK, 0) == 0);
    if (snapshot_name_parse(file, &seq))
        return covered_without(r, seq)
                   ? repair_aside(r, file)
                   : repair_refuse(r, "without this snapshot the rest is not enough");
    if (!segment_name_parse(file, &seq))
        return repair_refuse(r, "there is no way to mend that");
    for (size_t i = 0; i < r->count; i++)
        if (r->list[i] == seq)
            return mend_segment_of(r, i);
    lost_known(&r->lost, seq - 1);
    if (r->count > 0)
        return repair_manifest(r, false);
    return r->base.seq > 0 ? repair_rebuild(r, 0) : repair_refuse(r, "no segment is there");
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
            code = repair_aside(r, s.snapshots[i].name);
    for (size_t i = 0; i + 1 < r->count && code == EXIT_FINE && s.err == ERR_damaged; i++) {
        char name[SEGMENT_NAME_MAX];
        if (r->list[i + 1] > r->base.seq + 1)
            break;
        segment_name(r->list[i], name);
        code = repair_aside(r, name);
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
            return repair_refuse(r, "each step leaves other damage");
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
