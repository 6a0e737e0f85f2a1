/*
 * mend: the steps of a repair, each on one file of a journal's directory, on disk when it returns.
 *
 * Nothing is thrown away: what is cut or replaced stays in the directory as NAME.cut-<n>, which no
 * start reads. Each step may be done again after a crash. The lock of the data directory is held.
 * All return false with errno.
 */
#ifndef TOOLS_MEND_H
#define TOOLS_MEND_H

#include "log/segment.h"

#define MEND_NAME_MAX 64

/* A file's bytes, to be read. Ends with mend_unmap. */
bool mend_map(int dir, const char *name, struct bytes *out);
void mend_unmap(struct bytes all);

/* Reads the header page; false with errno 0 where it is too short or does not hold. */
bool mend_header(struct bytes all, struct segment_header *h);

/* Gives the file the name NAME.cut-<n>, which goes to `kept`. */
bool mend_aside(int dir, const char *name, char kept[static MEND_NAME_MAX]);

/* Copies the bytes from `at` to the last one that is not zero into NAME.cut-<n>, then overwrites
 * them with zeros. */
bool mend_cut(int dir, const char *name, uint64_t at, char kept[static MEND_NAME_MAX]);

/* Makes the file `size` bytes long: with zeros; or what is more goes to NAME.cut-<n>, else `kept`
 * is "". */
bool mend_resize(int dir, const char *name, uint64_t size, char kept[static MEND_NAME_MAX]);

/* Makes the segment of that header, with these records and zeros behind them. Where one of its name
 * is there, that is kept first as NAME.cut-<n>; else `kept` is "". */
bool mend_segment(int dir, const struct segment_header *h, struct bytes records,
                  char kept[static MEND_NAME_MAX]);

/* Makes the manifest name that segment. */
bool mend_manifest(int dir, const struct segment_header *h);

/* Calls fn for each header in all[from..) that holds under `key` and belongs to a record of number
 * seq_min or later; `payload` is what is there of it. */
typedef void mend_found_fn(void *ctx, const struct frame_header *h, struct bytes payload);
void mend_find(struct bytes all, size_t from, const struct frame_key *key, uint64_t seq_min,
               mend_found_fn *fn, void *ctx);

/* The longest run of whole records that continues `chain`, which is the value before record `seq`,
 * anywhere in `all`; empty where there is none. *end: the number behind its last. */
struct bytes mend_run(struct bytes all, const struct frame_key *key,
                      const struct frame_chain *chain, uint64_t seq, uint64_t *end);

#endif
