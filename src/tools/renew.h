/*
 * renew: gives a journal another epoch, so that nobody who was told something by another one goes
 * on from there (model/record.def, epoch_renew).
 */
#ifndef TOOLS_RENEW_H
#define TOOLS_RENEW_H

#include "base/exit.h"
#include "base/uuid.h"

#include <stdbool.h>
#include <stdint.h>

/* Adds the record to the journal of the data directory, which must be whole and which nobody else
 * has open, and syncs it. A segment that it begins has `segment_size` bytes; 0: as a server has it.
 * What fails is said. */
enum exit_code renew_epoch(const char *dir, uint64_t segment_size, bool json, struct uuid *epoch);

#endif
