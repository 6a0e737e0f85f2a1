#include "base/ensure.h"
#include "net/inside.h"

/*
 * A connection is in the slot of the second at which something may be due. Signs of life only store
 * a time: when the slot comes, the connection is looked at, and put further on where it has lived.
 * Seconds are whole, so one is added: nothing is ever due too early.
 */

static uint32_t period_s(const struct conn *c)
{
    const struct net_options *o = &c->net->options;
    switch ((enum due)c->due) {
    case DUE_NONE:
        break;
    case DUE_HEAD:
        return o->head_timeout_s;
    case DUE_BODY:
        return o->body_timeout_s;
    case DUE_IDLE:
        return o->idle_timeout_s;
    case DUE_PING:
        return c->pinged ? 2 * o->ping_interval_s : o->ping_interval_s;
    case DUE_CLOSE:
        return DUE_CLOSE_S;
    }
    return 0;
}

static uint32_t due_at(const struct conn *c)
{
    uint32_t at = c->since_s + period_s(c) + 1;
    if (c->due == DUE_PING && c->ws.late_s > 0 && c->ws.late_s < at)
        at = c->ws.late_s; /* signs of life do not put this off */
    return at;
}

static void place(struct conn *c)
{
    struct net *n = c->net;
    uint32_t at = due_at(c);
    if (at <= n->due_s)
        at = n->due_s + 1;
    if (at - n->due_s >= DUE_SLOTS)
        at = n->due_s + DUE_SLOTS - 1; /* far away: looked at on the way */
    list_remove(&c->due_node);
    list_append(&n->due[at % DUE_SLOTS], &c->due_node);
}

void due_init(struct net *n)
{
    for (unsigned i = 0; i < DUE_SLOTS; i++)
        list_init(&n->due[i]);
    n->due_s = n->now_s;
}

void due_set(struct conn *c, enum due due)
{
    c->due = (uint8_t)due;
    c->since_s = c->net->now_s;
    if (due == DUE_NONE)
        list_remove(&c->due_node);
    else
        place(c);
}

static void fire(struct conn *c)
{
    uint64_t *cut = c->net->stats.cut;

    switch ((enum due)c->due) {
    case DUE_NONE:
        return;
    case DUE_HEAD:
    case DUE_BODY:
        cut[c->due == DUE_HEAD ? NET_CUT_HEAD : NET_CUT_BODY]++;
        conn_http_late(c);
        return;
    case DUE_PING:
        if (c->ws.late_s > 0 && c->ws.late_s <= c->net->now_s)
            conn_ws_late(c);
        else
            conn_ws_silent(c);
        if (c->due == DUE_PING)
            place(c);
        return;
    case DUE_IDLE:
    case DUE_CLOSE:
        cut[c->due == DUE_IDLE ? NET_CUT_IDLE : NET_CUT_CLOSING]++;
        conn_kill(c);
        return;
    }
}

static void sweep_slot(struct net *n, struct list *slot)
{
    struct list now; /* a slot of its own, so that what is put back is not met again */
    if (list_empty(slot))
        return;
    now = *slot;
    now.next->prev = now.prev->next = &now;
    list_init(slot);
    while (!list_empty(&now)) {
        struct conn *c = LIST_OWNER(now.next, struct conn, due_node);
        list_remove(&c->due_node);
        if (due_at(c) <= n->now_s)
            fire(c);
        else
            place(c);
    }
}

void due_sweep(struct net *n)
{
    uint32_t from = n->due_s + 1;
    if (n->now_s < from)
        return;
    if (n->now_s - from >= DUE_SLOTS)
        from = n->now_s - DUE_SLOTS + 1;
    n->due_s = n->now_s;
    for (uint32_t s = from; s <= n->now_s; s++)
        sweep_slot(n, &n->due[s % DUE_SLOTS]);
}
