/*
 * history: a group's messages by their numbers, and one by its id.
 */
#include "api/channel.h"
#include "api/field.h"
#include "api/query.h"
#include "api/resource.h"
#include "base/json_write.h"
#include "model/view.h"

#define LIMIT_DEFAULT 50
#define LIMIT_MAX     200
/* A page ends early where its texts have so many bytes, but never before its first message. */
#define PAGE_BYTES (1u << 20)

enum which { NEWEST, BEFORE, AFTER, AROUND };

/* Which messages somebody asks for. */
struct ask {
    enum which which;
    uint64_t seq;
    uint64_t limit;
};

/* Messages in the order of their numbers, none of them NULL. */
struct page {
    const struct message *at[LIMIT_MAX];
    uint32_t count;
    size_t bytes;
};

static bool page_add(struct page *p, const struct message *msg, uint64_t limit)
{
    if (msg == NULL || p->count >= limit || (p->count > 0 && p->bytes >= PAGE_BYTES))
        return false;
    p->at[p->count++] = msg;
    p->bytes += msg->data_len;
    if (msg->detailed)
        p->bytes += message_details(msg)->meta_len;
    return true;
}

/* Up to `limit` messages from number `seq` downwards. */
static void page_back(struct page *p, const struct member *mb, uint32_t seq, uint64_t limit)
{
    const struct message *msg = view_until(mb, seq);

    while (page_add(p, msg, limit))
        msg = msg->seq > 1 ? view_until(mb, msg->seq - 1) : NULL;
    for (uint32_t low = 0, high = p->count; low + 1 < high; low++) {
        const struct message *other = p->at[--high];
        p->at[high] = p->at[low];
        p->at[low] = other;
    }
}

/* Up to `limit` in all, from number `seq` upwards. */
static void page_on(struct page *p, const struct member *mb, uint32_t seq, uint64_t limit)
{
    const struct message *msg = view_from(mb, seq);

    while (page_add(p, msg, limit))
        msg = view_from(mb, msg->seq + 1);
}

static void page_fill(struct page *p, const struct member *mb, const struct ask *ask)
{
    uint32_t seq = ask->seq < UINT32_MAX ? (uint32_t)ask->seq : UINT32_MAX - 1;

    switch (ask->which) {
    case NEWEST:
        page_back(p, mb, UINT32_MAX, ask->limit);
        break;
    case BEFORE:
        if (seq > 1)
            page_back(p, mb, seq - 1, ask->limit);
        break;
    case AFTER:
        page_on(p, mb, seq + 1, ask->limit);
        break;
    case AROUND:
        page_back(p, mb, seq, (ask->limit + 1) / 2);
        page_on(p, mb, seq + 1, ask->limit);
        break;
    }
}

/* The number of the group's last message; for who has left, of the last that they see: how much is
 * written without them is not theirs to know. */
static uint32_t last_seq(const struct member *mb)
{
    if (member_is_active(mb))
        return mb->group->messages.count;
    const struct message *last = view_until(mb, UINT32_MAX);
    return last != NULL ? last->seq : 0;
}

/* The number with which what is kept begins; for who has left, of the first that they see. */
static uint64_t first_seq(const struct member *mb)
{
    if (member_is_active(mb))
        return (uint64_t)mb->group->expired + 1;
    const struct message *first = view_from(mb, 1);
    return first != NULL ? first->seq : 0;
}

/* "messages":[…],"first_seq":N,"last_seq":N,"more_before":B,"more_after":B */
static void add_page(struct buf *out, const struct model *m, const struct member *mb,
                     const struct page *p)
{
    bool before = p->count > 0 && p->at[0]->seq > 1 && view_until(mb, p->at[0]->seq - 1) != NULL;
    bool after = p->count > 0 && view_from(mb, p->at[p->count - 1]->seq + 1) != NULL;

    BUF_ADD_LIT(out, "\"messages\":[");
    for (uint32_t i = 0; i < p->count; i++) {
        if (i > 0)
            BUF_ADD_LIT(out, ",");
        resource_message(out, m, p->at[i], mb->user);
    }
    BUF_ADD_LIT(out, "],\"first_seq\":");
    json_add_uint(out, first_seq(mb));
    BUF_ADD_LIT(out, ",\"last_seq\":");
    json_add_uint(out, last_seq(mb));
    BUF_ADD_LIT(out, ",\"more_before\":");
    buf_add_bytes(out, before ? BYTES("true") : BYTES("false"));
    BUF_ADD_LIT(out, ",\"more_after\":");
    buf_add_bytes(out, after ? BYTES("true") : BYTES("false"));
}

/* The membership of `user` in the group, also one that has ended. */
static const struct member *find_member(const struct api *a, const struct uuid *group,
                                        const struct user *user)
{
    const struct model *m = engine_model(a->engine);
    const struct group *g = model_group_by_id(m, group);

    return g != NULL ? model_member(m, g, user) : NULL;
}

static enum err only_one(struct api *a, struct problem *problem)
{
    return field_fault(a, problem, "before_seq, after_seq and around_seq exclude each other.");
}

/* ---- REST ------------------------------------------------------------------------------------ */

static enum err read_query(struct call *call, struct ask *ask, struct problem *problem)
{
    static const char *const names[] = {"before_seq", "after_seq", "around_seq"};
    enum err err = query_uint(call, "limit", 1, LIMIT_MAX, &ask->limit, problem);

    for (unsigned i = 0; i < 3 && err == ERR_ok; i++) {
        uint64_t seq = UINT64_MAX;
        err = query_uint(call, names[i], 0, UINT32_MAX, &seq, problem);
        if (err != ERR_ok || seq == UINT64_MAX)
            continue;
        if (ask->which != NEWEST)
            return only_one(call->api, problem);
        ask->which = (enum which)(BEFORE + i);
        ask->seq = seq;
    }
    return err;
}

enum err history_list(struct call *call, struct problem *problem)
{
    struct api *a = call->api;
    struct ask ask = {.limit = LIMIT_DEFAULT};
    struct page page = {.count = 0};

    const struct member *mb = find_member(a, &call->id, call->user);
    if (mb == NULL)
        return ERR_group_not_found;
    enum err err = read_query(call, &ask, problem);
    if (err != ERR_ok)
        return err;
    page_fill(&page, mb, &ask);
    buf_reset(&a->body);
    BUF_ADD_LIT(&a->body, "{");
    add_page(&a->body, engine_model(a->engine), mb, &page);
    BUF_ADD_LIT(&a->body, "}");
    rest_answer(a, call->conn, 200, buf_bytes(&a->body));
    return ERR_ok;
}

enum err history_message(struct call *call, struct problem *problem)
{
    struct api *a = call->api;
    const struct model *m = engine_model(a->engine);
    const struct message *msg = model_message_by_id(m, &call->id);

    (void)problem;
    if (msg == NULL)
        return ERR_message_not_found;
    const struct member *mb = model_member(m, model_group(m, msg->group), call->user);
    if (mb == NULL || !view_sees(mb, msg))
        return ERR_message_not_found;
    buf_reset(&a->body);
    resource_message(&a->body, m, msg, call->user);
    rest_answer(a, call->conn, 200, buf_bytes(&a->body));
    return ERR_ok;
}

/* ---- RPC 21 ---------------------------------------------------------------------------------- */

static enum err read_body(struct rpc *rpc, struct uuid *group, struct ask *ask,
                          struct problem *problem)
{
    static const char *const names[] = {"before_seq", "after_seq", "around_seq"};
    struct api *a = rpc->api;
    int64_t n;

    enum err err = field_uuid(a, rpc->body, "group_id", group, problem);
    if (err == ERR_ok && field_there(rpc->body, "limit")) {
        err = field_int(a, rpc->body, "limit", 1, LIMIT_MAX, &n, problem);
        ask->limit = err == ERR_ok ? (uint64_t)n : 0;
    }
    for (unsigned i = 0; i < 3 && err == ERR_ok; i++) {
        if (!field_there(rpc->body, names[i]))
            continue;
        if (ask->which != NEWEST)
            return only_one(a, problem);
        err = field_int(a, rpc->body, names[i], 0, UINT32_MAX, &n, problem);
        ask->which = (enum which)(BEFORE + i);
        ask->seq = err == ERR_ok ? (uint64_t)n : 0;
    }
    return err;
}

enum err rpc_history(struct rpc *rpc, struct problem *problem)
{
    struct api *a = rpc->api;
    struct ask ask = {.limit = LIMIT_DEFAULT};
    struct page page = {.count = 0};
    struct uuid group;

    enum err err = read_body(rpc, &group, &ask, problem);
    if (err != ERR_ok)
        return err;
    const struct member *mb = find_member(a, &group, rpc->user);
    if (mb == NULL)
        return ERR_group_not_found;
    page_fill(&page, mb, &ask);
    buf_reset(&a->scratch);
    add_page(&a->scratch, engine_model(a->engine), mb, &page);
    buf_reset(&a->body);
    render_ok_with(&a->body, &rpc->reply, engine_now(a->engine), buf_bytes(&a->scratch));
    channel_send_body(a, rpc->channel->conn);
    return ERR_ok;
}
