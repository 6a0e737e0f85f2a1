/* media_inside: what media.c and media_calls.c share. */
#ifndef TESTS_SIM_MEDIA_INSIDE_H
#define TESTS_SIM_MEDIA_INSIDE_H

#include "tests/sim/media.h"

#define NAMES_MAX 256
#define OPS_MAX   256

struct entry {
    char name[MEDIA_NAME_MAX];
    struct inode *inode;
};

struct names {
    struct entry list[NAMES_MAX];
    size_t count;
};

enum op_kind { OP_LINK, OP_UNLINK, OP_RENAME };

/* An operation of a directory that is not on the disk yet. */
struct op {
    enum op_kind kind;
    char name[MEDIA_NAME_MAX];
    char from[MEDIA_NAME_MAX]; /* OP_RENAME */
    struct inode *inode;
};

struct inode {
    struct inode *next; /* of all */
    bool is_dir;
    bool kept;     /* scratch of the sweep */
    unsigned open; /* descriptors */
    /* a file */
    uint8_t *now, *safe;
    uint8_t *dirty;     /* one a sector: not synced */
    uint8_t *allocated; /* one a sector: it has room on the disk */
    uint64_t cap;       /* bytes of now and safe, whole sectors */
    uint64_t size_now, size_safe;
    /* a directory */
    struct names *names_now, *names_safe;
    struct op *ops;
    size_t op_count;
};

extern struct inode *media_root;

struct inode *inode_new(bool is_dir);
struct inode *names_find(const struct names *n, const char *name);

void dir_do(struct inode *dir, enum op_kind kind, const char *name, const char *from,
            struct inode *inode);
void dir_sync(struct inode *dir);

/* Gives the sectors of [0, end) memory. */
void file_reserve(struct inode *f, uint64_t end);
/* Sectors of [from, to) that have no room on the disk yet. */
uint64_t file_missing(const struct inode *f, uint64_t from, uint64_t to);
void file_allocate(struct inode *f, uint64_t from, uint64_t to);
void file_write(struct inode *f, uint64_t at, const uint8_t *p, uint64_t len);
void file_truncate(struct inode *f);
void file_sync(struct inode *f);
/* A sync that failed: of what was not on the disk any part got there; the rest may be forgotten by
 * the system, which shows it to readers and thinks that it is on the disk: a later sync, by whoever
 * opens the file, succeeds without it. */
void file_sync_failed(struct inode *f);

uint64_t media_room(void);
void media_take_room(uint64_t sectors);
void media_give_room(uint64_t sectors);

/* The file of the newest segment, or NULL. */
const struct inode *media_newest_segment(void);

/* No descriptor may stay behind; said by media_calls.c. */
void media_calls_reset(void);

#endif
