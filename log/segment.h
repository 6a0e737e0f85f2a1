/*
 * segment: the files of a journal's directory, one call a step. Private to log/.
 *
 *   DIR/journal/<first seq, 20 digits>.log   a segment: a header page, records, zeros to its size
 *   DIR/journal/manifest                     the newest segment that must be there
 *   DIR/journal/<segment>.torn-<n>           a copy of a tail that was cut
 *   DIR/journal/{next,manifest,torn}.tmp     unfinished; worth nothing
 *
 * A segment is made whole before it gets its name: space allocated, zeros really written, fsync.
 * So writing a record changes no metadata, and a file that is shorter than its header says was cut
 * by somebody. A segment gets its header when the one before is full and on disk: the header holds
 * the number and the chain value of the record that comes next. The first segment of a journal is
 * at most 1 MiB and each is twice the one before, up to --segment-size: a start with an empty
 * directory writes little.
 *
 * The bytes of both files are drawn in docs/journal-format.md.
 */
#ifndef LOG_SEGMENT_H
#define LOG_SEGMENT_H

#include <stdatomic.h>

#include "base/err.h"
#include "base/uuid.h"
#include "log/frame.h"

#define SEGMENT_HEADER_LEN 4096
#define SEGMENT_NAME_MAX   32
#define SEGMENT_SIZE_FIRST (1u << 20)
#define SEGMENT_SIZE_MIN   (64u << 10)
#define MANIFEST_LEN       64
#define JOURNAL_DIR        "journal"

struct segment_header {
    struct uuid epoch;
    uint64_t number; /* 1, 2, 3, … */
    uint64_t first_seq;
    uint64_t size; /* of the file */
    struct frame_key key;
    struct frame_chain chain; /* before its first record */
};

struct manifest {
    struct uuid epoch;
    uint64_t number; /* of the newest segment when it was written */
    uint64_t first_seq;
};

/* Which call failed on which file, for the operator. */
struct failure {
    int error; /* errno */
    char text[256];
};

/* Takes errno, and writes "CALL of journal/NAME failed: REASON". */
void failure_set(struct failure *f, const char *call, const char *name);

void segment_name(uint64_t first_seq, char out[static SEGMENT_NAME_MAX]);
bool segment_name_parse(const char *name, uint64_t *first_seq);

void segment_header_encode(const struct segment_header *h, uint8_t out[static SEGMENT_HEADER_LEN]);
/* False where magic, version or checksum do not hold. */
bool segment_header_decode(const uint8_t *in, struct segment_header *h);

void manifest_encode(const struct manifest *m, uint8_t out[static MANIFEST_LEN]);
bool manifest_decode(const uint8_t *in, struct manifest *m);

/* The numbers that begin the segments of the directory, ascending; free(*out). -1 with errno. */
int segment_list(int dir, uint64_t **out, size_t *count);
/* The same for other files that are named by a number: those whose names `parse` takes. */
int segment_list_names(int dir, bool (*parse)(const char *name, uint64_t *seq), uint64_t **out,
                       size_t *count);

/* The bytes of the segment behind one of `size` bytes (0: of the first), big enough for a record
 * of `record_len` bytes with its overhead: whole pages. */
uint64_t segment_size_next(uint64_t size, uint64_t size_max, uint64_t record_len);

/* Makes next.tmp: `size` bytes of zeros, whole pages, on disk. `direct`: past the page cache, where
 * the file system can. Gives up with ECANCELED soon after *stop becomes true. The descriptor, or -1
 * and *f; then the file is gone. */
int segment_prepare(int dir, uint64_t size, bool direct, const atomic_bool *stop,
                    struct failure *f);

/* Gives next.tmp, which is `fd`, its header and its name, both on disk afterwards. ERR_disk_full:
 * nothing happened, try again with a newly prepared file. ERR_read_only: the directory could not
 * be synced. */
enum err segment_publish(int dir, int fd, const struct segment_header *h, struct failure *f);

/* Gives a finished and synced file its name, on disk. ERR_disk_full: it has it not. ERR_read_only:
 * the directory could not be synced, nobody knows. */
enum err segment_put_in_place(int dir, const char *tmp, const char *name, struct failure *f);

/* Replaces the manifest. ERR_disk_full: the old one is still there. ERR_read_only: as above. */
enum err manifest_write(int dir, const struct manifest *m, struct failure *f);

/* Copies bytes [from, to) of `fd` into a new file NAME.torn-<n>, whose name goes to `out`, and
 * syncs both. 0, or -1 and *f. */
int segment_keep_torn(int dir, int fd, const char *name, uint64_t from, uint64_t to,
                      char out[static SEGMENT_NAME_MAX * 2], struct failure *f);

#endif
