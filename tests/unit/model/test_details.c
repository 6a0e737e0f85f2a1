#include "world.h"

#include "model/view.h"

enum { USERS = 4 };

/* Users 1 to 4; group 1 is 1's, with 2 and 3, and has two messages of 1's. */
static void make_group(struct world *w)
{
    world_users(w, USERS);
    world_group(w, 1, WORLD_U32S(1, 2, 3));
    world_post(w, 1, 1, "one");
    world_post(w, 1, 1, "two");
}

static const struct message *message_at(const struct world *w, uint32_t seq)
{
    return group_message(model_group(w->m, 1), seq);
}

static uint32_t mentions_of(const struct world *w, uint32_t user)
{
    const struct member *mb = world_member(w, 1, user);
    return mentions_above(mb->group, mb->user, mb->read.seq);
}

static enum err send(struct world *w, uint32_t author, uint32_t reply_to, struct record_u32s users,
                     const char *meta)
{
    struct record r = world_send_record(w, 1, author, reply_to, users, meta);
    return world_commit(w, &r);
}

static void test_what_a_message_says(void **state)
{
    struct world *w = *state;
    make_group(w);
    world_hush(w);
    assert_int_equal(send(w, 2, 1, WORLD_U32S(3, 1, 2), "{\"a\": 1}"), ERR_ok);
    assert_int_equal(w->told_count, 1);
    assert_int_equal(w->told[0].event.type, EVENT_message_posted);
    const struct details *de = message_details(message_at(w, 3));
    assert_int_equal(de->reply_to, 1);
    assert_int_equal(de->mention_count, 3);
    assert_int_equal(de->mentions[0]->number, 3);
    assert_int_equal(de->mentions[2]->number, 2);
    assert_true(bytes_equal(details_meta(de), BYTES("{\"a\": 1}")));
    assert_true(bytes_equal(message_data(message_at(w, 3)), BYTES("text")));
    assert_null(message_details(message_at(w, 2)));
    /* Each alone. */
    assert_int_equal(send(w, 2, 3, (struct record_u32s){0}, ""), ERR_ok);
    assert_int_equal(send(w, 2, 0, WORLD_U32S(1), ""), ERR_ok);
    assert_int_equal(send(w, 2, 0, (struct record_u32s){0}, "{}"), ERR_ok);
    assert_int_equal(message_details(message_at(w, 6))->reply_to, 0);
}

static void test_what_is_refused(void **state)
{
    struct world *w = *state;
    make_group(w);
    uint8_t many[4 * (MENTIONS_MAX + 1)] = {0};
    struct record_u32s nobody = {0};
    assert_int_equal(send(w, 1, 0, nobody, ""), ERR_refused);
    assert_int_equal(send(w, 1, 0, WORLD_U32S(2, 2), ""), ERR_refused);
    assert_int_equal(send(w, 1, 0, WORLD_U32S(9), ""), ERR_refused);
    assert_int_equal(send(w, 1, 0, WORLD_U32S(2, 4), ""), ERR_invalid_field);
    assert_int_equal(send(w, 1, 0, (struct record_u32s){many, MENTIONS_MAX + 1}, ""), ERR_refused);
    assert_int_equal(send(w, 1, 3, nobody, ""), ERR_invalid_field);
    assert_int_equal(send(w, 4, 1, nobody, ""), ERR_group_not_found);
    /* What one may not see is not there, and who has gone is no member. */
    assert_int_equal(world_add(w, 1, 4, 1), ERR_ok);
    assert_int_equal(world_leave(w, 1, 3, 3), ERR_ok);
    assert_int_equal(send(w, 4, 1, nobody, ""), ERR_invalid_field);
    assert_int_equal(send(w, 1, 0, WORLD_U32S(3), ""), ERR_invalid_field);
    assert_int_equal(send(w, 3, 1, nobody, ""), ERR_not_a_member);
    assert_int_equal(world_expire(w, 1, 1), ERR_ok);
    assert_int_equal(send(w, 1, 1, nobody, ""), ERR_invalid_field);
    assert_int_equal(send(w, 1, 2, WORLD_U32S(4), ""), ERR_ok);
}

static void test_a_repeat_says_the_same(void **state)
{
    struct world *w = *state;
    make_group(w);
    struct record first = world_send_record(w, 1, 2, 1, WORLD_U32S(1, 3), "{}");
    first.message_send.client_id = BYTES("c");
    assert_int_equal(world_commit(w, &first), ERR_ok);
    struct record r = first;
    r.message_send.id = world_uuid(99);
    assert_int_equal(world_commit(w, &r), ERR_duplicate);
    r.message_send.reply_to = 2;
    assert_int_equal(world_commit(w, &r), ERR_client_id_reused);
    r.message_send = first.message_send;
    r.message_send.mentions = WORLD_U32S(3, 1);
    assert_int_equal(world_commit(w, &r), ERR_client_id_reused);
    r.message_send.mentions = WORLD_U32S(1);
    assert_int_equal(world_commit(w, &r), ERR_client_id_reused);
    r.message_send = first.message_send;
    r.message_send.meta = BYTES("{ }");
    assert_int_equal(world_commit(w, &r), ERR_client_id_reused);
    r = world_post_record(w, 1, 2, "c", "text");
    assert_int_equal(world_commit(w, &r), ERR_client_id_reused);
    /* And the other way round. */
    r = world_post_record(w, 1, 2, "d", "text");
    assert_int_equal(world_commit(w, &r), ERR_ok);
    r = first;
    r.message_send.client_id = BYTES("d");
    assert_int_equal(world_commit(w, &r), ERR_client_id_reused);
    /* Of what has changed since, nothing is compared. */
    assert_int_equal(world_erase(w, 1, 3, 2), ERR_ok);
    r = first;
    r.message_send.meta = BYTES("other");
    assert_int_equal(world_commit(w, &r), ERR_duplicate);
}

static void test_the_id_of_another(void **state)
{
    struct world *w = *state;
    make_group(w);
    struct record r = world_send_record(w, 1, 2, 1, WORLD_U32S(1), "{}");
    r.message_send.id = message_at(w, 1)->id;
    struct buf payload = {0};
    record_encode(&r, &payload);
    assert_int_equal(world_commit_raw(w, RECORD_message_send, buf_bytes(&payload)), ERR_refused);
    buf_release(&payload);
}

static void test_edits_keep_it_and_a_deletion_does_not(void **state)
{
    struct world *w = *state;
    make_group(w);
    assert_int_equal(send(w, 2, 1, WORLD_U32S(1, 3), "{}"), ERR_ok);
    assert_int_equal(world_edit(w, 1, 3, 2, "a much longer text than that of before"), ERR_ok);
    assert_int_equal(world_react(w, 1, 3, 1, "+", false), ERR_ok);
    const struct message *msg = message_at(w, 3);
    assert_int_equal(message_details(msg)->reply_to, 1);
    assert_true(bytes_equal(details_meta(message_details(msg)), BYTES("{}")));
    assert_int_equal(message_amendment(msg)->version, 1);
    assert_int_equal(mentions_of(w, 1), 1);
    assert_int_equal(world_erase(w, 1, 3, 2), ERR_ok);
    msg = message_at(w, 3);
    assert_true(msg->deleted);
    assert_null(message_details(msg));
    assert_int_equal(message_amendment(msg)->by, 2);
    assert_int_equal(mentions_of(w, 1), 0);
    assert_int_equal(mentions_of(w, 3), 0);
}

static void test_mentions_count_until_they_are_read(void **state)
{
    struct world *w = *state;
    make_group(w);
    for (int i = 0; i < 3; i++) {
        assert_int_equal(send(w, 1, 0, WORLD_U32S(1, 2), ""), ERR_ok);
        world_post(w, 1, 1, "another");
    }
    assert_int_equal(mentions_of(w, 1), 0);
    assert_int_equal(mentions_of(w, 2), 3);
    assert_int_equal(mentions_of(w, 3), 0);
    assert_true(mentions_has(model_group(w->m, 1), model_user(w->m, 2), 5));
    assert_false(mentions_has(model_group(w->m, 1), model_user(w->m, 2), 4));
    assert_int_equal(world_mark(w, 1, 2, 4, WORLD_READ), ERR_ok);
    assert_int_equal(mentions_of(w, 2), 2);
    assert_int_equal(world_expire(w, 1, 5), ERR_ok);
    assert_int_equal(mentions_of(w, 2), 1);
    assert_int_equal(world_mark(w, 1, 2, 8, WORLD_READ), ERR_ok);
    assert_int_equal(mentions_of(w, 2), 0);
    assert_int_equal(world_delete(w, 1, 1), ERR_ok);
}

/* ---- any history ------------------------------------------------------------------------------
 */

static void some_send(struct world *w, uint64_t *seed, uint32_t by, uint32_t seq)
{
    uint8_t numbers[4 * USERS] = {0};
    uint32_t count = 0;

    for (uint32_t user = 1; user <= USERS; user++) {
        if (world_random(seed) % 4 == 0)
            numbers[4 * count++] = (uint8_t)user;
    }
    send(w, by, world_random(seed) % 2 ? seq : 0, (struct record_u32s){numbers, count},
         world_random(seed) % 2 ? "{\"x\":[]}" : "");
}

static void some_deed(struct world *w, uint64_t *seed)
{
    uint32_t by = 1 + (uint32_t)(world_random(seed) % USERS);
    uint32_t count = model_group(w->m, 1)->messages.count;
    uint32_t seq = 1 + (uint32_t)(world_random(seed) % count);

    switch (world_random(seed) % 10) {
    case 0:
        world_erase(w, 1, seq, message_at(w, seq) != NULL ? message_at(w, seq)->author : by);
        break;
    case 1:
        world_edit(w, 1, seq, message_at(w, seq) != NULL ? message_at(w, seq)->author : by, "new");
        break;
    case 2:
        world_leave(w, 1, by, by);
        break;
    case 3:
        world_add(w, 1, by, by);
        break;
    case 4:
        world_mark(w, 1, by, seq, WORLD_READ);
        break;
    case 5:
        if (world_random(seed) % 8 == 0)
            world_expire(w, 1, seq);
        break;
    default:
        some_send(w, seed, by, seq);
        break;
    }
}

static uint32_t count_mentions(const struct world *w, const struct member *mb)
{
    uint32_t found = 0;

    for (uint32_t seq = mb->read.seq + 1; seq <= mb->group->messages.count; seq++) {
        const struct message *msg = message_at(w, seq);
        const struct details *de = msg != NULL ? message_details(msg) : NULL;
        for (uint32_t i = 0; de != NULL && i < de->mention_count; i++)
            found += de->mentions[i] == mb->user && msg->author != mb->user->number;
    }
    return found;
}

/* world_prove also replays it, and copies it by way of a snapshot. */
static void test_any_history(void **state)
{
    uint32_t most = 0;

    (void)state;
    for (uint64_t seed = 1; seed <= 40; seed++) {
        uint64_t random = seed;
        struct world w;
        world_init(&w);
        make_group(&w);
        for (int i = 0; i < 200; i++) {
            some_deed(&w, &random);
            for (uint32_t user = 1; user <= 3; user++) {
                const struct member *mb = world_member(&w, 1, user);
                uint32_t count = count_mentions(&w, mb);
                assert_int_equal(mentions_of(&w, user), count);
                assert_true(count <= view_unread(mb));
                most = count > most ? count : most;
            }
        }
        model_verify(w.m);
        world_prove(&w);
        world_release(&w);
    }
    assert_in_range(most, 3, 100);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        WORLD_TEST(test_what_a_message_says),
        WORLD_TEST(test_what_is_refused),
        WORLD_TEST(test_a_repeat_says_the_same),
        WORLD_TEST(test_the_id_of_another),
        WORLD_TEST(test_edits_keep_it_and_a_deletion_does_not),
        WORLD_TEST(test_mentions_count_until_they_are_read),
        cmocka_unit_test(test_any_history),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
