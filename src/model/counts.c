#include "model/state.h"

struct model_counts model_counts(const struct model *m)
{
    return (struct model_counts){.users = map_count(&m->users_by_id),
                                 .groups = map_count(&m->groups_by_id),
                                 .memberships = map_count(&m->members),
                                 .sessions = map_count(&m->sessions_by_id),
                                 .messages = m->message_count,
                                 .hooks = m->hooks.count};
}
