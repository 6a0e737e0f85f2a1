/*
 * The digest: each field of the model's structs changes it, and each bit of each record does.
 */
#include "world.h"

#include "model/hook.h"
#include "model/state.h"

/* The records of fill whose sessions, group, name, password, block or hook are ended by later ones:
 * little or no trace of them is left. */
#define ENDED(i)                                                                                   \
    ((i) == 3 || (i) == 4 || (i) == 24 || (i) == 33 || ((i) >= 36 && (i) <= 38) || (i) == 41 ||    \
     (i) == 42 || (i) == 50 || (i) == 56 || (i) == 58)

/* Two that are there, one that was. */
static void fill_hooks(struct world *w)
{
    struct record r = world_hook_record(w, "http://h/1");
    r.hook_create.after = 7;
    assert_int_equal(world_commit(w, &r), ERR_ok);
    r = world_hook_record(w, "http://h/2");
    r.hook_create.after = 9;
    assert_int_equal(world_commit(w, &r), ERR_ok);
    assert_int_equal(world_hook_progress(w, r.hook_create.id, w->cursor), ERR_ok);
    r = world_hook_record(w, "http://h/3");
    assert_int_equal(world_commit(w, &r), ERR_ok);
    assert_int_equal(world_hook_delete(w, r.hook_create.id), ERR_ok);
    /* And one that is another now. */
    r = world_hook_record(w, "http://h/4");
    assert_int_equal(world_commit(w, &r), ERR_ok);
    r = world_hook_update_record(w, r.hook_create.id);
    assert_int_equal(world_commit(w, &r), ERR_ok);
}

/* Everything that the model can hold is in here at least once. */
static void fill(struct world *w)
{
    struct record r = world_user_record(w, "Anna");
    r.user_create.username_key = BYTES("anna");
    r.user_create.email = BYTES("A@b");
    r.user_create.email_key = BYTES("a@b");
    assert_int_equal(world_commit(w, &r), ERR_ok);
    world_user(w, "berta");
    world_user(w, "carla");
    struct uuid ended[2];
    for (int i = 0; i < 4; i++) {
        struct record s = world_session_record(w, 1);
        if (i < 2)
            ended[i] = s.session_create.id;
        else
            s.session_create.replaces = ended[i - 2];
        assert_int_equal(world_commit(w, &s), ERR_ok);
    }
    world_group(w, 2, WORLD_U32S(1, 2));
    assert_int_equal(world_add(w, 1, 3, 1), ERR_ok);
    r = world_post_record(w, 1, 2, "c1", "one");
    assert_int_equal(world_commit(w, &r), ERR_ok);
    world_post(w, 1, 2, "two");
    assert_int_equal(world_mark(w, 1, 3, 1, WORLD_READ), ERR_ok);
    assert_int_equal(world_mark(w, 1, 1, 2, WORLD_DELIVERED), ERR_ok);
    assert_int_equal(world_remove(w, 1, 3, 2), ERR_ok);
    assert_int_equal(world_add(w, 1, 3, 2), ERR_ok);
    world_group(w, 1, WORLD_U32S(1));
    assert_int_equal(world_remove(w, 2, 1, 1), ERR_ok);
    assert_int_equal(world_role(w, 1, 3, 2, ROLE_ADMIN), ERR_ok);
    assert_int_equal(world_role(w, 1, 1, 2, ROLE_OWNER), ERR_ok);
    world_group(w, 2, WORLD_U32S(2, 3));
    assert_int_equal(world_leave(w, 3, 2, 2), ERR_ok);
    r = world_make_record(w, 3, WORLD_U32S(3, 2), JOIN_OPEN, HISTORY_ALL);
    assert_int_equal(world_commit(w, &r), ERR_ok);
    assert_int_equal(world_update(w, 4, 3, SETTING_NAME | SETTING_JOIN | SETTING_HISTORY,
                                  (struct settings){BYTES("now"), JOIN_MEMBERS, HISTORY_JOINED}),
                     ERR_ok);
    r = world_make_record(w, 3, WORLD_U32S(3, 2), JOIN_OPEN, HISTORY_ALL);
    assert_int_equal(world_commit(w, &r), ERR_ok);
    world_group(w, 3, WORLD_U32S(2, 3));
    assert_int_equal(world_delete(w, 6, 3), ERR_ok);
    assert_int_equal(world_direct(w, 3, 2), ERR_ok);
    /* Texts that are replaced, or go, leave no trace: these have none. */
    world_post(w, 1, 2, "");
    world_post(w, 1, 2, "");
    assert_int_equal(world_edit(w, 1, 3, 2, "new"), ERR_ok);
    assert_int_equal(world_react(w, 1, 3, 1, "+", false), ERR_ok);
    assert_int_equal(world_erase(w, 1, 4, 1), ERR_ok);
    world_app_user(w, "7", "dora");
    world_app_user(w, "8", "emma");
    r = world_send_record(w, 1, 2, 1, WORLD_U32S(3, 1), "{}");
    r.message_send.client_id = BYTES("c2");
    assert_int_equal(world_commit(w, &r), ERR_ok);
    assert_int_equal(world_rename(w, 5, "Emilia", "emilia"), ERR_ok);
    world_user(w, "frida");
    r = world_session_record(w, 6);
    struct uuid stays = r.session_create.id;
    assert_int_equal(world_commit(w, &r), ERR_ok);
    struct record s = world_session_record(w, 2);
    assert_int_equal(world_commit(w, &s), ERR_ok);
    r = world_open_record(w, 2, 0);
    r.session_open.replaces = s.session_create.id;
    assert_int_equal(world_commit(w, &r), ERR_ok);
    r = world_profile_record(w, 6, 0);
    r.user_update.except = stays;
    r.user_update.fields = PROFILE_ALL;
    r.user_update.display_name = BYTES("Frida F.");
    r.user_update.email = BYTES("F@b");
    r.user_update.email_key = BYTES("f@b");
    r.user_update.password = BYTES("$another$");
    assert_int_equal(world_commit(w, &r), ERR_ok);
    /* One who has gone, and one who is going. */
    world_user(w, "greta");
    world_user(w, "hanna");
    world_group(w, 3, WORLD_U32S(3, 7));
    world_post(w, 8, 7, "");
    assert_int_equal(world_forget(w, 7, 0), ERR_ok);
    assert_int_equal(world_leave(w, 8, 7, 7), ERR_ok);
    assert_int_equal(world_erase_message(w, 8, 1), ERR_ok);
    assert_int_equal(world_erased(w, 7), ERR_ok);
    assert_int_equal(world_forget(w, 8, 0), ERR_ok);
    assert_int_equal(world_block(w, 3, 6, false), ERR_ok);
    assert_int_equal(world_block(w, 3, 2, false), ERR_ok);
    assert_int_equal(world_block(w, 3, 6, true), ERR_ok);
    fill_hooks(w);
    assert_int_equal(world_renew(w, world_uuid(1)), ERR_ok);
}

static bool digest_is(const struct model *m, const uint8_t *digest)
{
    uint8_t now[MODEL_DIGEST_LEN];
    model_digest(m, now);
    return memcmp(now, digest, sizeof now) == 0;
}

/* Flips the lowest bit of what is at `p`: the digest must see it, and see it go. */
static void assert_seen(const struct world *w, void *p, const char *field)
{
    uint8_t before[MODEL_DIGEST_LEN];
    uint8_t *byte = p;

    model_digest(w->m, before);
    *byte ^= 1;
    if (digest_is(w->m, before))
        fail_msg("the digest does not see %s", field);
    *byte ^= 1;
    assert_true(digest_is(w->m, before));
}

#define SEEN(field) assert_seen(w, (void *)(uintptr_t) & (field), #field)
/* The last byte, and the length, of a text. */
static void assert_text_seen(const struct world *w, struct bytes *text)
{
    uint8_t before[MODEL_DIGEST_LEN];

    assert_true(text->len > 0);
    assert_seen(w, (void *)(uintptr_t)(text->p + text->len - 1), "a text");
    model_digest(w->m, before);
    text->len--;
    assert_false(digest_is(w->m, before));
    text->len++;
    assert_true(digest_is(w->m, before));
}

/* One pointer in place of another of its kind. */
static void assert_pointer_seen(const struct world *w, void *at, const void *other)
{
    uint8_t before[MODEL_DIGEST_LEN];
    void *kept;

    model_digest(w->m, before);
    memcpy(&kept, at, sizeof kept);
    assert_ptr_not_equal(kept, other);
    memcpy(at, &other, sizeof other);
    assert_false(digest_is(w->m, before));
    memcpy(at, &kept, sizeof kept);
    assert_true(digest_is(w->m, before));
}

static void test_model_and_user(void **state)
{
    struct world *w = *state;
    fill(w);
    SEEN(w->m->cursor);
    SEEN(w->m->time);
    struct user *u = state_user(w->m, 1);
    SEEN(u->number);
    SEEN(u->id.b[0]);
    SEEN(u->id.b[15]);
    SEEN(u->cursor);
    SEEN(u->created_at);
    assert_text_seen(w, &u->username);
    assert_text_seen(w, &u->username_key);
    assert_text_seen(w, &u->email);
    assert_text_seen(w, &u->email_key);
    assert_text_seen(w, &u->password);
    SEEN(u->session_count);
    SEEN(u->active_groups);
    assert_int_equal(u->memberships.count, 2);
    assert_pointer_seen(w, &u->memberships.chunks[0][0], vec_at(&u->memberships, 1));
    SEEN(state_user(w->m, 4)->external->id[0]);
    SEEN(state_user(w->m, 4)->external->id_len);
    u = state_user(w->m, 6);
    SEEN(u->profile->tokens);
    assert_text_seen(w, &u->profile->display_name);
    assert_text_seen(w, &u->email);
    assert_text_seen(w, &u->password);
    u = state_user(w->m, 1);
    /* The last user, and the last membership, count too. */
    uint8_t before[MODEL_DIGEST_LEN];
    model_digest(w->m, before);
    w->m->users.count--;
    assert_false(digest_is(w->m, before));
    w->m->users.count++;
    u->memberships.count--;
    assert_false(digest_is(w->m, before));
    u->memberships.count++;
}

static void test_session(void **state)
{
    struct world *w = *state;
    fill(w);
    struct user *u = state_user(w->m, 1);
    struct session *s = u->sessions;
    SEEN(s->id.b[0]);
    SEEN(s->token.b[0]);
    SEEN(s->token.b[31]);
    SEEN(s->created_at);
    SEEN(s->build);
    SEEN(s->platform);
    assert_seen(w, &s->texts[0], "device_id");
    assert_seen(w, &s->texts[s->device_id_len], "model");
    assert_seen(w, &s->texts[s->device_id_len + s->model_len], "name");
    /* The same characters, parted in another place. */
    uint8_t before[MODEL_DIGEST_LEN];
    model_digest(w->m, before);
    s->device_id_len--;
    s->model_len++;
    assert_false(digest_is(w->m, before));
    s->model_len--;
    s->name_len++;
    assert_false(digest_is(w->m, before));
    s->name_len--;
    s->device_id_len++;
    assert_true(digest_is(w->m, before));
    /* Their order. */
    struct session *second = s->next;
    assert_null(second->next);
    u->sessions = second;
    second->next = s;
    s->next = NULL;
    assert_false(digest_is(w->m, before));
    u->sessions = s;
    s->next = second;
    second->next = NULL;
    assert_true(digest_is(w->m, before));
}

static void test_group(void **state)
{
    struct world *w = *state;
    fill(w);
    struct group *g = state_group(w->m, 1);
    SEEN(g->number);
    SEEN(g->id.b[0]);
    SEEN(g->cursor);
    SEEN(g->last_cursor);
    assert_text_seen(w, &g->name);
    SEEN(g->founder_count);
    assert_pointer_seen(w, &g->owner, state_user(w->m, 2));
    assert_pointer_seen(w, &g->owner, NULL);
    assert_pointer_seen(w, &g->members.chunks[0][0], vec_at(&g->members, 1));
    assert_pointer_seen(w, &g->active.chunks[0][0], vec_at(&g->active, 1));
    assert_pointer_seen(w, &g->messages.chunks[0][0], vec_at(&g->messages, 1));
    assert_pointer_seen(w, &g->changes.chunks[0][0], vec_at(&g->changes, 1));

    /* The order in which the marks moved. */
    uint8_t before[MODEL_DIGEST_LEN];
    model_digest(w->m, before);
    struct list *first = g->by_mark.next;
    list_remove(first);
    list_append(&g->by_mark, first);
    assert_false(digest_is(w->m, before));
    list_remove(first->prev);
    assert_false(digest_is(w->m, before));
    list_append(&g->by_mark, &state_member(w->m, g, state_user(w->m, 1))->by_mark);
    assert_true(digest_is(w->m, before));
}

static void test_member(void **state)
{
    struct world *w = *state;
    fill(w);
    struct group *g = state_group(w->m, 1);
    struct member *mb = state_member(w->m, g, state_user(w->m, 3));
    assert_pointer_seen(w, &mb->user, state_user(w->m, 1));
    SEEN(mb->role);
    SEEN(mb->membership);
    SEEN(mb->last_own);
    SEEN(mb->delivered.seq);
    SEEN(mb->delivered.cursor);
    SEEN(mb->delivered.time);
    SEEN(mb->read.seq);
    SEEN(mb->read.cursor);
    SEEN(mb->read.time);
    SEEN(mb->span.from);
    SEEN(mb->span.to);
    assert_int_equal(mb->span_count, 2);
    SEEN(mb->earlier[0].from);
    SEEN(mb->earlier[0].to);
    mb->span_count = 1;
    SEEN(mb->span.from);
    mb->span_count = 2;
}

static void test_message_and_change(void **state)
{
    struct world *w = *state;
    fill(w);
    struct group *g = state_group(w->m, 1);
    struct message *msg = vec_at(&g->messages, 0);
    SEEN(msg->id.b[0]);
    assert_seen(w, (uint8_t *)msg + sizeof msg->id, "cursor");
    assert_seen(w, (uint8_t *)msg + sizeof msg->id + 6, "time_high");
    SEEN(msg->time_low);
    SEEN(msg->author);
    SEEN(msg->previous_own);
    assert_seen(w, &msg->texts[0], "client_id");
    assert_seen(w, &msg->texts[msg->client_id_len], "data");
    uint8_t before[MODEL_DIGEST_LEN];
    model_digest(w->m, before);
    msg->client_id_len--;
    msg->data_len++;
    assert_false(digest_is(w->m, before));
    msg->client_id_len++;
    msg->data_len--;

    struct change *ch = vec_at(&g->changes, 1);
    SEEN(ch->cursor);
    SEEN(ch->time);
    SEEN(ch->kind);
    assert_pointer_seen(w, &ch->user, state_user(w->m, 1));
    assert_pointer_seen(w, &ch->by, state_user(w->m, 2));
}

static void test_notices(void **state)
{
    struct world *w = *state;
    fill(w);
    struct group *g = state_group(w->m, 1);
    struct list *first = g->notices->grants.next;
    struct grant *gr = LIST_OWNER(first, struct grant, list);
    SEEN(gr->cursor);
    SEEN(gr->time);
    assert_pointer_seen(w, &gr->by, state_user(w->m, 3));
    assert_pointer_seen(w, &gr->member, vec_at(&g->members, 0));
    g = state_group(w->m, 4);
    SEEN(g->join);
    SEEN(g->history);
    SEEN(g->kind);
    SEEN(g->deleted);
    SEEN(g->notices->cursor);
    SEEN(g->notices->time);
    assert_pointer_seen(w, &g->notices->by, state_user(w->m, 1));
    assert_text_seen(w, &g->notices->first.name);
    SEEN(g->notices->first.join);
    SEEN(g->notices->first.history);
    struct change *ch = vec_at(&state_group(w->m, 3)->changes, 1);
    assert_int_equal(ch->kind, CHANGE_SUCCEEDED);
    SEEN(ch->owner);
}

static void test_kept(void **state)
{
    struct world *w = *state;
    fill(w);
    assert_int_equal(world_retention(w, 1, 2, 7), ERR_ok);
    struct group *g = state_group(w->m, 1);
    uint8_t digest[MODEL_DIGEST_LEN];
    SEEN(g->retention_days);
    /* With no message left to look at, one more that is gone is another digest. */
    assert_int_equal(world_expire(w, 1, g->messages.count), ERR_ok);
    model_digest(w->m, digest);
    g->expired++;
    assert_false(digest_is(w->m, digest));
    g->expired--;
    assert_true(digest_is(w->m, digest));
}

static void test_amendments(void **state)
{
    struct world *w = *state;
    fill(w);
    const struct group *g = state_group(w->m, 1);
    struct amendment *am = (void *)(uintptr_t)message_amendment(group_message(g, 3));
    SEEN(am->cursor);
    SEEN(am->time);
    SEEN(am->version);
    SEEN(am->reactions[0].cursor);
    SEEN(am->reactions[0].time);
    SEEN(am->reactions[0].user);
    SEEN(am->reactions[0].removed);
    SEEN(am->emojis[0].bytes[0]);
    am = (void *)(uintptr_t)message_amendment(group_message(g, 4));
    SEEN(am->by);
}

static void test_details(void **state)
{
    struct world *w = *state;
    fill(w);
    struct details *de = (void *)(uintptr_t)message_details(group_message(model_group(w->m, 1), 5));
    SEEN(de->reply_to);
    assert_pointer_seen(w, &de->mentions[0], model_user(w->m, 2));
    SEEN(de->mentions[2]); /* meta is behind the two */
}

static void test_hooks(void **state)
{
    struct world *w = *state;
    fill(w);
    assert_int_equal(w->m->hooks.count, 3);
    struct hook *hook = vec_at(&w->m->hooks, 1);
    SEEN(hook->id.b[0]);
    SEEN(hook->cursor);
    SEEN(hook->created_at);
    SEEN(hook->position);
    SEEN(hook->types[0]);
    SEEN(hook->types[1]);
    SEEN(hook->type_count);
    assert_text_seen(w, &hook->url);
    assert_text_seen(w, &hook->secret);
    hook = vec_at(&w->m->hooks, 2);
    SEEN(hook->old_until);
    assert_text_seen(w, &hook->old_secret);
    uint8_t before[MODEL_DIGEST_LEN];
    model_digest(w->m, before);
    w->m->hooks.count--;
    assert_false(digest_is(w->m, before));
    w->m->hooks.count++;
    assert_true(digest_is(w->m, before));
}

/* What belongs to a room above is no part of it. */
static void test_annotations_do_not_count(void **state)
{
    struct world *w = *state;
    uint8_t before[MODEL_DIGEST_LEN];
    fill(w);
    struct user *u = state_user(w->m, 1);
    struct member *mb = state_member(w->m, state_group(w->m, 1), u);
    uint64_t told = mb->told;
    model_digest(w->m, before);
    u->annotation = (struct annotation){w, {1, 2}};
    u->sessions->annotation = 3;
    mb->told = 12345;
    assert_true(digest_is(w->m, before));
    u->annotation = (struct annotation){NULL, {0, 0}};
    u->sessions->annotation = 0;
    mb->told = told;
}

/* Replays with one bit of one record flipped. */
static bool bit_counts(const struct world *w, uint32_t record, size_t bit, const uint8_t *digest)
{
    struct model *m = model_new();
    for (uint32_t i = 0; i < w->count; i++) {
        const struct world_record *r = &w->records[i];
        struct buf payload = {0};
        buf_add(&payload, w->payloads.p + r->at, r->len);
        if (i == record && bit / 8 < payload.len)
            payload.p[bit / 8] ^= (uint8_t)(1u << bit % 8);
        enum err err = model_commit(m, r->cursor, r->type, buf_bytes(&payload), NULL);
        if (i != record && record > i)
            assert_int_equal(err, r->err);
        buf_release(&payload);
    }
    model_verify(m);
    bool counts = !digest_is(m, digest);
    model_free(m);
    return counts;
}

/* A limit decides whether a record is taken and leaves no trace of its own. */
static bool is_limit(uint16_t type, size_t at)
{
    switch ((enum record_type)type) {
    case RECORD_session_create:
        return at >= 76 && at < 80;
    case RECORD_session_open:
        return at >= 80 && at < 84;
    case RECORD_group_create:
    case RECORD_group_make:
        return at >= 28 && at < 32;
    case RECORD_direct_open:
        return at >= 32 && at < 36;
    case RECORD_member_add:
        return at >= 20 && at < 28;
    case RECORD_message_react:
        return at >= 21 && at < 33;
    case RECORD_user_create:
    case RECORD_member_remove:
    case RECORD_message_post:
    case RECORD_message_send:
    case RECORD_message_update:
    case RECORD_message_delete:
    case RECORD_receipt_mark:
    case RECORD_session_end:
    case RECORD_sessions_end:
    case RECORD_member_role:
    case RECORD_group_update:
    case RECORD_group_delete:
    case RECORD_member_leave:
    case RECORD_messages_expire:
    case RECORD_group_retention:
    case RECORD_app_user_create:
    case RECORD_message_erase:
        break;
    case RECORD_app_user_rename: /* nothing keeps when it was */
    case RECORD_user_update:
    case RECORD_user_delete:
    case RECORD_user_erased:
        return at < 8;
    case RECORD_user_block:
        return at < 8 || at >= 21;
    case RECORD_hook_create:
        return at >= 24 && at < 36; /* and from where, of one that has gone on */
    case RECORD_hook_delete:
    case RECORD_hook_progress:
    case RECORD_hook_update:
    case RECORD_epoch_renew:
        return at < 8;
    }
    return false;
}

static void test_each_bit_of_each_record_counts(void **state)
{
    struct world *w = *state;
    uint8_t digest[MODEL_DIGEST_LEN];
    fill(w);
    model_digest(w->m, digest);
    for (uint32_t i = 0; i < w->count; i++) {
        for (size_t bit = 0; !ENDED(i) && bit < 8 * w->records[i].len; bit++) {
            if (is_limit(w->records[i].type, bit / 8))
                continue;
            if (!bit_counts(w, i, bit, digest))
                fail_msg("record %u (%s): bit %zu does not count", i,
                         record_name(w->records[i].type), bit);
        }
    }
    assert_false(bit_counts(w, UINT32_MAX, 0, digest));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        WORLD_TEST(test_model_and_user),
        WORLD_TEST(test_session),
        WORLD_TEST(test_group),
        WORLD_TEST(test_member),
        WORLD_TEST(test_message_and_change),
        WORLD_TEST(test_notices),
        WORLD_TEST(test_kept),
        WORLD_TEST(test_amendments),
        WORLD_TEST(test_details),
        WORLD_TEST(test_hooks),
        WORLD_TEST(test_annotations_do_not_count),
        WORLD_TEST(test_each_bit_of_each_record_counts),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
