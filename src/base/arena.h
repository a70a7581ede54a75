/* Memory that goes all at once: what belongs to one request lives in that request's
 * arena. */
#ifndef LUAWS_BASE_ARENA_H
#define LUAWS_BASE_ARENA_H

#include "base/bytes.h"

/* Start from {0}. */
struct luaws_arena {
  struct luaws_arena_block *blocks;
  size_t used_bytes;  /* of the first block */
  size_t total_bytes; /* all blocks */
};

/* Zeroed, aligned for anything; NULL without memory. Lives until the arena is cleared. */
void *luaws_arena_alloc(struct luaws_arena *a, size_t size);
/* A copy closed by a zero byte; {NULL, 0} without memory. */
struct luaws_str luaws_arena_str(struct luaws_arena *a, struct luaws_str s);
/* Frees everything; the arena can be used again. */
void luaws_arena_clear(struct luaws_arena *a);
/* As clear, overwriting the bytes first: for arenas that held secrets. */
void luaws_arena_wipe(struct luaws_arena *a);
/* Empties, keeping the first block for the next use, and overwrites what was used. */
void luaws_arena_reset(struct luaws_arena *a);

#endif
