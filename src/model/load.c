/*
 * load: a snapshot's records become the model that was saved.
 *
 * Whatever a file may say, what is accepted passes model_verify: each check there has its refusal
 * here. What was refused half-way is still a model that can be freed.
 */
#include "base/ensure.h"
#include "base/varint.h"
#include "model/save.h"
#include "model/state.h"

#include <stdlib.h>

/* The counts of the head size the tables, but a damaged head must not take all memory: larger
 * tables grow by themselves. */
#define RESERVE_MAX (UINT64_C(1) << 26)

/* What the group that is being loaded said of itself, and how far it has got. */
struct load_group {
    struct group *g;
    uint64_t owner; /* place + 1 */
    uint64_t founders, members, active, changes, messages;
    uint32_t active_members; /* of the members so far */
    uint32_t ended_members;  /* the same: until the end of the group */
    uint32_t marked, by_mark;
    uint64_t first_from;   /* of the member before */
    uint64_t moved;        /* of the one before in by_mark */
    uint64_t cursor, time; /* of the element before in the list */
    bool extra, kept;
    uint64_t last_cursor; /* as `kept` has it, which knows of messages that are gone */
    struct commit end;    /* of one that was deleted; cursor 0: it was not */
    const struct user *ended_by;
    uint64_t grants, successions; /* that are still to come */
    uint64_t succession;          /* place of the one before */
};

struct load {
    uint64_t users, sessions, groups, members, messages, client_ids;
    uint64_t all_members;   /* so far, also of groups that were deleted */
    uint64_t extras;        /* so far */
    uint64_t externals;     /* that are still to come */
    bool last;              /* their count has come: nothing else follows */
    bool over;              /* that was the last of the groups */
    uint64_t kept;          /* groups with one, so far */
    bool kept_over;         /* the same */
    enum saved_type before; /* the type of the record before */
    struct load_group group;
};

/* ---- fields: false where the payload ends first -----------------------------------------------
 */

static bool take(struct bytes *in, size_t len, struct bytes *out)
{
    if (in->len < len)
        return false;
    *out = bytes_of(in->p, len);
    *in = bytes_of(in->p + len, in->len - len);
    return true;
}

static bool take_u8(struct bytes *in, uint8_t *out)
{
    struct bytes b;
    if (!take(in, 1, &b))
        return false;
    *out = b.p[0];
    return true;
}

static bool take_array(struct bytes *in, uint8_t *out, size_t len)
{
    struct bytes b;
    if (!take(in, len, &b))
        return false;
    memcpy(out, b.p, len);
    return true;
}

static bool take_u32(struct bytes *in, uint32_t *out)
{
    uint64_t v;
    if (!varint_take(in, &v) || v > UINT32_MAX)
        return false;
    *out = (uint32_t)v;
    return true;
}

/* A time or cursor of the past: not beyond the model's. */
static bool take_upto(struct bytes *in, uint64_t limit, uint64_t *out)
{
    return varint_take(in, out) && *out <= limit;
}

static bool take_time(const struct model *m, struct bytes *in, int64_t *out)
{
    uint64_t v;
    if (!take_upto(in, (uint64_t)m->time, &v))
        return false;
    *out = (int64_t)v;
    return true;
}

/* Adds what is read to *sum, which stays at most `limit`. */
static bool take_step(struct bytes *in, uint64_t limit, uint64_t *sum)
{
    uint64_t v;
    if (!varint_take(in, &v) || v > limit - *sum)
        return false;
    *sum += v;
    return true;
}

static bool take_text8(struct bytes *in, struct bytes *out)
{
    uint8_t len;
    return take_u8(in, &len) && take(in, len, out);
}

static bool take_text(struct bytes *in, struct bytes *out)
{
    uint32_t len;
    return take_u32(in, &len) && take(in, len, out);
}

static struct bytes take_rest(struct bytes *in)
{
    struct bytes all = *in;
    *in = bytes_of(in->p + in->len, 0);
    return all;
}

static bool take_member(const struct group *g, struct bytes *in, struct member **out)
{
    uint64_t place;
    if (!varint_take(in, &place) || place >= g->members.count)
        return false;
    *out = vec_at(&g->members, (uint32_t)place);
    return true;
}

/* ---- head ------------------------------------------------------------------------------------ */

static void reserve(struct map *map, uint64_t count)
{
    map_reserve(map, count < RESERVE_MAX ? count : RESERVE_MAX);
}

static bool load_head(struct model *m, struct bytes *in)
{
    struct load l = {.before = SAVED_head};
    uint64_t cursor, time;

    if (m->cursor != 0 || m->users.count > 0 || !varint_take(in, &cursor) ||
        !take_upto(in, INT64_MAX, &time) || !take_upto(in, UINT32_MAX - 2, &l.users) ||
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

/* ---- users: what was saved is a record that can be checked and applied -------------------------
 */

static bool load_user(struct model *m, struct bytes *in)
{
    struct record_user_create r = {0};
    struct commit c = {0};

    const struct user *before = state_user(m, m->users.count);

    if (!take_array(in, r.id.b, sizeof r.id.b) || !take_upto(in, m->cursor, &c.cursor) ||
        c.cursor <= (before != NULL ? before->cursor : 0) || !take_time(m, in, &c.time) ||
        !take_text8(in, &r.username) || !take_text8(in, &r.username_key) ||
        !take_text8(in, &r.email) || !take_text8(in, &r.email_key) ||
        !take_text8(in, &r.password) || m->users.count >= m->load->users ||
        check_user_create(m, &r) != ERR_ok)
        return false;
    apply_user_create(m, &r, &c);
    return true;
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
        !take_text8(in, &id) || !external_id_valid(id) || model_user_by_external_id(m, id) != NULL)
        return false;
    state_add_external(m, state_user(m, (uint32_t)*number), id);
    m->load->externals--;
    return true;
}

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

static bool finish_group(struct model *m)
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

static bool load_group(struct model *m, struct bytes *in)
{
    struct load *l = m->load;
    const struct group *before = state_group(m, m->groups.count);
    struct load_group lg = {0};
    uint64_t cursor;
    struct uuid id;

    if (!finish_group(m) || l->over || l->kept_over || m->groups.count >= l->groups ||
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
static bool load_kept(struct model *m, struct bytes *in)
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

static bool load_kept_count(struct model *m, struct bytes *in)
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

static bool load_member(struct model *m, struct bytes *in)
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

static bool load_active(struct model *m, struct bytes *in)
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

static bool load_by_mark(struct model *m, struct bytes *in)
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

/* Cursor and time of the next change or message: the one rises, the other does not fall. */
static bool take_moment(const struct model *m, struct bytes *in, struct commit *out)
{
    struct load_group *lg = &m->load->group;
    uint64_t before = lg->cursor;

    if (!take_step(in, m->cursor, &lg->cursor) || lg->cursor == before ||
        !take_step(in, (uint64_t)m->time, &lg->time))
        return false;
    *out = (struct commit){lg->cursor, (int64_t)lg->time, NULL};
    return true;
}

static bool load_change(struct model *m, struct bytes *in)
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

static bool load_extra(struct model *m, struct bytes *in)
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
static bool load_deleted(struct model *m, struct bytes *in)
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

static bool load_extras(struct model *m, struct bytes *in)
{
    uint64_t count;

    m->load->over = true;
    return varint_take(in, &count) && count == m->load->extras && count > 0;
}

static bool load_grant(struct model *m, struct bytes *in)
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

static bool load_succession(struct model *m, struct bytes *in)
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

/* ---- messages: nearly all there is ------------------------------------------------------------
 */

static struct message *load_message(struct model *m, struct bytes *in)
{
    struct load_group *lg = &m->load->group;
    struct message_source s = {0};
    struct member *author;
    struct commit c;
    uint8_t client_id_len;
    uint32_t data_len;

    if (!take_member(lg->g, in, &author) || !take_moment(m, in, &c) ||
        !take_u8(in, &client_id_len) || !take_u32(in, &data_len) ||
        !take_array(in, s.id.b, sizeof s.id.b) || !take(in, client_id_len, &s.client_id) ||
        !take(in, data_len, &s.data) || lg->g->messages.count - lg->g->expired >= lg->messages ||
        !member_saw(author, c.cursor))
        return NULL;
    return state_new_message(m, author, &s, &c);
}

static bool load_messages(struct model *m, struct bytes *in)
{
    struct message *batch[STATE_BATCH];
    uint32_t count = 0;

    for (; count < STATE_BATCH && in->len > 0; count++) {
        batch[count] = load_message(m, in);
        if (batch[count] == NULL)
            return false;
    }
    return state_index_messages(m, batch, count);
}

/* ---- amendments ------------------------------------------------------------------------------ */

/* Something that was done to `msg`, or to a message with reactions: after it, and before the end.
 */
static bool take_done(const struct model *m, struct bytes *in, const struct message *msg,
                      struct commit *c)
{
    return take_upto(in, m->cursor, &c->cursor) && c->cursor > msg->cursor &&
           take_time(m, in, &c->time) && c->time >= msg->time;
}

static bool load_reaction(struct model *m, struct bytes *in, struct message *msg,
                          struct amendment *am)
{
    struct member *mb;
    struct commit c = {0};
    struct bytes emoji;
    uint8_t removed;

    if (!take_member(m->load->group.g, in, &mb) || !take_u8(in, &removed) || removed > 1 ||
        !take_done(m, in, msg, &c) || !take_text8(in, &emoji) || emoji.len == 0 ||
        emoji.len > EMOJI_MAX || state_find_reaction(am, mb->user->number, emoji) != NULL)
        return false;
    struct reaction *re = state_add_reaction(am, mb->user->number, emoji);
    re->cursor = c.cursor;
    re->time = c.time;
    state_set_reaction(am, re, removed == 1);
    state_add_step(m->load->group.g, msg->seq, (uint32_t)(re - am->reactions) + 1, &c);
    return true;
}

enum { DONE_NEITHER, DONE_EDITED, DONE_DELETED };

/* What was done to the text, which is that of now already. */
static bool load_done(struct model *m, struct bytes *in, struct message **msg, uint8_t what)
{
    struct member *by;
    struct commit c = {0};
    uint32_t version;

    if (what == DONE_NEITHER)
        return true;
    if (what > DONE_DELETED || !take_done(m, in, *msg, &c))
        return false;
    if (what == DONE_DELETED) {
        if ((*msg)->data_len > 0 || !take_member(m->load->group.g, in, &by))
            return false;
        uint32_t seq = (*msg)->seq;
        state_delete(m, *msg, by->user->number, &c);
        *msg = vec_at(&m->load->group.g->messages, seq - 1);
        return true;
    }
    if (!take_u32(in, &version) || version == 0)
        return false;
    struct amendment *am = state_amend(m, msg, NULL);
    am->cursor = c.cursor;
    am->time = c.time;
    am->version = version;
    state_add_step(m->load->group.g, (*msg)->seq, 0, &c);
    return true;
}

static bool load_amendment(struct model *m, struct bytes *in)
{
    struct load_group *lg = &m->load->group;
    uint64_t reactions;
    uint8_t what;

    if (!take_step(in, lg->g->messages.count, &lg->cursor) || lg->cursor <= lg->time ||
        lg->cursor <= lg->g->expired || !take_u8(in, &what))
        return false;
    lg->time = lg->cursor; /* of the one before: two of one message are none */
    struct message *msg = vec_at(&lg->g->messages, (uint32_t)lg->cursor - 1);
    if (!load_done(m, in, &msg, what) || !varint_take(in, &reactions) ||
        (what == DONE_NEITHER) > (reactions > 0) || (what == DONE_DELETED && reactions > 0))
        return false;
    struct amendment *am = state_amend(m, &msg, NULL);
    for (uint64_t i = 0; i < reactions; i++) {
        if (!load_reaction(m, in, msg, am))
            return false;
    }
    return true;
}

/* ---- details --------------------------------------------------------------------------------- */

/* Members of that time, each once. */
static bool load_mentions(struct model *m, struct bytes *in, const struct message *msg,
                          struct details *de)
{
    for (uint32_t i = 0; i < de->mention_count; i++) {
        struct member *mb;
        if (!take_member(m->load->group.g, in, &mb) || !member_saw(mb, msg->cursor))
            return false;
        for (uint32_t k = 0; k < i; k++) {
            if (de->mentions[k] == mb->user)
                return false;
        }
        de->mentions[i] = mb->user;
    }
    return true;
}

static bool take_details(struct model *m, struct bytes *in, const struct message *msg,
                         struct details **out)
{
    uint64_t reply_to, count, meta_len;
    struct bytes meta;

    if (!take_upto(in, msg->seq - 1, &reply_to) || !take_upto(in, MENTIONS_MAX, &count))
        return false;
    struct details *de = state_new_details((uint32_t)count, 0);
    bool good = load_mentions(m, in, msg, de) && take_upto(in, in->len, &meta_len) &&
                take(in, meta_len, &meta) && (reply_to > 0 || count > 0 || meta_len > 0);
    if (good) {
        *out = state_new_details((uint32_t)count, meta.len);
        (*out)->reply_to = (uint32_t)reply_to;
        memcpy((*out)->mentions, de->mentions, count * sizeof de->mentions[0]);
        if (meta.len > 0)
            memcpy(&(*out)->mentions[count], meta.p, meta.len);
    }
    state_free_details(de);
    return good;
}

static bool load_details(struct model *m, struct bytes *in)
{
    struct load_group *lg = &m->load->group;
    struct details *de;

    if (!take_step(in, lg->g->messages.count, &lg->cursor) || lg->cursor <= lg->time ||
        lg->cursor <= lg->g->expired)
        return false;
    lg->time = lg->cursor; /* of the one before: two of one message are none */
    struct message *msg = vec_at(&lg->g->messages, (uint32_t)lg->cursor - 1);
    if (msg->deleted || !take_details(m, in, msg, &de))
        return false;
    state_detail(m, &msg, de);
    state_add_mentions(lg->g, msg);
    return true;
}

/* ---- the order ------------------------------------------------------------------------------- */

/* Which types may stand behind which. */
static bool type_fits(const struct load *l, enum saved_type type)
{
    if (l->last && type != SAVED_external)
        return false;
    switch (type) {
    case SAVED_head:
        return false;
    case SAVED_user:
        return l->before <= SAVED_session;
    case SAVED_session:
        return l->before == SAVED_user || l->before == SAVED_session;
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
           type != SAVED_externals;
}

/* One element; the next one of the same record follows where bytes are left. */
static bool load_element(struct model *m, enum saved_type type, struct bytes *in)
{
    switch (type) {
    case SAVED_head:
        return load_head(m, in);
    case SAVED_user:
        return load_user(m, in);
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
    /* What may stand behind a group may stand behind its `kept`. */
    l->before = t == SAVED_kept ? SAVED_group : t;
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

    if (l == NULL || m->cursor != cursor || !finish_group(m) || l->over != (l->extras > 0) ||
        l->externals > 0 || l->kept_over != (l->kept > 0) || m->users.count != l->users ||
        map_count(&m->sessions_by_id) != l->sessions || m->groups.count != l->groups ||
        l->all_members != l->members || m->message_count != l->messages ||
        map_count(&m->messages_by_client_id) != l->client_ids)
        return false;
    for (uint32_t i = 0; i < m->users.count; i++) {
        if (!sort_memberships(vec_at(&m->users, i)))
            return false;
    }
    free(l);
    m->load = NULL;
    return true;
}
