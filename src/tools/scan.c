#include "tools/scan.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/ensure.h"
#include "log/frame.h"
#include "log/segment.h"
#include "log/snapshot.h"
#include "tools/out.h"

/* ---- the directory ------------------------------------------------------------------------- */

static bool is_dir(const char *path)
{
    struct stat st;
    return stat(path, &st) == 0 && S_ISDIR(st.st_mode);
}

bool scan_find(const char *given, char dir[static PATH_MAX], char *why, size_t why_len)
{
    char journal[PATH_MAX + sizeof JOURNAL_DIR + 1];
    if (!realpath(given, dir)) {
        (void)snprintf(why, why_len, "cannot find %s: %s", given, strerror(errno));
        return false;
    }
    (void)snprintf(journal, sizeof journal, "%s/" JOURNAL_DIR, dir);
    if (is_dir(journal))
        return true;
    char *last = strrchr(dir, '/');
    if (last && last > dir && strcmp(last + 1, JOURNAL_DIR) == 0 && is_dir(dir)) {
        *last = '\0';
        return true;
    }
    (void)snprintf(why, why_len, "there is no journal in %s", given);
    return false;
}

/* ---- the scan ------------------------------------------------------------------------------ */

static void add_snapshot(struct scan *s, uint64_t seq, enum err e, const struct snapshot_info *info,
                         const struct snapshot_fault *fault)
{
    s->snapshots = xrealloc(s->snapshots, (s->snapshot_count + 1) * sizeof *s->snapshots);
    struct scan_snapshot *snap = &s->snapshots[s->snapshot_count++];
    *snap = (struct scan_snapshot){.seq = seq, .whole = e == ERR_ok};
    snapshot_name(seq, snap->name);
    if (snap->whole) {
        snap->size = info->bytes;
        snap->records = info->records;
        snap->time_ms = info->header.time_ms;
        return;
    }
    s->snapshots_damaged++;
    snap->damage_at = fault->offset;
    (void)snprintf(snap->why, sizeof snap->why, JOURNAL_DIR "/%s, offset %llu: %s", snap->name,
                   (unsigned long long)fault->offset, fault->text);
}

/* Checks each snapshot that is there. One that a server deletes meanwhile is not there. */
static enum err read_snapshots(struct scan *s)
{
    char path[PATH_MAX + 16];
    uint64_t *list = NULL;
    size_t count = 0;
    enum err e = ERR_ok;
    (void)snprintf(path, sizeof path, "%s/" JOURNAL_DIR, s->dir);
    int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0 || snapshot_list(fd, &list, &count) != 0) {
        (void)snprintf(s->report.damage, sizeof s->report.damage, "cannot read %.600s: %s", path,
                       strerror(errno));
        e = ERR_io;
    }
    for (size_t i = 0; i < count && e == ERR_ok; i++) {
        struct snapshot_info info;
        struct snapshot_fault fault = {0};
        e = snapshot_check(fd, list[i], &info, &fault);
        if (e == ERR_ok || e == ERR_damaged)
            add_snapshot(s, list[i], e, &info, &fault);
        else if (e == ERR_io)
            (void)snprintf(s->report.damage, sizeof s->report.damage, "%s", fault.text);
        if (e != ERR_io)
            e = ERR_ok;
    }
    if (fd >= 0)
        close(fd);
    free(list);
    return e;
}

static void on_segment(void *ctx, const char *name, uint64_t number, uint64_t first_seq,
                       uint64_t size)
{
    struct scan *s = ctx;
    (void)number;
    s->segments = xrealloc(s->segments, (s->segment_count + 1) * sizeof *s->segments);
    struct scan_segment *seg = &s->segments[s->segment_count++];
    *seg = (struct scan_segment){.first_seq = first_seq, .size = size, .used = SEGMENT_HEADER_LEN};
    (void)snprintf(seg->name, sizeof seg->name, "%s", name);
}

static void on_commit(void *ctx, const struct journal_record *record, void *ticket)
{
    struct scan *s = ctx;
    uint64_t len = FRAME_OVERHEAD + (uint64_t)record->payload.len;
    (void)ticket;
    ENSURE(s->segment_count > 0);
    struct scan_segment *seg = &s->segments[s->segment_count - 1];
    seg->records++;
    seg->used += len;
    s->records++;
    s->bytes += len;
    if (s->first_seq == 0)
        s->first_seq = record->seq;
    s->last_seq = record->seq;
    if (s->on_record)
        s->on_record(s->ctx, record);
}

static void on_fail(void *ctx, void *ticket, enum err why)
{
    (void)ctx;
    (void)ticket;
    (void)why;
    ENSURE(!"nothing is proposed to a journal that is only read");
}

/* A server deleted a file that was to be read: what was read so far is not all of anything. */
static void on_reset(void *ctx)
{
    struct scan *s = ctx;
    s->segment_count = s->snapshot_count = s->snapshots_damaged = 0;
    (void)read_snapshots(s); /* what cannot be read now cannot be read by the scan either */
    s->records = s->bytes = 0;
    s->first_seq = s->last_seq = 0;
    if (s->on_reset)
        s->on_reset(s->ctx);
}

enum exit_code scan_run(struct scan *s)
{
    struct journal_options options = {.dir = s->dir};
    struct journal_hooks hooks = {.ctx = s,
                                  .on_commit = on_commit,
                                  .on_fail = on_fail,
                                  .on_reset = on_reset,
                                  .on_segment = on_segment};
    s->err = read_snapshots(s);
    if (s->err == ERR_ok)
        s->err = journal_scan_files(&options, &hooks, &s->report);
    if (s->err != ERR_ok)
        return s->err == ERR_damaged ? EXIT_DAMAGED : EXIT_FAILED;
    return s->snapshots_damaged > 0 ? EXIT_DAMAGED : EXIT_FINE;
}

void scan_release(struct scan *s)
{
    free(s->segments);
    free(s->snapshots);
    s->segments = NULL;
    s->snapshots = NULL;
    s->segment_count = s->snapshot_count = 0;
}

enum exit_code scan_open(struct scan *s, const char *given, bool json)
{
    char why[PATH_MAX + 128];
    if (!scan_find(given, s->dir, why, sizeof why))
        return out_error(json, EXIT_FAILED, "%s", why);
    enum exit_code code = scan_run(s);
    if (code == EXIT_FAILED)
        return out_error(json, EXIT_FAILED, "%s",
                         s->report.damage[0] != '\0' ? s->report.damage : err_sentence(s->err));
    return code;
}

const char *scan_damage(const struct scan *s)
{
    if (s->err == ERR_damaged)
        return s->report.damage;
    for (size_t i = 0; i < s->snapshot_count; i++)
        if (!s->snapshots[i].whole)
            return s->snapshots[i].why;
    return "";
}

uint64_t scan_snapshot_seq(const struct scan *s)
{
    for (size_t i = s->snapshot_count; i-- > 0;)
        if (s->snapshots[i].whole)
            return s->snapshots[i].seq;
    return 0;
}

void scan_add_snapshots(const struct scan *s, struct buf *b)
{
    out_open(b, "snapshots", '[');
    for (size_t i = 0; i < s->snapshot_count; i++) {
        const struct scan_snapshot *snap = &s->snapshots[i];
        out_open(b, NULL, '{');
        out_cstr(b, "file", snap->name);
        out_uint(b, "seq", snap->seq);
        out_uint(b, "bytes", snap->size);
        out_bool(b, "whole", snap->whole);
        if (snap->whole) {
            out_uint(b, "records", snap->records);
            out_int(b, "time", snap->time_ms);
        } else {
            out_cstr(b, "why", snap->why);
        }
        out_close(b, '}');
    }
    out_close(b, ']');
}
