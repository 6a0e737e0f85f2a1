/*
 * media: a disk that loses what it may.
 *
 * Files have two contents: what a reader sees now, and what is safe on the disk; they differ in the
 * sectors that were written and not synced. Directories have two lists of names, and the operations
 * between them. When the power goes, each sector of 512 bytes that was not synced is there or not,
 * each file's new length as well, and each operation of a directory that was not synced: any
 * subset, in no order. A sector is written whole or not at all. A process that is killed loses
 * nothing of this.
 *
 *   media_calls.c   the table of system calls: counts them, fails them, cuts the power at one
 *   media.c         files, directories and what a loss of power leaves
 *
 * When the power has gone the process is a ghost: each of its calls fails with EIO and changes
 * nothing, until it has ended itself and media_restart is called. So no memory is lost, and the
 * code's way out is walked as well.
 */
#ifndef TESTS_SIM_MEDIA_H
#define TESTS_SIM_MEDIA_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define MEDIA_ROOT     "/sim" /* the data directory's path */
#define MEDIA_NAME_MAX 64
#define SECTOR         512u

enum media_call {
    MEDIA_OPEN,
    MEDIA_MKDIR,
    MEDIA_LIST,
    MEDIA_STAT,
    MEDIA_READ,
    MEDIA_WRITE,
    MEDIA_ALLOCATE,
    MEDIA_SYNC,
    MEDIA_RENAME,
    MEDIA_UNLINK,
    MEDIA_CLOSE,
    MEDIA_THREAD,
    MEDIA_CHILD,
    MEDIA_CALLS
};

/* A fault that a call meets: from the nth of its kind on, so many times. */
struct media_fault {
    enum media_call call; /* MEDIA_CALLS: any */
    uint64_t nth;         /* 1: the next; 0: no fault */
    uint64_t times;
    int error; /* errno; 0 for a short read or write */
    int after; /* errno that the call behind the last of these meets, or 0 */
};

struct media_counts {
    uint64_t calls;
    uint64_t
        changes; /* calls that changed a file or a directory (mkdir of what is there does not) */
    uint64_t faults;                     /* that were met */
    uint64_t sectors_lost, sectors_kept; /* of what was not synced when the power went */
    uint64_t entries_lost, entries_kept; /* operations of directories, the same */
    uint64_t bits_flipped;
    uint64_t children, children_killed;
};

extern struct media_counts media_counts;

/* An empty disk with the directory MEDIA_ROOT; puts its calls into `sys`. */
void media_reset(void);

/* Takes its memory back. */
void media_release(void);

/* Bytes that files may have on disk; UINT64_MAX: any number. */
void media_set_room(uint64_t bytes);
uint64_t media_used(void);

/* How slow a call may be: milliseconds, 0 for none. */
void media_set_slow(int64_t ms);

void media_set_fault(const struct media_fault *fault);

/* What ends a process. */
enum media_end { MEDIA_POWER, MEDIA_KILL };

/* That happens at the nth call of this kind from now on, MEDIA_CALLS for any kind; 0: not at all.
 */
void media_set_end(enum media_end end, enum media_call call, uint64_t nth);

/* It happens now. */
void media_end_now(enum media_end end);

/* Is the process a ghost? And because the power is gone? */
bool media_dead(void);
bool media_power_lost(void);

/* The process has ended: no descriptor may be open. Where the power had gone, decides what is lost.
 */
void media_restart(void);

/* Called when a sync of the newest segment has succeeded. */
extern void (*media_on_sync)(void);

/* ---- looking and damaging, from outside --------------------------------------------------------
 */

/* The files of DIR/journal, by number: the name, or NULL behind the last. */
const char *media_file(size_t i, uint64_t *size);

/* Bytes of a file as a reader sees them now. */
const uint8_t *media_bytes(const char *name, uint64_t *size);

/* The newest segment's name, or NULL. */
const char *media_newest_segment_name(void);

/* Flips a bit of a file, on the disk. */
void media_flip(const char *name, uint64_t offset, unsigned bit);

#endif
