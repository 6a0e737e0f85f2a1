/*
 * url: which URLs a hook may have: http://host[:port][/path][?query], or https.
 *
 * A host, which may be a name or an address, IPv6 in brackets; no user and no password, no
 * fragment, and only characters that stand in a URL as they are (RFC 3986, 2).
 */
#ifndef HOOKS_URL_H
#define HOOKS_URL_H

#include "base/bytes.h"

bool hook_url_valid(struct bytes url);

#endif
