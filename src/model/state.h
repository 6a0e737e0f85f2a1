/*
 * state: the inside of the model, for the files of this room only.
 *
 * Each resource has check_x and apply_x for its records here; commit.c calls them.
 */
#ifndef MODEL_STATE_H
#define MODEL_STATE_H

#include "base/slab.h"
#include "base/sorted.h"
#include "model/model.h"

struct hook;    /* hook.h */
struct load;    /* load.c's */
struct reclaim; /* reclaim.c's */

struct model {
    uint64_t cursor;
    int64_t time;
    struct uuid epoch; /* zero: the journal's own */
    uint64_t message_count;
    struct vec users;  /* struct user *, place number - 1 */
    struct vec groups; /* struct group *, place number - 1 */
    struct map users_by_id, users_by_name, users_by_email;
    struct sorted names; /* struct user *, by username_key */
    struct map users_by_external_id;
    struct vec hooks;      /* struct hook *, in the order of their making */
    uint32_t hook_changes; /* how often one came, went or was changed here; no state */
    struct vec erasing;    /* struct user *: whose erasure has begun, in the order of beginning */
    struct map sessions_by_id, sessions_by_token;
    struct map groups_by_id;
    struct map directs; /* direct groups, by their two users */
    struct map members; /* by group and user number */
    struct map messages_by_id;
    struct map messages_by_client_id; /* those that have one, by author and client_id */
    struct reclaim *reclaim;          /* reclaim.c: messages that are in these tables, and gone */
    struct slab messages_memory;
    uint64_t message_bytes;     /* of memory, of all messages */
    uint64_t message_bytes_max; /* the most that there ever were */
    uint32_t limited_groups;    /* with a retention of their own */
    struct load *load;          /* while a snapshot is being loaded, else NULL */
};

/* The app's own id for a user, and the names that it gave them later. */
struct external {
    struct user *user;
    uint8_t *names; /* username, username_key; NULL where they are those of the beginning */
    uint8_t id_len;
    uint8_t id[];
};

/* hook.c: one more, which nobody has; `types` are of record_hook_create's kind. */
struct hook *state_add_hook(struct model *m, const struct uuid *id, const struct record_u32s *types,
                            struct bytes secret, struct bytes url);
/* The newest hook has had another secret. */
void state_set_old_secret(struct model *m, struct bytes secret, int64_t until);
bool state_hook_types_valid(const struct record_u32s *types) MUST_CHECK;
void state_free_hooks(struct model *m);

/* What an apply function may know beside its record. */
struct commit {
    uint64_t cursor;
    int64_t time;                  /* of the events: never before the one before */
    const struct event_sink *sink; /* may be NULL */
};

static inline void commit_tell(const struct commit *c, struct event e)
{
    e.cursor = c->cursor;
    e.time = c->time;
    if (c->sink != NULL)
        c->sink->tell(c->sink->ctx, &e);
}

#define RECORD(number, name, fields)                                                               \
    enum err check_##name(const struct model *m, const struct record_##name *r) MUST_CHECK;        \
    void apply_##name(struct model *m, const struct record_##name *r, const struct commit *c);
#include "model/record.def"
#undef RECORD

/* profile.c: is it the generation of the user's tokens? Else ERR_unauthorized; ERR_refused for
 * NULL. */
enum err state_check_tokens(const struct user *u, uint32_t tokens) MUST_CHECK;
/* Makes the user's profile where there is none. */
struct profile *state_profile(struct user *u);
/* Wiped. */
void state_set_display_name(struct user *u, struct bytes name);
void state_free_profile(struct user *u);

/* user.c: the next user, whom no table knows yet. */
struct user *state_new_user(struct model *m, const struct record_user_create *r,
                            const struct commit *c);
/* Into what finds users by their name, and out. */
void state_index_name(struct model *m, struct user *u);
void state_unindex_name(struct model *m, const struct user *u);
/* Takes them out of the tables of ids, names and addresses. */
void state_unindex_user(struct model *m, struct user *u);
/* external.c: takes them out of its table; nothing where they are not there. */
void state_unindex_external(struct model *m, const struct user *u);
/* Wiped; nothing where there is none. */
void state_free_external(struct user *u);
/* erase.c: all that names the user goes; sessions must have ended. */
void state_erase(struct model *m, struct user *u, enum erasure_progress erasure);
/* The user, NULL where there is none or they are no more. */
const struct user *state_person(const struct model *m, uint32_t number);

/* block.c: ERR_blocked where it is a direct group, and the other one blocks `u`, a member. */
enum err state_check_heard(const struct group *g, const struct user *u) MUST_CHECK;
/* One more whom `u` blocks, who is not yet. */
void state_add_block(struct user *u, uint32_t number);

/* The same finders without const, for apply. */
struct user *state_user(const struct model *m, uint32_t number);
struct group *state_group(const struct model *m, uint32_t number);
struct member *state_member(const struct model *m, const struct group *g, const struct user *u);

/* What apply and load have in common: the things with their place in the tables and lists. */
struct group *state_new_group(struct model *m, const struct uuid *id, uint64_t cursor,
                              struct bytes name);
struct member *state_new_member(struct model *m, struct group *g, struct user *u);
void state_add_span(struct member *mb, uint64_t from, uint64_t to);
struct change *state_add_change(struct group *g, enum change_kind kind, const struct user *user,
                                const struct user *by, const struct commit *c);

/* The member goes: `how` is LEFT or REMOVED. Where they owned the group, somebody else does now. */
void state_leave(struct member *mb, enum membership how, const struct commit *c);

/* Who asks for a change of a group's members, and of whom. */
struct asked {
    const struct group *group;
    const struct user *user;
    const struct member *asker; /* is a member, or was one */
    bool own;                   /* the asker is the user */
};

/* A group that one was never in is as one that does not exist: ERR_group_not_found. */
enum err asked_find(const struct model *m, uint32_t group, uint32_t user, uint32_t by,
                    struct asked *out) MUST_CHECK;

/* role.c: the owner (NULL: of an empty group), and who follows when they are gone. */
void state_set_owner(struct group *g, struct member *mb);
void state_succeed(struct group *g);
/* The member's role was given to them by `by`; that there was such a thing is forgotten. */
void state_grant(struct member *mb, const struct user *by, const struct commit *c);
void state_forget_grant(struct member *mb);
/* settings.c: what the group is called and so on from now on; a name of the past is freed. */
void state_change_settings(struct group *g, const struct settings *to, const struct user *by,
                           const struct commit *c);
void state_free_name(struct group *g);
/* Takes everything from a group that one that was deleted has not, but the list of who is active:
 * nobody is any more. It has notices. */
void state_bury(struct model *m, struct group *g);

/* group.c: a group with its members, and its being told. */
struct group *state_found_group(struct model *m, const struct record_group_create *r,
                                const struct commit *c);
void state_tell_founded(struct group *g, const struct commit *c);
/* `u`, who is no member, becomes one because `by` wants it, and it is told. */
void state_come(struct model *m, struct group *g, struct user *u, const struct user *by,
                const struct commit *c);
/* direct.c: puts a direct group into its table; false where the two have one already. */
bool state_index_direct(struct model *m, struct group *g) MUST_CHECK;
/* Takes them out of the tables by id and by group and user. */
void state_unindex_group(struct model *m, const struct group *g);
void state_unindex_member(struct model *m, const struct member *mb);
/* reclaim.c: all messages of the group, which is deleted, are gone, and freed by and by. */
void state_reclaim(struct model *m, struct group *g);
/* How many of these wait, and how many of them have a client_id: a walk through all. */
void state_count_reclaim(const struct model *m, uint64_t *messages, uint64_t *client_ids);
void state_free_reclaim(struct model *m);

/* Makes the group's notices where there are none. */
struct notices *state_notices(struct group *g);
void state_free_notices(struct notices *n);

/* A message as it comes from a record; texts are borrowed. */
struct message_source {
    struct uuid id;
    struct bytes client_id, data;
    struct details *details; /* handed over, or NULL */
};

/* The author's next message in the group; in no table yet. */
struct message *state_new_message(struct model *m, struct member *author,
                                  const struct message_source *source, const struct commit *c);

/* message.c: check_message_post, and for a message with details (`send` is not NULL) what is the
 * same of these. */
enum err state_check_post(const struct model *m, const struct record_message_post *r,
                          const struct record_message_send *send) MUST_CHECK;
/* Puts the message that the record made into the tables and tells it. */
void state_post(struct model *m, struct member *author, const struct message_source *source,
                const struct commit *c);

/* details.c: is this what the record says? NULL says nothing. */
bool state_details_equal(const struct details *de, const struct record_message_send *send);
/* Enters the message, which is in its group, with those whom it mentions; takes it out there. */
void state_add_mentions(struct group *g, const struct message *msg);
void state_drop_mentions(struct group *g, const struct message *msg);
void state_free_mentions(struct mentions *me);
/* Wiped; NULL is nothing. */
void state_free_details(const struct details *de);
/* Room for these; to be filled in. */
struct details *state_new_details(uint32_t mention_count, size_t meta_len);

/* amend.c: replaces the message by one that has this text (NULL: the same) and an amendment, which
 * is returned. The old one is wiped. */
struct amendment *state_amend(struct model *m, struct message **msg, const struct bytes *data);
/* Gives a message that has neither details nor an amendment, or has one, these details. */
void state_detail(struct model *m, struct message **msg, struct details *de);
/* Makes a tombstone of it. */
void state_delete(struct model *m, struct message *msg, uint32_t by, const struct commit *c);
/* Adds a reaction that `am` does not have, as one that was taken back. */
struct reaction *state_add_reaction(struct amendment *am, uint32_t user, struct bytes emoji);
/* It is there, or was taken back. */
void state_set_reaction(struct amendment *am, struct reaction *re, bool removed);
/* NULL where there is none. */
struct reaction *state_find_reaction(const struct amendment *am, uint32_t user, struct bytes emoji);
/* What was done stands at this place of the stream of events. */
void state_add_step(struct group *g, uint32_t seq, uint32_t reaction, const struct commit *c);
/* The message goes, and with it what was done to it. */
void state_end_steps(struct group *g, const struct message *msg);
/* Of a group that was loaded, whose steps came message by message: puts them in order; false where
 * two have one cursor. */
bool state_sort_steps(struct group *g) MUST_CHECK;
/* Idempotent. */
void state_free_amends(struct amends *a);
void state_free_amendment(const struct message *msg);

/* message.c: room for a message with these texts, and so many addresses behind them; and back,
 * without what is there. */
struct message *state_alloc_message(struct model *m, size_t texts_len, unsigned addresses);
void state_release_message(struct model *m, struct message *msg);
/* The message `old` is `msg` now, which is not freed. */
void state_readdress_message(struct model *m, struct message *old, struct message *msg);

/* Puts up to STATE_BATCH messages into the tables; false where an id or client_id is there already.
 * Several at a time wait for memory together, and the tables are far larger than any cache. */
#define STATE_BATCH 32
bool state_index_messages(struct model *m, struct message *const *messages,
                          uint32_t count) MUST_CHECK;

void state_init_users(struct model *m);
/* external.c: what app_user_create and load have in common. The id must not be there. */
void state_add_external(struct model *m, struct user *u, struct bytes external_id);
void state_init_externals(struct model *m);
void state_init_sessions(struct model *m);
void state_init_groups(struct model *m);
void state_init_directs(struct model *m);
void state_init_messages(struct model *m);
void state_free_user(struct user *u);
void state_free_group(struct model *m, struct group *g);
void state_free_message(struct model *m, struct message *msg);
/* The message goes from the tables, with all that belongs to it and to nothing else, and its memory
 * with it; from the lists it is gone already, or goes now. */
void state_forget_message(struct model *m, struct message *msg);
/* The same of one that does not count any more. */
void state_drop_message(struct model *m, struct message *msg);
/* group.c: of a group and one of its members, by their numbers, where there is such a group: step 0
 * fetches where they stand, 1 the group and the member's place, 2 the member and where the group's
 * lists are read and added to. */
void state_prefetch_group(const struct model *m, unsigned step, uint32_t group, uint32_t user);
/* Fetches the message's places in the tables into the cache. */
void state_prefetch_message(const struct model *m, const struct message *msg);

#endif
