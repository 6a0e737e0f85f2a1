#include "log/relay.h"

void relay_flush(struct relay *r)
{
    if (r->count > 0 && r->hooks->on_soon)
        r->hooks->on_soon(r->hooks->ctx, r->records, NULL, r->count);
    for (uint32_t i = 0; i < r->count; i++)
        r->hooks->on_commit(r->hooks->ctx, &r->records[i], NULL);
    r->count = 0;
}

void relay_add(struct relay *r, const struct journal_record *record)
{
    r->records[r->count++] = *record;
    if (r->count == JOURNAL_SOON_MAX)
        relay_flush(r);
}
