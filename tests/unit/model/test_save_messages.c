/*
 * Snapshots of what messages carry and what was done to them: replies, mentions, meta, edits,
 * deletions and reactions, in a group whose roles have changed. Whatever a damaged file says of
 * them, it is refused, or is a state that model_verify takes.
 */
#include "world.h"

#include "saved.h"

/* Users 1 to 5, group 1 is 1's; 4 has joined late and 5 not at all, so each may be no one that a
 * message of before can name. The numbers are such that one bit makes one of another. */
static void talk(struct world *w)
{
    world_users(w, 5);
    world_group(w, 1, WORLD_U32S(1, 2, 3));
    for (int i = 0; i < 3; i++)
        world_post(w, 1, 1 + (uint32_t)i, "a text");
    struct record r = world_send_record(w, 1, 1, 1, WORLD_U32S(2, 3), "{}");
    assert_int_equal(world_commit(w, &r), ERR_ok);
    r = world_send_record(w, 1, 2, 4, (struct record_u32s){0}, "");
    assert_int_equal(world_commit(w, &r), ERR_ok);
    assert_int_equal(world_edit(w, 1, 1, 1, "another"), ERR_ok);
    assert_int_equal(world_react(w, 1, 1, 2, "+", false), ERR_ok);
    assert_int_equal(world_react(w, 1, 1, 3, "+", false), ERR_ok);
    assert_int_equal(world_react(w, 1, 1, 3, "-", false), ERR_ok);
    assert_int_equal(world_react(w, 1, 1, 3, "+", true), ERR_ok);
    assert_int_equal(world_erase(w, 1, 3, 3), ERR_ok);
    assert_int_equal(world_react(w, 1, 4, 1, "!", false), ERR_ok);
    assert_int_equal(world_add(w, 1, 4, 1), ERR_ok);
    r = world_send_record(w, 1, 4, 0, WORLD_U32S(1, 4), "");
    assert_int_equal(world_commit(w, &r), ERR_ok);
    assert_int_equal(world_edit(w, 1, 6, 4, "edited"), ERR_ok);
    assert_int_equal(world_edit(w, 1, 6, 4, "again"), ERR_ok);
    assert_int_equal(world_role(w, 1, 2, 1, ROLE_ADMIN), ERR_ok);
    assert_int_equal(world_role(w, 1, 3, 1, ROLE_OWNER), ERR_ok);
}

/* The place of the only record of this type that is about the group. */
static uint32_t place_of(const struct saved *s, enum saved_type type)
{
    uint32_t found = s->count;

    for (uint32_t i = 0; i < s->count; i++) {
        if (s->records[i].type != type)
            continue;
        assert_int_equal(found, s->count);
        found = i;
    }
    assert_in_range(found, 0, s->count - 1);
    return found;
}

static bool is_taken(const struct saved *s, uint64_t cursor)
{
    struct model *m = model_new();
    bool taken = saved_load(s, m, cursor);

    if (taken)
        model_verify(m);
    model_free(m);
    return taken;
}

static void test_every_bit(void **state)
{
    struct world *w = *state;
    struct saved s;
    uint32_t refused = 0, taken = 0;

    talk(w);
    saved_of(&s, w->m);
    for (size_t bit = 0; bit < 8 * s.bytes.len; bit++) {
        s.bytes.p[bit / 8] ^= (uint8_t)(1 << bit % 8);
        if (is_taken(&s, model_cursor(w->m)))
            taken++;
        else
            refused++;
        s.bytes.p[bit / 8] ^= (uint8_t)(1 << bit % 8);
    }
    assert_true(refused > 0 && taken > 0);
    assert_true(is_taken(&s, model_cursor(w->m)));
    saved_release(&s);
}

/* Two bits, as long as both are in what the messages carry: what one alone gets refused for may be
 * made good by the other. */
static void test_every_two_bits_of_details(void **state)
{
    struct world *w = *state;
    struct saved s;

    talk(w);
    saved_of(&s, w->m);
    const struct saved_record *r = &s.records[place_of(&s, SAVED_details)];
    for (size_t a = 8 * r->at; a < 8 * (r->at + r->len); a++) {
        for (size_t b = a + 1; b < 8 * (r->at + r->len); b++) {
            s.bytes.p[a / 8] ^= (uint8_t)(1 << a % 8);
            s.bytes.p[b / 8] ^= (uint8_t)(1 << b % 8);
            (void)is_taken(&s, model_cursor(w->m));
            s.bytes.p[b / 8] ^= (uint8_t)(1 << b % 8);
            s.bytes.p[a / 8] ^= (uint8_t)(1 << a % 8);
        }
    }
    assert_true(is_taken(&s, model_cursor(w->m)));
    saved_release(&s);
}

/* Puts `wrong` at `at` of the record, where `right` is; that must be refused. */
static void assert_refused(struct world *w, struct saved *s, enum saved_type type, size_t at,
                           uint8_t right, uint8_t wrong)
{
    uint8_t *p = s->bytes.p + s->records[place_of(s, type)].at + at;

    assert_int_equal(*p, right);
    *p = wrong;
    assert_false(is_taken(s, model_cursor(w->m)));
    *p = right;
}

/* Each rule by itself; the bytes are those of saved.def. */
static void test_what_is_refused(void **state)
{
    struct world *w = *state;
    struct saved s;

    talk(w);
    saved_of(&s, w->m);
    /* Message 4: a step, a reply to 1, two mentions of places 1 and 2, 2 bytes of meta. */
    assert_refused(w, &s, SAVED_details, 0, 4, 0); /* no step */
    assert_refused(w, &s, SAVED_details, 0, 4, 3); /* one that is deleted */
    assert_refused(w, &s, SAVED_details, 0, 4, 9); /* none */
    assert_refused(w, &s, SAVED_details, 1, 1, 4); /* in reply to itself */
    assert_refused(w, &s, SAVED_details, 3, 1, 2); /* the same twice */
    assert_refused(w, &s, SAVED_details, 3, 1, 3); /* who came later */
    assert_refused(w, &s, SAVED_details, 3, 1, 4); /* who never came */
    /* Message 1: a step, edited, cursor, time (2), version; reactions. */
    assert_refused(w, &s, SAVED_amendments, 0, 1, 0);
    assert_refused(w, &s, SAVED_amendments, 1, 1, 3);
    assert_refused(w, &s, SAVED_amendments, 5, 1, 0);
    uint8_t *p = s.bytes.p + s.records[place_of(&s, SAVED_amendments)].at;
    assert_refused(w, &s, SAVED_amendments, 2, p[2], p[9]); /* two changes in one record */
    /* An owner who is not the one that the newest grant names. */
    assert_refused(w, &s, SAVED_group, 18, 3, 1);
    saved_release(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        WORLD_TEST(test_every_bit),
        WORLD_TEST(test_every_two_bits_of_details),
        WORLD_TEST(test_what_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
