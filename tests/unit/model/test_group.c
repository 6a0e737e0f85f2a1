#include "world.h"

static bool is_active(const struct world *w, uint32_t group, uint32_t user)
{
    return member_is_active(world_member(w, group, user));
}

/* The number of the group's owner, 0 for none. */
static uint32_t owner_of(const struct world *w, uint32_t group)
{
    const struct user *owner = model_group(w->m, group)->owner;
    return owner != NULL ? owner->number : 0;
}

static const struct world_told *last_told(const struct world *w)
{
    assert_true(w->told_count > 0);
    return &w->told[w->told_count - 1];
}

/* ---- group_create ---------------------------------------------------------------------------- */

static void test_create(void **state)
{
    struct world *w = *state;
    world_users(w, 4);
    struct record r = world_group_record(w, 3, WORLD_U32S(2, 3, 2, 1, 3));
    assert_int_equal(world_commit(w, &r), ERR_ok);

    const struct group *g = model_group(w->m, 1);
    assert_ptr_equal(model_group_by_id(w->m, &r.group_create.id), g);
    assert_int_equal(g->number, 1);
    assert_int_equal(g->cursor, 5);
    assert_int_equal(g->last_cursor, 5);
    assert_true(bytes_equal(g->name, BYTES("the group")));
    assert_ptr_equal(g->owner, model_user(w->m, 3));
    assert_int_equal(g->founder_count, 3);
    assert_int_equal(g->members.count, 3);
    static const uint32_t order[] = {2, 3, 1};
    for (uint32_t i = 0; i < 3; i++) {
        const struct member *mb = vec_at(&g->members, i);
        assert_int_equal(mb->user->number, order[i]);
        assert_int_equal(mb->role, order[i] == 3 ? ROLE_OWNER : ROLE_MEMBER);
        assert_int_equal(mb->span.from, 5);
        assert_true(mb->span.to == UINT64_MAX);
        assert_int_equal(mb->user->active_groups, 1);
        assert_ptr_equal(vec_at(&mb->user->memberships, 0), mb);
    }
    assert_null(world_member(w, 1, 4));
    assert_int_equal(model_group_count(w->m), 1);

    assert_int_equal(w->told_count, 1);
    assert_int_equal(w->told[0].event.type, EVENT_group_created);
    assert_ptr_equal(w->told[0].event.group, g);
    assert_ptr_equal(w->told[0].event.user, model_user(w->m, 3));
    assert_int_equal(w->told[0].seen, 1 << 1 | 1 << 2 | 1 << 3);
}

static void test_create_refused(void **state)
{
    struct world *w = *state;
    world_users(w, 2);
    struct record first = world_group_record(w, 1, WORLD_U32S(1));
    assert_int_equal(world_commit(w, &first), ERR_ok);

    struct record r = world_group_record(w, 1, WORLD_U32S(1, 2));
    r.group_create.id = first.group_create.id;
    assert_int_equal(world_commit(w, &r), ERR_refused);
    r = world_group_record(w, 1, WORLD_U32S(2));
    assert_int_equal(world_commit(w, &r), ERR_refused);
    r = world_group_record(w, 1, (struct record_u32s){NULL, 0});
    assert_int_equal(world_commit(w, &r), ERR_refused);
    r = world_group_record(w, 1, WORLD_U32S(1, 3));
    assert_int_equal(world_commit(w, &r), ERR_user_not_found);
    r = world_group_record(w, 1, WORLD_U32S(0, 1));
    assert_int_equal(world_commit(w, &r), ERR_user_not_found);
    assert_int_equal(model_group_count(w->m), 1);
    assert_int_equal(model_user(w->m, 1)->active_groups, 1);
    assert_null(model_group(w->m, 0));
    assert_null(model_group(w->m, 2));
}

/* ---- who may add and remove ------------------------------------------------------------------ */

/* 1 owns, 2 is a member, 3 left, 4 was removed, 5 never was one. */
static void make_group(struct world *w)
{
    world_users(w, 6);
    world_group(w, 1, WORLD_U32S(1, 2, 3, 4));
    assert_int_equal(world_remove(w, 1, 3, 3), ERR_ok);
    assert_int_equal(world_remove(w, 1, 4, 1), ERR_ok);
    assert_int_equal(world_member(w, 1, 3)->membership, MEMBERSHIP_LEFT);
    assert_int_equal(world_member(w, 1, 4)->membership, MEMBERSHIP_REMOVED);
    world_hush(w);
}

struct wish {
    uint32_t user;
    uint32_t by;
    enum err err;
};

/* What is refused changes nothing, so all of them can be asked for one after the other. */
static void test_who_may_add(void **state)
{
    static const struct wish wishes[] = {
        {1, 1, ERR_already_member},  {2, 1, ERR_already_member},  {1, 2, ERR_already_member},
        {3, 4, ERR_forbidden},       {4, 3, ERR_forbidden},       {5, 3, ERR_forbidden},
        {5, 4, ERR_forbidden},       {2, 3, ERR_forbidden},       {4, 4, ERR_forbidden},
        {5, 5, ERR_group_not_found}, {3, 5, ERR_group_not_found}, {1, 5, ERR_group_not_found},
        {7, 1, ERR_refused},         {0, 1, ERR_refused},         {1, 7, ERR_refused},
        {5, 0, ERR_refused},
    };
    struct world *w = *state;
    make_group(w);
    for (size_t i = 0; i < COUNT_OF(wishes); i++)
        assert_int_equal(world_add(w, 1, wishes[i].user, wishes[i].by), wishes[i].err);
    assert_int_equal(world_add(w, 0, 5, 1), ERR_refused);
    assert_int_equal(world_add(w, 2, 5, 1), ERR_refused);
    assert_int_equal(w->told_count, 0);
    assert_int_equal(model_group(w->m, 1)->active.count, 2);

    assert_int_equal(world_add(w, 1, 3, 3), ERR_ok); /* who left comes back alone */
    assert_int_equal(world_add(w, 1, 4, 2), ERR_ok); /* who was removed is brought back */
    assert_int_equal(world_add(w, 1, 5, 4), ERR_ok); /* and is a member like others */
    assert_int_equal(model_group(w->m, 1)->active.count, 5);
}

static void test_who_may_remove(void **state)
{
    static const struct wish wishes[] = {
        {1, 2, ERR_forbidden},       {2, 3, ERR_forbidden},       {2, 4, ERR_forbidden},
        {4, 3, ERR_forbidden},       {3, 3, ERR_user_not_found},  {4, 4, ERR_user_not_found},
        {3, 1, ERR_user_not_found},  {5, 1, ERR_user_not_found},  {4, 2, ERR_user_not_found},
        {5, 5, ERR_group_not_found}, {1, 5, ERR_group_not_found}, {7, 1, ERR_refused},
        {1, 0, ERR_refused},
    };
    struct world *w = *state;
    make_group(w);
    for (size_t i = 0; i < COUNT_OF(wishes); i++)
        assert_int_equal(world_remove(w, 1, wishes[i].user, wishes[i].by), wishes[i].err);
    assert_int_equal(world_remove(w, 2, 2, 1), ERR_refused);
    assert_int_equal(w->told_count, 0);
    assert_int_equal(world_remove(w, 1, 2, 1), ERR_ok);
    assert_int_equal(world_remove(w, 1, 1, 1), ERR_ok);
    assert_int_equal(model_group(w->m, 1)->active.count, 0);
}

/* Removed, brought back, left by themselves: the last way out counts. */
static void test_last_way_out_counts(void **state)
{
    struct world *w = *state;
    make_group(w);
    assert_int_equal(world_add(w, 1, 4, 1), ERR_ok);
    assert_int_equal(world_remove(w, 1, 4, 4), ERR_ok);
    assert_int_equal(world_add(w, 1, 4, 4), ERR_ok);
    assert_int_equal(world_add(w, 1, 3, 3), ERR_ok);
    assert_int_equal(world_remove(w, 1, 3, 1), ERR_ok);
    assert_int_equal(world_add(w, 1, 3, 3), ERR_forbidden);
}

static void test_who_sees_it(void **state)
{
    struct world *w = *state;
    make_group(w);

    assert_int_equal(world_add(w, 1, 5, 2), ERR_ok);
    const struct world_told *t = last_told(w);
    assert_int_equal(t->event.type, EVENT_member_added);
    assert_int_equal(t->event.user->number, 5);
    assert_int_equal(t->event.by->number, 2);
    assert_int_equal(t->seen, 1 << 1 | 1 << 2 | 1 << 5);

    assert_int_equal(world_remove(w, 1, 5, 1), ERR_ok);
    t = last_told(w);
    assert_int_equal(t->event.type, EVENT_member_removed);
    assert_int_equal(t->event.user->number, 5);
    assert_int_equal(t->event.by->number, 1);
    assert_int_equal(t->seen, 1 << 1 | 1 << 2 | 1 << 5);

    assert_int_equal(world_remove(w, 1, 2, 2), ERR_ok);
    assert_int_equal(last_told(w)->seen, 1 << 1 | 1 << 2);
    assert_int_equal(w->told_count, 3);
    assert_int_equal(model_group(w->m, 1)->last_cursor, w->cursor);
}

/* ---- limits ---------------------------------------------------------------------------------- */

static enum err add_within(struct world *w, uint32_t group, uint32_t user, uint32_t by,
                           uint32_t members_max, uint32_t groups_max)
{
    struct record r = {.type = RECORD_member_add,
                       .member_add = {w->now, group, user, by, members_max, groups_max}};
    return world_commit(w, &r);
}

/* The limits travel in the record; those who are members now count, and rights come first. */
static void test_limits_of_member_add(void **state)
{
    struct world *w = *state;
    make_group(w); /* two members */
    assert_int_equal(add_within(w, 1, 5, 1, 1, 0), ERR_group_full);
    assert_int_equal(add_within(w, 1, 5, 1, 2, 0), ERR_group_full);
    assert_int_equal(add_within(w, 1, 5, 4, 2, 0), ERR_forbidden);
    assert_int_equal(add_within(w, 1, 2, 1, 2, 1), ERR_already_member);
    assert_int_equal(add_within(w, 1, 3, 3, 2, 0), ERR_group_full); /* also to come back */
    assert_int_equal(add_within(w, 1, 5, 1, 3, 1), ERR_ok);
    world_group(w, 1, WORLD_U32S(1));
    assert_int_equal(add_within(w, 2, 5, 1, 0, 1), ERR_too_many_groups);
    assert_int_equal(add_within(w, 2, 5, 1, 1, 1), ERR_group_full);
    assert_int_equal(add_within(w, 2, 5, 1, 2, 2), ERR_ok);
    /* Groups that they left do not count. */
    assert_int_equal(world_remove(w, 1, 5, 5), ERR_ok);
    assert_int_equal(add_within(w, 1, 5, 5, 3, 2), ERR_ok);
}

static void test_limit_of_group_create(void **state)
{
    struct world *w = *state;
    world_users(w, 2);
    world_group(w, 1, WORLD_U32S(1));
    struct record r = world_group_record(w, 2, WORLD_U32S(2, 1, 1));
    r.group_create.groups_max = 1;
    assert_int_equal(world_commit(w, &r), ERR_too_many_groups);
    r.group_create.groups_max = 2;
    assert_int_equal(world_commit(w, &r), ERR_ok);
    assert_int_equal(model_user(w->m, 1)->active_groups, 2);
}

/* ---- the owner ------------------------------------------------------------------------------- */

static void test_eldest_follows(void **state)
{
    struct world *w = *state;
    world_users(w, 5);
    world_group(w, 2, WORLD_U32S(3, 2, 1)); /* equal standing: the order of the list */
    assert_int_equal(world_add(w, 1, 4, 2), ERR_ok);
    assert_int_equal(world_add(w, 1, 5, 2), ERR_ok);
    /* Who goes and comes back starts anew. */
    assert_int_equal(world_remove(w, 1, 4, 4), ERR_ok);
    assert_int_equal(world_add(w, 1, 4, 4), ERR_ok);

    static const uint32_t order[] = {2, 3, 1, 5, 4};
    for (size_t i = 0; i < COUNT_OF(order); i++) {
        assert_int_equal(owner_of(w, 1), order[i]);
        assert_int_equal(world_member(w, 1, order[i])->role, ROLE_OWNER);
        assert_int_equal(world_remove(w, 1, order[i], order[i]), ERR_ok);
        assert_int_equal(world_member(w, 1, order[i])->role, ROLE_MEMBER);
    }
    assert_int_equal(owner_of(w, 1), 0);
}

static void test_owner_returns_as_member(void **state)
{
    struct world *w = *state;
    world_users(w, 3);
    world_group(w, 1, WORLD_U32S(1, 2));
    assert_int_equal(world_remove(w, 1, 1, 1), ERR_ok);
    assert_int_equal(owner_of(w, 1), 2);
    assert_int_equal(world_add(w, 1, 1, 1), ERR_ok);
    assert_int_equal(owner_of(w, 1), 2);
    assert_int_equal(world_member(w, 1, 1)->role, ROLE_MEMBER);
    assert_int_equal(world_remove(w, 1, 2, 1), ERR_forbidden);
    assert_int_equal(world_remove(w, 1, 1, 2), ERR_ok);
    assert_int_equal(owner_of(w, 1), 2);
}

/* Somebody else's leaving does not change the owner. */
static void test_owner_stays(void **state)
{
    struct world *w = *state;
    world_users(w, 3);
    world_group(w, 2, WORLD_U32S(1, 2, 3));
    assert_int_equal(world_remove(w, 1, 1, 1), ERR_ok);
    assert_int_equal(owner_of(w, 1), 2);
    assert_int_equal(world_remove(w, 1, 3, 2), ERR_ok);
    assert_int_equal(owner_of(w, 1), 2);
}

static void test_empty_group_comes_back(void **state)
{
    struct world *w = *state;
    world_users(w, 3);
    world_group(w, 1, WORLD_U32S(1, 2, 3));
    assert_int_equal(world_remove(w, 1, 3, 1), ERR_ok);
    assert_int_equal(world_remove(w, 1, 1, 1), ERR_ok);
    assert_int_equal(world_remove(w, 1, 2, 2), ERR_ok);
    assert_int_equal(owner_of(w, 1), 0);
    assert_int_equal(last_told(w)->seen, 1 << 2);

    assert_int_equal(world_add(w, 1, 3, 3), ERR_forbidden);
    assert_int_equal(world_add(w, 1, 1, 2), ERR_forbidden);
    assert_int_equal(world_remove(w, 1, 2, 2), ERR_user_not_found);
    assert_int_equal(world_add(w, 1, 2, 2), ERR_ok);
    assert_int_equal(owner_of(w, 1), 2);
    assert_int_equal(last_told(w)->seen, 1 << 2);
    assert_int_equal(world_add(w, 1, 3, 2), ERR_ok);
    assert_int_equal(owner_of(w, 1), 2);
}

/* ---- spans ----------------------------------------------------------------------------------- */

static void test_spans(void **state)
{
    enum { RETURNS = 40 };
    struct world *w = *state;
    bool there[4 * RETURNS + 8] = {false};
    world_users(w, 2);
    world_group(w, 1, WORLD_U32S(1, 2));
    for (uint64_t c = 3; c <= 3 + 4 * RETURNS; c++) {
        /* Four records a round: a message, leave, a message unseen, return. */
        static const bool in[] = {true, true, true, false};
        there[c] = in[(c - 3) % 4];
    }
    for (int i = 0; i < RETURNS; i++) {
        world_post(w, 1, 1, "seen");
        assert_int_equal(world_remove(w, 1, 2, 2), ERR_ok);
        world_post(w, 1, 1, "unseen");
        assert_int_equal(world_add(w, 1, 2, 2), ERR_ok);
    }
    const struct member *mb = world_member(w, 1, 2);
    assert_int_equal(mb->span_count, RETURNS + 1);
    assert_int_equal(w->cursor, 3 + 4 * RETURNS);
    for (uint64_t c = 0; c <= w->cursor; c++)
        assert_int_equal(member_saw(mb, c), there[c]);
    assert_true(member_saw(mb, w->cursor + 1000));
    assert_int_equal(model_user(w->m, 2)->memberships.count, 1);
    assert_int_equal(model_user(w->m, 2)->active_groups, 1);

    assert_int_equal(world_remove(w, 1, 2, 2), ERR_ok);
    assert_true(member_saw(mb, w->cursor));
    assert_false(member_saw(mb, w->cursor + 1));
    assert_true(is_active(w, 1, 1));
    assert_false(is_active(w, 1, 2));
}

/* Every member gets in and out in another order than the one of joining; the places in `active`
 * are model_verify's to check. */
static void test_many_members(void **state)
{
    enum { MEMBERS = 40 };
    struct world *w = *state;
    world_users(w, MEMBERS);
    world_group(w, 1, WORLD_U32S(1));
    for (uint32_t i = 2; i <= MEMBERS; i++)
        assert_int_equal(world_add(w, 1, i, i - 1), ERR_ok);
    for (uint32_t i = 0; i < MEMBERS; i++) {
        uint32_t goes = 1 + i * 7 % MEMBERS;
        assert_int_equal(world_remove(w, 1, goes, goes), ERR_ok);
        assert_int_equal(model_group(w->m, 1)->active.count, MEMBERS - 1 - i);
    }
    assert_int_equal(owner_of(w, 1), 0);
    assert_int_equal(model_group(w->m, 1)->members.count, MEMBERS);
    assert_int_equal(model_group(w->m, 1)->changes.count, 2 * MEMBERS);
}

static enum err add_with_limits(struct world *w, uint32_t user, uint32_t members_max,
                                uint32_t groups_max)
{
    struct record r = {.type = RECORD_member_add,
                       .member_add = {.time = w->now,
                                      .group = 1,
                                      .user = user,
                                      .by = 1,
                                      .members_max = members_max,
                                      .groups_max = groups_max}};
    return world_commit(w, &r);
}

/* The record carries the limits, so that of two who want the last seat only one gets it. */
static void test_limits_decide_at_commit(void **state)
{
    struct world *w = *state;
    world_users(w, 4);
    world_group(w, 1, WORLD_U32S(1, 2));
    assert_int_equal(add_with_limits(w, 3, 3, 1), ERR_ok);
    assert_int_equal(add_with_limits(w, 4, 3, 1), ERR_group_full);
    assert_int_equal(world_remove(w, 1, 3, 3), ERR_ok);
    struct record r = world_group_record(w, 4, WORLD_U32S(3, 4));
    r.group_create.groups_max = 1;
    assert_int_equal(world_commit(w, &r), ERR_ok);
    assert_int_equal(add_with_limits(w, 4, 3, 1), ERR_too_many_groups);
    assert_int_equal(add_with_limits(w, 4, 3, 2), ERR_ok);
    r = world_group_record(w, 2, WORLD_U32S(1, 2, 3));
    r.group_create.groups_max = 1;
    assert_int_equal(world_commit(w, &r), ERR_too_many_groups);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        WORLD_TEST(test_create),
        WORLD_TEST(test_create_refused),
        WORLD_TEST(test_who_may_add),
        WORLD_TEST(test_who_may_remove),
        WORLD_TEST(test_last_way_out_counts),
        WORLD_TEST(test_who_sees_it),
        WORLD_TEST(test_limits_of_member_add),
        WORLD_TEST(test_limit_of_group_create),
        WORLD_TEST(test_eldest_follows),
        WORLD_TEST(test_owner_returns_as_member),
        WORLD_TEST(test_owner_stays),
        WORLD_TEST(test_empty_group_comes_back),
        WORLD_TEST(test_spans),
        WORLD_TEST(test_many_members),
        WORLD_TEST(test_limits_decide_at_commit),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
