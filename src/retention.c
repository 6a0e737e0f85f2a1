#include "retention.h"

/* Groups that are looked at in one go: about a third of a millisecond, where none is in a cache. */
#define LOOK_GROUPS 1000u
/* Messages that go with one batch of records: their going is one step of a turn. */
#define EXPIRE_MAX 128u

#define DAY_MS INT64_C(86400000)

/* The shorter one counts: a group cannot keep what the server promised not to. */
static uint32_t days_of(const struct retention *r, const struct group *g)
{
    if (r->days == 0 || (g->retention_days > 0 && g->retention_days < r->days))
        return g->retention_days;
    return r->days;
}

/* How many of the group's messages are due, `most` at most. Their times do not fall. */
static uint32_t due(const struct retention *r, const struct group *g, int64_t now, uint32_t most)
{
    uint32_t days = days_of(r, g), count = 0;
    int64_t until = now - days * DAY_MS;
    const struct message *msg;

    if (days == 0)
        return 0;
    while (count < most && (msg = group_message(g, g->expired + count + 1)) != NULL &&
           message_time(msg) < until)
        count++;
    return count;
}

static void expired(struct proposal *p, enum err err, uint64_t cursor)
{
    struct retention *r = (struct retention *)(void *)p;
    (void)cursor;
    /* What the disk refuses is due again at the next tick. */
    r->refused |= err != ERR_ok;
    r->under_way--;
    if (r->under_way > 0 || r->refused)
        return;
    r->go_on = true;
    loop_again(r->loop);
}

/* Proposes what is due in group number `number`, `most` messages at most; how many these are. */
static uint32_t look_at(struct retention *r, uint32_t number, int64_t now, uint32_t most)
{
    const struct group *g = model_group(engine_model(r->engine), number);
    uint32_t count = due(r, g, now, most);

    if (count == 0)
        return 0;
    struct record record = {
        .type = RECORD_messages_expire,
        .messages_expire = {.time = now, .group = g->number, .up_to = g->expired + count}};
    if (engine_propose(r->engine, &record, &r->proposal) != ERR_ok) {
        r->refused = true;
        return 0;
    }
    r->under_way++;
    return count;
}

/* From the group behind the last on, or again from that one where it may have more. */
static void look(struct retention *r)
{
    const struct model *m = engine_model(r->engine);
    uint32_t count = model_group_count(m), looks = count < LOOK_GROUPS ? count : LOOK_GROUPS;
    uint32_t left = EXPIRE_MAX;
    int64_t now = engine_now(r->engine);

    r->go_on = r->refused = false;
    if (r->days == 0 && model_limited_groups(m) == 0)
        return;
    for (uint32_t i = 0; i < looks && left > 0 && !r->refused; i++) {
        if (!r->again)
            r->group = r->group < count ? r->group + 1 : 1;
        left -= look_at(r, r->group, now, left);
        r->again = left == 0;
    }
    if (r->under_way > 0)
        loop_again(r->loop); /* the turn's end gives them to the disk */
}

void retention_init(struct retention *r, struct engine *engine, struct loop *loop, uint32_t days)
{
    *r = (struct retention){
        .proposal = {.done = expired}, .engine = engine, .loop = loop, .days = days};
}

void retention_tick(struct retention *r)
{
    if (r->under_way == 0)
        look(r);
}

void retention_turn(struct retention *r)
{
    if (r->go_on)
        look(r);
}
