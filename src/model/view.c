#include "model/view.h"

#include "base/bisect.h"

/* The numbers of the messages of a time of membership: first to last, none where first > last. */
struct range {
    uint32_t first, last;
};

/* The number of the newest message up to a cursor; that of the newest one that is gone for none. */
static uint32_t newest_until(const struct group *g, uint64_t cursor)
{
    return BISECT(i, g->expired, g->messages.count,
                  ((const struct message *)vec_at(&g->messages, i))->cursor <= cursor);
}

static const struct span *span_at(const struct member *mb, uint32_t i)
{
    return i + 1 < mb->span_count ? &mb->earlier[i] : &mb->span;
}

static struct range range_of(const struct group *g, const struct span *span)
{
    uint32_t before = newest_until(g, span->from - 1);
    uint32_t last = span->to == UINT64_MAX ? g->messages.count : newest_until(g, span->to);
    return (struct range){before + 1, last};
}

/* The first span that has not ended before `cursor`; span_count where there is none. */
static uint32_t span_after(const struct member *mb, uint64_t cursor)
{
    return BISECT(i, 0, mb->span_count, span_at(mb, i)->to < cursor);
}

/* In a group whose history is for all, a member sees what there was until they went: all numbers up
 * to this one. UINT32_MAX: in another. */
static uint32_t seen_until(const struct member *mb)
{
    if (mb->group->history != HISTORY_ALL)
        return UINT32_MAX;
    return member_is_active(mb) ? mb->group->messages.count : newest_until(mb->group, mb->span.to);
}

bool view_sees(const struct member *mb, const struct message *msg)
{
    uint32_t until = seen_until(mb);
    return until != UINT32_MAX ? msg->seq <= until : member_saw(mb, msg->cursor);
}

const struct message *view_from(const struct member *mb, uint32_t seq)
{
    uint32_t until = seen_until(mb), expired = mb->group->expired;
    uint32_t low = seq > expired ? seq : expired + 1;
    if (until != UINT32_MAX)
        return low <= until ? group_message(mb->group, low) : NULL;
    const struct message *at = group_message(mb->group, low);

    for (uint32_t i = at != NULL ? span_after(mb, at->cursor) : mb->span_count; i < mb->span_count;
         i++) {
        struct range r = range_of(mb->group, span_at(mb, i));
        uint32_t first = at->seq > r.first ? at->seq : r.first;
        if (first <= r.last)
            return group_message(mb->group, first);
    }
    return NULL;
}

const struct message *view_until(const struct member *mb, uint32_t seq)
{
    uint32_t until = seen_until(mb), count = mb->group->messages.count;
    if (until != UINT32_MAX)
        return group_message(mb->group, seq < until ? seq : until);
    const struct message *at = group_message(mb->group, seq < count ? seq : count);
    uint32_t i = at != NULL ? span_after(mb, at->cursor) : 0;

    /* That span may begin behind the message; all before it have ended before. */
    for (i += at != NULL && i<mb->span_count; i--> 0;) {
        struct range r = range_of(mb->group, span_at(mb, i));
        uint32_t last = at->seq < r.last ? at->seq : r.last;
        if (last >= r.first)
            return group_message(mb->group, last);
    }
    return NULL;
}

/* How many of the group's deleted messages have numbers below `seq`. */
static uint32_t deleted_below(const struct group *g, uint32_t seq)
{
    const struct amends *a = &g->notices->amends;
    return BISECT(i, 0, a->deleted_count, a->deleted[i] < seq);
}

static uint32_t count_range(const struct group *g, uint32_t first, uint32_t last, bool deleted)
{
    if (!deleted)
        return last - first + 1;
    return g->notices != NULL ? deleted_below(g, last + 1) - deleted_below(g, first) : 0;
}

/* How many messages above `after` the member sees, or how many of these are deleted. */
static uint32_t count_above(const struct member *mb, uint32_t after, bool deleted)
{
    uint32_t count = 0;
    for (uint32_t i = mb->span_count; i-- > 0;) {
        struct range r = range_of(mb->group, span_at(mb, i));
        if (r.last <= after)
            break;
        uint32_t first = after + 1 > r.first ? after + 1 : r.first;
        if (first <= r.last)
            count += count_range(mb->group, first, r.last, deleted);
    }
    return count;
}

uint32_t view_count(const struct member *mb, uint32_t after)
{
    return count_above(mb, after, false);
}

/* Those that are deleted are counted apart, own ones too; own_unread leaves them out. */
uint32_t view_unread(const struct member *mb)
{
    uint32_t gone = mb->group->notices != NULL ? count_above(mb, mb->read.seq, true) : 0;
    return view_count(mb, mb->read.seq) - mb->own_unread - gone;
}
