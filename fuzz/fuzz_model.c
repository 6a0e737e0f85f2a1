/*
 * A history: bytes become records, which are committed to a model. It never crashes, its invariants
 * hold after each record, what check says is what commit does, and the same payloads give a second
 * model, which tells nobody, the same digest; so does a snapshot of it.
 *
 * A record is a type byte and then its fields, made small so that they meet: ids from one byte,
 * users and groups by numbers up to 7, short texts. A type byte with the high bit set takes a
 * length and a payload as it is. All the while somebody catches up, a few events behind each
 * record; at the end each user asks for all and for what is new.
 */
#include "base/crypto.h"
#include "base/ensure.h"
#include "model/save.h"
#include "model/timeline.h"

#define RECORDS_MAX 200

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* The rest of the input; 0 behind its end. */
struct input {
    const uint8_t *p;
    size_t left;
    uint8_t numbers[4 * 8]; /* of the newest u32s */
};

static uint8_t next(struct input *in)
{
    if (in->left == 0)
        return 0;
    in->left--;
    return *in->p++;
}

static struct bytes next_bytes(struct input *in, size_t len)
{
    struct bytes s = bytes_of(in->p, len < in->left ? len : in->left);
    in->p += s.len;
    in->left -= s.len;
    return s;
}

/* ---- one function a field type ----------------------------------------------------------------
 */

static int64_t next_time(struct input *in)
{
    uint8_t b = next(in);
    return b == 255 ? INT64_MAX : b == 254 ? INT64_MIN : 10 * (int64_t)b;
}

static uint8_t next_u8(struct input *in)
{
    return next(in) % 5;
}

static uint32_t next_u32(struct input *in)
{
    uint8_t b = next(in);
    return b < 240 ? b % 8 : UINT32_MAX - (b - 240u);
}

/* A cursor: of the history that an input makes, or behind its end. */
static uint64_t next_u64(struct input *in)
{
    uint8_t b = next(in);
    return b < 240 ? b : UINT64_MAX - (b - 240u);
}

static struct uuid next_uuid(struct input *in)
{
    struct uuid id;
    memset(id.b, next(in) % 32, sizeof id.b);
    return id;
}

static struct record_hash next_hash(struct input *in)
{
    struct record_hash hash;
    memset(hash.b, next(in) % 32, sizeof hash.b);
    return hash;
}

static struct bytes next_text(struct input *in)
{
    return next_bytes(in, next(in) % 4);
}

#define next_text8  next_text
#define next_secret next_text

static struct record_u32s next_u32s(struct input *in)
{
    struct record_u32s list = {in->numbers, next(in) % 8};
    for (uint32_t i = 0; i < list.count; i++)
        in->numbers[4 * i] = next(in) % 8;
    return list;
}

/* What a type byte means does not change when records are added, or a corpus would become noise:
 * 72 and up are the numbers from 10 on, and whatever names none is one of the first nine. */
static enum record_type type_of(uint8_t byte)
{
    static const bool known[128] = {
#define RECORD(number, name, fields) [number] = true,
#include "model/record.def"
#undef RECORD
    };
    if (byte >= 72 && known[byte - 62])
        return (enum record_type)(byte - 62);
    return (enum record_type)(1 + byte % 9);
}

static uint16_t next_payload(struct input *in, struct buf *out)
{
    uint8_t type = next(in);
    struct record r;

    if ((type & 0x80) != 0) {
        buf_add_bytes(out, next_bytes(in, next(in)));
        return type & 0x7f;
    }
    r.type = type_of(type);
    switch (r.type) {
#define F(type, name) v->name = next_##type(in);
#define RECORD(number, name, fields)                                                               \
    case RECORD_##name: {                                                                          \
        struct record_##name *v = &r.name;                                                         \
        fields break;                                                                              \
    }
#include "model/record.def"
#undef RECORD
#undef F
    }
    record_encode(&r, out);
    return (uint16_t)r.type;
}

/* ---- what must hold ---------------------------------------------------------------------------
 */

struct past {
    struct model *m;
    struct buf payloads;
    struct {
        uint16_t type;
        enum err err;
        size_t at, len;
        uint64_t cursor;
    } records[RECORDS_MAX];
    uint32_t count;
    struct timeline *open; /* of somebody who catches up meanwhile, or NULL */
    const struct user *reader;
    uint64_t told; /* cursor of the last event that they were given */
};

static void check_event(void *ctx, const struct event *e)
{
    const struct past *h = ctx;
    ENSURE(e->cursor == model_cursor(h->m) && e->time == model_time(h->m));
    ENSURE(e->user != NULL);
    ENSURE(e->session == NULL || model_session_by_id(h->m, &e->session->id) == e->session);
}

static void commit(struct past *h, uint16_t type, struct bytes payload)
{
    struct event_sink sink = {h, check_event};
    struct record r;
    uint64_t cursor = model_cursor(h->m) + 1;
    bool decoded = record_decode(type, payload, &r);
    enum err said = decoded ? model_check(h->m, &r) : ERR_damaged;

    /* The one thing that only the commit looks at. */
    if (said == ERR_ok && type == RECORD_message_post &&
        model_message_by_id(h->m, &r.message_post.id) != NULL)
        said = ERR_refused;
    if (said == ERR_ok && type == RECORD_message_send &&
        model_message_by_id(h->m, &r.message_send.id) != NULL)
        said = ERR_refused;
    ENSURE(model_commit(h->m, cursor, type, payload, &sink) == said);
    ENSURE(model_cursor(h->m) == cursor - !decoded);
    model_verify(h->m);
    h->records[h->count].type = type;
    h->records[h->count].err = said;
    h->records[h->count].at = h->payloads.len;
    h->records[h->count].len = payload.len;
    h->records[h->count++].cursor = cursor;
    buf_add_bytes(&h->payloads, payload);
}

static void check_replay(const struct past *h)
{
    uint8_t first[MODEL_DIGEST_LEN], second[MODEL_DIGEST_LEN];
    struct model *again = model_new();

    for (uint32_t i = 0; i < h->count; i++) {
        struct bytes payload = bytes_of(h->payloads.p + h->records[i].at, h->records[i].len);
        ENSURE(model_commit(again, h->records[i].cursor, h->records[i].type, payload, NULL) ==
               h->records[i].err);
    }
    model_digest(h->m, first);
    model_digest(again, second);
    ENSURE(memcmp(first, second, sizeof first) == 0);
    model_free(again);
}

static void load_saved(void *ctx, uint16_t type, struct bytes payload)
{
    ENSURE(model_load(ctx, type, payload));
}

static void check_snapshot(const struct model *m)
{
    uint8_t first[MODEL_DIGEST_LEN], second[MODEL_DIGEST_LEN];
    struct model *again = model_new();

    model_save(m, load_saved, again);
    ENSURE(model_loaded(again, model_cursor(m)));
    model_verify(again);
    model_digest(m, first);
    model_digest(again, second);
    ENSURE(memcmp(first, second, sizeof first) == 0);
    model_free(again);
}

/* Also of a group that was deleted, which the tables have forgotten. */
static const struct member *member_of(const struct model *m, const struct group *g,
                                      const struct user *u)
{
    for (uint32_t i = 0; g->deleted && i < g->members.count; i++) {
        const struct member *mb = vec_at(&g->members, i);
        if (mb->user == u)
            return mb;
    }
    return model_member(m, g, u);
}

/* At the time of the event; or at any, where it says that the group is no more. */
static bool was_there(const struct model *m, const struct event *e, const struct user *u)
{
    const struct member *mb = member_of(m, e->group, u);
    return mb != NULL && (e->type == EVENT_group_deleted || member_saw(mb, e->cursor));
}

/* In order, all seen by the user, and at its end where the model is. */
static uint32_t read_timeline(const struct model *m, struct timeline *t, const struct user *u)
{
    struct event e;
    uint64_t cursor = 0;
    uint32_t count = 0;

    for (; timeline_next(t, &e); count++) {
        ENSURE(e.cursor >= cursor && e.cursor <= model_cursor(m) && e.time <= model_time(m));
        ENSURE(e.cursor > cursor || e.to == u);
        ENSURE(was_there(m, &e, u));
        ENSURE(e.group->deleted == (e.type == EVENT_group_deleted));
        /* More of the same cursor may follow. */
        ENSURE(timeline_position(t) + 1 >= e.cursor && timeline_position(t) <= model_cursor(m));
        cursor = e.cursor;
    }
    ENSURE(timeline_position(t) == model_cursor(m));
    timeline_free(t);
    return count;
}

/* Reads all that an event refers to, so that a sanitizer sees what is there no more. */
static void touch(const struct event *e)
{
    static volatile uint8_t sum;
    struct bytes texts[] = {e->group->name, e->message ? message_data(e->message) : BYTES(""),
                            e->message ? message_client_id(e->message) : BYTES("")};
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
        for (size_t k = 0; k < texts[i].len; k++)
            sum ^= texts[i].p[k];
}

static void close_reader(struct past *h)
{
    timeline_free(h->open);
    h->open = NULL;
}

/* Gives the one who catches up a few events, while others commit; once they have all, the next one
 * begins, from the start or from the middle. */
static void read_on(struct past *h, unsigned events)
{
    struct event e;
    if (h->open == NULL && model_user_count(h->m) > 0) {
        h->reader = model_user(h->m, 1 + h->count % model_user_count(h->m));
        bool all = h->count % 3 == 0;
        h->told = all || h->count % 3 == 1 ? 0 : model_cursor(h->m) / 2;
        h->open = timeline_new(h->m, h->reader, h->told, all);
    }
    for (; h->open != NULL && events > 0; events--) {
        if (!timeline_next(h->open, &e)) {
            ENSURE(timeline_position(h->open) == model_cursor(h->m));
            close_reader(h);
            return;
        }
        ENSURE(e.cursor >= h->told && e.cursor <= model_cursor(h->m));
        ENSURE(e.type != EVENT_message_posted || e.cursor > h->told);
        ENSURE(was_there(h->m, &e, h->reader));
        ENSURE(e.group->deleted == (e.type == EVENT_group_deleted));
        touch(&e);
        h->told = e.cursor;
    }
}

static void check_timelines(const struct model *m)
{
    for (uint32_t i = 1; i <= model_user_count(m); i++) {
        const struct user *u = model_user(m, i);
        uint64_t middle = model_cursor(m) / 2;
        uint32_t all = read_timeline(m, timeline_new(m, u, 0, false), u);
        ENSURE(read_timeline(m, timeline_new(m, u, middle, false), u) <= all);
        ENSURE(read_timeline(m, timeline_new_since(m, u, INT64_MIN), u) == all);
        read_timeline(m, timeline_new(m, u, 0, true), u);
        read_timeline(m, timeline_new_since(m, u, model_time(m) / 2), u);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct past h;
    struct input in = {.p = data, .left = size};
    struct buf payload = {0};

    crypto_init();
    h.m = model_new();
    h.count = 0;
    buf_reserve(&h.payloads, 1); /* payloads may all be empty; a place in it is never NULL */
    while (in.left > 0 && h.count < RECORDS_MAX) {
        buf_reset(&payload);
        uint16_t type = next_payload(&in, &payload);
        commit(&h, type, buf_bytes(&payload));
        read_on(&h, type % 3);
    }
    close_reader(&h);
    check_replay(&h);
    check_snapshot(h.m);
    check_timelines(h.m);
    model_free(h.m);
    buf_release(&h.payloads);
    buf_release(&payload);
    return 0;
}
