/*
 * block: memory in blocks of 64 KiB, straight from the system and back to it.
 *
 * malloc keeps what lies between other things when it is freed, as the old half of a table does
 * that has grown. A block that is put is the system's at once, only its addresses are kept for the
 * next one. One pool for the process; loop thread only.
 */
#ifndef BASE_BLOCK_H
#define BASE_BLOCK_H

#define BLOCK_BYTES 65536u

/* A block of zeros, at a multiple of its size, whose memory is there (base/populate): who takes one
 * uses all of it. Never NULL. */
void *block_get(void);

/* Gives back one of block_get. */
void block_put(void *block);

#endif
