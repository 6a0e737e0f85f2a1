#include "api/presence.h"

#include "api/channel.h"
#include "base/clock.h"
#include "base/ensure.h"
#include "base/json_write.h"

#include <stdlib.h>

/* Members that are looked at in a turn: about a tenth of a millisecond. */
#define LOOK_MAX 1000u

struct presence {
    struct list list; /* first; in a->presence.leaving or .changed, or alone */
    const struct user *user;
    bool online;      /* a socket is open */
    bool told;        /* that they are online: what the others know */
    int64_t seen_at;  /* when the last socket closed; ms since 1970 */
    int64_t until_ms; /* leaving: of clock_mono_ms */
};

/* ---- the table, by user ---------------------------------------------------------------------- */

static uint64_t hash_by_user(const void *entry)
{
    return uuid_hash(&((const struct presence *)entry)->user->id);
}

static bool match_user(const void *entry, const void *key)
{
    return ((const struct presence *)entry)->user == key;
}

static struct presence *find(const struct api *a, const struct user *u)
{
    return map_find(&a->presence.users, uuid_hash(&u->id), u);
}

static void drop(struct api *a, struct presence *p)
{
    (void)map_remove(&a->presence.users, uuid_hash(&p->user->id), p->user);
    list_remove(&p->list);
    free(p);
}

void presence_init(struct api *a)
{
    static const struct map_kind kind = {hash_by_user, match_user};

    map_init(&a->presence.users, &kind);
    list_init(&a->presence.leaving);
    list_init(&a->presence.changed);
}

void presence_release(struct api *a)
{
    struct presence *p;
    uint64_t at = 0;

    while ((p = map_next(&a->presence.users, &at)) != NULL)
        free(p);
    map_release(&a->presence.users);
    if (a->presence.frame != NULL)
        frame_unref(a->presence.frame);
    buf_release(&a->presence.seen);
    buf_release(&a->presence.reached);
}

/* ---- coming and going ------------------------------------------------------------------------ */

static void move_to(struct presence *p, struct list *where)
{
    list_remove(&p->list);
    list_append(where, &p->list);
}

void presence_came(struct api *a, const struct user *u)
{
    struct presence *p = find(a, u);

    if (p == NULL && a->limits.presence_group_max == 0)
        return;
    if (p == NULL) {
        p = xcalloc(1, sizeof *p);
        list_init(&p->list);
        p->user = u;
        map_add(&a->presence.users, uuid_hash(&u->id), p);
    }
    if (p->online)
        return;
    p->online = true;
    /* Whom the others have not missed yet they need not hear of. */
    if (p == a->presence.telling || !p->told)
        move_to(p, &a->presence.changed);
    else
        list_remove(&p->list);
}

void presence_went(struct api *a, const struct user *u)
{
    struct presence *p = find(a, u);

    if (p == NULL || !p->online)
        return;
    p->online = false;
    p->seen_at = engine_now(a->engine);
    p->until_ms = clock_mono_ms() + a->limits.presence_grace_ms;
    move_to(p, &a->presence.leaving);
}

void presence_tick(struct api *a)
{
    int64_t now_ms = clock_mono_ms();

    while (!list_empty(&a->presence.leaving)) {
        struct presence *p = LIST_OWNER(a->presence.leaving.next, struct presence, list);
        if (p->until_ms > now_ms)
            return;
        move_to(p, &a->presence.changed);
    }
}

/* ---- telling --------------------------------------------------------------------------------- */

/* The first time that it is asked for somebody, since the person who is told of began. */
static bool is_new(struct api *a, const struct user *u)
{
    size_t at = u->number / 8, need = at + 1;
    uint8_t bit = (uint8_t)(1u << u->number % 8);
    struct buf *seen = &a->presence.seen;

    if (seen->len < need) {
        buf_reserve(seen, need - seen->len);
        memset(seen->p + seen->len, 0, need - seen->len);
        seen->len = need;
    }
    if (seen->p[at] & bit)
        return false;
    seen->p[at] |= bit;
    buf_add(&a->presence.reached, &u->number, sizeof u->number);
    return true;
}

static void forget_reached(struct api *a)
{
    struct buf *reached = &a->presence.reached;

    for (size_t at = 0; at < reached->len; at += sizeof(uint32_t)) {
        uint32_t number;
        memcpy(&number, reached->p + at, sizeof number);
        a->presence.seen.p[number / 8] &= (uint8_t) ~(1u << number % 8);
    }
    buf_reset(reached);
}

static bool may_know(const struct user *asker, const struct user *u)
{
    return !user_blocks(asker, u) && !user_blocks(u, asker);
}

bool presence_is_shown(const struct api *a, const struct group *g)
{
    return g->active.count <= a->limits.presence_group_max;
}

/* Returns how many were looked at. */
static uint32_t tell_group(struct api *a, const struct group *g, const struct user *u)
{
    for (uint32_t i = 0; i < g->active.count; i++) {
        const struct user *other = ((const struct member *)vec_at(&g->active, i))->user;
        if (other != u && hub_first(other) != NULL && may_know(other, u) && is_new(a, other))
            tell_frame(a, a->presence.frame, other);
    }
    return g->active.count;
}

/* The next whom the others do not know as they are; NULL where there is nobody. */
static struct presence *next_changed(struct api *a)
{
    while (!list_empty(&a->presence.changed)) {
        struct presence *p = LIST_OWNER(a->presence.changed.next, struct presence, list);
        list_remove(&p->list);
        if (p->online != p->told)
            return p;
        if (!p->online)
            drop(a, p);
    }
    return NULL;
}

static bool begin(struct api *a)
{
    struct presence *p = next_changed(a);

    if (p == NULL)
        return false;
    int64_t now = engine_now(a->engine);
    buf_reset(&a->body);
    render_presence(&a->body, now, p->user, p->online, p->online ? now : p->seen_at);
    a->presence.frame = frame_new_text(buf_bytes(&a->body));
    a->presence.telling = p;
    a->presence.membership = 0;
    p->told = p->online;
    return true;
}

static void end(struct api *a)
{
    struct presence *p = a->presence.telling;

    frame_unref(a->presence.frame);
    a->presence.frame = NULL;
    a->presence.telling = NULL;
    forget_reached(a);
    if (!p->online && !p->told && list_empty(&p->list))
        drop(a, p);
}

bool presence_turn(struct api *a)
{
    uint32_t looks = 0;

    while (looks < LOOK_MAX) {
        if (a->presence.telling == NULL && !begin(a))
            return false;
        const struct user *u = a->presence.telling->user;
        if (a->presence.membership == u->memberships.count) {
            end(a);
            looks++;
            continue;
        }
        const struct member *mb = vec_at(&u->memberships, a->presence.membership++);
        looks++;
        if (member_is_active(mb) && presence_is_shown(a, mb->group))
            looks += tell_group(a, mb->group, u);
    }
    return true;
}

/* ---- asking ---------------------------------------------------------------------------------- */

void presence_add(struct api *a, const struct user *u, const struct user *asker)
{
    const struct presence *p = find(a, u);
    bool online = p != NULL && (p->online || p->told);
    int64_t seen_at = p != NULL ? p->seen_at : hub_last_used(u);

    if (!may_know(asker, u))
        return;
    BUF_ADD_LIT(&a->body, ",\"online\":");
    buf_add_bytes(&a->body, online ? BYTES("true") : BYTES("false"));
    BUF_ADD_LIT(&a->body, ",\"last_seen\":");
    if (online)
        json_add_int(&a->body, engine_now(a->engine));
    else if (seen_at > 0)
        json_add_int(&a->body, seen_at);
    else
        BUF_ADD_LIT(&a->body, "null");
}
