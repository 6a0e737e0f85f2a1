/*
 * external: the people of the app, which knows them under ids of its own.
 */
#include "base/crypto.h"
#include "base/ensure.h"
#include "model/state.h"

#include <stdlib.h>

#define EXTERNAL_ID_MAX 64

struct bytes user_external_id(const struct user *u)
{
    return u->external == NULL ? bytes_of(NULL, 0) : bytes_of(u->external->id, u->external->id_len);
}

bool external_id_valid(struct bytes external_id)
{
    if (external_id.len == 0 || external_id.len > EXTERNAL_ID_MAX)
        return false;
    for (size_t i = 0; i < external_id.len; i++) {
        uint8_t c = external_id.p[i], lower = c | 0x20;
        if (!(lower >= 'a' && lower <= 'z') && !(c >= '0' && c <= '9') && c != '-' && c != '.' &&
            c != '_' && c != '~' && c != ':' && c != '@')
            return false;
    }
    return true;
}

/* ---- the table ------------------------------------------------------------------------------- */

static uint64_t hash_by_external_id(const void *entry)
{
    return crypto_siphash(user_external_id(entry));
}

static bool match_external_id(const void *entry, const void *key)
{
    return bytes_equal(user_external_id(entry), *(const struct bytes *)key);
}

void state_init_externals(struct model *m)
{
    static const struct map_kind by_external_id = {hash_by_external_id, match_external_id};
    map_init(&m->users_by_external_id, &by_external_id);
}

const struct user *model_user_by_external_id(const struct model *m, struct bytes external_id)
{
    return map_find(&m->users_by_external_id, crypto_siphash(external_id), &external_id);
}

void state_add_external(struct model *m, struct user *u, struct bytes external_id)
{
    struct external *x = xcalloc(1, sizeof *x + external_id.len);

    x->user = u;
    x->id_len = (uint8_t)external_id.len;
    memcpy(x->id, external_id.p, external_id.len);
    u->external = x;
    map_add(&m->users_by_external_id, crypto_siphash(external_id), u);
}

void state_unindex_external(struct model *m, const struct user *u)
{
    struct bytes id = user_external_id(u);

    if (u->external != NULL)
        map_remove(&m->users_by_external_id, crypto_siphash(id), &id);
}

/* The names are the user's, who has wiped them. */
void state_free_external(struct user *u)
{
    if (u->external == NULL)
        return;
    crypto_wipe(u->external->id, u->external->id_len);
    free(u->external->names);
    free(u->external);
    u->external = NULL;
}

/* ---- app_user_create ------------------------------------------------------------------------- */

static struct record_user_create as_user_create(const struct record_app_user_create *r)
{
    return (struct record_user_create){
        .time = r->time, .id = r->id, .username = r->username, .username_key = r->username_key};
}

enum err check_app_user_create(const struct model *m, const struct record_app_user_create *r)
{
    struct record_user_create user = as_user_create(r);

    if (!external_id_valid(r->external_id))
        return ERR_refused;
    /* Two asked for the same at once. */
    if (model_user_by_external_id(m, r->external_id) != NULL)
        return ERR_duplicate;
    return check_user_create(m, &user);
}

void apply_app_user_create(struct model *m, const struct record_app_user_create *r,
                           const struct commit *c)
{
    struct record_user_create user = as_user_create(r);

    apply_user_create(m, &user, c);
    state_add_external(m, state_user(m, m->users.count), r->external_id);
}

/* ---- app_user_rename ------------------------------------------------------------------------- */

enum err check_app_user_rename(const struct model *m, const struct record_app_user_rename *r)
{
    const struct user *u = model_user(m, r->user);

    if (u == NULL || u->external == NULL || r->username_key.len == 0)
        return ERR_refused;
    const struct user *who = model_user_by_name(m, r->username_key);
    return who == NULL || who == u ? ERR_ok : ERR_username_taken;
}

void apply_app_user_rename(struct model *m, const struct record_app_user_rename *r,
                           const struct commit *c)
{
    struct user *u = state_user(m, r->user);
    uint8_t *names = xmalloc(r->username.len + r->username_key.len);

    (void)c;
    state_unindex_name(m, u);
    if (r->username.len > 0)
        memcpy(names, r->username.p, r->username.len);
    memcpy(names + r->username.len, r->username_key.p, r->username_key.len);
    u->username = bytes_of(names, r->username.len);
    u->username_key = bytes_of(names + r->username.len, r->username_key.len);
    state_index_name(m, u);
    free(u->external->names);
    u->external->names = names;
}
