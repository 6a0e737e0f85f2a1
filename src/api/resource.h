/*
 * resource: users, sessions, groups and messages as REST shows them. (Events are api/render's.)
 *
 * Each adds one JSON object to *out. Whether the reader may see it is the caller's to know.
 */
#ifndef API_RESOURCE_H
#define API_RESOURCE_H

#include "base/buf.h"
#include "model/model.h"

/* ,"display_name":… where the user has one. */
void resource_display_name(struct buf *out, const struct user *u);

/* {"id","username","display_name"?}; `self`: with what only the person may see,
 * {"email","created_at"}. */
void resource_user(struct buf *out, const struct user *u, bool self);

/* {"id","created_at","device_id","platform","model","build","name","online"}; never its URL. */
void resource_session(struct buf *out, const struct session *s, bool online);

/* "owner", "admin", "member", and back; false for any other text. */
struct bytes resource_role(enum role role);
bool resource_role_parse(struct bytes text, enum role *out);

/* "group" or "direct". */
struct bytes resource_kind(const struct group *g);

/* What a group's rules are called: enum join and enum history; and back, false for any other. */
bool resource_join_parse(struct bytes text, uint8_t *out);
bool resource_history_parse(struct bytes text, uint8_t *out);
/* ,"join":…,"history":… */
void resource_add_rules(struct buf *out, uint8_t join, uint8_t history);

/* An open group as anybody sees it who knows its id: {"id","name","kind","created_at",
 * "member_count","join","history"}. */
void resource_open_door(struct buf *out, const struct group *g);

/* A group as `mb`, who is a member, sees it, without the last brace, so that more may follow:
 * {"id","name","kind","role","owner_id","created_at","member_count","last_seq","read_seq",
 * "delivered_seq","unread","mentions","last_cursor","join","history". */
void resource_open_group(struct buf *out, const struct member *mb);

/* What is behind the data of a message that has details: ,"reply_to":…,"mentions":[…],"meta":{…},
 * of these what there is. */
void resource_details(struct buf *out, const struct group *g, const struct message *msg);

/* What is behind a message's data where something was done to it: ,"deleted":true or
 * ,"edited_at":…,"version":…; nothing where there are only reactions. */
void resource_amendment(struct buf *out, const struct message *msg);

/* {"message_id","group_id","user_id","seq","data","timestamp","cursor"}, and the author's own
 * "client_id" to the author; where something was done to it, resource_amendment's
 * and "reactions":[{"emoji","count","mine"}]. */
void resource_message(struct buf *out, const struct model *m, const struct message *msg,
                      const struct user *reader);

#endif
