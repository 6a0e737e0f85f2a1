/*
 * disk: the disk thread. Private to log/.
 *
 *   loop thread                                  disk thread
 *   submit ── offered batch, wake if idle ────►  take it: one write, one fdatasync
 *   take_done ◄── done batches, eventfd ───────  give it back with its result
 *
 * The lock is held for moving pointers only. A batch costs one write, one fdatasync, one write and
 * one read of the eventfd, and two futex calls where the thread was idle.
 *
 * After ERR_disk_full the thread takes nothing until a probe found room (asked for by `writable`,
 * at most ten times a second); after ERR_read_only for ever.
 */
#ifndef LOG_DISK_H
#define LOG_DISK_H

#include "log/backend.h"
#include "log/writer.h"

struct disk;

extern const struct journal_backend disk_backend;

/* Starts the thread, which owns *writer (moved in; the caller's is empty afterwards) and the
 * directory's descriptor. `snapshot_seq`: of the snapshot that was loaded; 0: none. NULL with *f
 * where the system has no eventfd or thread to give; then nothing was taken. */
struct disk *disk_start(struct writer *writer, enum journal_sync sync, uint64_t snapshot_seq,
                        struct failure *f);

#endif
