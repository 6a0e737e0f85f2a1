#include "api/details.h"

#include "api/field.h"

static enum err read_reply_to(struct api *a, struct json body, struct record_message_send *send,
                              struct problem *problem)
{
    struct uuid id;

    enum err err = field_uuid(a, body, "reply_to", &id, problem);
    if (err != ERR_ok)
        return err;
    const struct message *to = model_message_by_id(engine_model(a->engine), &id);
    if (to == NULL || to->group != send->group)
        return field_fault(a, problem, "reply_to must be a message of the group.");
    send->reply_to = to->seq;
    return ERR_ok;
}

static bool has_number(const struct buf *numbers, uint32_t number)
{
    struct record_u32s list = {numbers->p, (uint32_t)(numbers->len / 4)};
    uint32_t i = 0;

    while (i < list.count && record_u32s_at(&list, i) != number)
        i++;
    return i < list.count;
}

/* Who is named twice counts once. */
static enum err read_mentions(struct api *a, struct json body, struct record_message_send *send,
                              struct problem *problem)
{
    struct json list = json_member(body, "mentions");
    uint32_t max = a->limits.mentions_max;

    if (json_type(list) != JSON_ARRAY || json_count(list) > max)
        return field_fault(a, problem, "mentions must be an array of at most %u user ids.", max);
    size_t size = 4 * (size_t)json_count(list);
    struct buf numbers = {arena_alloc(&a->arena, size), 0, size};
    for (struct json e = json_first(list); json_type(e) != JSON_NONE; e = json_next(e)) {
        struct bytes text;
        struct uuid id;
        if (!json_string(e, &a->arena, &text) || !uuid_parse(text, &id))
            return field_fault(a, problem, "mentions must hold UUIDs.");
        const struct user *u = model_user_by_id(engine_model(a->engine), &id);
        if (u == NULL)
            return field_fault(a, problem, "mentions must be members of the group.");
        if (!has_number(&numbers, u->number))
            buf_add_u32le(&numbers, u->number);
    }
    send->mentions = (struct record_u32s){numbers.p, (uint32_t)(numbers.len / 4)};
    return ERR_ok;
}

/* Kept as the client wrote it. */
static enum err read_meta(struct api *a, struct json body, struct record_message_send *send,
                          struct problem *problem)
{
    struct json meta = json_member(body, "meta");
    struct bytes text = json_raw(meta);

    if (json_type(meta) != JSON_OBJECT || text.len > a->limits.meta_max)
        return field_fault(a, problem, "meta must be an object of at most %u bytes.",
                           a->limits.meta_max);
    send->meta = text;
    return ERR_ok;
}

enum err details_read(struct api *a, struct json body, struct record_message_send *send,
                      struct problem *problem)
{
    enum err err = ERR_ok;

    if (field_there(body, "reply_to"))
        err = read_reply_to(a, body, send, problem);
    if (err == ERR_ok && field_there(body, "mentions"))
        err = read_mentions(a, body, send, problem);
    if (err == ERR_ok && field_there(body, "meta"))
        err = read_meta(a, body, send, problem);
    return err;
}
