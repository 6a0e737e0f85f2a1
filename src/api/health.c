/*
 * health: what an operator's probe asks. Neither answer needs a token, and neither is counted
 * against anybody's rate.
 *
 * /healthz is 200 whenever it is answered: the loop turns. /readyz is 503 where somebody should be
 * sent elsewhere, or called: the server goes away, or the journal has failed, which only a restart
 * mends. A full disk, or the limit of memory, is no such thing: reads and sockets go on, there is
 * no other server that has the state, and changes work again by themselves. So it is 200, and says
 * so.
 */
#include "api/rest.h"
#include "base/json_write.h"

enum err health_live(struct call *call, struct problem *problem)
{
    (void)problem;
    rest_answer(call->api, call->conn, 200, BYTES("{\"alive\":true}"));
    return ERR_ok;
}

enum err health_ready(struct call *call, struct problem *problem)
{
    struct api *a = call->api;

    (void)problem;
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
