/*
 * hook: who outside wants to be told of events, at which URL, and how far they have got.
 *
 * That a hook is there, and the cursor up to which its receiver has taken everything, are state as
 * any other; the telling is the business of a room above (src/hooks).
 */
#ifndef MODEL_HOOK_H
#define MODEL_HOOK_H

#include "model/model.h"

#define HOOK_URL_MAX 8192 /* bytes: the most that the law allows */

struct hook {
    struct uuid id;
    uint64_t cursor; /* of the record that made it */
    int64_t created_at;
    uint64_t position;            /* everything up to here was taken */
    struct bytes url, secret;     /* in one allocation with the hook */
    struct bytes old_secret;      /* the same; signs too until then; empty: there is none */
    int64_t old_until;            /* of the wall's clock */
    uint32_t type_count;          /* 0: all that hook_offers */
    uint8_t types[UINT8_MAX + 1]; /* rising */
    uint32_t edition;             /* another one where it was changed; no state */
};

enum hook_field { HOOK_URL = 1, HOOK_TYPES = 2, HOOK_SECRET = 4, HOOK_FIELDS = 7 };

/* Is this a type of event, as the wire has it, of which a hook may be told? */
bool hook_offers(uint32_t type);

/* Does the hook want it? */
bool hook_wants(const struct hook *hook, enum event_type type);

uint32_t model_hook_count(const struct model *m);
/* In the order of their making; `i` is below the count. */
const struct hook *model_hook(const struct model *m, uint32_t i);
/* NULL where there is none. */
const struct hook *model_hook_by_id(const struct model *m, const struct uuid *id);

/* Differs from what it was where one came, went or was changed meanwhile. */
uint32_t model_hook_changes(const struct model *m);

#endif
