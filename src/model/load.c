/*
 * load: a snapshot's records become the model that was saved.
 *
 * Whatever a file may say, what is accepted passes model_verify: each check there has its refusal
 * here. What was refused half-way is still a model that can be freed.
 */
#include "base/ensure.h"
#include "model/hook.h"
#include "model/load_inside.h"

#include <endian.h>
#include <stdlib.h>

/* The counts of the head size the tables, but a damaged head must not take all memory: larger
 * tables grow by themselves. */
#define RESERVE_MAX (UINT64_C(1) << 26)

/* ---- head ------------------------------------------------------------------------------------ */

static void reserve(struct map *map, uint64_t count)
{
    map_reserve(map, count < RESERVE_MAX ? count : RESERVE_MAX);
}

static bool load_head(struct model *m, struct bytes *in)
{
    struct load l = {.before = SAVED_head};
    uint64_t cursor, time;

    if (m->cursor != 0 || m->users.count > 0 || !take_upto(in, MODEL_CURSOR_MAX, &cursor) ||
        !take_upto(in, MODEL_TIME_MAX, &time) || !take_upto(in, UINT32_MAX - 2, &l.users) ||
        !varint_take(in, &l.sessions) || !take_upto(in, UINT32_MAX - 2, &l.groups) ||
        !varint_take(in, &l.members) || !varint_take(in, &l.messages) ||
        !varint_take(in, &l.client_ids))
        return false;
    m->cursor = cursor;
    m->time = (int64_t)time;
    m->load = xmalloc(sizeof *m->load);
    *m->load = l;
    reserve(&m->users_by_id, l.users);
    reserve(&m->users_by_name, l.users);
    reserve(&m->users_by_email, l.users);
    reserve(&m->sessions_by_id, l.sessions);
    reserve(&m->sessions_by_token, l.sessions);
    reserve(&m->groups_by_id, l.groups);
    reserve(&m->members, l.members);
    reserve(&m->messages_by_id, l.messages);
    reserve(&m->messages_by_client_id, l.client_ids);
    return true;
}

static bool load_epoch(struct model *m, struct bytes *in)
{
    return uuid_is_zero(&m->epoch) && take_array(in, m->epoch.b, sizeof m->epoch.b) &&
           !uuid_is_zero(&m->epoch);
}

/* ---- users: what was saved is a record that can be checked and applied -------------------------
 */

/* What is known of everybody. */
static bool take_user(const struct model *m, struct bytes *in, struct uuid *id, struct commit *c)
{
    const struct user *before = state_user(m, m->users.count);

    return m->users.count < m->load->users && take_array(in, id->b, sizeof id->b) &&
           take_upto(in, m->cursor, &c->cursor) &&
           c->cursor > (before != NULL ? before->cursor : 0) && take_time(m, in, &c->time);
}

static bool load_user(struct model *m, struct bytes *in)
{
    struct record_user_create r = {0};
    struct commit c = {0};

    if (!take_user(m, in, &r.id, &c) || !take_text8(in, &r.username) ||
        !take_text8(in, &r.username_key) || !take_text8(in, &r.email) ||
        !take_text8(in, &r.email_key) || !take_text8(in, &r.password) ||
        check_user_create(m, &r) != ERR_ok)
        return false;
    apply_user_create(m, &r, &c);
    return true;
}

static bool load_erased(struct model *m, struct bytes *in)
{
    struct record_user_create r = {0};
    struct commit c = {0};
    uint8_t erasure;

    if (!take_user(m, in, &r.id, &c) || !take_u8(in, &erasure) || erasure == ERASURE_NONE ||
        erasure >= ERASURE_COUNT)
        return false;
    struct user *u = state_new_user(m, &r, &c);
    u->erasure = erasure;
    if (erasure == ERASURE_BEGUN)
        vec_push(&m->erasing, u);
    m->load->profiles++;
    return true;
}

/* Those whom `u` blocks: others, who may come later in the file. */
static bool take_blocks(const struct model *m, struct bytes *in, struct user *u, uint32_t count)
{
    uint64_t number = 0;

    for (uint64_t before = 0; count > 0; count--, before = number) {
        if (!take_step(in, m->load->users, &number) || number == before || number == u->number)
            return false;
        state_add_block(u, (uint32_t)number);
    }
    return true;
}

static bool load_profile(struct model *m, struct bytes *in)
{
    struct user *u = state_user(m, m->users.count);
    uint32_t tokens, blocks;

    if (!take_u32(in, &tokens) || !take_u32(in, &blocks) || !take_blocks(m, in, u, blocks) ||
        (tokens == 0 && blocks == 0 && in->len == 0) || in->len > UINT32_MAX)
        return false;
    m->load->profiles++;
    state_profile(u)->tokens = tokens;
    state_set_display_name(u, take_rest(in));
    return true;
}

static bool load_profiles(struct model *m, struct bytes *in)
{
    uint64_t count;

    m->load->profiles_over = true;
    return varint_take(in, &count) && count == m->load->profiles;
}

static bool load_session(struct model *m, struct bytes *in)
{
    struct record_session_create r = {.user = m->users.count};
    struct commit c = {.cursor = m->cursor};
    const struct session *before = state_user(m, r.user)->sessions;

    if (!take_array(in, r.id.b, sizeof r.id.b) || !take_array(in, r.token.b, sizeof r.token.b) ||
        !take_time(m, in, &c.time) || !take_u8(in, &r.platform) || !take_u32(in, &r.build) ||
        !take_text(in, &r.device_id) || !take_text(in, &r.model))
        return false;
    r.name = take_rest(in);
    if (r.name.len > UINT32_MAX || (before != NULL && c.time < before->created_at) ||
        check_session_create(m, &r) != ERR_ok)
        return false;
    apply_session_create(m, &r, &c);
    return true;
}

/* ---- the app's own ids ----------------------------------------------------------------------- */

static bool load_externals(struct model *m, struct bytes *in)
{
    m->load->last = true;
    return take_upto(in, m->users.count, &m->load->externals) && m->load->externals > 0;
}

static bool load_external(struct model *m, struct bytes *in)
{
    uint64_t *number = &m->load->group.cursor, before = *number;
    struct bytes id;

    if (m->load->externals == 0 || !take_step(in, m->users.count, number) || *number == before ||
        state_person(m, (uint32_t)*number) == NULL || !take_text8(in, &id) ||
        !external_id_valid(id) || model_user_by_external_id(m, id) != NULL)
        return false;
    state_add_external(m, state_user(m, (uint32_t)*number), id);
    m->load->externals--;
    return true;
}

/* ---- hooks ----------------------------------------------------------------------------------- */

static bool load_hooks(struct model *m, struct bytes *in)
{
    m->load->hooks_begun = true;
    return take_upto(in, UINT32_MAX, &m->load->hooks) && m->load->hooks > 0;
}

/* One type of event, where the one before is the last of `types`. */
static bool take_type(struct bytes *in, struct buf *types)
{
    uint32_t before = 0, step;

    if (types->len > 0)
        memcpy(&before, types->p + types->len - sizeof before, sizeof before);
    before = le32toh(before);
    if (!take_u32(in, &step) || step > UINT8_MAX)
        return false;
    buf_add_u32le(types, before + step);
    return true;
}

static bool take_hook(struct model *m, struct bytes *in, struct buf *types)
{
    struct uuid id;
    uint64_t cursor, position;
    int64_t time;
    uint32_t count;
    struct bytes secret, url;

    if (!take_array(in, id.b, sizeof id.b) || !take_upto(in, m->cursor, &cursor) || cursor == 0 ||
        !take_time(m, in, &time) || !take_upto(in, m->cursor, &position) || !take_u32(in, &count) ||
        count > UINT8_MAX)
        return false;
    for (uint32_t i = 0; i < count; i++) {
        if (!take_type(in, types))
            return false;
    }
    struct record_u32s list = {types->p, count};
    if (!state_hook_types_valid(&list) || !take_text8(in, &secret) || secret.len == 0)
        return false;
    url = take_rest(in);
    const struct hook *before = m->hooks.count > 0 ? vec_at(&m->hooks, m->hooks.count - 1) : NULL;
    if (url.len == 0 || url.len > HOOK_URL_MAX || model_hook_by_id(m, &id) != NULL ||
        (before != NULL && cursor <= before->cursor))
        return false;
    struct hook *hook = state_add_hook(m, &id, &list, secret, url);
    hook->cursor = cursor;
    hook->created_at = time;
    hook->position = position;
    m->load->hooks--;
    return true;
}

static bool load_hook(struct model *m, struct bytes *in)
{
    struct buf types = {0};

    bool fine = m->load->hooks > 0 && take_hook(m, in, &types);
    buf_release(&types);
    return fine;
}

static bool load_hook_secret(struct model *m, struct bytes *in)
{
    uint64_t until;

    if (!take_upto(in, MODEL_TIME_MAX, &until) || until == 0 || in->len == 0 || in->len > UINT8_MAX)
        return false;
    state_set_old_secret(m, take_rest(in), (int64_t)until);
    return true;
}

/* ---- the order ------------------------------------------------------------------------------- */

/* Which types may stand behind which. */
static bool type_fits(const struct load *l, enum saved_type type)
{
    if (l->last && type != SAVED_external)
        return false;
    if (l->hooks_begun && type != SAVED_hook && type != SAVED_hook_secret &&
        type != SAVED_externals && type != SAVED_external)
        return false;
    if (l->profiles_over && type != SAVED_hooks && type != SAVED_hook &&
        type != SAVED_hook_secret && type != SAVED_externals && type != SAVED_external)
        return false;
    switch (type) {
    case SAVED_head:
        return false;
    case SAVED_epoch:
        return l->before == SAVED_head;
    case SAVED_user:
    case SAVED_erased:
        return l->before <= SAVED_session || l->before == SAVED_profile ||
               l->before == SAVED_erased;
    case SAVED_profile:
        return l->before == SAVED_user;
    case SAVED_session:
        return l->before == SAVED_user || l->before == SAVED_session || l->before == SAVED_profile;
    case SAVED_group:
        return true;
    case SAVED_members:
    case SAVED_active:
    case SAVED_by_mark:
    case SAVED_changes:
    case SAVED_messages:
    case SAVED_amendments:
    case SAVED_details:
        return l->before >= SAVED_group && l->before <= type;
    case SAVED_kept:
        return l->before == SAVED_group;
    case SAVED_kept_count:
        return !l->kept_over && l->group.g != NULL && l->before >= SAVED_group;
    case SAVED_extra:
    case SAVED_grants:
    case SAVED_successions:
    case SAVED_deleted:
    case SAVED_extras:
        return !l->over && l->group.g != NULL && l->before >= SAVED_group && l->before <= type;
    case SAVED_profiles:
        return l->profiles > 0;
    case SAVED_hooks:
        return true;
    case SAVED_hook:
        return l->hooks_begun;
    case SAVED_hook_secret:
        return l->before == SAVED_hook;
    case SAVED_externals:
        return true;
    case SAVED_external:
        return l->last;
    }
    return false;
}

/* Does a record of this type hold one element behind the other? */
static bool is_list(enum saved_type type)
{
    return type >= SAVED_members && type != SAVED_extra && type != SAVED_deleted &&
           type != SAVED_extras && type != SAVED_kept && type != SAVED_kept_count &&
           type != SAVED_externals && type != SAVED_hooks && type != SAVED_hook &&
           type != SAVED_hook_secret && type != SAVED_profile && type != SAVED_erased &&
           type != SAVED_profiles && type != SAVED_epoch;
}

/* One element; the next one of the same record follows where bytes are left. */
static bool load_element(struct model *m, enum saved_type type, struct bytes *in)
{
    switch (type) {
    case SAVED_head:
        return load_head(m, in);
    case SAVED_epoch:
        return load_epoch(m, in);
    case SAVED_user:
        return load_user(m, in);
    case SAVED_profile:
        return load_profile(m, in);
    case SAVED_erased:
        return load_erased(m, in);
    case SAVED_profiles:
        return load_profiles(m, in);
    case SAVED_session:
        return load_session(m, in);
    case SAVED_group:
        return load_group(m, in);
    case SAVED_members:
        return load_member(m, in);
    case SAVED_active:
        return load_active(m, in);
    case SAVED_by_mark:
        return load_by_mark(m, in);
    case SAVED_changes:
        return load_change(m, in);
    case SAVED_messages:
        return load_messages(m, in);
    case SAVED_kept:
        return load_kept(m, in);
    case SAVED_kept_count:
        return load_kept_count(m, in);
    case SAVED_amendments:
        return load_amendment(m, in);
    case SAVED_details:
        return load_details(m, in);
    case SAVED_extra:
        return load_extra(m, in);
    case SAVED_extras:
        return load_extras(m, in);
    case SAVED_deleted:
        return load_deleted(m, in);
    case SAVED_grants:
        return load_grant(m, in);
    case SAVED_successions:
        return load_succession(m, in);
    case SAVED_hooks:
        return load_hooks(m, in);
    case SAVED_hook:
        return load_hook(m, in);
    case SAVED_hook_secret:
        return load_hook_secret(m, in);
    case SAVED_externals:
        return load_externals(m, in);
    case SAVED_external:
        return load_external(m, in);
    }
    return false;
}

bool model_load(struct model *m, uint16_t type, struct bytes payload)
{
    struct load *l = m->load;
    enum saved_type t = (enum saved_type)type;

    if (l == NULL)
        return t == SAVED_head && load_head(m, &payload) && payload.len == 0;
    if (!type_fits(l, t) || payload.len == 0)
        return false;
    if (t != l->before)
        l->group.cursor = l->group.time = 0;
    /* What may stand behind a group may stand behind its `kept`; and so with head and `epoch`. */
    l->before = t == SAVED_kept ? SAVED_group : t == SAVED_epoch ? SAVED_head : t;
    do {
        if (!load_element(m, t, &payload))
            return false;
    } while (payload.len > 0 && is_list(t));
    return payload.len == 0;
}

/* ---- the end --------------------------------------------------------------------------------- */

static uint64_t joined_at(const struct member *mb)
{
    return mb->span_count > 1 ? mb->earlier[0].from : mb->span.from;
}

static int by_joining(const void *a, const void *b)
{
    uint64_t x = joined_at(*(struct member *const *)a), y = joined_at(*(struct member *const *)b);
    return x < y ? -1 : x > y;
}

/* A user's memberships are in order of joining, but were loaded group by group. A record brings a
 * user into one group, so no two of them are equal. */
static bool sort_memberships(struct user *u)
{
    uint32_t count = u->memberships.count;
    struct member **sorted = xmalloc(count * sizeof(void *));
    bool distinct = true;

    for (uint32_t i = 0; i < count; i++)
        sorted[i] = vec_at(&u->memberships, i);
    if (count > 1)
        qsort(sorted, count, sizeof(void *), by_joining);
    for (uint32_t i = 0; i < count; i++) {
        distinct = distinct && (i == 0 || joined_at(sorted[i - 1]) < joined_at(sorted[i]));
        vec_set(&u->memberships, i, sorted[i]);
    }
    free(sorted);
    return distinct;
}

bool model_loaded(struct model *m, uint64_t cursor)
{
    struct load *l = m->load;

    if (l == NULL || m->cursor != cursor || !load_finish_group(m) || l->over != (l->extras > 0) ||
        l->externals > 0 || l->hooks > 0 || l->profiles_over != (l->profiles > 0) ||
        l->kept_over != (l->kept > 0) || m->users.count != l->users ||
        map_count(&m->sessions_by_id) != l->sessions || m->groups.count != l->groups ||
        l->all_members != l->members || m->message_count != l->messages ||
        map_count(&m->messages_by_client_id) != l->client_ids)
        return false;
    for (uint32_t i = 0; i < m->users.count; i++) {
        struct user *u = vec_at(&m->users, i);
        if (!sort_memberships(u) || (u->erasure == ERASURE_DONE && u->active_groups > 0))
            return false;
    }
    free(l);
    m->load = NULL;
    return true;
}
