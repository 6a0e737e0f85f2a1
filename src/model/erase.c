/*
 * erase: somebody is no more.
 *
 * What names them goes at once, with their tokens and sessions. They leave their groups and their
 * messages become tombstones one by one, each with a record of its own, so that no turn is long and
 * each change has its place in the stream of events; who is on the way, the model says.
 *
 * The user stays as a number and an id, which events and tombstones refer to, but the id finds
 * nobody any more.
 */
#include "base/crypto.h"
#include "base/ensure.h"
#include "model/state.h"

#include <stdlib.h>

const struct user *state_person(const struct model *m, uint32_t number)
{
    const struct user *u = model_user(m, number);
    return u != NULL && u->erasure == ERASURE_NONE ? u : NULL;
}

const struct user *model_erasing(const struct model *m)
{
    return m->erasing.count > 0 ? vec_at(&m->erasing, 0) : NULL;
}

/* The texts of the user's own allocation too, which stay there. */
static void wipe(struct bytes *s)
{
    if (s->len > 0)
        crypto_wipe((void *)(uintptr_t)s->p, s->len);
    *s = bytes_of(NULL, 0);
}

static void forget_names(struct user *u)
{
    wipe(&u->username);
    wipe(&u->username_key);
    wipe(&u->email);
    wipe(&u->email_key);
    wipe(&u->password);
}

void state_erase(struct model *m, struct user *u, enum erasure_progress erasure)
{
    state_unindex_user(m, u);
    state_unindex_external(m, u);
    forget_names(u);
    state_free_external(u);
    state_free_profile(u);
    u->erasure = (uint8_t)erasure;
    if (erasure == ERASURE_BEGUN)
        vec_push(&m->erasing, u);
}

/* ---- user_delete ------------------------------------------------------------------------------
 */

enum err check_user_delete(const struct model *m, const struct record_user_delete *r)
{
    return state_check_tokens(model_user(m, r->user), r->tokens);
}

void apply_user_delete(struct model *m, const struct record_user_delete *r, const struct commit *c)
{
    struct user *u = state_user(m, r->user);

    apply_sessions_end(m, &(struct record_sessions_end){.time = r->time, .user = r->user}, c);
    state_erase(m, u, ERASURE_BEGUN);
    commit_tell(c, (struct event){.type = EVENT_tokens_ended, .user = u});
}

/* ---- message_erase ----------------------------------------------------------------------------
 */

enum err check_message_erase(const struct model *m, const struct record_message_erase *r)
{
    const struct group *g = model_group(m, r->group);
    const struct message *msg = g != NULL ? group_message(g, r->seq) : NULL;

    /* The group, or what retention has reached, may have gone meanwhile. */
    if (msg == NULL)
        return ERR_message_not_found;
    if (model_user(m, msg->author)->erasure != ERASURE_BEGUN)
        return ERR_refused;
    return msg->deleted ? ERR_duplicate : ERR_ok;
}

void apply_message_erase(struct model *m, const struct record_message_erase *r,
                         const struct commit *c)
{
    struct group *g = state_group(m, r->group);
    uint32_t author = group_message(g, r->seq)->author;

    apply_message_delete(m,
                         &(struct record_message_delete){
                             .time = r->time, .group = r->group, .seq = r->seq, .by = author},
                         c);
}

/* ---- user_erased ------------------------------------------------------------------------------
 */

enum err check_user_erased(const struct model *m, const struct record_user_erased *r)
{
    const struct user *u = model_user(m, r->user);
    bool may = u != NULL && u->erasure == ERASURE_BEGUN && u->active_groups == 0;
    return may ? ERR_ok : ERR_refused;
}

/* Few are on the way at once. */
void apply_user_erased(struct model *m, const struct record_user_erased *r, const struct commit *c)
{
    struct user *u = state_user(m, r->user);
    uint32_t at = 0;

    (void)c;
    u->erasure = ERASURE_DONE;
    while (vec_at(&m->erasing, at) != u)
        at++;
    for (; at + 1 < m->erasing.count; at++)
        vec_set(&m->erasing, at, vec_at(&m->erasing, at + 1));
    (void)vec_pop(&m->erasing);
}
