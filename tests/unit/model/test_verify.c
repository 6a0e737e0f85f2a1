/*
 * Each invariant, broken once: model_verify must see it. It ends the process, so each damage is
 * done in a child.
 */
#include "world.h"

#include <signal.h>
#include <unistd.h>

#include "model/hook.h"
#include "model/state.h"
#include "tests/await.h"

static struct user *user(struct world *w, uint32_t number)
{
    return state_user(w->m, number);
}

static struct group *group(struct world *w)
{
    return state_group(w->m, 1);
}

static struct member *member(struct world *w, uint32_t number)
{
    return state_member(w->m, group(w), user(w, number));
}

static struct message *message(struct world *w, uint32_t seq)
{
    return vec_at(&group(w)->messages, seq - 1);
}

static struct change *change(struct world *w, uint32_t i)
{
    return vec_at(&group(w)->changes, i);
}

static struct group *other(struct world *w, uint32_t number)
{
    return state_group(w->m, number);
}

static struct member *first(struct world *w, uint32_t number)
{
    return vec_at(&other(w, number)->members, 0);
}

static struct hook *hook(struct world *w, uint32_t i)
{
    return vec_at(&w->m->hooks, i);
}

/* The newest. */
static struct grant *grant(struct world *w, uint32_t number)
{
    return LIST_OWNER(other(w, number)->notices->grants.prev, struct grant, list);
}

/* 3 is direct, 4 has an admin and another name, 5 was deleted, 6 has another owner. */
static void fill_others(struct world *w)
{
    assert_int_equal(world_direct(w, 2, 3), ERR_ok);
    world_group(w, 4, WORLD_U32S(4, 5));
    assert_int_equal(world_role(w, 4, 5, 4, ROLE_ADMIN), ERR_ok);
    assert_int_equal(world_update(w, 4, 4, SETTING_NAME, (struct settings){BYTES("new"), 0, 0}),
                     ERR_ok);
    world_group(w, 4, WORLD_U32S(4, 5));
    assert_int_equal(world_delete(w, 5, 4), ERR_ok);
    world_group(w, 4, WORLD_U32S(4, 5));
    assert_int_equal(world_leave(w, 6, 4, 4), ERR_ok);
}

/* 1 owns; 2 and 3 are members, 3 for the second time; 4 has left. Messages of 1, 2, 1, 2. */
static void fill(struct world *w)
{
    world_users(w, 5);
    struct record r = world_user_record(w, "mail");
    r.user_create.email_key = BYTES("a@b");
    assert_int_equal(world_commit(w, &r), ERR_ok);
    r = world_session_record(w, 1);
    assert_int_equal(world_commit(w, &r), ERR_ok);
    world_group(w, 1, WORLD_U32S(1, 2, 3, 4));
    world_group(w, 1, WORLD_U32S(1));
    r = world_post_record(w, 1, 1, "c", "x");
    assert_int_equal(world_commit(w, &r), ERR_ok);
    for (uint32_t i = 2; i <= 4; i++)
        world_post(w, 1, 2 - i % 2, "x");
    assert_int_equal(world_remove(w, 1, 3, 3), ERR_ok);
    assert_int_equal(world_add(w, 1, 3, 1), ERR_ok);
    assert_int_equal(world_remove(w, 1, 4, 1), ERR_ok);
    assert_int_equal(world_mark(w, 1, 2, 1, WORLD_READ), ERR_ok);
    assert_int_equal(world_mark(w, 1, 1, 2, WORLD_DELIVERED), ERR_ok);
    world_app_user(w, "7", "dora");
    fill_others(w);
    for (int i = 0; i < 2; i++) {
        r = world_hook_record(w, "http://h/");
        assert_int_equal(world_commit(w, &r), ERR_ok);
    }
    r = world_hook_update_record(w, r.hook_create.id);
    assert_int_equal(world_commit(w, &r), ERR_ok);
}

/* name, what is done to the model */
#define DAMAGES(D)                                                                                 \
    D(user_number, user(w, 2)->number = 7)                                                         \
    D(user_cursor, user(w, 2)->cursor = UINT64_MAX)                                                \
    D(user_id, user(w, 2)->id.b[0] ^= 1)                                                           \
    D(user_name, user(w, 2)->username_key.len--)                                                   \
    D(user_email, user(w, 6)->email_key.len--)                                                     \
    D(user_email_count, user(w, 6)->email_key.len = 0)                                             \
    D(user_sessions, user(w, 1)->session_count++)                                                  \
    D(user_active_groups, user(w, 1)->active_groups++)                                             \
    D(user_memberships, user(w, 5)->memberships = user(w, 1)->memberships)                         \
    D(external_id, user(w, 7)->external->id[0]++)                                                  \
    D(external_id_bad, user(w, 7)->external->id_len = 0)                                           \
    D(external_user, user(w, 7)->external->user = user(w, 6))                                      \
    D(external_gone, user(w, 7)->external = NULL)                                                  \
    D(session_user, user(w, 1)->sessions->user = user(w, 2))                                       \
    D(session_id, user(w, 1)->sessions->id.b[0] ^= 1)                                              \
    D(session_token, user(w, 1)->sessions->token.b[0] ^= 1)                                        \
    D(group_number, group(w)->number = 9)                                                          \
    D(group_id, group(w)->id.b[0] ^= 1)                                                            \
    D(group_founders, group(w)->founder_count = 0)                                                 \
    D(group_founders_many, group(w)->founder_count = 9)                                            \
    D(group_owner_none, group(w)->owner = NULL)                                                    \
    D(group_owner_other, group(w)->owner = user(w, 2))                                             \
    D(group_active, vec_pop(&group(w)->active))                                                    \
    D(group_last_cursor, group(w)->last_cursor = 1)                                                \
    D(group_cursor, group(w)->cursor = w->cursor + 2)                                              \
    D(group_last_cursor_future, group(w)->last_cursor = w->cursor + 1)                             \
    D(member_group, member(w, 2)->group = state_group(w->m, 2))                                    \
    D(member_role, member(w, 2)->role = ROLE_OWNER)                                                \
    D(member_membership, member(w, 2)->membership = MEMBERSHIP_LEFT)                               \
    D(member_active_at, member(w, 2)->active_at = 0)                                               \
    D(member_active_far, member(w, 2)->active_at = 1000)                                           \
    D(member_span_open, member(w, 2)->span.to = w->cursor)                                         \
    D(member_span_closed, member(w, 4)->span.to = UINT64_MAX)                                      \
    D(member_span_order, member(w, 3)->earlier[0].to = member(w, 3)->span.from + 1)                \
    D(member_span_turned, member(w, 4)->span.to = member(w, 4)->span.from)                         \
    D(member_span_future, member(w, 2)->span.from = w->cursor + 1)                                 \
    D(member_no_span, member(w, 4)->span_count = 0)                                                \
    D(member_last_own, member(w, 2)->last_own = 3)                                                 \
    D(member_last_own_old, member(w, 2)->last_own = 2)                                             \
    D(member_last_own_none, member(w, 2)->last_own = 0)                                            \
    D(member_last_own_far, member(w, 2)->last_own = 99)                                            \
    D(mark_far, member(w, 2)->delivered.seq = 5)                                                   \
    D(mark_cursor, member(w, 2)->read.cursor = 0)                                                  \
    D(mark_future, member(w, 2)->read.cursor = w->cursor + 1)                                      \
    D(mark_time, member(w, 2)->read.time = INT64_MAX)                                              \
    D(mark_read_above, member(w, 1)->read = (struct mark){3, w->cursor, 0})                        \
    D(mark_order, member(w, 2)->read.cursor = member(w, 1)->delivered.cursor)                      \
    D(mark_not_listed, list_remove(&member(w, 2)->by_mark))                                        \
    D(mark_listed, list_append(&group(w)->by_mark, &member(w, 3)->by_mark))                        \
    D(change_order, change(w, 1)->cursor = 1)                                                      \
    D(change_newer, change(w, 3)->cursor = group(w)->last_cursor + 1)                              \
    D(change_time, change(w, 1)->time = 0)                                                         \
    D(message_seq, message(w, 2)->seq = 3)                                                         \
    D(message_group, message(w, 2)->group = 2)                                                     \
    D(message_cursor, message(w, 2)->cursor = 1)                                                   \
    D(message_cursor_future, message(w, 4)->cursor = w->cursor + 1)                                \
    D(message_time, message(w, 2)->time_low = 0)                                                   \
    D(message_author, message(w, 2)->author = 5)                                                   \
    D(message_author_none, message(w, 2)->author = 99)                                             \
    D(message_author_other, message(w, 2)->author = 1)                                             \
    D(message_id, message(w, 2)->id.b[0] ^= 1)                                                     \
    D(message_client_id, message(w, 1)->texts[0] ^= 1)                                             \
    D(message_client_id_gone, message(w, 1)->client_id_len = 0)                                    \
    D(message_own_self, message(w, 3)->previous_own = 3)                                           \
    D(message_own_other, message(w, 3)->previous_own = 2)                                          \
    D(message_own_skipped, message(w, 3)->previous_own = 0)                                        \
    D(message_count, w->m->message_count++)                                                        \
    D(direct_founders, other(w, 3)->founder_count = 1)                                             \
    D(direct_not, other(w, 3)->kind = GROUP_PLAIN)                                                 \
    D(direct_in_no_table, other(w, 4)->kind = GROUP_DIRECT)                                        \
    D(kind_unknown, other(w, 4)->kind = GROUP_KIND_COUNT)                                          \
    D(join_unknown, other(w, 4)->join = JOIN_COUNT)                                                \
    D(history_unknown, other(w, 4)->history = HISTORY_COUNT)                                       \
    D(role_unknown, first(w, 4)->role = ROLE_COUNT)                                                \
    D(grant_gone, state_forget_grant(grant(w, 4)->member))                                         \
    D(grant_unknown, grant(w, 4)->member->has_grant = false)                                       \
    D(grant_future, grant(w, 4)->cursor = other(w, 4)->last_cursor + 1)                            \
    D(grant_elsewhere, grant(w, 4)->member = first(w, 6))                                          \
    D(settings_future, other(w, 4)->notices->cursor = other(w, 4)->last_cursor + 1)                \
    D(settings_early, other(w, 4)->notices->cursor = other(w, 4)->cursor)                          \
    D(succession, ((struct change *)vec_at(&other(w, 6)->changes, 1))->owner = 0)                  \
    D(deleted_not, other(w, 5)->deleted = false)                                                   \
    D(deleted_owner, other(w, 5)->owner = user(w, 4))                                              \
    D(deleted_name, other(w, 5)->name.len = 1)                                                     \
    D(deleted_join, other(w, 5)->join = JOIN_OPEN)                                                 \
    D(deleted_cursor, other(w, 5)->notices->cursor--)                                              \
    D(deleted_member, first(w, 5)->membership = MEMBERSHIP_LEFT)                                   \
    D(deleted_member_role, first(w, 5)->role = ROLE_OWNER)                                         \
    D(deleted_member_span, first(w, 5)->span.to--)                                                 \
    D(ended_in_a_group, first(w, 6)->membership = MEMBERSHIP_ENDED)                                \
    D(hook_cursor, hook(w, 1)->cursor = hook(w, 0)->cursor)                                        \
    D(hook_cursor_future, hook(w, 1)->cursor = w->cursor + 1)                                      \
    D(hook_created, hook(w, 1)->created_at = w->now + 1)                                           \
    D(hook_position, hook(w, 0)->position = w->cursor + 1)                                         \
    D(hook_id, hook(w, 1)->id = hook(w, 0)->id)                                                    \
    D(hook_url, hook(w, 0)->url.len = 0)                                                           \
    D(hook_secret, hook(w, 0)->secret.len = 0)                                                     \
    D(hook_old_secret, hook(w, 1)->old_secret.len = 0)                                             \
    D(hook_old_until, hook(w, 1)->old_until = 0)                                                   \
    D(hook_old_until_late, hook(w, 1)->old_until = MODEL_TIME_MAX + 1)                             \
    D(hook_old_until_alone, hook(w, 0)->old_until = 1)                                             \
    D(hook_type, hook(w, 0)->types[0] = 0)                                                         \
    D(hook_types, hook(w, 0)->types[1] = hook(w, 0)->types[0])                                     \
    D(users_gone, w->m->users.count--)

#define DAMAGE_FUNCTION(name, ...)                                                                 \
    static void damage_##name(struct world *w)                                                     \
    {                                                                                              \
        (void)(__VA_ARGS__);                                                                       \
    }
DAMAGES(DAMAGE_FUNCTION)

static const struct damage {
    const char *name;
    void (*damage)(struct world *w);
} damages[] = {
#define DAMAGE_ROW(name, ...) {#name, damage_##name},
    DAMAGES(DAMAGE_ROW)};

/* How the child ended: 0 where model_verify returned. */
static int verify_in_child(struct world *w, void (*damage)(struct world *w))
{
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        await_as_child();
        close(STDERR_FILENO);
        if (damage != NULL)
            damage(w);
        model_verify(w->m);
        _exit(0);
    }
    int status = AWAIT_CHILD(pid);
    return WIFSIGNALED(status) ? WTERMSIG(status) : WEXITSTATUS(status);
}

static void test_each_damage_is_seen(void **state)
{
    struct world *w = *state;
    uint32_t unseen = 0;
    fill(w);
    assert_int_equal(verify_in_child(w, NULL), 0);
    for (size_t i = 0; i < COUNT_OF(damages); i++) {
        if (verify_in_child(w, damages[i].damage) != SIGABRT) {
            print_error("model_verify does not see: %s\n", damages[i].name);
            unseen++;
        }
    }
    assert_int_equal(unseen, 0);
}

static void test_empty_and_full(void **state)
{
    struct world *w = *state;
    model_verify(w->m);
    fill(w);
    model_verify(w->m);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        WORLD_TEST(test_each_damage_is_seen),
        WORLD_TEST(test_empty_and_full),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
