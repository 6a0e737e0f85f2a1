/*
 * block: people from whom somebody wants to hear nothing.
 *
 * Whoever is blocked writes, edits and reacts no more in the direct group of the two, and does not
 * open one; the rest, what is live only, is for those who tell it.
 */
#include "base/bisect.h"
#include "base/ensure.h"
#include "model/state.h"

#include <stdlib.h>

/* The place of `number` in the list, which rises, or that of the first above. */
static uint32_t block_place(const struct profile *p, uint32_t number)
{
    return BISECT(i, 0, p->block_count, p->blocks[i] < number);
}

bool user_blocks(const struct user *u, const struct user *other)
{
    const struct profile *p = u->profile;

    if (p == NULL || p->block_count == 0)
        return false;
    uint32_t at = block_place(p, other->number);
    return at < p->block_count && p->blocks[at] == other->number;
}

enum err state_check_heard(const struct group *g, const struct user *u)
{
    if (g->kind != GROUP_DIRECT)
        return ERR_ok;
    const struct member *a = vec_at(&g->members, 0), *b = vec_at(&g->members, 1);
    return user_blocks(a->user == u ? b->user : a->user, u) ? ERR_blocked : ERR_ok;
}

void state_add_block(struct user *u, uint32_t number)
{
    struct profile *p = state_profile(u);
    uint32_t at = block_place(p, number);

    p->blocks = xrealloc(p->blocks, (p->block_count + 1) * sizeof *p->blocks);
    memmove(p->blocks + at + 1, p->blocks + at, (p->block_count - at) * sizeof *p->blocks);
    p->blocks[at] = number;
    p->block_count++;
}

/* Those who are no more block the way to the limit only. */
static uint32_t forget_erased(const struct model *m, struct profile *p)
{
    uint32_t kept = 0;

    for (uint32_t i = 0; i < p->block_count; i++) {
        if (state_person(m, p->blocks[i]) != NULL)
            p->blocks[kept++] = p->blocks[i];
    }
    return kept;
}

static void remove_block(struct profile *p, uint32_t number)
{
    uint32_t at = block_place(p, number);

    p->block_count--;
    memmove(p->blocks + at, p->blocks + at + 1, (p->block_count - at) * sizeof *p->blocks);
}

enum err check_user_block(const struct model *m, const struct record_user_block *r)
{
    const struct user *u = model_user(m, r->user), *whom = state_person(m, r->whom);
    enum err err = state_check_tokens(u, r->tokens);

    if (err != ERR_ok)
        return err;
    if (whom == NULL)
        return ERR_user_not_found;
    if (whom == u || r->remove > 1)
        return ERR_refused;
    if (user_blocks(u, whom) == (r->remove == 0))
        return ERR_duplicate;
    if (r->remove == 1 || r->blocks_max == 0)
        return ERR_ok;
    uint32_t count = 0;
    for (uint32_t i = 0; u->profile != NULL && i < u->profile->block_count; i++)
        count += state_person(m, u->profile->blocks[i]) != NULL;
    return count < r->blocks_max ? ERR_ok : ERR_too_many_blocks;
}

void apply_user_block(struct model *m, const struct record_user_block *r, const struct commit *c)
{
    struct user *u = state_user(m, r->user);

    (void)c;
    if (r->remove == 1) {
        remove_block(u->profile, r->whom);
        return;
    }
    if (u->profile != NULL)
        u->profile->block_count = forget_erased(m, u->profile);
    state_add_block(u, r->whom);
}
