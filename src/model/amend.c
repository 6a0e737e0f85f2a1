/*
 * amend: what is done to a message after it was posted: another text, its deletion, reactions.
 *
 * A message to which nothing was done pays nothing for this. One that has an amendment carries its
 * address behind the texts. Where in the stream of events the newest of each thing stands, the
 * group's steps say: rising in cursors, one for the text of each amended message and one for each
 * reaction, so as many as there are such things and not as there were changes.
 */
#include "base/bisect.h"
#include "base/crypto.h"
#include "base/ensure.h"
#include "model/state.h"
#include "model/view.h"

#include <stdlib.h>

/* Steps that were replaced are cleared away when they are as many as the others, and so many. */
#define OVER_MIN 64u

/* ---- steps ----------------------------------------------------------------------------------- */

/* The place of the step at `cursor`, or of the first one behind. */
static uint32_t step_place(const struct amends *a, uint64_t cursor)
{
    return BISECT(i, 0, a->count, a->steps[i].cursor < cursor);
}

const struct amend_step *amends_from(const struct amends *a, uint64_t cursor)
{
    uint32_t i = step_place(a, cursor);
    while (i < a->count && a->steps[i].reaction == AMEND_OVER)
        i++;
    return i < a->count ? &a->steps[i] : NULL;
}

static void clear_away(struct amends *a)
{
    uint32_t kept = 0;
    for (uint32_t i = 0; i < a->count; i++) {
        if (a->steps[i].reaction != AMEND_OVER)
            a->steps[kept++] = a->steps[i];
    }
    a->count = kept;
    a->over = 0;
}

void state_add_step(struct group *g, uint32_t seq, uint32_t reaction, const struct commit *c)
{
    struct amends *a = &state_notices(g)->amends;
    if (a->count == a->cap) {
        a->cap = a->cap == 0 ? 4 : a->cap + a->cap / 2;
        a->steps = xrealloc(a->steps, a->cap * sizeof *a->steps);
    }
    a->steps[a->count++] = (struct amend_step){c->cursor, c->time, seq, reaction};
    if (g->last_cursor < c->cursor)
        g->last_cursor = c->cursor;
}

/* The step at `cursor`, 0 for none, is replaced. */
static void end_step(struct group *g, uint64_t cursor)
{
    if (cursor == 0)
        return;
    struct amends *a = &g->notices->amends;
    uint32_t i = step_place(a, cursor);
    ENSURE(i < a->count && a->steps[i].cursor == cursor && a->steps[i].reaction != AMEND_OVER);
    a->steps[i].reaction = AMEND_OVER;
    a->over++;
    if (a->over >= OVER_MIN && a->over > a->count / 2)
        clear_away(a);
}

static int by_cursor(const void *x, const void *y)
{
    uint64_t a = ((const struct amend_step *)x)->cursor, b = ((const struct amend_step *)y)->cursor;
    return a < b ? -1 : a > b;
}

bool state_sort_steps(struct group *g)
{
    struct amends *a = g->notices != NULL ? &g->notices->amends : NULL;
    if (a == NULL || a->count == 0)
        return true;
    qsort(a->steps, a->count, sizeof *a->steps, by_cursor);
    for (uint32_t i = 1; i < a->count; i++) {
        if (a->steps[i - 1].cursor == a->steps[i].cursor || a->steps[i - 1].time > a->steps[i].time)
            return false;
    }
    return true;
}

void state_free_amends(struct amends *a)
{
    free(a->steps);
    free(a->deleted);
    *a = (struct amends){0};
}

/* ---- messages -------------------------------------------------------------------------------- */

void state_free_amendment(const struct message *msg)
{
    const struct amendment *am = message_amendment(msg);
    if (am == NULL)
        return;
    free(am->emojis);
    free(am->reactions);
    free((void *)(uintptr_t)am);
}

/* Puts another in the message's place: with this text, and what is not NULL behind it. */
static void replace_message(struct model *m, struct message **msg, struct bytes text,
                            const struct details *de, const struct amendment *am)
{
    struct message *old = *msg;
    struct message *new = state_alloc_message(m, old->client_id_len + text.len,
                                              (de != NULL) + (unsigned)(am != NULL));

    *new = *old;
    new->data_len = (uint32_t)(text.len & MESSAGE_LEN_MASK);
    new->detailed = de != NULL;
    new->amended = am != NULL;
    struct buf texts = {new->texts, 0,
                        old->client_id_len + text.len + 2 * sizeof(void *)}; /* at most */
    buf_add(&texts, old->texts, old->client_id_len);
    buf_add_bytes(&texts, text);
    if (de != NULL)
        buf_add(&texts, &de, sizeof(void *));
    if (am != NULL)
        buf_add(&texts, &am, sizeof(void *));
    state_readdress_message(m, old, new);
    crypto_wipe(old->texts + old->client_id_len, old->data_len);
    state_release_message(m, old);
    *msg = new;
}

struct amendment *state_amend(struct model *m, struct message **msg, const struct bytes *data)
{
    struct amendment *am = (struct amendment *)(uintptr_t)message_amendment(*msg);

    if (am != NULL && data == NULL)
        return am;
    if (am == NULL)
        am = xcalloc(1, sizeof *am);
    replace_message(m, msg, data != NULL ? *data : message_data(*msg), message_details(*msg), am);
    return am;
}

void state_detail(struct model *m, struct message **msg, struct details *de)
{
    ENSURE(!(*msg)->detailed || de == NULL);
    replace_message(m, msg, message_data(*msg), de, message_amendment(*msg));
}

static void add_deleted(struct amends *a, uint32_t seq)
{
    uint32_t at = a->deleted_count;
    if (a->deleted_count == a->deleted_cap) {
        a->deleted_cap = a->deleted_cap == 0 ? 4 : a->deleted_cap + a->deleted_cap / 2;
        a->deleted = xrealloc(a->deleted, a->deleted_cap * sizeof *a->deleted);
    }
    while (at > 0 && a->deleted[at - 1] > seq)
        at--;
    memmove(a->deleted + at + 1, a->deleted + at, (a->deleted_count - at) * sizeof *a->deleted);
    a->deleted[at] = seq;
    a->deleted_count++;
}

static void remove_deleted(struct amends *a, uint32_t seq)
{
    uint32_t at = 0;
    while (a->deleted[at] != seq)
        at++;
    a->deleted_count--;
    memmove(a->deleted + at, a->deleted + at + 1, (a->deleted_count - at) * sizeof *a->deleted);
}

void state_end_steps(struct group *g, const struct message *msg)
{
    const struct amendment *am = message_amendment(msg);
    if (am == NULL)
        return;
    for (uint32_t i = 0; i < am->reaction_count; i++)
        end_step(g, am->reactions[i].cursor);
    end_step(g, am->cursor);
    if (msg->deleted)
        remove_deleted(&g->notices->amends, msg->seq);
}

void state_delete(struct model *m, struct message *msg, uint32_t by, const struct commit *c)
{
    struct group *g = state_group(m, msg->group);
    struct member *author = state_member(m, g, state_user(m, msg->author));
    struct amendment *am = state_amend(m, &msg, &(struct bytes){NULL, 0});
    const struct details *de = message_details(msg);

    if (de != NULL) {
        state_drop_mentions(g, msg);
        state_detail(m, &msg, NULL);
        state_free_details(de);
    }
    state_end_steps(g, msg);
    free(am->emojis);
    free(am->reactions);
    *am = (struct amendment){.cursor = c->cursor, .time = c->time, .by = by};
    msg->deleted = 1;
    state_add_step(g, msg->seq, 0, c);
    add_deleted(&g->notices->amends, msg->seq);
    author->own_unread -= msg->seq > author->read.seq;
}

/* ---- what the records have in common ---------------------------------------------------------
 */

/* Who asks, and for what: a message that they may not see is not there. */
static enum err find_message(const struct model *m, uint32_t group, uint32_t seq, uint32_t by,
                             const struct message **msg, const struct member **asker)
{
    const struct group *g = model_group(m, group);
    const struct user *u = model_user(m, by);

    if (g == NULL || u == NULL)
        return ERR_refused;
    *msg = group_message(g, seq);
    *asker = model_member(m, g, u);
    if (*msg == NULL || *asker == NULL || !view_sees(*asker, *msg))
        return ERR_message_not_found;
    return member_is_active(*asker) ? ERR_ok : ERR_not_a_member;
}

static struct message *state_message(struct group *g, uint32_t seq)
{
    return vec_at(&g->messages, seq - 1);
}

/* ---- message_update --------------------------------------------------------------------------
 */

enum err check_message_update(const struct model *m, const struct record_message_update *r)
{
    const struct message *msg;
    const struct member *asker;

    enum err err = find_message(m, r->group, r->seq, r->by, &msg, &asker);
    if (err != ERR_ok)
        return err;
    if (msg->author != r->by)
        return ERR_forbidden;
    err = state_check_heard(asker->group, asker->user);
    if (err != ERR_ok)
        return err;
    if (msg->deleted)
        return ERR_message_deleted;
    if (r->data.len > MESSAGE_LEN_MASK)
        return ERR_refused;
    return bytes_equal(message_data(msg), r->data) ? ERR_duplicate : ERR_ok;
}

void apply_message_update(struct model *m, const struct record_message_update *r,
                          const struct commit *c)
{
    struct group *g = state_group(m, r->group);
    struct message *msg = state_message(g, r->seq);
    struct amendment *am = state_amend(m, &msg, &r->data);

    end_step(g, am->cursor);
    am->cursor = c->cursor;
    am->time = c->time;
    am->version++;
    state_add_step(g, r->seq, 0, c);
    commit_tell(c, (struct event){.type = EVENT_message_updated,
                                  .group = g,
                                  .user = model_user(m, msg->author),
                                  .message = msg});
}

/* ---- message_delete --------------------------------------------------------------------------
 */

enum err check_message_delete(const struct model *m, const struct record_message_delete *r)
{
    const struct message *msg;
    const struct member *asker;

    enum err err = find_message(m, r->group, r->seq, r->by, &msg, &asker);
    if (err != ERR_ok)
        return err;
    if (msg->author != r->by && asker->role == ROLE_MEMBER)
        return ERR_forbidden;
    return msg->deleted ? ERR_duplicate : ERR_ok;
}

void apply_message_delete(struct model *m, const struct record_message_delete *r,
                          const struct commit *c)
{
    struct group *g = state_group(m, r->group);

    state_delete(m, state_message(g, r->seq), r->by, c);
    commit_tell(c, (struct event){.type = EVENT_message_deleted,
                                  .group = g,
                                  .user = model_user(m, r->by),
                                  .message = state_message(g, r->seq)});
}

/* ---- message_react ---------------------------------------------------------------------------
 */

static struct emoji *find_emoji(const struct amendment *am, struct bytes emoji)
{
    for (uint32_t i = 0; am != NULL && i < am->emoji_count; i++) {
        if (bytes_equal(bytes_of(am->emojis[i].bytes, am->emojis[i].len), emoji))
            return &am->emojis[i];
    }
    return NULL;
}

struct reaction *state_find_reaction(const struct amendment *am, uint32_t user, struct bytes emoji)
{
    const struct emoji *em = find_emoji(am, emoji);

    for (uint32_t i = 0; em != NULL && i < am->reaction_count; i++) {
        struct reaction *re = &am->reactions[i];
        if (re->user == user && &am->emojis[re->emoji] == em)
            return re;
    }
    return NULL;
}

static bool is_below(uint32_t count, uint32_t max)
{
    return max == 0 || count < max;
}

static bool has_room(const struct amendment *am, const struct reaction *before,
                     const struct record_message_react *r)
{
    uint32_t own = 0;

    if (am == NULL)
        return true;
    for (uint32_t i = 0; i < am->reaction_count; i++)
        own += am->reactions[i].user == r->by && !am->reactions[i].removed;
    return is_below(own, r->user_max) &&
           (before != NULL || is_below(am->reaction_count, r->message_max)) &&
           (find_emoji(am, r->emoji) != NULL || is_below(am->emoji_count, r->emojis_max));
}

enum err check_message_react(const struct model *m, const struct record_message_react *r)
{
    const struct message *msg;
    const struct member *asker;

    if (r->emoji.len == 0 || r->emoji.len > EMOJI_MAX || r->remove > 1)
        return ERR_refused;
    enum err err = find_message(m, r->group, r->seq, r->by, &msg, &asker);
    if (err == ERR_ok)
        err = state_check_heard(asker->group, asker->user);
    if (err != ERR_ok)
        return err;
    if (msg->deleted)
        return ERR_message_deleted;
    const struct amendment *am = message_amendment(msg);
    const struct reaction *before = state_find_reaction(am, r->by, r->emoji);
    bool is_there = before != NULL && !before->removed;
    if (is_there != (r->remove == 1))
        return ERR_duplicate;
    return is_there || has_room(am, before, r) ? ERR_ok : ERR_too_many_reactions;
}

static struct emoji *add_emoji(struct amendment *am, struct bytes emoji)
{
    if (am->emoji_count == am->emoji_cap) {
        am->emoji_cap += am->emoji_cap / 2 + 1;
        am->emojis = xrealloc(am->emojis, am->emoji_cap * sizeof *am->emojis);
    }
    struct emoji *em = &am->emojis[am->emoji_count++];
    *em = (struct emoji){.len = (uint8_t)emoji.len};
    memcpy(em->bytes, emoji.p, emoji.len);
    return em;
}

struct reaction *state_add_reaction(struct amendment *am, uint32_t user, struct bytes emoji)
{
    const struct emoji *em = find_emoji(am, emoji);
    if (em == NULL)
        em = add_emoji(am, emoji);
    if (am->reaction_count == am->reaction_cap) {
        am->reaction_cap += am->reaction_cap / 2 + 1;
        am->reactions = xrealloc(am->reactions, am->reaction_cap * sizeof *am->reactions);
    }
    struct reaction *re = &am->reactions[am->reaction_count++];
    *re = (struct reaction){.user = user, .emoji = (uint32_t)(em - am->emojis), .removed = true};
    return re;
}

void state_set_reaction(struct amendment *am, struct reaction *re, bool removed)
{
    struct emoji *em = &am->emojis[re->emoji];
    em->count += re->removed;
    em->count -= removed;
    re->removed = removed;
}

void apply_message_react(struct model *m, const struct record_message_react *r,
                         const struct commit *c)
{
    struct group *g = state_group(m, r->group);
    struct message *msg = state_message(g, r->seq);
    struct amendment *am = state_amend(m, &msg, NULL);
    struct reaction *re = state_find_reaction(am, r->by, r->emoji);

    if (re == NULL)
        re = state_add_reaction(am, r->by, r->emoji);
    end_step(g, re->cursor);
    re->cursor = c->cursor;
    re->time = c->time;
    state_set_reaction(am, re, r->remove == 1);
    state_add_step(g, r->seq, (uint32_t)(re - am->reactions) + 1, c);
    commit_tell(c, (struct event){.type = EVENT_message_reacted,
                                  .group = g,
                                  .user = model_user(m, r->by),
                                  .message = msg,
                                  .reaction = re});
}
