/*
 * direct: the one group that two people have for themselves.
 *
 * Which one it is follows from who they are, so two who ask for it at once get the same. Nobody
 * else comes to it, nobody is removed, and it does not end; either may leave, and comes back when
 * one of them asks for it again.
 */
#include "base/ensure.h"
#include "model/state.h"

/* ---- the table, by pair ---------------------------------------------------------------------- */

/* Numbers of users, the lower first. */
struct pair {
    uint32_t low, high;
};

static struct pair pair_of(uint32_t a, uint32_t b)
{
    return a < b ? (struct pair){a, b} : (struct pair){b, a};
}

static struct pair pair_of_group(const struct group *g)
{
    const struct member *a = vec_at(&g->members, 0), *b = vec_at(&g->members, 1);
    return pair_of(a->user->number, b->user->number);
}

/* The numbers are ours, dense and small, so a mixing function spreads them (splitmix64). */
static uint64_t pair_hash(struct pair p)
{
    uint64_t x = ((uint64_t)p.high << 32 | p.low) + 0x9e3779b97f4a7c15u;
    x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9u;
    x = (x ^ (x >> 27)) * 0x94d049bb133111ebu;
    return x ^ (x >> 31);
}

static uint64_t hash_pair(const void *entry)
{
    return pair_hash(pair_of_group(entry));
}

static bool match_pair(const void *entry, const void *key)
{
    struct pair have = pair_of_group(entry);
    const struct pair *want = key;
    return have.low == want->low && have.high == want->high;
}

void state_init_directs(struct model *m)
{
    static const struct map_kind kind = {hash_pair, match_pair};
    map_init(&m->directs, &kind);
}

bool state_index_direct(struct model *m, struct group *g)
{
    struct pair p = pair_of_group(g);
    return map_add_new(&m->directs, pair_hash(p), &p, g);
}

const struct group *model_direct(const struct model *m, const struct user *a, const struct user *b)
{
    struct pair p = pair_of(a->number, b->number);
    return map_find(&m->directs, pair_hash(p), &p);
}

/* ---- direct_open ------------------------------------------------------------------------------
 */

static bool has_room(const struct user *u, uint32_t groups_max)
{
    return groups_max == 0 || u->active_groups < groups_max;
}

/* Who of the two is to come back: the one who asks comes first; NULL where both are there. */
static struct member *who_is_away(const struct model *m, const struct group *g,
                                  const struct user *by, const struct user *user)
{
    struct member *first = state_member(m, g, by), *second = state_member(m, g, user);

    if (!member_is_active(first))
        return first;
    return member_is_active(second) ? NULL : second;
}

/* May `by` have a direct group with `user`? Whatever speaks against it belongs here. */
static enum err check_pair(const struct user *by, const struct user *user)
{
    if (by == NULL || user == NULL || by == user)
        return ERR_refused;
    if (by->erasure != ERASURE_NONE)
        return ERR_unauthorized;
    if (user->erasure != ERASURE_NONE)
        return ERR_user_not_found;
    return user_blocks(user, by) ? ERR_blocked : ERR_ok;
}

enum err check_direct_open(const struct model *m, const struct record_direct_open *r)
{
    const struct user *by = model_user(m, r->by), *user = model_user(m, r->user);
    enum err err = check_pair(by, user);

    if (err != ERR_ok)
        return err;
    const struct group *g = model_direct(m, by, user);
    if (g != NULL) {
        const struct member *away = who_is_away(m, g, by, user);
        if (away == NULL)
            return ERR_duplicate;
        return has_room(away->user, r->groups_max) ? ERR_ok : ERR_too_many_groups;
    }
    if (model_group_by_id(m, &r->id) != NULL)
        return ERR_refused;
    return has_room(by, r->groups_max) && has_room(user, r->groups_max) ? ERR_ok
                                                                        : ERR_too_many_groups;
}

static void found_direct(struct model *m, const struct record_direct_open *r,
                         const struct commit *c)
{
    struct buf members = {0};

    buf_add_u32le(&members, r->by);
    buf_add_u32le(&members, r->user);
    struct record_group_create create = {.id = r->id, .owner = r->by, .members = {members.p, 2}};
    struct group *g = state_found_group(m, &create, c);
    buf_release(&members);
    g->kind = GROUP_DIRECT;
    ENSURE(state_index_direct(m, g));
    state_tell_founded(g, c);
}

/* One at a time: each change of a group has a number of its own. Who finds both away asks twice. */
void apply_direct_open(struct model *m, const struct record_direct_open *r, const struct commit *c)
{
    struct user *by = state_user(m, r->by), *user = state_user(m, r->user);
    const struct group *there = model_direct(m, by, user);

    if (there == NULL)
        found_direct(m, r, c);
    else
        state_come(m, state_group(m, there->number), who_is_away(m, there, by, user)->user, by, c);
}
