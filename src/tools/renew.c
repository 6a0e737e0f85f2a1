#include "tools/renew.h"

#include "base/clock.h"
#include "log/journal.h"
#include "model/record.h"
#include "tools/out.h"

/* What became of the one record that is proposed; the address of it is the ticket. */
struct renewal {
    enum err err;
    bool ended;
};

/* What is there already is not looked at: any state takes the record. */
static bool on_load(void *ctx, uint16_t type, struct bytes payload)
{
    (void)ctx;
    (void)type;
    (void)payload;
    return true;
}

static bool on_loaded(void *ctx, uint64_t seq)
{
    (void)ctx;
    (void)seq;
    return true;
}

static void on_commit(void *ctx, const struct journal_record *record, void *ticket)
{
    struct renewal *r = ticket;
    (void)ctx;
    (void)record;
    if (r != NULL)
        *r = (struct renewal){ERR_ok, true};
}

static void on_fail(void *ctx, void *ticket, enum err why)
{
    (void)ctx;
    *(struct renewal *)ticket = (struct renewal){why, true};
}

static enum err add(struct journal *j, const struct uuid *epoch)
{
    struct renewal renewal = {ERR_io, false};
    struct record r = {.type = RECORD_epoch_renew, .epoch_renew = {clock_wall_ms(), *epoch}};
    struct buf payload = {0};

    record_encode(&r, &payload);
    enum err err = journal_propose(j, (uint16_t)r.type, buf_bytes(&payload), &renewal);
    buf_release(&payload);
    journal_close(j);
    return err != ERR_ok ? err : renewal.err;
}

enum exit_code renew_epoch(const char *dir, uint64_t segment_size, bool json, struct uuid *epoch)
{
    struct journal_options options = {.dir = dir, .segment_size = segment_size};
    struct journal_hooks hooks = {
        .on_commit = on_commit, .on_fail = on_fail, .on_load = on_load, .on_loaded = on_loaded};
    struct journal_report report = {0};
    struct journal *j;

    enum err err = journal_open_files(&options, &hooks, &report, &j);
    if (err != ERR_ok)
        return out_error(json, EXIT_FAILED, "cannot open the journal of %s: %s", dir,
                         report.damage[0] != '\0' ? report.damage : err_sentence(err));
    *epoch = uuid_random();
    err = add(j, epoch);
    return err == ERR_ok
               ? EXIT_FINE
               : out_error(json, EXIT_FAILED, "cannot add a record to the journal of %s: %s", dir,
                           err_sentence(err));
}
