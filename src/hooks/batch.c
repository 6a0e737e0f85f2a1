#include "hooks/batch.h"

#include "base/json_write.h"
#include "core/hub.h"
#include "model/view.h"

/* What an event costs beside its list, in looks. */
#define EVENT_WORK 16u

void batch_release(struct batch *b)
{
    buf_release(&b->entries);
    buf_release(&b->text);
    *b = (struct batch){0};
}

void batch_reset_text(struct batch *b)
{
    buf_reset(&b->text);
    buf_shrink(&b->text, 4096);
    b->rendered = b->told = 0;
    b->event_at = 0;
}

void batch_reset(struct batch *b)
{
    batch_reset_text(b);
    buf_reset(&b->entries);
    b->count = 0;
    b->cut = false;
}

void batch_add(struct batch *b, const struct feed_entry *entry)
{
    buf_add(&b->entries, entry, sizeof *entry);
    b->count++;
}

const struct feed_entry *batch_entry(const struct batch *b, uint32_t i)
{
    return (const struct feed_entry *)(const void *)b->entries.p + i;
}

static bool lists_offline(enum event_type type)
{
    return type == EVENT_message_posted || type == EVENT_message_updated ||
           type == EVENT_message_deleted || type == EVENT_message_reacted;
}

static void open_text(struct batch *b, const struct hook *hook, const struct uuid *epoch)
{
    BUF_ADD_LIT(&b->text, "{\"hook_id\":");
    json_add_uuid(&b->text, &hook->id);
    BUF_ADD_LIT(&b->text, ",\"epoch\":");
    json_add_uuid(&b->text, epoch);
    BUF_ADD_LIT(&b->text, ",\"events\":[");
}

/* Begins the event of the next entry. */
static void open_event(struct batch *b, const struct event *e, const struct batch_options *o)
{
    if (b->told > 0)
        BUF_ADD_LIT(&b->text, ",");
    b->event_at = b->text.len;
    b->member = b->offline = 0;
    o->render(&b->text, e);
    if (o->offline_max > 0 && lists_offline(e->type)) {
        b->text.len--; /* the object's end */
        BUF_ADD_LIT(&b->text, ",\"offline\":[");
    }
}

static void close_event(struct batch *b)
{
    b->rendered++;
    b->told++;
    b->event_at = 0;
}

/* The event is no more: what was written of it goes. */
static void drop_event(struct batch *b)
{
    if (b->event_at > 0)
        b->text.len = b->event_at - (b->told > 0 ? 1 : 0);
    b->event_at = 0;
    b->rendered++;
}

static bool is_away(const struct member *mb, const struct event *e)
{
    return member_is_active(mb) && mb->user != e->user && hub_first(mb->user) == NULL &&
           member_saw(mb, e->cursor) && view_sees(mb, e->message);
}

/* Goes on with the list; the members' order never changes. How many were looked at. */
static uint32_t list_offline(struct batch *b, const struct event *e, const struct batch_options *o,
                             uint32_t work, bool *done)
{
    const struct vec *members = &e->group->members;
    uint32_t looks = 0;
    bool more = false;

    for (; b->member < members->count && !more && looks < work; b->member++, looks++) {
        const struct member *mb = vec_at(members, b->member);
        if (!is_away(mb, e))
            continue;
        more = b->offline == o->offline_max;
        if (more)
            break;
        if (b->offline++ > 0)
            BUF_ADD_LIT(&b->text, ",");
        json_add_uuid(&b->text, &mb->user->id);
    }
    *done = more || b->member == members->count;
    if (*done) {
        BUF_ADD_LIT(&b->text, "]");
        if (more)
            BUF_ADD_LIT(&b->text, ",\"offline_more\":true");
        BUF_ADD_LIT(&b->text, "}");
    }
    return looks;
}

/* The next entry, or the rest of one that was begun; what it cost. */
static uint32_t write_entry(struct batch *b, const struct model *m, const struct batch_options *o,
                            uint32_t work)
{
    uint32_t cost = 0;
    bool done = true;
    struct event e;

    if (!feed_event(m, batch_entry(b, b->rendered), &e)) {
        drop_event(b);
        return 1;
    }
    if (b->event_at == 0) {
        open_event(b, &e, o);
        cost = EVENT_WORK + (uint32_t)((b->text.len - b->event_at) / 64);
    }
    if (o->offline_max > 0 && lists_offline(e.type))
        cost += list_offline(b, &e, o, work, &done);
    if (done)
        close_event(b);
    return cost;
}

bool batch_write(struct batch *b, const struct model *m, const struct hook *hook,
                 const struct uuid *epoch, const struct batch_options *options, uint32_t work)
{
    uint32_t done = 0;

    if (b->text.len == 0)
        open_text(b, hook, epoch);
    while (b->rendered < b->count && (b->cut || b->event_at > 0 || b->text.len < BATCH_BYTES)) {
        if (done >= work)
            return false;
        done += write_entry(b, m, options, work - done);
    }
    b->cut = true;
    b->count = b->rendered;
    b->entries.len = b->count * sizeof(struct feed_entry);
    BUF_ADD_LIT(&b->text, "]}");
    return true;
}
