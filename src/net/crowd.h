/*
 * crowd: how many connections each address has, so that none has too many.
 *
 * IPv6 counts by its first 64 bits (address_counted). An address takes memory only while it has
 * connections. Loop thread only.
 */
#ifndef NET_CROWD_H
#define NET_CROWD_H

#include "base/map.h"
#include "net/address.h"

struct crowd {
    struct map addresses;
    uint32_t max; /* connections of an address; 0: no limit, nothing is counted */
    const struct address_nets *exempt; /* proxies speak for many; may be NULL; the caller's */
};

void crowd_init(struct crowd *cr, uint32_t max, const struct address_nets *exempt);
/* Forgets everybody. */
void crowd_release(struct crowd *cr);

/* May this address have one more connection? */
bool crowd_has_room(const struct crowd *cr, struct conn_address a);

/* A connection has come; it goes again with crowd_leave. */
void crowd_enter(struct crowd *cr, struct conn_address a);
void crowd_leave(struct crowd *cr, struct conn_address a);

#endif
