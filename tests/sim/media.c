#include "tests/sim/media.h"

#include <stdlib.h>
#include <string.h>

#include "base/ensure.h"
#include "tests/sim/media_inside.h"
#include "tests/sim/rng.h"
#include "tests/sim/sim.h"

struct media_counts media_counts;
struct inode *media_root;

static struct inode *inodes;
static uint64_t room_max; /* sectors */
static uint64_t room_used;

/* ---- room -------------------------------------------------------------------------------------
 */

void media_set_room(uint64_t bytes)
{
    room_max = bytes == UINT64_MAX ? UINT64_MAX : bytes / SECTOR;
}

uint64_t media_used(void)
{
    return room_used * SECTOR;
}

uint64_t media_room(void)
{
    return room_max > room_used ? room_max - room_used : 0;
}

void media_take_room(uint64_t sectors)
{
    room_used += sectors;
}

void media_give_room(uint64_t sectors)
{
    ENSURE(room_used >= sectors);
    room_used -= sectors;
}

/* ---- inodes -----------------------------------------------------------------------------------
 */

struct inode *inode_new(bool is_dir)
{
    struct inode *i = xcalloc(1, sizeof *i);
    i->is_dir = is_dir;
    if (is_dir) {
        i->names_now = xcalloc(1, sizeof *i->names_now);
        i->names_safe = xcalloc(1, sizeof *i->names_safe);
        i->ops = xcalloc(OPS_MAX, sizeof *i->ops);
    }
    i->next = inodes;
    inodes = i;
    return i;
}

static void inode_free(struct inode *i)
{
    for (uint64_t s = 0; s < i->cap / SECTOR; s++)
        if (i->allocated[s])
            media_give_room(1);
    free(i->now);
    free(i->safe);
    free(i->dirty);
    free(i->allocated);
    free(i->names_now);
    free(i->names_safe);
    free(i->ops);
    free(i);
}

static void keep(struct inode *i)
{
    if (!i || i->kept)
        return;
    i->kept = true;
    if (!i->is_dir)
        return;
    for (size_t n = 0; n < i->names_now->count; n++)
        keep(i->names_now->list[n].inode);
    for (size_t n = 0; n < i->names_safe->count; n++)
        keep(i->names_safe->list[n].inode);
    for (size_t n = 0; n < i->op_count; n++)
        keep(i->ops[n].inode);
}

/* Frees what has no name and no descriptor. */
static void sweep(void)
{
    for (struct inode *i = inodes; i; i = i->next)
        i->kept = false;
    for (struct inode *i = inodes; i; i = i->next)
        if (i->open > 0)
            keep(i);
    keep(media_root);
    for (struct inode **at = &inodes; *at;) {
        struct inode *i = *at;
        if (i->kept) {
            at = &i->next;
            continue;
        }
        *at = i->next;
        inode_free(i);
    }
}

/* ---- files ------------------------------------------------------------------------------------
 */

void file_reserve(struct inode *f, uint64_t end)
{
    if (end <= f->cap)
        return;
    uint64_t cap = f->cap * 2 > end ? f->cap * 2 : end;
    cap = (cap + SECTOR - 1) / SECTOR * SECTOR;
    f->now = xrealloc(f->now, cap);
    f->safe = xrealloc(f->safe, cap);
    f->dirty = xrealloc(f->dirty, cap / SECTOR);
    f->allocated = xrealloc(f->allocated, cap / SECTOR);
    memset(f->now + f->cap, 0, cap - f->cap);
    memset(f->safe + f->cap, 0, cap - f->cap);
    memset(f->dirty + f->cap / SECTOR, 0, (cap - f->cap) / SECTOR);
    memset(f->allocated + f->cap / SECTOR, 0, (cap - f->cap) / SECTOR);
    f->cap = cap;
}

uint64_t file_missing(const struct inode *f, uint64_t from, uint64_t to)
{
    uint64_t count = 0;
    for (uint64_t s = from / SECTOR; s * SECTOR < to; s++)
        count += s >= f->cap / SECTOR || !f->allocated[s];
    return count;
}

void file_allocate(struct inode *f, uint64_t from, uint64_t to)
{
    file_reserve(f, to);
    media_take_room(file_missing(f, from, to));
    for (uint64_t s = from / SECTOR; s * SECTOR < to; s++)
        f->allocated[s] = 1;
}

static void sector_to_disk(struct inode *f, uint64_t s)
{
    memcpy(f->safe + s * SECTOR, f->now + s * SECTOR, SECTOR);
    f->dirty[s] = 0;
}

/* What is overwritten before a sync may have reached the disk before. */
static void write_behind(struct inode *f, uint64_t from, uint64_t to)
{
    unsigned chance = rng_percent(70) ? 0 : (unsigned)rng_below(101);
    for (uint64_t s = from / SECTOR; chance > 0 && s * SECTOR < to; s++)
        if (f->dirty[s] && rng_percent(chance))
            sector_to_disk(f, s);
}

void file_write(struct inode *f, uint64_t at, const uint8_t *p, uint64_t len)
{
    file_reserve(f, at + len);
    write_behind(f, at, at + len);
    memcpy(f->now + at, p, len);
    for (uint64_t s = at / SECTOR; s * SECTOR < at + len; s++)
        f->dirty[s] = 1;
    if (at + len > f->size_now)
        f->size_now = at + len;
}

void file_truncate(struct inode *f)
{
    for (uint64_t s = 0; s < f->cap / SECTOR; s++) {
        if (f->allocated[s])
            media_give_room(1);
        f->allocated[s] = 0;
        f->dirty[s] = 1;
    }
    if (f->cap > 0)
        memset(f->now, 0, f->cap);
    f->size_now = 0;
}

void file_sync(struct inode *f)
{
    for (uint64_t s = 0; s < f->cap / SECTOR; s++)
        if (f->dirty[s])
            sector_to_disk(f, s);
    f->size_safe = f->size_now;
}

void file_sync_failed(struct inode *f)
{
    unsigned chance = (unsigned)rng_below(101);
    bool forgets = rng_one_in(2);
    for (uint64_t s = 0; s < f->cap / SECTOR; s++) {
        if (f->dirty[s] && rng_percent(chance))
            sector_to_disk(f, s);
        if (forgets)
            f->dirty[s] = 0;
    }
}

/* The power is gone: what was not synced is there or not, sector by sector. */
static void file_lose(struct inode *f)
{
    static const unsigned chances[] = {0, 100, 50, 90, 10};
    unsigned chance = chances[rng_below(5)];
    if (f->size_now != f->size_safe && rng_percent(50))
        f->size_safe = f->size_now;
    for (uint64_t s = 0; s < f->cap / SECTOR; s++) {
        bool lost = f->dirty[s] && !rng_percent(chance);
        media_counts.sectors_lost += lost;
        media_counts.sectors_kept += f->dirty[s] && !lost;
        if (f->dirty[s] && !lost)
            sector_to_disk(f, s);
        f->dirty[s] = 0;
    }
    file_reserve(f, f->size_safe);
    if (f->cap > f->size_safe)
        memset(f->safe + f->size_safe, 0, f->cap - f->size_safe);
    if (f->cap > 0)
        memcpy(f->now, f->safe, f->cap);
    f->size_now = f->size_safe;
}

/* ---- directories ------------------------------------------------------------------------------
 */

struct inode *names_find(const struct names *n, const char *name)
{
    for (size_t i = 0; i < n->count; i++)
        if (strcmp(n->list[i].name, name) == 0)
            return n->list[i].inode;
    return NULL;
}

static void names_remove(struct names *n, const char *name)
{
    for (size_t i = 0; i < n->count; i++)
        if (strcmp(n->list[i].name, name) == 0) {
            n->list[i] = n->list[--n->count];
            return;
        }
}

static void names_put(struct names *n, const char *name, struct inode *inode)
{
    names_remove(n, name);
    ENSURE(n->count < NAMES_MAX);
    struct entry *e = &n->list[n->count++];
    memcpy(e->name, name, strlen(name) + 1);
    e->inode = inode;
}

static void names_do(struct names *n, const struct op *op)
{
    switch (op->kind) {
    case OP_LINK:
        names_put(n, op->name, op->inode);
        return;
    case OP_UNLINK:
        names_remove(n, op->name);
        return;
    case OP_RENAME:
        names_remove(n, op->from);
        names_put(n, op->name, op->inode);
        return;
    }
}

void dir_sync(struct inode *dir)
{
    *dir->names_safe = *dir->names_now;
    dir->op_count = 0;
    sweep();
}

void dir_do(struct inode *dir, enum op_kind kind, const char *name, const char *from,
            struct inode *inode)
{
    if (dir->op_count == OPS_MAX)
        dir_sync(dir);
    struct op *op = &dir->ops[dir->op_count++];
    *op = (struct op){.kind = kind, .inode = inode};
    memcpy(op->name, name, strlen(name) + 1);
    if (from)
        memcpy(op->from, from, strlen(from) + 1);
    names_do(dir->names_now, op);
}

static void dir_lose(struct inode *dir)
{
    static const unsigned chances[] = {0, 100, 50, 50};
    unsigned chance = chances[rng_below(4)];
    for (size_t i = 0; i < dir->op_count; i++) {
        bool lost = !rng_percent(chance);
        media_counts.entries_lost += lost;
        media_counts.entries_kept += !lost;
        if (!lost)
            names_do(dir->names_safe, &dir->ops[i]);
    }
    dir->op_count = 0;
    *dir->names_now = *dir->names_safe;
}

/* ---- life -------------------------------------------------------------------------------------
 */

void media_release(void)
{
    while (inodes) {
        struct inode *i = inodes;
        inodes = i->next;
        inode_free(i);
    }
    media_root = NULL;
}

void media_reset(void)
{
    media_release();
    room_max = UINT64_MAX;
    room_used = 0;
    media_calls_reset();
    media_root = inode_new(true);
}

void media_restart(void)
{
    bool lost = media_power_lost();
    media_calls_reset();
    for (struct inode *i = inodes; i; i = i->next) {
        ENSURE(i->open == 0);
        if (lost && i->is_dir)
            dir_lose(i);
        else if (lost)
            file_lose(i);
    }
    sweep();
}

/* ---- from outside -----------------------------------------------------------------------------
 */

static struct inode *journal_dir(void)
{
    return names_find(media_root->names_now, "journal");
}

const char *media_newest_segment_name(void)
{
    const struct inode *dir = journal_dir();
    const char *newest = NULL;
    for (size_t i = 0; dir && i < dir->names_now->count; i++) {
        const char *name = dir->names_now->list[i].name;
        size_t len = strlen(name);
        if (len == 24 && strcmp(name + len - 4, ".log") == 0 &&
            (!newest || strcmp(name, newest) > 0))
            newest = name;
    }
    return newest;
}

const struct inode *media_newest_segment(void)
{
    const char *name = media_newest_segment_name();
    return name ? names_find(journal_dir()->names_now, name) : NULL;
}

const char *media_file(size_t i, uint64_t *size)
{
    const struct inode *dir = journal_dir();
    if (!dir || i >= dir->names_now->count)
        return NULL;
    *size = dir->names_now->list[i].inode->size_now;
    return dir->names_now->list[i].name;
}

const uint8_t *media_bytes(const char *name, uint64_t *size)
{
    const struct inode *f = names_find(journal_dir()->names_now, name);
    ENSURE(f);
    *size = f->size_now;
    return f->now;
}

void media_flip(const char *name, uint64_t offset, unsigned bit)
{
    struct inode *f = names_find(journal_dir()->names_now, name);
    ENSURE(f && offset < f->size_now);
    f->now[offset] ^= (uint8_t)(1u << bit);
    f->safe[offset] ^= (uint8_t)(1u << bit);
    media_counts.bits_flipped++;
    trace_add('f', offset, bit);
}
