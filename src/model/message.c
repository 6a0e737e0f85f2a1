/*
 * message: messages, and how far each member has got with them.
 */
#include <endian.h>

#include "base/crypto.h"
#include "base/ensure.h"
#include "model/state.h"

/* ---- tables ---------------------------------------------------------------------------------- */

static uint64_t hash_by_id(const void *entry)
{
    return uuid_hash(&((const struct message *)entry)->id);
}

/* Whose memory is only waiting to be freed (reclaim.c) is not there. */
static bool is_there(const struct model *m, const struct message *msg)
{
    return m->reclaim == NULL || !model_group(m, msg->group)->deleted;
}

/* `this`: that message, there or not, and nothing else. */
struct id_key {
    const struct model *m;
    const struct message *this;
    const struct uuid *id;
};

static bool match_id(const void *entry, const void *key)
{
    const struct message *msg = entry;
    const struct id_key *k = key;
    if (k->this != NULL)
        return msg == k->this;
    return uuid_equal(&msg->id, k->id) && is_there(k->m, msg);
}

struct client_key {
    const struct model *m;
    const struct message *this; /* as in struct id_key */
    uint32_t author;
    struct bytes client_id;
};

/* A client chooses its client_id. */
static uint64_t hash_client_id(uint32_t author, struct bytes client_id)
{
    return crypto_siphash(client_id) ^ (author * 0x9e3779b97f4a7c15u);
}

static uint64_t hash_by_client_id(const void *entry)
{
    const struct message *msg = entry;
    return hash_client_id(msg->author, message_client_id(msg));
}

static bool match_client_id(const void *entry, const void *key)
{
    const struct message *msg = entry;
    const struct client_key *k = key;
    if (k->this != NULL)
        return msg == k->this;
    return msg->author == k->author && bytes_equal(message_client_id(msg), k->client_id) &&
           is_there(k->m, msg);
}

void state_init_messages(struct model *m)
{
    static const struct map_kind by_id = {hash_by_id, match_id};
    static const struct map_kind by_client_id = {hash_by_client_id, match_client_id};
    map_init(&m->messages_by_id, &by_id);
    map_init(&m->messages_by_client_id, &by_client_id);
}

/* ---- looking --------------------------------------------------------------------------------- */

const struct message *model_message_by_id(const struct model *m, const struct uuid *id)
{
    return map_find(&m->messages_by_id, uuid_hash(id), &(struct id_key){.m = m, .id = id});
}

/* What both records of a message begin with (record.def). */
struct post_head {
    int64_t time;
    struct uuid id;
    uint32_t group, author;
};

static bool read_head(uint16_t type, struct bytes payload, struct post_head *head)
{
    if ((type != RECORD_message_post && type != RECORD_message_send) || payload.len < sizeof *head)
        return false;
    memcpy(head, payload.p, sizeof *head);
    head->group = le32toh(head->group);
    head->author = le32toh(head->author);
    return true;
}

/* The place of a new message's id is in no cache: the table is larger than any, and the id is drawn
 * at random. With many groups the group and its members are in none either. */
void model_prefetch(const struct model *m, unsigned step, uint16_t type, struct bytes payload)
{
    struct post_head head;

    if (!read_head(type, payload, &head))
        return;
    if (step == 0)
        map_prefetch(&m->messages_by_id, uuid_hash(&head.id));
    state_prefetch_group(m, step, head.group, head.author);
}

const struct group *model_told_of(const struct model *m, uint16_t type, struct bytes payload)
{
    struct post_head head;

    return read_head(type, payload, &head) ? model_group(m, head.group) : NULL;
}

const struct message *model_message_by_client_id(const struct model *m, const struct user *author,
                                                 struct bytes client_id)
{
    struct client_key key = {.m = m, .author = author->number, .client_id = client_id};
    return map_find(&m->messages_by_client_id, hash_client_id(author->number, client_id), &key);
}

uint64_t model_message_count(const struct model *m)
{
    return m->message_count;
}

/*
 * The newest message of `mb` with a number in (from, to]. Looked for from both ends at once: down
 * the chain of own messages from the newest, and down the timeline from `to`. Whichever is shorter
 * ends the search, so neither a long backlog behind `to` nor an author who wrote little makes it
 * slow.
 */
static const struct message *own_message_in(const struct member *mb, uint32_t from, uint32_t to)
{
    const struct message *own = group_message(mb->group, mb->last_own);
    while (own != NULL && own->seq > to) {
        if (to <= from || to <= mb->group->expired)
            return NULL;
        const struct message *at = group_message(mb->group, to);
        if (at->author == mb->user->number)
            return at;
        to--;
        own = group_message(mb->group, own->previous_own);
    }
    return own != NULL && own->seq > from ? own : NULL;
}

const struct message *member_own_message(const struct member *mb, uint32_t seq)
{
    return own_message_in(mb, 0, seq);
}

/* ---- message_post ------------------------------------------------------------------------------
 */

/* The same user's same client_id again: a repeat, or another message under a used name. What was
 * edited or deleted since is not compared any more: the first text is gone. */
static enum err check_client_id(const struct model *m, const struct user *author,
                                const struct group *g, const struct record_message_post *r,
                                const struct record_message_send *send)
{
    if (r->client_id.len == 0)
        return ERR_ok;
    const struct message *first = model_message_by_client_id(m, author, r->client_id);
    if (first == NULL)
        return ERR_ok;
    const struct amendment *am = message_amendment(first);
    bool is_changed = am != NULL && am->cursor > 0;
    return first->group == g->number &&
                   (is_changed || (bytes_equal(message_data(first), r->data) &&
                                   state_details_equal(message_details(first), send)))
               ? ERR_duplicate
               : ERR_client_id_reused;
}

enum err state_check_post(const struct model *m, const struct record_message_post *r,
                          const struct record_message_send *send)
{
    const struct group *g = model_group(m, r->group);
    const struct user *author = model_user(m, r->author);

    if (g == NULL || author == NULL)
        return ERR_refused;
    const struct member *mb = model_member(m, g, author);
    if (mb == NULL)
        return ERR_group_not_found;
    /* A repeat is answered as the first was, also to somebody who has left meanwhile. */
    enum err err = check_client_id(m, author, g, r, send);
    if (err != ERR_ok)
        return err;
    if (!member_is_active(mb))
        return ERR_not_a_member;
    if (g->messages.count >= UINT32_MAX - 2)
        return ERR_group_full;
    return state_check_heard(g, author);
}

enum err check_message_post(const struct model *m, const struct record_message_post *r)
{
    return state_check_post(m, r, NULL);
}

/* The texts begin where the fields end, not behind the padding. */
static size_t message_size(size_t texts_len, unsigned addresses)
{
    size_t len = offsetof(struct message, texts) + texts_len + addresses * sizeof(void *);
    return len < sizeof(struct message) ? sizeof(struct message) : len;
}

struct message *state_alloc_message(struct model *m, size_t texts_len, unsigned addresses)
{
    size_t size = message_size(texts_len, addresses);
    m->message_bytes += size;
    if (m->message_bytes > m->message_bytes_max)
        m->message_bytes_max = m->message_bytes;
    return slab_alloc(&m->messages_memory, size);
}

uint64_t model_memory_unused(const struct model *m)
{
    return m->message_bytes_max - m->message_bytes;
}

struct message *state_new_message(struct model *m, struct member *author,
                                  const struct message_source *source, const struct commit *c)
{
    struct group *g = author->group;
    size_t texts_len = source->client_id.len + source->data.len;
    bool detailed = source->details != NULL;
    struct message *msg = state_alloc_message(m, texts_len, detailed);

    *msg = (struct message){.id = source->id,
                            .cursor = c->cursor & MODEL_CURSOR_MAX,
                            .time_high = (uint16_t)((uint64_t)c->time >> 32),
                            .time_low = (uint32_t)c->time,
                            .group = g->number,
                            .author = author->user->number,
                            .seq = g->messages.count + 1,
                            .previous_own = author->last_own,
                            .data_len = (uint32_t)source->data.len & MESSAGE_LEN_MASK,
                            .detailed = detailed,
                            .client_id_len = (uint8_t)source->client_id.len};
    struct buf texts = {msg->texts, 0, texts_len};
    buf_add_bytes(&texts, source->client_id);
    buf_add_bytes(&texts, source->data);
    if (detailed)
        memcpy(msg->texts + texts_len, &source->details, sizeof(void *));
    author->last_own = msg->seq;
    author->own_unread += msg->seq > author->read.seq;
    vec_push(&g->messages, msg);
    g->last_cursor = c->cursor;
    m->message_count++;
    return msg;
}

void state_release_message(struct model *m, struct message *msg)
{
    size_t size =
        message_size((size_t)msg->client_id_len + msg->data_len, msg->amended + msg->detailed);
    m->message_bytes -= size;
    slab_free(&m->messages_memory, msg, size);
}

void state_prefetch_message(const struct model *m, const struct message *msg)
{
    map_prefetch(&m->messages_by_id, uuid_hash(&msg->id));
    if (msg->client_id_len > 0)
        map_prefetch(&m->messages_by_client_id, hash_by_client_id(msg));
}

/* Out of the tables, whatever else has its key. */
static void unindex_message(struct model *m, struct message *msg)
{
    struct id_key id = {.this = msg};
    struct client_key client_id = {.this = msg};

    ENSURE(map_remove(&m->messages_by_id, uuid_hash(&msg->id), &id) == msg);
    if (msg->client_id_len > 0)
        ENSURE(map_remove(&m->messages_by_client_id, hash_by_client_id(msg), &client_id) == msg);
}

void state_drop_message(struct model *m, struct message *msg)
{
    unindex_message(m, msg);
    explicit_bzero(msg->texts, (size_t)msg->client_id_len + msg->data_len);
    state_free_message(m, msg);
}

void state_forget_message(struct model *m, struct message *msg)
{
    m->message_count--;
    state_drop_message(m, msg);
}

void state_free_message(struct model *m, struct message *msg)
{
    state_free_amendment(msg);
    state_free_details(message_details(msg));
    state_release_message(m, msg);
}

void state_readdress_message(struct model *m, struct message *old, struct message *msg)
{
    vec_set(&state_group(m, msg->group)->messages, msg->seq - 1, msg);
    unindex_message(m, old);
    map_add(&m->messages_by_id, uuid_hash(&msg->id), msg);
    if (msg->client_id_len > 0)
        map_add(&m->messages_by_client_id, hash_by_client_id(msg), msg);
}

static bool index_id(struct model *m, struct message *msg)
{
    struct id_key key = {.m = m, .id = &msg->id};
    return map_add_new(&m->messages_by_id, uuid_hash(&msg->id), &key, msg);
}

static bool index_client_id(struct model *m, struct message *msg, uint64_t hash)
{
    struct client_key key = {.m = m, .author = msg->author, .client_id = message_client_id(msg)};
    return map_add_new(&m->messages_by_client_id, hash, &key, msg);
}

bool state_index_messages(struct model *m, struct message *const *messages, uint32_t count)
{
    uint64_t hashes[STATE_BATCH] = {0};

    ENSURE(count <= STATE_BATCH);
    for (uint32_t i = 0; i < count; i++) {
        map_prefetch(&m->messages_by_id, uuid_hash(&messages[i]->id));
        if (messages[i]->client_id_len == 0)
            continue;
        hashes[i] = hash_by_client_id(messages[i]);
        map_prefetch(&m->messages_by_client_id, hashes[i]);
    }
    for (uint32_t i = 0; i < count; i++) {
        struct message *msg = messages[i];
        if (!index_id(m, msg))
            return false;
        if (msg->client_id_len > 0 && !index_client_id(m, msg, hashes[i]))
            return false;
    }
    return true;
}

void state_post(struct model *m, struct member *author, const struct message_source *source,
                const struct commit *c)
{
    struct message *msg = state_new_message(m, author, source, c);

    map_add(&m->messages_by_id, uuid_hash(&msg->id), msg);
    if (msg->client_id_len > 0)
        map_add(&m->messages_by_client_id, hash_by_client_id(msg), msg);
    if (msg->detailed)
        state_add_mentions(author->group, msg);
    commit_tell(c, (struct event){.type = EVENT_message_posted,
                                  .group = author->group,
                                  .user = author->user,
                                  .message = msg});
}

void apply_message_post(struct model *m, const struct record_message_post *r,
                        const struct commit *c)
{
    struct member *author = state_member(m, state_group(m, r->group), state_user(m, r->author));

    state_post(m, author,
               &(struct message_source){.id = r->id, .client_id = r->client_id, .data = r->data},
               c);
}

/* ---- receipt_mark ------------------------------------------------------------------------------
 */

enum receipt_kind { RECEIPT_DELIVERED, RECEIPT_READ };

enum err check_receipt_mark(const struct model *m, const struct record_receipt_mark *r)
{
    const struct group *g = model_group(m, r->group);
    const struct user *user = model_user(m, r->user);

    if (g == NULL || user == NULL || r->kind > RECEIPT_READ)
        return ERR_refused;
    const struct member *mb = model_member(m, g, user);
    if (mb == NULL)
        return ERR_message_not_found;
    if (!member_is_active(mb))
        return ERR_not_a_member;
    if (group_message(g, r->seq) == NULL)
        return ERR_message_not_found;
    return r->seq > (r->kind == RECEIPT_READ ? mb->read : mb->delivered).seq ? ERR_ok
                                                                             : ERR_duplicate;
}

/* What one movement of a mark tells: from where to where, and in which words. */
struct movement {
    struct model *m;
    struct group *g;
    struct user *reader;
    uint32_t from; /* the mark before, or what is gone where that is more */
    uint32_t to;
    enum event_type type;
    const struct commit *c;
};

static void tell_one(const struct movement *mv, const struct message *msg, const struct user *to)
{
    commit_tell(
        mv->c, (struct event){
                   .type = mv->type, .group = mv->g, .user = mv->reader, .message = msg, .to = to});
}

/* Walks the messages, newest first: for a gap that is narrower than the group. */
static void tell_authors(const struct movement *mv)
{
    uint64_t stamp = mv->c->cursor;

    for (uint32_t seq = mv->to; seq > mv->from; seq--) {
        const struct message *msg = group_message(mv->g, seq);
        const struct user *author = state_user(mv->m, msg->author);
        struct member *mb = state_member(mv->m, mv->g, author);
        if (mb->told == stamp || author == mv->reader || !member_is_active(mb))
            continue;
        mb->told = stamp;
        tell_one(mv, msg, author);
    }
}

/* Walks the members: for a wide gap, as when somebody new reads a group of a million messages. The
 * newest message of most lies in it, which costs one look. */
static void tell_members_in_gap(const struct movement *mv)
{
    for (uint32_t i = 0; i < mv->g->active.count; i++) {
        const struct member *mb = vec_at(&mv->g->active, i);
        if (mb->user == mv->reader)
            continue;
        const struct message *msg = own_message_in(mb, mv->from, mv->to);
        if (msg != NULL)
            tell_one(mv, msg, mb->user);
    }
}

/* Tells each author with messages in (from, to] of the newest of them, and the reader's own devices
 * of the last. */
static void tell_movement(const struct movement *mv)
{
    if (mv->c->sink == NULL)
        return;
    if (mv->to - mv->from <= mv->g->active.count)
        tell_authors(mv);
    else
        tell_members_in_gap(mv);
    tell_one(mv, group_message(mv->g, mv->to), mv->reader);
}

/* Moves a mark forward, never back. */
static void mark_move(struct member *mb, struct mark *mark, uint32_t seq, const struct commit *c)
{
    if (seq <= mark->seq)
        return;
    *mark = (struct mark){seq, c->cursor, c->time};
    list_remove(&mb->by_mark);
    list_append(&mb->group->by_mark, &mb->by_mark);
}

/*
 * The read mark has moved from `from`: how many own messages are still above it? Counted from both
 * ends at once, as own_message_in looks: down the chain of own messages to the mark, and over the
 * messages that the mark has passed.
 */
static void recount_own_unread(struct member *mb, uint32_t from)
{
    uint32_t above = 0, seq = from, passed = 0, own = mb->last_own;

    while (mb->own_unread > 0) {
        if (own <= mb->read.seq) {
            mb->own_unread = above;
            return;
        }
        const struct message *msg = group_message(mb->group, own);
        above += !msg->deleted;
        own = msg->previous_own;
        if (seq == mb->read.seq) {
            mb->own_unread -= passed;
            return;
        }
        msg = group_message(mb->group, ++seq);
        passed += msg->author == mb->user->number && !msg->deleted;
    }
}

/* Read implies delivered, and one event says both: a change that were told as two could be cut in
 * half by a connection that breaks between them. */
void apply_receipt_mark(struct model *m, const struct record_receipt_mark *r,
                        const struct commit *c)
{
    struct group *g = state_group(m, r->group);
    struct user *reader = state_user(m, r->user);
    struct member *mb = state_member(m, g, reader);
    bool read = r->kind == RECEIPT_READ;
    uint32_t before = read ? mb->read.seq : mb->delivered.seq;
    struct movement mv = {m,      g,
                          reader, before > g->expired ? before : g->expired,
                          r->seq, read ? EVENT_message_read : EVENT_message_delivered,
                          c};

    mark_move(mb, &mb->delivered, r->seq, c);
    if (read) {
        mark_move(mb, &mb->read, r->seq, c);
        recount_own_unread(mb, mv.from);
    }
    tell_movement(&mv);
}
