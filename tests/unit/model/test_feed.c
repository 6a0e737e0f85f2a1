/*
 * The feed: each event that was told can be read again from its entry while the model holds it, and
 * a scan from any cursor finds exactly these.
 */
#include "world.h"

#include "model/feed.h"
#include "model/hook.h"

#define USERS  6
#define GROUPS 5
#define STEPS  700

/* What was told live, an entry a change. */
struct live {
    struct feed_entry *entries;
    uint32_t count;
};

static uint32_t below(uint64_t *random, uint32_t limit)
{
    return (uint32_t)(world_random(random) % limit);
}

static void assert_same(const struct event *a, const struct event *b)
{
    assert_int_equal(a->type, b->type);
    assert_int_equal(a->cursor, b->cursor);
    assert_int_equal(a->time, b->time);
    assert_ptr_equal(a->group, b->group);
    assert_ptr_equal(a->user, b->user);
    assert_ptr_equal(a->owner, b->owner);
    assert_ptr_equal(a->message, b->message);
    assert_ptr_equal(a->reaction, b->reaction);
    assert_int_equal(a->role, b->role);
    /* The creation of a group has a `by` in the feed only, as in a timeline. */
    if (a->type != EVENT_group_created)
        assert_ptr_equal(a->by, b->by);
}

/* Keeps the entries of what the newest commit told, which says the same when it is read again. */
static void listen(struct world *w, struct live *live)
{
    struct event read = {0};

    for (uint32_t i = 0; i < w->told_count; i++) {
        const struct event *e = &w->told[i].event;
        struct feed_entry entry;
        if (!hook_offers(e->type))
            continue;
        entry = feed_entry_of(e);
        if (live->count > 0 && live->entries[live->count - 1].cursor == entry.cursor) {
            /* Of a receipt only: the same change told to somebody else. */
            assert_int_equal(live->entries[live->count - 1].type, entry.type);
            assert_int_equal(live->entries[live->count - 1].user, entry.user);
            assert_true(entry.type == EVENT_message_delivered || entry.type == EVENT_message_read);
        } else {
            live->entries = xrealloc(live->entries, (live->count + 1) * sizeof entry);
            live->entries[live->count++] = entry;
        }
        assert_true(feed_event(w->m, &entry, &read));
        if (i + 1 == w->told_count)
            assert_same(&read, e);
    }
    w->told_count = 0;
}

static void change_messages(struct world *w, uint64_t *random, uint32_t group, uint32_t user)
{
    const struct group *g = model_group(w->m, group);
    uint32_t seq = g == NULL || g->messages.count == 0 ? 1 : 1 + below(random, g->messages.count);

    switch (below(random, 6)) {
    case 0:
        (void)world_edit(w, group, seq, user, "new");
        break;
    case 1:
        (void)world_erase(w, group, seq, user);
        break;
    case 2:
        (void)world_react(w, group, seq, user, below(random, 2) == 0 ? "+" : "-",
                          below(random, 3) == 0);
        break;
    case 3:
        (void)world_mark(w, group, user, seq, below(random, 2) == 0 ? WORLD_READ : WORLD_DELIVERED);
        break;
    default: {
        struct record r = world_post_record(w, group, user, "", "text");
        (void)world_commit(w, &r);
        break;
    }
    }
}

static void change_group(struct world *w, uint64_t *random, uint32_t group, uint32_t user)
{
    uint32_t other = 1 + below(random, USERS);

    switch (below(random, 9)) {
    case 0:
        (void)world_remove(w, group, other, user);
        break;
    case 1:
        (void)world_leave(w, group, user, user);
        break;
    case 2:
        (void)world_role(w, group, other, user, (enum role)below(random, ROLE_COUNT));
        break;
    case 3:
        (void)world_update(w, group, user, SETTING_NAME,
                           (struct settings){bytes_of("names", below(random, 6)), 0, 0});
        break;
    case 4:
        if (below(random, 8) == 0)
            (void)world_delete(w, group, user);
        break;
    case 5: {
        const struct group *g = model_group(w->m, group);
        uint32_t there = g != NULL ? g->messages.count - g->expired : 0;
        if (there > 0)
            (void)world_expire(w, group, g->expired + 1 + below(random, there) / 3);
        break;
    }
    case 6:
        (void)world_direct(w, user, other);
        break;
    default:
        (void)world_add(w, group, other, user);
        break;
    }
}

static void step(struct world *w, uint64_t *random)
{
    uint32_t user = 1 + below(random, USERS);

    if (model_group_count(w->m) < GROUPS) {
        struct record r = world_make_record(w, user, WORLD_U32S((uint8_t)user),
                                            (enum join)below(random, JOIN_COUNT), HISTORY_ALL);
        assert_int_equal(world_commit(w, &r), ERR_ok);
        return;
    }
    uint32_t group = 1 + below(random, model_group_count(w->m));
    if (below(random, 3) > 0)
        change_messages(w, random, group, user);
    else
        change_group(w, random, group, user);
}

/* Of the live entries behind `after` those that can be read, and the scan's, are the same. */
static void assert_scan(const struct world *w, const struct live *live, uint64_t after)
{
    struct feed_scan *scan = xcalloc(1, sizeof *scan);
    struct event a = {0}, b = {0};
    uint32_t at = 0;

    feed_scan_begin(scan, w->m, after);
    while (!feed_scan_step(scan, w->m, 3))
        continue;
    assert_int_equal(scan->covered, model_cursor(w->m));
    for (uint32_t i = 0; i < live->count; i++) {
        if (live->entries[i].cursor <= after || !feed_event(w->m, &live->entries[i], &a))
            continue;
        while (at < scan->count && !feed_event(w->m, &scan->entries[at], &b))
            at++;
        assert_true(at < scan->count);
        assert_same(&a, &b);
        at++;
    }
    for (; at < scan->count; at++)
        assert_false(feed_event(w->m, &scan->entries[at], &b));
    for (uint32_t i = 1; i < scan->count; i++)
        assert_true(scan->entries[i - 1].cursor < scan->entries[i].cursor);
    free(scan);
}

static void test_random_histories(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 30; seed++) {
        struct world *w = xcalloc(1, sizeof *w);
        struct live live = {NULL, 0};
        uint64_t random = seed;
        world_init(w);
        w->unproven = true;
        world_users(w, USERS);
        for (uint32_t i = 0; i < STEPS; i++) {
            step(w, &random);
            listen(w, &live);
        }
        for (uint64_t after = 0; after <= model_cursor(w->m); after += 23)
            assert_scan(w, &live, after);
        model_verify(w->m);
        free(live.entries);
        world_release(w);
        free(w);
    }
}

/* More than a scan holds: one behind the other, they give everything in order, while more comes. */
static void test_more_than_fits(void **state)
{
    struct world *w = *state;
    struct feed_scan *scan = xcalloc(1, sizeof *scan);
    struct event e;
    uint64_t after = 0;
    uint32_t scans = 0, messages = 0;

    w->unproven = true;
    world_users(w, 2);
    for (int i = 0; i < 7; i++)
        world_group(w, 1, WORLD_U32S(1, 2));
    for (uint32_t i = 0; i < 2 * FEED_SCAN_MAX + 100; i++)
        world_post(w, 1 + (i * 5 + i / 3) % 7, 1, "x");
    uint64_t end = model_cursor(w->m);
    while (after < end) {
        feed_scan_begin(scan, w->m, after);
        while (!feed_scan_step(scan, w->m, 1))
            world_post(w, 1, 2, "later");
        for (uint32_t i = 0; i < scan->count; i++) {
            assert_true(scan->entries[i].cursor > after);
            assert_true(feed_event(w->m, &scan->entries[i], &e));
            after = e.cursor;
            messages += e.type == EVENT_message_posted && after <= end;
        }
        assert_int_equal(scan->covered > after ? scan->covered : after, scan->covered);
        after = scan->covered;
        scans++;
    }
    assert_int_equal(messages, 2 * FEED_SCAN_MAX + 100);
    assert_int_equal(scans, 3);
    free(scan);
}

/* What names nothing that is there. */
static void test_strange_entries(void **state)
{
    struct world *w = *state;
    struct event e;
    world_users(w, 2);
    world_group(w, 1, WORLD_U32S(1, 2));
    for (uint32_t type = 0; type <= UINT8_MAX; type++) {
        for (uint64_t cursor = 0; cursor < 5; cursor++) {
            struct feed_entry entry = {cursor, 1, 1, (uint8_t)type};
            bool is_there =
                hook_offers(type) && feed_event(w->m, &entry, &e); /* 70 is, at its cursor */
            bool is_change = type == EVENT_group_created || type == EVENT_member_added ||
                             type == EVENT_member_removed;
            assert_int_equal(is_there, is_change && cursor == model_cursor(w->m));
            entry.group = 2;
            assert_false(hook_offers(type) && feed_event(w->m, &entry, &e));
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_random_histories),
        WORLD_TEST(test_more_than_fits),
        WORLD_TEST(test_strange_entries),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
