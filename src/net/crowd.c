#include "net/crowd.h"

#include <stdlib.h>

#include "base/crypto.h"
#include "base/ensure.h"

struct group {
    struct conn_address address;
    uint32_t count;
};

/* A client may choose among many addresses. */
static uint64_t hash_address(const struct conn_address *a)
{
    return crypto_siphash(bytes_of(a->b, sizeof a->b));
}

static uint64_t hash_group(const void *entry)
{
    return hash_address(&((const struct group *)entry)->address);
}

static bool match_group(const void *entry, const void *key)
{
    const struct group *g = entry;
    return memcmp(&g->address, key, sizeof g->address) == 0;
}

void crowd_init(struct crowd *cr, uint32_t max, const struct address_nets *exempt)
{
    static const struct map_kind kind = {hash_group, match_group};
    map_init(&cr->addresses, &kind);
    cr->max = max;
    cr->exempt = exempt;
}

void crowd_release(struct crowd *cr)
{
    uint64_t at = 0;
    for (void *g; (g = map_next(&cr->addresses, &at)) != NULL;)
        free(g);
    map_release(&cr->addresses);
}

bool crowd_has_room(const struct crowd *cr, struct conn_address a)
{
    if (cr->max == 0 || (cr->exempt != NULL && address_nets_have(cr->exempt, a)))
        return true;
    a = address_counted(a);
    const struct group *g = map_find(&cr->addresses, hash_address(&a), &a);
    return g == NULL || g->count < cr->max;
}

void crowd_enter(struct crowd *cr, struct conn_address a)
{
    if (cr->max == 0)
        return;
    a = address_counted(a);
    uint64_t hash = hash_address(&a);
    struct group *g = map_find(&cr->addresses, hash, &a);
    if (g == NULL) {
        g = xcalloc(1, sizeof *g);
        g->address = a;
        map_add(&cr->addresses, hash, g);
    }
    g->count++;
}

void crowd_leave(struct crowd *cr, struct conn_address a)
{
    if (cr->max == 0)
        return;
    a = address_counted(a);
    uint64_t hash = hash_address(&a);
    struct group *g = map_find(&cr->addresses, hash, &a);
    ENSURE(g != NULL);
    if (--g->count > 0)
        return;
    map_remove(&cr->addresses, hash, &a);
    free(g);
}
