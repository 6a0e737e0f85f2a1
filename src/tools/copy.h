/*
 * copy: a whole data directory, as of one moment, also while a server writes there.
 *
 * The order makes it consistent. First the manifest, which names a segment that must be there; then
 * a scan to the last record that is whole, which says which files there are and where the records
 * end; then all files are opened, so that a server may delete them; where one was deleted before,
 * all of it begins again. Of each segment the bytes up to the end of its records are copied, zeros
 * behind them. Each file is synced, each directory, and then the copy is scanned as a start would.
 * One that is to go on in place of the original gets one record more (tools/renew.h).
 */
#ifndef TOOLS_COPY_H
#define TOOLS_COPY_H

#include "tools/scan.h"

struct copy_order {
    const char *from; /* as given */
    const char *to;
    bool into_empty; /* `to` may be there, empty */
    bool renew;      /* the copy gets another epoch */
    bool json;
};

struct copy_result {
    uint64_t files;
    uint64_t bytes;   /* with holes counted as none */
    uint64_t records; /* with the one that renews the epoch */
    uint64_t last_seq;
    size_t snapshots;
    struct uuid epoch; /* that it was renewed to */
};

/* Copies; what fails is said. `to` appears whole, or, where it was there, is empty again after a
 * failure. EXIT_DAMAGED: the source is damaged, nothing was made. */
enum exit_code copy_data_dir(const struct copy_order *order, struct copy_result *result);

/* Prints the result of a copy that is fine. */
void copy_print(const struct copy_order *order, const struct copy_result *result);

#endif
