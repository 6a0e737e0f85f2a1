/*
 * tell: an event, encoded once, to everybody who sees it.
 *
 * Cost of a fan-out: one encoding, one frame, then a pointer a receiver; the net joins what a turn
 * of the loop produced for a socket into one system call.
 */
#include "api/channel.h"
#include "api/poll.h"
#include "api/typing.h"
#include "base/ensure.h"
#include "model/view.h"

/* Groups over which what somebody has not read is summed up, each time that they read. */
#define TOTAL_GROUPS 1000u

/* A poll is woken by what stays only: it would find nothing else, and looking is a walk through its
 * user's groups, which nobody else may cause by typing. */
static void frame_to_user(struct api *a, struct frame *f, const struct user *u,
                          const struct conn *origin)
{
    for (struct listener *l = hub_first(u); l != NULL; l = l->next) {
        if (l->live && channel_of(l)->conn != origin)
            conn_send(channel_of(l)->conn, f);
        else if (l->waits && a->tells_commit)
            poll_wake(a, l);
    }
}

void tell_frame(struct api *a, struct frame *f, const struct user *u)
{
    frame_to_user(a, f, u, NULL);
}

static struct frame *frame_of_body(struct api *a)
{
    return frame_new_text(buf_bytes(&a->body));
}

void tell_user(struct api *a, const struct user *u, const struct conn *origin)
{
    struct frame *f;

    if (hub_first(u) == NULL)
        return;
    f = frame_of_body(a);
    frame_to_user(a, f, u, origin);
    frame_unref(f);
}

static void frame_to_members(struct api *a, struct frame *f, const struct group *g,
                             const struct user *except, const struct conn *origin)
{
    for (uint32_t i = 0; i < g->active.count; i++) {
        const struct member *mb = vec_at(&g->active, i);
        if (mb->user != except)
            frame_to_user(a, f, mb->user, origin);
    }
}

void tell_members(struct api *a, const struct group *g, const struct user *except,
                  const struct conn *origin)
{
    struct frame *f = frame_of_body(a);
    frame_to_members(a, f, g, except, origin);
    frame_unref(f);
}

void tell_hearers(struct api *a, const struct group *g, const struct user *u)
{
    struct frame *f = frame_of_body(a);

    for (uint32_t i = 0; i < g->active.count; i++) {
        const struct member *mb = vec_at(&g->active, i);
        if (mb->user != u && !user_blocks(mb->user, u))
            frame_to_user(a, f, mb->user, NULL);
    }
    frame_unref(f);
}

/* To the members who may see the message: not to those for whom it was before their time. */
static void tell_seers(struct api *a, const struct event *e)
{
    struct frame *f = frame_of_body(a);

    for (uint32_t i = 0; i < e->group->active.count; i++) {
        const struct member *mb = vec_at(&e->group->active, i);
        if (view_sees(mb, e->message))
            frame_to_user(a, f, mb->user, NULL);
    }
    frame_unref(f);
}

/* Does the socket get what happens? One that is being caught up gets it with what it missed. */
static bool is_live(struct conn *c)
{
    const struct channel *ch = c != NULL ? conn_data(c) : NULL;
    return ch != NULL && ch->listener.live;
}

/* The socket that sent a message gets 21 where the others get 20. */
static void tell_posted(struct api *a, const struct event *e, struct conn *origin)
{
    size_t shared = render_posted(&a->body, e);
    struct frame *posted = frame_of_body(a);
    struct frame *sent = NULL;

    if (is_live(origin)) {
        render_sent_of_posted(&a->body, shared, e->message);
        sent = frame_of_body(a);
    }
    frame_to_members(a, posted, e->group, NULL, origin);
    frame_unref(posted);
    if (sent != NULL) {
        conn_send(origin, sent);
        frame_unref(sent);
    }
}

/* What is unread in all groups of the user; false where they were in more than is quickly seen. */
static bool total_unread(const struct user *u, uint64_t *total)
{
    *total = 0;
    if (u->memberships.count > TOTAL_GROUPS)
        return false;
    for (uint32_t i = 0; i < u->memberships.count; i++) {
        const struct member *mb = vec_at(&u->memberships, i);
        if (member_is_active(mb))
            *total += view_unread(mb);
    }
    return true;
}

/* The reader's other devices: what is unread now. */
static void tell_unread(struct api *a, const struct group *g, const struct user *u,
                        const struct conn *origin)
{
    const struct member *mb = model_member(engine_model(a->engine), g, u);
    uint64_t total;
    bool others = false;

    for (struct listener *l = hub_first(u); l != NULL && !others; l = l->next)
        others = l->live && channel_of(l)->conn != origin;
    if (!others)
        return;
    bool has_total = total_unread(u, &total);
    buf_reset(&a->body);
    render_unread(&a->body, engine_now(a->engine), mb, has_total ? &total : NULL);
    struct frame *f = frame_of_body(a);
    frame_to_user(a, f, u, origin);
    frame_unref(f);
}

static void end_session(struct api *a, const struct session *s)
{
    struct listener *next;

    for (struct listener *l = hub_first(s->user); l != NULL; l = next) {
        next = l->next;
        if (l->session != s)
            continue;
        channel_detach(a, channel_of(l));
        conn_close(channel_of(l)->conn, WS_CLOSE_SESSION_ENDED, BYTES("the session was ended"));
    }
}

static void tell_commit(struct api *a, const struct event *event, void *origin)
{
    if (event->type == EVENT_session_ended) {
        end_session(a, event->session);
        return;
    }
    if (event->type == EVENT_tokens_ended) {
        polls_refuse(a, event->user);
        return;
    }
    if (event->type == EVENT_message_posted) {
        a->stats.messages++;
        typing_end(a, event->user, event->group);
        buf_reset(&a->body);
        tell_posted(a, event, origin);
        return;
    }
    if (event->type == EVENT_member_removed)
        typing_end(a, event->user, event->group);
    buf_reset(&a->body);
    render_event(&a->body, event);
    switch (event->type) {
    case EVENT_message_delivered:
    case EVENT_message_read:
        /* The reader's other devices; the author's all. */
        tell_user(a, event->to, event->to == event->user ? origin : NULL);
        if (event->type == EVENT_message_read && event->to == event->user)
            tell_unread(a, event->group, event->user, origin);
        break;
    case EVENT_message_updated:
    case EVENT_message_deleted:
    case EVENT_message_reacted:
        tell_seers(a, event);
        break;
    case EVENT_group_created:
    case EVENT_group_changed:
    case EVENT_group_deleted:
    case EVENT_member_added:
    case EVENT_role_given:
        tell_members(a, event->group, NULL, NULL);
        break;
    case EVENT_member_removed:
        tell_members(a, event->group, NULL, NULL);
        tell_user(a, event->to, NULL);
        break;
    case EVENT_message_posted:
    case EVENT_session_ended:
    case EVENT_tokens_ended:
        ENSURE(!"handled above");
    }
}

void tell_soon(void *ctx, const struct listener *l)
{
    (void)ctx;
    if (l->live)
        conn_prefetch(channel_of((struct listener *)(uintptr_t)l)->conn);
}

void tell_event(void *ctx, const struct event *event, void *origin)
{
    struct api *a = ctx;

    a->tells_commit = true;
    tell_commit(a, event, origin);
    a->tells_commit = false;
}
