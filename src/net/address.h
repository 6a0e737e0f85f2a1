/*
 * address: where a connection comes from, and whose request it is that a proxy hands on.
 *
 * An address is 16 bytes; IPv4 is mapped into IPv6 (RFC 4291, 2.5.5.2), so one client has one form.
 * Pure: nothing here asks a resolver or a socket.
 */
#ifndef NET_ADDRESS_H
#define NET_ADDRESS_H

#include "base/bytes.h"

struct http_request;

struct conn_address {
    uint8_t b[16];
};

/* Reads "192.0.2.1" or "2001:db8::1" (RFC 4291, 2.2): no port, brackets, zone or leading zeros. */
bool address_parse(struct bytes text, struct conn_address *out);

#define ADDRESS_NETS_MAX 64

struct address_net {
    struct conn_address first; /* no bit behind `bits` is set */
    uint8_t bits;              /* 0 to 128 */
};

struct address_nets {
    uint32_t count;
    struct address_net nets[ADDRESS_NETS_MAX];
};

/*
 * Reads addresses and networks ("10.0.0.0/8", "2001:db8::/32") with commas between; blanks around
 * them and empty elements are skipped. False, with what is wrong in *bad (a part of `list`), where
 * one is neither, has bits behind its prefix, or is more than ADDRESS_NETS_MAX; *out is then not to
 * be used.
 */
bool address_nets_parse(struct bytes list, struct address_nets *out, struct bytes *bad);

bool address_nets_have(const struct address_nets *nets, struct conn_address a);

/*
 * The client of a request that came from `peer`. A peer that is not in `trusted` is the client,
 * whatever it says. A trusted one is believed about who spoke to it: the last element of
 * X-Forwarded-For, of all its fields in their order; where that is trusted too, the element before
 * it, and so on. Where there is none left, or it is no address, the client is the last that was
 * believed. An element is an address, and IPv4:port, [IPv6] and [IPv6]:port count too.
 */
struct conn_address address_of_client(const struct address_nets *trusted, struct conn_address peer,
                                      const struct http_request *r);

/* What a rate counts by: IPv4 as it is, of IPv6 the first 64 bits, since a customer has as many
 * addresses as fit into the others (RFC 6177). */
struct conn_address address_counted(struct conn_address a);

#endif
