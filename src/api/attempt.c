#include "api/attempt.h"

#include "base/clock.h"

enum err attempt_begin(struct api *a, struct bytes account, const struct conn_address *who,
                       struct problem *problem)
{
    struct bytes address = bytes_of(who->b, sizeof who->b);
    int64_t now_ms = clock_mono_ms();
    uint32_t wait = limit_table_peek(a->login_by_address, address, now_ms);

    problem->retry_ms = limit_table_peek(a->login_by_account, account, now_ms);
    if (wait > problem->retry_ms)
        problem->retry_ms = wait;
    if (problem->retry_ms > 0) {
        a->stats.throttled[THROTTLED_LOGIN]++;
        return ERR_too_many_requests;
    }
    limit_table_take(a->login_by_account, account, now_ms);
    limit_table_take(a->login_by_address, address, now_ms);
    return ERR_ok;
}

void attempt_give_back(struct api *a, struct bytes account, const struct conn_address *who)
{
    int64_t now_ms = clock_mono_ms();

    limit_table_give_back(a->login_by_account, account, now_ms);
    limit_table_give_back(a->login_by_address, bytes_of(who->b, sizeof who->b), now_ms);
}
