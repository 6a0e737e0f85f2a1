/*
 * settings: what a group is called, who may come by themselves, and how much of its past they see.
 */
#include "base/ensure.h"
#include "model/state.h"

#include <stdlib.h>

struct settings group_first_settings(const struct group *g)
{
    if (g->notices != NULL && g->notices->cursor != 0)
        return g->notices->first;
    return (struct settings){g->name, g->join, g->history};
}

void state_free_name(struct group *g)
{
    /* The first name is in one allocation with the group. */
    if (g->name.p != (const uint8_t *)(g + 1))
        free((void *)(uintptr_t)g->name.p);
    g->name = bytes_of(g + 1, 0);
}

void state_change_settings(struct group *g, const struct settings *to, const struct user *by,
                           const struct commit *c)
{
    struct notices *n = state_notices(g);
    uint8_t *name = xmalloc(to->name.len);

    if (to->name.len > 0)
        memcpy(name, to->name.p, to->name.len);
    n->first = group_first_settings(g);
    state_free_name(g);
    g->name = bytes_of(name, to->name.len);
    g->join = to->join;
    g->history = to->history;
    n->cursor = c->cursor;
    n->time = c->time;
    n->by = by;
    g->last_cursor = c->cursor;
}

/* ---- group_update ------------------------------------------------------------------------------
 */

/* What the group's settings are to be. */
static struct settings settings_wanted(const struct group *g, const struct record_group_update *r)
{
    return (struct settings){r->fields & SETTING_NAME ? r->name : g->name,
                             r->fields & SETTING_JOIN ? r->join : g->join,
                             r->fields & SETTING_HISTORY ? r->history : g->history};
}

enum err check_group_update(const struct model *m, const struct record_group_update *r)
{
    struct asked a;
    enum err err = asked_find(m, r->group, r->by, r->by, &a);

    if (err != ERR_ok)
        return err;
    if (r->fields > SETTING_ALL || r->join >= JOIN_COUNT || r->history >= HISTORY_COUNT)
        return ERR_refused;
    if (!member_is_active(a.asker))
        return ERR_not_a_member;
    if (a.asker->role == ROLE_MEMBER || a.group->kind == GROUP_DIRECT)
        return ERR_forbidden;
    struct settings to = settings_wanted(a.group, r);
    return bytes_equal(to.name, a.group->name) && to.join == a.group->join &&
                   to.history == a.group->history
               ? ERR_duplicate
               : ERR_ok;
}

void apply_group_update(struct model *m, const struct record_group_update *r,
                        const struct commit *c)
{
    struct group *g = state_group(m, r->group);
    struct user *by = state_user(m, r->by);
    struct settings to = settings_wanted(g, r);

    state_change_settings(g, &to, by, c);
    commit_tell(c, (struct event){.type = EVENT_group_changed, .group = g, .user = by, .by = by});
}

/* ---- group_make -------------------------------------------------------------------------------
 */

static struct record_group_create plain(const struct record_group_make *r)
{
    return (struct record_group_create){.time = r->time,
                                        .id = r->id,
                                        .owner = r->owner,
                                        .groups_max = r->groups_max,
                                        .name = r->name,
                                        .members = r->members};
}

enum err check_group_make(const struct model *m, const struct record_group_make *r)
{
    struct record_group_create create = plain(r);

    if (r->join >= JOIN_COUNT || r->history >= HISTORY_COUNT)
        return ERR_refused;
    return check_group_create(m, &create);
}

void apply_group_make(struct model *m, const struct record_group_make *r, const struct commit *c)
{
    struct record_group_create create = plain(r);
    struct group *g = state_found_group(m, &create, c);

    g->join = r->join;
    g->history = r->history;
    state_tell_founded(g, c);
}

/* ---- group_delete ------------------------------------------------------------------------------
 */

enum err check_group_delete(const struct model *m, const struct record_group_delete *r)
{
    struct asked a;
    enum err err = asked_find(m, r->group, r->by, r->by, &a);

    if (err != ERR_ok)
        return err;
    if (!member_is_active(a.asker))
        return ERR_not_a_member;
    return a.asker->role == ROLE_OWNER && a.group->kind != GROUP_DIRECT ? ERR_ok : ERR_forbidden;
}

/* Of a member only when they were there: their place in the list of their groups hangs on it. */
static void bury_member(struct model *m, struct member *mb)
{
    if (mb->span_count > 1)
        mb->span.from = mb->earlier[0].from;
    free(mb->earlier);
    mb->earlier = NULL;
    mb->span_count = 1;
    mb->role = ROLE_MEMBER;
    mb->last_own = mb->own_unread = 0;
    mb->delivered = mb->read = (struct mark){0};
    list_remove(&mb->by_mark);
    state_unindex_member(m, mb);
}

void state_bury(struct model *m, struct group *g)
{
    for (uint32_t i = 0; i < g->members.count; i++) {
        struct member *mb = vec_at(&g->members, i);
        state_forget_grant(mb);
        bury_member(m, mb);
    }
    state_reclaim(m, g);
    state_free_amends(&g->notices->amends);
    state_free_mentions(&g->notices->mentions);
    for (uint32_t i = 0; i < g->changes.count; i++)
        free(vec_at(&g->changes, i));
    vec_release(&g->changes);
    state_unindex_group(m, g);
    explicit_bzero(g + 1, group_first_settings(g).name.len);
    state_free_name(g);
    g->notices->first = (struct settings){0};
    g->join = g->history = 0;
    g->owner = NULL;
    m->limited_groups -= g->retention_days > 0;
    g->retention_days = 0;
    g->deleted = true;
}

void apply_group_delete(struct model *m, const struct record_group_delete *r,
                        const struct commit *c)
{
    struct group *g = state_group(m, r->group);
    struct user *by = state_user(m, r->by);

    for (uint32_t i = 0; i < g->active.count; i++) {
        struct member *mb = vec_at(&g->active, i);
        mb->membership = MEMBERSHIP_ENDED;
        mb->span.to = c->cursor;
        mb->user->active_groups--;
    }
    struct notices *n = state_notices(g);
    state_bury(m, g);
    n->cursor = g->last_cursor = c->cursor;
    n->time = c->time;
    n->by = by;
    /* Those who were there hear of it; then the group is nobody's. */
    commit_tell(c, (struct event){.type = EVENT_group_deleted, .group = g, .user = by, .by = by});
    vec_release(&g->active);
}
