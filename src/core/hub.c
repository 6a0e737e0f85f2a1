#include "core/hub.h"

#include "base/ensure.h"

/* The annotations of users and sessions are this room's; the rest of them stays const. */
static void session_used(const struct session *s, int64_t now_ms)
{
    ((struct session *)(uintptr_t)s)->annotation = (uint32_t)(now_ms / 1000);
}

static void attach(struct listener *l, struct user *u, const struct session *session)
{
    ENSURE(l->user == NULL);
    l->user = u;
    l->session = session;
    l->next = u->annotation.p;
    u->annotation.p = l;
}

void hub_attach(struct listener *l, const struct session *session)
{
    attach(l, session->user, session);
}

void hub_attach_user(struct listener *l, const struct user *u)
{
    attach(l, (struct user *)(uintptr_t)u, NULL);
}

void hub_detach(struct listener *l, int64_t now_ms)
{
    if (l->user == NULL)
        return;
    for (struct listener *at = l->user->annotation.p, *before = NULL; at != NULL;
         before = at, at = at->next) {
        if (at != l)
            continue;
        if (before == NULL)
            l->user->annotation.p = l->next;
        else
            before->next = l->next;
        break;
    }
    if (l->session != NULL)
        session_used(l->session, now_ms);
    l->user = NULL;
    l->session = NULL;
    l->next = NULL;
}

bool hub_has_socket(const struct user *u)
{
    const struct listener *l = hub_first(u);

    while (l != NULL && l->session == NULL)
        l = l->next;
    return l != NULL;
}

int64_t hub_last_used(const struct user *u)
{
    uint32_t last_s = 0;

    for (const struct session *s = u->sessions; s != NULL; s = s->next)
        last_s = s->annotation > last_s ? s->annotation : last_s;
    return (int64_t)last_s * 1000;
}

uint32_t hub_session_sockets(const struct session *s, struct listener **oldest)
{
    uint32_t count = 0;

    *oldest = NULL;
    for (struct listener *l = hub_first(s->user); l != NULL; l = l->next) {
        if (l->session == s) {
            count++;
            *oldest = l;
        }
    }
    return count;
}

const struct session *hub_longest_unused(const struct user *u)
{
    const struct session *best = NULL;
    int64_t best_used = 0;

    for (const struct session *s = u->sessions; s != NULL; s = s->next) {
        struct listener *oldest;
        int64_t used = s->created_at / 1000;
        if (s->annotation > used)
            used = s->annotation;
        if (hub_session_sockets(s, &oldest) > 0)
            used += INT64_MAX / 2;
        if (best == NULL || used <= best_used) {
            best = s;
            best_used = used;
        }
    }
    return best;
}
