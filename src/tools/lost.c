#include "tools/lost.h"

#include <stdio.h>
#include <stdlib.h>

#include "model/record.h"
#include "tools/out.h"

/* ---- who a record is about: its fields by name --------------------------------------------- */

static void note_u32(struct lost_record *l, const char *field, uint32_t v)
{
    if (strcmp(field, "user") == 0 || strcmp(field, "author") == 0 || strcmp(field, "owner") == 0)
        l->user = v;
    else if (strcmp(field, "group") == 0)
        l->group = v;
}

/* clang-format off */
#define NOTE_time(l, field, v)   (void)(v)
#define NOTE_u8(l, field, v)     (void)(v)
#define NOTE_u32(l, field, v)    note_u32(l, field, v)
#define NOTE_uuid(l, field, v)   (void)(v)
#define NOTE_hash(l, field, v)   (void)(v)
#define NOTE_text8(l, field, v)  (void)(v)
#define NOTE_text(l, field, v)   (void)(v)
#define NOTE_secret(l, field, v) (void)(v)
#define NOTE_u64(l, field, v)    (void)(v)
#define NOTE_u32s(l, field, v)   (void)(v)
/* clang-format on */

#define F(type, name) NOTE_##type(l, #name, v->name);
#define RECORD(number, name, fields)                                                               \
    static void note_##name(struct lost_record *l, const struct record_##name *v)                  \
    {                                                                                              \
        (void)l;                                                                                   \
        fields                                                                                     \
    }
#include "model/record.def"
#undef RECORD
#undef F

static void note(struct lost_record *l, const struct record *r)
{
    switch (r->type) {
#define RECORD(number, name, fields)                                                               \
    case RECORD_##name:                                                                            \
        note_##name(l, &r->name);                                                                  \
        return;
#include "model/record.def"
#undef RECORD
    }
}

/* ---- collecting ---------------------------------------------------------------------------- */

void lost_known(struct lost *l, uint64_t seq)
{
    if (seq > l->highest)
        l->highest = seq;
}

void lost_add(struct lost *l, const struct frame_header *h, struct bytes payload)
{
    struct lost_record found = {.seq = h->seq};
    struct record r;
    if (payload.len == h->len && record_decode(h->type, payload, &r))
        note(&found, &r);
    buf_add(&l->found, &found, sizeof found);
    lost_known(l, h->seq);
}

void lost_release(struct lost *l)
{
    buf_release(&l->found);
}

static int compare_seq(const void *a, const void *b)
{
    const struct lost_record *x = a, *y = b;
    return (x->seq > y->seq) - (x->seq < y->seq);
}

/* Sorts, drops what remains and what was found twice; how many are left. */
static size_t settle(struct lost *l, uint64_t last_seq)
{
    struct lost_record *list = (struct lost_record *)(void *)l->found.p;
    size_t count = l->found.len / sizeof *list, kept = 0;
    if (count > 0)
        qsort(list, count, sizeof *list, compare_seq);
    for (size_t i = 0; i < count; i++)
        if (list[i].seq > last_seq && (kept == 0 || list[kept - 1].seq != list[i].seq))
            list[kept++] = list[i];
    l->found.len = kept * sizeof *list;
    return kept;
}

/* ---- printing ------------------------------------------------------------------------------ */

static int compare_u32(const void *a, const void *b)
{
    const uint32_t *x = a, *y = b;
    return (*x > *y) - (*x < *y);
}

/* Calls fn for each number that is not 0, with how often it is there. */
static void each_number(const struct lost *l, bool groups,
                        void (*fn)(void *ctx, uint32_t number, uint64_t count), void *ctx)
{
    const struct lost_record *list = (const struct lost_record *)(const void *)l->found.p;
    size_t count = l->found.len / sizeof *list;
    struct buf numbers = {0};
    for (size_t i = 0; i < count; i++) {
        uint32_t v = groups ? list[i].group : list[i].user;
        if (v != 0)
            buf_add(&numbers, &v, sizeof v);
    }
    const uint32_t *p = (const uint32_t *)(const void *)numbers.p;
    size_t n = numbers.len / sizeof *p;
    if (n > 0)
        qsort(numbers.p, n, sizeof *p, compare_u32);
    for (size_t i = 0, next; i < n; i = next) {
        for (next = i; next < n && p[next] == p[i]; next++)
            ;
        fn(ctx, p[i], next - i);
    }
    buf_release(&numbers);
}

struct printing {
    struct buf *b; /* NULL: text */
    const struct model *m;
};

static void print_user(void *ctx, uint32_t number, uint64_t count)
{
    const struct printing *p = ctx;
    const struct user *u = model_user(p->m, number);
    struct bytes name = u ? u->username : BYTES("made in what was lost");
    if (!p->b) {
        out_say("  by user %u (%.*s): %llu records", number, (int)name.len, (const char *)name.p,
                (unsigned long long)count);
        return;
    }
    out_open(p->b, NULL, '{');
    out_uint(p->b, "number", number);
    if (u) {
        out_text(p->b, "username", u->username);
        out_key(p->b, "id");
        char id[UUID_TEXT_LEN];
        uuid_format(&u->id, id);
        buf_printf(p->b, "\"%.*s\"", UUID_TEXT_LEN, id);
    }
    out_uint(p->b, "records", count);
    out_close(p->b, '}');
}

static void print_group(void *ctx, uint32_t number, uint64_t count)
{
    const struct printing *p = ctx;
    const struct group *g = model_group(p->m, number);
    char id[UUID_TEXT_LEN] = "";
    if (g)
        uuid_format(&g->id, id);
    if (!p->b) {
        out_say("  in group %u (%.*s): %llu records", number, g ? UUID_TEXT_LEN : 21,
                g ? id : "made in what was lost", (unsigned long long)count);
        return;
    }
    out_open(p->b, NULL, '{');
    out_uint(p->b, "number", number);
    if (g)
        out_text(p->b, "id", bytes_of(id, sizeof id));
    out_uint(p->b, "records", count);
    out_close(p->b, '}');
}

void lost_print(struct lost *l, uint64_t last_seq, const struct model *m)
{
    struct printing p = {.m = m};
    size_t found = settle(l, last_seq);
    if (l->highest <= last_seq) {
        out_say("lost: nothing that is known of");
        return;
    }
    out_say(
        "lost: at least %llu records, %llu to %llu; %zu of them can still be found in what was cut",
        (unsigned long long)(l->highest - last_seq), (unsigned long long)last_seq + 1,
        (unsigned long long)l->highest, found);
    each_number(l, false, print_user, &p);
    each_number(l, true, print_group, &p);
}

void lost_print_json(struct lost *l, struct buf *b, uint64_t last_seq, const struct model *m)
{
    struct printing p = {.b = b, .m = m};
    size_t found = settle(l, last_seq);
    bool any = l->highest > last_seq;
    out_open(b, "lost", '{');
    out_uint(b, "records", any ? l->highest - last_seq : 0);
    if (any) {
        out_uint(b, "first_seq", last_seq + 1);
        out_uint(b, "last_seq", l->highest);
        out_uint(b, "found", found);
        out_open(b, "users", '[');
        each_number(l, false, print_user, &p);
        out_close(b, ']');
        out_open(b, "groups", '[');
        each_number(l, true, print_group, &p);
        out_close(b, ']');
    }
    out_close(b, '}');
}
