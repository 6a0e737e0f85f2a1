#include "world.h"

/* ---- message_post ---------------------------------------------------------------------------- */

static void test_fields_are_kept(void **state)
{
    struct world *w = *state;
    world_users(w, 3);
    world_group(w, 1, WORLD_U32S(1, 2));
    struct record r = world_post_record(w, 1, 2, "c-1", "");
    r.message_post.data = BYTES("a\0b");
    assert_int_equal(world_commit(w, &r), ERR_ok);

    const struct message *msg = group_message(model_group(w->m, 1), 1);
    ENSURE(msg != NULL);
    assert_ptr_equal(model_message_by_id(w->m, &r.message_post.id), msg);
    assert_ptr_equal(model_message_by_client_id(w->m, model_user(w->m, 2), BYTES("c-1")), msg);
    assert_null(model_message_by_client_id(w->m, model_user(w->m, 1), BYTES("c-1")));
    assert_null(model_message_by_client_id(w->m, model_user(w->m, 2), BYTES("")));
    assert_true(uuid_equal(&msg->id, &r.message_post.id));
    assert_int_equal(msg->cursor, 5);
    assert_int_equal(message_time(msg), 1040);
    assert_int_equal(msg->group, 1);
    assert_int_equal(msg->author, 2);
    assert_int_equal(msg->seq, 1);
    assert_true(bytes_equal(message_client_id(msg), BYTES("c-1")));
    assert_true(bytes_equal(message_data(msg), BYTES("a\0b")));
    assert_int_equal(model_message_count(w->m), 1);
    assert_int_equal(model_group(w->m, 1)->last_cursor, 5);

    const struct world_told *t = &w->told[w->told_count - 1];
    assert_int_equal(t->event.type, EVENT_message_posted);
    assert_ptr_equal(t->event.message, msg);
    assert_int_equal(t->event.user->number, 2);
    assert_int_equal(t->seen, 1 << 1 | 1 << 2);
}

static void test_numbers_are_dense_in_a_group(void **state)
{
    struct world *w = *state;
    world_users(w, 2);
    world_group(w, 1, WORLD_U32S(1, 2));
    world_group(w, 1, WORLD_U32S(1, 2));
    for (uint32_t i = 1; i <= 20; i++) {
        assert_int_equal(world_post(w, 1, 1 + i % 2, "x")->seq, i);
        if (i % 3 == 0)
            assert_int_equal(world_post(w, 2, 1, "")->seq, i / 3);
    }
    assert_null(group_message(model_group(w->m, 1), 0));
    assert_null(group_message(model_group(w->m, 1), 21));
    assert_int_equal(model_message_count(w->m), 26);
}

static void test_who_may_post(void **state)
{
    struct world *w = *state;
    world_users(w, 3);
    world_group(w, 1, WORLD_U32S(1, 2));
    assert_int_equal(world_remove(w, 1, 2, 2), ERR_ok);

    struct record r = world_post_record(w, 1, 1, "", "x");
    r.message_post.author = 2;
    assert_int_equal(world_commit(w, &r), ERR_not_a_member);
    r.message_post.author = 3;
    assert_int_equal(world_commit(w, &r), ERR_group_not_found);
    r.message_post.author = 4;
    assert_int_equal(world_commit(w, &r), ERR_refused);
    r.message_post.author = 1;
    r.message_post.group = 2;
    assert_int_equal(world_commit(w, &r), ERR_refused);
    r.message_post.group = 1;
    assert_int_equal(world_commit(w, &r), ERR_ok);
    /* The same id again: the commit sees it, the look before does not. */
    struct buf payload = {0};
    record_encode(&r, &payload);
    assert_int_equal(model_check(w->m, &r), ERR_ok);
    assert_int_equal(world_commit_raw(w, RECORD_message_post, buf_bytes(&payload)), ERR_refused);
    buf_release(&payload);
    assert_int_equal(model_message_count(w->m), 1);
}

static enum err post_named(struct world *w, uint32_t group, uint32_t author, const char *client_id,
                           const char *data)
{
    struct record r = world_post_record(w, group, author, client_id, data);
    return world_commit(w, &r);
}

static void test_client_id(void **state)
{
    struct world *w = *state;
    world_users(w, 2);
    world_group(w, 1, WORLD_U32S(1, 2));
    world_group(w, 1, WORLD_U32S(1, 2));
    assert_int_equal(post_named(w, 1, 1, "a", "text"), ERR_ok);
    assert_int_equal(post_named(w, 1, 1, "a", "text"), ERR_duplicate);
    assert_int_equal(post_named(w, 1, 1, "a", "text2"), ERR_client_id_reused);
    assert_int_equal(post_named(w, 1, 1, "a", ""), ERR_client_id_reused);
    assert_int_equal(post_named(w, 2, 1, "a", "text"), ERR_client_id_reused);
    assert_int_equal(post_named(w, 1, 2, "a", "other"), ERR_ok); /* each author has their own */
    assert_int_equal(post_named(w, 1, 1, "", "text"), ERR_ok);
    assert_int_equal(post_named(w, 1, 1, "", "text"), ERR_ok);
    assert_int_equal(model_message_count(w->m), 4);

    /* A repeat is answered as the first was, also after leaving; a new one is not. */
    assert_int_equal(world_remove(w, 1, 1, 1), ERR_ok);
    assert_int_equal(post_named(w, 1, 1, "a", "text"), ERR_duplicate);
    assert_int_equal(post_named(w, 1, 1, "b", "text"), ERR_not_a_member);
}

/* The same names, each author's own. */
static void test_client_id_of_many_authors(void **state)
{
    struct world *w = *state;
    w->unproven = true;
    world_users(w, 40);
    world_group(w, 1, WORLD_U32S(1));
    for (uint32_t i = 2; i <= 40; i++)
        assert_int_equal(world_add(w, 1, i, 1), ERR_ok);
    char id[] = "00";
    for (uint32_t author = 1; author <= 40; author++) {
        for (int i = 0; i < 20; i++) {
            id[0] = (char)('0' + i / 10);
            id[1] = (char)('0' + i % 10);
            assert_int_equal(post_named(w, 1, author, id, "x"), ERR_ok);
            assert_int_equal(post_named(w, 1, author, id, "x"), ERR_duplicate);
        }
    }
    assert_int_equal(model_message_count(w->m), 800);
}

/* ---- one's own messages ---------------------------------------------------------------------- */

static void test_own_message(void **state)
{
    struct world *w = *state;
    uint64_t random = 5;
    uint32_t authors[200];

    w->unproven = true;
    world_users(w, 4);
    world_group(w, 1, WORLD_U32S(1, 2, 3, 4));
    for (uint32_t i = 0; i < COUNT_OF(authors); i++) {
        /* User 1 writes in two bursts, 2 often, 3 once, 4 never. */
        authors[i] = i / 40 % 3 == 1 ? 1 : i == 60 ? 3 : world_random(&random) % 2 ? 2 : 1;
        if (i == 100)
            authors[i] = 3;
        world_post(w, 1, authors[i], "x");
    }
    for (uint32_t user = 1; user <= 4; user++) {
        const struct message *naive = NULL;
        const struct member *mb = world_member(w, 1, user);
        assert_null(member_own_message(mb, 0));
        for (uint32_t seq = 1; seq <= COUNT_OF(authors); seq++) {
            const struct message *msg = group_message(mb->group, seq);
            if (msg->author == user) {
                assert_int_equal(msg->previous_own, naive != NULL ? naive->seq : 0);
                naive = msg;
            }
            assert_ptr_equal(member_own_message(mb, seq), naive);
        }
        assert_ptr_equal(member_own_message(mb, UINT32_MAX), naive);
        assert_int_equal(mb->last_own, naive != NULL ? naive->seq : 0);
    }
}

/* ---- receipt_mark ---------------------------------------------------------------------------- */

static void test_mark_refused(void **state)
{
    struct world *w = *state;
    world_users(w, 4);
    world_group(w, 1, WORLD_U32S(1, 2, 3));
    assert_int_equal(world_mark(w, 1, 2, 1, WORLD_READ), ERR_message_not_found);
    world_post(w, 1, 1, "x");
    assert_int_equal(world_remove(w, 1, 3, 1), ERR_ok);
    world_hush(w);

    assert_int_equal(world_mark(w, 1, 2, 0, WORLD_READ), ERR_message_not_found);
    assert_int_equal(world_mark(w, 1, 2, 2, WORLD_READ), ERR_message_not_found);
    assert_int_equal(world_mark(w, 1, 2, UINT32_MAX, WORLD_READ), ERR_message_not_found);
    assert_int_equal(world_mark(w, 1, 3, 1, WORLD_READ), ERR_not_a_member);
    assert_int_equal(world_mark(w, 1, 4, 1, WORLD_READ), ERR_message_not_found);
    assert_int_equal(world_mark(w, 1, 5, 1, WORLD_READ), ERR_refused);
    assert_int_equal(world_mark(w, 2, 1, 1, WORLD_READ), ERR_refused);
    assert_int_equal(world_mark(w, 1, 2, 1, 2), ERR_refused);
    assert_int_equal(world_mark(w, 1, 2, 1, UINT8_MAX), ERR_refused);
    assert_int_equal(w->told_count, 0);
    assert_int_equal(world_member(w, 1, 2)->delivered.seq, 0);
}

static void test_marks_only_rise(void **state)
{
    struct world *w = *state;
    world_users(w, 2);
    world_group(w, 1, WORLD_U32S(1, 2));
    for (int i = 0; i < 5; i++)
        world_post(w, 1, 1, "x");
    const struct member *mb = world_member(w, 1, 2);

    assert_int_equal(world_mark(w, 1, 2, 3, WORLD_DELIVERED), ERR_ok);
    assert_int_equal(mb->delivered.seq, 3);
    assert_int_equal(mb->delivered.cursor, w->cursor);
    assert_int_equal(mb->delivered.time, model_time(w->m));
    assert_int_equal(mb->read.seq, 0);
    assert_int_equal(world_mark(w, 1, 2, 3, WORLD_DELIVERED), ERR_duplicate);
    assert_int_equal(world_mark(w, 1, 2, 1, WORLD_DELIVERED), ERR_duplicate);

    /* Read up to below what was delivered moves one mark, above it both. */
    uint64_t delivered_at = mb->delivered.cursor;
    assert_int_equal(world_mark(w, 1, 2, 2, WORLD_READ), ERR_ok);
    assert_int_equal(mb->read.seq, 2);
    assert_int_equal(mb->delivered.seq, 3);
    assert_int_equal(mb->delivered.cursor, delivered_at);
    assert_int_equal(world_mark(w, 1, 2, 5, WORLD_READ), ERR_ok);
    assert_int_equal(mb->read.seq, 5);
    assert_int_equal(mb->delivered.seq, 5);
    assert_int_equal(mb->read.cursor, mb->delivered.cursor);
    assert_int_equal(world_mark(w, 1, 2, 5, WORLD_DELIVERED), ERR_duplicate);
    assert_int_equal(world_mark(w, 1, 2, 4, WORLD_READ), ERR_duplicate);

    /* They stay when the member goes and comes back. */
    assert_int_equal(world_remove(w, 1, 2, 2), ERR_ok);
    assert_int_equal(world_mark(w, 1, 2, 5, WORLD_READ), ERR_not_a_member);
    assert_int_equal(world_add(w, 1, 2, 1), ERR_ok);
    assert_int_equal(world_mark(w, 1, 2, 5, WORLD_READ), ERR_duplicate);
    world_post(w, 1, 1, "x");
    assert_int_equal(world_mark(w, 1, 2, 6, WORLD_READ), ERR_ok);
}

struct receipt {
    enum event_type type;
    uint32_t to;
    uint32_t seq;
};

/* Exactly these were told, in any order within the commit. */
static void assert_receipts(struct world *w, uint32_t reader, const struct receipt *want,
                            uint32_t count)
{
    assert_int_equal(w->told_count, count);
    for (uint32_t i = 0; i < count; i++) {
        uint32_t found = 0;
        for (uint32_t k = 0; k < count; k++) {
            const struct event *e = &w->told[k].event;
            assert_int_equal(e->user->number, reader);
            assert_int_equal(w->told[k].seen, 1 << e->to->number);
            found += e->type == want[i].type && e->to->number == want[i].to &&
                     e->message->seq == want[i].seq;
        }
        assert_int_equal(found, 1);
    }
    world_hush(w);
}

#define ASSERT_RECEIPTS(w, reader, ...)                                                            \
    assert_receipts(w, reader, (const struct receipt[]){__VA_ARGS__},                              \
                    sizeof((const struct receipt[]){__VA_ARGS__}) / sizeof(struct receipt))

static void test_receipt_is_told(void **state)
{
    struct world *w = *state;
    world_users(w, 3);
    world_group(w, 1, WORLD_U32S(1, 2, 3));
    world_post(w, 1, 1, "x");
    world_hush(w);

    assert_int_equal(world_mark(w, 1, 2, 1, WORLD_DELIVERED), ERR_ok);
    ASSERT_RECEIPTS(w, 2, {EVENT_message_delivered, 1, 1}, {EVENT_message_delivered, 2, 1});
    assert_int_equal(world_mark(w, 1, 2, 1, WORLD_READ), ERR_ok);
    ASSERT_RECEIPTS(w, 2, {EVENT_message_read, 1, 1}, {EVENT_message_read, 2, 1});
    assert_int_equal(world_mark(w, 1, 3, 1, WORLD_READ), ERR_ok);
    /* Read implies delivered: one event says both. */
    ASSERT_RECEIPTS(w, 3, {EVENT_message_read, 1, 1}, {EVENT_message_read, 3, 1});
    /* One's own message, acknowledged by oneself: once. */
    assert_int_equal(world_mark(w, 1, 1, 1, WORLD_DELIVERED), ERR_ok);
    ASSERT_RECEIPTS(w, 1, {EVENT_message_delivered, 1, 1});
}

/* One acknowledgement passes the messages of several authors, of one who left, and of the reader.
 * The gap is both narrower and wider than the group, for the two ways of looking. */
static void test_mark_jumps(void **state)
{
    struct world *w = *state;
    world_users(w, 6);
    world_group(w, 1, WORLD_U32S(1, 2, 3, 4, 5, 6));
    static const uint32_t authors[] = {1, 2, 3, 1, 4, 5, 4, 1, 1, 1, 2, 1, 6, 2};
    for (size_t i = 0; i < COUNT_OF(authors); i++)
        world_post(w, 1, authors[i], "x");
    assert_int_equal(world_remove(w, 1, 5, 5), ERR_ok);
    world_hush(w);

    /* 1 to 3 of 14: three messages, five members. */
    assert_int_equal(world_mark(w, 1, 4, 3, WORLD_DELIVERED), ERR_ok);
    ASSERT_RECEIPTS(w, 4, {EVENT_message_delivered, 1, 1}, {EVENT_message_delivered, 2, 2},
                    {EVENT_message_delivered, 3, 3}, {EVENT_message_delivered, 4, 3});
    /* 4 to 12: nine messages; of 2 the newest in there, not the newest at all; nothing of 3 (was
     * told), 5 (has left), 6 (wrote later). */
    assert_int_equal(world_mark(w, 1, 4, 12, WORLD_DELIVERED), ERR_ok);
    ASSERT_RECEIPTS(w, 4, {EVENT_message_delivered, 1, 12}, {EVENT_message_delivered, 2, 11},
                    {EVENT_message_delivered, 4, 12});
    /* Read from 0, 13 and 14 delivered with it: the gap is that of the mark that is told. */
    assert_int_equal(world_mark(w, 1, 4, 14, WORLD_READ), ERR_ok);
    ASSERT_RECEIPTS(w, 4, {EVENT_message_read, 1, 12}, {EVENT_message_read, 2, 14},
                    {EVENT_message_read, 3, 3}, {EVENT_message_read, 6, 13},
                    {EVENT_message_read, 4, 14});
}

/* Somebody who left is not told, and after coming back only of what is read from then on. */
static void test_author_who_left(void **state)
{
    struct world *w = *state;
    world_users(w, 2);
    world_group(w, 1, WORLD_U32S(1, 2));
    world_post(w, 1, 1, "x");
    world_post(w, 1, 2, "x");
    assert_int_equal(world_remove(w, 1, 1, 1), ERR_ok);
    world_hush(w);
    assert_int_equal(world_mark(w, 1, 2, 1, WORLD_DELIVERED), ERR_ok);
    ASSERT_RECEIPTS(w, 2, {EVENT_message_delivered, 2, 1});
    assert_int_equal(world_add(w, 1, 1, 1), ERR_ok);
    world_hush(w);
    assert_int_equal(world_mark(w, 1, 2, 1, WORLD_READ), ERR_ok);
    ASSERT_RECEIPTS(w, 2, {EVENT_message_read, 1, 1}, {EVENT_message_read, 2, 1});
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        WORLD_TEST(test_fields_are_kept),
        WORLD_TEST(test_numbers_are_dense_in_a_group),
        WORLD_TEST(test_who_may_post),
        WORLD_TEST(test_client_id),
        WORLD_TEST(test_client_id_of_many_authors),
        WORLD_TEST(test_own_message),
        WORLD_TEST(test_mark_refused),
        WORLD_TEST(test_marks_only_rise),
        WORLD_TEST(test_receipt_is_told),
        WORLD_TEST(test_mark_jumps),
        WORLD_TEST(test_author_who_left),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
