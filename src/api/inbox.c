/*
 * inbox: the groups of a user, as they stand now.
 */
#include "api/presence.h"
#include "api/query.h"
#include "api/resource.h"
#include "base/ensure.h"
#include "base/json_write.h"
#include "model/view.h"

#include <stdlib.h>

#define LIMIT_DEFAULT 50
#define LIMIT_MAX     200
#define MEMBERS_MAX   1000
/* A page of the inbox ends early where its last messages have so many bytes. */
#define PAGE_BYTES (1u << 20)

static void answer(struct call *call)
{
    rest_answer(call->api, call->conn, 200, buf_bytes(&call->api->body));
}

static void add_bool(struct buf *out, bool v)
{
    buf_add_bytes(out, v ? BYTES("true") : BYTES("false"));
}

/* ---- GET /sync ------------------------------------------------------------------------------- */

/* The memberships with the highest cursors, as a heap with the lowest of them first. */
struct newest {
    const struct member *at[LIMIT_MAX + 1];
    uint32_t count, limit;
};

static void newest_sink(struct newest *n, uint32_t i)
{
    for (;;) {
        uint32_t least = i;
        for (uint32_t child = 2 * i + 1; child <= 2 * i + 2 && child < n->count; child++) {
            if (n->at[child]->group->last_cursor < n->at[least]->group->last_cursor)
                least = child;
        }
        if (least == i)
            return;
        const struct member *other = n->at[i];
        n->at[i] = n->at[least];
        n->at[least] = other;
        i = least;
    }
}

static void newest_add(struct newest *n, const struct member *mb)
{
    ENSURE(n->limit > 0);
    if (n->count < n->limit) {
        n->at[n->count++] = mb;
        for (uint32_t i = n->count == n->limit ? n->count / 2 : 0; i-- > 0;)
            newest_sink(n, i);
    } else if (mb->group->last_cursor > n->at[0]->group->last_cursor) {
        n->at[0] = mb;
        newest_sink(n, 0);
    }
}

static int newest_first(const void *a, const void *b)
{
    uint64_t x = (*(const struct member *const *)a)->group->last_cursor;
    uint64_t y = (*(const struct member *const *)b)->group->last_cursor;
    return x < y ? 1 : x > y ? -1 : 0;
}

/* No two groups have the same last cursor: a record changes one group. */
static void newest_fill(struct newest *n, const struct user *u, uint64_t before)
{
    for (uint32_t i = 0; i < u->memberships.count; i++) {
        const struct member *mb = vec_at(&u->memberships, i);
        if (member_is_active(mb) && mb->group->last_cursor < before)
            newest_add(n, mb);
    }
    if (n->count > 1)
        qsort(n->at, n->count, sizeof(void *), newest_first);
}

static void add_with_message(struct buf *out, const struct model *m, const struct member *mb)
{
    const struct message *last = view_until(mb, UINT32_MAX);

    resource_open_group(out, mb);
    BUF_ADD_LIT(out, ",\"last_message\":");
    if (last != NULL)
        resource_message(out, m, last, mb->user);
    else
        BUF_ADD_LIT(out, "null");
    BUF_ADD_LIT(out, "}");
}

enum err inbox_sync(struct call *call, struct problem *problem)
{
    struct api *a = call->api;
    const struct model *m = engine_model(a->engine);
    struct buf *out = &a->body;
    struct newest newest = {.count = 0};
    struct uuid epoch = engine_epoch(a->engine);
    uint64_t limit = LIMIT_DEFAULT, before = UINT64_MAX;

    enum err err = query_uint(call, "limit", 1, LIMIT_MAX, &limit, problem);
    if (err == ERR_ok)
        err = query_uint(call, "before", 0, INT64_MAX, &before, problem);
    if (err != ERR_ok)
        return err;
    newest.limit = (uint32_t)limit + 1; /* one more says whether there is more */
    newest_fill(&newest, call->user, before);
    buf_reset(out);
    BUF_ADD_LIT(out, "{\"cursor\":");
    json_add_uint(out, model_cursor(m));
    BUF_ADD_LIT(out, ",\"epoch\":");
    json_add_uuid(out, &epoch);
    BUF_ADD_LIT(out, ",\"groups\":[");
    uint32_t i = 0;
    for (; i < newest.count && i < limit && (i == 0 || out->len < PAGE_BYTES); i++) {
        if (i > 0)
            BUF_ADD_LIT(out, ",");
        add_with_message(out, m, newest.at[i]);
    }
    BUF_ADD_LIT(out, "],\"more\":");
    add_bool(out, i < newest.count);
    BUF_ADD_LIT(out, "}");
    answer(call);
    return ERR_ok;
}

/* ---- GET /groups and /groups/:id ------------------------------------------------------------- */

/* The place behind that of the group `after` in the user's memberships. */
static bool place_after(const struct user *u, const struct uuid *after, uint32_t *place)
{
    for (uint32_t i = 0; i < u->memberships.count; i++) {
        const struct member *mb = vec_at(&u->memberships, i);
        if (uuid_equal(&mb->group->id, after)) {
            *place = i + 1;
            return true;
        }
    }
    return false;
}

enum err inbox_groups(struct call *call, struct problem *problem)
{
    const struct user *u = call->user;
    struct buf *out = &call->api->body;
    uint64_t limit = LIMIT_DEFAULT, count = 0;
    struct uuid after;
    bool has_after = false;
    uint32_t i = 0;

    enum err err = query_uint(call, "limit", 1, LIMIT_MAX, &limit, problem);
    if (err == ERR_ok)
        err = query_uuid(call, "after", &after, &has_after, problem);
    if (err != ERR_ok)
        return err;
    if (has_after && !place_after(u, &after, &i))
        return ERR_group_not_found;
    buf_reset(out);
    BUF_ADD_LIT(out, "{\"groups\":[");
    for (; i < u->memberships.count; i++) {
        const struct member *mb = vec_at(&u->memberships, i);
        if (!member_is_active(mb))
            continue;
        if (count == limit)
            break;
        if (count++ > 0)
            BUF_ADD_LIT(out, ",");
        resource_open_group(out, mb);
        BUF_ADD_LIT(out, "}");
    }
    BUF_ADD_LIT(out, "],\"more\":");
    add_bool(out, i < u->memberships.count);
    BUF_ADD_LIT(out, "}");
    answer(call);
    return ERR_ok;
}

/* The caller's membership in the group of the path. */
static enum err find_active(struct call *call, const struct member **mb)
{
    const struct model *m = engine_model(call->api->engine);
    const struct group *g = model_group_by_id(m, &call->id);

    *mb = g != NULL ? model_member(m, g, call->user) : NULL;
    if (*mb == NULL)
        return ERR_group_not_found;
    return member_is_active(*mb) ? ERR_ok : ERR_not_a_member;
}

/* An open group shows itself to those who may come to it by themselves. */
static bool at_open_door(const struct group *g, const struct member *mb)
{
    return g != NULL && g->join == JOIN_OPEN && (mb == NULL || mb->membership == MEMBERSHIP_LEFT);
}

enum err inbox_group(struct call *call, struct problem *problem)
{
    const struct group *g = model_group_by_id(engine_model(call->api->engine), &call->id);
    const struct member *mb;

    (void)problem;
    enum err err = find_active(call, &mb);
    buf_reset(&call->api->body);
    if (err != ERR_ok && at_open_door(g, mb)) {
        resource_open_door(&call->api->body, g);
        answer(call);
        return ERR_ok;
    }
    if (err != ERR_ok)
        return err;
    resource_open_group(&call->api->body, mb);
    BUF_ADD_LIT(&call->api->body, "}");
    answer(call);
    return ERR_ok;
}

/* ---- members and their marks ----------------------------------------------------------------- */

/* One element of a list of members. */
typedef void add_member_fn(const struct call *call, const struct member *mb);

static void add_person(const struct call *call, const struct member *mb)
{
    struct buf *out = &call->api->body;

    BUF_ADD_LIT(out, "{\"user_id\":");
    json_add_uuid(out, &mb->user->id);
    BUF_ADD_LIT(out, ",\"username\":");
    json_add_string(out, mb->user->username);
    resource_display_name(out, mb->user);
    BUF_ADD_LIT(out, ",\"role\":");
    json_add_string(out, resource_role((enum role)mb->role));
    if (presence_is_shown(call->api, mb->group))
        presence_add(call->api, mb->user, call->user);
    BUF_ADD_LIT(out, "}");
}

static void add_mark(struct buf *out, struct bytes name, const struct mark *mark)
{
    BUF_ADD_LIT(out, ",\"");
    buf_add_bytes(out, name);
    BUF_ADD_LIT(out, "_seq\":");
    json_add_uint(out, mark->seq);
    BUF_ADD_LIT(out, ",\"");
    buf_add_bytes(out, name);
    BUF_ADD_LIT(out, "_at\":");
    if (mark->seq > 0)
        json_add_int(out, mark->time);
    else
        BUF_ADD_LIT(out, "null");
}

static void add_receipts(const struct call *call, const struct member *mb)
{
    struct buf *out = &call->api->body;

    BUF_ADD_LIT(out, "{\"user_id\":");
    json_add_uuid(out, &mb->user->id);
    add_mark(out, BYTES("delivered"), &mb->delivered);
    add_mark(out, BYTES("read"), &mb->read);
    BUF_ADD_LIT(out, "}");
}

/* A page of the members, in the order in which they first came: {"NAME":[…],"more":B}. */
static enum err list_members(struct call *call, struct bytes name, add_member_fn *add,
                             struct problem *problem)
{
    struct buf *out = &call->api->body;
    uint64_t limit = MEMBERS_MAX, count = 0;
    struct uuid after;
    bool has_after = false;
    const struct member *mb;
    uint32_t i = 0;

    enum err err = find_active(call, &mb);
    if (err == ERR_ok)
        err = query_uint(call, "limit", 1, MEMBERS_MAX, &limit, problem);
    if (err == ERR_ok)
        err = query_uuid(call, "after", &after, &has_after, problem);
    if (err != ERR_ok)
        return err;
    const struct vec *members = &mb->group->members;
    for (bool found = !has_after; !found; i++) {
        if (i == members->count)
            return ERR_user_not_found;
        const struct member *at = vec_at(members, i);
        found = uuid_equal(&at->user->id, &after);
    }
    buf_reset(out);
    BUF_ADD_LIT(out, "{\"");
    buf_add_bytes(out, name);
    BUF_ADD_LIT(out, "\":[");
    for (; i < members->count; i++) {
        const struct member *at = vec_at(members, i);
        if (!member_is_active(at))
            continue;
        if (count == limit)
            break;
        if (count++ > 0)
            BUF_ADD_LIT(out, ",");
        add(call, at);
    }
    BUF_ADD_LIT(out, "],\"more\":");
    add_bool(out, i < members->count);
    BUF_ADD_LIT(out, "}");
    answer(call);
    return ERR_ok;
}

enum err inbox_members(struct call *call, struct problem *problem)
{
    return list_members(call, BYTES("members"), add_person, problem);
}

enum err inbox_receipts(struct call *call, struct problem *problem)
{
    return list_members(call, BYTES("receipts"), add_receipts, problem);
}
