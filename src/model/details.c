/*
 * details: what a message says beside its text: what it replies to, whom it mentions, and JSON of
 * the app's own.
 *
 * A message that says nothing of this pays nothing for it. Whom a group's messages mention, an
 * index says that is derived from them, so that counting the unread ones is a search and not a
 * walk.
 */
#include "base/bisect.h"
#include "base/crypto.h"
#include "base/ensure.h"
#include "model/state.h"
#include "model/view.h"

#include <stdlib.h>

struct details *state_new_details(uint32_t mention_count, size_t meta_len)
{
    size_t mentions = mention_count * sizeof(struct user *);
    struct details *de = xcalloc(1, sizeof *de + mentions + meta_len);
    de->mention_count = mention_count;
    de->meta_len = (uint32_t)meta_len;
    return de;
}

void state_free_details(const struct details *de)
{
    if (de == NULL)
        return;
    crypto_wipe((void *)(uintptr_t)details_meta(de).p, de->meta_len);
    free((void *)(uintptr_t)de);
}

bool state_details_equal(const struct details *de, const struct record_message_send *send)
{
    if (de == NULL || send == NULL)
        return de == NULL && send == NULL;
    bool equal = de->reply_to == send->reply_to && de->mention_count == send->mentions.count &&
                 bytes_equal(details_meta(de), send->meta);
    for (uint32_t i = 0; equal && i < de->mention_count; i++)
        equal = de->mentions[i]->number == record_u32s_at(&send->mentions, i);
    return equal;
}

/* ---- the index ------------------------------------------------------------------------------- */

/* The place of the user, or where they belong. */
static uint32_t place_of(const struct mentions *me, uint32_t user)
{
    return BISECT(i, 0, me->count, me->users[i].user < user);
}

static struct mentioned *find_mentioned(const struct group *g, uint32_t user)
{
    const struct mentions *me = g->notices != NULL ? &g->notices->mentions : NULL;
    uint32_t i = me != NULL ? place_of(me, user) : 0;
    return me != NULL && i < me->count && me->users[i].user == user ? &me->users[i] : NULL;
}

/* How many of the numbers are at most `seq`. */
static uint32_t count_until(const struct mentioned *of, uint32_t seq)
{
    return BISECT(i, 0, of->count, of->seqs[i] <= seq);
}

uint32_t mentions_above(const struct group *g, const struct user *u, uint32_t seq)
{
    const struct mentioned *of = find_mentioned(g, u->number);
    return of != NULL ? of->count - count_until(of, seq) : 0;
}

bool mentions_has(const struct group *g, const struct user *u, uint32_t seq)
{
    const struct mentioned *of = find_mentioned(g, u->number);
    uint32_t i = of != NULL ? count_until(of, seq) : 0;
    return i > 0 && of->seqs[i - 1] == seq;
}

static struct mentioned *make_mentioned(struct mentions *me, uint32_t user)
{
    uint32_t i = place_of(me, user);

    if (i < me->count && me->users[i].user == user)
        return &me->users[i];
    if (me->count == me->cap) {
        me->cap += me->cap / 2 + 2;
        me->users = xrealloc(me->users, me->cap * sizeof *me->users);
    }
    memmove(me->users + i + 1, me->users + i, (me->count - i) * sizeof *me->users);
    me->count++;
    me->users[i] = (struct mentioned){.user = user};
    return &me->users[i];
}

/* The newest of all: messages come in the order of their numbers. */
static void add_seq(struct mentioned *of, uint32_t seq)
{
    ENSURE(of->count == 0 || of->seqs[of->count - 1] < seq);
    if (of->count == of->cap) {
        of->cap += of->cap / 2 + 2;
        of->seqs = xrealloc(of->seqs, of->cap * sizeof *of->seqs);
    }
    of->seqs[of->count++] = seq;
}

void state_add_mentions(struct group *g, const struct message *msg)
{
    const struct details *de = message_details(msg);

    for (uint32_t i = 0; i < de->mention_count; i++) {
        if (de->mentions[i]->number != msg->author)
            add_seq(make_mentioned(&state_notices(g)->mentions, de->mentions[i]->number), msg->seq);
    }
}

void state_drop_mentions(struct group *g, const struct message *msg)
{
    const struct details *de = message_details(msg);

    for (uint32_t i = 0; i < de->mention_count; i++) {
        struct mentioned *of = find_mentioned(g, de->mentions[i]->number);
        uint32_t at = of != NULL ? count_until(of, msg->seq) : 0;
        if (at == 0 || of->seqs[at - 1] != msg->seq)
            continue;
        memmove(of->seqs + at - 1, of->seqs + at, (of->count - at) * sizeof *of->seqs);
        of->count--;
    }
}

void state_free_mentions(struct mentions *me)
{
    for (uint32_t i = 0; i < me->count; i++)
        free(me->users[i].seqs);
    free(me->users);
    *me = (struct mentions){0};
}

/* ---- message_send ----------------------------------------------------------------------------
 */

/* Members of now, each once. */
static enum err check_mentions(const struct model *m, const struct group *g,
                               const struct record_u32s *list)
{
    for (uint32_t i = 0; i < list->count; i++) {
        uint32_t number = record_u32s_at(list, i);
        const struct user *u = model_user(m, number);
        if (u == NULL)
            return ERR_refused;
        if (!member_is_active(model_member(m, g, u)))
            return ERR_invalid_field;
        for (uint32_t k = 0; k < i; k++) {
            if (record_u32s_at(list, k) == number)
                return ERR_refused;
        }
    }
    return ERR_ok;
}

enum err check_message_send(const struct model *m, const struct record_message_send *r)
{
    struct record_message_post post = {r->time, r->id, r->group, r->author, r->client_id, r->data};

    if ((r->reply_to == 0 && r->mentions.count == 0 && r->meta.len == 0) ||
        r->mentions.count > MENTIONS_MAX)
        return ERR_refused;
    enum err err = state_check_post(m, &post, r);
    if (err != ERR_ok)
        return err;
    const struct group *g = model_group(m, r->group);
    const struct message *to = group_message(g, r->reply_to);
    if (r->reply_to != 0 &&
        (to == NULL || !view_sees(model_member(m, g, model_user(m, r->author)), to)))
        return ERR_invalid_field;
    return check_mentions(m, g, &r->mentions);
}

void apply_message_send(struct model *m, const struct record_message_send *r,
                        const struct commit *c)
{
    struct member *author = state_member(m, state_group(m, r->group), state_user(m, r->author));
    struct details *de = state_new_details(r->mentions.count, r->meta.len);

    de->reply_to = r->reply_to;
    for (uint32_t i = 0; i < r->mentions.count; i++)
        de->mentions[i] = model_user(m, record_u32s_at(&r->mentions, i));
    if (r->meta.len > 0)
        memcpy(&de->mentions[de->mention_count], r->meta.p, r->meta.len);
    state_post(m, author, &(struct message_source){r->id, r->client_id, r->data, de}, c);
}
