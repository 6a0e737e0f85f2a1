/*
 * map: a hash table of pointers that never stalls.
 *
 * The entries are the caller's; the map holds 8 bytes a slot, shortly before it grows also those of
 * its next size, and nothing else. From 5/16 to 5/8 of the slots are in use (a map that shrinks
 * keeps its slots). The key is inside the entry: a `struct map_kind` says how to hash an entry and
 * how to match one with a key. Keys that a client chooses must be hashed with crypto_siphash;
 * random UUIDs hash as themselves.
 *
 * Growth is incremental: an add or a remove moves a bounded number of entries, and memory is taken
 * before it is needed and given back in pieces of 64 KiB, so that no operation takes long, with ten
 * million entries too. find never moves anything and may run on a const map. Order of walking
 * is not defined: nothing that is told to anybody may depend on it.
 */
#ifndef BASE_MAP_H
#define BASE_MAP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct map_kind {
    uint64_t (*hash)(const void *entry);               /* the same for the life of the entry */
    bool (*match)(const void *entry, const void *key); /* is this the entry of that key? */
};

/* A slot is 0 (empty), 1 (removed; in `old` only), or an entry: from the top 15 bits of its hash,
 * how far it is from its place, and its address, of which the lowest three bits are zero. */
struct map_table {
    union {
        uint64_t *slots;   /* up to 8192 slots: one array */
        uint64_t **pieces; /* more: pieces of 8192 slots, NULL where none was needed yet */
    };
    uint64_t mask; /* slots - 1; slots is a power of two; 0: there is no table */
    uint64_t used; /* entries in this table */
};

struct map {
    const struct map_kind *kind;
    struct map_table now; /* where new entries go */
    struct map_table old; /* being emptied into `now`; no table when there is nothing to do */
    uint64_t moved;       /* slots of `old` below this were emptied and are not looked at again */
    uint64_t **next;      /* pieces of the table that follows `now`, as far as they are ready */
    uint64_t ready;       /* so many of them */
};

/* An empty map; `kind` must outlive it. Takes no memory before the first add. */
void map_init(struct map *m, const struct map_kind *kind);

/* Frees the table, not the entries. Idempotent. */
void map_release(struct map *m);

/* Makes a map that has no entry large enough for `count` entries, so that it need not grow on the
 * way there. More may come all the same, or fewer: memory is taken as entries come. */
void map_reserve(struct map *m, uint64_t count);

/* The entry of `key`, whose hash is `hash`, or NULL. */
void *map_find(const struct map *m, uint64_t hash, const void *key);

/* Fetches the place of a key into the cache, for a find or add that follows some work later. */
void map_prefetch(const struct map *m, uint64_t hash);

/* Fetches the entry itself; its place should be in the cache by now. A guess, from the bits of the
 * hash that stand there: it may fetch another entry, or none. */
void map_prefetch_entry(const struct map *m, uint64_t hash);

/* Adds `entry` (not NULL, at a multiple of 8), whose hash is `hash` and whose key must not be in
 * the map. */
void map_add(struct map *m, uint64_t hash, void *entry);

/* Adds `entry`, whose key and hash these are, unless the map has an entry of that key: then false,
 * and nothing changes. One search instead of a find and an add; that the hash is the entry's is not
 * checked. */
bool map_add_new(struct map *m, uint64_t hash, const void *key, void *entry);

/* Takes the entry of `key` out and returns it, or NULL where there is none. */
void *map_remove(struct map *m, uint64_t hash, const void *key);

/* How many entries there are. */
uint64_t map_count(const struct map *m);

/* The next entry from `*at` on (start with 0), or NULL at the end. The map must not change
 * during the walk. */
void *map_next(const struct map *m, uint64_t *at);

#endif
