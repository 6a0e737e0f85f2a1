/*
 * http_fields: what a complete head means: target, host, framing, expectation, keep-alive, upgrade.
 * Pure functions over a request whose raw form http_head has passed.
 */
#ifndef NET_HTTP_FIELDS_H
#define NET_HTTP_FIELDS_H

#include "net/http.h"

/* How the body arrives, and whether the client waits for leave to send it. */
struct http_framing {
    bool chunked;
    bool has_length;
    uint64_t length;
    bool wants_continue;
};

/* Splits `target` into path, query and perhaps host (RFC 9112, 3.2). ERR_bad_request. */
enum err http_judge_target(struct http_request *r, struct bytes target) MUST_CHECK;

/* Sets host, keep_alive, upgrade and websocket_key from the fields, and *f. method, version_1_1,
 * fields and target are set already. ERR_bad_request, ERR_not_implemented (a transfer coding that
 * is not known), ERR_expectation_failed, ERR_too_large (the length is over body_max). */
enum err http_judge_fields(struct http_request *r, uint32_t body_max,
                           struct http_framing *f) MUST_CHECK;

#endif
