/* epoch: which history a cursor belongs to. */
#include "model/state.h"

struct uuid model_epoch(const struct model *m)
{
    return m->epoch;
}

enum err check_epoch_renew(const struct model *m, const struct record_epoch_renew *r)
{
    return uuid_is_zero(&r->epoch) || uuid_equal(&r->epoch, &m->epoch) ? ERR_refused : ERR_ok;
}

void apply_epoch_renew(struct model *m, const struct record_epoch_renew *r, const struct commit *c)
{
    (void)c;
    m->epoch = r->epoch;
}
