#include "model/save.h"
#include "model/hook.h"

#include "base/ensure.h"
#include "base/varint.h"
#include "model/state.h"

#include <stdlib.h>

struct saver {
    model_save_fn *fn;
    void *ctx;
    uint64_t extras;                /* groups that have one, so far */
    uint64_t kept;                  /* the same */
    uint64_t profiles;              /* users who have one, or are no more, so far */
    struct buf buf;                 /* the record; a list's elements gather until it is worth one */
    const struct session **reverse; /* the sessions of one user */
    uint32_t reverse_cap;
    /* By user number - 1: where each member of the group that is being saved stands in its members.
     * The model does not keep it, and looking for it would be a search a message. */
    uint32_t *places;
};

static void flush(struct saver *s, enum saved_type type)
{
    if (s->buf.len > 0)
        s->fn(s->ctx, (uint16_t)type, buf_bytes(&s->buf));
    buf_reset(&s->buf);
}

/* Before an element: what there is goes when it is enough. A large message is not kept for the rest
 * of the child's life. */
static void flush_full(struct saver *s, enum saved_type type)
{
    if (s->buf.len < SAVE_RECORD_BYTES)
        return;
    flush(s, type);
    buf_shrink(&s->buf, 4 * SAVE_RECORD_BYTES);
}

static void put_uuid(struct buf *b, const struct uuid *id)
{
    buf_add(b, id->b, sizeof id->b);
}

static void put_text8(struct buf *b, struct bytes s)
{
    ENSURE(s.len <= UINT8_MAX);
    buf_add_u8(b, (uint8_t)s.len);
    buf_add_bytes(b, s);
}

static void put_text(struct buf *b, struct bytes s)
{
    buf_add_varint(b, s.len);
    buf_add_bytes(b, s);
}

/* ---- users ----------------------------------------------------------------------------------- */

static void save_session(struct saver *s, const struct session *session)
{
    const uint8_t *texts = (const uint8_t *)session->texts;
    struct buf *b = &s->buf;

    put_uuid(b, &session->id);
    buf_add(b, session->token.b, sizeof session->token.b);
    buf_add_varint(b, (uint64_t)session->created_at);
    buf_add_u8(b, session->platform);
    buf_add_varint(b, session->build);
    put_text(b, bytes_of(texts, session->device_id_len));
    texts += session->device_id_len;
    put_text(b, bytes_of(texts, session->model_len));
    texts += session->model_len;
    buf_add(b, texts, session->name_len);
    flush(s, SAVED_session);
}

/* The oldest first, as they were made; the list has them the other way round. */
static void save_sessions(struct saver *s, const struct user *u)
{
    uint32_t i = 0;

    if (u->session_count > s->reverse_cap) {
        s->reverse_cap = 2 * u->session_count;
        s->reverse = xrealloc(s->reverse, s->reverse_cap * sizeof(void *));
    }
    for (const struct session *session = u->sessions; session != NULL; session = session->next)
        s->reverse[i++] = session;
    while (i > 0)
        save_session(s, s->reverse[--i]);
}

/* Nothing for who is as they registered, but for address and password. */
static void save_profile(struct saver *s, const struct user *u)
{
    struct buf *b = &s->buf;

    const struct profile *p = u->profile;

    if (p == NULL || (p->tokens == 0 && p->block_count == 0 && p->display_name.len == 0))
        return;
    buf_add_varint(b, p->tokens);
    buf_add_varint(b, p->block_count);
    for (uint32_t i = 0; i < p->block_count; i++)
        buf_add_varint(b, p->blocks[i] - (i > 0 ? p->blocks[i - 1] : 0));
    buf_add_bytes(b, p->display_name);
    flush(s, SAVED_profile);
    s->profiles++;
}

static void save_erased(struct saver *s, const struct user *u)
{
    struct buf *b = &s->buf;

    buf_add(b, u->id.b, sizeof u->id.b);
    buf_add_varint(b, u->cursor);
    buf_add_varint(b, (uint64_t)u->created_at);
    buf_add_u8(b, u->erasure);
    flush(s, SAVED_erased);
    s->profiles++;
}

static void save_user(struct saver *s, const struct user *u)
{
    struct buf *b = &s->buf;

    if (u->erasure != ERASURE_NONE) {
        save_erased(s, u);
        return;
    }

    put_uuid(b, &u->id);
    buf_add_varint(b, u->cursor);
    buf_add_varint(b, (uint64_t)u->created_at);
    put_text8(b, u->username);
    put_text8(b, u->username_key);
    put_text8(b, u->email);
    put_text8(b, u->email_key);
    put_text8(b, u->password);
    flush(s, SAVED_user);
    save_profile(s, u);
    save_sessions(s, u);
}

static void save_hooks(struct saver *s, const struct model *m)
{
    struct buf *b = &s->buf;

    if (m->hooks.count == 0)
        return;
    buf_add_varint(b, m->hooks.count);
    flush(s, SAVED_hooks);
    for (uint32_t i = 0; i < m->hooks.count; i++) {
        const struct hook *hook = vec_at(&m->hooks, i);
        put_uuid(b, &hook->id);
        buf_add_varint(b, hook->cursor);
        buf_add_varint(b, (uint64_t)hook->created_at);
        buf_add_varint(b, hook->position);
        buf_add_varint(b, hook->type_count);
        for (uint32_t k = 0; k < hook->type_count; k++)
            buf_add_varint(b, hook->types[k] - (k > 0 ? hook->types[k - 1] : 0u));
        put_text8(b, hook->secret);
        buf_add_bytes(b, hook->url);
        flush(s, SAVED_hook);
        if (hook->old_secret.len > 0) {
            buf_add_varint(b, (uint64_t)hook->old_until);
            buf_add_bytes(b, hook->old_secret);
            flush(s, SAVED_hook_secret);
        }
    }
}

/* Behind everything, since the users' own records have no place for it. */
static void save_externals(struct saver *s, const struct model *m)
{
    uint32_t before = 0;

    if (map_count(&m->users_by_external_id) == 0)
        return;
    buf_add_varint(&s->buf, map_count(&m->users_by_external_id));
    flush(s, SAVED_externals);
    for (uint32_t i = 0; i < m->users.count; i++) {
        const struct user *u = vec_at(&m->users, i);
        if (u->external == NULL)
            continue;
        flush_full(s, SAVED_external);
        buf_add_varint(&s->buf, u->number - before);
        put_text8(&s->buf, user_external_id(u));
        before = u->number;
    }
    flush(s, SAVED_external);
}

/* ---- groups ---------------------------------------------------------------------------------- */

static void put_place(struct saver *s, uint32_t user)
{
    buf_add_varint(&s->buf, s->places[user - 1]);
}

static void save_mark(struct buf *b, const struct mark *mark)
{
    buf_add_varint(b, mark->seq);
    if (mark->seq == 0)
        return;
    buf_add_varint(b, mark->cursor);
    buf_add_varint(b, (uint64_t)mark->time);
}

static void save_member(struct buf *b, const struct member *mb)
{
    uint64_t edge = 0;

    buf_add_varint(b, mb->user->number);
    buf_add_u8(b, mb->membership);
    buf_add_varint(b, mb->span_count);
    for (uint32_t i = 0; i + 1 < mb->span_count; i++) {
        const struct span *span = &mb->earlier[i];
        buf_add_varint(b, span->from - edge);
        buf_add_varint(b, span->to - span->from);
        edge = span->to;
    }
    buf_add_varint(b, mb->span.from - edge);
    if (mb->membership != MEMBERSHIP_ACTIVE)
        buf_add_varint(b, mb->span.to - mb->span.from);
    save_mark(b, &mb->delivered);
    save_mark(b, &mb->read);
}

static void save_members(struct saver *s, const struct group *g)
{
    for (uint32_t i = 0; i < g->members.count; i++) {
        flush_full(s, SAVED_members);
        save_member(&s->buf, vec_at(&g->members, i));
    }
    flush(s, SAVED_members);
    for (uint32_t i = 0; i < g->active.count; i++) {
        const struct member *mb = vec_at(&g->active, i);
        flush_full(s, SAVED_active);
        put_place(s, mb->user->number);
    }
    flush(s, SAVED_active);
    for (const struct list *l = g->by_mark.next; l != &g->by_mark; l = l->next) {
        flush_full(s, SAVED_by_mark);
        put_place(s, LIST_OWNER(l, struct member, by_mark)->user->number);
    }
    flush(s, SAVED_by_mark);
}

static void save_changes(struct saver *s, const struct group *g)
{
    uint64_t cursor = 0;
    int64_t time = 0;

    for (uint32_t i = 0; i < g->changes.count; i++) {
        const struct change *ch = vec_at(&g->changes, i);
        struct buf *b = &s->buf;
        flush_full(s, SAVED_changes);
        buf_add_varint(b, ch->cursor - cursor);
        buf_add_varint(b, (uint64_t)(ch->time - time));
        buf_add_u8(b, ch->kind == CHANGE_SUCCEEDED ? CHANGE_REMOVED : ch->kind);
        put_place(s, ch->user->number);
        put_place(s, ch->by->number);
        cursor = ch->cursor;
        time = ch->time;
    }
    flush(s, SAVED_changes);
}

static void save_grants(struct saver *s, const struct notices *n)
{
    uint64_t cursor = 0;
    int64_t time = 0;

    for (const struct list *l = n->grants.next; l != &n->grants; l = l->next) {
        const struct grant *gr = LIST_OWNER(l, struct grant, list);
        struct buf *b = &s->buf;
        flush_full(s, SAVED_grants);
        put_place(s, gr->member->user->number);
        buf_add_u8(b, gr->member->role);
        buf_add_varint(b, gr->cursor - cursor);
        buf_add_varint(b, (uint64_t)(gr->time - time));
        put_place(s, gr->by->number);
        cursor = gr->cursor;
        time = gr->time;
    }
    flush(s, SAVED_grants);
}

static void save_successions(struct saver *s, const struct group *g)
{
    uint32_t before = 0;

    for (uint32_t i = 0; i < g->changes.count; i++) {
        const struct change *ch = vec_at(&g->changes, i);
        if (ch->kind != CHANGE_SUCCEEDED)
            continue;
        flush_full(s, SAVED_successions);
        buf_add_varint(&s->buf, i - before);
        put_place(s, ch->owner);
        before = i;
    }
    flush(s, SAVED_successions);
}

/* The settings of now; SAVED_group has the first name. */
static void put_settings(struct saver *s, const struct group *g, uint64_t grants,
                         uint64_t successions)
{
    const struct notices *n = g->notices;
    struct buf *b = &s->buf;

    buf_add_u8(b, g->kind);
    buf_add_u8(b, g->join);
    buf_add_u8(b, g->history);
    buf_add_varint(b, grants);
    buf_add_varint(b, successions);
    buf_add_varint(b, n != NULL ? n->cursor : 0);
    if (n == NULL || n->cursor == 0)
        return;
    buf_add_varint(b, (uint64_t)n->time);
    put_place(s, n->by->number);
    buf_add_u8(b, n->first.join);
    buf_add_u8(b, n->first.history);
    buf_add_bytes(b, g->name);
}

/* Nothing for a group that has nothing but what records 1 to 9 say. */
static void save_extra(struct saver *s, const struct group *g)
{
    uint64_t grants = 0, successions = 0;

    for (uint32_t i = 0; i < g->active.count && g->notices != NULL; i++)
        grants += ((const struct member *)vec_at(&g->active, i))->has_grant;
    for (uint32_t i = 0; i < g->changes.count; i++)
        successions += ((const struct change *)vec_at(&g->changes, i))->kind == CHANGE_SUCCEEDED;
    if (grants + successions == 0 && (g->kind | g->join | g->history) == 0 &&
        (g->notices == NULL || g->notices->cursor == 0))
        return;
    put_settings(s, g, grants, successions);
    flush(s, SAVED_extra);
    if (grants > 0)
        save_grants(s, g->notices);
    save_successions(s, g);
    s->extras++;
}

static void save_deleted(struct saver *s, const struct group *g)
{
    buf_add_varint(&s->buf, g->notices->cursor);
    buf_add_varint(&s->buf, (uint64_t)g->notices->time);
    put_place(s, g->notices->by->number);
    flush(s, SAVED_deleted);
    s->extras++;
}

static void save_messages(struct saver *s, const struct group *g)
{
    uint64_t cursor = 0;
    int64_t time = 0;

    for (uint32_t i = g->expired; i < g->messages.count; i++) {
        const struct message *msg = vec_at(&g->messages, i);
        struct buf *b = &s->buf;
        flush_full(s, SAVED_messages);
        put_place(s, msg->author);
        buf_add_varint(b, msg->cursor - cursor);
        buf_add_varint(b, (uint64_t)(message_time(msg) - time));
        buf_add_u8(b, msg->client_id_len);
        buf_add_varint(b, msg->data_len);
        put_uuid(b, &msg->id);
        buf_add(b, msg->texts, (size_t)msg->client_id_len + msg->data_len);
        cursor = msg->cursor;
        time = message_time(msg);
    }
    flush(s, SAVED_messages);
}

/* Nothing for a group whose messages are all there, and kept as the server keeps any. */
static void save_kept(struct saver *s, const struct group *g)
{
    if (g->expired == 0 && g->retention_days == 0)
        return;
    buf_add_varint(&s->buf, g->expired);
    buf_add_varint(&s->buf, g->retention_days);
    buf_add_varint(&s->buf, g->last_cursor);
    flush(s, SAVED_kept);
    s->kept++;
}

static void save_reactions(struct saver *s, const struct amendment *am)
{
    struct buf *b = &s->buf;

    buf_add_varint(b, am->reaction_count);
    for (uint32_t i = 0; i < am->reaction_count; i++) {
        const struct reaction *re = &am->reactions[i];
        const struct emoji *em = &am->emojis[re->emoji];
        put_place(s, re->user);
        buf_add_u8(b, re->removed);
        buf_add_varint(b, re->cursor);
        buf_add_varint(b, (uint64_t)re->time);
        put_text8(b, bytes_of(em->bytes, em->len));
    }
}

static void save_amendments(struct saver *s, const struct group *g)
{
    uint32_t before = 0;

    if (g->notices == NULL || g->notices->amends.count == 0)
        return;
    for (uint32_t i = g->expired; i < g->messages.count; i++) {
        const struct message *msg = vec_at(&g->messages, i);
        const struct amendment *am = message_amendment(msg);
        struct buf *b = &s->buf;
        if (am == NULL)
            continue;
        flush_full(s, SAVED_amendments);
        buf_add_varint(b, msg->seq - before);
        buf_add_u8(b, msg->deleted ? 2 : am->cursor > 0);
        if (am->cursor > 0) {
            buf_add_varint(b, am->cursor);
            buf_add_varint(b, (uint64_t)am->time);
        }
        if (msg->deleted)
            put_place(s, am->by);
        else if (am->cursor > 0)
            buf_add_varint(b, am->version);
        save_reactions(s, am);
        before = msg->seq;
    }
    flush(s, SAVED_amendments);
}

static void save_details(struct saver *s, const struct group *g)
{
    uint32_t before = 0;

    for (uint32_t i = g->expired; i < g->messages.count; i++) {
        const struct message *msg = vec_at(&g->messages, i);
        const struct details *de = message_details(msg);
        struct buf *b = &s->buf;
        if (de == NULL)
            continue;
        flush_full(s, SAVED_details);
        buf_add_varint(b, msg->seq - before);
        buf_add_varint(b, de->reply_to);
        buf_add_varint(b, de->mention_count);
        for (uint32_t k = 0; k < de->mention_count; k++)
            put_place(s, de->mentions[k]->number);
        buf_add_varint(b, de->meta_len);
        buf_add_bytes(b, details_meta(de));
        before = msg->seq;
    }
    flush(s, SAVED_details);
}

static void save_group(struct saver *s, const struct group *g)
{
    struct buf *b = &s->buf;

    for (uint32_t i = 0; i < g->members.count; i++) {
        const struct member *mb = vec_at(&g->members, i);
        s->places[mb->user->number - 1] = i;
    }
    put_uuid(b, &g->id);
    buf_add_varint(b, g->cursor);
    buf_add_varint(b, g->founder_count);
    buf_add_varint(b, g->owner != NULL ? 1 + (uint64_t)s->places[g->owner->number - 1] : 0);
    buf_add_varint(b, g->members.count);
    buf_add_varint(b, g->active.count);
    buf_add_varint(b, g->changes.count);
    buf_add_varint(b, g->messages.count - g->expired);
    buf_add_bytes(b, group_first_settings(g).name);
    flush(s, SAVED_group);
    save_kept(s, g);
    save_members(s, g);
    if (g->deleted) {
        save_deleted(s, g);
        return;
    }
    save_changes(s, g);
    save_messages(s, g);
    save_amendments(s, g);
    save_details(s, g);
    save_extra(s, g);
}

void model_save(const struct model *m, model_save_fn *fn, void *ctx)
{
    struct saver s = {.fn = fn, .ctx = ctx};
    uint64_t members = 0; /* also of groups that were deleted */
    uint64_t gone, gone_client_ids;

    for (uint32_t i = 0; i < m->groups.count; i++)
        members += ((const struct group *)vec_at(&m->groups, i))->members.count;
    buf_add_varint(&s.buf, m->cursor);
    buf_add_varint(&s.buf, (uint64_t)m->time);
    buf_add_varint(&s.buf, m->users.count);
    buf_add_varint(&s.buf, map_count(&m->sessions_by_id));
    buf_add_varint(&s.buf, m->groups.count);
    buf_add_varint(&s.buf, members);
    buf_add_varint(&s.buf, m->message_count);
    state_count_reclaim(m, &gone, &gone_client_ids);
    buf_add_varint(&s.buf, map_count(&m->messages_by_client_id) - gone_client_ids);
    flush(&s, SAVED_head);
    if (!uuid_is_zero(&m->epoch)) {
        put_uuid(&s.buf, &m->epoch);
        flush(&s, SAVED_epoch);
    }
    s.places = xmalloc(m->users.count * sizeof *s.places);
    for (uint32_t i = 0; i < m->users.count; i++)
        save_user(&s, vec_at(&m->users, i));
    for (uint32_t i = 0; i < m->groups.count; i++)
        save_group(&s, vec_at(&m->groups, i));
    if (s.extras > 0) {
        buf_add_varint(&s.buf, s.extras);
        flush(&s, SAVED_extras);
    }
    if (s.kept > 0) {
        buf_add_varint(&s.buf, s.kept);
        flush(&s, SAVED_kept_count);
    }
    if (s.profiles > 0) {
        buf_add_varint(&s.buf, s.profiles);
        flush(&s, SAVED_profiles);
    }
    save_hooks(&s, m);
    save_externals(&s, m);
    free(s.places);
    free(s.reverse);
    buf_release(&s.buf);
}

const char *saved_name(uint16_t type)
{
    switch ((enum saved_type)type) {
#define SAVED(number, name)                                                                        \
    case SAVED_##name:                                                                             \
        return #name;
#include "model/saved.def"
#undef SAVED
    }
    return NULL;
}
