/*
 * digest: the canonical walk. By number, then in the order of the lists that the journal made;
 * never in the order of a hash table or an address.
 */
#include "model/hook.h"
#include "model/state.h"

static void add_uuid(struct hash *h, const struct uuid *u)
{
    hash_add(h, u->b, sizeof u->b);
}

static void add_session(struct hash *h, const struct session *s)
{
    add_uuid(h, &s->id);
    hash_add(h, s->token.b, sizeof s->token.b);
    hash_add_u64(h, (uint64_t)s->created_at);
    hash_add_u64(h, s->platform);
    hash_add_u64(h, s->build);
    hash_add_bytes(h, bytes_of(s->texts, s->device_id_len));
    hash_add_bytes(h, bytes_of(s->texts + s->device_id_len, s->model_len));
    hash_add_bytes(h, bytes_of(s->texts + s->device_id_len + s->model_len, s->name_len));
}

static void add_user(struct hash *h, const struct user *u)
{
    hash_add_u64(h, u->number);
    add_uuid(h, &u->id);
    hash_add_u64(h, u->cursor);
    hash_add_u64(h, (uint64_t)u->created_at);
    hash_add_bytes(h, u->username);
    hash_add_bytes(h, u->username_key);
    hash_add_bytes(h, u->email);
    hash_add_bytes(h, u->email_key);
    hash_add_bytes(h, u->password);
    /* Without one, the digest is what it was before there were such ids. */
    if (u->external != NULL)
        hash_add_bytes(h, user_external_id(u));
    if (u->erasure != ERASURE_NONE)
        hash_add_u64(h, u->erasure);
    for (uint32_t i = 0; u->profile != NULL && i < u->profile->block_count; i++)
        hash_add_u64(h, u->profile->blocks[i]);
    if (user_tokens(u) != 0 || user_display_name(u).len > 0) {
        hash_add_u64(h, user_tokens(u));
        hash_add_bytes(h, user_display_name(u));
    }
    hash_add_u64(h, u->session_count);
    for (const struct session *s = u->sessions; s != NULL; s = s->next)
        add_session(h, s);
    hash_add_u64(h, u->active_groups);
    hash_add_u64(h, u->memberships.count);
    for (uint32_t i = 0; i < u->memberships.count; i++) {
        const struct member *mb = vec_at(&u->memberships, i);
        hash_add_u64(h, mb->group->number);
    }
}

static void add_mark(struct hash *h, const struct mark *mark)
{
    hash_add_u64(h, mark->seq);
    hash_add_u64(h, mark->cursor);
    hash_add_u64(h, (uint64_t)mark->time);
}

static void add_span(struct hash *h, const struct span *span)
{
    hash_add_u64(h, span->from);
    hash_add_u64(h, span->to);
}

static void add_member(struct hash *h, const struct member *mb)
{
    hash_add_u64(h, mb->user->number);
    hash_add_u64(h, mb->role);
    hash_add_u64(h, mb->membership);
    hash_add_u64(h, mb->last_own);
    add_mark(h, &mb->delivered);
    add_mark(h, &mb->read);
    hash_add_u64(h, mb->span_count);
    for (uint32_t i = 0; i + 1 < mb->span_count; i++)
        add_span(h, &mb->earlier[i]);
    add_span(h, &mb->span);
}

static void add_change(struct hash *h, const struct change *ch)
{
    hash_add_u64(h, ch->kind);
    hash_add_u64(h, ch->cursor);
    hash_add_u64(h, (uint64_t)ch->time);
    hash_add_u64(h, ch->user->number);
    hash_add_u64(h, ch->by->number);
    if (ch->kind == CHANGE_SUCCEEDED)
        hash_add_u64(h, ch->owner);
}

/* Of groups that have some: without, the digest is what it was before there were notices. */
static void add_notices(struct hash *h, const struct notices *n)
{
    if (n->cursor != 0) {
        hash_add_u64(h, n->cursor);
        hash_add_u64(h, (uint64_t)n->time);
        hash_add_u64(h, n->by->number);
        hash_add_bytes(h, n->first.name);
        hash_add_u64(h, n->first.join);
        hash_add_u64(h, n->first.history);
    }
    for (const struct list *l = n->grants.next; l != &n->grants; l = l->next) {
        const struct grant *gr = LIST_OWNER(l, struct grant, list);
        hash_add_u64(h, gr->member->user->number);
        hash_add_u64(h, gr->by->number);
        hash_add_u64(h, gr->cursor);
        hash_add_u64(h, (uint64_t)gr->time);
    }
}

static void add_amendment(struct hash *h, const struct amendment *am)
{
    hash_add_u64(h, am->cursor);
    hash_add_u64(h, (uint64_t)am->time);
    hash_add_u64(h, am->version);
    hash_add_u64(h, am->by);
    hash_add_u64(h, am->reaction_count);
    for (uint32_t i = 0; i < am->reaction_count; i++) {
        const struct reaction *re = &am->reactions[i];
        const struct emoji *em = &am->emojis[re->emoji];
        hash_add_u64(h, re->cursor);
        hash_add_u64(h, (uint64_t)re->time);
        hash_add_u64(h, re->user);
        hash_add_u64(h, re->removed);
        hash_add_bytes(h, bytes_of(em->bytes, em->len));
    }
}

static void add_details(struct hash *h, const struct details *de)
{
    hash_add_u64(h, de->reply_to);
    hash_add_u64(h, de->mention_count);
    for (uint32_t i = 0; i < de->mention_count; i++)
        hash_add_u64(h, de->mentions[i]->number);
    hash_add_bytes(h, details_meta(de));
}

static void add_message(struct hash *h, const struct group *g, const struct message *msg)
{
    add_uuid(h, &msg->id);
    hash_add_u64(h, msg->cursor);
    hash_add_u64(h, (uint64_t)message_time(msg));
    hash_add_u64(h, msg->author);
    hash_add_u64(h, msg->previous_own > g->expired ? msg->previous_own : 0);
    hash_add_bytes(h, message_client_id(msg));
    hash_add_bytes(h, message_data(msg));
    if (msg->amended)
        add_amendment(h, message_amendment(msg));
    if (msg->detailed)
        add_details(h, message_details(msg));
}

static void add_group(struct hash *h, const struct group *g)
{
    hash_add_u64(h, g->number);
    add_uuid(h, &g->id);
    hash_add_u64(h, g->cursor);
    hash_add_u64(h, g->last_cursor);
    hash_add_bytes(h, g->name);
    hash_add_u64(h, g->founder_count);
    hash_add_u64(h, g->owner != NULL ? g->owner->number : 0);
    hash_add_u64(h, g->members.count);
    for (uint32_t i = 0; i < g->members.count; i++)
        add_member(h, vec_at(&g->members, i));
    hash_add_u64(h, g->active.count);
    for (uint32_t i = 0; i < g->active.count; i++) {
        const struct member *mb = vec_at(&g->active, i);
        hash_add_u64(h, mb->user->number);
    }
    for (const struct list *l = g->by_mark.next; l != &g->by_mark; l = l->next)
        hash_add_u64(h, LIST_OWNER(l, struct member, by_mark)->user->number);
    hash_add_u64(h, g->changes.count);
    for (uint32_t i = 0; i < g->changes.count; i++)
        add_change(h, vec_at(&g->changes, i));
    hash_add_u64(h, g->messages.count);
    for (uint32_t i = g->expired; i < g->messages.count; i++)
        add_message(h, g, vec_at(&g->messages, i));
    if ((g->kind | g->join | g->history | g->deleted) != 0) {
        hash_add_u64(h, g->kind);
        hash_add_u64(h, g->join);
        hash_add_u64(h, g->history);
        hash_add_u64(h, g->deleted);
    }
    if (g->notices != NULL)
        add_notices(h, g->notices);
    if (g->expired > 0 || g->retention_days > 0) {
        hash_add_u64(h, g->expired);
        hash_add_u64(h, g->retention_days);
    }
}

static void add_hook(struct hash *h, const struct hook *hook)
{
    add_uuid(h, &hook->id);
    hash_add_u64(h, hook->cursor);
    hash_add_u64(h, (uint64_t)hook->created_at);
    hash_add_u64(h, hook->position);
    hash_add_bytes(h, hook->url);
    hash_add_bytes(h, hook->secret);
    hash_add_bytes(h, bytes_of(hook->types, hook->type_count));
    if (hook->old_secret.len > 0) {
        hash_add_bytes(h, hook->old_secret);
        hash_add_u64(h, (uint64_t)hook->old_until);
    }
}

void model_digest(const struct model *m, uint8_t out[static MODEL_DIGEST_LEN])
{
    struct hash h;

    hash_init(&h, MODEL_DIGEST_LEN);
    hash_add_u64(&h, m->cursor);
    hash_add_u64(&h, (uint64_t)m->time);
    hash_add_u64(&h, m->users.count);
    for (uint32_t i = 0; i < m->users.count; i++)
        add_user(&h, vec_at(&m->users, i));
    hash_add_u64(&h, m->groups.count);
    for (uint32_t i = 0; i < m->groups.count; i++)
        add_group(&h, vec_at(&m->groups, i));
    if (m->hooks.count > 0)
        hash_add_u64(&h, m->hooks.count);
    for (uint32_t i = 0; i < m->hooks.count; i++)
        add_hook(&h, vec_at(&m->hooks, i));
    if (!uuid_is_zero(&m->epoch))
        add_uuid(&h, &m->epoch);
    hash_final(&h, out);
}
