/*
 * model: users, sessions, groups, members, messages and receipts, as the durable journal makes
 * them.
 *
 * The one way in is model_commit: a record, in journal order, at start-up and while running alike.
 * (model/save.h loads a state that was built that way.)
 * check decides and may not write, apply writes and may not refuse; neither reads a clock, a random
 * source, configuration or an address, nor walks in pointer order. So equal journals give equal
 * models, and model_digest shows it.
 *
 * Everything here is read by handlers through const pointers, which stay valid until the next
 * commit (users, sessions that are not ended, groups and members even longer: for the life of the
 * model). One thread. No I/O.
 */
#ifndef MODEL_MODEL_H
#define MODEL_MODEL_H

#include "base/err.h"
#include "base/hash.h"
#include "base/list.h"
#include "base/map.h"
#include "base/vec.h"
#include "model/record.h"

struct model;
struct group;
struct member;
struct message;
struct external; /* state.h */
struct profile;

/* Words that belong to a room above (core/hub): zero at the start, never read or written here, not
 * part of the model, not in the digest. */
struct annotation {
    void *p;
    uint32_t words[2];
};

struct user {
    uint32_t number; /* 1, 2, 3, … */
    struct uuid id;
    uint64_t cursor; /* of the record that made it */
    int64_t created_at;
    /* In one allocation with the user, where nothing replaced them. */
    struct bytes username, username_key, email, email_key;
    struct bytes password;    /* encoded hash */
    struct profile *profile;  /* what they said of themselves later; NULL for most */
    struct session *sessions; /* newest first */
    uint32_t session_count;
    uint8_t erasure;           /* enum erasure_progress */
    struct external *external; /* under which id the app knows them; NULL for most */
    struct vec memberships;    /* struct member *, also those that ended, in order of joining */
    uint32_t active_groups;
    struct annotation annotation;
};

/* How far somebody has gone who is no more: `begun` where something of them may be left in groups.
 */
enum erasure_progress { ERASURE_NONE, ERASURE_BEGUN, ERASURE_DONE, ERASURE_COUNT };

/* What most users have nothing of. */
struct profile {
    struct bytes display_name; /* empty for none */
    uint8_t *email, *password; /* of the user, where they are not those of the registration */
    uint32_t tokens;           /* the generation of the user's tokens: how often all were ended */
    uint32_t block_count;
    uint32_t *blocks; /* numbers of users, rising: those from whom they want to hear nothing */
};

enum profile_field { PROFILE_NAME = 1, PROFILE_EMAIL = 2, PROFILE_PASSWORD = 4, PROFILE_ALL = 7 };

enum platform { PLATFORM_WEB, PLATFORM_IOS, PLATFORM_ANDROID, PLATFORM_LIVE, PLATFORM_COUNT };

struct session {
    struct uuid id;
    struct record_hash token; /* BLAKE2b-256 of the messaging URL's UUID */
    struct user *user;
    struct session *next; /* of the same user */
    int64_t created_at;
    uint32_t annotation; /* core/hub's, as struct annotation */
    uint32_t build;
    uint32_t device_id_len;
    uint32_t model_len;
    uint32_t name_len;
    uint8_t platform;
    char texts[]; /* device_id, model, name */
};

enum role { ROLE_MEMBER, ROLE_OWNER, ROLE_ADMIN, ROLE_COUNT };

/* ENDED: was a member when the group was deleted. */
enum membership { MEMBERSHIP_ACTIVE, MEMBERSHIP_LEFT, MEMBERSHIP_REMOVED, MEMBERSHIP_ENDED };

/* A time of membership, in cursors, both ends included; `to` is UINT64_MAX while it lasts. */
struct span {
    uint64_t from;
    uint64_t to;
};

/* How far a member has got: everything up to `seq`; 0 is nothing. */
struct mark {
    uint32_t seq;
    uint64_t cursor; /* of the change that moved it here */
    int64_t time;
};

/* A user in a group, from the first joining on; stays when the user goes. */
struct member {
    struct group *group;
    struct user *user;
    uint8_t role;
    uint8_t membership;
    bool has_grant;      /* there is a struct grant of theirs */
    uint32_t active_at;  /* place in group->active while active */
    uint32_t last_own;   /* seq of the newest message of theirs here, or 0 */
    uint32_t own_unread; /* messages of theirs above their own read mark, deleted ones aside */
    struct mark delivered;
    struct mark read;
    struct list by_mark; /* in group->by_mark: in the order in which the marks moved */
    uint64_t told; /* scratch of receipt_mark: the change that last told this author; no state */
    uint32_t span_count;
    struct span span;     /* the newest */
    struct span *earlier; /* span_count - 1 of them, oldest first */
};

/* SUCCEEDED: removed, and with them the ownership passed to somebody else. */
enum change_kind { CHANGE_CREATED, CHANGE_ADDED, CHANGE_REMOVED, CHANGE_SUCCEEDED };

/* A change of a group that its members see: events 70, 72, 73. */
struct change {
    uint64_t cursor;
    int64_t time;
    const struct user *user;
    const struct user *by;
    uint32_t owner; /* SUCCEEDED: number of who owns the group since, else 0 */
    uint8_t kind;
};

/* The role that a member has was given to them: event 74. Of each member only the newest is kept,
 * and none when they go. */
struct grant {
    struct list list; /* in notices->grants, latest last */
    struct member *member;
    const struct user *by;
    uint64_t cursor;
    int64_t time;
};

/* DIRECT: of two people, who are its members 0 and 1 for ever (direct.c). */
enum group_kind { GROUP_PLAIN, GROUP_DIRECT, GROUP_KIND_COUNT };
enum join { JOIN_MEMBERS, JOIN_OPEN, JOIN_COUNT };
enum history { HISTORY_JOINED, HISTORY_ALL, HISTORY_COUNT };

/* What may be changed of a group. */
struct settings {
    struct bytes name;
    uint8_t join;
    uint8_t history;
};

enum setting { SETTING_NAME = 1, SETTING_JOIN = 2, SETTING_HISTORY = 4, SETTING_ALL = 7 };

/* Where something that was done to a message stands in the order of the journal. */
struct amend_step {
    uint64_t cursor;
    int64_t time;
    uint32_t seq;
    uint32_t reaction; /* place in the amendment's reactions, + 1; 0: the text; or AMEND_OVER */
};

/* A later step replaced this one. */
#define AMEND_OVER UINT32_MAX

/* What was done to a group's messages after they were posted. */
struct amends {
    struct amend_step *steps; /* in order; of each thing the newest, and those not yet cleared */
    uint32_t count, cap;
    uint32_t over;     /* how many steps were replaced */
    uint32_t *deleted; /* seqs, rising */
    uint32_t deleted_count, deleted_cap;
};

/* The messages that mention a user: seqs, rising, without those that are deleted or the user's own.
 * An index, as the tables are. */
struct mentioned {
    uint32_t user; /* number */
    uint32_t count, cap;
    uint32_t *seqs;
};

struct mentions {
    struct mentioned *users; /* rising */
    uint32_t count, cap;
};

/* What a group tells as a state and not as its history, so that it needs the same room however
 * often it changes: events 71, 74 and 75. Most groups have none. */
struct notices {
    uint64_t cursor; /* of the newest change of its settings, or of its end; 0: neither */
    int64_t time;
    const struct user *by;
    struct settings first; /* as it was made, where they were changed */
    struct list grants;
    struct amends amends;
    struct mentions mentions;
};

struct group {
    uint32_t number;
    struct uuid id;
    uint8_t kind, join, history;
    bool deleted;            /* found by its number only; all that is left is that it was there */
    uint32_t retention_days; /* for which messages are kept; 0: as the server has it */
    uint64_t cursor;         /* of the record that made it */
    uint64_t last_cursor;    /* of the newest message or change */
    struct bytes name;       /* the first is in one allocation with the group */
    uint32_t founder_count;  /* the first so many of `members` came with the group */
    uint32_t expired;        /* the messages up to this number are gone */
    struct user *owner;      /* NULL while the group is empty */
    struct vec members;      /* struct member *, in order of first joining, for ever */
    struct vec active;       /* struct member *, those who are members now */
    struct vec messages;     /* struct message *, place seq - 1, from place `expired` on */
    struct vec changes;      /* struct change *, in order */
    struct list by_mark;     /* members whose marks moved, latest last */
    struct notices *notices; /* NULL while there is nothing in it */
};

/* What a cursor and a time (milliseconds since 1970: until the year 10889) may be at most. */
#define MODEL_CURSOR_MAX ((UINT64_C(1) << 48) - 1)
#define MODEL_TIME_MAX   ((INT64_C(1) << 48) - 1)

/* There are millions of them: no byte is spare. */
struct message {
    struct uuid id;
    uint64_t cursor : 48;
    uint64_t time_high : 16; /* of message_time */
    uint32_t time_low;
    uint32_t group;  /* number */
    uint32_t author; /* number */
    uint32_t seq;
    uint32_t previous_own; /* seq of the author's message before this one in the group, which may
                              be gone, or 0 */
    uint32_t data_len : 29;
    uint32_t detailed : 1; /* the address of a struct details stands behind the texts */
    uint32_t amended : 1;  /* the address of a struct amendment stands behind these */
    uint32_t deleted : 1;  /* a tombstone: without data */
    uint8_t client_id_len;
    uint8_t texts[]; /* client_id, data */
};

#define MESSAGE_LEN_MASK ((1u << 29) - 1) /* longer than any record */
#define EMOJI_MAX        32               /* bytes */
#define MENTIONS_MAX     1000             /* of one message: the most that the law allows */

/* What a message says beside its text. */
struct details {
    uint32_t reply_to; /* seq, or 0 */
    uint32_t meta_len;
    uint32_t mention_count;
    const struct user *mentions[]; /* in the author's order; behind them meta */
};

/* One that is or was among a message's reactions. */
struct emoji {
    uint32_t count; /* of reactions with it, those that were taken back aside */
    uint8_t len;
    uint8_t bytes[EMOJI_MAX];
};

/* A reaction that was taken back stays, so that who was away can be told. */
struct reaction {
    uint64_t cursor; /* of the newest change */
    int64_t time;
    uint32_t user;  /* number */
    uint32_t emoji; /* place in the amendment's emojis */
    bool removed;
};

/* What was done to a message after it was posted. */
struct amendment {
    uint64_t cursor; /* of the newest edit, or of the deletion; 0: neither */
    int64_t time;
    uint32_t version;     /* how many edits there were; of a deleted message 0 */
    uint32_t by;          /* number of who deleted it, or 0 */
    struct emoji *emojis; /* in order of their first use */
    struct reaction *reactions;
    uint32_t emoji_count, emoji_cap, reaction_count, reaction_cap;
};

/* ---- events ------------------------------------------------------------------------------------
 */

enum event_type {
#define EVENT(wire, name, audience) EVENT_##name = wire,
#include "model/event.def"
#undef EVENT
};

/* What happened; pointers as the model's. Unused ones are NULL. */
struct event {
    enum event_type type;
    uint64_t cursor;
    int64_t time;
    const struct group *group;
    const struct user *user;  /* author, reader, who deleted, who reacted, who joined or left, who
                                 made the group */
    const struct user *by;    /* 71 to 75: who wanted it */
    const struct user *owner; /* 73: whose the group is since; NULL where it changed no hands */
    const struct message *message;   /* 20, 22 to 26 */
    const struct reaction *reaction; /* 26 */
    const struct user *to;           /* the person who sees it (22, 23) */
    const struct session *session;   /* session_ended; gone after the call */
    enum role role;                  /* 74 */
};

/* Called for each event of a commit, in order, before model_commit returns. */
struct event_sink {
    void *ctx;
    void (*tell)(void *ctx, const struct event *event);
};

/* ---- life --------------------------------------------------------------------------------------
 */

struct model *model_new(void);
void model_free(struct model *m);

/* ---- the way in
 * ---------------------------------------------------------------------------------- */

/*
 * May this record be committed now? ERR_ok, or the reason for a client: ERR_username_taken,
 * ERR_email_taken, ERR_unauthorized (the asker's token was ended meanwhile), ERR_group_not_found
 * (also where the one who asks may not see it), ERR_user_not_found, ERR_session_not_found,
 * ERR_not_a_member, ERR_forbidden, ERR_already_member, ERR_client_id_reused, ERR_invalid_field (a
 * reply to what the author does not see, a mention of somebody who is no member), ERR_duplicate (it
 * was done before and nothing would change), ERR_refused (names something that does not exist).
 */
enum err model_check(const struct model *m, const struct record *r) MUST_CHECK;

/*
 * Takes the record of journal number `cursor`, greater than any before: decodes, checks, applies,
 * tells `sink` (may be NULL) the events. Whatever model_check says is returned, and a refused
 * record changes nothing but the clock's high mark. ERR_damaged: the payload is not of this format.
 */
enum err model_commit(struct model *m, uint64_t cursor, uint16_t type, struct bytes payload,
                      const struct event_sink *sink) MUST_CHECK;

/*
 * What was deleted with its group is there for nobody any more, but its memory is freed by and by:
 * a little with each commit, and up to `count` messages here. True where more is left.
 */
bool model_reclaim(struct model *m, uint32_t count);

/* ---- looking
 * ------------------------------------------------------------------------------------- */

/* Each is NULL where there is none. Keys are folded forms. */
const struct user *model_user(const struct model *m, uint32_t number);
const struct user *model_user_by_id(const struct model *m, const struct uuid *id);
const struct user *model_user_by_name(const struct model *m, struct bytes key);
/* The first whose username_key is not below `key` as bytes are compared, with `above` that is above
 * it; NULL where there is none. */
const struct user *model_user_from(const struct model *m, struct bytes key, bool above);
const struct user *model_user_by_email(const struct model *m, struct bytes key);
/* By the app's own id, and that id: empty where there is none. */
const struct user *model_user_by_external_id(const struct model *m, struct bytes external_id);
struct bytes user_external_id(const struct user *u);
/* Empty where there is none. */
struct bytes user_display_name(const struct user *u);
/* The generation of the user's tokens: those of another were ended. */
uint32_t user_tokens(const struct user *u);
/* Does `u` want to hear nothing from `other`? */
bool user_blocks(const struct user *u, const struct user *other);
/* Is a token of that generation good still? None is of somebody who is no more. */
bool user_takes_token(const struct user *u, uint32_t generation);
/* Somebody who is no more, but of whom something may be left in groups; NULL where there is nobody.
 */
const struct user *model_erasing(const struct model *m);
/* Is it 1 to 64 of the bytes that stand in a path as they are: letters, digits, -._~:@? */
bool external_id_valid(struct bytes external_id);
const struct session *model_session_by_id(const struct model *m, const struct uuid *id);
const struct session *model_session_by_token(const struct model *m,
                                             const struct record_hash *token);
const struct group *model_group(const struct model *m, uint32_t number);
const struct group *model_group_by_id(const struct model *m, const struct uuid *id);
const struct message *model_message_by_id(const struct model *m, const struct uuid *id);
/* Fetches into the cache what model_commit will need for this record, some work before: in steps
 * from 0 to MODEL_PREFETCH_STEPS - 1, each of which looks at what the one before has fetched. */
#define MODEL_PREFETCH_STEPS 3
void model_prefetch(const struct model *m, unsigned step, uint16_t type, struct bytes payload);
/* The group whose members will be told of this record, which may yet be refused; its `active` was
 * fetched. NULL: none, or a record of which nothing is fetched. */
const struct group *model_told_of(const struct model *m, uint16_t type, struct bytes payload);
const struct message *model_message_by_client_id(const struct model *m, const struct user *author,
                                                 struct bytes client_id);
/* The direct group of these two. */
const struct group *model_direct(const struct model *m, const struct user *a, const struct user *b);
/* Past members too. */
const struct member *model_member(const struct model *m, const struct group *g,
                                  const struct user *u);

uint32_t model_user_count(const struct model *m);
uint32_t model_group_count(const struct model *m);
uint64_t model_message_count(const struct model *m);

/* How many there are just now. Memberships of those who have left count, too. */
struct model_counts {
    uint64_t users, groups, memberships, sessions, messages, hooks;
};
struct model_counts model_counts(const struct model *m);
/* Groups with days of their own for which messages are kept. */
uint32_t model_limited_groups(const struct model *m);

/* Bytes of messages that were there and are gone: their memory is kept for the next ones. */
uint64_t model_memory_unused(const struct model *m);

/* The newest cursor that went through model_commit; 0 for none. */
uint64_t model_cursor(const struct model *m);
/* The newest time; no event is older than the one before. */
int64_t model_time(const struct model *m);
/* Which history its cursors are of, where a record says it; zero: the journal's own. */
struct uuid model_epoch(const struct model *m);

static inline bool member_is_active(const struct member *mb)
{
    return mb != NULL && mb->membership == MEMBERSHIP_ACTIVE;
}

/* The settings with which the group was made. */
struct settings group_first_settings(const struct group *g);

/* Was the member there at `cursor`? */
bool member_saw(const struct member *mb, uint64_t cursor);

static inline int64_t message_time(const struct message *msg)
{
    return (int64_t)((uint64_t)msg->time_high << 32 | msg->time_low);
}

static inline struct bytes message_client_id(const struct message *msg)
{
    return bytes_of(msg->texts, msg->client_id_len);
}

static inline struct bytes message_data(const struct message *msg)
{
    return bytes_of(msg->texts + msg->client_id_len, msg->data_len);
}

/* NULL where the message says nothing beside its text. */
static inline const struct details *message_details(const struct message *msg)
{
    const struct details *de = NULL;
    if (msg->detailed)
        memcpy(&de, msg->texts + msg->client_id_len + msg->data_len, sizeof(void *));
    return de;
}

/* JSON, an object; empty where there is none. */
static inline struct bytes details_meta(const struct details *de)
{
    return bytes_of(&de->mentions[de->mention_count], de->meta_len);
}

/* NULL where nothing was done to the message. */
static inline const struct amendment *message_amendment(const struct message *msg)
{
    const struct amendment *am = NULL;
    if (msg->amended)
        memcpy(&am,
               msg->texts + msg->client_id_len + msg->data_len + msg->detailed * sizeof(void *),
               sizeof(void *));
    return am;
}

/* The first step at or behind `cursor` that no later one replaced; NULL where there is none. */
const struct amend_step *amends_from(const struct amends *a, uint64_t cursor);

/* How many messages above `seq` mention the user, those that are deleted or their own aside; and
 * whether this one does. */
uint32_t mentions_above(const struct group *g, const struct user *u, uint32_t seq);
bool mentions_has(const struct group *g, const struct user *u, uint32_t seq);

/* Message number `seq` of the group; NULL for 0, for those that are gone and beyond the last. */
static inline const struct message *group_message(const struct group *g, uint32_t seq)
{
    return seq <= g->expired || seq > g->messages.count ? NULL : vec_at(&g->messages, seq - 1);
}

/* The newest message that `mb` wrote with a number of at most `seq`; NULL where there is none. */
const struct message *member_own_message(const struct member *mb, uint32_t seq);

/* ---- proof
 * --------------------------------------------------------------------------------------- */

#define MODEL_DIGEST_LEN 32
/* BLAKE2b-256 over a canonical walk: equal models, equal digests, on any machine. */
void model_digest(const struct model *m, uint8_t out[static MODEL_DIGEST_LEN]);

/* Walks every invariant and ends the process (ENSURE) where one does not hold. Slow: for tests. */
void model_verify(const struct model *m);

#endif
