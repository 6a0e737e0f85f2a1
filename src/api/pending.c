#include "api/pending.h"

#include "base/crypto.h"
#include "base/ensure.h"

#include <stdlib.h>

/* So many are kept for the next ones, 5 MiB; a burst beyond that is given back to malloc. */
#define FREE_PENDINGS_MAX 16384

struct pending *pending_new(struct api *a, struct conn *c)
{
    struct pending *p = a->free_pendings;

    if (p != NULL) {
        a->free_pendings = p->next_free;
        a->free_pending_count--;
        __builtin_prefetch(a->free_pendings); /* the next message's */
    } else {
        p = xaligned(_Alignof(struct pending), sizeof *p);
    }
    p->proposal = (struct proposal){NULL, c};
    p->api = a;
    p->conn = c;
    p->user = NULL;
    p->method = 0;
    p->rpc_id_len = 0;
    p->client_id_len = 0;
    p->has_text = false;
    conn_hold(c);
    a->pending_count++;
    return p;
}

void pending_keep_text(struct pending *p, struct bytes text)
{
    if (!p->has_text)
        p->text = (struct buf){0};
    p->has_text = true;
    buf_add_bytes(&p->text, text);
}

void pending_keep_reply(struct pending *p, struct bytes rpc_id, int method)
{
    ENSURE(rpc_id.len <= RPC_ID_MAX);
    p->method = (uint8_t)method;
    p->rpc_id_len = (uint8_t)rpc_id.len;
    if (rpc_id.len > 0)
        memcpy(p->rpc_id, rpc_id.p, rpc_id.len);
}

void pending_finish(struct pending *p)
{
    struct api *a = p->api;

    conn_release(p->conn);
    if (p->has_text) {
        crypto_wipe(p->text.p, p->text.len);
        buf_release(&p->text);
    }
    a->pending_count--;
    if (a->free_pending_count == FREE_PENDINGS_MAX) {
        free(p);
        return;
    }
    p->next_free = a->free_pendings;
    a->free_pendings = p;
    a->free_pending_count++;
}

void pending_release(struct api *a)
{
    while (a->free_pendings != NULL) {
        struct pending *p = a->free_pendings;
        a->free_pendings = p->next_free;
        free(p);
    }
    a->free_pending_count = 0;
}
