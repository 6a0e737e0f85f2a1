/*
 * role: who may do what in a group, and whose it is when its owner goes.
 */
#include "base/ensure.h"
#include "model/state.h"

#include <stdlib.h>

/* ---- grants ---------------------------------------------------------------------------------- */

struct notices *state_notices(struct group *g)
{
    if (g->notices == NULL) {
        g->notices = xcalloc(1, sizeof *g->notices);
        list_init(&g->notices->grants);
    }
    return g->notices;
}

/* The member's grant, which is there. Looked for from the newest on, as it is when there is to be
 * another. */
static struct grant *grant_of(const struct member *mb)
{
    struct list *head = &mb->group->notices->grants;

    for (struct list *l = head->prev; l != head; l = l->prev) {
        struct grant *gr = LIST_OWNER(l, struct grant, list);
        if (gr->member == mb)
            return gr;
    }
    ENSURE(!"a member with has_grant has one");
    return NULL;
}

void state_grant(struct member *mb, const struct user *by, const struct commit *c)
{
    struct notices *n = state_notices(mb->group);
    struct grant *gr = mb->has_grant ? grant_of(mb) : xcalloc(1, sizeof *gr);

    if (mb->has_grant)
        list_remove(&gr->list);
    gr->member = mb;
    gr->by = by;
    gr->cursor = c->cursor;
    gr->time = c->time;
    mb->has_grant = true;
    list_append(&n->grants, &gr->list);
}

void state_forget_grant(struct member *mb)
{
    if (!mb->has_grant)
        return;
    struct grant *gr = grant_of(mb);
    list_remove(&gr->list);
    free(gr);
    mb->has_grant = false;
}

void state_free_notices(struct notices *n)
{
    struct list *next;

    if (n == NULL)
        return;
    for (struct list *l = n->grants.next; l != &n->grants; l = next) {
        next = l->next;
        free(LIST_OWNER(l, struct grant, list));
    }
    state_free_amends(&n->amends);
    state_free_mentions(&n->mentions);
    free(n);
}

/* ---- the owner -------------------------------------------------------------------------------
 */

void state_set_owner(struct group *g, struct member *mb)
{
    g->owner = mb != NULL ? mb->user : NULL;
    if (mb != NULL)
        mb->role = ROLE_OWNER;
}

/*
 * The member of longest standing, in cursors and then in order of joining, of those whose role is
 * `role`; NULL where nobody has it. Only founders came with one cursor; all others have one each,
 * so that the order in which they are looked at does not count, nor how many have left.
 */
static struct member *eldest(const struct group *g, enum role role)
{
    struct member *found = NULL;

    for (uint32_t i = 0; i < g->founder_count; i++) {
        struct member *mb = vec_at(&g->members, i);
        if (member_is_active(mb) && mb->role == role && mb->span.from == g->cursor)
            return mb;
    }
    for (uint32_t i = 0; i < g->active.count; i++) {
        struct member *mb = vec_at(&g->active, i);
        if (mb->role == role && (found == NULL || mb->span.from < found->span.from))
            found = mb;
    }
    return found;
}

/* An admin comes before those who are none; without grants there is no admin. Told with the going
 * of the one before, so that the successor's own grant says nothing any more. */
void state_succeed(struct group *g)
{
    struct member *mb = g->notices != NULL ? eldest(g, ROLE_ADMIN) : NULL;

    if (mb == NULL)
        mb = eldest(g, ROLE_MEMBER);
    if (mb != NULL)
        state_forget_grant(mb);
    state_set_owner(g, mb);
}

/* ---- member_role ------------------------------------------------------------------------------
 */

/* The owner gives roles to others, and an admin may lay their own down; an owner cannot, but hand
 * the group over. */
enum err check_member_role(const struct model *m, const struct record_member_role *r)
{
    struct asked a;
    enum err err = asked_find(m, r->group, r->user, r->by, &a);

    if (err != ERR_ok)
        return err;
    if (r->role >= ROLE_COUNT)
        return ERR_refused;
    if (!member_is_active(a.asker))
        return ERR_not_a_member;
    const struct member *mb = model_member(m, a.group, a.user);
    if (!member_is_active(mb))
        return ERR_user_not_found;
    if (a.group->kind == GROUP_DIRECT)
        return ERR_forbidden;
    bool lays_down = a.own && mb->role == ROLE_ADMIN && r->role == ROLE_MEMBER;
    bool same = mb->role == r->role;
    if (!(a.own ? lays_down || same : a.asker->role == ROLE_OWNER))
        return ERR_forbidden;
    return same ? ERR_duplicate : ERR_ok;
}

/* A group that changes hands is told with one event, though it gives two people a role: two could
 * be cut in half by a connection that breaks between them. */
void apply_member_role(struct model *m, const struct record_member_role *r, const struct commit *c)
{
    struct group *g = state_group(m, r->group);
    struct user *u = state_user(m, r->user);
    struct user *by = state_user(m, r->by);
    struct member *mb = state_member(m, g, u);

    if (r->role == ROLE_OWNER) {
        struct member *before = state_member(m, g, by);
        before->role = ROLE_ADMIN;
        state_grant(before, by, c);
        state_set_owner(g, mb);
    }
    mb->role = r->role;
    state_grant(mb, by, c);
    g->last_cursor = c->cursor;
    commit_tell(
        c,
        (struct event){
            .type = EVENT_role_given, .group = g, .user = u, .by = by, .role = (enum role)r->role});
}

/* ---- member_leave -----------------------------------------------------------------------------
 */

enum err check_member_leave(const struct model *m, const struct record_member_leave *r)
{
    struct asked a;
    enum err err = asked_find(m, r->group, r->user, r->by, &a);

    if (err != ERR_ok)
        return err;
    if (!member_is_active(a.asker))
        return a.own ? ERR_user_not_found : ERR_forbidden;
    const struct member *mb = model_member(m, a.group, a.user);
    if (!member_is_active(mb))
        return ERR_user_not_found;
    if (a.group->kind == GROUP_DIRECT && !a.own)
        return ERR_forbidden;
    bool may = a.own || a.asker->role == ROLE_OWNER ||
               (a.asker->role == ROLE_ADMIN && mb->role == ROLE_MEMBER);
    return may ? ERR_ok : ERR_forbidden;
}

void apply_member_leave(struct model *m, const struct record_member_leave *r,
                        const struct commit *c)
{
    struct group *g = state_group(m, r->group);
    struct user *u = state_user(m, r->user);
    struct user *by = state_user(m, r->by);
    bool owned = g->owner == u;

    state_leave(state_member(m, g, u), u == by ? MEMBERSHIP_LEFT : MEMBERSHIP_REMOVED, c);
    bool passed_on = owned && g->owner != NULL;
    struct change *ch =
        state_add_change(g, passed_on ? CHANGE_SUCCEEDED : CHANGE_REMOVED, u, by, c);
    ch->owner = passed_on ? g->owner->number : 0;
    commit_tell(c, (struct event){.type = EVENT_member_removed,
                                  .group = g,
                                  .user = u,
                                  .by = by,
                                  .owner = passed_on ? g->owner : NULL,
                                  .to = u});
}
