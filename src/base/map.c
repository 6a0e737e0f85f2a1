/*
 * Open addressing with linear probing, in one table or, while growing, two.
 *
 * Growth starts when `now` is 5/8 full: it becomes `old`, and a table of twice its slots becomes
 * `now`. From then on every add and remove empties the next MOVE_SLOTS slots of `old`, from slot 0
 * upwards. An entry's place is the low bits of its hash, so it goes from slot i to about i or
 * i + slots of old: two places that advance side by side, and no storm of cache misses or of
 * pieces.
 *
 * `old` is empty before the next growth: let it have S slots, so at most 5/8 S entries. It is empty
 * after S / MOVE_SLOTS = S / 8 adds and removes, when `now` has at most 5/8 S + 1/8 S entries; the
 * next growth starts at 5/8 * 2 S = 10/8 S.
 *
 * The pieces of the next table are taken before it is needed, while `now` fills from 19/32 to 5/8:
 * one every READY_ADDS adds. Otherwise, as new entries go anywhere in a table, each of its first
 * adds would wait for a piece. Let `now` have S slots: the next has 2 S / PIECE_SLOTS pieces for
 * S / 32 adds, so READY_ADDS is PIECE_SLOTS / 64. (Sooner would be smoother; but a map may stay as
 * full as it is, and then all that was taken is for nothing.)
 *
 * 5/8 and not more: a look-up of what is not there probes 4.1 slots on average (8.5 at 3/4, 32.5 at
 * 7/8: Knuth, The Art of Computer Programming 3, 6.4), which is within one cache line mostly.
 *
 * Measured while 6.2 million entries came and went (the least of four runs for each call, so that
 * what else the machine did does not count): half of the adds took 0.2 us, one in a thousand more
 * than 1.2 us, and the slowest, which got a new piece, 78 us; the slowest remove 11 us.
 */
#include "base/map.h"

#include <stdlib.h>
#include <string.h>

#include "base/block.h"
#include "base/ensure.h"

#define SLOTS_MIN    8
#define PIECE_SLOTS  8192
#define PIECE_SHIFT  13
#define MOVE_SLOTS   8
#define READY_ADDS   (PIECE_SLOTS / 64)
#define SLOT_REMOVED 1

/*
 * A slot holds what most searches and moves need, so that they touch no entry, each of which may be
 * in no cache. The lowest 45 bits are the address without its last three. Above them are 4 bits
 * that say how many slots behind its place the entry stands, FAR_MAX for so many or more. Above
 * those are the bits 13 to 27 of the hash: of a table whose slots have at least 13 bits and at most
 * 27, that is all of the hash which, with the place, a table of twice its size needs.
 */
#define ADDRESS_BITS 45
#define ADDRESS_MASK ((UINT64_C(1) << ADDRESS_BITS) - 1)
#define ADDRESS_STEP 3
#define FAR_BITS     4
#define FAR_MAX      ((1u << FAR_BITS) - 1)
#define TAG_SHIFT    (ADDRESS_BITS + FAR_BITS)
#define TAG_BITS     (64 - TAG_SHIFT)
#define TAG_FROM     PIECE_SHIFT

_Static_assert(PIECE_SLOTS == 1 << PIECE_SHIFT, "one size");
_Static_assert(PIECE_SLOTS * sizeof(uint64_t) == BLOCK_BYTES, "a piece is a block");
_Static_assert(sizeof(void *) == 8 && ADDRESS_BITS + ADDRESS_STEP == 48, "addresses have 48 bits");

static uint64_t slot_of(void *entry, uint64_t hash, uint64_t far)
{
    return (uint64_t)(uintptr_t)entry >> ADDRESS_STEP |
           (far < FAR_MAX ? far : FAR_MAX) << ADDRESS_BITS | hash >> TAG_FROM << TAG_SHIFT;
}

static void *slot_entry(uint64_t slot)
{
    return (void *)(uintptr_t)((slot & ADDRESS_MASK) << ADDRESS_STEP);
}

static uint64_t slot_far(uint64_t slot)
{
    return slot >> ADDRESS_BITS & FAR_MAX;
}

static uint64_t slot_with_far(uint64_t slot, uint64_t far)
{
    return (slot & ~((uint64_t)FAR_MAX << ADDRESS_BITS)) | (far < FAR_MAX ? far : FAR_MAX)
                                                               << ADDRESS_BITS;
}

/* The same bits of the hash? An entry that is another's is seldom touched. */
static bool slot_is_tagged(uint64_t slot, uint64_t hash)
{
    return (slot ^ hash >> TAG_FROM << TAG_SHIFT) >> TAG_SHIFT == 0;
}

static bool slot_is_entry(uint64_t slot)
{
    return slot > SLOT_REMOVED;
}

static bool table_is_small(const struct map_table *t)
{
    return t->mask < PIECE_SLOTS;
}

static uint64_t slot_get(const struct map_table *t, uint64_t i)
{
    if (table_is_small(t))
        return t->slots[i];
    const uint64_t *piece = t->pieces[i >> PIECE_SHIFT];
    return piece == NULL ? 0 : piece[i & (PIECE_SLOTS - 1)];
}

static void slot_set(struct map_table *t, uint64_t i, uint64_t slot)
{
    if (table_is_small(t)) {
        t->slots[i] = slot;
        return;
    }
    uint64_t **piece = &t->pieces[i >> PIECE_SHIFT];
    if (*piece == NULL)
        *piece = block_get();
    (*piece)[i & (PIECE_SLOTS - 1)] = slot;
}

static void table_open(struct map_table *t, uint64_t slots)
{
    t->mask = slots - 1;
    t->used = 0;
    if (table_is_small(t))
        t->slots = xcalloc(slots, sizeof *t->slots);
    else
        t->pieces = xcalloc(slots >> PIECE_SHIFT, sizeof *t->pieces);
}

static void table_close(struct map_table *t)
{
    if (t->mask != 0 && table_is_small(t)) {
        free(t->slots);
    } else if (t->mask != 0) {
        for (uint64_t i = 0; i <= t->mask >> PIECE_SHIFT; i++) {
            if (t->pieces[i] != NULL)
                block_put(t->pieces[i]);
        }
        free(t->pieces);
    }
    *t = (struct map_table){0};
}

/* ---- the next table ---- */

static uint64_t next_pieces(const struct map *m)
{
    return (m->now.mask + 1) * 2 >> PIECE_SHIFT;
}

static void next_release(struct map *m)
{
    for (uint64_t i = 0; i < m->ready; i++)
        block_put(m->next[i]);
    free(m->next);
    m->next = NULL;
    m->ready = 0;
}

/* Takes the next piece, if it is time. */
static void next_prepare(struct map *m)
{
    uint64_t from = (m->now.mask + 1) / 32 * 19;

    if (table_is_small(&m->now) || m->now.used < from + m->ready * READY_ADDS ||
        m->ready == next_pieces(m))
        return;
    if (m->next == NULL)
        m->next = xcalloc(next_pieces(m), sizeof *m->next);
    m->next[m->ready++] = block_get();
}

/* ---- life ---- */

void map_init(struct map *m, const struct map_kind *kind)
{
    *m = (struct map){.kind = kind};
}

void map_release(struct map *m)
{
    next_release(m);
    table_close(&m->now);
    table_close(&m->old);
    m->moved = 0;
}

/* What a table of so many slots holds before it grows. */
static uint64_t entries_max(uint64_t slots)
{
    return slots / 8 * 5;
}

void map_reserve(struct map *m, uint64_t count)
{
    uint64_t slots = SLOTS_MIN;

    ENSURE(map_count(m) == 0 && count <= UINT64_C(1) << ADDRESS_BITS);
    map_release(m);
    while (entries_max(slots) < count)
        slots *= 2;
    table_open(&m->now, slots);
}

static bool slot_matches(const struct map *m, uint64_t slot, uint64_t hash, const void *key)
{
    return slot_is_tagged(slot, hash) && slot_is_entry(slot) &&
           m->kind->match(slot_entry(slot), key);
}

/* `now` always has empty slots, so the probing ends. */
static bool find_now(const struct map *m, uint64_t hash, const void *key, uint64_t *at)
{
    if (m->now.used == 0)
        return false;
    for (uint64_t i = hash & m->now.mask;; i = (i + 1) & m->now.mask) {
        uint64_t slot = slot_get(&m->now, i);
        if (slot == 0)
            return false;
        if (slot_matches(m, slot, hash, key)) {
            *at = i;
            return true;
        }
    }
}

/*
 * Entries below `moved` are gone, so probing skips those slots as if they were full: the chain of
 * an entry that is left ran through full slots when it was added, and none has become empty since,
 * because removing leaves a mark. There may be no empty slot left, so the slots are counted.
 */
static bool find_old(const struct map *m, uint64_t hash, const void *key, uint64_t *at)
{
    if (m->old.used == 0)
        return false;
    uint64_t i = hash & m->old.mask;
    if (i < m->moved)
        i = m->moved;
    for (uint64_t left = m->old.mask + 1 - m->moved; left > 0; left--) {
        uint64_t slot = slot_get(&m->old, i);
        if (slot == 0)
            return false;
        if (slot_matches(m, slot, hash, key)) {
            *at = i;
            return true;
        }
        i = i == m->old.mask ? m->moved : i + 1;
    }
    return false;
}

void *map_find(const struct map *m, uint64_t hash, const void *key)
{
    uint64_t at;
    if (find_now(m, hash, key, &at))
        return slot_entry(slot_get(&m->now, at));
    if (find_old(m, hash, key, &at))
        return slot_entry(slot_get(&m->old, at));
    return NULL;
}

static void set_now(struct map *m, uint64_t i, uint64_t hash, void *entry)
{
    slot_set(&m->now, i, slot_of(entry, hash, (i - hash) & m->now.mask));
}

static void add_now(struct map *m, uint64_t hash, void *entry)
{
    uint64_t i = hash & m->now.mask;
    while (slot_get(&m->now, i) != 0)
        i = (i + 1) & m->now.mask;
    set_now(m, i, hash, entry);
    m->now.used++;
}

static void prefetch_slot(const struct map_table *t, uint64_t hash)
{
    uint64_t i = hash & t->mask;

    /* GCC 12 takes a function that only prefetches for one that does nothing, and leaves out the
     * call; this is something. */
    __asm__ volatile("");
    if (t->mask == 0)
        return;
    if (table_is_small(t))
        __builtin_prefetch(&t->slots[i]);
    else if (t->pieces[i >> PIECE_SHIFT] != NULL)
        __builtin_prefetch(&t->pieces[i >> PIECE_SHIFT][i & (PIECE_SLOTS - 1)]);
}

void map_prefetch(const struct map *m, uint64_t hash)
{
    prefetch_slot(&m->now, hash);
    prefetch_slot(&m->old, hash);
}

/* How many slots are looked at for an entry that is only to be fetched: a cache line's. */
#define PREFETCH_SLOTS 8

static bool prefetch_entry(const struct map_table *t, uint64_t hash)
{
    if (t->used == 0)
        return false;
    for (uint64_t n = 0; n < PREFETCH_SLOTS; n++) {
        uint64_t slot = slot_get(t, (hash + n) & t->mask);
        if (slot == 0)
            return false;
        if (!slot_is_tagged(slot, hash) || !slot_is_entry(slot))
            continue;
        __builtin_prefetch(slot_entry(slot));
        return true;
    }
    return false;
}

void map_prefetch_entry(const struct map *m, uint64_t hash)
{
    if (!prefetch_entry(&m->now, hash))
        prefetch_entry(&m->old, hash);
}

/* Of the hash of the entry in slot i of `old`, the bits that `now` needs. */
static uint64_t moving_hash(const struct map *m, uint64_t i, uint64_t slot)
{
    if (m->old.mask < PIECE_SLOTS - 1 || m->now.mask >> (TAG_FROM + TAG_BITS) != 0 ||
        slot_far(slot) == FAR_MAX)
        return m->kind->hash(slot_entry(slot));
    return ((i - slot_far(slot)) & (PIECE_SLOTS - 1)) | slot >> TAG_SHIFT << TAG_FROM;
}

/* Empties the next few slots of `old`; gives back each piece when its last slot is empty. */
static void move_some(struct map *m)
{
    struct map_table *old = &m->old;
    if (old->mask == 0)
        return;

    for (int n = 0; n < MOVE_SLOTS && m->moved <= old->mask; n++) {
        uint64_t slot = slot_get(old, m->moved);
        if (slot_is_entry(slot)) {
            add_now(m, moving_hash(m, m->moved, slot), slot_entry(slot));
            old->used--;
        }
        m->moved++;
        if (!table_is_small(old) && m->moved % PIECE_SLOTS == 0) {
            uint64_t piece = (m->moved - 1) >> PIECE_SHIFT;
            if (old->pieces[piece] != NULL)
                block_put(old->pieces[piece]);
            old->pieces[piece] = NULL;
        }
    }
    if (m->moved > old->mask) {
        ENSURE(old->used == 0);
        /* All pieces are back already. */
        free(table_is_small(old) ? (void *)old->slots : (void *)old->pieces);
        *old = (struct map_table){0};
        m->moved = 0;
    }
}

static void grow(struct map *m)
{
    if (m->now.mask == 0) {
        table_open(&m->now, SLOTS_MIN);
        return;
    }
    ENSURE(m->old.mask == 0); /* the proof is at the top */
    uint64_t slots = (m->now.mask + 1) * 2;
    m->old = m->now;
    m->moved = 0;
    if (m->next == NULL) {
        table_open(&m->now, slots);
        return;
    }
    m->now = (struct map_table){.pieces = m->next, .mask = slots - 1};
    m->next = NULL;
    m->ready = 0;
}

static bool is_full(const struct map *m)
{
    return m->now.mask == 0 || m->now.used >= entries_max(m->now.mask + 1);
}

static void ensure_fits(const void *entry)
{
    uint64_t address = (uintptr_t)entry;
    ENSURE(address % (1u << ADDRESS_STEP) == 0);
    ENSURE(address >> ADDRESS_STEP > SLOT_REMOVED && address >> ADDRESS_STEP <= ADDRESS_MASK);
}

void map_add(struct map *m, uint64_t hash, void *entry)
{
    ensure_fits(entry);
    ENSURE(m->kind->hash(entry) == hash);

    move_some(m);
    if (is_full(m))
        grow(m);
    add_now(m, hash, entry);
    next_prepare(m);
}

bool map_add_new(struct map *m, uint64_t hash, const void *key, void *entry)
{
    uint64_t at, slot;

    ensure_fits(entry);
    move_some(m);
    if (is_full(m)) {
        if (map_find(m, hash, key) != NULL)
            return false;
        grow(m);
    }
    uint64_t i = hash & m->now.mask;
    for (; (slot = slot_get(&m->now, i)) != 0; i = (i + 1) & m->now.mask) {
        if (slot_matches(m, slot, hash, key))
            return false;
    }
    if (find_old(m, hash, key, &at))
        return false;
    set_now(m, i, hash, entry);
    m->now.used++;
    next_prepare(m);
    return true;
}

/* Empties slot i of `now`. What follows it up to the next empty slot may have been pushed there
 * past slot i, and would not be found any more: each that was moves into the hole. */
static void remove_now(struct map *m, uint64_t i)
{
    const uint64_t mask = m->now.mask;
    for (uint64_t j = (i + 1) & mask;; j = (j + 1) & mask) {
        uint64_t slot = slot_get(&m->now, j);
        if (slot == 0)
            break;
        uint64_t far = slot_far(slot), hole = (j - i) & mask;
        if (far == FAR_MAX)
            far = (j - m->kind->hash(slot_entry(slot))) & mask;
        if (far >= hole) {
            slot_set(&m->now, i, slot_with_far(slot, far - hole));
            i = j;
        }
    }
    slot_set(&m->now, i, 0);
    m->now.used--;
}

void *map_remove(struct map *m, uint64_t hash, const void *key)
{
    move_some(m);

    void *entry = NULL;
    uint64_t at;
    if (find_now(m, hash, key, &at)) {
        entry = slot_entry(slot_get(&m->now, at));
        remove_now(m, at);
    } else if (find_old(m, hash, key, &at)) {
        entry = slot_entry(slot_get(&m->old, at));
        slot_set(&m->old, at, SLOT_REMOVED);
        m->old.used--;
    }
    return entry;
}

uint64_t map_count(const struct map *m)
{
    return m->now.used + m->old.used;
}

/* The next entry of `t` from slot *i on; NULL, and *i behind the last slot, where there is none. */
static void *table_next(const struct map_table *t, uint64_t *i)
{
    if (t->mask == 0)
        return NULL;
    while (*i <= t->mask) {
        if (!table_is_small(t) && t->pieces[*i >> PIECE_SHIFT] == NULL) {
            *i = (*i | (PIECE_SLOTS - 1)) + 1;
            continue;
        }
        uint64_t slot = slot_get(t, (*i)++);
        if (slot_is_entry(slot))
            return slot_entry(slot);
    }
    return NULL;
}

/* *at counts the slots of `now`, then those of `old`. */
void *map_next(const struct map *m, uint64_t *at)
{
    const uint64_t slots = m->now.mask == 0 ? 0 : m->now.mask + 1;
    if (*at < slots) {
        void *entry = table_next(&m->now, at);
        if (entry != NULL)
            return entry;
    }
    uint64_t i = *at - slots;
    if (i < m->moved)
        i = m->moved;
    void *entry = table_next(&m->old, &i);
    *at = slots + i;
    return entry;
}
