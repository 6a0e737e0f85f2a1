/*
 * retention: messages that have been kept long enough go.
 *
 * They go from a group's beginning on: what is gone is one number, group->expired, and everything
 * that looks for a message by its number asks group_message, for which it is then not there.
 */
#include "base/ensure.h"
#include "model/state.h"

/* ---- messages_expire --------------------------------------------------------------------------
 */

enum err check_messages_expire(const struct model *m, const struct record_messages_expire *r)
{
    const struct group *g = model_group(m, r->group);

    if (g == NULL || r->up_to > g->messages.count)
        return ERR_refused;
    return r->up_to > g->expired ? ERR_ok : ERR_duplicate;
}

/* The message is the oldest of its author here, so the chain of theirs ends behind it: previous_own
 * of the next may name it still, and says nothing then. */
static void expire(struct model *m, struct group *g, struct message *msg)
{
    struct member *author = state_member(m, g, state_user(m, msg->author));

    if (author->last_own == msg->seq)
        author->last_own = 0;
    if (msg->seq > author->read.seq && !msg->deleted)
        author->own_unread--;
    state_end_steps(g, msg);
    if (msg->detailed)
        state_drop_mentions(g, msg);
    state_forget_message(m, msg);
}

void apply_messages_expire(struct model *m, const struct record_messages_expire *r,
                           const struct commit *c)
{
    struct group *g = state_group(m, r->group);

    (void)c;
    for (uint32_t seq = g->expired + 1; seq <= r->up_to; seq++)
        expire(m, g, vec_at(&g->messages, seq - 1));
    vec_drop(&g->messages, g->expired, r->up_to);
    g->expired = r->up_to;
}

/* ---- group_retention --------------------------------------------------------------------------
 */

enum err check_group_retention(const struct model *m, const struct record_group_retention *r)
{
    const struct group *g = model_group(m, r->group);
    const struct user *by = model_user(m, r->by);

    if (g == NULL || by == NULL)
        return ERR_refused;
    const struct member *mb = model_member(m, g, by);
    if (mb == NULL)
        return ERR_group_not_found;
    if (!member_is_active(mb))
        return ERR_not_a_member;
    /* What two people say to each other either of them may want to be gone. */
    if (mb->role == ROLE_MEMBER && g->kind != GROUP_DIRECT)
        return ERR_forbidden;
    return g->retention_days != r->days ? ERR_ok : ERR_duplicate;
}

void apply_group_retention(struct model *m, const struct record_group_retention *r,
                           const struct commit *c)
{
    struct group *g = state_group(m, r->group);
    struct user *by = state_user(m, r->by);

    m->limited_groups += (uint32_t)(r->days > 0) - (uint32_t)(g->retention_days > 0);
    g->retention_days = r->days;
    /* It is one of the settings, and is told with them. */
    state_change_settings(g, &(struct settings){g->name, g->join, g->history}, by, c);
    commit_tell(c, (struct event){.type = EVENT_group_changed, .group = g, .user = by, .by = by});
}

uint32_t model_limited_groups(const struct model *m)
{
    return m->limited_groups;
}
