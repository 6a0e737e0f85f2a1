/*
 * verify: every invariant of the model, walked one by one.
 */
#include "base/ensure.h"
#include "model/state.h"

static void verify_user(const struct model *m, const struct user *u, uint32_t number)
{
    uint32_t sessions = 0, active = 0;

    ENSURE(u->number == number);
    ENSURE(u->cursor <= m->cursor);
    ENSURE(model_user_by_id(m, &u->id) == u);
    ENSURE(model_user_by_name(m, u->username_key) == u);
    ENSURE(u->email_key.len == 0 || model_user_by_email(m, u->email_key) == u);
    for (const struct session *s = u->sessions; s != NULL; s = s->next) {
        ENSURE(s->user == u);
        ENSURE(model_session_by_id(m, &s->id) == s);
        ENSURE(model_session_by_token(m, &s->token) == s);
        sessions++;
    }
    ENSURE(u->session_count == sessions);
    for (uint32_t i = 0; i < u->memberships.count; i++) {
        const struct member *mb = vec_at(&u->memberships, i);
        ENSURE(mb->user == u);
        ENSURE(model_member(m, mb->group, u) == mb);
        active += member_is_active(mb);
    }
    ENSURE(u->active_groups == active);
}

static void verify_mark(const struct model *m, const struct group *g, const struct mark *mark)
{
    ENSURE(mark->seq <= g->messages.count);
    ENSURE((mark->seq == 0) == (mark->cursor == 0));
    ENSURE(mark->cursor <= m->cursor && mark->time <= m->time);
}

static void verify_member(const struct model *m, const struct member *mb)
{
    const struct group *g = mb->group;
    uint64_t edge = 0;

    ENSURE(mb->span_count > 0);
    for (uint32_t i = 0; i < mb->span_count; i++) {
        const struct span *span = i + 1 < mb->span_count ? &mb->earlier[i] : &mb->span;
        ENSURE(span->from > edge && span->to > span->from);
        edge = span->to;
    }
    ENSURE((mb->span.to == UINT64_MAX) == member_is_active(mb));
    if (member_is_active(mb))
        ENSURE(mb->active_at < g->active.count && vec_at(&g->active, mb->active_at) == mb);
    ENSURE((mb->role == ROLE_OWNER) == (g->owner == mb->user));
    ENSURE(mb->role != ROLE_OWNER || member_is_active(mb));
    verify_mark(m, g, &mb->delivered);
    verify_mark(m, g, &mb->read);
    ENSURE(mb->read.seq <= mb->delivered.seq);
    const struct message *own = group_message(g, mb->last_own);
    ENSURE((own == NULL) == (mb->last_own == 0));
    ENSURE(own == NULL || own->author == mb->user->number);
}

static void verify_messages(const struct model *m, const struct group *g)
{
    uint64_t cursor = 0;
    int64_t time = 0;

    for (uint32_t i = 0; i < g->messages.count; i++) {
        const struct message *msg = vec_at(&g->messages, i);
        const struct user *author = model_user(m, msg->author);
        ENSURE(msg->seq == i + 1 && msg->group == g->number);
        ENSURE(msg->cursor > cursor && msg->cursor <= m->cursor && msg->time >= time);
        ENSURE(author != NULL && member_saw(model_member(m, g, author), msg->cursor));
        ENSURE(model_message_by_id(m, &msg->id) == msg);
        ENSURE(msg->client_id_len == 0 ||
               model_message_by_client_id(m, author, message_client_id(msg)) == msg);
        const struct message *previous = group_message(g, msg->previous_own);
        ENSURE(msg->previous_own < msg->seq);
        ENSURE(previous == NULL || previous->author == msg->author);
        cursor = msg->cursor;
        time = msg->time;
    }
}

static void verify_group(const struct model *m, const struct group *g, uint32_t number)
{
    uint32_t active = 0;
    uint64_t cursor = 0;

    ENSURE(g->number == number);
    ENSURE(model_group_by_id(m, &g->id) == g);
    ENSURE(g->founder_count > 0 && g->founder_count <= g->members.count);
    for (uint32_t i = 0; i < g->members.count; i++) {
        const struct member *mb = vec_at(&g->members, i);
        ENSURE(mb->group == g);
        verify_member(m, mb);
        active += member_is_active(mb);
    }
    ENSURE(active == g->active.count);
    ENSURE((g->owner == NULL) == (active == 0));
    for (uint32_t i = 0; i < g->changes.count; i++) {
        const struct change *ch = vec_at(&g->changes, i);
        ENSURE(ch->cursor > cursor && ch->cursor <= g->last_cursor);
        cursor = ch->cursor;
    }
    cursor = 0;
    for (const struct list *l = g->by_mark.next; l != &g->by_mark; l = l->next) {
        const struct member *mb = LIST_OWNER(l, struct member, by_mark);
        ENSURE(mb->group == g && mb->delivered.cursor <= m->cursor);
        uint64_t moved =
            mb->delivered.cursor > mb->read.cursor ? mb->delivered.cursor : mb->read.cursor;
        ENSURE(moved > cursor);
        cursor = moved;
    }
    verify_messages(m, g);
}

void model_verify(const struct model *m)
{
    uint64_t sessions = 0, messages = 0, members = 0;

    for (uint32_t i = 0; i < m->users.count; i++) {
        const struct user *u = vec_at(&m->users, i);
        verify_user(m, u, i + 1);
        sessions += u->session_count;
    }
    for (uint32_t i = 0; i < m->groups.count; i++) {
        const struct group *g = vec_at(&m->groups, i);
        verify_group(m, g, i + 1);
        messages += g->messages.count;
        members += g->members.count;
    }
    ENSURE(map_count(&m->users_by_id) == m->users.count);
    ENSURE(map_count(&m->users_by_name) == m->users.count);
    ENSURE(map_count(&m->groups_by_id) == m->groups.count);
    ENSURE(map_count(&m->sessions_by_id) == sessions);
    ENSURE(map_count(&m->sessions_by_token) == sessions);
    ENSURE(map_count(&m->members) == members);
    ENSURE(map_count(&m->messages_by_id) == messages && m->message_count == messages);
}
