/*
 * keeper: makes the snapshots of a journal in files, and deletes what they make superfluous.
 * Private to log/.
 *
 *   loop thread          child                     helper thread              disk thread
 *   keeper_start ─ fork ► snapshot.tmp, fsync,     waits for the child
 *        │                read back, exit ───────► asks for a sync ─────────► up to seq
 *        └ thread ───────────────────────────────► rename, fsync directory
 *   keeper_take ◄──────────────────── ended ────── deletes below
 *
 * The order is what makes a crash harmless. The file gets its name when it is on disk and was read
 * back, and when the journal itself is on disk up to its seq: so a snapshot never knows more than
 * the journal. What is deleted lies below the snapshot before, the second newest that is known to
 * be good: so where the newest turns out damaged, everything behind the one before is there. Only
 * snapshots that this process read or wrote whole count as good.
 */
#ifndef LOG_KEEPER_H
#define LOG_KEEPER_H

#include "log/backend.h"
#include "log/snapshot.h"

struct keeper;

struct keeper_hooks {
    void *ctx;
    /* On the helper thread: makes every record up to `seq` durable. False: the journal failed. */
    bool (*sync)(void *ctx, uint64_t seq);
    /* On the helper thread, as its last deed: keeper_take has a result. */
    void (*ended)(void *ctx);
};

/* `good_seq`: the snapshot that was loaded; 0: none. `dir` is borrowed. */
struct keeper *keeper_new(int dir, uint64_t good_seq, const struct keeper_hooks *hooks);
/* Nothing is being written. Harmless on NULL. */
void keeper_free(struct keeper *k);

/* Begins a snapshot; nothing else is being written. hooks->on_save is called in the child. ERR_io:
 * there is no child or thread to be had, or a sync of the directory has failed before. */
enum err keeper_start(struct keeper *k, const struct journal_hooks *hooks,
                      const struct snapshot_header *h) MUST_CHECK;
/* Fetches the result of what keeper_start began. False: not ended yet. */
bool keeper_take(struct keeper *k, struct snapshot_result *out);
/* Ends the child, if it still writes, and waits for the helper: keeper_take has a result then. */
void keeper_stop(struct keeper *k);

#endif
