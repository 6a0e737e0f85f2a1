/*
 * save: the whole model as a stream of records, and back. What a snapshot is made of.
 *
 * A model that was loaded is the one that was saved, in everything that anybody can see or that a
 * later commit depends on: equal digests, equal timelines from every cursor. saved.def says what
 * the records hold.
 *
 * What is loaded comes from a file: model_load and model_loaded refuse whatever is malformed or
 * contradicts itself, so that what they accept passes model_verify. The hash of the snapshot file
 * is another matter, and not this room's.
 */
#ifndef MODEL_SAVE_H
#define MODEL_SAVE_H

#include "model/model.h"

enum saved_type {
#define SAVED(number, name) SAVED_##name = number,
#include "model/saved.def"
#undef SAVED
};

/* Takes one record; the payload is borrowed for the call. */
typedef void model_save_fn(void *ctx, uint16_t type, struct bytes payload);

/*
 * Hands over the state, record by record, in order. Reads only, and needs memory for one record,
 * which has up to SAVE_RECORD_BYTES and one element (a message, a session): it runs in a forked
 * child, where each page that is written is copied.
 */
#define SAVE_RECORD_BYTES (64u << 10)
void model_save(const struct model *m, model_save_fn *fn, void *ctx);

/*
 * Takes the next record of a snapshot into a model that is new, was reset, or took the records
 * before. False: it is malformed or contradicts what came before; the model is then only good for
 * model_reset and model_free.
 */
bool model_load(struct model *m, uint16_t type, struct bytes payload) MUST_CHECK;

/*
 * The last one was loaded. False where something is missing or the state is not that behind journal
 * record `cursor`: good for model_reset and model_free only. Else the model goes on from there.
 */
bool model_loaded(struct model *m, uint64_t cursor) MUST_CHECK;

/* Forgets everything: the model is as model_new makes it, at the same place in memory. */
void model_reset(struct model *m);

/* The name of a type of saved.def, NULL where it is not known. */
const char *saved_name(uint16_t type);

#endif
