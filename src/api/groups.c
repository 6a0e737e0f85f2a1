/*
 * groups: making one, joining, leaving.
 */
#include "api/field.h"
#include "api/pending.h"
#include "api/resource.h"
#include "api/settings.h"
#include "base/json_write.h"

#include <stdlib.h>

/* ---- POST /groups ---------------------------------------------------------------------------- */

static void answer_group(struct pending *p, int status, const struct uuid *id)
{
    struct buf *out = &p->api->body;

    buf_reset(out);
    BUF_ADD_LIT(out, "{\"id\":");
    json_add_uuid(out, id);
    BUF_ADD_LIT(out, "}");
    rest_answer(p->api, p->conn, status, buf_bytes(out));
}

static void group_created(struct proposal *proposal, enum err err, uint64_t cursor)
{
    struct pending *p = pending_of(proposal);

    (void)cursor;
    if (err != ERR_ok)
        rest_refuse(p->api, p->conn, err, NULL);
    else
        answer_group(p, 201, &p->id);
    pending_finish(p);
}

/* Reads one user id of the list and adds its number to *numbers. */
static enum err add_member_number(struct call *call, struct json element, struct buf *numbers,
                                  struct problem *problem)
{
    struct api *a = call->api;
    struct bytes text;
    struct uuid id;

    if (!json_string(element, &a->arena, &text) || !uuid_parse(text, &id))
        return field_fault(a, problem, "user_ids must hold UUIDs.");
    const struct user *u = model_user_by_id(engine_model(a->engine), &id);
    if (u == NULL)
        return ERR_user_not_found;
    buf_add_u32le(numbers, u->number);
    return ERR_ok;
}

static int compare_numbers(const void *a, const void *b)
{
    uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
    return (x > y) - (x < y);
}

/* How many members these numbers make: repeats count once. */
static uint32_t count_members(struct api *a, const struct buf *numbers)
{
    struct record_u32s list = {numbers->p, (uint32_t)(numbers->len / 4)};
    uint32_t *sorted = arena_alloc(&a->arena, list.count * sizeof *sorted);
    uint32_t count = 0;

    for (uint32_t i = 0; i < list.count; i++)
        sorted[i] = record_u32s_at(&list, i);
    qsort(sorted, list.count, sizeof *sorted, compare_numbers);
    for (uint32_t i = 0; i < list.count; i++)
        count += i == 0 || sorted[i] != sorted[i - 1];
    return count;
}

/* The numbers of the members, in the order of the request, the caller last where not named. */
static enum err read_members(struct call *call, struct buf *numbers, struct problem *problem)
{
    struct api *a = call->api;
    struct json list = json_member(call->body, "user_ids");

    if (json_type(list) != JSON_ARRAY)
        return field_fault(a, problem, "user_ids must be an array of UUIDs.");
    if (json_count(list) > a->limits.user_ids_max)
        return field_fault(a, problem, "user_ids must hold at most %u.", a->limits.user_ids_max);
    for (struct json e = json_first(list); json_type(e) != JSON_NONE; e = json_next(e)) {
        enum err err = add_member_number(call, e, numbers, problem);
        if (err != ERR_ok)
            return err;
    }
    struct record_u32s so_far = {numbers->p, (uint32_t)(numbers->len / 4)};
    bool caller_there = false;
    for (uint32_t i = 0; i < so_far.count && !caller_there; i++)
        caller_there = record_u32s_at(&so_far, i) == call->user->number;
    if (!caller_there)
        buf_add_u32le(numbers, call->user->number);
    if (numbers->len / 4 <= a->limits.group_members_max)
        return ERR_ok;
    return count_members(a, numbers) <= a->limits.group_members_max ? ERR_ok : ERR_group_full;
}

/* The record that says no more than it must: one without settings is what it always was. */
static struct record make_record(struct call *call, const struct uuid *id, const struct settings *s,
                                 struct record_u32s members)
{
    struct api *a = call->api;
    int64_t now = engine_now(a->engine);
    struct record r = {.type = RECORD_group_create};

    if ((s->join | s->history) == 0) {
        r.group_create = (struct record_group_create){
            now, *id, call->user->number, a->limits.user_groups_max, s->name, members};
        return r;
    }
    r.type = RECORD_group_make;
    r.group_make = (struct record_group_make){.time = now,
                                              .id = *id,
                                              .owner = call->user->number,
                                              .groups_max = a->limits.user_groups_max,
                                              .join = s->join,
                                              .history = s->history,
                                              .name = s->name,
                                              .members = members};
    return r;
}

static enum err create_plain(struct call *call, struct problem *problem)
{
    struct api *a = call->api;
    struct buf *numbers = &a->scratch;
    struct settings settings = {0};

    enum err err =
        field_name(a, call->body, "name", 1, a->limits.name_max, &settings.name, problem);
    if (err == ERR_ok)
        err = settings_read_rules(call, &settings, problem);
    buf_reset(numbers);
    if (err == ERR_ok)
        err = read_members(call, numbers, problem);
    if (err != ERR_ok)
        return err;
    struct pending *p = pending_new(a, call->conn);
    p->id = uuid_random();
    p->proposal.done = group_created;
    struct record r = make_record(call, &p->id, &settings,
                                  (struct record_u32s){numbers->p, (uint32_t)(numbers->len / 4)});
    err = engine_propose(a->engine, &r, &p->proposal);
    if (err != ERR_ok)
        pending_finish(p);
    return err;
}

/* ---- POST /groups of a direct group ----------------------------------------------------------
 */

/* The two are there, be it by this request or before. */
static void answer_direct(struct pending *p)
{
    const struct model *m = engine_model(p->api->engine);
    const struct group *g = model_direct(m, p->user, model_user(m, p->other));

    answer_group(p, uuid_equal(&g->id, &p->id) ? 201 : 200, &g->id);
}

static enum err propose_direct(struct pending *p)
{
    struct api *a = p->api;
    struct record r = {.type = RECORD_direct_open,
                       .direct_open = {.time = engine_now(a->engine),
                                       .id = p->id,
                                       .by = p->user->number,
                                       .user = p->other,
                                       .groups_max = a->limits.user_groups_max}};
    return engine_propose(a->engine, &r, &p->proposal);
}

/* One record brings one of them back, so there may be another to propose: until nothing would
 * change. */
static void direct_opened(struct proposal *proposal, enum err err, uint64_t cursor)
{
    struct pending *p = pending_of(proposal);

    (void)cursor;
    if (err == ERR_ok)
        err = propose_direct(p);
    if (err == ERR_ok)
        return;
    if (err == ERR_duplicate)
        answer_direct(p);
    else
        rest_refuse(p->api, p->conn, err, NULL);
    pending_finish(p);
}

/* The one of "user_ids" who is not the caller. */
static enum err read_other(struct call *call, uint32_t *other, struct problem *problem)
{
    struct buf *numbers = &call->api->scratch;

    buf_reset(numbers);
    enum err err = read_members(call, numbers, problem);
    if (err != ERR_ok)
        return err;
    struct record_u32s list = {numbers->p, (uint32_t)(numbers->len / 4)};
    for (uint32_t i = 0; i < list.count; i++) {
        uint32_t number = record_u32s_at(&list, i);
        *other = number != call->user->number ? number : *other;
    }
    return count_members(call->api, numbers) == 2
               ? ERR_ok
               : field_fault(call->api, problem,
                             "user_ids of a direct group must hold one other user.");
}

static enum err create_direct(struct call *call, struct problem *problem)
{
    struct api *a = call->api;
    uint32_t other = 0;

    if (field_there(call->body, "join") || field_there(call->body, "history"))
        return field_fault(a, problem, "A direct group has neither join nor history.");
    enum err err = read_other(call, &other, problem);
    if (err != ERR_ok)
        return err;
    struct pending *p = pending_new(a, call->conn);
    p->id = uuid_random();
    p->user = call->user;
    p->other = other;
    p->proposal.done = direct_opened;
    err = propose_direct(p);
    if (err == ERR_ok)
        return ERR_ok;
    if (err == ERR_duplicate)
        answer_direct(p);
    pending_finish(p);
    return err == ERR_duplicate ? ERR_ok : err;
}

/* "kind", which is "group" where it is not there. */
static enum err read_kind(struct call *call, bool *direct, struct problem *problem)
{
    struct bytes kind = BYTES("group");
    enum err err = ERR_ok;

    if (field_there(call->body, "kind"))
        err = field_bytes(call->api, call->body, "kind", 0, SIZE_MAX, &kind, problem);
    if (err != ERR_ok)
        return err;
    *direct = bytes_equal(kind, BYTES("direct"));
    return *direct || bytes_equal(kind, BYTES("group"))
               ? ERR_ok
               : field_fault(call->api, problem, "kind must be \"group\" or \"direct\".");
}

enum err groups_create(struct call *call, struct problem *problem)
{
    bool direct;
    enum err err = read_kind(call, &direct, problem);

    if (err != ERR_ok)
        return err;
    return direct ? create_direct(call, problem) : create_plain(call, problem);
}

/* ---- PUT /groups/:id/join and /left ---------------------------------------------------------- */

/* The group of the path and the user of the body. Whether the group may be seen is the law's. */
static enum err read_membership(struct call *call, const struct group **g, const struct user **u,
                                struct problem *problem)
{
    const struct model *m = engine_model(call->api->engine);
    struct uuid user_id;

    enum err err = field_uuid(call->api, call->body, "user_id", &user_id, problem);
    if (err != ERR_ok)
        return err;
    *g = model_group_by_id(m, &call->id);
    if (*g == NULL || (model_member(m, *g, call->user) == NULL && (*g)->join != JOIN_OPEN))
        return ERR_group_not_found;
    *u = model_user_by_id(m, &user_id);
    return *u != NULL ? ERR_ok : ERR_user_not_found;
}

enum err groups_join(struct call *call, struct problem *problem)
{
    const struct api_limits *limits = &call->api->limits;
    const struct group *g;
    const struct user *u;

    enum err err = read_membership(call, &g, &u, problem);
    if (err != ERR_ok)
        return err;
    struct record r = {.type = RECORD_member_add,
                       .member_add = {.time = engine_now(call->api->engine),
                                      .group = g->number,
                                      .user = u->number,
                                      .by = call->user->number,
                                      .members_max = limits->group_members_max,
                                      .groups_max = limits->user_groups_max}};
    return rest_propose(call, &r);
}

enum err groups_left(struct call *call, struct problem *problem)
{
    const struct group *g;
    const struct user *u;

    enum err err = read_membership(call, &g, &u, problem);
    if (err != ERR_ok)
        return err;
    struct record r = {.type = RECORD_member_leave,
                       .member_leave = {.time = engine_now(call->api->engine),
                                        .group = g->number,
                                        .user = u->number,
                                        .by = call->user->number}};
    return rest_propose(call, &r);
}

/* ---- PATCH /groups/:id/members/:user_id ------------------------------------------------------ */

enum err groups_role(struct call *call, struct problem *problem)
{
    const struct model *m = engine_model(call->api->engine);
    const struct group *g = model_group_by_id(m, &call->id);
    struct bytes text;
    enum role role;

    enum err err = field_bytes(call->api, call->body, "role", 0, SIZE_MAX, &text, problem);
    if (err != ERR_ok)
        return err;
    if (!resource_role_parse(text, &role))
        return field_fault(call->api, problem, "role must be \"owner\", \"admin\" or \"member\".");
    if (g == NULL || model_member(m, g, call->user) == NULL)
        return ERR_group_not_found;
    const struct user *u = model_user_by_id(m, &call->user_id);
    if (u == NULL)
        return ERR_user_not_found;
    struct record r = {.type = RECORD_member_role,
                       .member_role = {.time = engine_now(call->api->engine),
                                       .group = g->number,
                                       .user = u->number,
                                       .by = call->user->number,
                                       .role = (uint8_t)role}};
    return rest_propose(call, &r);
}
