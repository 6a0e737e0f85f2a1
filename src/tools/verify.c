/* journal verify: reads a journal to its end and says whether it is whole. */
#include "model/record.h"
#include "tools/out.h"
#include "tools/scan.h"
#include "tools/tools.h"

#include <stdio.h>

/* The first record that this version cannot read: it would refuse to start. */
struct unknown {
    uint64_t seq;
    uint16_t type;
};

static void on_record(void *ctx, const struct journal_record *record)
{
    struct unknown *u = ctx;
    struct record r;
    if (u->seq == 0 && !record_decode(record->type, record->payload, &r))
        *u = (struct unknown){record->seq, record->type};
}

static void on_reset(void *ctx)
{
    *(struct unknown *)ctx = (struct unknown){0};
}

static void print_json(const struct scan *s, const struct unknown *u, enum exit_code code)
{
    const struct journal_report *r = &s->report;
    struct buf b = {0};
    out_open(&b, NULL, '{');
    out_cstr(&b, "result", out_result(code));
    out_cstr(&b, "directory", s->dir);
    out_uint(&b, "records", s->records);
    out_uint(&b, "first_seq", s->first_seq);
    out_uint(&b, "last_seq", s->last_seq);
    out_uint(&b, "bytes", s->bytes);
    out_uint(&b, "segments", s->segment_count);
    scan_add_snapshots(s, &b);
    if (r->torn_file[0] != '\0') {
        out_open(&b, "torn_tail", '{');
        out_cstr(&b, "file", r->torn_file);
        out_uint(&b, "offset", r->torn_at);
        out_uint(&b, "bytes", r->torn_end - r->torn_at);
        out_close(&b, '}');
    }
    if (s->err == ERR_damaged) {
        out_open(&b, "damage", '{');
        out_cstr(&b, "file", r->damage_file);
        out_uint(&b, "offset", r->damage_at);
        out_uint(&b, "seq", r->damage_seq);
        out_cstr(&b, "text", r->damage);
        out_close(&b, '}');
    }
    if (u->seq != 0) {
        out_open(&b, "unknown_record", '{');
        out_uint(&b, "seq", u->seq);
        out_uint(&b, "type", u->type);
        out_close(&b, '}');
    }
    out_close(&b, '}');
    out_line(&b);
    buf_release(&b);
}

static void print_text(const struct scan *s)
{
    if (s->records > 0)
        out_say("records    %llu, from %llu to %llu, %llu bytes", (unsigned long long)s->records,
                (unsigned long long)s->first_seq, (unsigned long long)s->last_seq,
                (unsigned long long)s->bytes);
    else
        out_say("records    0");
    out_say("segments   %zu", s->segment_count);
    for (size_t i = 0; i < s->snapshot_count; i++) {
        const struct scan_snapshot *snap = &s->snapshots[i];
        if (snap->whole)
            out_say("snapshot   %s: %llu records, %llu bytes", snap->name,
                    (unsigned long long)snap->records, (unsigned long long)snap->size);
        else
            out_say("snapshot   %s: damaged", snap->name);
    }
    if (s->report.torn_tail[0] != '\0')
        out_say("torn tail  %s (a crash leaves that, or a server is writing: no damage)",
                s->report.torn_tail);
}

static enum exit_code run(const struct tool_call *call)
{
    struct unknown u = {0};
    struct scan s = {.ctx = &u, .on_record = on_record, .on_reset = on_reset};
    enum exit_code code = scan_open(&s, call->places[0], call->json);
    if (code == EXIT_FAILED)
        goto done;
    if (u.seq != 0)
        code = EXIT_DAMAGED;
    if (call->json)
        print_json(&s, &u, code);
    else
        print_text(&s);
    if (scan_damage(&s)[0] != '\0')
        out_error(false, code, "%s", scan_damage(&s));
    if (u.seq != 0)
        out_error(false, code,
                  "record %llu has type %u in a form that this version does not know: use the "
                  "version that wrote it, or a newer one",
                  (unsigned long long)u.seq, u.type);
    if (code == EXIT_FINE && !call->json)
        out_say("fine");
done:
    scan_release(&s);
    return code;
}

const struct tool tool_verify = {
    .places = "DIR",
    .place_count = 1,
    .about =
        "Reads every segment, record and snapshot of the journal in the data directory DIR (or of\n"
        "the directory DIR/journal itself) and checks all of it: checksums, numbers, order, the\n"
        "chain across files. It changes nothing and may run beside a server. An incomplete last\n"
        "record is what a crash leaves: it is said, and is no damage. Damage is named by file\n"
        "and offset.\n",
    .run = run,
};
