#include "api/resource.h"

#include "base/ensure.h"
#include "base/json_write.h"
#include "model/view.h"

#define LIT(literal) BUF_ADD_LIT(out, literal)

void resource_user(struct buf *out, const struct user *u, bool self)
{
    LIT("{\"id\":");
    json_add_uuid(out, &u->id);
    LIT(",\"username\":");
    json_add_string(out, u->username);
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

bool resource_role_parse(struct bytes text, enum role *out)
{
    for (unsigned i = 0; i < ROLE_COUNT; i++) {
        if (bytes_equal(text, bytes_cstr(roles[i]))) {
            *out = (enum role)i;
            return true;
        }
    }
    return false;
}

void resource_open_group(struct buf *out, const struct member *mb)
{
    const struct group *g = mb->group;
    const struct change *created = vec_at(&g->changes, 0);

    LIT("{\"id\":");
    json_add_uuid(out, &g->id);
    LIT(",\"name\":");
    json_add_string(out, g->name);
    LIT(",\"kind\":\"group\",\"role\":");
    json_add_string(out, resource_role((enum role)mb->role));
    LIT(",\"owner_id\":");
    json_add_uuid(out, &g->owner->id);
    LIT(",\"created_at\":");
    json_add_int(out, created->time);
    LIT(",\"member_count\":");
    json_add_uint(out, g->active.count);
    LIT(",\"last_seq\":");
    json_add_uint(out, g->messages.count);
    LIT(",\"read_seq\":");
    json_add_uint(out, mb->read.seq);
    LIT(",\"delivered_seq\":");
    json_add_uint(out, mb->delivered.seq);
    LIT(",\"unread\":");
    json_add_uint(out, view_unread(mb));
    LIT(",\"last_cursor\":");
    json_add_uint(out, g->last_cursor);
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
    json_add_int(out, msg->time);
    LIT(",\"cursor\":");
    json_add_uint(out, msg->cursor);
    if (msg->author == reader->number && msg->client_id_len > 0) {
        LIT(",\"client_id\":");
        json_add_string(out, message_client_id(msg));
    }
    LIT("}");
}
