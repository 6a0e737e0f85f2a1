#include "base/ensure.h"
#include "model/state.h"

#include <stdlib.h>

static uint64_t hash_by_id(const void *entry)
{
    return uuid_hash(&((const struct session *)entry)->id);
}

static bool match_id(const void *entry, const void *key)
{
    return uuid_equal(&((const struct session *)entry)->id, key);
}

/* A BLAKE2b value of random bytes hashes as itself. */
static uint64_t token_hash(const struct record_hash *token)
{
    uint64_t h;
    memcpy(&h, token->b, sizeof h);
    return h;
}

static uint64_t hash_by_token(const void *entry)
{
    return token_hash(&((const struct session *)entry)->token);
}

static bool match_token(const void *entry, const void *key)
{
    const struct session *s = entry;
    return memcmp(s->token.b, ((const struct record_hash *)key)->b, sizeof s->token.b) == 0;
}

void state_init_sessions(struct model *m)
{
    static const struct map_kind by_id = {hash_by_id, match_id};
    static const struct map_kind by_token = {hash_by_token, match_token};
    map_init(&m->sessions_by_id, &by_id);
    map_init(&m->sessions_by_token, &by_token);
}

const struct session *model_session_by_id(const struct model *m, const struct uuid *id)
{
    return map_find(&m->sessions_by_id, uuid_hash(id), id);
}

const struct session *model_session_by_token(const struct model *m, const struct record_hash *token)
{
    return map_find(&m->sessions_by_token, token_hash(token), token);
}

/* An id of zeros is nobody's: in sessions_end it says that no session stays. */
enum err check_session_create(const struct model *m, const struct record_session_create *r)
{
    if (state_person(m, r->user) == NULL || r->platform >= PLATFORM_COUNT || uuid_is_zero(&r->id) ||
        model_session_by_id(m, &r->id) != NULL || model_session_by_token(m, &r->token) != NULL)
        return ERR_refused;
    return ERR_ok;
}

/* Ends the session `id` of `u`; one that is not there (any more) is none. */
static void session_end(struct model *m, struct user *u, const struct uuid *id,
                        const struct commit *c)
{
    for (struct session **at = &u->sessions; *at != NULL; at = &(*at)->next) {
        struct session *s = *at;
        if (!uuid_equal(&s->id, id))
            continue;
        commit_tell(c, (struct event){.type = EVENT_session_ended, .user = u, .session = s});
        *at = s->next;
        u->session_count--;
        map_remove(&m->sessions_by_id, uuid_hash(&s->id), &s->id);
        map_remove(&m->sessions_by_token, token_hash(&s->token), &s->token);
        free(s);
        return;
    }
}

enum err check_session_end(const struct model *m, const struct record_session_end *r)
{
    const struct user *u = model_user(m, r->user);
    const struct session *s = model_session_by_id(m, &r->id);

    if (u == NULL)
        return ERR_refused;
    return s != NULL && s->user == u ? ERR_ok : ERR_session_not_found;
}

void apply_session_end(struct model *m, const struct record_session_end *r, const struct commit *c)
{
    session_end(m, state_user(m, r->user), &r->id, c);
}

enum err check_sessions_end(const struct model *m, const struct record_sessions_end *r)
{
    return model_user(m, r->user) != NULL ? ERR_ok : ERR_refused;
}

void apply_sessions_end(struct model *m, const struct record_sessions_end *r,
                        const struct commit *c)
{
    struct user *u = state_user(m, r->user);
    const struct session *next;

    for (const struct session *s = u->sessions; s != NULL; s = next) {
        next = s->next;
        if (!uuid_equal(&s->id, &r->except))
            session_end(m, u, &s->id, c);
    }
}

/* The list is newest first. */
static const struct session *session_oldest(const struct user *u)
{
    const struct session *s = u->sessions;
    while (s->next != NULL)
        s = s->next;
    return s;
}

void apply_session_create(struct model *m, const struct record_session_create *r,
                          const struct commit *c)
{
    struct user *u = state_user(m, r->user);
    if (!uuid_is_zero(&r->replaces))
        session_end(m, u, &r->replaces, c);
    while (r->sessions_max > 0 && u->session_count >= r->sessions_max)
        session_end(m, u, &session_oldest(u)->id, c);

    struct session *s = xcalloc(1, sizeof *s + r->device_id.len + r->model.len + r->name.len);
    s->id = r->id;
    s->token = r->token;
    s->user = u;
    s->created_at = c->time;
    s->build = r->build;
    s->platform = r->platform;
    s->device_id_len = (uint32_t)r->device_id.len;
    s->model_len = (uint32_t)r->model.len;
    s->name_len = (uint32_t)r->name.len;
    struct buf texts = {(uint8_t *)s->texts, 0, r->device_id.len + r->model.len + r->name.len};
    buf_add_bytes(&texts, r->device_id);
    buf_add_bytes(&texts, r->model);
    buf_add_bytes(&texts, r->name);
    s->next = u->sessions;
    u->sessions = s;
    u->session_count++;
    map_add(&m->sessions_by_id, uuid_hash(&s->id), s);
    map_add(&m->sessions_by_token, token_hash(&s->token), s);
}
