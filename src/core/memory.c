#include "core/memory.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/diag.h"

/* A change is reckoned with this much beside its bytes, and so is each member of a new group:
 * somewhat more than they take (make bench CASES=state), as frames and queues come to it. */
#define CHANGE_BYTES 512u
#define MEMBER_BYTES 256u
#define STEP_MIN     ((uint64_t)256 << 10)

void memory_init(struct memory *m, uint64_t max, memory_look_fn *look, void *ctx)
{
    *m = (struct memory){.look = look, .ctx = ctx, .max = max};
    memory_look(m);
}

/* Does it make the state grow? A session in place of another does not. */
static bool record_grows(const struct record *r)
{
    switch (r->type) {
    case RECORD_user_create:
    case RECORD_app_user_create:
    case RECORD_group_create:
    case RECORD_group_make:
    case RECORD_direct_open:
    case RECORD_member_add:
    case RECORD_message_post:
    case RECORD_message_send:
    case RECORD_message_update:
    case RECORD_message_react:
    case RECORD_hook_create:
        return true;
    case RECORD_session_create:
        return uuid_is_zero(&r->session_create.replaces);
    case RECORD_session_open:
        return uuid_is_zero(&r->session_open.replaces);
    case RECORD_user_update:
    case RECORD_user_block:
    case RECORD_user_delete:
    case RECORD_message_erase:
    case RECORD_user_erased:
    case RECORD_message_delete:
    case RECORD_member_remove:
    case RECORD_member_role:
    case RECORD_group_update:
    case RECORD_group_delete:
    case RECORD_member_leave:
    case RECORD_app_user_rename:
    case RECORD_receipt_mark:
    case RECORD_messages_expire:
    case RECORD_group_retention:
    case RECORD_hook_delete:
    case RECORD_hook_update:
    case RECORD_epoch_renew:
    case RECORD_hook_progress:
    case RECORD_session_end:
    case RECORD_sessions_end:
        return false;
    }
    return false;
}

bool memory_takes(struct memory *m, const struct record *r, size_t len)
{
    if (m->max == 0 || !record_grows(r))
        return true;
    if (!m->full) {
        m->grown += CHANGE_BYTES + len;
        if (r->type == RECORD_group_create)
            m->grown += (uint64_t)MEMBER_BYTES * r->group_create.members.count;
        if (r->type == RECORD_group_make)
            m->grown += (uint64_t)MEMBER_BYTES * r->group_make.members.count;
        if (m->grown >= m->step)
            memory_look(m);
    }
    return !m->full;
}

void memory_look(struct memory *m)
{
    if (m->max == 0)
        return;
    m->used = m->look(m->ctx);
    m->grown = 0;
    uint64_t left = m->used < m->max ? m->max - m->used : 0;
    m->step = left / 4 > STEP_MIN ? left / 4 : STEP_MIN;
    if (!m->full && left == 0) {
        m->full = true;
        diag_warn("%llu MiB of memory are in use, as many as --memory-max allows: changes that "
                  "need more are refused",
                  (unsigned long long)(m->used >> 20));
    } else if (m->full && left > m->max / 16) {
        m->full = false;
        diag_info("%llu MiB of memory are in use, below --memory-max again: changes are taken",
                  (unsigned long long)(m->used >> 20));
    }
}

uint64_t memory_resident(void)
{
    char text[128];

    int fd = open("/proc/self/statm", O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return 0;
    ssize_t n = read(fd, text, sizeof text - 1);
    close(fd);
    if (n <= 0)
        return 0;
    text[n] = '\0';
    /* The second number is the resident pages. */
    char *at = strchr(text, ' ');
    return at != NULL ? strtoull(at, NULL, 10) * (uint64_t)sysconf(_SC_PAGESIZE) : 0;
}
