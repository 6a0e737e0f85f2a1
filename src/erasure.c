#include "erasure.h"

/* Memberships that are looked at in one go, and own messages that are gathered in one: about a
 * third of a millisecond, where none is in a cache. */
#define LOOK_MAX 1000u
/* Each tells a whole group, or becomes a step of the turn. */
#define LEAVE_MAX 8u
#define ERASE_MAX 128u

static void again(struct erasure *e)
{
    e->go_on = true;
    loop_again(e->loop);
}

static void is_done(struct proposal *p, enum err err, uint64_t cursor)
{
    struct erasure *e = (struct erasure *)(void *)p;

    (void)cursor;
    /* Who was removed meanwhile, and what somebody else deleted, is gone as well. */
    e->refused |= err != ERR_ok && err != ERR_user_not_found && err != ERR_message_not_found &&
                  err != ERR_duplicate;
    e->under_way--;
    if (e->under_way == 0 && !e->refused)
        again(e);
}

/* False where the disk takes nothing now. */
static bool propose(struct erasure *e, const struct record *r)
{
    enum err err = engine_propose(e->engine, r, &e->proposal);

    if (err == ERR_ok) {
        e->under_way++;
        return true;
    }
    if (err == ERR_user_not_found || err == ERR_message_not_found || err == ERR_duplicate)
        return true;
    e->refused = true;
    return false;
}

static void start_messages(struct erasure *e, uint32_t membership)
{
    e->membership = membership;
    e->is_gathering = false;
    buf_reset(&e->seqs);
}

/* ---- first the groups ------------------------------------------------------------------------ */

static void leave(struct erasure *e, const struct user *u)
{
    uint32_t left = LEAVE_MAX;

    for (uint32_t looks = LOOK_MAX; looks > 0 && left > 0; looks--, e->membership++) {
        if (e->membership == u->memberships.count)
            break;
        const struct member *mb = vec_at(&u->memberships, e->membership);
        if (!member_is_active(mb))
            continue;
        struct record r = {.type = RECORD_member_leave,
                           .member_leave = {.time = engine_now(e->engine),
                                            .group = mb->group->number,
                                            .user = u->number,
                                            .by = u->number}};
        if (!propose(e, &r))
            return;
        left--;
    }
    if (e->under_way > 0)
        return;
    if (e->membership < u->memberships.count || u->active_groups > 0) {
        e->membership = e->membership < u->memberships.count ? e->membership : 0;
        again(e);
        return;
    }
    e->has_left = true;
    start_messages(e, 0);
    again(e);
}

/* ---- then the messages ----------------------------------------------------------------------- */

/* Their own messages of one group hang together newest first, and an early one is cheaper to delete
 * than a late one. What retention took away ends the chain. */
static void gather(struct erasure *e, const struct member *mb)
{
    if (!e->is_gathering) {
        e->is_gathering = true;
        e->next = mb->last_own;
    }
    for (uint32_t looks = LOOK_MAX; looks > 0 && e->next > 0; looks--) {
        const struct message *msg = group_message(mb->group, e->next);
        if (msg != NULL && !msg->deleted)
            buf_add(&e->seqs, &e->next, sizeof e->next);
        e->next = msg != NULL ? msg->previous_own : 0;
    }
}

static uint32_t take_seq(struct erasure *e)
{
    uint32_t seq;

    e->seqs.len -= sizeof seq;
    memcpy(&seq, e->seqs.p + e->seqs.len, sizeof seq);
    return seq;
}

static void erase_some(struct erasure *e, const struct member *mb)
{
    for (uint32_t i = 0; i < ERASE_MAX && e->seqs.len > 0; i++) {
        struct record r = {.type = RECORD_message_erase,
                           .message_erase = {.time = engine_now(e->engine),
                                             .group = mb->group->number,
                                             .seq = take_seq(e)}};
        if (!propose(e, &r))
            return;
    }
}

static void erase_messages(struct erasure *e, const struct user *u)
{
    const struct member *mb = vec_at(&u->memberships, e->membership);

    if (mb->group->deleted || (e->is_gathering && e->next == 0 && e->seqs.len == 0)) {
        start_messages(e, e->membership + 1);
        again(e);
        return;
    }
    if (!e->is_gathering || e->next > 0)
        gather(e, mb);
    else
        erase_some(e, mb);
    if (e->under_way == 0 && !e->refused)
        again(e);
}

/* ---- and that was all ------------------------------------------------------------------------ */

static void end(struct erasure *e, const struct user *u)
{
    struct record r = {.type = RECORD_user_erased,
                       .user_erased = {.time = engine_now(e->engine), .user = u->number}};

    (void)propose(e, &r);
}

static void look(struct erasure *e)
{
    const struct user *u = model_erasing(engine_model(e->engine));

    e->go_on = false;
    if (e->refused) {
        /* What was proposed and not written is still there: once more from the beginning. */
        e->user = 0;
        e->refused = false;
    }
    if (u == NULL)
        return;
    if (u->number != e->user) {
        e->user = u->number;
        e->has_left = false;
        start_messages(e, 0);
    }
    if (!e->has_left)
        leave(e, u);
    else if (e->membership < u->memberships.count)
        erase_messages(e, u);
    else
        end(e, u);
    if (e->under_way > 0)
        loop_again(e->loop); /* the turn's end gives them to the disk */
}

void erasure_init(struct erasure *e, struct engine *engine, struct loop *loop)
{
    *e = (struct erasure){.proposal = {.done = is_done}, .engine = engine, .loop = loop};
}

void erasure_release(struct erasure *e)
{
    buf_release(&e->seqs);
}

void erasure_tick(struct erasure *e)
{
    if (e->under_way == 0)
        look(e);
}

void erasure_turn(struct erasure *e)
{
    if (e->go_on && e->under_way == 0)
        look(e);
}
