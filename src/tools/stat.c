/* journal stat: what a journal holds. */
#include "base/ensure.h"
#include "log/frame.h"
#include "model/record.h"
#include "tools/out.h"
#include "tools/scan.h"
#include "tools/tools.h"

#include <stdio.h>
#include <stdlib.h>

#define TYPE_COUNT 65536

struct count {
    uint64_t records;
    uint64_t bytes; /* with their overhead */
};

struct totals {
    struct scan scan;
    struct count types[TYPE_COUNT];
    struct count since; /* behind the newest snapshot */
    bool timed;
    int64_t first_ms, last_ms;
};

static bool time_of(const struct journal_record *record, int64_t *ms)
{
    struct record r;
    if (!record_decode(record->type, record->payload, &r))
        return false;
    switch (r.type) {
#define RECORD(number, name, fields)                                                               \
    case RECORD_##name:                                                                            \
        *ms = r.name.time;                                                                         \
        return true;
#include "model/record.def"
#undef RECORD
    }
    return false;
}

static void on_record(void *ctx, const struct journal_record *record)
{
    struct totals *t = ctx;
    uint64_t len = FRAME_OVERHEAD + (uint64_t)record->payload.len;
    int64_t ms;
    t->types[record->type].records++;
    t->types[record->type].bytes += len;
    if (record->seq > scan_snapshot_seq(&t->scan)) {
        t->since.records++;
        t->since.bytes += len;
    }
    if (!time_of(record, &ms))
        return;
    if (!t->timed)
        t->first_ms = ms;
    t->timed = true;
    t->last_ms = ms;
}

static void on_reset(void *ctx)
{
    struct totals *t = ctx;
    memset(t->types, 0, sizeof t->types);
    t->since = (struct count){0};
    t->timed = false;
}

static const char *type_name(unsigned type)
{
    const char *name = record_name((uint16_t)type);
    return name ? name : "(unknown)";
}

static void add_types(struct buf *b, const struct totals *t)
{
    out_open(b, "types", '[');
    for (unsigned i = 0; i < TYPE_COUNT; i++) {
        if (t->types[i].records == 0)
            continue;
        out_open(b, NULL, '{');
        out_uint(b, "type", i);
        out_cstr(b, "name", type_name(i));
        out_uint(b, "records", t->types[i].records);
        out_uint(b, "bytes", t->types[i].bytes);
        out_close(b, '}');
    }
    out_close(b, ']');
}

static void add_files(struct buf *b, const struct scan *s)
{
    out_open(b, "segments", '[');
    for (size_t i = 0; i < s->segment_count; i++) {
        const struct scan_segment *seg = &s->segments[i];
        out_open(b, NULL, '{');
        out_cstr(b, "file", seg->name);
        out_uint(b, "first_seq", seg->first_seq);
        out_uint(b, "records", seg->records);
        out_uint(b, "used", seg->used);
        out_uint(b, "bytes", seg->size);
        out_close(b, '}');
    }
    out_close(b, ']');
    scan_add_snapshots(s, b);
}

static void print_json(const struct totals *t, enum exit_code code)
{
    const struct scan *s = &t->scan;
    struct buf b = {0};
    out_open(&b, NULL, '{');
    out_cstr(&b, "result", out_result(code));
    out_cstr(&b, "directory", s->dir);
    out_uint(&b, "records", s->records);
    out_uint(&b, "bytes", s->bytes);
    out_uint(&b, "first_seq", s->first_seq);
    out_uint(&b, "last_seq", s->last_seq);
    if (t->timed) {
        out_int(&b, "first_time", t->first_ms);
        out_int(&b, "last_time", t->last_ms);
    }
    add_types(&b, t);
    add_files(&b, s);
    out_uint(&b, "snapshot_seq", scan_snapshot_seq(s));
    out_uint(&b, "records_since_snapshot", t->since.records);
    out_uint(&b, "bytes_since_snapshot", t->since.bytes);
    out_close(&b, '}');
    out_line(&b);
    buf_release(&b);
}

static void print_times(const struct totals *t)
{
    struct buf b = {0};
    BUF_ADD_LIT(&b, "times      ");
    out_time(&b, t->first_ms);
    BUF_ADD_LIT(&b, " to ");
    out_time(&b, t->last_ms);
    out_line(&b);
    buf_release(&b);
}

static void print_text(const struct totals *t)
{
    const struct scan *s = &t->scan;
    out_say("records    %llu, %llu bytes", (unsigned long long)s->records,
            (unsigned long long)s->bytes);
    if (s->records > 0)
        out_say("numbers    %llu to %llu", (unsigned long long)s->first_seq,
                (unsigned long long)s->last_seq);
    if (t->timed)
        print_times(t);
    for (unsigned i = 0; i < TYPE_COUNT; i++)
        if (t->types[i].records > 0)
            out_say("type       %-16s %12llu records %15llu bytes", type_name(i),
                    (unsigned long long)t->types[i].records, (unsigned long long)t->types[i].bytes);
    for (size_t i = 0; i < s->segment_count; i++) {
        const struct scan_segment *seg = &s->segments[i];
        out_say("segment    %s: %llu records, %llu of %llu bytes", seg->name,
                (unsigned long long)seg->records, (unsigned long long)seg->used,
                (unsigned long long)seg->size);
    }
    for (size_t i = 0; i < s->snapshot_count; i++) {
        const struct scan_snapshot *snap = &s->snapshots[i];
        out_say("snapshot   %s: %s%llu records, %llu bytes", snap->name,
                snap->whole ? "" : "damaged, ", (unsigned long long)snap->records,
                (unsigned long long)snap->size);
    }
    out_say("a start    replays %llu records, %llu bytes%s", (unsigned long long)t->since.records,
            (unsigned long long)t->since.bytes,
            scan_snapshot_seq(s) > 0 ? " behind the newest snapshot" : "");
}

static enum exit_code run(const struct tool_call *call)
{
    struct totals *t = xcalloc(1, sizeof *t);
    t->scan = (struct scan){.ctx = t, .on_record = on_record, .on_reset = on_reset};
    enum exit_code code = scan_open(&t->scan, call->places[0], call->json);
    if (code != EXIT_FAILED && call->json)
        print_json(t, code);
    else if (code != EXIT_FAILED)
        print_text(t);
    if (code == EXIT_DAMAGED)
        out_error(false, code, "%s", scan_damage(&t->scan));
    scan_release(&t->scan);
    free(t);
    return code;
}

const struct tool tool_stat = {
    .places = "DIR",
    .place_count = 1,
    .about =
        "Says what the journal in the data directory DIR holds: records and bytes by type, the "
        "first\n"
        "and last time, the segments and snapshots, and what a start would replay. It reads all "
        "of\n"
        "it, changes nothing, and may run beside a server. Where there is damage, the figures are\n"
        "of what comes before.\n",
    .run = run,
};
