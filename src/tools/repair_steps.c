#include "tools/repair_inside.h"

#include <errno.h>
#include <stdio.h>
#include <unistd.h>

enum exit_code repair_failed(const struct repair *r, const char *what, const char *name)
{
    return out_error(r->json, EXIT_FAILED, "cannot %s " JOURNAL_DIR "/%s: %s", what, name,
                     strerror(errno));
}

enum exit_code repair_refuse(const struct repair *r, const char *why)
{
    return out_error(r->json, EXIT_DAMAGED, "%s: restore a backup. The damage: %s", why,
                     r->report.damage);
}

void repair_say(struct repair *r, const char *what, const char *file, uint64_t offset,
                const char *kept)
{
    r->step_count++;
    out_open(&r->steps, NULL, '{');
    out_cstr(&r->steps, "step", what);
    out_cstr(&r->steps, "file", file);
    out_uint(&r->steps, "offset", offset);
    if (!r->dry_run && kept[0] != '\0')
        out_cstr(&r->steps, "kept_in", kept);
    out_close(&r->steps, '}');
    if (r->json)
        return;
    char where[48] = "", what_kept[MEND_NAME_MAX + 48] = "";
    if (offset > 0)
        (void)snprintf(where, sizeof where, " at offset %llu", (unsigned long long)offset);
    if (!r->dry_run && kept[0] != '\0')
        (void)snprintf(what_kept, sizeof what_kept, "; what was there is in " JOURNAL_DIR "/%s",
                       kept);
    out_say("%s%s " JOURNAL_DIR "/%s%s%s", r->dry_run ? "would " : "", what, file, where,
            what_kept);
}

/* ---- the steps ----------------------------------------------------------------------------- */

static void on_lost(void *ctx, const struct frame_header *h, struct bytes payload)
{
    struct repair *r = ctx;
    lost_add(&r->lost, h, payload);
}

/* Notes what can be found of records from `seq_min` on in segments `i` to `end` - 1, in the first
 * of them from `from` on. */
static void count_lost(struct repair *r, size_t i, size_t end, uint64_t from,
                       const struct frame_key *key, uint64_t seq_min)
{
    char name[SEGMENT_NAME_MAX];
    struct bytes all;
    for (; i < end; i++, from = SEGMENT_HEADER_LEN) {
        if (r->list[i] > seq_min)
            lost_known(&r->lost, r->list[i] - 1);
        segment_name(r->list[i], name);
        if (!mend_map(r->journal, name, &all))
            continue; /* what cannot be read cannot be counted */
        mend_find(all, from < all.len ? (size_t)from : all.len, key, seq_min, on_lost, r);
        mend_unmap(all);
    }
}

/* The header of segment `i`; false where it does not hold, or is another segment's. */
static bool read_header(const struct repair *r, size_t i, struct segment_header *h)
{
    char name[SEGMENT_NAME_MAX];
    struct bytes all;
    segment_name(r->list[i], name);
    if (!mend_map(r->journal, name, &all))
        return false;
    bool ok = mend_header(all, h) && h->first_seq == r->list[i];
    mend_unmap(all);
    return ok;
}

enum exit_code repair_aside(struct repair *r, const char *name)
{
    char kept[MEND_NAME_MAX] = "";
    if (!r->dry_run && !mend_aside(r->journal, name, kept))
        return repair_failed(r, "move aside", name);
    repair_say(r, "move aside", name, 0, kept);
    return EXIT_FINE;
}

/* Moves segment `i` and all behind it aside, the newest first, so that an interruption leaves what
 * is found again the same way. */
static enum exit_code aside_from(struct repair *r, size_t i)
{
    char name[SEGMENT_NAME_MAX];
    enum exit_code code = EXIT_FINE;
    for (size_t j = r->count; j > i && code == EXIT_FINE; j--) {
        segment_name(r->list[j - 1], name);
        code = repair_aside(r, name);
    }
    return code;
}

/* The manifest names the segment of that header as the newest, and nothing else. */
static enum exit_code step_manifest(struct repair *r, const struct segment_header *h)
{
    struct manifest m;
    struct bytes all;
    if (mend_map(r->journal, "manifest", &all)) {
        bool named = all.len == MANIFEST_LEN && manifest_decode(all.p, &m) &&
                     m.number == h->number && m.first_seq == h->first_seq &&
                     uuid_equal(&m.epoch, &h->epoch);
        mend_unmap(all);
        if (named)
            return EXIT_FINE;
    }
    if (!r->dry_run && !mend_manifest(r->journal, h))
        return repair_failed(r, "write", "manifest");
    repair_say(r, "write", "manifest", 0, "");
    return EXIT_FINE;
}

enum exit_code repair_cut_at(struct repair *r, size_t i, uint64_t at)
{
    char name[SEGMENT_NAME_MAX], kept[MEND_NAME_MAX] = "";
    struct segment_header h;
    segment_name(r->list[i], name);
    if (!read_header(r, i, &h))
        return repair_refuse(r, "the segment's header could not be read again");
    lost_known(&r->lost, r->report.damage_seq);
    count_lost(r, i, r->count, at, &h.key, r->report.damage_seq);
    enum exit_code code = step_manifest(r, &h);
    if (code == EXIT_FINE)
        code = aside_from(r, i + 1);
    if (code != EXIT_FINE)
        return code;
    if (!r->dry_run && !mend_cut(r->journal, name, at, kept))
        return repair_failed(r, "cut", name);
    repair_say(r, "cut", name, at, kept);
    return EXIT_FINE;
}

enum exit_code repair_cut_before(struct repair *r, size_t i)
{
    struct segment_header before;
    if (i == 0 || !read_header(r, i - 1, &before))
        return repair_refuse(r, "nothing that is whole would remain");
    lost_known(&r->lost, r->report.damage_seq);
    count_lost(r, i, r->count, 0, &before.key, r->report.damage_seq);
    enum exit_code code = step_manifest(r, &before);
    return code == EXIT_FINE ? aside_from(r, i) : code;
}

enum exit_code repair_manifest(struct repair *r, bool there)
{
    struct segment_header h;
    size_t i = r->count;
    while (i > 0 && !read_header(r, i - 1, &h))
        i--;
    if (i == 0)
        return repair_refuse(r, "no segment can be read");
    if (there) {
        enum exit_code code = repair_aside(r, "manifest");
        if (code != EXIT_FINE)
            return code;
    }
    return step_manifest(r, &h);
}

/* The header of segment `i` from what is beside it. */
static bool guess_header(const struct repair *r, size_t i, struct bytes all,
                         struct segment_header *h)
{
    struct segment_header before;
    char name[SEGMENT_NAME_MAX];
    struct bytes prev;
    uint64_t end;
    if (i == 0 || !read_header(r, i - 1, &before))
        return false;
    segment_name(r->list[i - 1], name);
    if (!mend_map(r->journal, name, &prev))
        return false;
    struct bytes run = mend_run(prev, &before.key, &before.chain, before.first_seq, &end);
    *h = before;
    h->number++;
    h->first_seq = r->list[i];
    h->size = all.len;
    if (run.len > 0)
        memcpy(h->chain.b, run.p + run.len - FRAME_CHAIN_LEN, FRAME_CHAIN_LEN);
    mend_unmap(prev);
    if (end != h->first_seq)
        return false;
    run = mend_run(all, &h->key, &h->chain, h->first_seq, &end);
    return run.len > 0 && run.p == all.p + SEGMENT_HEADER_LEN;
}

enum exit_code repair_header(struct repair *r, size_t i, bool *mended)
{
    char name[SEGMENT_NAME_MAX], kept[MEND_NAME_MAX] = "";
    struct segment_header h;
    struct bytes all;
    enum exit_code code = EXIT_FINE;
    *mended = false;
    segment_name(r->list[i], name);
    if (!mend_map(r->journal, name, &all))
        return repair_failed(r, "read", name);
    if (!mend_header(all, &h) && guess_header(r, i, all, &h)) {
        *mended = true;
        struct bytes records = bytes_of(all.p + SEGMENT_HEADER_LEN, all.len - SEGMENT_HEADER_LEN);
        if (!r->dry_run && !mend_segment(r->journal, &h, records, kept))
            code = repair_failed(r, "write", name);
        else
            repair_say(r, "write the header of", name, 0, kept);
    }
    mend_unmap(all);
    return code;
}

/* ---- a segment from a snapshot ------------------------------------------------------------- */

/* The number of the segment that is put in the place of `i`; 0 where it cannot be known. */
static uint64_t number_for(const struct repair *r, size_t i)
{
    struct segment_header h;
    struct manifest m;
    struct bytes all;
    uint64_t number = 0;
    if (i < r->count && read_header(r, i, &h))
        return h.number;
    if (mend_map(r->journal, "manifest", &all)) {
        if (all.len == MANIFEST_LEN && manifest_decode(all.p, &m) &&
            (i >= r->count || m.first_seq == r->list[i]))
            number = m.number;
        mend_unmap(all);
    }
    if (number == 0 && i + 1 < r->count && read_header(r, i + 1, &h))
        number = h.number - 1;
    if (number == 0 && i > 0 && i <= r->count && read_header(r, i - 1, &h))
        number = h.number + 1;
    return number;
}

/* Adds the records of segments `i` to `end` - 1 that continue *chain, from record *seq on. */
static bool gather(struct repair *r, size_t i, size_t end, struct frame_chain chain, uint64_t *seq,
                   struct buf *out)
{
    for (; i < end; i++) {
        char name[SEGMENT_NAME_MAX];
        struct bytes all;
        segment_name(r->list[i], name);
        if (!mend_map(r->journal, name, &all))
            return false;
        struct bytes run = mend_run(all, &r->base.key, &chain, *seq, seq);
        buf_add_bytes(out, run);
        if (run.len > 0)
            memcpy(chain.b, run.p + run.len - FRAME_CHAIN_LEN, FRAME_CHAIN_LEN);
        mend_unmap(all);
    }
    return true;
}

enum exit_code repair_rebuild(struct repair *r, size_t i)
{
    char name[SEGMENT_NAME_MAX], old[SEGMENT_NAME_MAX] = "", kept[MEND_NAME_MAX] = "";
    struct buf records = {0};
    uint64_t end = r->base.seq + 1;
    struct segment_header h = {.epoch = r->base.epoch,
                               .number = number_for(r, i),
                               .first_seq = r->base.seq + 1,
                               .size = SEGMENT_SIZE_MIN,
                               .key = r->base.key,
                               .chain = r->base.chain};
    bool all = h.number < 2 && i + 1 < r->count;
    size_t behind = all || i >= r->count ? r->count : i + 1;
    enum exit_code code = EXIT_FINE;
    if (h.number < 2)
        h.number = 2;
    segment_name(h.first_seq, name);
    if (i < r->count)
        segment_name(r->list[i], old);
    if (!gather(r, i, behind, h.chain, &end, &records))
        code = repair_failed(r, "read", old);
    count_lost(r, i, behind, 0, &h.key, end);
    uint64_t need = SEGMENT_HEADER_LEN + records.len + FRAME_HEADER_LEN;
    if (h.size < need)
        h.size = (need + SEGMENT_HEADER_LEN - 1) / SEGMENT_HEADER_LEN * SEGMENT_HEADER_LEN;
    if (code == EXIT_FINE && !r->dry_run &&
        !mend_segment(r->journal, &h, buf_bytes(&records), kept))
        code = repair_failed(r, "write", name);
    buf_release(&records);
    if (code != EXIT_FINE)
        return code;
    repair_say(r, "write, from a snapshot and what follows it,", name, 0, kept);
    if (behind >= r->count)
        code = step_manifest(r, &h);
    if (code == EXIT_FINE && behind > i + 1)
        code = aside_from(r, i + 1);
    if (code == EXIT_FINE && old[0] != '\0' && strcmp(old, name) != 0)
        code = repair_aside(r, old);
    return code;
}
