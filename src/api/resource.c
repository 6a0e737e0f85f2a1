#include "api/resource.h"

#include "base/ensure.h"
#include "base/json_write.h"
#include "model/view.h"

#define LIT(literal) BUF_ADD_LIT(out, literal)

void resource_display_name(struct buf *out, const struct user *u)
{
    if (user_display_name(u).len == 0)
        return;
    LIT(",\"display_name\":");
    json_add_string(out, user_display_name(u));
}

void resource_user(struct buf *out, const struct user *u, bool self)
{
    LIT("{\"id\":");
    json_add_uuid(out, &u->id);
    LIT(",\"username\":");
    json_add_string(out, u->username);
    resource_display_name(out, u);
    if (self) {
        LIT(",\"email\":");
        json_add_string(out, u->email);
        LIT(",\"created_at\":");
        json_add_int(out, u->created_at);
    }
    LIT("}");
}

void resource_session(struct buf *out, const struct session *s, bool online)
{
    static const char *const platforms[PLATFORM_COUNT] = {"web", "ios", "android", "live"};
    const char *text = s->texts;

    ENSURE(s->platform < PLATFORM_COUNT);
    LIT("{\"id\":");
    json_add_uuid(out, &s->id);
    LIT(",\"created_at\":");
    json_add_int(out, s->created_at);
    LIT(",\"device_id\":");
    json_add_string(out, bytes_of(text, s->device_id_len));
    LIT(",\"platform\":");
    json_add_string(out, bytes_cstr(platforms[s->platform]));
    LIT(",\"model\":");
    json_add_string(out, bytes_of(text + s->device_id_len, s->model_len));
    LIT(",\"build\":");
    json_add_uint(out, s->build);
    LIT(",\"name\":");
    json_add_string(out, bytes_of(text + s->device_id_len + s->model_len, s->name_len));
    LIT(",\"online\":");
    buf_add_bytes(out, online ? BYTES("true") : BYTES("false"));
    LIT("}");
}

static const char *const roles[ROLE_COUNT] = {
    [ROLE_MEMBER] = "member", [ROLE_OWNER] = "owner", [ROLE_ADMIN] = "admin"};

struct bytes resource_role(enum role role)
{
    ENSURE(role < ROLE_COUNT);
    return bytes_cstr(roles[role]);
}

/* Which of the names it is; `count` for none. */
static unsigned name_find(const char *const *names, unsigned count, struct bytes text)
{
    unsigned i = 0;

    while (i < count && !bytes_equal(text, bytes_cstr(names[i])))
        i++;
    return i;
}

bool resource_role_parse(struct bytes text, enum role *out)
{
    unsigned i = name_find(roles, ROLE_COUNT, text);
    *out = (enum role)i;
    return i < ROLE_COUNT;
}

static const char *const joins[JOIN_COUNT] = {[JOIN_MEMBERS] = "members", [JOIN_OPEN] = "open"};
static const char *const histories[HISTORY_COUNT] = {
    [HISTORY_JOINED] = "joined", [HISTORY_ALL] = "all"};

bool resource_join_parse(struct bytes text, uint8_t *out)
{
    *out = (uint8_t)name_find(joins, JOIN_COUNT, text);
    return *out < JOIN_COUNT;
}

bool resource_history_parse(struct bytes text, uint8_t *out)
{
    *out = (uint8_t)name_find(histories, HISTORY_COUNT, text);
    return *out < HISTORY_COUNT;
}

void resource_add_rules(struct buf *out, uint8_t join, uint8_t history)
{
    ENSURE(join < JOIN_COUNT && history < HISTORY_COUNT);
    LIT(",\"join\":");
    json_add_string(out, bytes_cstr(joins[join]));
    LIT(",\"history\":");
    json_add_string(out, bytes_cstr(histories[history]));
}

struct bytes resource_kind(const struct group *g)
{
    return g->kind == GROUP_DIRECT ? BYTES("direct") : BYTES("group");
}

void resource_open_door(struct buf *out, const struct group *g)
{
    const struct change *created = vec_at(&g->changes, 0);

    LIT("{\"id\":");
    json_add_uuid(out, &g->id);
    LIT(",\"name\":");
    json_add_string(out, g->name);
    LIT(",\"kind\":");
    json_add_string(out, resource_kind(g));
    LIT(",\"created_at\":");
    json_add_int(out, created->time);
    LIT(",\"member_count\":");
    json_add_uint(out, g->active.count);
    resource_add_rules(out, g->join, g->history);
    LIT("}");
}

void resource_open_group(struct buf *out, const struct member *mb)
{
    const struct group *g = mb->group;
    const struct change *created = vec_at(&g->changes, 0);

    LIT("{\"id\":");
    json_add_uuid(out, &g->id);
    LIT(",\"name\":");
    json_add_string(out, g->name);
    LIT(",\"kind\":");
    json_add_string(out, resource_kind(g));
    LIT(",\"role\":");
    json_add_string(out, resource_role((enum role)mb->role));
    LIT(",\"owner_id\":");
    json_add_uuid(out, &g->owner->id);
    LIT(",\"created_at\":");
    json_add_int(out, created->time);
    LIT(",\"member_count\":");
    json_add_uint(out, g->active.count);
    LIT(",\"retention_days\":");
    json_add_uint(out, g->retention_days);
    LIT(",\"first_seq\":");
    json_add_uint(out, (uint64_t)g->expired + 1);
    LIT(",\"last_seq\":");
    json_add_uint(out, g->messages.count);
    LIT(",\"read_seq\":");
    json_add_uint(out, mb->read.seq);
    LIT(",\"delivered_seq\":");
    json_add_uint(out, mb->delivered.seq);
    LIT(",\"unread\":");
    json_add_uint(out, view_unread(mb));
    LIT(",\"mentions\":");
    json_add_uint(out, mentions_above(g, mb->user, mb->read.seq));
    LIT(",\"last_cursor\":");
    json_add_uint(out, g->last_cursor);
    resource_add_rules(out, g->join, g->history);
}

void resource_amendment(struct buf *out, const struct message *msg)
{
    const struct amendment *am = message_amendment(msg);

    if (msg->deleted) {
        LIT(",\"deleted\":true");
    } else if (am != NULL && am->cursor > 0) {
        LIT(",\"edited_at\":");
        json_add_int(out, am->time);
        LIT(",\"version\":");
        json_add_uint(out, am->version);
    }
}

void resource_details(struct buf *out, const struct group *g, const struct message *msg)
{
    const struct details *de = message_details(msg);
    const struct message *to = group_message(g, de->reply_to);

    /* One that has expired has no id any more. */
    if (to != NULL) {
        LIT(",\"reply_to\":");
        json_add_uuid(out, &to->id);
    }
    for (uint32_t i = 0; i < de->mention_count; i++) {
        buf_add_bytes(out, i == 0 ? BYTES(",\"mentions\":[") : BYTES(","));
        json_add_uuid(out, &de->mentions[i]->id);
    }
    if (de->mention_count > 0)
        LIT("]");
    if (de->meta_len > 0) {
        LIT(",\"meta\":");
        buf_add_bytes(out, details_meta(de));
    }
}

/* The emojis with which somebody reacts: as many as the setting user-reactions-max allows at most.
 */
struct own {
    uint32_t emojis[1000];
    uint32_t count;
};

static void own_find(struct own *own, const struct amendment *am, const struct user *reader)
{
    own->count = 0;
    for (uint32_t i = 0; i < am->reaction_count; i++) {
        const struct reaction *re = &am->reactions[i];
        if (re->user == reader->number && !re->removed &&
            own->count < sizeof own->emojis / sizeof own->emojis[0])
            own->emojis[own->count++] = re->emoji;
    }
}

static bool own_has(const struct own *own, uint32_t emoji)
{
    for (uint32_t i = 0; i < own->count; i++) {
        if (own->emojis[i] == emoji)
            return true;
    }
    return false;
}

static void add_reactions(struct buf *out, const struct amendment *am, const struct user *reader)
{
    bool first = true;
    struct own own;

    own_find(&own, am, reader);
    LIT(",\"reactions\":[");
    for (uint32_t i = 0; i < am->emoji_count; i++) {
        const struct emoji *em = &am->emojis[i];
        if (em->count == 0)
            continue;
        if (!first)
            LIT(",");
        first = false;
        LIT("{\"emoji\":");
        json_add_string(out, bytes_of(em->bytes, em->len));
        LIT(",\"count\":");
        json_add_uint(out, em->count);
        LIT(",\"mine\":");
        buf_add_bytes(out, own_has(&own, i) ? BYTES("true") : BYTES("false"));
        LIT("}");
    }
    LIT("]");
}

void resource_message(struct buf *out, const struct model *m, const struct message *msg,
                      const struct user *reader)
{
    LIT("{\"message_id\":");
    json_add_uuid(out, &msg->id);
    LIT(",\"group_id\":");
    json_add_uuid(out, &model_group(m, msg->group)->id);
    LIT(",\"user_id\":");
    json_add_uuid(out, &model_user(m, msg->author)->id);
    LIT(",\"seq\":");
    json_add_uint(out, msg->seq);
    LIT(",\"data\":");
    json_add_string(out, message_data(msg));
    LIT(",\"timestamp\":");
    json_add_int(out, message_time(msg));
    LIT(",\"cursor\":");
    json_add_uint(out, msg->cursor);
    if (msg->author == reader->number && msg->client_id_len > 0) {
        LIT(",\"client_id\":");
        json_add_string(out, message_client_id(msg));
    }
    if (msg->detailed)
        resource_details(out, model_group(m, msg->group), msg);
    if (msg->amended) {
        resource_amendment(out, msg);
        if (!msg->deleted)
            add_reactions(out, message_amendment(msg), reader);
    }
    LIT("}");
}
