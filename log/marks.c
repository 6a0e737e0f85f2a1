#include "log/marks.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/ensure.h"
#include "log/recover.h"

/* Adds to the text of what was passed over; what does not fit is left out. */
static void say_passed_over(struct journal_report *report, const char *name,
                            const struct snapshot_fault *fault)
{
    size_t len = strlen(report->snapshot);
    snprintf(report->snapshot + len, sizeof report->snapshot - len,
             "%s" JOURNAL_DIR "/%s, offset %llu: %s", len > 0 ? "; " : "", name,
             (unsigned long long)fault->offset, fault->text);
}

static void add(struct marks *m, const struct snapshot_info *info)
{
    m->list = xrealloc(m->list, sizeof *m->list * (m->count + 1));
    m->list[m->count++] = info->header;
    m->records = info->records;
    m->bytes = info->bytes;
}

/* Reads one; ERR_ok also where it is passed over. */
static enum err read_one(struct marks *m, int dir, uint64_t seq, const struct journal_hooks *hooks,
                         struct journal_report *report)
{
    char name[SEGMENT_NAME_MAX];
    struct snapshot_info info;
    struct snapshot_fault fault;
    snapshot_name(seq, name);
    enum err e = snapshot_read(dir, name, seq, hooks, &info, &fault);
    if (e == ERR_ok) {
        add(m, &info);
        return ERR_ok;
    }
    if (e == ERR_damaged || e == ERR_io) {
        m->unread = m->unread || e == ERR_io;
        say_passed_over(report, name, &fault);
        if (hooks && hooks->on_reset)
            hooks->on_reset(hooks->ctx);
        return ERR_ok;
    }
    snprintf(report->damage, sizeof report->damage, JOURNAL_DIR "/%s: %s", name, fault.text);
    return e;
}

enum err marks_init(struct marks *m, int dir, const struct journal_hooks *hooks,
                    struct journal_report *report)
{
    uint64_t *list = NULL;
    size_t count = 0;
    enum err e = ERR_ok;
    *m = (struct marks){0};
    if (snapshot_list(dir, &list, &count) != 0) {
        struct failure f;
        failure_set(&f, "reading the directory", ".");
        return recover_failed(report, &f);
    }
    m->files = count > 0;
    if (hooks->on_load)
        for (size_t i = count; i > 0 && e == ERR_ok && m->count == 0; i--)
            e = read_one(m, dir, list[i - 1], hooks, report);
    else
        for (size_t i = 0; i < count && e == ERR_ok; i++)
            e = read_one(m, dir, list[i], NULL, report);
    free(list);
    return e;
}

void marks_release(struct marks *m)
{
    free(m->list);
    *m = (struct marks){0};
}
