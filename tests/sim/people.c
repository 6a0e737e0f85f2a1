#include "tests/sim/people.h"

#include <stdio.h>

#include "base/ensure.h"
#include "model/hook.h"
#include "tests/sim/rng.h"
#include "tests/sim/shadow.h"

#define NAMES       40
#define WAITING_MAX 8
#define LONG_TEXT   (100u << 10) /* longer than the smallest segment */

/* What waits for a password worker. */
struct waiting {
    bool login;
    uint32_t who; /* name or user number */
};

static struct waiting waiting[WAITING_MAX];
static size_t waiting_count;
static bool many_long;
static uint8_t letters[LONG_TEXT];

void people_reset(bool long_texts)
{
    many_long = long_texts;
    waiting_count = 0;
    for (size_t i = 0; i < sizeof letters; i++)
        letters[i] = (uint8_t)('a' + i % 26);
}

void people_hang_up(void)
{
    waiting_count = 0;
}

static struct uuid new_id(void)
{
    return uuid_random();
}

static uint32_t some_user(const struct model *m)
{
    uint32_t count = model_user_count(m);
    return count == 0 || rng_one_in(50) ? count + 1 : 1 + (uint32_t)rng_below(count);
}

static uint32_t some_group(const struct model *m)
{
    uint32_t count = model_group_count(m);
    return count == 0 || rng_one_in(50) ? count + 1 : 1 + (uint32_t)rng_below(count);
}

/* A member of the group, mostly. */
static uint32_t some_member(const struct model *m, uint32_t number)
{
    const struct group *g = model_group(m, number);
    if (!g || g->active.count == 0 || rng_one_in(20))
        return some_user(m);
    const struct member *mb = vec_at(&g->active, (uint32_t)rng_below(g->active.count));
    return mb->user->number;
}

static struct bytes some_text(void)
{
    if (many_long && rng_one_in(3))
        return bytes_of(letters, (size_t)rng_below(LONG_TEXT));
    uint64_t max = rng_one_in(400) ? LONG_TEXT : rng_one_in(12) ? 6000 : 200;
    size_t len = max == 200 ? (size_t)rng_below(max) : (size_t)(rng_skewed(max));
    return bytes_of(letters + rng_below(LONG_TEXT - len + 1), len);
}

/* ---- one function a deed ----------------------------------------------------------------------
 */

/* The generation of the user's tokens, mostly. */
static uint32_t some_tokens(const struct model *m, uint32_t number)
{
    const struct user *u = model_user(m, number);
    return (u ? user_tokens(u) : 0) + (rng_one_in(10) ? 1 : 0);
}

static enum err open_session(struct engine *e, const struct record_session_create *s)
{
    struct record r = {.type = RECORD_session_open};
    r.session_open = (struct record_session_open){.time = s->time,
                                                  .id = s->id,
                                                  .user = s->user,
                                                  .tokens = some_tokens(engine_model(e), s->user),
                                                  .token = s->token,
                                                  .replaces = s->replaces,
                                                  .sessions_max = s->sessions_max,
                                                  .platform = s->platform,
                                                  .build = s->build,
                                                  .device_id = s->device_id,
                                                  .model = s->model,
                                                  .name = s->name};
    return shadow_propose(e, &r);
}

static enum err change_profile(struct engine *e)
{
    uint32_t who = some_user(engine_model(e));
    const struct user *u = model_user(engine_model(e), who);
    char email[32];
    struct record r = {.type = RECORD_user_update};
    snprintf(email, sizeof email, "user%u@example.com", (unsigned)rng_below(NAMES));
    r.user_update.time = engine_now(e);
    r.user_update.user = who;
    r.user_update.tokens = some_tokens(engine_model(e), who);
    r.user_update.fields = (uint8_t)rng_below(PROFILE_ALL + 1);
    if (u && u->sessions && rng_one_in(2))
        r.user_update.except = u->sessions->id;
    r.user_update.display_name = bytes_of(letters, (size_t)rng_below(30));
    if (!rng_one_in(4))
        r.user_update.email = r.user_update.email_key = bytes_cstr(email);
    r.user_update.password = BYTES("$argon2id$v=19$m=8,t=1,p=1$c2FsdA$YW5vdGhlcg");
    return shadow_propose(e, &r);
}

static enum err block(struct engine *e)
{
    const struct model *m = engine_model(e);
    uint32_t who = some_user(m);
    struct record r = {.type = RECORD_user_block};
    r.user_block = (struct record_user_block){engine_now(e), who,           some_tokens(m, who),
                                              some_user(m),  rng_one_in(3), 4};
    return shadow_propose(e, &r);
}

/* The next piece of what those who are no more leave behind; an end of somebody where there is
 * none. */
static enum err erase(struct engine *e)
{
    const struct model *m = engine_model(e);
    const struct user *u = model_erasing(m);
    struct record r = {.type = RECORD_user_delete};

    if (u == NULL || rng_one_in(20)) {
        uint32_t who = some_user(m);
        r.user_delete = (struct record_user_delete){engine_now(e), who, some_tokens(m, who)};
        return shadow_propose(e, &r);
    }
    for (uint32_t i = 0; i < u->memberships.count; i++) {
        const struct member *mb = vec_at(&u->memberships, i);
        if (!member_is_active(mb) || rng_one_in(10))
            continue;
        r.type = RECORD_member_leave;
        r.member_leave =
            (struct record_member_leave){engine_now(e), mb->group->number, u->number, u->number};
        return shadow_propose(e, &r);
    }
    for (uint32_t i = 0; i < u->memberships.count; i++) {
        const struct member *mb = vec_at(&u->memberships, i);
        const struct message *msg = group_message(mb->group, mb->last_own);
        while (msg != NULL && (msg->deleted || rng_one_in(3)))
            msg = group_message(mb->group, msg->previous_own);
        if (msg == NULL)
            continue;
        r.type = RECORD_message_erase;
        r.message_erase = (struct record_message_erase){engine_now(e), msg->group, msg->seq};
        return shadow_propose(e, &r);
    }
    r.type = RECORD_user_erased;
    r.user_erased = (struct record_user_erased){engine_now(e), u->number};
    return shadow_propose(e, &r);
}

static enum err answer_password(struct engine *e)
{
    size_t place = (size_t)rng_below(waiting_count);
    struct waiting w = waiting[place];
    waiting[place] = waiting[--waiting_count];
    char name[16], email[32];
    struct record r = {.type = w.login ? RECORD_session_create : RECORD_user_create};
    if (w.login) {
        const struct user *u = model_user(engine_model(e), w.who);
        struct record_session_create *s = &r.session_create;
        s->time = engine_now(e);
        s->id = new_id();
        s->user = w.who;
        rng_fill(s->token.b, sizeof s->token.b);
        if (u && u->sessions && rng_one_in(3))
            s->replaces = u->sessions->id;
        s->sessions_max = 4;
        s->platform = (uint8_t)rng_below(PLATFORM_COUNT);
        s->build = (uint32_t)rng_below(100);
        s->device_id = BYTES("0000");
        s->model = bytes_of(letters, (size_t)rng_below(20));
        s->name = BYTES("pc");
        return rng_one_in(5) ? shadow_propose(e, &r) : open_session(e, s);
    }
    snprintf(name, sizeof name, "user%u", (unsigned)w.who);
    snprintf(email, sizeof email, "%s@example.com", name);
    r.user_create.time = engine_now(e);
    r.user_create.id = new_id();
    r.user_create.username = bytes_cstr(name);
    r.user_create.username_key = bytes_cstr(name);
    if (w.who % 2 == 0) {
        r.user_create.email = bytes_cstr(email);
        r.user_create.email_key = bytes_cstr(email);
    }
    r.user_create.password = BYTES("$argon2id$v=19$m=8,t=1,p=1$c2FsdA$aGFzaA");
    return shadow_propose(e, &r);
}

static enum err ask_password(struct engine *e, bool login)
{
    if (waiting_count == WAITING_MAX)
        return ERR_busy;
    waiting[waiting_count++] =
        (struct waiting){login, login ? some_user(engine_model(e)) : (uint32_t)rng_below(NAMES)};
    return ERR_busy;
}

static enum err end_sessions(struct engine *e)
{
    uint32_t who = some_user(engine_model(e));
    const struct user *u = model_user(engine_model(e), who);
    struct record r = {.type = rng_one_in(4) ? RECORD_sessions_end : RECORD_session_end};
    struct uuid one = u && u->sessions ? u->sessions->id : new_id();
    if (r.type == RECORD_sessions_end) {
        r.sessions_end.time = engine_now(e);
        r.sessions_end.user = who;
        if (rng_one_in(2))
            r.sessions_end.except = one;
    } else {
        r.session_end.time = engine_now(e);
        r.session_end.user = who;
        r.session_end.id = one;
    }
    return shadow_propose(e, &r);
}

/* The app's own server: somebody is made, or gets another name. */
static enum err act_as_app(struct engine *e)
{
    const struct model *m = engine_model(e);
    char external_id[16], name[16];
    struct record r = {.type = RECORD_app_user_create};

    snprintf(external_id, sizeof external_id, "%u", (unsigned)rng_below(NAMES));
    snprintf(name, sizeof name, "user%u", (unsigned)rng_below(2 * NAMES));
    const struct user *u = model_user_by_external_id(m, bytes_cstr(external_id));
    if (u != NULL && !rng_one_in(10)) {
        r.type = RECORD_app_user_rename;
        r.app_user_rename = (struct record_app_user_rename){engine_now(e), u->number,
                                                            bytes_cstr(name), bytes_cstr(name)};
    } else {
        r.app_user_create = (struct record_app_user_create){
            engine_now(e), new_id(), bytes_cstr(external_id), bytes_cstr(name), bytes_cstr(name)};
    }
    return shadow_propose(e, &r);
}

/* It wants to be told of events, or has been, or wants no more. */
static enum err hook(struct engine *e)
{
    static const uint8_t types[] = "\x14\0\0\0\x16\0\0\0\x46\0\0\0";
    const struct model *m = engine_model(e);
    uint32_t count = model_hook_count(m);
    struct record r = {.type = RECORD_hook_create};
    struct uuid id = count > 0 ? model_hook(m, (uint32_t)rng_below(count))->id : new_id();

    if (rng_one_in(5)) {
        uint8_t fields = (uint8_t)rng_below(HOOK_FIELDS + 2);
        r.type = RECORD_hook_update;
        r.hook_update =
            (struct record_hook_update){.time = engine_now(e), .id = id, .fields = fields};
        if (fields & HOOK_URL)
            r.hook_update.url = bytes_of(letters, (size_t)rng_below(90));
        if (fields & HOOK_TYPES)
            r.hook_update.types = (struct record_u32s){types, (uint32_t)rng_below(4)};
        if (fields & HOOK_SECRET) {
            r.hook_update.secret = bytes_of(letters, (size_t)rng_below(40));
            r.hook_update.until =
                rng_one_in(3) ? 0 : engine_now(e) + (int64_t)rng_below(100000) - 100;
        }
    } else if (rng_one_in(6)) {
        r.type = RECORD_hook_delete;
        r.hook_delete = (struct record_hook_delete){engine_now(e), id};
    } else if (!rng_one_in(3)) {
        r.type = RECORD_hook_progress;
        r.hook_progress = (struct record_hook_progress){
            engine_now(e), id, model_cursor(m) - rng_skewed(model_cursor(m) + 1)};
    } else {
        r.hook_create = (struct record_hook_create){engine_now(e),
                                                    rng_one_in(10) ? id : new_id(),
                                                    4,
                                                    rng_below(model_cursor(m) + 20),
                                                    {types, (uint32_t)rng_below(4)},
                                                    bytes_of(letters, 1 + (size_t)rng_below(40)),
                                                    bytes_of(letters, 1 + (size_t)rng_below(90))};
    }
    return shadow_propose(e, &r);
}

/* It goes on from a backup: as a tool adds it, or one that does it wrong. */
static enum err renew(struct engine *e)
{
    struct record r = {.type = RECORD_epoch_renew, .epoch_renew = {.time = engine_now(e)}};
    if (!rng_one_in(8))
        r.epoch_renew.epoch = rng_one_in(8) ? model_epoch(engine_model(e)) : new_id();
    return shadow_propose(e, &r);
}

static enum err make_group(struct engine *e)
{
    uint8_t numbers[4 * 8] = {0};
    struct record r = {.type = RECORD_group_create};
    r.group_create.time = engine_now(e);
    r.group_create.id = new_id();
    r.group_create.owner = some_user(engine_model(e));
    r.group_create.groups_max = rng_one_in(4) ? 5 : 0;
    r.group_create.name = bytes_of(letters, 1 + (size_t)rng_below(20));
    r.group_create.members.p = numbers;
    r.group_create.members.count = 1 + (uint32_t)rng_below(8);
    numbers[0] = (uint8_t)r.group_create.owner;
    for (uint32_t i = 1; i < r.group_create.members.count; i++)
        numbers[4 * i] = (uint8_t)some_user(engine_model(e));
    return shadow_propose(e, &r);
}

static enum err change_members(struct engine *e, bool add)
{
    uint32_t group = some_group(engine_model(e));
    struct record r = {.type = add ? RECORD_member_add : RECORD_member_remove};
    uint32_t by = some_member(engine_model(e), group);
    if (add)
        r.member_add = (struct record_member_add){
            engine_now(e), group, some_user(engine_model(e)), by, rng_one_in(4) ? 6 : 0, 0};
    else
        r.member_remove = (struct record_member_remove){
            engine_now(e), group, rng_one_in(2) ? by : some_member(engine_model(e), group), by};
    return shadow_propose(e, &r);
}

/* The owner, mostly: who may change something. */
static uint32_t some_chief(const struct model *m, uint32_t number)
{
    const struct group *g = model_group(m, number);
    return g && g->owner && !rng_one_in(4) ? g->owner->number : some_member(m, number);
}

static enum err make_open_group(struct engine *e)
{
    uint8_t numbers[4 * 2] = {0};
    struct record r = {.type = RECORD_group_make};
    r.group_make.time = engine_now(e);
    r.group_make.id = new_id();
    r.group_make.owner = some_user(engine_model(e));
    r.group_make.join = (uint8_t)rng_below(JOIN_COUNT);
    r.group_make.history = (uint8_t)rng_below(HISTORY_COUNT);
    r.group_make.name = bytes_of(letters, 1 + (size_t)rng_below(20));
    r.group_make.members.p = numbers;
    r.group_make.members.count = 2;
    numbers[0] = (uint8_t)r.group_make.owner;
    numbers[4] = (uint8_t)some_user(engine_model(e));
    return shadow_propose(e, &r);
}

static enum err open_direct(struct engine *e)
{
    struct record r = {.type = RECORD_direct_open};
    r.direct_open = (struct record_direct_open){engine_now(e), new_id(), some_user(engine_model(e)),
                                                some_user(engine_model(e)), rng_one_in(4) ? 5 : 0};
    return shadow_propose(e, &r);
}

/* Groups end seldom, or there would be none. */
static enum err settle(struct engine *e)
{
    const struct model *m = engine_model(e);
    uint32_t group = some_group(m);
    struct record r = {.type = rng_one_in(20) ? RECORD_group_delete : RECORD_group_update};
    if (r.type == RECORD_group_delete) {
        r.group_delete = (struct record_group_delete){engine_now(e), group, some_chief(m, group)};
    } else {
        r.group_update = (struct record_group_update){engine_now(e),
                                                      group,
                                                      some_chief(m, group),
                                                      (uint8_t)rng_below(8),
                                                      (uint8_t)rng_below(JOIN_COUNT),
                                                      (uint8_t)rng_below(HISTORY_COUNT),
                                                      bytes_of(letters, (size_t)rng_below(20))};
    }
    return shadow_propose(e, &r);
}

static enum err govern(struct engine *e)
{
    const struct model *m = engine_model(e);
    uint32_t group = some_group(m);
    struct record r = {.type = rng_one_in(3) ? RECORD_member_leave : RECORD_member_role};
    if (r.type == RECORD_member_leave) {
        uint32_t by = rng_one_in(2) ? some_chief(m, group) : some_member(m, group);
        r.member_leave = (struct record_member_leave){
            engine_now(e), group, rng_one_in(2) ? by : some_member(m, group), by};
    } else {
        r.member_role =
            (struct record_member_role){engine_now(e), group, some_member(m, group),
                                        some_chief(m, group), (uint8_t)rng_below(ROLE_COUNT)};
    }
    return shadow_propose(e, &r);
}

/* A number of a message, the newer the more often. */
static uint32_t some_seq(const struct model *m, uint32_t number)
{
    const struct group *g = model_group(m, number);
    uint32_t count = g ? g->messages.count : 0;
    return count == 0 ? 0 : count - (uint32_t)rng_skewed(count);
}

/* Replies, mentions, or both: users and messages that are there, mostly. */
static enum err post_more(struct engine *e)
{
    const struct model *m = engine_model(e);
    uint8_t mentions[8];
    struct record r = {.type = RECORD_message_send};
    struct record_message_send *send = &r.message_send;
    send->time = engine_now(e);
    send->id = new_id();
    send->group = some_group(m);
    send->author = some_member(m, send->group);
    send->reply_to = rng_one_in(2) ? some_seq(m, send->group) : 0;
    struct buf numbers = {mentions, 0, sizeof mentions};
    uint32_t first = some_member(m, send->group), second = some_member(m, send->group);
    buf_add_u32le(&numbers, first);
    if (first != second || rng_one_in(20))
        buf_add_u32le(&numbers, second);
    send->mentions = (struct record_u32s){mentions, (uint32_t)(numbers.len / 4)};
    send->meta = rng_one_in(2) ? BYTES("{\"app\":[1]}") : (struct bytes){0};
    send->data = some_text();
    return shadow_propose(e, &r);
}

static enum err post(struct engine *e)
{
    char client_id[8] = "";
    if (rng_one_in(8))
        return post_more(e);
    struct record r = {.type = RECORD_message_post};
    r.message_post.time = engine_now(e);
    r.message_post.id = new_id();
    r.message_post.group = some_group(engine_model(e));
    r.message_post.author = some_member(engine_model(e), r.message_post.group);
    if (rng_one_in(2))
        snprintf(client_id, sizeof client_id, "c%u", (unsigned)rng_below(60));
    r.message_post.client_id = bytes_cstr(client_id);
    r.message_post.data = some_text();
    return shadow_propose(e, &r);
}

/* Edits, deletes or reacts: their own messages, mostly. */
static enum err amend(struct engine *e)
{
    static const char *const emojis[] = {"+", "-", "\xf0\x9f\x91\x8d"};
    const struct model *m = engine_model(e);
    uint32_t group = some_group(m), seq = some_seq(m, group);
    const struct group *g = model_group(m, group);
    const struct message *msg = g ? group_message(g, seq) : NULL;
    uint32_t by = msg && !rng_one_in(5) ? msg->author : some_member(m, group);
    struct record r = {.type = rng_one_in(3)   ? RECORD_message_update
                               : rng_one_in(5) ? RECORD_message_delete
                                               : RECORD_message_react};
    int64_t now = engine_now(e);
    if (r.type == RECORD_message_update)
        r.message_update = (struct record_message_update){now, group, seq, by, some_text()};
    else if (r.type == RECORD_message_delete)
        r.message_delete = (struct record_message_delete){now, group, seq, by};
    else
        r.message_react = (struct record_message_react){
            now, group, seq, some_member(m, group),           rng_one_in(3),
            2,   6,     2,   bytes_cstr(emojis[rng_below(3)])};
    return shadow_propose(e, &r);
}

static enum err mark(struct engine *e)
{
    uint32_t group = some_group(engine_model(e));
    struct record r = {.type = RECORD_receipt_mark};
    r.receipt_mark =
        (struct record_receipt_mark){engine_now(e), group, some_member(engine_model(e), group),
                                     some_seq(engine_model(e), group), (uint8_t)rng_below(2)};
    return shadow_propose(e, &r);
}

/* Somebody sets how long messages are kept, or some have been kept long enough. */
static enum err expire(struct engine *e)
{
    uint32_t group = some_group(engine_model(e));
    const struct group *g = model_group(engine_model(e), group);
    struct record r = {.type = rng_one_in(4) ? RECORD_group_retention : RECORD_messages_expire};
    if (r.type == RECORD_group_retention) {
        r.group_retention = (struct record_group_retention){
            engine_now(e), group, some_member(engine_model(e), group), (uint32_t)rng_below(4)};
    } else {
        uint32_t there = g ? g->messages.count - g->expired : 0;
        r.messages_expire = (struct record_messages_expire){
            engine_now(e), group, (g ? g->expired : 0) + (uint32_t)rng_skewed(there + 1)};
    }
    return shadow_propose(e, &r);
}

enum err people_act(struct engine *e)
{
    uint64_t deed = rng_below(100);
    if (waiting_count > 0 && deed < 12)
        return answer_password(e);
    if (deed < 17)
        return ask_password(e, rng_one_in(2));
    if (deed < 18)
        return rng_one_in(9) ? renew(e) : rng_one_in(2) ? hook(e) : act_as_app(e);
    if (deed < 22)
        return make_group(e);
    if (deed < 32)
        return change_members(e, rng_percent(60));
    if (deed < 35)
        return rng_one_in(3) ? change_profile(e) : rng_one_in(3) ? block(e) : end_sessions(e);
    if (deed < 39)
        return govern(e);
    if (deed < 42)
        return rng_one_in(6) ? make_open_group(e) : rng_one_in(3) ? open_direct(e) : settle(e);
    if (deed < 43)
        return expire(e);
    if (deed < 44)
        return erase(e);
    if (deed < 70)
        return post(e);
    return deed < 80 ? amend(e) : mark(e);
}
