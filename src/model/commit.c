/*
 * commit: the door through which a record comes into the model, and the model's life. (load.c is
 * the other door: for the state that a snapshot kept.)
 */
#include "base/ensure.h"
#include "model/save.h"
#include "model/state.h"

#include <stdlib.h>

/* Freed with each commit of those that were deleted: two, so that a replay is not behind for ever
 * where each was a commit once. */
#define RECLAIM_MESSAGES 2u

static void model_init(struct model *m)
{
    *m = (struct model){0};
    state_init_users(m);
    state_init_externals(m);
    state_init_sessions(m);
    state_init_groups(m);
    state_init_directs(m);
    state_init_messages(m);
}

struct model *model_new(void)
{
    struct model *m = xmalloc(sizeof *m);
    model_init(m);
    return m;
}

static void model_release(struct model *m)
{
    for (uint32_t i = 0; i < m->users.count; i++)
        state_free_user(vec_at(&m->users, i));
    for (uint32_t i = 0; i < m->groups.count; i++)
        state_free_group(m, vec_at(&m->groups, i));
    state_free_reclaim(m);
    sorted_release(&m->names);
    vec_release(&m->users);
    vec_release(&m->erasing);
    state_free_hooks(m);
    vec_release(&m->groups);
    map_release(&m->users_by_id);
    map_release(&m->users_by_name);
    map_release(&m->users_by_email);
    map_release(&m->users_by_external_id);
    map_release(&m->sessions_by_id);
    map_release(&m->sessions_by_token);
    map_release(&m->groups_by_id);
    map_release(&m->directs);
    map_release(&m->members);
    map_release(&m->messages_by_id);
    map_release(&m->messages_by_client_id);
    slab_release(&m->messages_memory);
    free(m->load);
}

void model_free(struct model *m)
{
    if (m == NULL)
        return;
    model_release(m);
    free(m);
}

void model_reset(struct model *m)
{
    uint32_t hook_changes = m->hook_changes;

    model_release(m);
    model_init(m);
    m->hook_changes = hook_changes + 1;
}

/* Every record starts with its time. */
static int64_t record_time(const struct record *r)
{
    switch (r->type) {
#define RECORD(number, name, fields)                                                               \
    case RECORD_##name:                                                                            \
        return r->name.time;
#include "model/record.def"
#undef RECORD
    }
    return 0;
}

enum err model_check(const struct model *m, const struct record *r)
{
    if (record_time(r) > MODEL_TIME_MAX)
        return ERR_refused;
    switch (r->type) {
#define RECORD(number, name, fields)                                                               \
    case RECORD_##name:                                                                            \
        return check_##name(m, &r->name);
#include "model/record.def"
#undef RECORD
    }
    return ERR_damaged;
}

static void model_apply(struct model *m, const struct record *r, const struct commit *c)
{
    switch (r->type) {
#define RECORD(number, name, fields)                                                               \
    case RECORD_##name:                                                                            \
        apply_##name(m, &r->name, c);                                                              \
        return;
#include "model/record.def"
#undef RECORD
    }
}

/* A message's id is drawn at random; one that was given before can only stand in a journal that
 * somebody else wrote. So it is looked for here, where the table's place is needed anyway, and not
 * before proposing as well: the table is far larger than any cache. */
static bool message_is_there(const struct model *m, const struct record *r)
{
    const struct uuid *id = r->type == RECORD_message_post   ? &r->message_post.id
                            : r->type == RECORD_message_send ? &r->message_send.id
                                                             : NULL;
    return id != NULL && model_message_by_id(m, id) != NULL;
}

enum err model_commit(struct model *m, uint64_t cursor, uint16_t type, struct bytes payload,
                      const struct event_sink *sink)
{
    struct record r;

    ENSURE(cursor > m->cursor && m->load == NULL);
    if (cursor > MODEL_CURSOR_MAX || !record_decode(type, payload, &r))
        return ERR_damaged;
    m->cursor = cursor;
    /* The proposer's clock may have been set back, or be another machine's: time only rises. */
    if (record_time(&r) > m->time && record_time(&r) <= MODEL_TIME_MAX)
        m->time = record_time(&r);
    enum err err = model_check(m, &r);
    if (err == ERR_ok && message_is_there(m, &r))
        err = ERR_refused;
    if (err != ERR_ok)
        return err;
    struct commit c = {cursor, m->time, sink};
    model_apply(m, &r, &c);
    if (m->reclaim != NULL)
        (void)model_reclaim(m, RECLAIM_MESSAGES);
    return ERR_ok;
}

uint64_t model_cursor(const struct model *m)
{
    return m->cursor;
}

int64_t model_time(const struct model *m)
{
    return m->time;
}
