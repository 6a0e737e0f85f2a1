#include "retention.h"

/* Groups that are looked at in one go: about a third of a millisecond, where none is in a cache. */
#define LOOK_GROUPS 1000u
/* Messages that go with one record. */
#define EXPIRE_MAX 256u

#define DAY_MS INT64_C(86400000)

/* The shorter one counts: a group cannot keep what the server promised not to. */
static uint32_t days_of(const struct retention *r, const struct group *g)
{
    if (r->days == 0 || (g->retention_days > 0 && g->retention_days < r->days))
        return g->retention_days;
    return r->days;
}

/* The number of the newest message that is due, of the next EXPIRE_MAX; 0 for none. Their times do
 * not fall. */
static uint32_t due(const struct retention *r, const struct group *g, int64_t now)
{
    uint32_t days = days_of(r, g), seq = g->expired;
    int64_t until = now - days * DAY_MS;
    const struct message *msg;

    if (days == 0)
        return 0;
    while (seq - g->expired < EXPIRE_MAX && (msg = group_message(g, seq + 1)) != NULL &&
           msg->time < until)
        seq++;
    return seq > g->expired ? seq : 0;
}

static void expired(struct proposal *p, enum err err, uint64_t cursor)
{
    struct retention *r = (struct retention *)(void *)p;
    (void)cursor;
    r->proposed = false;
    /* What the disk refuses is due again later. */
    r->found = err == ERR_ok;
    if (r->found)
        loop_again(r->loop);
}

/* Looks at group number `number`; true where some of its messages were proposed to go. */
static bool look_at(struct retention *r, uint32_t number, int64_t now)
{
    const struct group *g = model_group(engine_model(r->engine), number);
    uint32_t up_to = due(r, g, now);

    if (up_to == 0)
        return false;
    struct record record = {.type = RECORD_messages_expire,
                            .messages_expire = {.time = now, .group = g->number, .up_to = up_to}};
    r->proposed = engine_propose(r->engine, &record, &r->proposal) == ERR_ok;
    if (r->proposed)
        loop_again(r->loop); /* the turn's end gives it to the disk */
    return r->proposed;
}

/* From the group behind the last on, or again from that one where it had some. */
static void look(struct retention *r)
{
    const struct model *m = engine_model(r->engine);
    uint32_t count = model_group_count(m), looks = count < LOOK_GROUPS ? count : LOOK_GROUPS;
    int64_t now = engine_now(r->engine);

    if (r->proposed || (r->days == 0 && model_limited_groups(m) == 0))
        return;
    bool again = r->found && r->group > 0;
    r->found = false;
    for (uint32_t i = 0; i < looks; i++) {
        if (!again)
            r->group = r->group < count ? r->group + 1 : 1;
        again = false;
        if (look_at(r, r->group, now))
            return;
    }
}

void retention_init(struct retention *r, struct engine *engine, struct loop *loop, uint32_t days)
{
    *r = (struct retention){
        .proposal = {.done = expired}, .engine = engine, .loop = loop, .days = days};
}

void retention_tick(struct retention *r)
{
    look(r);
}

void retention_turn(struct retention *r)
{
    if (r->found)
        look(r);
}
