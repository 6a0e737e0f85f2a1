/*
 * group: groups and who is in them.
 */
#include "base/bisect.h"
#include "base/ensure.h"
#include "model/state.h"

#include <stdlib.h>

/* ---- tables ---------------------------------------------------------------------------------- */

static uint64_t hash_by_id(const void *entry)
{
    return uuid_hash(&((const struct group *)entry)->id);
}

static bool match_id(const void *entry, const void *key)
{
    return uuid_equal(&((const struct group *)entry)->id, key);
}

/* The numbers are ours, dense and small, so a mixing function spreads them (splitmix64). */
static uint64_t member_hash(uint32_t group, uint32_t user)
{
    uint64_t x = ((uint64_t)group << 32 | user) + 0x9e3779b97f4a7c15u;
    x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9u;
    x = (x ^ (x >> 27)) * 0x94d049bb133111ebu;
    return x ^ (x >> 31);
}

struct member_key {
    const struct group *group;
    const struct user *user;
};

static uint64_t hash_member(const void *entry)
{
    const struct member *mb = entry;
    return member_hash(mb->group->number, mb->user->number);
}

static bool match_member(const void *entry, const void *key)
{
    const struct member *mb = entry;
    const struct member_key *k = key;
    return mb->group == k->group && mb->user == k->user;
}

void state_init_groups(struct model *m)
{
    static const struct map_kind by_id = {hash_by_id, match_id};
    static const struct map_kind members = {hash_member, match_member};
    map_init(&m->groups_by_id, &by_id);
    map_init(&m->members, &members);
}

/* ---- looking --------------------------------------------------------------------------------- */

struct group *state_group(const struct model *m, uint32_t number)
{
    return number == 0 || number > m->groups.count ? NULL : vec_at(&m->groups, number - 1);
}

const struct group *model_group(const struct model *m, uint32_t number)
{
    return state_group(m, number);
}

const struct group *model_group_by_id(const struct model *m, const struct uuid *id)
{
    return map_find(&m->groups_by_id, uuid_hash(id), id);
}

struct member *state_member(const struct model *m, const struct group *g, const struct user *u)
{
    struct member_key key = {g, u};
    return map_find(&m->members, member_hash(g->number, u->number), &key);
}

#define LINE 64

static void prefetch_whole(const void *p, size_t size)
{
    for (size_t at = 0; at < size; at += LINE)
        __builtin_prefetch((const uint8_t *)p + at);
}

/* Where the next element goes; nothing where there is no memory for it yet. */
static void prefetch_end(const struct vec *v)
{
    if (v->count / VEC_CHUNK < v->chunk_count)
        __builtin_prefetch(vec_place(v, v->count));
}

void state_prefetch_group(const struct model *m, unsigned step, uint32_t group, uint32_t user)
{
    const struct group *g;

    if (group == 0 || group > m->groups.count)
        return;
    switch (step) {
    case 0:
        __builtin_prefetch(vec_place(&m->groups, group - 1));
        map_prefetch(&m->members, member_hash(group, user));
        break;
    case 1:
        prefetch_whole(vec_at(&m->groups, group - 1), sizeof *g);
        map_prefetch_entry(&m->members, member_hash(group, user));
        break;
    case 2:
        g = vec_at(&m->groups, group - 1);
        prefetch_end(&g->messages);
        if (g->active.count > 0)
            __builtin_prefetch(vec_place(&g->active, 0));
        break;
    }
}

const struct member *model_member(const struct model *m, const struct group *g,
                                  const struct user *u)
{
    return state_member(m, g, u);
}

void state_unindex_group(struct model *m, const struct group *g)
{
    map_remove(&m->groups_by_id, uuid_hash(&g->id), &g->id);
}

void state_unindex_member(struct model *m, const struct member *mb)
{
    struct member_key key = {mb->group, mb->user};
    map_remove(&m->members, member_hash(mb->group->number, mb->user->number), &key);
}

uint32_t model_group_count(const struct model *m)
{
    return m->groups.count;
}

bool member_saw(const struct member *mb, uint64_t cursor)
{
    if (cursor >= mb->span.from)
        return cursor <= mb->span.to;
    /* The first of the earlier spans that has not ended before `cursor`. */
    uint32_t at = BISECT(i, 0, mb->span_count - 1, mb->earlier[i].to < cursor);
    return at < mb->span_count - 1 && cursor >= mb->earlier[at].from;
}

/* ---- coming and going ------------------------------------------------------------------------ */

struct change *state_add_change(struct group *g, enum change_kind kind, const struct user *user,
                                const struct user *by, const struct commit *c)
{
    struct change *ch = xmalloc(sizeof *ch);
    *ch = (struct change){
        .cursor = c->cursor, .time = c->time, .user = user, .by = by, .kind = (uint8_t)kind};
    vec_push(&g->changes, ch);
    g->last_cursor = c->cursor;
    return ch;
}

struct member *state_new_member(struct model *m, struct group *g, struct user *u)
{
    struct member *mb = xcalloc(1, sizeof *mb);
    mb->group = g;
    mb->user = u;
    list_init(&mb->by_mark);
    vec_push(&g->members, mb);
    vec_push(&u->memberships, mb);
    map_add(&m->members, member_hash(g->number, u->number), mb);
    return mb;
}

void state_add_span(struct member *mb, uint64_t from, uint64_t to)
{
    if (mb->span_count > 0) {
        /* `earlier` doubles: it is full whenever it holds a power of two. */
        uint32_t n = mb->span_count - 1;
        if ((n & (n - 1)) == 0)
            mb->earlier = xrealloc(mb->earlier, (n == 0 ? 1 : 2 * (size_t)n) * sizeof *mb->earlier);
        mb->earlier[n] = mb->span;
    }
    mb->span = (struct span){from, to};
    mb->span_count++;
}

/* Makes `mb` a member from this change on. */
static void member_enter(struct member *mb, const struct commit *c)
{
    state_add_span(mb, c->cursor, UINT64_MAX);
    mb->membership = MEMBERSHIP_ACTIVE;
    mb->role = ROLE_MEMBER;
    mb->active_at = mb->group->active.count;
    vec_push(&mb->group->active, mb);
    mb->user->active_groups++;
}

void state_leave(struct member *mb, enum membership how, const struct commit *c)
{
    struct group *g = mb->group;
    struct member *last = vec_pop(&g->active);

    if (last != mb) {
        vec_set(&g->active, mb->active_at, last);
        last->active_at = mb->active_at;
    }
    mb->span.to = c->cursor;
    mb->membership = (uint8_t)how;
    mb->role = ROLE_MEMBER;
    mb->user->active_groups--;
    state_forget_grant(mb);
    if (g->owner == mb->user)
        state_succeed(g);
}

/* ---- group_create ------------------------------------------------------------------------------
 */

enum err check_group_create(const struct model *m, const struct record_group_create *r)
{
    bool owner_there = false;

    if (model_group_by_id(m, &r->id) != NULL)
        return ERR_refused;
    for (uint32_t i = 0; i < r->members.count; i++) {
        uint32_t number = record_u32s_at(&r->members, i);
        const struct user *u = state_person(m, number);
        if (u == NULL)
            return ERR_user_not_found;
        if (r->groups_max > 0 && u->active_groups >= r->groups_max)
            return ERR_too_many_groups;
        owner_there |= number == r->owner;
    }
    return owner_there ? ERR_ok : ERR_refused;
}

struct group *state_new_group(struct model *m, const struct uuid *id, uint64_t cursor,
                              struct bytes name)
{
    struct group *g = xcalloc(1, sizeof *g + name.len);

    g->number = m->groups.count + 1;
    g->id = *id;
    g->cursor = cursor;
    g->name = bytes_of(g + 1, name.len);
    if (name.len > 0)
        memcpy(g + 1, name.p, name.len);
    list_init(&g->by_mark);
    vec_push(&m->groups, g);
    map_add(&m->groups_by_id, uuid_hash(&g->id), g);
    return g;
}

struct group *state_found_group(struct model *m, const struct record_group_create *r,
                                const struct commit *c)
{
    struct group *g = state_new_group(m, &r->id, c->cursor, r->name);
    struct user *owner = state_user(m, r->owner);

    for (uint32_t i = 0; i < r->members.count; i++) {
        struct user *u = state_user(m, record_u32s_at(&r->members, i));
        if (state_member(m, g, u) == NULL)
            member_enter(state_new_member(m, g, u), c);
    }
    g->founder_count = g->members.count;
    state_set_owner(g, state_member(m, g, owner));
    state_add_change(g, CHANGE_CREATED, owner, owner, c);
    return g;
}

void state_tell_founded(struct group *g, const struct commit *c)
{
    commit_tell(c, (struct event){.type = EVENT_group_created, .group = g, .user = g->owner});
}

void apply_group_create(struct model *m, const struct record_group_create *r,
                        const struct commit *c)
{
    state_tell_founded(state_found_group(m, r, c), c);
}

/* ---- member_add and member_remove --------------------------------------------------------------
 */

enum err asked_find(const struct model *m, uint32_t group, uint32_t user, uint32_t by,
                    struct asked *out)
{
    const struct user *asker = model_user(m, by);

    *out = (struct asked){.group = model_group(m, group), .user = model_user(m, user)};
    if (out->group == NULL || out->user == NULL || asker == NULL)
        return ERR_refused;
    out->asker = model_member(m, out->group, asker);
    out->own = out->user == asker;
    return out->asker != NULL ? ERR_ok : ERR_group_not_found;
}

enum err check_member_add(const struct model *m, const struct record_member_add *r)
{
    struct asked a;
    enum err err = asked_find(m, r->group, r->user, r->by, &a);

    /* Everybody may come to an open group, by themselves. */
    bool open = err == ERR_group_not_found && a.own && a.group->join == JOIN_OPEN;
    if (err != ERR_ok && !open)
        return err;
    /* Who left may come back alone; who was removed may not; neither may bring others. */
    if (!open && !member_is_active(a.asker) && (!a.own || a.asker->membership != MEMBERSHIP_LEFT))
        return ERR_forbidden;
    if (a.group->kind == GROUP_DIRECT)
        return ERR_forbidden;
    if (a.user->erasure != ERASURE_NONE)
        return ERR_user_not_found;
    if (member_is_active(model_member(m, a.group, a.user)))
        return ERR_already_member;
    if (r->members_max > 0 && a.group->active.count >= r->members_max)
        return ERR_group_full;
    if (r->groups_max > 0 && a.user->active_groups >= r->groups_max)
        return ERR_too_many_groups;
    return ERR_ok;
}

void state_come(struct model *m, struct group *g, struct user *u, const struct user *by,
                const struct commit *c)
{
    struct member *mb = state_member(m, g, u);

    if (mb == NULL)
        mb = state_new_member(m, g, u);
    member_enter(mb, c);
    if (g->owner == NULL)
        state_set_owner(g, mb);
    state_add_change(g, CHANGE_ADDED, u, by, c);
    commit_tell(c, (struct event){.type = EVENT_member_added, .group = g, .user = u, .by = by});
}

void apply_member_add(struct model *m, const struct record_member_add *r, const struct commit *c)
{
    state_come(m, state_group(m, r->group), state_user(m, r->user), state_user(m, r->by), c);
}

enum err check_member_remove(const struct model *m, const struct record_member_remove *r)
{
    struct asked a;
    enum err err = asked_find(m, r->group, r->user, r->by, &a);

    if (err != ERR_ok)
        return err;
    if (!member_is_active(a.asker))
        return a.own ? ERR_user_not_found : ERR_forbidden;
    if (!member_is_active(model_member(m, a.group, a.user)))
        return ERR_user_not_found;
    if (a.group->kind == GROUP_DIRECT && !a.own)
        return ERR_forbidden;
    return a.own || a.asker->role == ROLE_OWNER ? ERR_ok : ERR_forbidden;
}

void apply_member_remove(struct model *m, const struct record_member_remove *r,
                         const struct commit *c)
{
    struct group *g = state_group(m, r->group);
    struct user *u = state_user(m, r->user);
    struct user *by = state_user(m, r->by);
    struct event e = {.type = EVENT_member_removed, .group = g, .user = u, .by = by, .to = u};

    state_leave(state_member(m, g, u), u == by ? MEMBERSHIP_LEFT : MEMBERSHIP_REMOVED, c);
    state_add_change(g, CHANGE_REMOVED, u, by, c);
    commit_tell(c, e);
}

void state_free_group(struct model *m, struct group *g)
{
    for (uint32_t i = 0; i < g->members.count; i++) {
        struct member *mb = vec_at(&g->members, i);
        free(mb->earlier);
        free(mb);
    }
    for (uint32_t i = g->expired; i < g->messages.count; i++)
        state_free_message(m, vec_at(&g->messages, i));
    for (uint32_t i = 0; i < g->changes.count; i++)
        free(vec_at(&g->changes, i));
    vec_release(&g->members);
    vec_release(&g->active);
    vec_release(&g->messages);
    vec_release(&g->changes);
    state_free_notices(g->notices);
    state_free_name(g);
    free(g);
}
