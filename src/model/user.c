#include "base/crypto.h"
#include "base/ensure.h"
#include "model/state.h"

#include <stdlib.h>

/* ---- tables ---------------------------------------------------------------------------------- */

static uint64_t hash_by_id(const void *entry)
{
    return uuid_hash(&((const struct user *)entry)->id);
}

static bool match_id(const void *entry, const void *key)
{
    return uuid_equal(&((const struct user *)entry)->id, key);
}

static uint64_t hash_by_name(const void *entry)
{
    return crypto_siphash(((const struct user *)entry)->username_key);
}

static bool match_name(const void *entry, const void *key)
{
    return bytes_equal(((const struct user *)entry)->username_key, *(const struct bytes *)key);
}

static uint64_t hash_by_email(const void *entry)
{
    return crypto_siphash(((const struct user *)entry)->email_key);
}

static bool match_email(const void *entry, const void *key)
{
    return bytes_equal(((const struct user *)entry)->email_key, *(const struct bytes *)key);
}

static struct bytes name_key(const void *entry)
{
    return ((const struct user *)entry)->username_key;
}

void state_init_users(struct model *m)
{
    static const struct map_kind by_id = {hash_by_id, match_id};
    static const struct map_kind by_name = {hash_by_name, match_name};
    static const struct map_kind by_email = {hash_by_email, match_email};
    map_init(&m->users_by_id, &by_id);
    map_init(&m->users_by_name, &by_name);
    map_init(&m->users_by_email, &by_email);
    m->names = (struct sorted){.key = name_key};
}

/* ---- looking --------------------------------------------------------------------------------- */

struct user *state_user(const struct model *m, uint32_t number)
{
    return number == 0 || number > m->users.count ? NULL : vec_at(&m->users, number - 1);
}

const struct user *model_user(const struct model *m, uint32_t number)
{
    return state_user(m, number);
}

const struct user *model_user_by_id(const struct model *m, const struct uuid *id)
{
    return map_find(&m->users_by_id, uuid_hash(id), id);
}

const struct user *model_user_by_name(const struct model *m, struct bytes key)
{
    return map_find(&m->users_by_name, crypto_siphash(key), &key);
}

const struct user *model_user_by_email(const struct model *m, struct bytes key)
{
    return map_find(&m->users_by_email, crypto_siphash(key), &key);
}

uint32_t model_user_count(const struct model *m)
{
    return m->users.count;
}

const struct user *model_user_from(const struct model *m, struct bytes key, bool above)
{
    return sorted_find(&m->names, key, above);
}

void state_index_name(struct model *m, struct user *u)
{
    map_add(&m->users_by_name, crypto_siphash(u->username_key), u);
    sorted_add(&m->names, u);
}

void state_unindex_name(struct model *m, const struct user *u)
{
    map_remove(&m->users_by_name, crypto_siphash(u->username_key), &u->username_key);
    sorted_remove(&m->names, u);
}

/* ---- user_create -------------------------------------------------------------------------------
 */

enum err check_user_create(const struct model *m, const struct record_user_create *r)
{
    if (r->username_key.len == 0 || model_user_by_id(m, &r->id) != NULL)
        return ERR_refused;
    if (model_user_by_name(m, r->username_key) != NULL)
        return ERR_username_taken;
    if (r->email_key.len > 0 && model_user_by_email(m, r->email_key) != NULL)
        return ERR_email_taken;
    return ERR_ok;
}

/* Copies `s` to *at and moves *at behind it. */
static struct bytes put(uint8_t **at, struct bytes s)
{
    struct bytes copy = bytes_of(*at, s.len);
    if (s.len > 0)
        memcpy(*at, s.p, s.len);
    *at += s.len;
    return copy;
}

struct user *state_new_user(struct model *m, const struct record_user_create *r,
                            const struct commit *c)
{
    size_t texts =
        r->username.len + r->username_key.len + r->email.len + r->email_key.len + r->password.len;
    struct user *u = xcalloc(1, sizeof *u + texts);
    uint8_t *at = (uint8_t *)(u + 1);

    u->number = m->users.count + 1;
    u->id = r->id;
    u->cursor = c->cursor;
    u->created_at = c->time;
    u->username = put(&at, r->username);
    u->username_key = put(&at, r->username_key);
    u->email = put(&at, r->email);
    u->email_key = put(&at, r->email_key);
    u->password = put(&at, r->password);
    vec_push(&m->users, u);
    return u;
}

void apply_user_create(struct model *m, const struct record_user_create *r, const struct commit *c)
{
    struct user *u = state_new_user(m, r, c);

    map_add(&m->users_by_id, uuid_hash(&u->id), u);
    state_index_name(m, u);
    if (u->email_key.len > 0)
        map_add(&m->users_by_email, crypto_siphash(u->email_key), u);
}

void state_unindex_user(struct model *m, struct user *u)
{
    map_remove(&m->users_by_id, uuid_hash(&u->id), &u->id);
    state_unindex_name(m, u);
    if (u->email_key.len > 0)
        map_remove(&m->users_by_email, crypto_siphash(u->email_key), &u->email_key);
}

void state_free_user(struct user *u)
{
    while (u->sessions != NULL) {
        struct session *s = u->sessions;
        u->sessions = s->next;
        free(s);
    }
    state_free_external(u);
    state_free_profile(u);
    vec_release(&u->memberships);
    free(u);
}
