#include "api/api.h"

#include "api/channel.h"
#include "api/pending.h"
#include "api/poll.h"
#include "api/presence.h"
#include "api/rest.h"
#include "api/typing.h"
#include "base/clock.h"

/* Keys that a limit remembers: 8 bytes each and a fingerprint. */
#define LIMIT_ENTRIES 65536

/* When a client may look whether the server is back. */
#define RETRY_AFTER_S 1

void api_init(struct api *a)
{
    a->stats.start_ms = clock_wall_ms();
    typing_init(a);
    presence_init(a);
    list_init(&a->polls);
    list_init(&a->woken_polls);
    a->requests_by_user = limit_table_new(LIMIT_ENTRIES, &a->limits.request_user);
    a->requests_by_address = limit_table_new(LIMIT_ENTRIES, &a->limits.request_address);
    a->register_by_address = limit_table_new(LIMIT_ENTRIES, &a->limits.register_);
    a->login_by_account = limit_table_new(LIMIT_ENTRIES, &a->limits.login_account);
    a->login_by_address = limit_table_new(LIMIT_ENTRIES, &a->limits.login_address);
}

void api_release(struct api *a)
{
    typing_release(a);
    presence_release(a);
    limit_table_free(a->requests_by_user);
    limit_table_free(a->requests_by_address);
    limit_table_free(a->register_by_address);
    limit_table_free(a->login_by_account);
    limit_table_free(a->login_by_address);
    arena_release(&a->arena);
    buf_release(&a->body);
    buf_release(&a->frames);
    buf_release(&a->scratch);
    pending_release(a);
}

struct net_hooks api_net_hooks(struct api *a)
{
    return (struct net_hooks){.ctx = a,
                              .on_request = rest_on_request,
                              .on_bad_request = rest_on_bad_request,
                              .on_message = channel_on_message,
                              .on_drained = channel_on_drained,
                              .on_closed = channel_on_closed};
}

struct engine_hooks api_engine_hooks(struct api *a)
{
    return (struct engine_hooks){.ctx = a, .tell = tell_event, .soon = tell_soon};
}

void api_stop(struct api *a)
{
    polls_end(a);
}

bool api_turn(struct api *a)
{
    bool more = presence_turn(a);
    return polls_turn(a) || more;
}

void api_tick(struct api *a)
{
    polls_tick(a);
    typing_tick(a);
    presence_tick(a);
}

uint32_t api_pending(const struct api *a)
{
    return a->pending_count;
}

void api_drain(struct api *a, struct net *n)
{
    buf_reset(&a->body);
    render_goodbye(&a->body, engine_now(a->engine), RETRY_AFTER_S);
    struct frame *f = frame_new_text(buf_bytes(&a->body));
    net_send_all(n, f);
    frame_unref(f);
    a->draining = true;
    polls_end(a);
}
