/*
 * origin: which web pages may use the server (RFC 6454; CORS as the Fetch standard has it).
 *
 * The list is the operator's and exact: no wildcard, no pattern, no "null". Nothing here gives a
 * page anything that it could not have from outside a browser: there are no cookies, and a page has
 * to know a token or a messaging URL to be somebody. So credentials are never allowed, and clients
 * that send no Origin are not concerned.
 */
#ifndef API_ORIGIN_H
#define API_ORIGIN_H

#include "net/http.h"

#define ORIGINS_MAX 64

struct origins {
    uint32_t count;
    struct bytes list[ORIGINS_MAX]; /* borrowed */
};

/*
 * Reads origins with commas between; blanks around them and empty elements are skipped. False, with
 * what is wrong in *bad (a part of `list`), where one is not scheme://host[:port] as browsers write
 * it (lower case, no default port, nothing behind), or is more than ORIGINS_MAX; *out is then not
 * to be used. Else *out borrows `list`.
 */
bool origins_parse(struct bytes list, struct origins *out, struct bytes *bad);

/* The place, from 1, of the request's Origin in the list; 0 where it is not there, or the request
 * has none, or two. */
uint16_t origins_place(const struct origins *o, const struct http_request *r);

/* May this handshake open a WebSocket (RFC 6455, 10.2)? It may where it has no Origin, where
 * nothing is listed, and where its Origin is. */
bool origins_admit(const struct origins *o, const struct http_request *r);

/* Bytes that origins_fields writes at most. */
#define ORIGINS_FIELDS_MAX 512

/* The fields of every answer: whose pages may read it. `place` as above. Nothing where nothing is
 * listed. Returns how many bytes it wrote. */
size_t origins_fields(const struct origins *o, uint16_t place, char out[ORIGINS_FIELDS_MAX]);

/* Is it a preflight (Fetch, 3.2.2)? */
bool origins_is_preflight(const struct http_request *r);

#endif
