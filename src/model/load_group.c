/*
 * load_group: the groups of a snapshot, with their lists but for the messages.
 */
#include "model/load_inside.h"

/* ---- groups ---------------------------------------------------------------------------------- */

/* The lists of the group before are over: is it whole? */
static bool finish_deleted(struct model *m, const struct load_group *lg)
{
    struct group *g = lg->g;

    if (g->members.count != lg->members || lg->founders == 0 || lg->founders > lg->members ||
        lg->active + lg->marked + lg->changes + lg->messages + lg->owner > 0 || lg->kept)
        return false;
    for (uint32_t i = 0; i < g->members.count; i++) {
        const struct member *mb = vec_at(&g->members, i);
        if (member_is_active(mb) || mb->span_count != 1 || mb->span.to > lg->end.cursor ||
            (mb->span.to == lg->end.cursor) != (mb->membership == MEMBERSHIP_ENDED))
            return false;
    }
    struct notices *n = state_notices(g);
    state_bury(m, g);
    g->founder_count = (uint32_t)lg->founders;
    n->cursor = g->last_cursor = lg->end.cursor;
    n->time = lg->end.time;
    n->by = lg->ended_by;
    return true;
}

bool load_finish_group(struct model *m)
{
    struct load_group *lg = &m->load->group;
    struct group *g = lg->g;

    if (g == NULL)
        return true;
    if (lg->end.cursor != 0)
        return finish_deleted(m, lg);
    if (g->members.count != lg->members || lg->founders == 0 || lg->founders > lg->members ||
        g->active.count != lg->active || lg->active_members != lg->active ||
        lg->by_mark != lg->marked || g->changes.count != lg->changes ||
        g->messages.count - g->expired != lg->messages || lg->owner > lg->members ||
        (lg->owner == 0) != (lg->active == 0) || lg->ended_members > 0 ||
        lg->grants + lg->successions > 0)
        return false;
    if (g->kind == GROUP_DIRECT &&
        (lg->founders != 2 || lg->members != 2 || !state_index_direct(m, g)))
        return false;
    if (!state_sort_steps(g))
        return false;
    g->founder_count = (uint32_t)lg->founders;
    if (lg->owner > 0) {
        struct member *mb = vec_at(&g->members, (uint32_t)lg->owner - 1);
        if (mb->membership != MEMBERSHIP_ACTIVE)
            return false;
        if (mb->has_grant && mb->role != ROLE_OWNER)
            return false;
        state_set_owner(g, mb);
    }
    for (uint32_t i = 0; i < g->active.count && g->notices != NULL; i++) {
        const struct member *mb = vec_at(&g->active, i);
        if (mb->role == ROLE_OWNER && g->owner != mb->user)
            return false;
    }
    const struct change *last =
        g->changes.count > 0 ? vec_at(&g->changes, g->changes.count - 1) : NULL;
    if (last == NULL || last->cursor < g->cursor)
        return false;
    if (g->last_cursor < last->cursor)
        g->last_cursor = last->cursor;
    if (g->last_cursor < lg->last_cursor)
        g->last_cursor = lg->last_cursor;
    return true;
}

bool load_group(struct model *m, struct bytes *in)
{
    struct load *l = m->load;
    const struct group *before = state_group(m, m->groups.count);
    struct load_group lg = {0};
    uint64_t cursor;
    struct uuid id;

    if (!load_finish_group(m) || l->over || l->kept_over || m->groups.count >= l->groups ||
        !take_array(in, id.b, sizeof id.b) || !take_upto(in, m->cursor, &cursor) ||
        cursor <= (before != NULL ? before->cursor : 0) || !varint_take(in, &lg.founders) ||
        !varint_take(in, &lg.owner) || !take_upto(in, m->users.count, &lg.members) ||
        !take_upto(in, lg.members, &lg.active) || !take_upto(in, UINT32_MAX - 2, &lg.changes) ||
        !take_upto(in, UINT32_MAX - 2, &lg.messages) || model_group_by_id(m, &id) != NULL)
        return false;
    lg.g = state_new_group(m, &id, cursor, take_rest(in));
    l->group = lg;
    return true;
}

/* Behind the group, before what its numbers count for. */
bool load_kept(struct model *m, struct bytes *in)
{
    struct load_group *lg = &m->load->group;
    struct group *g = lg->g;

    if (lg->kept || !take_u32(in, &g->expired) || g->expired > UINT32_MAX - 2 - lg->messages ||
        !take_u32(in, &g->retention_days) || (g->expired == 0 && g->retention_days == 0) ||
        !take_upto(in, m->cursor, &lg->last_cursor))
        return false;
    vec_skip(&g->messages, g->expired);
    m->limited_groups += g->retention_days > 0;
    lg->kept = true;
    m->load->kept++;
    return true;
}

bool load_kept_count(struct model *m, struct bytes *in)
{
    uint64_t count;

    m->load->kept_over = true;
    return varint_take(in, &count) && count == m->load->kept && count > 0;
}

/* The first one's `from` is the place of the member in the group's history: founders came with the
 * group, each other with a record of their own. */
static bool first_span_fits(struct load_group *lg, uint64_t from)
{
    bool founder = lg->g->members.count <= lg->founders;

    if (founder ? from != lg->g->cursor : from <= lg->first_from)
        return false;
    lg->first_from = from;
    return true;
}

static bool load_spans(const struct model *m, struct load_group *lg, struct bytes *in,
                       struct member *mb)
{
    uint32_t count;
    uint64_t edge = 0;

    if (!take_u32(in, &count) || count == 0)
        return false;
    for (uint32_t i = 0; i < count; i++) {
        bool open = i + 1 == count && mb->membership == MEMBERSHIP_ACTIVE;
        uint64_t from = edge, to;
        if (!take_step(in, m->cursor, &from) || from <= edge ||
            (i == 0 && !first_span_fits(lg, from)))
            return false;
        to = from;
        if (!open && (!take_step(in, m->cursor, &to) || to == from))
            return false;
        state_add_span(mb, from, open ? UINT64_MAX : to);
        edge = to;
    }
    return true;
}

static bool load_mark(const struct model *m, const struct load_group *lg, struct bytes *in,
                      struct mark *mark)
{
    uint64_t seq;

    if (!take_upto(in, lg->g->expired + lg->messages, &seq))
        return false;
    mark->seq = (uint32_t)seq;
    return seq == 0 || (take_upto(in, m->cursor, &mark->cursor) && mark->cursor > 0 &&
                        take_time(m, in, &mark->time));
}

bool load_member(struct model *m, struct bytes *in)
{
    struct load_group *lg = &m->load->group;
    uint32_t number;
    uint8_t membership;

    if (!take_u32(in, &number) || !take_u8(in, &membership) || membership > MEMBERSHIP_ENDED ||
        lg->g->members.count >= lg->members)
        return false;
    struct user *u = state_user(m, number);
    if (u == NULL || state_member(m, lg->g, u) != NULL)
        return false;
    struct member *mb = state_new_member(m, lg->g, u);
    mb->membership = membership;
    mb->role = ROLE_MEMBER;
    mb->active_at = UINT32_MAX;
    if (!load_spans(m, lg, in, mb) || !load_mark(m, lg, in, &mb->delivered) ||
        !load_mark(m, lg, in, &mb->read) || mb->read.seq > mb->delivered.seq)
        return false;
    lg->active_members += membership == MEMBERSHIP_ACTIVE;
    lg->marked += mb->delivered.seq != 0;
    lg->ended_members += membership == MEMBERSHIP_ENDED;
    m->load->all_members++;
    return true;
}

bool load_active(struct model *m, struct bytes *in)
{
    struct group *g = m->load->group.g;
    struct member *mb;

    if (!take_member(g, in, &mb) || mb->membership != MEMBERSHIP_ACTIVE ||
        mb->active_at != UINT32_MAX)
        return false;
    mb->active_at = g->active.count;
    vec_push(&g->active, mb);
    mb->user->active_groups++;
    return true;
}

bool load_by_mark(struct model *m, struct bytes *in)
{
    struct load_group *lg = &m->load->group;
    struct member *mb;

    if (!take_member(lg->g, in, &mb) || mb->delivered.seq == 0)
        return false;
    uint64_t moved =
        mb->delivered.cursor > mb->read.cursor ? mb->delivered.cursor : mb->read.cursor;
    if (moved <= lg->moved)
        return false;
    lg->moved = moved;
    lg->by_mark++;
    list_append(&lg->g->by_mark, &mb->by_mark);
    return true;
}

bool load_change(struct model *m, struct bytes *in)
{
    struct load_group *lg = &m->load->group;
    struct commit c;
    uint8_t kind;
    struct member *user, *by;

    if (!take_moment(m, in, &c) || !take_u8(in, &kind) || kind > CHANGE_REMOVED ||
        !take_member(lg->g, in, &user) || !take_member(lg->g, in, &by) ||
        lg->g->changes.count >= lg->changes)
        return false;
    state_add_change(lg->g, (enum change_kind)kind, user->user, by->user, &c);
    return true;
}

/* ---- what only some groups have ---------------------------------------------------------------
 */

/* The first settings are in the group so far, those of now in `in`. */
static bool load_settings(struct model *m, struct bytes *in, struct settings *now)
{
    struct group *g = m->load->group.g;
    struct commit c = {0};
    struct member *by;

    if (!take_upto(in, m->cursor, &c.cursor))
        return false;
    if (c.cursor == 0) {
        g->join = now->join;
        g->history = now->history;
        return true;
    }
    if (c.cursor <= g->cursor || !take_time(m, in, &c.time) || !take_member(g, in, &by) ||
        !take_u8(in, &g->join) || g->join >= JOIN_COUNT || !take_u8(in, &g->history) ||
        g->history >= HISTORY_COUNT)
        return false;
    now->name = take_rest(in);
    uint64_t last = g->last_cursor;
    state_change_settings(g, now, by->user, &c);
    g->last_cursor = last > c.cursor ? last : c.cursor;
    return true;
}

bool load_extra(struct model *m, struct bytes *in)
{
    struct load_group *lg = &m->load->group;
    struct settings now = {.name = lg->g->name};

    if (lg->extra || !take_u8(in, &lg->g->kind) || lg->g->kind >= GROUP_KIND_COUNT ||
        !take_u8(in, &now.join) || now.join >= JOIN_COUNT || !take_u8(in, &now.history) ||
        now.history >= HISTORY_COUNT || !take_upto(in, lg->active, &lg->grants) ||
        !take_upto(in, lg->changes, &lg->successions))
        return false;
    lg->extra = true;
    m->load->extras++;
    return load_settings(m, in, &now);
}

/* What it was is gone already; finish_group sees to the members. */
bool load_deleted(struct model *m, struct bytes *in)
{
    struct load_group *lg = &m->load->group;
    struct member *by;

    if (lg->extra || !take_upto(in, m->cursor, &lg->end.cursor) ||
        lg->end.cursor <= lg->g->cursor || !take_time(m, in, &lg->end.time) ||
        !take_member(lg->g, in, &by))
        return false;
    lg->extra = true;
    lg->ended_by = by->user;
    m->load->extras++;
    return true;
}

bool load_extras(struct model *m, struct bytes *in)
{
    uint64_t count;

    m->load->over = true;
    return varint_take(in, &count) && count == m->load->extras && count > 0;
}

bool load_grant(struct model *m, struct bytes *in)
{
    struct load_group *lg = &m->load->group;
    struct member *mb, *by;
    uint8_t role;

    if (!take_member(lg->g, in, &mb) || !take_u8(in, &role) || role >= ROLE_COUNT ||
        !take_step(in, m->cursor, &lg->cursor) || lg->cursor == 0 ||
        !take_step(in, (uint64_t)m->time, &lg->time) || !take_member(lg->g, in, &by) ||
        !member_is_active(mb) || mb->has_grant || lg->grants == 0)
        return false;
    lg->grants--;
    mb->role = role;
    state_grant(mb, by->user, &(struct commit){lg->cursor, (int64_t)lg->time, NULL});
    if (lg->g->last_cursor < lg->cursor)
        lg->g->last_cursor = lg->cursor;
    return true;
}

bool load_succession(struct model *m, struct bytes *in)
{
    struct load_group *lg = &m->load->group;
    struct member *owner;

    if (!take_step(in, UINT32_MAX, &lg->succession) || lg->succession >= lg->g->changes.count ||
        !take_member(lg->g, in, &owner))
        return false;
    struct change *ch = vec_at(&lg->g->changes, (uint32_t)lg->succession);
    if (ch->kind != CHANGE_REMOVED || lg->successions == 0)
        return false;
    lg->successions--;
    ch->kind = CHANGE_SUCCEEDED;
    ch->owner = owner->user->number;
    return true;
}
