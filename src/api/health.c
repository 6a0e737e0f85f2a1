/*
 * health: what an operator's probe asks. Neither answer needs a token, and neither is counted
 * against anybody's rate.
 *
 * /healthz is 200 whenever it is answered: the loop turns. /readyz is 503 where somebody should be
 * sent elsewhere, or called: the server reads its journal yet, or goes away, or the journal has
 * failed, which only a restart mends. A full disk, or the limit of memory, is no such thing: reads
 * and sockets go on, there is no other server that has the state, and changes work again by
 * themselves. So it is 200, and says so.
 */
#include "api/render.h"
#include "api/rest.h"
#include "base/json_write.h"

enum err health_live(struct call *call, struct problem *problem)
{
    (void)problem;
    rest_answer(call->api, call->conn, 200, BYTES("{\"alive\":true}"));
    return ERR_ok;
}

/* How far the reading of the journal is. */
static void refuse_starting(struct api *a, struct conn *c)
{
    const struct journal_progress *p = &a->progress;
    struct buf *out = &a->body;

    buf_reset(out);
    render_error(out, ERR_starting, NULL);
    out->len--; /* the brace; what follows stands in the same object */
    buf_printf(out, ",\"progress\":{\"reading\":\"%s\"", p->segment > 0 ? "journal" : "snapshot");
    if (p->segment > 0)
        buf_printf(out, ",\"segment\":%llu,\"segments\":%llu", (unsigned long long)p->segment,
                   (unsigned long long)p->segments);
    buf_printf(out, ",\"bytes\":%llu,\"bytes_total\":%llu,\"records\":%llu}}",
               (unsigned long long)p->bytes, (unsigned long long)p->size,
               (unsigned long long)p->records);
    rest_refuse_rendered(a, c, ERR_starting, 0);
}

enum err health_ready(struct call *call, struct problem *problem)
{
    struct api *a = call->api;

    (void)problem;
    if (a->starting) {
        refuse_starting(a, call->conn);
        return ERR_ok;
    }
    if (a->draining)
        return ERR_shutting_down;
    enum err refuses = engine_refuses(a->engine);
    if (refuses == ERR_read_only || refuses == ERR_shutting_down)
        return refuses;
    buf_reset(&a->body);
    buf_add_bytes(&a->body, BYTES("{\"ready\":true"));
    if (refuses != ERR_ok) {
        buf_add_bytes(&a->body, BYTES(",\"refuses\":"));
        json_add_string(&a->body, bytes_cstr(err_code(refuses)));
    }
    buf_add_bytes(&a->body, BYTES("}"));
    rest_answer(a, call->conn, 200, buf_bytes(&a->body));
    return ERR_ok;
}
