#include "world.h"

#include <stdio.h>

#include "model/timeline.h"
#include "model/view.h"

static const struct message *message_at(const struct world *w, uint32_t group, uint32_t seq)
{
    return group_message(model_group(w->m, group), seq);
}

static void assert_data(const struct world *w, uint32_t seq, const char *data)
{
    struct bytes have = message_data(message_at(w, 1, seq));
    assert_int_equal(have.len, strlen(data));
    if (have.len > 0)
        assert_memory_equal(have.p, data, have.len);
}

/* Users 1 to 4; group 1 is 1's, with 2 and 3. */
static void make_group(struct world *w)
{
    world_users(w, 4);
    world_group(w, 1, WORLD_U32S(1, 2, 3));
}

static void test_an_edit(void **state)
{
    struct world *w = *state;
    make_group(w);
    struct record r = world_post_record(w, 1, 2, "key", "one");
    assert_int_equal(world_commit(w, &r), ERR_ok);
    world_post(w, 1, 2, "two");
    world_hush(w);
    assert_int_equal(world_edit(w, 1, 1, 2, "a longer text than before"), ERR_ok);
    assert_int_equal(w->told_count, 1);
    assert_int_equal(w->told[0].event.type, EVENT_message_updated);
    assert_int_equal(w->told[0].seen, 1 << 1 | 1 << 2 | 1 << 3);
    assert_data(w, 1, "a longer text than before");
    assert_data(w, 2, "two");
    const struct message *msg = message_at(w, 1, 1);
    assert_ptr_equal(model_message_by_id(w->m, &r.message_post.id), msg);
    assert_int_equal(message_amendment(msg)->version, 1);
    assert_null(message_amendment(message_at(w, 1, 2)));
    assert_int_equal(world_edit(w, 1, 1, 2, ""), ERR_ok);
    assert_data(w, 1, "");
    assert_int_equal(message_amendment(message_at(w, 1, 1))->version, 2);
    assert_false(message_at(w, 1, 1)->deleted);
    /* A repeat of the first send is one, whatever the text is by now. */
    r.message_post.id = world_uuid(99);
    assert_int_equal(world_commit(w, &r), ERR_duplicate);
}

static void test_who_may_edit(void **state)
{
    struct world *w = *state;
    make_group(w);
    world_post(w, 1, 2, "one");
    assert_int_equal(world_edit(w, 1, 1, 1, "x"), ERR_forbidden);
    assert_int_equal(world_edit(w, 1, 1, 4, "x"), ERR_message_not_found);
    assert_int_equal(world_edit(w, 1, 2, 2, "x"), ERR_message_not_found);
    assert_int_equal(world_edit(w, 1, 0, 2, "x"), ERR_message_not_found);
    assert_int_equal(world_edit(w, 2, 1, 2, "x"), ERR_refused);
    assert_int_equal(world_edit(w, 1, 1, 9, "x"), ERR_refused);
    assert_int_equal(world_edit(w, 1, 1, 2, "one"), ERR_duplicate);
    assert_int_equal(world_add(w, 1, 4, 1), ERR_ok);
    assert_int_equal(world_edit(w, 1, 1, 4, "x"), ERR_message_not_found);
    assert_int_equal(world_leave(w, 1, 2, 2), ERR_ok);
    assert_int_equal(world_edit(w, 1, 1, 2, "x"), ERR_not_a_member);
    assert_data(w, 1, "one");
}

static void test_a_deletion(void **state)
{
    struct world *w = *state;
    make_group(w);
    for (int i = 0; i < 4; i++)
        world_post(w, 1, 2, "text");
    assert_int_equal(world_react(w, 1, 2, 3, "+", false), ERR_ok);
    assert_int_equal(world_edit(w, 1, 2, 2, "other"), ERR_ok);
    assert_int_equal(view_unread(world_member(w, 1, 1)), 4);
    assert_int_equal(world_erase(w, 1, 2, 3), ERR_forbidden);
    world_hush(w);
    assert_int_equal(world_erase(w, 1, 2, 2), ERR_ok);
    assert_int_equal(w->told[0].event.type, EVENT_message_deleted);
    assert_data(w, 2, "");
    assert_true(message_at(w, 1, 2)->deleted);
    assert_int_equal(message_amendment(message_at(w, 1, 2))->reaction_count, 0);
    assert_int_equal(view_unread(world_member(w, 1, 1)), 3);
    assert_int_equal(view_unread(world_member(w, 1, 2)), 0);
    assert_int_equal(world_erase(w, 1, 2, 2), ERR_duplicate);
    assert_int_equal(world_edit(w, 1, 2, 2, "x"), ERR_message_deleted);
    assert_int_equal(world_react(w, 1, 2, 3, "+", false), ERR_message_deleted);
    /* The owner may take away what others wrote, and so may an admin. */
    assert_int_equal(world_erase(w, 1, 3, 1), ERR_ok);
    assert_int_equal(world_role(w, 1, 3, 1, ROLE_ADMIN), ERR_ok);
    assert_int_equal(world_erase(w, 1, 1, 3), ERR_ok);
    assert_int_equal(view_unread(world_member(w, 1, 1)), 1);
    assert_int_equal(world_mark(w, 1, 1, 2, WORLD_READ), ERR_ok);
    assert_int_equal(view_unread(world_member(w, 1, 1)), 1);
    assert_int_equal(world_erase(w, 1, 4, 1), ERR_ok);
    assert_int_equal(view_unread(world_member(w, 1, 1)), 0);
}

static void test_reactions(void **state)
{
    struct world *w = *state;
    make_group(w);
    world_post(w, 1, 2, "text");
    world_hush(w);
    assert_int_equal(world_react(w, 1, 1, 1, "+", false), ERR_ok);
    assert_int_equal(w->told[0].event.type, EVENT_message_reacted);
    assert_int_equal(world_react(w, 1, 1, 1, "+", false), ERR_duplicate);
    assert_int_equal(world_react(w, 1, 1, 1, "-", true), ERR_duplicate);
    assert_int_equal(world_react(w, 1, 1, 3, "+", false), ERR_ok);
    const struct amendment *am = message_amendment(message_at(w, 1, 1));
    assert_int_equal(am->emojis[0].count, 2);
    assert_int_equal(world_react(w, 1, 1, 1, "+", true), ERR_ok);
    assert_int_equal(am->emojis[0].count, 1);
    assert_int_equal(world_react(w, 1, 1, 1, "", false), ERR_refused);
    assert_int_equal(world_react(w, 1, 1, 1, "123456789012345678901234567890123", false),
                     ERR_refused);
    assert_int_equal(world_react(w, 1, 1, 4, "+", false), ERR_message_not_found);
    /* Two of one user, three emojis, five in all. */
    assert_int_equal(world_react(w, 1, 1, 2, "a", false), ERR_ok);
    assert_int_equal(world_react(w, 1, 1, 2, "b", false), ERR_ok);
    assert_int_equal(world_react(w, 1, 1, 2, "+", false), ERR_too_many_reactions);
    assert_int_equal(world_react(w, 1, 1, 3, "c", false), ERR_too_many_reactions);
    assert_int_equal(world_react(w, 1, 1, 3, "a", false), ERR_ok);
    assert_int_equal(world_react(w, 1, 1, 1, "a", false), ERR_too_many_reactions);
    assert_int_equal(world_react(w, 1, 1, 1, "+", false), ERR_ok); /* it was there before */
}

/* ---- what a client holds --------------------------------------------------------------------- */

enum { USERS = 5, SEQS = 64, EMOJIS = 3, TEXT = 8 };
static const char *const emojis[EMOJIS] = {"+", "-", "\xf0\x9f\x91\x8d"};

/* A message as a client knows it. */
struct known {
    bool there, deleted;
    uint32_t version;
    char text[TEXT];
    uint32_t counts[EMOJIS];
};

struct client {
    uint64_t cursor;
    struct known known[SEQS];
};

static void know_text(struct known *k, const struct message *msg)
{
    const struct amendment *am = message_amendment(msg);
    struct bytes data = message_data(msg);
    k->there = true;
    k->deleted = msg->deleted;
    k->version = am != NULL ? am->version : 0;
    memset(k->text, 0, sizeof k->text);
    assert_true(data.len < TEXT);
    memcpy(k->text, data.p, data.len);
    if (msg->deleted)
        memset(k->counts, 0, sizeof k->counts);
}

static void know_count(struct known *k, const struct emoji *em)
{
    for (int i = 0; i < EMOJIS; i++) {
        if (bytes_equal(bytes_of(em->bytes, em->len), bytes_cstr(emojis[i])))
            k->counts[i] = em->count;
    }
}

/* As history shows it. */
static struct known look(const struct message *msg)
{
    const struct amendment *am = message_amendment(msg);
    struct known k = {0};
    know_text(&k, msg);
    for (uint32_t i = 0; am != NULL && i < am->emoji_count; i++)
        know_count(&k, &am->emojis[i]);
    return k;
}

static void fold(struct client *c, const struct world *w, uint32_t user, const struct event *e)
{
    const struct message *msg = e->message;
    struct known *k = msg != NULL ? &c->known[msg->seq] : NULL;

    if (msg != NULL && (e->type == EVENT_message_posted || e->type == EVENT_message_updated ||
                        e->type == EVENT_message_deleted))
        know_text(k, msg);
    if (msg != NULL && e->type == EVENT_message_reacted)
        know_count(k, &message_amendment(msg)->emojis[e->reaction->emoji]);
    if (e->type != EVENT_member_added || e->user->number != user)
        return;
    /* Who comes back looks again: what was done while they were away is not told. */
    for (uint32_t seq = 1; seq <= e->group->messages.count; seq++) {
        if (view_sees(world_member(w, 1, user), group_message(e->group, seq)))
            c->known[seq] = look(group_message(e->group, seq));
    }
}

static void some_deed(struct world *w, uint64_t *seed)
{
    uint32_t by = 1 + (uint32_t)(world_random(seed) % USERS);
    uint32_t count = model_group(w->m, 1)->messages.count;
    uint32_t seq = count > 0 ? 1 + (uint32_t)(world_random(seed) % count) : 1;
    const char *emoji = emojis[world_random(seed) % EMOJIS];
    char text[TEXT];

    snprintf(text, sizeof text, "%u", (unsigned)(world_random(seed) % 1000));
    if (count > 0 && world_random(seed) % 2) /* their own, mostly */
        by = message_at(w, 1, seq)->author;
    switch (world_random(seed) % 12) {
    case 0:
    case 1:
        if (count < SEQS - 1) {
            struct record r = world_post_record(w, 1, by, "", text);
            world_commit(w, &r);
        }
        break;
    case 2:
    case 3:
    case 4:
        world_edit(w, 1, seq, by, text);
        break;
    case 5:
        world_erase(w, 1, seq, by);
        break;
    case 6:
        world_leave(w, 1, by, by);
        break;
    case 7:
        world_add(w, 1, by, by);
        break;
    case 8:
        world_mark(w, 1, by, seq, WORLD_READ);
        break;
    default:
        world_react(w, 1, seq, by, emoji, world_random(seed) % 3 == 0);
        break;
    }
}

/* Resumes where the client was, while others go on. */
static void resume(struct client *c, struct world *w, uint32_t user, uint64_t *seed)
{
    struct timeline *t = timeline_new(w->m, model_user(w->m, user), c->cursor, false);
    struct event e;
    uint64_t before = c->cursor;
    int deeds = 0;

    while (timeline_next(t, &e)) {
        assert_true(e.cursor >= before);
        before = e.cursor;
        fold(c, w, user, &e);
        if (world_random(seed) % 8 == 0 && deeds++ < 5)
            some_deed(w, seed);
    }
    c->cursor = timeline_position(t);
    assert_int_equal(c->cursor, model_cursor(w->m));
    timeline_free(t);
}

static uint32_t count_unread(const struct world *w, const struct member *mb)
{
    uint32_t unread = 0;
    for (uint32_t seq = mb->read.seq + 1; seq <= mb->group->messages.count; seq++) {
        const struct message *msg = message_at(w, 1, seq);
        unread += !msg->deleted && msg->author != mb->user->number && view_sees(mb, msg);
    }
    return unread;
}

static void check_client(const struct client *c, const struct world *w, uint32_t user)
{
    const struct member *mb = world_member(w, 1, user);

    if (mb != NULL)
        assert_int_equal(view_unread(mb), count_unread(w, mb));
    if (!member_is_active(mb))
        return;
    for (uint32_t seq = 1; seq <= mb->group->messages.count; seq++) {
        const struct message *msg = message_at(w, 1, seq);
        if (!view_sees(mb, msg))
            continue;
        struct known k = look(msg);
        assert_memory_equal(&c->known[seq], &k, sizeof k);
    }
}

/* Whoever was away, and however often: after resuming they know what history shows. */
static void test_a_client_that_resumes_knows_what_history_shows(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 60; seed++) {
        struct client clients[USERS + 1] = {0};
        uint64_t random = seed;
        struct world w;
        world_init(&w);
        world_users(&w, USERS);
        world_group(&w, 1, WORLD_U32S(1, 2, 3));
        for (int i = 0; i < 400; i++) {
            some_deed(&w, &random);
            if (world_random(&random) % 4 > 0)
                continue;
            uint32_t user = 1 + (uint32_t)(world_random(&random) % USERS);
            resume(&clients[user], &w, user, &random);
            check_client(&clients[user], &w, user);
        }
        world_prove(&w);
        world_release(&w);
    }
}

/* The stream is as long as there are things, however often they changed. */
static void test_steps_are_cleared_away(void **state)
{
    struct world *w = *state;
    char text[TEXT];
    make_group(w);
    world_post(w, 1, 1, "x");
    world_post(w, 1, 1, "y");
    assert_int_equal(world_react(w, 1, 2, 1, "+", false), ERR_ok);
    for (int i = 0; i < 1000; i++) {
        snprintf(text, sizeof text, "%d", i);
        assert_int_equal(world_edit(w, 1, 1, 1, text), ERR_ok);
    }
    assert_in_range(model_group(w->m, 1)->notices->amends.count, 2, 130);
    assert_int_equal(message_amendment(message_at(w, 1, 1))->version, 1000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_an_edit, world_begin, world_end),
        cmocka_unit_test_setup_teardown(test_who_may_edit, world_begin, world_end),
        cmocka_unit_test_setup_teardown(test_a_deletion, world_begin, world_end),
        cmocka_unit_test_setup_teardown(test_reactions, world_begin, world_end),
        cmocka_unit_test_setup_teardown(test_steps_are_cleared_away, world_begin, world_end),
        cmocka_unit_test(test_a_client_that_resumes_knows_what_history_shows),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
