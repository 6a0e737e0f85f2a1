/* The journal in files: opening and looking. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>

#include "base/ensure.h"
#include "log/backend.h"
#include "log/disk.h"
#include "log/recover.h"
#include "log/sys.h"

#define SEGMENT_SIZE_MAX (4ull << 30)
#define RECORD_MAX_MAX   (1u << 30)

static struct journal_options with_defaults(const struct journal_options *given)
{
    struct journal_options o = *given;
    if (o.segment_size == 0)
        o.segment_size = JOURNAL_SEGMENT_SIZE_DEFAULT;
    if (o.record_max == 0)
        o.record_max = JOURNAL_RECORD_MAX_DEFAULT;
    if (o.queue_max == 0)
        o.queue_max = JOURNAL_QUEUE_MAX_DEFAULT;
    ENSURE(o.dir != NULL);
    ENSURE(o.segment_size >= SEGMENT_SIZE_MIN && o.segment_size <= SEGMENT_SIZE_MAX);
    ENSURE(o.record_max <= RECORD_MAX_MAX);
    return o;
}

static enum err call_failed(struct journal_report *report, const char *call, const char *dir)
{
    struct failure f = {.error = errno};
    char reason[96];
    snprintf(f.text, sizeof f.text, "%s of %.160s failed: %s", call, dir,
             strerror_r(f.error, reason, sizeof reason));
    return recover_failed(report, &f);
}

/* Opens DIR/journal; makes it, and its name durable, where `make` says so. */
static enum err open_dir(const char *path, bool make, struct journal_report *report, int *out)
{
    enum err e = ERR_ok;
    int fd = -1;
    int data = sys_open_at(AT_FDCWD, path, O_RDONLY | O_DIRECTORY, 0);
    if (data < 0)
        return call_failed(report, "open", path);
    if (make && sys.mkdir_at(data, JOURNAL_DIR, 0700) != 0 && errno != EEXIST)
        e = call_failed(report, "mkdir of " JOURNAL_DIR " in", path);
    /* Also where it is there already: the process that made it may have died before its sync. */
    else if (make && sys_fsync(data) != 0)
        e = call_failed(report, "fsync", path);
    else if ((fd = sys_open_at(data, JOURNAL_DIR, O_RDONLY | O_DIRECTORY, 0)) < 0)
        e = call_failed(report, "open of " JOURNAL_DIR " in", path);
    sys.close(data);
    if (e == ERR_ok)
        *out = fd;
    return e;
}

enum err journal_open_files(const struct journal_options *options,
                            const struct journal_hooks *hooks, struct journal_report *report,
                            struct journal **out)
{
    struct journal_options o = with_defaults(options);
    struct recovered found;
    struct writer writer = {.pages.fd = -1, .next_fd = -1};
    struct failure f;
    struct disk *disk = NULL;
    int dir = -1;
    *report = (struct journal_report){0};
    enum err e = open_dir(o.dir, true, report, &dir);
    if (e != ERR_ok)
        return e;
    e = recover_read(dir, false, hooks, report, &found);
    /* What a crash left of a snapshot; where it is not there, so much the better. */
    if (e == ERR_ok)
        sys.unlink_at(dir, SNAPSHOT_TMP, 0);
    if (e == ERR_ok)
        e = writer_init(&writer, dir, o.segment_size, o.sync == JOURNAL_SYNC_ALWAYS, &found,
                        report);
    struct journal_start start = {
        .backend = &disk_backend,
        .epoch = writer.header.epoch,
        .key = writer.header.key,
        .chain = writer.chain,
        .next_seq = writer.next_seq,
        .snapshot_seq = report->snapshot_seq,
        .bytes_since = report->bytes,
        .record_max = o.record_max,
        .queue_max = o.queue_max,
    };
    if (e == ERR_ok && !(disk = disk_start(&writer, o.sync, report->snapshot_seq, &f)))
        e = recover_failed(report, &f);
    if (e != ERR_ok) {
        writer_release(&writer);
        sys.close(dir);
        return e;
    }
    start.impl = disk;
    *out = journal_new(&start, hooks);
    return ERR_ok;
}

enum err journal_scan_files(const struct journal_options *options,
                            const struct journal_hooks *hooks, struct journal_report *report)
{
    struct recovered found;
    int dir = -1;
    *report = (struct journal_report){0};
    enum err e = open_dir(options->dir, false, report, &dir);
    if (e != ERR_ok)
        return e;
    e = recover_read(dir, true, hooks, report, &found);
    sys.close(dir);
    return e;
}
