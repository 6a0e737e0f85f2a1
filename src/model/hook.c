#include "model/hook.h"

#include "base/crypto.h"
#include "base/ensure.h"
#include "model/state.h"

#include <stdlib.h>

/* What happens in groups. */
static bool is_offered(enum event_type type)
{
    switch (type) {
    case EVENT_message_posted:
    case EVENT_message_delivered:
    case EVENT_message_read:
    case EVENT_message_updated:
    case EVENT_message_deleted:
    case EVENT_message_reacted:
    case EVENT_group_created:
    case EVENT_group_changed:
    case EVENT_member_added:
    case EVENT_member_removed:
    case EVENT_role_given:
    case EVENT_group_deleted:
        return true;
    case EVENT_session_ended:
    case EVENT_tokens_ended:
        return false;
    }
    return false;
}

bool hook_offers(uint32_t type)
{
    return type <= UINT8_MAX && is_offered((enum event_type)type);
}

bool hook_wants(const struct hook *hook, enum event_type type)
{
    for (uint32_t i = 0; i < hook->type_count; i++) {
        if (hook->types[i] == (uint8_t)type)
            return true;
    }
    return hook->type_count == 0;
}

uint32_t model_hook_count(const struct model *m)
{
    return m->hooks.count;
}

const struct hook *model_hook(const struct model *m, uint32_t i)
{
    return vec_at(&m->hooks, i);
}

/* There are a few, and somebody looks for one once a request: no table. */
static struct hook *find(const struct model *m, const struct uuid *id)
{
    for (uint32_t i = 0; i < m->hooks.count; i++) {
        struct hook *hook = vec_at(&m->hooks, i);
        if (uuid_equal(&hook->id, id))
            return hook;
    }
    return NULL;
}

const struct hook *model_hook_by_id(const struct model *m, const struct uuid *id)
{
    return find(m, id);
}

uint32_t model_hook_changes(const struct model *m)
{
    return m->hook_changes;
}

bool state_hook_types_valid(const struct record_u32s *types)
{
    uint32_t before = 0;

    for (uint32_t i = 0; i < types->count; i++) {
        uint32_t type = record_u32s_at(types, i);
        if (type <= before || !hook_offers(type))
            return false;
        before = type;
    }
    return true;
}

/* What a hook is made of that may change. */
struct parts {
    struct bytes secret, old_secret, url;
    int64_t old_until;
};

static struct hook *new_hook(struct model *m, const struct parts *p)
{
    struct hook *hook = xcalloc(1, sizeof *hook + p->secret.len + p->old_secret.len + p->url.len);
    uint8_t *texts = (uint8_t *)(hook + 1);

    hook->secret = bytes_of(texts, p->secret.len);
    hook->old_secret = bytes_of(texts + p->secret.len, p->old_secret.len);
    hook->url = bytes_of(texts + p->secret.len + p->old_secret.len, p->url.len);
    memcpy(texts, p->secret.p, p->secret.len);
    if (p->old_secret.len > 0)
        memcpy(texts + p->secret.len, p->old_secret.p, p->old_secret.len);
    memcpy(texts + p->secret.len + p->old_secret.len, p->url.p, p->url.len);
    hook->old_until = p->old_until;
    hook->edition = ++m->hook_changes;
    return hook;
}

static void free_hook(struct hook *hook)
{
    crypto_wipe(hook + 1, hook->secret.len + hook->old_secret.len);
    free(hook);
}

static void set_types(struct hook *hook, const struct record_u32s *types)
{
    ENSURE(types->count <= UINT8_MAX);
    hook->type_count = types->count;
    memset(hook->types, 0, sizeof hook->types);
    for (uint32_t i = 0; i < types->count; i++)
        hook->types[i] = (uint8_t)record_u32s_at(types, i);
}

/* The same hook, of other parts; the old one is gone. */
static struct hook *remake(struct model *m, const struct hook *old, const struct parts *parts)
{
    struct hook *hook = new_hook(m, parts);
    uint32_t i = 0;

    hook->id = old->id;
    hook->cursor = old->cursor;
    hook->created_at = old->created_at;
    hook->position = old->position;
    hook->type_count = old->type_count;
    memcpy(hook->types, old->types, sizeof hook->types);
    while (vec_at(&m->hooks, i) != old)
        i++;
    free_hook(vec_at(&m->hooks, i));
    vec_set(&m->hooks, i, hook);
    return hook;
}

struct hook *state_add_hook(struct model *m, const struct uuid *id, const struct record_u32s *types,
                            struct bytes secret, struct bytes url)
{
    struct hook *hook = new_hook(m, &(struct parts){.secret = secret, .url = url});

    hook->id = *id;
    set_types(hook, types);
    vec_push(&m->hooks, hook);
    return hook;
}

void state_set_old_secret(struct model *m, struct bytes secret, int64_t until)
{
    const struct hook *hook = vec_at(&m->hooks, m->hooks.count - 1);

    (void)remake(m, hook, &(struct parts){hook->secret, secret, hook->url, until});
}

void state_free_hooks(struct model *m)
{
    for (uint32_t i = 0; i < m->hooks.count; i++)
        free_hook(vec_at(&m->hooks, i));
    vec_release(&m->hooks);
}

/* ---- hook_create ----------------------------------------------------------------------------- */

enum err check_hook_create(const struct model *m, const struct record_hook_create *r)
{
    if (find(m, &r->id) != NULL || r->url.len == 0 || r->url.len > HOOK_URL_MAX ||
        r->secret.len == 0 || !state_hook_types_valid(&r->types))
        return ERR_refused;
    return r->hooks_max > 0 && m->hooks.count >= r->hooks_max ? ERR_too_many_hooks : ERR_ok;
}

void apply_hook_create(struct model *m, const struct record_hook_create *r, const struct commit *c)
{
    struct hook *hook = state_add_hook(m, &r->id, &r->types, r->secret, r->url);

    hook->cursor = c->cursor;
    hook->created_at = c->time;
    hook->position = r->after < c->cursor ? r->after : c->cursor;
}

/* ---- hook_delete ----------------------------------------------------------------------------- */

enum err check_hook_delete(const struct model *m, const struct record_hook_delete *r)
{
    return find(m, &r->id) != NULL ? ERR_ok : ERR_hook_not_found;
}

void apply_hook_delete(struct model *m, const struct record_hook_delete *r, const struct commit *c)
{
    struct hook *gone = find(m, &r->id);
    uint32_t kept = 0;

    (void)c;
    for (uint32_t i = 0; i < m->hooks.count; i++) {
        struct hook *hook = vec_at(&m->hooks, i);
        if (hook != gone)
            vec_set(&m->hooks, kept++, hook);
    }
    (void)vec_pop(&m->hooks);
    free_hook(gone);
    m->hook_changes++;
}

/* ---- hook_update ----------------------------------------------------------------------------- */

enum err check_hook_update(const struct model *m, const struct record_hook_update *r)
{
    if (find(m, &r->id) == NULL)
        return ERR_hook_not_found;
    if (r->fields == 0 || r->fields > HOOK_FIELDS || r->until < 0 || r->until > MODEL_TIME_MAX ||
        (r->fields & HOOK_URL ? r->url.len == 0 || r->url.len > HOOK_URL_MAX : r->url.len > 0) ||
        (r->fields & HOOK_SECRET ? r->secret.len == 0 : r->secret.len > 0 || r->until > 0) ||
        (r->fields & HOOK_TYPES ? !state_hook_types_valid(&r->types) : r->types.count > 0))
        return ERR_refused;
    return ERR_ok;
}

/* One that is set again is no other: who repeats a request that was lost keeps the one before. */
void apply_hook_update(struct model *m, const struct record_hook_update *r, const struct commit *c)
{
    const struct hook *old = find(m, &r->id);
    struct parts parts = {old->secret, old->old_secret, old->url, old->old_until};

    if (parts.old_until <= c->time) {
        parts.old_secret.len = 0;
        parts.old_until = 0;
    }
    if (r->fields & HOOK_URL)
        parts.url = r->url;
    if (r->fields & HOOK_SECRET && !bytes_equal(r->secret, old->secret)) {
        parts.secret = r->secret;
        parts.old_secret = r->until > c->time ? old->secret : bytes_of(NULL, 0);
        parts.old_until = r->until > c->time ? r->until : 0;
    }
    struct hook *hook = remake(m, old, &parts);
    if (r->fields & HOOK_TYPES)
        set_types(hook, &r->types);
}

/* ---- hook_progress --------------------------------------------------------------------------- */

enum err check_hook_progress(const struct model *m, const struct record_hook_progress *r)
{
    const struct hook *hook = find(m, &r->id);

    if (hook == NULL)
        return ERR_hook_not_found;
    if (r->cursor > m->cursor)
        return ERR_refused;
    return r->cursor > hook->position ? ERR_ok : ERR_duplicate;
}

void apply_hook_progress(struct model *m, const struct record_hook_progress *r,
                         const struct commit *c)
{
    (void)c;
    find(m, &r->id)->position = r->cursor;
}
