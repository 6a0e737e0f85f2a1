/*
 * render: the only place where JSON shapes are written. Everything is added to *out, a buf, as
 * UTF-8 without a frame. The same change gives the same bytes live, on catch-up and after a
 * restart, since all come from here.
 */
#ifndef API_RENDER_H
#define API_RENDER_H

#include "api/api.h"

/* The body of a refused REST request; `detail` NULL for the error's own sentence. */
void render_error(struct buf *out, enum err err, const char *detail);

/* An event of the model (20, 22, 23, 70, 72, 73) as everybody who sees it gets it. */
void render_event(struct buf *out, const struct event *e);

/* Event 20 of a message that was just committed, and how many bytes of it event 21 begins with but
 * for its number. */
size_t render_posted(struct buf *out, const struct event *e);

/* Makes event 21 of what render_posted wrote to `out`, which holds nothing else; `shared` is what
 * it returned. */
void render_sent_of_posted(struct buf *out, size_t shared, const struct message *msg);

/* Event 21, what the sender of a message gets. `duplicate`: it was sent before. */
void render_sent(struct buf *out, const struct model *m, const struct message *msg, bool duplicate);

/* Events 40 and 41. */
void render_typing(struct buf *out, bool starts, int64_t time, const struct group *g,
                   const struct user *u);

/* Event 29: what is unread in the member's group, and, unless `total` is NULL, in all of theirs. */
void render_unread(struct buf *out, int64_t time, const struct member *mb, const uint64_t *total);

/* Event 42. */
void render_presence(struct buf *out, int64_t time, const struct user *u, bool online,
                     int64_t last_seen);

/* What an RPC's reply echoes: its "id" as it stood, empty for none. */
struct reply {
    struct bytes id;
    int method;
};

/* The reply 11 of an RPC that was done; with a message, what 21 says of it. */
void render_ok(struct buf *out, const struct reply *reply, int64_t time, const struct model *m,
               const struct message *msg, bool duplicate);

/* The reply 11 of an RPC that was done, with more members of its body: "name":value,… */
void render_ok_with(struct buf *out, const struct reply *reply, int64_t time, struct bytes members);

/* The reply 11 of an RPC that was refused. */
void render_refusal(struct buf *out, const struct reply *reply, int64_t time, enum err err,
                    const struct problem *problem);

/* Event 10: who you are and where the journal stands. */
void render_hello(struct buf *out, const struct api *a, const struct session *s, int64_t time);

/* Event 13: the server goes away and may be there again after so many seconds. */
void render_goodbye(struct buf *out, int64_t time, uint32_t retry_after_s);

/* Event 12: the end of an answer to method 20. */
void render_marker(struct buf *out, int64_t time, uint64_t cursor, const struct uuid *epoch,
                   bool more, bool reset);

#endif
