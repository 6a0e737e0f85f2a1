/*
 * load_inside: what the files of load share: how far it has got, and the fields that records are
 * made of. For load*.c only.
 */
#ifndef MODEL_LOAD_INSIDE_H
#define MODEL_LOAD_INSIDE_H

#include "base/varint.h"
#include "model/save.h"
#include "model/state.h"

/* What the group that is being loaded said of itself, and how far it has got. */
struct load_group {
    struct group *g;
    uint64_t owner; /* place + 1 */
    uint64_t founders, members, active, changes, messages;
    uint32_t active_members; /* of the members so far */
    uint32_t ended_members;  /* the same: until the end of the group */
    uint32_t marked, by_mark;
    uint64_t first_from;   /* of the member before */
    uint64_t moved;        /* of the one before in by_mark */
    uint64_t cursor, time; /* of the element before in the list */
    bool extra, kept;
    uint64_t last_cursor; /* as `kept` has it, which knows of messages that are gone */
    struct commit end;    /* of one that was deleted; cursor 0: it was not */
    const struct user *ended_by;
    uint64_t grants, successions; /* that are still to come */
    uint64_t succession;          /* place of the one before */
};

struct load {
    uint64_t users, sessions, groups, members, messages, client_ids;
    uint64_t all_members;   /* so far, also of groups that were deleted */
    uint64_t extras;        /* so far */
    uint64_t externals;     /* that are still to come */
    uint64_t hooks;         /* the same */
    bool hooks_begun;       /* their count has come: of users and groups nothing else follows */
    bool last;              /* their count has come: nothing else follows */
    bool over;              /* that was the last of the groups */
    uint64_t kept;          /* groups with one, so far */
    bool kept_over;         /* the same */
    uint64_t profiles;      /* so far */
    bool profiles_over;     /* their count has come: of users and groups nothing else follows */
    enum saved_type before; /* the type of the record before */
    struct load_group group;
};

/* ---- fields: false where the payload ends first -----------------------------------------------
 */

static inline bool take(struct bytes *in, size_t len, struct bytes *out)
{
    if (in->len < len)
        return false;
    *out = bytes_of(in->p, len);
    *in = bytes_of(in->p + len, in->len - len);
    return true;
}

static inline bool take_u8(struct bytes *in, uint8_t *out)
{
    struct bytes b;
    if (!take(in, 1, &b))
        return false;
    *out = b.p[0];
    return true;
}

static inline bool take_array(struct bytes *in, uint8_t *out, size_t len)
{
    struct bytes b;
    if (!take(in, len, &b))
        return false;
    memcpy(out, b.p, len);
    return true;
}

static inline bool take_u32(struct bytes *in, uint32_t *out)
{
    uint64_t v;
    if (!varint_take(in, &v) || v > UINT32_MAX)
        return false;
    *out = (uint32_t)v;
    return true;
}

/* A time or cursor of the past: not beyond the model's. */
static inline bool take_upto(struct bytes *in, uint64_t limit, uint64_t *out)
{
    return varint_take(in, out) && *out <= limit;
}

static inline bool take_time(const struct model *m, struct bytes *in, int64_t *out)
{
    uint64_t v;
    if (!take_upto(in, (uint64_t)m->time, &v))
        return false;
    *out = (int64_t)v;
    return true;
}

/* Adds what is read to *sum, which stays at most `limit`. */
static inline bool take_step(struct bytes *in, uint64_t limit, uint64_t *sum)
{
    uint64_t v;
    if (!varint_take(in, &v) || v > limit - *sum)
        return false;
    *sum += v;
    return true;
}

static inline bool take_text8(struct bytes *in, struct bytes *out)
{
    uint8_t len;
    return take_u8(in, &len) && take(in, len, out);
}

static inline bool take_text(struct bytes *in, struct bytes *out)
{
    uint32_t len;
    return take_u32(in, &len) && take(in, len, out);
}

static inline struct bytes take_rest(struct bytes *in)
{
    struct bytes all = *in;
    *in = bytes_of(in->p + in->len, 0);
    return all;
}

static inline bool take_member(const struct group *g, struct bytes *in, struct member **out)
{
    uint64_t place;
    if (!varint_take(in, &place) || place >= g->members.count)
        return false;
    *out = vec_at(&g->members, (uint32_t)place);
    return true;
}

/* Cursor and time of the next change or message: the one rises, the other does not fall. */
static inline bool take_moment(const struct model *m, struct bytes *in, struct commit *out)
{
    struct load_group *lg = &m->load->group;
    uint64_t before = lg->cursor;

    if (!take_step(in, m->cursor, &lg->cursor) || lg->cursor == before ||
        !take_step(in, (uint64_t)m->time, &lg->time))
        return false;
    *out = (struct commit){lg->cursor, (int64_t)lg->time, NULL};
    return true;
}

/* ---- elements: each takes one off *in; false where it is malformed or contradicts ---------------
 */

/* load_group.c */
bool load_group(struct model *m, struct bytes *in) MUST_CHECK;
bool load_kept(struct model *m, struct bytes *in) MUST_CHECK;
bool load_kept_count(struct model *m, struct bytes *in) MUST_CHECK;
bool load_member(struct model *m, struct bytes *in) MUST_CHECK;
bool load_active(struct model *m, struct bytes *in) MUST_CHECK;
bool load_by_mark(struct model *m, struct bytes *in) MUST_CHECK;
bool load_change(struct model *m, struct bytes *in) MUST_CHECK;
bool load_extra(struct model *m, struct bytes *in) MUST_CHECK;
bool load_deleted(struct model *m, struct bytes *in) MUST_CHECK;
bool load_extras(struct model *m, struct bytes *in) MUST_CHECK;
bool load_grant(struct model *m, struct bytes *in) MUST_CHECK;
bool load_succession(struct model *m, struct bytes *in) MUST_CHECK;
/* The lists of the group before are over: is it whole? */
bool load_finish_group(struct model *m) MUST_CHECK;

/* load_messages.c; load_messages takes several messages, up to STATE_BATCH. */
bool load_messages(struct model *m, struct bytes *in) MUST_CHECK;
bool load_amendment(struct model *m, struct bytes *in) MUST_CHECK;
bool load_details(struct model *m, struct bytes *in) MUST_CHECK;

#endif
