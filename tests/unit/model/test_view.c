/*
 * What a member sees, against looking at every message, over random histories (naive.h makes them).
 */
#include "naive.h"

#include "model/view.h"

#define SEEDS 60

/* Number and count, the slow way. */
struct seen {
    bool sees[1024];
    bool was_there[1024];
    uint32_t last, unread;
};

static struct seen look(const struct naive *n, const struct member *mb)
{
    struct seen s = {.last = mb->group->messages.count};
    assert_true(s.last + 2 < COUNT_OF(s.sees));
    for (uint32_t seq = 1; seq <= s.last; seq++) {
        const struct message *msg = group_message(mb->group, seq);
        assert_int_equal(msg == NULL, seq <= n->expired[mb->group->number]);
        if (msg == NULL)
            continue;
        s.was_there[seq] = member_saw(mb, msg->cursor);
        s.sees[seq] =
            mb->group->history == HISTORY_ALL ? msg->cursor <= mb->span.to : s.was_there[seq];
        assert_int_equal(view_sees(mb, msg), s.sees[seq]);
        s.unread +=
            s.was_there[seq] && seq > mb->read.seq && model_user(n->w.m, msg->author) != mb->user;
    }
    return s;
}

static uint32_t seq_of(const struct message *msg)
{
    return msg != NULL ? msg->seq : 0;
}

static void check_member(const struct naive *n, const struct member *mb)
{
    struct seen s = look(n, mb);
    assert_int_equal(view_unread(mb), s.unread);
    for (uint32_t at = 0; at <= s.last + 1; at++) {
        uint32_t from = at == 0 ? 1 : at, until = at, above = 0;
        while (from <= s.last && !s.sees[from])
            from++;
        while (until > 0 && !s.sees[until])
            until--;
        for (uint32_t seq = at + 1; seq <= s.last; seq++)
            above += s.was_there[seq];
        assert_int_equal(seq_of(view_from(mb, at)), from <= s.last ? from : 0);
        assert_int_equal(seq_of(view_until(mb, at)), until);
        assert_int_equal(view_count(mb, at), above);
    }
    assert_int_equal(seq_of(view_until(mb, UINT32_MAX)), seq_of(view_until(mb, s.last)));
    assert_int_equal(view_count(mb, UINT32_MAX), 0);
    assert_null(view_from(mb, UINT32_MAX));
}

static void check_all(const struct naive *n)
{
    for (uint32_t g = 1; g <= model_group_count(n->w.m); g++) {
        const struct group *group = model_group(n->w.m, g);
        for (uint32_t i = 0; i < group->members.count; i++)
            check_member(n, vec_at(&group->members, i));
    }
}

static void test_random_histories(void **state)
{
    static struct naive n;
    (void)state;
    for (uint64_t seed = 1; seed <= SEEDS; seed++) {
        naive_init(&n, seed, 2 + (uint32_t)seed % 5, 1 + (uint32_t)seed % 3);
        for (uint32_t i = 0; i < 150; i++) {
            naive_step(&n);
            if (i % 10 == 9)
                check_all(&n);
        }
        world_prove(&n.w);
        world_release(&n.w);
    }
}

/* Marks that jump far, from either side: the count of one's own is taken from the nearer end. */
static void test_own_messages_do_not_count(void **state)
{
    struct world *w = *state;
    world_users(w, 2);
    world_group(w, 1, WORLD_U32S(1, 2));
    for (uint32_t i = 0; i < 50; i++)
        world_post(w, 1, 1 + (i % 5 == 0), "x"); /* each fifth is user 2's */
    const struct member *mb = world_member(w, 1, 2);
    assert_int_equal(view_unread(mb), 40);
    assert_int_equal(mb->own_unread, 10);
    assert_int_equal(world_mark(w, 1, 2, 3, WORLD_READ), ERR_ok);
    assert_int_equal(view_unread(mb), 38);
    assert_int_equal(mb->own_unread, 9);
    assert_int_equal(world_mark(w, 1, 2, 48, WORLD_DELIVERED), ERR_ok);
    assert_int_equal(view_unread(mb), 38);
    assert_int_equal(world_mark(w, 1, 2, 45, WORLD_READ), ERR_ok);
    assert_int_equal(view_unread(mb), 4);
    assert_int_equal(mb->own_unread, 1);
    assert_int_equal(world_mark(w, 1, 2, 50, WORLD_READ), ERR_ok);
    assert_int_equal(view_unread(mb), 0);
    assert_int_equal(mb->own_unread, 0);
    world_post(w, 1, 2, "x");
    assert_int_equal(view_unread(mb), 0);
    assert_int_equal(mb->own_unread, 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_random_histories),
        WORLD_TEST(test_own_messages_do_not_count),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
