/*
 * floor_journal: the floor's journal: a preallocated file, a second thread, one write and one
 * fdatasync for all that waits.
 *
 * It keeps nothing that could be read back: no checksums, no headers, and at the end of the file it
 * starts again at the front. So it costs what durability costs, and nothing else.
 *
 * The loop thread calls everything here. A ticket is the caller's number for a record; it comes
 * back, in order, once the record is on disk.
 */
#ifndef BENCH_FLOOR_JOURNAL_H
#define BENCH_FLOOR_JOURNAL_H

#include <stddef.h>
#include <stdint.h>

struct floor_journal;

/* Makes `path` with `size` zeroed bytes on disk and starts the thread. Ends the process with a
 * sentence where that fails. */
struct floor_journal *floor_journal_new(const char *path, size_t size, size_t record_len);

/* Queues one record of record_len bytes, without telling the thread yet. */
void floor_journal_add(struct floor_journal *j, uint64_t ticket);

/* Hands what was queued to the thread; free of charge when nothing was. */
void floor_journal_submit(struct floor_journal *j);

/* Readable when floor_journal_take has something. */
int floor_journal_fd(const struct floor_journal *j);

/* How many records became durable since the last call; *tickets is borrowed until the next. */
size_t floor_journal_take(struct floor_journal *j, const uint64_t **tickets);

#endif
