/* journal dump: prints the records of a journal, one a line, without secrets. */
#include "base/json_write.h"
#include "base/text.h"
#include "model/record.h"
#include "tools/out.h"
#include "tools/scan.h"
#include "tools/tools.h"

#include <stdio.h>
#include <stdlib.h>

enum { FLAG_FROM, FLAG_TO, FLAG_TYPE, FLAG_TEXTS };

struct dump {
    uint64_t from, to;
    uint16_t type; /* 0: all */
    bool texts;
    bool json;
    struct buf line;
};

/* ---- a field of each type ------------------------------------------------------------------ */

static void key(struct dump *d, const char *name)
{
    if (d->json)
        out_key(&d->line, name);
    else
        buf_printf(&d->line, " %s=", name);
}

static void show_u8(struct dump *d, const char *name, uint8_t v)
{
    key(d, name);
    json_add_uint(&d->line, v);
}

static void show_u32(struct dump *d, const char *name, uint32_t v)
{
    key(d, name);
    json_add_uint(&d->line, v);
}

static void show_u64(struct dump *d, const char *name, uint64_t v)
{
    key(d, name);
    json_add_uint(&d->line, v);
}

static void show_time(struct dump *d, const char *name, int64_t v)
{
    key(d, name);
    if (d->json)
        json_add_int(&d->line, v);
    else
        out_time(&d->line, v);
}

static void show_uuid(struct dump *d, const char *name, struct uuid v)
{
    char text[UUID_TEXT_LEN];
    key(d, name);
    if (d->json) {
        json_add_uuid(&d->line, &v);
        return;
    }
    uuid_format(&v, text);
    buf_add(&d->line, text, sizeof text);
}

static void show_hidden(struct dump *d, const char *name)
{
    key(d, name);
    if (d->json)
        BUF_ADD_LIT(&d->line, "\"(hidden)\"");
    else
        BUF_ADD_LIT(&d->line, "(hidden)");
}

static void show_hash(struct dump *d, const char *name, struct record_hash v)
{
    (void)v;
    show_hidden(d, name);
}

static void show_secret(struct dump *d, const char *name, struct bytes v)
{
    (void)v;
    show_hidden(d, name);
}

/* What people wrote, or how long it is. User names are shown: they are what an operator knows
 * people by. */
static void show_text(struct dump *d, const char *name, struct bytes v)
{
    bool shown = d->texts || strcmp(name, "username") == 0;
    key(d, name);
    if (shown && text_utf8_valid(v))
        json_add_string(&d->line, v);
    else if (d->json)
        buf_printf(&d->line, "{\"bytes\":%zu}", v.len);
    else
        buf_printf(&d->line, "(%zu bytes)", v.len);
}

static void show_text8(struct dump *d, const char *name, struct bytes v)
{
    show_text(d, name, v);
}

static void show_u32s(struct dump *d, const char *name, struct record_u32s v)
{
    key(d, name);
    buf_add_u8(&d->line, '[');
    for (uint32_t i = 0; i < v.count; i++) {
        if (i > 0)
            buf_add_u8(&d->line, ',');
        json_add_uint(&d->line, record_u32s_at(&v, i));
    }
    buf_add_u8(&d->line, ']');
}

/* ---- a record ------------------------------------------------------------------------------ */

#define F(type, name) show_##type(d, #name, v->name);
#define RECORD(number, name, fields)                                                               \
    static void show_##name(struct dump *d, const struct record_##name *v)                         \
    {                                                                                              \
        fields                                                                                     \
    }
#include "model/record.def"
#undef RECORD
#undef F

static void show_fields(struct dump *d, const struct record *r)
{
    switch (r->type) {
#define RECORD(number, name, fields)                                                               \
    case RECORD_##name:                                                                            \
        show_##name(d, &r->name);                                                                  \
        return;
#include "model/record.def"
#undef RECORD
    }
}

static void on_record(void *ctx, const struct journal_record *record)
{
    struct dump *d = ctx;
    struct record r;
    if (record->seq < d->from || record->seq > d->to || (d->type != 0 && record->type != d->type))
        return;
    bool known = record_decode(record->type, record->payload, &r);
    const char *name = record_name(record->type);
    if (d->json) {
        out_open(&d->line, NULL, '{');
        out_uint(&d->line, "seq", record->seq);
        out_uint(&d->line, "type", record->type);
        out_cstr(&d->line, "name", name ? name : "(unknown)");
        out_uint(&d->line, "bytes", record->payload.len);
        if (known) {
            out_open(&d->line, "fields", '{');
            show_fields(d, &r);
            out_close(&d->line, '}');
        }
        out_close(&d->line, '}');
    } else {
        buf_printf(&d->line, "%llu %s", (unsigned long long)record->seq, name ? name : "(unknown)");
        if (known)
            show_fields(d, &r);
        else
            buf_printf(&d->line, " type=%u (%zu bytes that this version cannot read)", record->type,
                       record->payload.len);
    }
    out_line(&d->line);
    buf_shrink(&d->line, 64 * 1024);
}

/* Beside a server that deletes files the scan begins again: what was printed is not repeated. */
static void on_record_once(void *ctx, const struct journal_record *record)
{
    struct dump *d = ctx;
    on_record(d, record);
    if (record->seq >= d->from)
        d->from = record->seq + 1;
}

/* ---- the tool ------------------------------------------------------------------------------ */

static bool read_seq(const char *text, uint64_t *out)
{
    char *end = NULL;
    if (text[0] < '0' || text[0] > '9' || strlen(text) > 19)
        return false;
    *out = strtoull(text, &end, 10);
    return *end == '\0';
}

static bool read_type(const char *text, uint16_t *out)
{
#define RECORD(number, name, fields)                                                               \
    if (strcmp(text, #name) == 0) {                                                                \
        *out = (number);                                                                           \
        return true;                                                                               \
    }
#include "model/record.def"
#undef RECORD
    return false;
}

static enum exit_code run(const struct tool_call *call)
{
    struct dump d = {.to = UINT64_MAX, .texts = call->values[FLAG_TEXTS], .json = call->json};
    struct scan s = {.ctx = &d, .on_record = on_record_once};
    const char *from = call->values[FLAG_FROM], *to = call->values[FLAG_TO];
    if (from && !read_seq(from, &d.from))
        return out_error(false, EXIT_USAGE, "--from: %.60s is no number of a record", from);
    if (to && !read_seq(to, &d.to))
        return out_error(false, EXIT_USAGE, "--to: %.60s is no number of a record", to);
    if (call->values[FLAG_TYPE] && !read_type(call->values[FLAG_TYPE], &d.type))
        return out_error(false, EXIT_USAGE, "--type: there is no record %.60s",
                         call->values[FLAG_TYPE]);
    enum exit_code code = scan_open(&s, call->places[0], false);
    if (code == EXIT_DAMAGED)
        out_error(false, code, "%s", scan_damage(&s));
    buf_release(&d.line);
    scan_release(&s);
    return code;
}

const struct tool tool_dump = {
    .places = "DIR",
    .place_count = 1,
    .about =
        "Prints the records of the journal in the data directory DIR, one a line: number, type, "
        "and\n"
        "fields by name. Password and token hashes are never shown; addresses, messages and names\n"
        "of groups and devices only with --texts, else their lengths. Changes nothing; may run\n"
        "beside a server. Records that a snapshot replaced are gone and not shown. Where there is\n"
        "damage, the records before it are printed.\n",
    .flags = {[FLAG_FROM] = {"from", "SEQ", "begins with record SEQ"},
              [FLAG_TO] = {"to", "SEQ", "ends with record SEQ"},
              [FLAG_TYPE] = {"type", "NAME", "prints records of one type, as message_post"},
              [FLAG_TEXTS] = {"texts", NULL, "shows texts, names and e-mail addresses"}},
    .run = run,
};
