#include "tests/unit/model/world.h"

#include "core/hub.h"

/* A session for `user`, made when the world's clock says `now`. */
static const struct session *session_at(struct world *w, uint32_t user, int64_t now)
{
    w->now = now;
    struct record r = world_session_record(w, user);
    assert_int_equal(world_commit(w, &r), ERR_ok);
    return model_session_by_id(w->m, &r.session_create.id);
}

static void assert_listeners(const struct user *u, struct listener *const *want, uint32_t count)
{
    const struct listener *l = hub_first(u);
    for (uint32_t i = 0; i < count; i++, l = l->next)
        assert_ptr_equal(l, want[i]);
    assert_null(l);
}

static void test_newest_first(void **state)
{
    struct world *w = *state;
    world_users(w, 2);
    const struct user *anna = model_user(w->m, 1), *berta = model_user(w->m, 2);
    const struct session *s = session_at(w, 1, 2000), *other = session_at(w, 2, 2000);
    struct listener l[4] = {{0}};

    assert_null(hub_first(anna));
    l[1].live = true;
    for (int i = 0; i < 3; i++)
        hub_attach(&l[i], s);
    hub_attach(&l[3], other);
    assert_listeners(anna, (struct listener *const[]){&l[2], &l[1], &l[0]}, 3);
    assert_listeners(berta, (struct listener *const[]){&l[3]}, 1);
    assert_ptr_equal(l[0].user, anna);
    assert_ptr_equal(l[0].session, s);
    assert_true(l[1].live); /* the caller's */
    assert_false(l[0].live);
    for (int i = 0; i < 4; i++)
        hub_detach(&l[i], 0);
}

/* From each place of the list, and twice. */
static void test_detach(void **state)
{
    struct world *w = *state;
    world_users(w, 1);
    const struct user *anna = model_user(w->m, 1);
    const struct session *s = session_at(w, 1, 2000);
    for (int goes = 0; goes < 3; goes++) {
        struct listener l[3] = {{0}};
        struct listener *stay[2];
        uint32_t count = 0;
        for (int i = 0; i < 3; i++)
            hub_attach(&l[i], s);
        for (int i = 2; i >= 0; i--) {
            if (i != goes)
                stay[count++] = &l[i];
        }
        for (int twice = 0; twice < 2; twice++) {
            hub_detach(&l[goes], 5000);
            assert_null(l[goes].user);
            assert_null(l[goes].session);
            assert_null(l[goes].next);
            assert_listeners(anna, stay, 2);
        }
        hub_attach(&l[goes], s);
        assert_ptr_equal(hub_first(anna), &l[goes]);
        for (int i = 0; i < 3; i++)
            hub_detach(&l[i], 5000);
        assert_null(hub_first(anna));
    }
}

static void test_sockets_of_a_session(void **state)
{
    struct world *w = *state;
    world_users(w, 1);
    const struct session *a = session_at(w, 1, 2000), *b = session_at(w, 1, 2000);
    struct listener l[5] = {{0}}, *oldest = &l[4];

    assert_int_equal(hub_session_sockets(a, &oldest), 0);
    assert_null(oldest);
    for (int i = 0; i < 5; i++)
        hub_attach(&l[i], i % 2 == 0 ? a : b);
    assert_int_equal(hub_session_sockets(a, &oldest), 3);
    assert_ptr_equal(oldest, &l[0]);
    assert_int_equal(hub_session_sockets(b, &oldest), 2);
    assert_ptr_equal(oldest, &l[1]);
    hub_detach(&l[0], 0);
    assert_int_equal(hub_session_sockets(a, &oldest), 2);
    assert_ptr_equal(oldest, &l[2]);
    for (int i = 0; i < 5; i++)
        hub_detach(&l[i], 0);
}

static void test_longest_unused(void **state)
{
    struct world *w = *state;
    world_users(w, 2);
    const struct user *anna = model_user(w->m, 1);
    assert_null(hub_longest_unused(anna));

    /* Of the same second: who came first. */
    const struct session *first = session_at(w, 1, 10000), *second = session_at(w, 1, 10001);
    const struct session *third = session_at(w, 1, 20000);
    assert_ptr_equal(hub_longest_unused(anna), first);

    /* A socket that was closed later than others were made. */
    struct listener l = {0}, l2 = {0}, l3 = {0};
    hub_attach(&l, first);
    assert_ptr_equal(hub_longest_unused(anna), second);
    hub_detach(&l, 30000);
    assert_ptr_equal(hub_longest_unused(anna), second);
    hub_attach(&l, second);
    assert_ptr_equal(hub_longest_unused(anna), third);
    hub_detach(&l, 40000);
    assert_ptr_equal(hub_longest_unused(anna), third);

    /* A socket that is there counts more than any time. */
    hub_attach(&l, third);
    assert_ptr_equal(hub_longest_unused(anna), first);
    hub_attach(&l2, first);
    assert_ptr_equal(hub_longest_unused(anna), second);
    hub_attach(&l3, second);
    assert_ptr_equal(hub_longest_unused(anna), third); /* all have one: the times decide */
    hub_detach(&l, 50000);
    assert_ptr_equal(hub_longest_unused(anna), third);
    hub_detach(&l2, 50000);
    hub_detach(&l3, 45000);
    assert_ptr_equal(hub_longest_unused(anna), second);
    /* A clock that went back does not make it older than it is. */
    hub_attach(&l, second);
    hub_detach(&l, 0);
    assert_ptr_equal(hub_longest_unused(anna), second);
    assert_null(hub_longest_unused(model_user(w->m, 2)));
}

/* Each user has words of their own, zero at first. */
static void test_user_words(void **state)
{
    struct world *w = *state;
    world_users(w, 2);
    uint32_t *words = hub_user_words(model_user(w->m, 1));
    assert_int_equal(words[0], 0);
    assert_int_equal(words[1], 0);
    words[0] = 1;
    words[1] = 2;
    assert_int_equal(hub_user_words(model_user(w->m, 1))[1], 2);
    assert_int_equal(hub_user_words(model_user(w->m, 2))[0], 0);
    /* They survive what the user does, and are not part of the model: world_end replays. */
    world_group(w, 1, WORLD_U32S(1, 2));
    session_at(w, 1, 2000);
    assert_int_equal(hub_user_words(model_user(w->m, 1))[0], 1);
}

static void test_sockets_and_last_use(void **state)
{
    struct world *w = *state;
    world_users(w, 1);
    const struct user *anna = model_user(w->m, 1);
    const struct session *a = session_at(w, 1, 2000), *b = session_at(w, 1, 3000);
    struct listener socket = {0}, poll = {0};

    assert_false(hub_has_socket(anna));
    assert_int_equal(hub_last_used(anna), 0);
    hub_attach(&socket, a);
    hub_attach_user(&poll, anna);
    assert_true(hub_has_socket(anna));
    assert_int_equal(hub_last_used(anna), 0);
    hub_detach(&socket, 9500);
    assert_false(hub_has_socket(anna));
    assert_int_equal(hub_last_used(anna), 9000);
    hub_detach(&poll, 12000);
    assert_int_equal(hub_last_used(anna), 9000);
    hub_attach(&socket, b);
    hub_detach(&socket, 8000);
    assert_int_equal(hub_last_used(anna), 9000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        WORLD_TEST(test_newest_first),         WORLD_TEST(test_detach),
        WORLD_TEST(test_sockets_of_a_session), WORLD_TEST(test_longest_unused),
        WORLD_TEST(test_user_words),           WORLD_TEST(test_sockets_and_last_use),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
