/*
 * load_messages: the messages of a snapshot, and what was done to them: nearly all there is.
 */
#include "model/load_inside.h"

/* ---- messages -------------------------------------------------------------------------------- */

static struct message *load_message(struct model *m, struct bytes *in)
{
    struct load_group *lg = &m->load->group;
    struct message_source s = {0};
    struct member *author;
    struct commit c;
    uint8_t client_id_len;
    uint32_t data_len;

    if (!take_member(lg->g, in, &author) || !take_moment(m, in, &c) ||
        !take_u8(in, &client_id_len) || !take_u32(in, &data_len) ||
        !take_array(in, s.id.b, sizeof s.id.b) || !take(in, client_id_len, &s.client_id) ||
        !take(in, data_len, &s.data) || lg->g->messages.count - lg->g->expired >= lg->messages ||
        !member_saw(author, c.cursor))
        return NULL;
    return state_new_message(m, author, &s, &c);
}

bool load_messages(struct model *m, struct bytes *in)
{
    struct message *batch[STATE_BATCH];
    uint32_t count = 0;

    for (; count < STATE_BATCH && in->len > 0; count++) {
        batch[count] = load_message(m, in);
        if (batch[count] == NULL)
            return false;
    }
    return state_index_messages(m, batch, count);
}

/* ---- amendments ------------------------------------------------------------------------------ */

/* Something that was done to `msg`, or to a message with reactions: after it, and before the end.
 */
static bool take_done(const struct model *m, struct bytes *in, const struct message *msg,
                      struct commit *c)
{
    return take_upto(in, m->cursor, &c->cursor) && c->cursor > msg->cursor &&
           take_time(m, in, &c->time) && c->time >= message_time(msg);
}

static bool load_reaction(struct model *m, struct bytes *in, struct message *msg,
                          struct amendment *am)
{
    struct member *mb;
    struct commit c = {0};
    struct bytes emoji;
    uint8_t removed;

    if (!take_member(m->load->group.g, in, &mb) || !take_u8(in, &removed) || removed > 1 ||
        !take_done(m, in, msg, &c) || !take_text8(in, &emoji) || emoji.len == 0 ||
        emoji.len > EMOJI_MAX || state_find_reaction(am, mb->user->number, emoji) != NULL)
        return false;
    struct reaction *re = state_add_reaction(am, mb->user->number, emoji);
    re->cursor = c.cursor;
    re->time = c.time;
    state_set_reaction(am, re, removed == 1);
    state_add_step(m->load->group.g, msg->seq, (uint32_t)(re - am->reactions) + 1, &c);
    return true;
}

enum { DONE_NEITHER, DONE_EDITED, DONE_DELETED };

/* What was done to the text, which is that of now already. */
static bool load_done(struct model *m, struct bytes *in, struct message **msg, uint8_t what)
{
    struct member *by;
    struct commit c = {0};
    uint32_t version;

    if (what == DONE_NEITHER)
        return true;
    if (what > DONE_DELETED || !take_done(m, in, *msg, &c))
        return false;
    if (what == DONE_DELETED) {
        if ((*msg)->data_len > 0 || !take_member(m->load->group.g, in, &by))
            return false;
        uint32_t seq = (*msg)->seq;
        state_delete(m, *msg, by->user->number, &c);
        *msg = vec_at(&m->load->group.g->messages, seq - 1);
        return true;
    }
    if (!take_u32(in, &version) || version == 0)
        return false;
    struct amendment *am = state_amend(m, msg, NULL);
    am->cursor = c.cursor;
    am->time = c.time;
    am->version = version;
    state_add_step(m->load->group.g, (*msg)->seq, 0, &c);
    return true;
}

bool load_amendment(struct model *m, struct bytes *in)
{
    struct load_group *lg = &m->load->group;
    uint64_t reactions;
    uint8_t what;

    if (!take_step(in, lg->g->messages.count, &lg->cursor) || lg->cursor <= lg->time ||
        lg->cursor <= lg->g->expired || !take_u8(in, &what))
        return false;
    lg->time = lg->cursor; /* of the one before: two of one message are none */
    struct message *msg = vec_at(&lg->g->messages, (uint32_t)lg->cursor - 1);
    if (!load_done(m, in, &msg, what) || !varint_take(in, &reactions) ||
        (what == DONE_NEITHER) > (reactions > 0) || (what == DONE_DELETED && reactions > 0))
        return false;
    struct amendment *am = state_amend(m, &msg, NULL);
    for (uint64_t i = 0; i < reactions; i++) {
        if (!load_reaction(m, in, msg, am))
            return false;
    }
    return true;
}

/* ---- details --------------------------------------------------------------------------------- */

/* Members of that time, each once. */
static bool load_mentions(struct model *m, struct bytes *in, const struct message *msg,
                          struct details *de)
{
    for (uint32_t i = 0; i < de->mention_count; i++) {
        struct member *mb;
        if (!take_member(m->load->group.g, in, &mb) || !member_saw(mb, msg->cursor))
            return false;
        for (uint32_t k = 0; k < i; k++) {
            if (de->mentions[k] == mb->user)
                return false;
        }
        de->mentions[i] = mb->user;
    }
    return true;
}

static bool take_details(struct model *m, struct bytes *in, const struct message *msg,
                         struct details **out)
{
    uint64_t reply_to, count, meta_len;
    struct bytes meta;

    if (!take_upto(in, msg->seq - 1, &reply_to) || !take_upto(in, MENTIONS_MAX, &count))
        return false;
    struct details *de = state_new_details((uint32_t)count, 0);
    bool good = load_mentions(m, in, msg, de) && take_upto(in, in->len, &meta_len) &&
                take(in, meta_len, &meta) && (reply_to > 0 || count > 0 || meta_len > 0);
    if (good) {
        *out = state_new_details((uint32_t)count, meta.len);
        (*out)->reply_to = (uint32_t)reply_to;
        memcpy((*out)->mentions, de->mentions, count * sizeof(void *));
        if (meta.len > 0)
            memcpy(&(*out)->mentions[count], meta.p, meta.len);
    }
    state_free_details(de);
    return good;
}

bool load_details(struct model *m, struct bytes *in)
{
    struct load_group *lg = &m->load->group;
    struct details *de;

    if (!take_step(in, lg->g->messages.count, &lg->cursor) || lg->cursor <= lg->time ||
        lg->cursor <= lg->g->expired)
        return false;
    lg->time = lg->cursor; /* of the one before: two of one message are none */
    struct message *msg = vec_at(&lg->g->messages, (uint32_t)lg->cursor - 1);
    if (msg->deleted || !take_details(m, in, msg, &de))
        return false;
    state_detail(m, &msg, de);
    state_add_mentions(lg->g, msg);
    return true;
}
