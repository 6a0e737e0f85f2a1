/*
 * details: the optional fields of a message from outside: reply_to, mentions and meta.
 */
#ifndef API_DETAILS_H
#define API_DETAILS_H

#include "api/rest.h"

/* Reads them from a body into reply_to, mentions and meta of *send, whose group is set; what is not
 * there stays as it is. Borrowed from the body and the arena. ERR_invalid_field, with
 * problem->detail. Whether the author may say this is the law's. */
enum err details_read(struct api *a, struct json body, struct record_message_send *send,
                      struct problem *problem) MUST_CHECK;

static inline bool details_there(const struct record_message_send *send)
{
    return send->reply_to > 0 || send->mentions.count > 0 || send->meta.len > 0;
}

#endif
