#include "api/typing.h"

#include "api/channel.h"
#include "api/field.h"
#include "base/clock.h"
#include "base/ensure.h"

#include <stdlib.h>

/* Groups in which somebody types at once. */
#define GROUPS_MAX 8u
/* Each tells a whole group. */
#define TICK_MAX 64u

struct typing {
    struct list due; /* first; in a->typings */
    const struct user *user;
    uint32_t group;      /* number */
    struct typing *next; /* of the same user, the newest first */
    int64_t until_ms;    /* of clock_mono_ms */
};

/* ---- the table, by user: the newest of each ----------------------------------------------------
 */

static uint64_t hash_by_user(const void *entry)
{
    return uuid_hash(&((const struct typing *)entry)->user->id);
}

static bool match_user(const void *entry, const void *key)
{
    return ((const struct typing *)entry)->user == key;
}

void typing_init(struct api *a)
{
    static const struct map_kind kind = {hash_by_user, match_user};

    map_init(&a->typists, &kind);
    list_init(&a->typings);
}

static struct typing *first_of(const struct api *a, const struct user *u)
{
    return map_find(&a->typists, uuid_hash(&u->id), u);
}

static void take_out(struct api *a, struct typing *t)
{
    struct typing *first = map_remove(&a->typists, uuid_hash(&t->user->id), t->user);

    if (first == t) {
        first = t->next;
    } else {
        struct typing *before = first;
        while (before->next != t)
            before = before->next;
        before->next = t->next;
    }
    if (first != NULL)
        map_add(&a->typists, uuid_hash(&first->user->id), first);
    list_remove(&t->due);
    free(t);
}

void typing_release(struct api *a)
{
    while (!list_empty(&a->typings))
        take_out(a, LIST_OWNER(a->typings.next, struct typing, due));
    map_release(&a->typists);
}

/* ---- telling --------------------------------------------------------------------------------- */

static void tell(struct api *a, bool starts, const struct group *g, const struct user *u)
{
    buf_reset(&a->body);
    render_typing(&a->body, starts, engine_now(a->engine), g, u);
    tell_hearers(a, g, u);
}

static void end(struct api *a, struct typing *t)
{
    const struct group *g = model_group(engine_model(a->engine), t->group);
    const struct user *u = t->user;

    take_out(a, t);
    tell(a, false, g, u);
}

static struct typing *find(const struct api *a, const struct user *u, const struct group *g)
{
    struct typing *t = first_of(a, u);

    while (t != NULL && t->group != g->number)
        t = t->next;
    return t;
}

void typing_end(struct api *a, const struct user *u, const struct group *g)
{
    struct typing *t = map_count(&a->typists) > 0 ? find(a, u, g) : NULL;

    if (t != NULL)
        end(a, t);
}

void typing_end_all(struct api *a, const struct user *u)
{
    struct typing *t;

    while ((t = first_of(a, u)) != NULL)
        end(a, t);
}

/* At most GROUPS_MAX of a user. */
static void make_room(struct api *a, const struct user *u)
{
    struct typing *last = first_of(a, u);
    uint32_t count = 0;

    for (struct typing *t = last; t != NULL; t = t->next, count++)
        last = t;
    if (count == GROUPS_MAX)
        end(a, last);
}

static void begin(struct api *a, const struct user *u, const struct group *g)
{
    struct typing *t = find(a, u, g);

    if (t != NULL)
        take_out(a, t);
    else
        make_room(a, u);
    t = xmalloc(sizeof *t);
    *t = (struct typing){.user = u,
                         .group = g->number,
                         .next = map_remove(&a->typists, uuid_hash(&u->id), u),
                         .until_ms = clock_mono_ms() + a->limits.typing_ms};
    map_add(&a->typists, uuid_hash(&u->id), t);
    list_append(&a->typings, &t->due);
}

void typing_tick(struct api *a)
{
    int64_t now_ms = clock_mono_ms();

    for (uint32_t i = 0; i < TICK_MAX && !list_empty(&a->typings); i++) {
        struct typing *t = LIST_OWNER(a->typings.next, struct typing, due);
        if (t->until_ms > now_ms)
            return;
        end(a, t);
    }
}

/* ---- RPCs 60 and 61 -------------------------------------------------------------------------- */

static enum err typing(struct rpc *rpc, bool starts, struct problem *problem)
{
    struct api *a = rpc->api;
    const struct model *m = engine_model(a->engine);
    struct uuid group_id;

    enum err err = field_uuid(a, rpc->body, "group_id", &group_id, problem);
    if (err != ERR_ok)
        return err;
    const struct group *g = model_group_by_id(m, &group_id);
    const struct member *mb = g != NULL ? model_member(m, g, rpc->user) : NULL;
    if (mb == NULL)
        return ERR_group_not_found;
    if (!member_is_active(mb))
        return ERR_not_a_member;
    if (starts) {
        begin(a, rpc->user, g);
    } else {
        struct typing *t = find(a, rpc->user, g);
        if (t != NULL)
            take_out(a, t);
    }
    tell(a, starts, g, rpc->user);
    rpc_done(rpc);
    return ERR_ok;
}

enum err rpc_typing_start(struct rpc *rpc, struct problem *problem)
{
    return typing(rpc, true, problem);
}

enum err rpc_typing_end(struct rpc *rpc, struct problem *problem)
{
    return typing(rpc, false, problem);
}
