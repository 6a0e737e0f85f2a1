/*
 * world: a model that grows record by record in a test, with all that is needed to replay it.
 *
 * world_commit hands a record to the model as the journal would: encoded, under the next number.
 * The model is verified behind it, and what it told is kept together with who sees it. world_end,
 * the teardown of every test of this room, replays the payloads into a second model, with nobody
 * to tell: each record must end as it did, and the digests must be equal. So must that of a third
 * one, which is loaded from what model_save gives.
 */
#ifndef UNIT_MODEL_WORLD_H
#define UNIT_MODEL_WORLD_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "base/crypto.h"
#include "base/ensure.h"
#include "model/hook.h"
#include "model/model.h"
#include "saved.h"

#define COUNT_OF(array) (sizeof(array) / sizeof((array)[0]))

/* splitmix64: the same numbers in each run. */
static inline uint64_t world_random(uint64_t *state)
{
    uint64_t z = (*state += UINT64_C(0x9E3779B97F4A7C15));
    z = (z ^ (z >> 30)) * UINT64_C(0xBF58476D1CE4E5B9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94D049BB133111EB);
    return z ^ (z >> 31);
}

/* An id of its own for each number. */
static inline struct uuid world_uuid(uint64_t number)
{
    struct uuid id;
    uint64_t a = world_random(&number), b = world_random(&number);
    memcpy(id.b, &a, sizeof a);
    memcpy(id.b + 8, &b, sizeof b);
    return id;
}

static inline struct record_hash world_hash(uint64_t number)
{
    struct record_hash h;
    for (size_t i = 0; i < sizeof h.b; i += 8) {
        uint64_t v = world_random(&number);
        memcpy(h.b + i, &v, sizeof v);
    }
    return h;
}

struct world_record {
    uint64_t cursor;
    size_t at; /* in payloads */
    size_t len;
    uint16_t type;
    enum err err;
};

struct world_told {
    struct event event;     /* session is NULL: it may be gone */
    struct uuid session_id; /* of session_ended */
    uint64_t seen;          /* bit n: the user of number n sees it; users up to 63 */
};

struct world {
    struct model *m;
    struct buf payloads;
    struct world_record *records;
    struct world_told *told;
    uint32_t count, told_count;
    uint64_t cursor;
    uint64_t ids;  /* ids that were given */
    int64_t now;   /* of the next record; every commit adds 10 */
    bool unproven; /* no model_verify after each commit: for big histories */
};

/* ---- committing ------------------------------------------------------------------------------ */

static inline uint64_t world_bit(const struct user *u)
{
    return u != NULL && u->number < 64 ? UINT64_C(1) << u->number : 0;
}

static inline uint64_t world_members_bits(const struct group *g)
{
    uint64_t bits = 0;
    /* Of a group that ends, those who were there until then. */
    for (uint32_t i = 0; i < g->active.count; i++) {
        const struct member *mb = vec_at(&g->active, i);
        bits |= world_bit(mb->user);
    }
    return bits;
}

/* Those who may see the message: it came in their time. */
static inline uint64_t world_seers_bits(const struct group *g, const struct message *msg)
{
    uint64_t bits = 0;
    for (uint32_t i = 0; i < g->active.count; i++) {
        const struct member *mb = vec_at(&g->active, i);
        if (member_saw(mb, msg->cursor))
            bits |= world_bit(mb->user);
    }
    return bits;
}

enum world_audience { WORLD_SEEN_server, WORLD_SEEN_person, WORLD_SEEN_members, WORLD_SEEN_seers };

/* Who sees the event, as model/event.def says. */
static inline uint64_t world_seen(const struct event *e)
{
    static const struct {
        enum event_type type;
        enum world_audience audience;
    } audiences[] = {
#define EVENT(wire, name, audience) {EVENT_##name, WORLD_SEEN_##audience},
#include "model/event.def"
#undef EVENT
    };
    uint64_t seen = world_bit(e->to);

    for (size_t i = 0; i < COUNT_OF(audiences); i++) {
        if (audiences[i].type == e->type && audiences[i].audience == WORLD_SEEN_members)
            seen |= world_members_bits(e->group);
        if (audiences[i].type == e->type && audiences[i].audience == WORLD_SEEN_seers)
            seen |= world_seers_bits(e->group, e->message);
        if (audiences[i].type == e->type && audiences[i].audience == WORLD_SEEN_person)
            assert_non_null(e->to);
    }
    return seen;
}

static inline void world_tell(void *ctx, const struct event *event)
{
    struct world *w = ctx;
    struct world_told t = {.event = *event, .seen = world_seen(event)};

    if (event->session != NULL) {
        assert_ptr_equal(model_session_by_id(w->m, &event->session->id), event->session);
        t.session_id = event->session->id;
        t.event.session = NULL;
    }
    assert_int_equal(event->cursor, w->cursor);
    assert_int_equal(event->time, model_time(w->m));
    if ((w->told_count & (w->told_count - 1)) == 0)
        w->told = xrealloc(w->told, (w->told_count == 0 ? 1 : 2 * w->told_count) * sizeof *w->told);
    w->told[w->told_count++] = t;
}

/* Commits bytes as they are. A record that does not decode takes no number. */
static inline enum err world_commit_raw(struct world *w, uint16_t type, struct bytes payload)
{
    struct event_sink sink = {w, world_tell};
    struct world_record kept = {
        .cursor = ++w->cursor, .at = w->payloads.len, .len = payload.len, .type = type};

    kept.err = model_commit(w->m, kept.cursor, type, payload, &sink);
    if (kept.err == ERR_damaged) {
        w->cursor--;
        return kept.err;
    }
    buf_add_bytes(&w->payloads, payload);
    if ((w->count & (w->count - 1)) == 0)
        w->records = xrealloc(w->records, (w->count == 0 ? 1 : 2 * w->count) * sizeof *w->records);
    w->records[w->count++] = kept;
    if (!w->unproven)
        model_verify(w->m);
    return kept.err;
}

/* Checks, encodes and commits. The payload's memory is gone afterwards, so the model holds copies
 * or the sanitizers say so. */
static inline enum err world_commit(struct world *w, const struct record *r)
{
    struct buf payload = {0};
    enum err said = model_check(w->m, r);

    record_encode(r, &payload);
    assert_int_equal(world_commit_raw(w, (uint16_t)r->type, buf_bytes(&payload)), said);
    buf_release(&payload);
    w->now += 10;
    return said;
}

/* ---- records with the usual fields ----------------------------------------------------------- */

static inline struct record world_user_record(struct world *w, const char *name)
{
    struct record r = {.type = RECORD_user_create};
    r.user_create.time = w->now;
    r.user_create.id = world_uuid(++w->ids);
    r.user_create.username = bytes_cstr(name);
    r.user_create.username_key = bytes_cstr(name);
    r.user_create.password = BYTES("$argon2id$");
    return r;
}

static inline struct record world_session_record(struct world *w, uint32_t user)
{
    struct record r = {.type = RECORD_session_create};
    r.session_create.time = w->now;
    r.session_create.id = world_uuid(++w->ids);
    r.session_create.user = user;
    r.session_create.token = world_hash(++w->ids);
    r.session_create.platform = PLATFORM_ANDROID;
    r.session_create.build = 7;
    r.session_create.device_id = BYTES("device");
    r.session_create.model = BYTES("a model");
    r.session_create.name = BYTES("a name");
    return r;
}

static inline struct record world_app_user_record(struct world *w, const char *external_id,
                                                  const char *name)
{
    struct record r = {.type = RECORD_app_user_create};
    r.app_user_create.time = w->now;
    r.app_user_create.id = world_uuid(++w->ids);
    r.app_user_create.external_id = bytes_cstr(external_id);
    r.app_user_create.username = bytes_cstr(name);
    r.app_user_create.username_key = bytes_cstr(name);
    return r;
}

/* As world_session_record, with a token of that generation. */
static inline struct record world_open_record(struct world *w, uint32_t user, uint32_t tokens)
{
    struct record_session_create s = world_session_record(w, user).session_create;
    return (struct record){.type = RECORD_session_open,
                           .session_open = {.time = s.time,
                                            .id = s.id,
                                            .user = user,
                                            .tokens = tokens,
                                            .token = s.token,
                                            .platform = s.platform,
                                            .build = s.build,
                                            .device_id = s.device_id,
                                            .model = s.model,
                                            .name = s.name}};
}

/* Changes nothing; `fields` and what belongs to them are the test's to set. */
static inline struct record world_profile_record(struct world *w, uint32_t user, uint32_t tokens)
{
    return (struct record){.type = RECORD_user_update,
                           .user_update = {.time = w->now, .user = user, .tokens = tokens}};
}

static inline struct record world_block_record(struct world *w, uint32_t user, uint32_t whom,
                                               bool remove)
{
    return (struct record){.type = RECORD_user_block,
                           .user_block = {w->now, user, 0, whom, remove, .blocks_max = 0}};
}

static inline enum err world_block(struct world *w, uint32_t user, uint32_t whom, bool remove)
{
    struct record r = world_block_record(w, user, whom, remove);
    return world_commit(w, &r);
}

static inline enum err world_forget(struct world *w, uint32_t user, uint32_t tokens)
{
    struct record r = {.type = RECORD_user_delete, .user_delete = {w->now, user, tokens}};
    return world_commit(w, &r);
}

static inline enum err world_erase_message(struct world *w, uint32_t group, uint32_t seq)
{
    struct record r = {.type = RECORD_message_erase, .message_erase = {w->now, group, seq}};
    return world_commit(w, &r);
}

/* That wants 20 and 70. */
static inline struct record world_hook_record(struct world *w, const char *url)
{
    struct record r = {.type = RECORD_hook_create};
    r.hook_create.time = w->now;
    r.hook_create.id = world_uuid(++w->ids);
    r.hook_create.types = (struct record_u32s){(const uint8_t *)"\x14\0\0\0"
                                                                "\x46\0\0\0",
                                               2};
    r.hook_create.after = UINT64_MAX;
    r.hook_create.secret = BYTES("a key");
    r.hook_create.url = bytes_cstr(url);
    return r;
}

static inline enum err world_hook_progress(struct world *w, struct uuid id, uint64_t cursor)
{
    struct record r = {.type = RECORD_hook_progress, .hook_progress = {w->now, id, cursor}};
    return world_commit(w, &r);
}

static inline enum err world_renew(struct world *w, struct uuid epoch)
{
    struct record r = {.type = RECORD_epoch_renew, .epoch_renew = {w->now, epoch}};
    return world_commit(w, &r);
}

/* Everything that can be changed of it. */
static inline struct record world_hook_update_record(const struct world *w, struct uuid id)
{
    struct record r = {.type = RECORD_hook_update};
    r.hook_update.time = w->now;
    r.hook_update.id = id;
    r.hook_update.until = w->now + 1000;
    r.hook_update.fields = HOOK_FIELDS;
    r.hook_update.types = (struct record_u32s){(const uint8_t *)"\x16\0\0\0"
                                                                "\x48\0\0\0",
                                               2};
    r.hook_update.secret = BYTES("another key");
    r.hook_update.url = BYTES("http://another/");
    return r;
}

static inline enum err world_hook_delete(struct world *w, struct uuid id)
{
    struct record r = {.type = RECORD_hook_delete, .hook_delete = {w->now, id}};
    return world_commit(w, &r);
}

static inline enum err world_erased(struct world *w, uint32_t user)
{
    struct record r = {.type = RECORD_user_erased, .user_erased = {w->now, user}};
    return world_commit(w, &r);
}

/* `members` is little-endian as in a payload; see WORLD_U32S. */
static inline struct record world_group_record(struct world *w, uint32_t owner,
                                               struct record_u32s members)
{
    struct record r = {.type = RECORD_group_create};
    r.group_create.time = w->now;
    r.group_create.id = world_uuid(++w->ids);
    r.group_create.owner = owner;
    r.group_create.name = BYTES("the group");
    r.group_create.members = members;
    return r;
}

static inline struct record world_make_record(struct world *w, uint32_t owner,
                                              struct record_u32s members, enum join join,
                                              enum history history)
{
    struct record r = {.type = RECORD_group_make};
    r.group_make.time = w->now;
    r.group_make.id = world_uuid(++w->ids);
    r.group_make.owner = owner;
    r.group_make.join = (uint8_t)join;
    r.group_make.history = (uint8_t)history;
    r.group_make.name = BYTES("the group");
    r.group_make.members = members;
    return r;
}

static inline struct record world_post_record(struct world *w, uint32_t group, uint32_t author,
                                              const char *client_id, const char *data)
{
    struct record r = {.type = RECORD_message_post};
    r.message_post.time = w->now;
    r.message_post.id = world_uuid(++w->ids);
    r.message_post.group = group;
    r.message_post.author = author;
    r.message_post.client_id = bytes_cstr(client_id);
    r.message_post.data = bytes_cstr(data);
    return r;
}

/* With the text "text". */
static inline struct record world_send_record(struct world *w, uint32_t group, uint32_t author,
                                              uint32_t reply_to, struct record_u32s mentions,
                                              const char *meta)
{
    return (struct record){.type = RECORD_message_send,
                           .message_send = {.time = w->now,
                                            .id = world_uuid(++w->ids),
                                            .group = group,
                                            .author = author,
                                            .reply_to = reply_to,
                                            .mentions = mentions,
                                            .meta = bytes_cstr(meta),
                                            .data = BYTES("text")}};
}

/* Numbers below 256 as the payload has them: WORLD_U32S(1, 2, 3). Valid in the enclosing block. */
#define WORLD_U32S(...)                                                                            \
    world_u32s((uint8_t[4 *sizeof((uint8_t[]){__VA_ARGS__})]){0}, (const uint8_t[]){__VA_ARGS__},  \
               sizeof((uint8_t[]){__VA_ARGS__}))

static inline struct record_u32s world_u32s(uint8_t *space, const uint8_t *numbers, size_t count)
{
    for (size_t i = 0; i < count; i++)
        space[4 * i] = numbers[i];
    return (struct record_u32s){space, (uint32_t)count};
}

/* ---- doing ----------------------------------------------------------------------------------- */

/* A user of that name; returns the number. */
static inline uint32_t world_user(struct world *w, const char *name)
{
    struct record r = world_user_record(w, name);
    assert_int_equal(world_commit(w, &r), ERR_ok);
    return model_user_count(w->m);
}

/* One of the app's; returns the number. */
static inline uint32_t world_app_user(struct world *w, const char *external_id, const char *name)
{
    struct record r = world_app_user_record(w, external_id, name);
    assert_int_equal(world_commit(w, &r), ERR_ok);
    return model_user_count(w->m);
}

static inline enum err world_rename(struct world *w, uint32_t user, const char *name,
                                    const char *key)
{
    struct record r = {.type = RECORD_app_user_rename,
                       .app_user_rename = {w->now, user, bytes_cstr(name), bytes_cstr(key)}};
    return world_commit(w, &r);
}

/* `count` users u1, u2, … */
static inline void world_users(struct world *w, uint32_t count)
{
    char name[] = "u00";
    for (uint32_t i = 1; i <= count; i++) {
        name[1] = (char)('0' + i / 10);
        name[2] = (char)('0' + i % 10);
        assert_int_equal(world_user(w, name), i);
    }
}

/* A group that `owner` makes; returns the number. */
static inline uint32_t world_group(struct world *w, uint32_t owner, struct record_u32s members)
{
    struct record r = world_group_record(w, owner, members);
    assert_int_equal(world_commit(w, &r), ERR_ok);
    return model_group_count(w->m);
}

static inline enum err world_add(struct world *w, uint32_t group, uint32_t user, uint32_t by)
{
    struct record r = {.type = RECORD_member_add, .member_add = {w->now, group, user, by, 0, 0}};
    return world_commit(w, &r);
}

static inline enum err world_remove(struct world *w, uint32_t group, uint32_t user, uint32_t by)
{
    struct record r = {.type = RECORD_member_remove, .member_remove = {w->now, group, user, by}};
    return world_commit(w, &r);
}

static inline enum err world_leave(struct world *w, uint32_t group, uint32_t user, uint32_t by)
{
    struct record r = {.type = RECORD_member_leave, .member_leave = {w->now, group, user, by}};
    return world_commit(w, &r);
}

static inline enum err world_role(struct world *w, uint32_t group, uint32_t user, uint32_t by,
                                  enum role role)
{
    struct record r = {.type = RECORD_member_role,
                       .member_role = {w->now, group, user, by, (uint8_t)role}};
    return world_commit(w, &r);
}

static inline enum err world_update(struct world *w, uint32_t group, uint32_t by, unsigned fields,
                                    struct settings to)
{
    struct record r = {
        .type = RECORD_group_update,
        .group_update = {w->now, group, by, (uint8_t)fields, to.join, to.history, to.name}};
    return world_commit(w, &r);
}

static inline enum err world_expire(struct world *w, uint32_t group, uint32_t up_to)
{
    struct record r = {.type = RECORD_messages_expire, .messages_expire = {w->now, group, up_to}};
    return world_commit(w, &r);
}

static inline enum err world_retention(struct world *w, uint32_t group, uint32_t by, uint32_t days)
{
    struct record r = {.type = RECORD_group_retention,
                       .group_retention = {w->now, group, by, days}};
    return world_commit(w, &r);
}

static inline enum err world_delete(struct world *w, uint32_t group, uint32_t by)
{
    struct record r = {.type = RECORD_group_delete, .group_delete = {w->now, group, by}};
    return world_commit(w, &r);
}

static inline enum err world_direct(struct world *w, uint32_t by, uint32_t user)
{
    struct record r = {.type = RECORD_direct_open,
                       .direct_open = {w->now, world_uuid(++w->ids), by, user, 0}};
    return world_commit(w, &r);
}

static inline const struct message *world_post(struct world *w, uint32_t group, uint32_t author,
                                               const char *data)
{
    struct record r = world_post_record(w, group, author, "", data);
    assert_int_equal(world_commit(w, &r), ERR_ok);
    return model_message_by_id(w->m, &r.message_post.id);
}

static inline enum err world_edit(struct world *w, uint32_t group, uint32_t seq, uint32_t by,
                                  const char *data)
{
    struct record r = {.type = RECORD_message_update,
                       .message_update = {w->now, group, seq, by, bytes_cstr(data)}};
    return world_commit(w, &r);
}

static inline enum err world_erase(struct world *w, uint32_t group, uint32_t seq, uint32_t by)
{
    struct record r = {.type = RECORD_message_delete, .message_delete = {w->now, group, seq, by}};
    return world_commit(w, &r);
}

/* At most 2 reactions of a user, 5 in all and 3 emojis. */
static inline enum err world_react(struct world *w, uint32_t group, uint32_t seq, uint32_t by,
                                   const char *emoji, bool remove)
{
    struct record r = {
        .type = RECORD_message_react,
        .message_react = {w->now, group, seq, by, remove, 2, 5, 3, bytes_cstr(emoji)}};
    return world_commit(w, &r);
}

enum { WORLD_DELIVERED, WORLD_READ };

static inline enum err world_mark(struct world *w, uint32_t group, uint32_t user, uint32_t seq,
                                  uint8_t kind)
{
    struct record r = {.type = RECORD_receipt_mark,
                       .receipt_mark = {w->now, group, user, seq, kind}};
    return world_commit(w, &r);
}

static inline const struct member *world_member(const struct world *w, uint32_t group,
                                                uint32_t user)
{
    return model_member(w->m, model_group(w->m, group), model_user(w->m, user));
}

/* Forgets what was told so far. */
static inline void world_hush(struct world *w)
{
    w->told_count = 0;
}

/* ---- life ------------------------------------------------------------------------------------ */

static inline void world_init(struct world *w)
{
    crypto_init();
    *w = (struct world){.m = model_new(), .now = 1000};
}

/* Commits the first `count` records of `w` to a fresh model, with nobody to tell. */
static inline struct model *world_replay(const struct world *w, uint32_t count)
{
    struct model *m = model_new();
    for (uint32_t i = 0; i < count; i++) {
        const struct world_record *r = &w->records[i];
        struct bytes payload = bytes_of(w->payloads.p + r->at, r->len);
        assert_int_equal(model_commit(m, r->cursor, r->type, payload, NULL), r->err);
    }
    return m;
}

/* Two models that are sound and the same. */
static inline void world_assert_same(const struct model *a, const struct model *b)
{
    uint8_t first[MODEL_DIGEST_LEN], second[MODEL_DIGEST_LEN];

    model_verify(a);
    model_verify(b);
    model_digest(a, first);
    model_digest(b, second);
    assert_memory_equal(first, second, sizeof first);
}

/* The model is what the records make, and what a snapshot brings back. */
static inline void world_prove(const struct world *w)
{
    struct model *again = world_replay(w, w->count);
    world_assert_same(w->m, again);
    model_free(again);
    again = saved_copy(w->m);
    assert_non_null(again);
    world_assert_same(w->m, again);
    model_free(again);
}

static inline void world_release(struct world *w)
{
    model_free(w->m);
    buf_release(&w->payloads);
    free(w->records);
    free(w->told);
    *w = (struct world){0};
}

/* For cmocka: every test gets a fresh world, and is a replay test. */
static inline int world_begin(void **state)
{
    struct world *w = xmalloc(sizeof *w);
    world_init(w);
    *state = w;
    return 0;
}

static inline int world_end(void **state)
{
    struct world *w = *state;
    world_prove(w);
    world_release(w);
    free(w);
    return 0;
}

#define WORLD_TEST(f) cmocka_unit_test_setup_teardown(f, world_begin, world_end)

#endif
