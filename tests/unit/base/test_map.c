#include "unit.h"

#include "base/map.h"

/* Entries with a number as key; `in` is the model that the map is compared with. */
struct entry {
    uint64_t key;
    uint64_t seen; /* the walk that saw it last */
    bool in;
};

static uint64_t mix(uint64_t key)
{
    uint64_t state = key;
    return unit_random(&state);
}

static bool entry_match(const void *entry, const void *key)
{
    return ((const struct entry *)entry)->key == *(const uint64_t *)key;
}

#define KIND(name, expression)                                                                     \
    static uint64_t hash_##name(const void *entry)                                                 \
    {                                                                                              \
        uint64_t key = ((const struct entry *)entry)->key;                                         \
        return (expression);                                                                       \
    }                                                                                              \
    static const struct map_kind kind_##name = {hash_##name, entry_match};

KIND(good, mix(key))
KIND(sequential, key)
KIND(same, key * 0 + 77)
KIND(last_slot, UINT64_MAX - key % 3)
KIND(same_tag, mix(key) & ~(UINT64_C(0x7FFF) << 13))
KIND(few_homes, mix(key) & ~UINT64_C(0xFF0))

struct world {
    struct map map;
    struct entry *entries;
    size_t count;
    size_t in;
    uint64_t walks;
    size_t walks_in_growth;
};

static void world_init(struct world *w, const struct map_kind *kind, size_t count)
{
    *w = (struct world){.count = count};
    w->entries = calloc(count, sizeof *w->entries);
    assert_non_null(w->entries);
    for (size_t i = 0; i < count; i++)
        w->entries[i].key = i * 3 + 1;
    map_init(&w->map, kind);
}

static void world_release(struct world *w)
{
    map_release(&w->map);
    map_release(&w->map);
    free(w->entries);
}

static uint64_t hash_of(const struct world *w, const struct entry *e)
{
    return w->map.kind->hash(e);
}

static void check_find(const struct world *w, const struct entry *e)
{
    assert_ptr_equal(map_find(&w->map, hash_of(w, e), &e->key), e->in ? e : NULL);
}

static void check_find_is(const struct world *w, const struct entry *e, const void *want)
{
    assert_ptr_equal(map_find(&w->map, hash_of(w, e), &e->key), want);
}

static void add(struct world *w, struct entry *e)
{
    /* Both ways of adding, in turn; what is there is not added again, whatever comes meanwhile. */
    if (e->key % 2 == 0) {
        map_add(&w->map, hash_of(w, e), e);
    } else {
        assert_true(map_add_new(&w->map, hash_of(w, e), &e->key, e));
    }
    struct entry again = *e;
    assert_false(map_add_new(&w->map, hash_of(w, e), &e->key, &again));
    check_find_is(w, e, e);
    e->in = true;
    w->in++;
}

static void remove_(struct world *w, struct entry *e)
{
    assert_ptr_equal(map_remove(&w->map, hash_of(w, e), &e->key), e->in ? e : NULL);
    w->in -= e->in;
    e->in = false;
}

/* The walk sees each entry that is in, once, and no other; find agrees. */
static void check_all(struct world *w)
{
    assert_int_equal(map_count(&w->map), w->in);
    w->walks++;
    w->walks_in_growth += w->map.old.used != 0 && w->map.moved != 0;
    uint64_t at = 0;
    size_t seen = 0;
    struct entry *e;
    while ((e = map_next(&w->map, &at)) != NULL) {
        assert_true(e->in);
        assert_true(e->seen != w->walks);
        e->seen = w->walks;
        seen++;
    }
    assert_null(map_next(&w->map, &at));
    assert_int_equal(seen, w->in);
    for (size_t i = 0; i < w->count; i++)
        check_find(w, &w->entries[i]);
}

/* Random work that leans towards adding, then towards removing, again and again. */
static void random_work(const struct map_kind *kind, size_t count, size_t steps, size_t check_every,
                        uint64_t seed)
{
    struct world w;
    world_init(&w, kind, count);
    for (size_t step = 0; step < steps; step++) {
        struct entry *e = &w.entries[unit_random(&seed) % count];
        uint64_t lean = step * 6 / steps % 2 == 0 ? 80 : 30;
        bool adding = unit_random(&seed) % 100 < lean;
        if (adding && !e->in)
            add(&w, e);
        else if (!adding)
            remove_(&w, e);
        check_find(&w, e);
        assert_int_equal(map_count(&w.map), w.in);
        if (step % check_every == 0)
            check_all(&w);
    }
    check_all(&w);
    for (size_t i = 0; i < count; i++)
        remove_(&w, &w.entries[i]);
    check_all(&w);
    world_release(&w);
}

static void test_random_work_on_small_maps(void **state)
{
    (void)state;
    const struct map_kind *kinds[] = {&kind_good,      &kind_sequential, &kind_same,
                                      &kind_last_slot, &kind_same_tag,   &kind_few_homes};
    for (size_t k = 0; k < COUNT_OF(kinds); k++) {
        for (uint64_t seed = 1; seed <= 10; seed++)
            random_work(kinds[k], 1 + seed * 20, 2000, 7, seed);
    }
}

static void test_random_work_across_pieces(void **state)
{
    (void)state;
    random_work(&kind_good, 30000, 150000, 20011, 1);
    random_work(&kind_sequential, 30000, 150000, 20011, 2);
    random_work(&kind_same_tag, 30000, 150000, 20011, 3);
    random_work(&kind_few_homes, 4000, 20000, 5003, 4);
    random_work(&kind_few_homes, 9000, 30000, 5003,
                5); /* further from their place than a slot says */
}

/* Adds up to the start of each growth and walks at every state in the middle of it. */
static void test_walks_in_the_middle_of_growth(void **state)
{
    (void)state;
    const struct map_kind *kinds[] = {&kind_good, &kind_last_slot};
    const size_t counts[] = {20000, 400};
    for (size_t k = 0; k < COUNT_OF(kinds); k++) {
        struct world w;
        world_init(&w, kinds[k], counts[k]);
        for (size_t i = 0; i < w.count; i++) {
            add(&w, &w.entries[i]);
            bool growing = w.map.old.mask != 0;
            if (i < 300 || (growing && w.map.moved % 2048 < 8))
                check_all(&w);
        }
        check_all(&w);
        assert_true(w.walks_in_growth > 3);
        world_release(&w);
    }
}

/* Removing while `old` is being emptied: from `old`, from `now`, from what was not moved yet. */
static void test_removing_during_growth(void **state)
{
    (void)state;
    const struct map_kind *kinds[] = {&kind_good, &kind_sequential, &kind_last_slot,
                                      &kind_few_homes};
    for (size_t k = 0; k < COUNT_OF(kinds); k++) {
        for (size_t ahead = 0; ahead < 120; ahead += 5) {
            struct world w;
            world_init(&w, kinds[k], 2000);
            size_t i = 0;
            while (w.map.old.mask + 1 != 1024)
                add(&w, &w.entries[i++]);
            for (size_t n = 0; n < ahead && w.map.old.mask != 0; n++)
                add(&w, &w.entries[i++]);
            uint64_t seed = ahead;
            assert_true(i >= 640);
            for (size_t n = 0; n < 60; n++) {
                remove_(&w, &w.entries[unit_random(&seed) % 640]);
                if (n % 10 == 0)
                    check_all(&w);
            }
            /* What was taken out can come back. */
            for (size_t n = 0; n < i; n++) {
                if (!w.entries[n].in)
                    add(&w, &w.entries[n]);
            }
            check_all(&w);
            world_release(&w);
        }
    }
}

static void test_memory_is_in_proportion(void **state)
{
    (void)state;
    struct world w;
    world_init(&w, &kind_good, 100000);
    assert_int_equal(w.map.now.mask, 0);
    assert_null(map_find(&w.map, 1, &w.entries[0].key));
    assert_null(map_remove(&w.map, 1, &w.entries[0].key));
    uint64_t at = 0;
    assert_null(map_next(&w.map, &at));
    for (size_t i = 0; i < w.count; i++) {
        add(&w, &w.entries[i]);
        uint64_t slots = w.map.now.mask + 1;
        assert_true(slots == 8 || w.in > slots / 16 * 5);
        assert_true(w.map.now.used <= slots / 8 * 5);
        if (i == 2)
            assert_int_equal(slots, 8);
    }
    /* A map that always holds about as many does not grow however much comes and goes. */
    uint64_t slots = w.map.now.mask + 1;
    for (size_t i = 0; i < 3 * w.count; i++) {
        remove_(&w, &w.entries[i % w.count]);
        add(&w, &w.entries[i % w.count]);
    }
    assert_int_equal(w.map.now.mask + 1, slots);
    check_all(&w);
    world_release(&w);
}

/* A map that was told how many come does not grow before there are more. */
static void test_reserve(void **state)
{
    (void)state;
    static const size_t counts[] = {0, 1, 5, 6, 5120, 5121, 70000};
    for (size_t i = 0; i < sizeof counts / sizeof counts[0]; i++) {
        struct world w;
        world_init(&w, &kind_good, counts[i] + 5000);
        map_reserve(&w.map, counts[i]);
        uint64_t slots = w.map.now.mask + 1;
        assert_true(slots == 8 || slots / 16 * 5 < counts[i]);
        for (size_t k = 0; k < w.count; k++) {
            assert_int_equal(map_count(&w.map), k);
            add(&w, &w.entries[k]);
            assert_true(k >= counts[i] || w.map.now.mask + 1 == slots);
        }
        check_all(&w);
        for (size_t k = 0; k < w.count; k++)
            remove_(&w, &w.entries[k]);
        /* Empty again, and larger than what is asked for: it starts anew. */
        while (w.map.old.mask != 0)
            map_remove(&w.map, 0, &w.entries[0].key);
        map_reserve(&w.map, 10);
        assert_int_equal(w.map.now.mask + 1, 16);
        add(&w, &w.entries[0]);
        check_all(&w);
        world_release(&w);
    }
}

/* When a large table begins to grow, all pieces of the next one are there. Before that none is
 * taken, and later not more than one an add. */
static void test_the_next_table_is_ready(void **state)
{
    (void)state;
    enum { SLOTS = 131072, PIECES = 2 * SLOTS / 8192 };
    struct world w;
    uint64_t most = 0;
    world_init(&w, &kind_good, SLOTS / 8 * 5 + 1);
    for (size_t i = 0; i < w.count - 1; i++) {
        uint64_t before = w.map.ready;
        assert_true(
            map_add_new(&w.map, hash_of(&w, &w.entries[i]), &w.entries[i].key, &w.entries[i]));
        assert_true(w.map.ready <= before + 1);
        assert_true(w.map.now.used > (w.map.now.mask + 1) / 2 || w.map.ready == 0);
        most = w.map.ready > most ? w.map.ready : most;
    }
    assert_int_equal(w.map.now.mask + 1, SLOTS);
    assert_int_equal(w.map.ready, PIECES);
    assert_int_equal(most, PIECES);
    map_add(&w.map, hash_of(&w, &w.entries[w.count - 1]), &w.entries[w.count - 1]);
    assert_int_equal(w.map.now.mask + 1, 2 * SLOTS);
    assert_int_equal(w.map.ready, 0);
    for (size_t i = 0; i < PIECES; i++)
        assert_non_null(w.map.now.pieces[i]);
    for (size_t i = 0; i < w.count; i++)
        w.entries[i].in = true;
    w.in = w.count;
    check_all(&w);
    world_release(&w);
}

static uint64_t hashed; /* how often an entry was read for its hash */
KIND(counted, (hashed++, mix(key)))

/* A large table grows, and closes the gap of what is removed, from what stands in its slots: the
 * entries may be in no cache. */
static void test_growth_reads_few_entries(void **state)
{
    (void)state;
    enum { COUNT = 200000 };
    struct world w;
    world_init(&w, &kind_counted, COUNT);
    for (size_t i = 0; i < COUNT; i++) {
        struct entry *e = &w.entries[i];
        if (i == 10000)
            hashed = 0; /* small tables may read theirs */
        assert_true(map_add_new(&w.map, mix(e->key), &e->key, e));
    }
    assert_in_range(hashed, 0, COUNT / 100);
    for (size_t i = 0; i < COUNT; i++) {
        struct entry *e = &w.entries[i];
        assert_ptr_equal(map_find(&w.map, mix(e->key), &e->key), e);
    }
    hashed = 0;
    for (size_t i = 0; i < COUNT; i++) {
        struct entry *e = &w.entries[i];
        assert_ptr_equal(map_remove(&w.map, mix(e->key), &e->key), e);
    }
    assert_in_range(hashed, 0, COUNT / 100);
    world_release(&w);
}

static void test_an_empty_map_can_be_released(void **state)
{
    (void)state;
    struct map m;
    map_init(&m, &kind_good);
    map_release(&m);
    assert_int_equal(map_count(&m), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_random_work_on_small_maps),
        cmocka_unit_test(test_random_work_across_pieces),
        cmocka_unit_test(test_walks_in_the_middle_of_growth),
        cmocka_unit_test(test_removing_during_growth),
        cmocka_unit_test(test_memory_is_in_proportion),
        cmocka_unit_test(test_reserve),
        cmocka_unit_test(test_the_next_table_is_ready),
        cmocka_unit_test(test_growth_reads_few_entries),
        cmocka_unit_test(test_an_empty_map_can_be_released),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
