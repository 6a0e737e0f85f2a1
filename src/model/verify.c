/*
 * verify: every invariant of the model, walked one by one.
 */
#include "base/ensure.h"
#include "model/hook.h"
#include "model/state.h"

/* What the tables must hold, counted on the way. */
struct counts {
    uint64_t erased, erasing, emails, externals, sessions, members, messages, client_ids, limited;
};

static void verify_erased(const struct model *m, const struct user *u)
{
    ENSURE(u->erasure < ERASURE_COUNT);
    ENSURE(model_user_by_id(m, &u->id) != u);
    ENSURE(u->username.len == 0 && u->username_key.len == 0 && u->password.len == 0);
    ENSURE(u->email.len == 0 && u->email_key.len == 0);
    ENSURE(u->external == NULL && u->profile == NULL && u->sessions == NULL);
    ENSURE(u->erasure == ERASURE_BEGUN || u->active_groups == 0);
}

static void verify_user(const struct model *m, const struct user *u, uint32_t number,
                        struct counts *counts)
{
    uint32_t sessions = 0, active = 0;

    ENSURE(u->number == number);
    ENSURE(u->cursor <= m->cursor);
    if (u->erasure == ERASURE_NONE) {
        ENSURE(model_user_by_id(m, &u->id) == u);
        ENSURE(model_user_by_name(m, u->username_key) == u);
        ENSURE(model_user_from(m, u->username_key, false) == u);
    } else {
        verify_erased(m, u);
        counts->erased++;
        counts->erasing += u->erasure == ERASURE_BEGUN;
    }
    ENSURE(u->email_key.len == 0 || model_user_by_email(m, u->email_key) == u);
    ENSURE(u->external == NULL || u->external->user == u);
    ENSURE(u->external == NULL || external_id_valid(user_external_id(u)));
    ENSURE(u->external == NULL || model_user_by_external_id(m, user_external_id(u)) == u);
    for (uint32_t i = 0; u->profile != NULL && i < u->profile->block_count; i++) {
        uint32_t whom = u->profile->blocks[i];
        ENSURE(model_user(m, whom) != NULL && whom != number);
        ENSURE(i == 0 || u->profile->blocks[i - 1] < whom);
    }
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
        ENSURE(model_member(m, mb->group, u) == (mb->group->deleted ? NULL : mb));
        active += member_is_active(mb);
    }
    ENSURE(u->active_groups == active);
    counts->emails += u->email_key.len > 0;
    counts->externals += u->external != NULL;
    counts->sessions += sessions;
}

static void verify_mark(const struct model *m, const struct group *g, const struct mark *mark)
{
    ENSURE(mark->seq <= g->messages.count);
    ENSURE((mark->seq == 0) == (mark->cursor == 0));
    ENSURE(mark->cursor <= m->cursor && mark->time <= m->time);
}

/* Walks the member's own messages, newest first, and returns how many there are. Where the chains
 * of all members together have as many as the group, no chain leaves one out. */
static uint32_t verify_own_messages(const struct member *mb)
{
    uint32_t count = 0, unread = 0, above = mb->group->messages.count + 1;

    for (uint32_t seq = mb->last_own; seq > mb->group->expired; count++) {
        ENSURE(seq < above);
        const struct message *msg = group_message(mb->group, seq);
        ENSURE(msg != NULL && msg->author == mb->user->number);
        above = seq;
        unread += seq > mb->read.seq && !msg->deleted;
        seq = msg->previous_own;
    }
    ENSURE(mb->own_unread == unread);
    ENSURE(mb->last_own == 0 || mb->last_own > mb->group->expired);
    return count;
}

static void verify_member(const struct model *m, const struct member *mb)
{
    const struct group *g = mb->group;
    uint64_t edge = 0;

    ENSURE(mb->span_count > 0);
    for (uint32_t i = 0; i < mb->span_count; i++) {
        const struct span *span = i + 1 < mb->span_count ? &mb->earlier[i] : &mb->span;
        ENSURE(span->from > edge && span->from <= m->cursor && span->to > span->from);
        edge = span->to;
    }
    ENSURE((mb->span.to == UINT64_MAX) == member_is_active(mb));
    ENSURE(mb->membership != MEMBERSHIP_ENDED);
    if (member_is_active(mb))
        ENSURE(mb->active_at < g->active.count && vec_at(&g->active, mb->active_at) == mb);
    ENSURE((mb->role == ROLE_OWNER) == (g->owner == mb->user));
    ENSURE(mb->role == ROLE_MEMBER || member_is_active(mb));
    ENSURE(mb->role < ROLE_COUNT && (mb->role != ROLE_ADMIN || mb->has_grant));
    ENSURE(!mb->has_grant || member_is_active(mb));
    verify_mark(m, g, &mb->delivered);
    verify_mark(m, g, &mb->read);
    ENSURE(mb->read.seq <= mb->delivered.seq);
    ENSURE(list_empty(&mb->by_mark) == (mb->delivered.seq == 0));
}

/* Returns how many steps it has. */
static uint32_t verify_amendment(const struct model *m, const struct message *msg)
{
    const struct amendment *am = message_amendment(msg);
    uint32_t live = 0, counted = 0;

    ENSURE(am->cursor == 0 || (am->cursor > msg->cursor && am->cursor <= m->cursor));
    ENSURE(am->cursor > 0 || am->reaction_count > 0);
    ENSURE(msg->deleted == (am->by != 0));
    ENSURE(!msg->deleted || (msg->data_len == 0 && am->reaction_count == 0));
    ENSURE((am->version > 0) == (am->cursor > 0 && !msg->deleted));
    for (uint32_t i = 0; i < am->reaction_count; i++) {
        const struct reaction *re = &am->reactions[i];
        ENSURE(re->cursor > msg->cursor && re->cursor <= m->cursor);
        ENSURE(re->emoji < am->emoji_count && model_user(m, re->user) != NULL);
        live += !re->removed;
    }
    for (uint32_t i = 0; i < am->emoji_count; i++)
        counted += am->emojis[i].count;
    ENSURE(live == counted);
    return am->reaction_count + (am->cursor > 0);
}

/* Each thing has one step, and each step that is not over one thing. */
static void verify_amends(const struct group *g, uint32_t things, uint32_t deleted)
{
    static const struct amends none;
    const struct amends *a = g->notices != NULL ? &g->notices->amends : &none;
    uint32_t over = 0;

    for (uint32_t i = 0; i < a->count; i++) {
        const struct amend_step *step = &a->steps[i];
        ENSURE(i == 0 || a->steps[i - 1].cursor < step->cursor);
        ENSURE(step->cursor <= g->last_cursor);
        over += step->reaction == AMEND_OVER;
        if (step->reaction == AMEND_OVER)
            continue;
        const struct amendment *am = message_amendment(group_message(g, step->seq));
        uint64_t cursor =
            step->reaction == 0 ? am->cursor : am->reactions[step->reaction - 1].cursor;
        ENSURE(cursor == step->cursor);
    }
    ENSURE(over == a->over && a->count - over == things && a->deleted_count == deleted);
    for (uint32_t i = 0; i < deleted; i++) {
        ENSURE(i == 0 || a->deleted[i - 1] < a->deleted[i]);
        ENSURE(group_message(g, a->deleted[i])->deleted);
    }
}

/* Returns how many mentions of it count. */
static uint32_t verify_details(const struct model *m, const struct group *g,
                               const struct message *msg)
{
    const struct details *de = message_details(msg);
    uint32_t others = 0;

    ENSURE(!msg->deleted && de->reply_to < msg->seq && de->mention_count <= MENTIONS_MAX);
    ENSURE(de->reply_to > 0 || de->mention_count > 0 || de->meta_len > 0);
    for (uint32_t i = 0; i < de->mention_count; i++) {
        const struct user *u = de->mentions[i];
        ENSURE(model_user(m, u->number) == u);
        ENSURE(member_saw(model_member(m, g, u), msg->cursor));
        ENSURE(u->number == msg->author || mentions_has(g, u, msg->seq));
        others += u->number != msg->author;
    }
    return others;
}

/* The index has no others than those that verify_details found in it. */
static void verify_mentions(const struct group *g, uint64_t mentions)
{
    static const struct mentions none;
    const struct mentions *me = g->notices != NULL ? &g->notices->mentions : &none;

    for (uint32_t i = 0; i < me->count; i++) {
        const struct mentioned *of = &me->users[i];
        ENSURE(i == 0 || me->users[i - 1].user < of->user);
        for (uint32_t k = 1; k < of->count; k++)
            ENSURE(of->seqs[k - 1] < of->seqs[k]);
        ENSURE(mentions >= of->count);
        mentions -= of->count;
    }
    ENSURE(mentions == 0);
}

static void verify_messages(const struct model *m, const struct group *g, struct counts *counts)
{
    uint64_t cursor = 0;
    int64_t time = 0;
    uint32_t things = 0, deleted = 0;
    uint64_t mentions = 0;

    for (uint32_t i = g->expired; i < g->messages.count; i++) {
        const struct message *msg = vec_at(&g->messages, i);
        const struct user *author = model_user(m, msg->author);
        ENSURE(msg->seq == i + 1 && msg->group == g->number);
        ENSURE(msg->cursor > cursor && msg->cursor <= m->cursor && message_time(msg) >= time);
        const struct member *mb = author != NULL ? model_member(m, g, author) : NULL;
        ENSURE(mb != NULL && member_saw(mb, msg->cursor));
        ENSURE(model_message_by_id(m, &msg->id) == msg);
        ENSURE(msg->client_id_len == 0 ||
               model_message_by_client_id(m, author, message_client_id(msg)) == msg);
        counts->client_ids += msg->client_id_len > 0;
        things += msg->amended ? verify_amendment(m, msg) : 0;
        mentions += msg->detailed ? verify_details(m, g, msg) : 0;
        deleted += msg->deleted;
        cursor = msg->cursor;
        time = message_time(msg);
    }
    verify_amends(g, things, deleted);
    verify_mentions(g, mentions);
    counts->messages += g->messages.count - g->expired;
}

static void verify_changes(const struct group *g)
{
    uint64_t cursor = 0;
    int64_t time = 0;

    for (uint32_t i = 0; i < g->changes.count; i++) {
        const struct change *ch = vec_at(&g->changes, i);
        ENSURE(ch->cursor > cursor && ch->cursor <= g->last_cursor && ch->time >= time);
        ENSURE((ch->kind == CHANGE_SUCCEEDED) == (ch->owner != 0));
        cursor = ch->cursor;
        time = ch->time;
    }
}

static void verify_notices(const struct model *m, const struct group *g, uint32_t granted)
{
    uint64_t cursor = 0;
    int64_t time = 0;

    ENSURE(g->notices->cursor <= g->last_cursor && g->notices->time <= m->time);
    ENSURE(g->notices->cursor == 0 || g->notices->cursor > g->cursor);

    for (const struct list *l = g->notices->grants.next; l != &g->notices->grants; l = l->next) {
        const struct grant *gr = LIST_OWNER(l, struct grant, list);
        ENSURE(gr->member->group == g && gr->member->has_grant);
        ENSURE(gr->cursor >= cursor && gr->cursor <= g->last_cursor && gr->time >= time);
        cursor = gr->cursor;
        time = gr->time;
        ENSURE(granted-- > 0);
    }
    ENSURE(granted == 0);
}

static void verify_by_mark(const struct group *g)
{
    uint64_t cursor = 0;

    for (const struct list *l = g->by_mark.next; l != &g->by_mark; l = l->next) {
        const struct member *mb = LIST_OWNER(l, struct member, by_mark);
        ENSURE(mb->group == g);
        uint64_t moved =
            mb->delivered.cursor > mb->read.cursor ? mb->delivered.cursor : mb->read.cursor;
        ENSURE(moved > cursor);
        cursor = moved;
    }
}

/* All that is left of a group that was deleted. */
static void verify_deleted(const struct model *m, const struct group *g, uint32_t number)
{
    ENSURE(g->number == number && g->cursor < g->last_cursor && g->last_cursor <= m->cursor);
    /* Nobody keeps its id from being that of another, though chance will. */
    ENSURE(model_group_by_id(m, &g->id) != g);
    ENSURE(g->notices->cursor == g->last_cursor && list_empty(&g->notices->grants));
    ENSURE(g->owner == NULL && g->name.len == 0 && g->messages.count == 0);
    ENSURE(g->changes.count == 0 && list_empty(&g->by_mark));
    ENSURE((g->kind | g->join | g->history) == 0);
    ENSURE(g->expired == 0 && g->retention_days == 0);
    for (uint32_t i = 0; i < g->members.count; i++) {
        const struct member *mb = vec_at(&g->members, i);
        ENSURE(mb->group == g && mb->span_count == 1 && mb->earlier == NULL);
        ENSURE(mb->span.from < mb->span.to && mb->span.to <= g->last_cursor);
        ENSURE((mb->membership == MEMBERSHIP_ENDED) == (mb->span.to == g->last_cursor));
        ENSURE(!member_is_active(mb) && mb->role == ROLE_MEMBER && !mb->has_grant);
        ENSURE(mb->delivered.seq == 0 && list_empty(&mb->by_mark));
        ENSURE(mb->last_own == 0 && mb->own_unread == 0);
    }
}

static void verify_direct(const struct model *m, const struct group *g)
{
    ENSURE(g->members.count == 2 && g->founder_count == 2);
    const struct member *a = vec_at(&g->members, 0), *b = vec_at(&g->members, 1);
    ENSURE(model_direct(m, a->user, b->user) == g);
}

static void verify_group(const struct model *m, const struct group *g, uint32_t number,
                         struct counts *counts)
{
    uint32_t active = 0, own = 0, granted = 0;

    ENSURE(g->number == number);
    ENSURE(g->cursor <= g->last_cursor && g->last_cursor <= m->cursor);
    ENSURE(model_group_by_id(m, &g->id) == g);
    ENSURE(g->kind < GROUP_KIND_COUNT && g->join < JOIN_COUNT && g->history < HISTORY_COUNT);
    ENSURE(g->founder_count > 0 && g->founder_count <= g->members.count);
    for (uint32_t i = 0; i < g->members.count; i++) {
        const struct member *mb = vec_at(&g->members, i);
        ENSURE(mb->group == g);
        verify_member(m, mb);
        own += verify_own_messages(mb);
        active += member_is_active(mb);
        granted += mb->has_grant;
    }
    ENSURE(active == g->active.count);
    ENSURE((g->owner == NULL) == (active == 0));
    ENSURE(g->expired <= g->messages.count && own == g->messages.count - g->expired);
    counts->limited += g->retention_days > 0;
    if (g->kind == GROUP_DIRECT)
        verify_direct(m, g);
    verify_changes(g);
    verify_by_mark(g);
    ENSURE(g->notices != NULL || granted == 0);
    if (g->notices != NULL)
        verify_notices(m, g, granted);
    verify_messages(m, g, counts);
    counts->members += g->members.count;
}

static void verify_hooks(const struct model *m)
{
    uint64_t cursor = 0;

    for (uint32_t i = 0; i < m->hooks.count; i++) {
        const struct hook *hook = vec_at(&m->hooks, i);
        ENSURE(hook->cursor > cursor && hook->cursor <= m->cursor);
        ENSURE(hook->position <= m->cursor && hook->created_at <= m->time);
        ENSURE(hook->url.len > 0 && hook->url.len <= HOOK_URL_MAX && hook->secret.len > 0);
        ENSURE(model_hook_by_id(m, &hook->id) == hook);
        ENSURE(hook->old_secret.len > 0 ? hook->old_until > 0 && hook->old_until <= MODEL_TIME_MAX
                                        : hook->old_until == 0);
        for (uint32_t k = 0; k < hook->type_count; k++) {
            ENSURE(hook_offers(hook->types[k]));
            ENSURE(k == 0 || hook->types[k] > hook->types[k - 1]);
        }
        cursor = hook->cursor;
    }
}

void model_verify(const struct model *m)
{
    struct counts counts = {0};
    uint32_t deleted = 0, direct = 0;
    uint64_t gone, gone_client_ids;

    for (uint32_t i = 0; i < m->users.count; i++)
        verify_user(m, vec_at(&m->users, i), i + 1, &counts);
    for (uint32_t i = 0; i < m->groups.count; i++) {
        const struct group *g = vec_at(&m->groups, i);
        deleted += g->deleted;
        direct += g->kind == GROUP_DIRECT;
        if (g->deleted)
            verify_deleted(m, g, i + 1);
        else
            verify_group(m, g, i + 1, &counts);
    }
    ENSURE(map_count(&m->users_by_id) == m->users.count - counts.erased);
    ENSURE(map_count(&m->users_by_name) == m->users.count - counts.erased);
    ENSURE(sorted_count(&m->names) == m->users.count - counts.erased);
    ENSURE(m->erasing.count == counts.erasing);
    for (uint32_t i = 0; i < m->erasing.count; i++)
        ENSURE(((const struct user *)vec_at(&m->erasing, i))->erasure == ERASURE_BEGUN);
    ENSURE(map_count(&m->users_by_email) == counts.emails);
    ENSURE(map_count(&m->directs) == direct);
    ENSURE(map_count(&m->users_by_external_id) == counts.externals);
    ENSURE(map_count(&m->groups_by_id) == m->groups.count - deleted);
    ENSURE(map_count(&m->sessions_by_id) == counts.sessions);
    ENSURE(map_count(&m->sessions_by_token) == counts.sessions);
    ENSURE(map_count(&m->members) == counts.members);
    state_count_reclaim(m, &gone, &gone_client_ids);
    ENSURE(map_count(&m->messages_by_id) == counts.messages + gone);
    ENSURE(map_count(&m->messages_by_client_id) == counts.client_ids + gone_client_ids);
    ENSURE(m->message_count == counts.messages);
    ENSURE(m->limited_groups == counts.limited);
    verify_hooks(m);
}
