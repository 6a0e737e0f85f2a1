#include "api/render.h"

#include "api/resource.h"
#include "api/rest.h"
#include "base/ensure.h"
#include "base/json_write.h"
#include "model/view.h"

#define LIT(literal) BUF_ADD_LIT(out, literal)

/* {"type":T,"cursor":C,"timestamp":MS,"body":{ — what is not durable has no cursor. */
static void open_event(struct buf *out, unsigned type, uint64_t cursor, int64_t time)
{
    LIT("{\"type\":");
    json_add_uint(out, type);
    if (cursor > 0) {
        LIT(",\"cursor\":");
        json_add_uint(out, cursor);
    }
    LIT(",\"timestamp\":");
    json_add_int(out, time);
    LIT(",\"body\":{");
}

static void add_message_place(struct buf *out, const struct message *msg, const struct group *g)
{
    LIT("\"message_id\":");
    json_add_uuid(out, &msg->id);
    LIT(",\"group_id\":");
    json_add_uuid(out, &g->id);
}

size_t render_posted(struct buf *out, const struct event *e)
{
    size_t start = out->len;
    open_event(out, 20, e->cursor, e->time);
    add_message_place(out, e->message, e->group);
    size_t shared = out->len - start;
    LIT(",\"user_id\":");
    json_add_uuid(out, &e->user->id);
    LIT(",\"seq\":");
    json_add_uint(out, e->message->seq);
    LIT(",\"data\":");
    json_add_string(out, message_data(e->message));
    if (e->message->detailed)
        resource_details(out, e->group, e->message);
    if (e->message->amended)
        resource_amendment(out, e->message);
    LIT("}}");
    return shared;
}

static void render_receipt(struct buf *out, const struct event *e)
{
    add_message_place(out, e->message, e->group);
    LIT(",\"user_id\":");
    json_add_uuid(out, &e->user->id);
    LIT(",\"seq\":");
    json_add_uint(out, e->message->seq);
}

static void render_amendment(struct buf *out, const struct event *e)
{
    render_receipt(out, e);
    if (e->type == EVENT_message_updated) {
        LIT(",\"data\":");
        json_add_string(out, message_data(e->message));
        resource_amendment(out, e->message);
    }
}

static void render_reaction(struct buf *out, const struct event *e)
{
    const struct emoji *em = &message_amendment(e->message)->emojis[e->reaction->emoji];

    render_receipt(out, e);
    LIT(",\"emoji\":");
    json_add_string(out, bytes_of(em->bytes, em->len));
    LIT(",\"removed\":");
    buf_add_bytes(out, e->reaction->removed ? BYTES("true") : BYTES("false"));
    LIT(",\"count\":");
    json_add_uint(out, em->count);
}

/* The group as it was when it was made, however it is now. */
static void render_group_created(struct buf *out, const struct event *e)
{
    struct settings first = group_first_settings(e->group);

    LIT("\"group_id\":");
    json_add_uuid(out, &e->group->id);
    LIT(",\"name\":");
    json_add_string(out, first.name);
    LIT(",\"user_ids\":[");
    for (uint32_t i = 0; i < e->group->founder_count; i++) {
        const struct member *mb = vec_at(&e->group->members, i);
        if (i > 0)
            LIT(",");
        json_add_uuid(out, &mb->user->id);
    }
    LIT("],\"seq\":0,\"kind\":");
    json_add_string(out, resource_kind(e->group));
    LIT(",\"owner_id\":");
    json_add_uuid(out, &e->user->id);
    resource_add_rules(out, first.join, first.history);
}

static void render_settings(struct buf *out, const struct event *e)
{
    const struct group *g = e->group;

    LIT("\"group_id\":");
    json_add_uuid(out, &g->id);
    LIT(",\"name\":");
    json_add_string(out, g->name);
    resource_add_rules(out, g->join, g->history);
    LIT(",\"retention_days\":");
    json_add_uint(out, g->retention_days);
    LIT(",\"by\":");
    json_add_uuid(out, &e->by->id);
}

static void render_group_deleted(struct buf *out, const struct event *e)
{
    LIT("\"group_id\":");
    json_add_uuid(out, &e->group->id);
    LIT(",\"by\":");
    json_add_uuid(out, &e->by->id);
}

static void render_membership(struct buf *out, const struct event *e)
{
    LIT("\"group_id\":");
    json_add_uuid(out, &e->group->id);
    LIT(",\"user_id\":");
    json_add_uuid(out, &e->user->id);
    LIT(",\"by\":");
    json_add_uuid(out, &e->by->id);
    if (e->owner != NULL) {
        LIT(",\"owner_id\":");
        json_add_uuid(out, &e->owner->id);
    }
}

static void render_role(struct buf *out, const struct event *e)
{
    LIT("\"group_id\":");
    json_add_uuid(out, &e->group->id);
    LIT(",\"user_id\":");
    json_add_uuid(out, &e->user->id);
    LIT(",\"role\":");
    json_add_string(out, resource_role(e->role));
    LIT(",\"by\":");
    json_add_uuid(out, &e->by->id);
}

void render_event(struct buf *out, const struct event *e)
{
    if (e->type == EVENT_message_posted) {
        render_posted(out, e);
        return;
    }
    open_event(out, e->type, e->cursor, e->time);
    switch (e->type) {
    case EVENT_message_delivered:
    case EVENT_message_read:
        render_receipt(out, e);
        break;
    case EVENT_message_updated:
    case EVENT_message_deleted:
        render_amendment(out, e);
        break;
    case EVENT_message_reacted:
        render_reaction(out, e);
        break;
    case EVENT_group_created:
        render_group_created(out, e);
        break;
    case EVENT_member_added:
    case EVENT_member_removed:
        render_membership(out, e);
        break;
    case EVENT_group_changed:
        render_settings(out, e);
        break;
    case EVENT_group_deleted:
        render_group_deleted(out, e);
        break;
    case EVENT_role_given:
        render_role(out, e);
        break;
    case EVENT_message_posted:
    case EVENT_session_ended:
    case EVENT_tokens_ended:
        ENSURE(!"an event of this kind");
    }
    LIT("}}");
}

/* What a sender learns of a message, behind its place. */
static void add_sent(struct buf *out, const struct message *msg, bool duplicate)
{
    LIT(",\"seq\":");
    json_add_uint(out, msg->seq);
    if (msg->client_id_len > 0) {
        LIT(",\"client_id\":");
        json_add_string(out, message_client_id(msg));
    }
    if (duplicate)
        LIT(",\"duplicate\":true");
}

void render_sent_of_posted(struct buf *out, size_t shared, const struct message *msg)
{
    static const char type_20[] = "{\"type\":20,";
    ENSURE(out->len > shared && memcmp(out->p, type_20, sizeof type_20 - 1) == 0);
    out->p[sizeof type_20 - 3] = '1';
    out->len = shared;
    add_sent(out, msg, false);
    LIT("}}");
}

void render_sent(struct buf *out, const struct model *m, const struct message *msg, bool duplicate)
{
    open_event(out, 21, msg->cursor, message_time(msg));
    add_message_place(out, msg, model_group(m, msg->group));
    add_sent(out, msg, duplicate);
    LIT("}}");
}

void render_typing(struct buf *out, bool starts, int64_t time, const struct group *g,
                   const struct user *u)
{
    open_event(out, starts ? 40 : 41, 0, time);
    LIT("\"group_id\":");
    json_add_uuid(out, &g->id);
    LIT(",\"user_id\":");
    json_add_uuid(out, &u->id);
    LIT("}}");
}

void render_unread(struct buf *out, int64_t time, const struct member *mb, const uint64_t *total)
{
    open_event(out, 29, 0, time);
    LIT("\"group_id\":");
    json_add_uuid(out, &mb->group->id);
    LIT(",\"read_seq\":");
    json_add_uint(out, mb->read.seq);
    LIT(",\"unread\":");
    json_add_uint(out, view_unread(mb));
    if (total != NULL) {
        LIT(",\"total_unread\":");
        json_add_uint(out, *total);
    }
    LIT("}}");
}

void render_presence(struct buf *out, int64_t time, const struct user *u, bool online,
                     int64_t last_seen)
{
    open_event(out, 42, 0, time);
    LIT("\"user_id\":");
    json_add_uuid(out, &u->id);
    LIT(",\"status\":\"");
    buf_add_bytes(out, online ? BYTES("online") : BYTES("offline"));
    LIT("\",\"last_seen\":");
    json_add_int(out, last_seen);
    LIT("}}");
}

static void open_reply(struct buf *out, const struct reply *reply, int64_t time)
{
    LIT("{\"type\":11,");
    if (reply->id.len > 0) {
        LIT("\"id\":");
        buf_add_bytes(out, reply->id);
        LIT(",");
    }
    LIT("\"timestamp\":");
    json_add_int(out, time);
    LIT(",\"body\":{\"ok\":");
}

void render_ok(struct buf *out, const struct reply *reply, int64_t time, const struct model *m,
               const struct message *msg, bool duplicate)
{
    open_reply(out, reply, time);
    LIT("true");
    if (msg != NULL) {
        LIT(",");
        add_message_place(out, msg, model_group(m, msg->group));
        add_sent(out, msg, duplicate);
        LIT(",\"timestamp\":");
        json_add_int(out, message_time(msg));
        LIT(",\"cursor\":");
        json_add_uint(out, msg->cursor);
    }
    LIT("}}");
}

void render_ok_with(struct buf *out, const struct reply *reply, int64_t time, struct bytes members)
{
    open_reply(out, reply, time);
    LIT("true,");
    buf_add_bytes(out, members);
    LIT("}}");
}

void render_refusal(struct buf *out, const struct reply *reply, int64_t time, enum err err,
                    const struct problem *problem)
{
    const char *detail = problem != NULL ? problem->detail : NULL;

    open_reply(out, reply, time);
    LIT("false,\"method\":");
    json_add_int(out, reply->method);
    LIT(",\"status\":");
    json_add_int(out, err_status(err));
    LIT(",\"code\":\"");
    buf_add_bytes(out, bytes_cstr(err_code(err)));
    LIT("\",\"error\":");
    json_add_string(out, bytes_cstr(detail != NULL ? detail : err_sentence(err)));
    if (problem != NULL && problem->retry_ms > 0) {
        LIT(",\"retry_after\":");
        json_add_uint(out, (problem->retry_ms + 999) / 1000);
    }
    LIT("}}");
}

void render_error(struct buf *out, enum err err, const char *detail)
{
    LIT("{\"error\":");
    json_add_string(out, bytes_cstr(detail != NULL ? detail : err_sentence(err)));
    LIT(",\"code\":\"");
    buf_add_bytes(out, bytes_cstr(err_code(err)));
    LIT("\"}");
}

void render_hello(struct buf *out, const struct api *a, const struct session *s, int64_t time)
{
    struct uuid epoch = engine_epoch(a->engine);

    open_event(out, 10, 0, time);
    LIT("\"session_id\":");
    json_add_uuid(out, &s->id);
    LIT(",\"user_id\":");
    json_add_uuid(out, &s->user->id);
    LIT(",\"epoch\":");
    json_add_uuid(out, &epoch);
    LIT(",\"cursor\":");
    json_add_uint(out, model_cursor(engine_model(a->engine)));
    LIT(",\"ping_ms\":");
    json_add_uint(out, (uint64_t)a->limits.ping_interval_s * 1000);
    LIT(",\"max_message\":");
    json_add_uint(out, a->limits.message_max);
    LIT(",\"server_time\":");
    json_add_int(out, time);
    LIT("}}");
}

void render_goodbye(struct buf *out, int64_t time, uint32_t retry_after_s)
{
    open_event(out, 13, 0, time);
    LIT("\"retry_after\":");
    json_add_uint(out, retry_after_s);
    LIT("}}");
}

void render_marker(struct buf *out, int64_t time, uint64_t cursor, const struct uuid *epoch,
                   bool more, bool reset)
{
    open_event(out, 12, 0, time);
    LIT("\"cursor\":");
    json_add_uint(out, cursor);
    LIT(",\"epoch\":");
    json_add_uuid(out, epoch);
    LIT(",\"more\":");
    buf_add_bytes(out, more ? BYTES("true") : BYTES("false"));
    LIT(",\"reset\":");
    buf_add_bytes(out, reset ? BYTES("true") : BYTES("false"));
    LIT("}}");
}
