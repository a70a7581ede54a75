#include "base/arena.h"

#include <stdlib.h>

enum { FIRST_BLOCK_BYTES = 4096, ALIGN = 16 };

struct luaws_arena_block {
  struct luaws_arena_block *next;
  size_t size; /* of data */
  _Alignas(ALIGN) char data[];
};

static bool add_block(struct luaws_arena *a, size_t at_least) {
  size_t size = a->blocks ? a->blocks->size * 2 : FIRST_BLOCK_BYTES;
  if (size > (1u << 20)) size = 1u << 20;
  if (size < at_least) size = at_least;
  struct luaws_arena_block *b = malloc(sizeof *b + size);
  if (!b) return false;
  b->next = a->blocks;
  b->size = size;
  a->blocks = b;
  a->used_bytes = 0;
  a->total_bytes += size;
  return true;
}

void *luaws_arena_alloc(struct luaws_arena *a, size_t size) {
  if (size > SIZE_MAX / 4) return NULL;
  size = (size + ALIGN - 1) & ~(size_t)(ALIGN - 1);
  if (!a->blocks || a->blocks->size - a->used_bytes < size) {
    if (!add_block(a, size)) return NULL;
  }
  void *p = a->blocks->data + a->used_bytes;
  a->used_bytes += size;
  return memset(p, 0, size);
}

struct luaws_str luaws_arena_str(struct luaws_arena *a, struct luaws_str s) {
  char *p = luaws_arena_alloc(a, s.len + 1);
  if (!p) return LUAWS_STR_NONE;
  if (s.len) memcpy(p, s.ptr, s.len);
  return (struct luaws_str){p, s.len};
}

static void release(struct luaws_arena *a, bool wipe) {
  while (a->blocks) {
    struct luaws_arena_block *next = a->blocks->next;
    if (wipe) luaws_wipe(a->blocks->data, a->blocks->size);
    free(a->blocks);
    a->blocks = next;
  }
  *a = (struct luaws_arena){0};
}

void luaws_arena_clear(struct luaws_arena *a) {
  release(a, false);
}

void luaws_arena_wipe(struct luaws_arena *a) {
  release(a, true);
}

void luaws_arena_reset(struct luaws_arena *a) {
  struct luaws_arena_block *keep = NULL;
  size_t used_bytes = a->used_bytes;
  while (a->blocks) {
    struct luaws_arena_block *b = a->blocks;
    a->blocks = b->next;
    luaws_wipe(b->data, used_bytes);
    used_bytes = a->blocks ? a->blocks->size : 0;
    if (b->size == FIRST_BLOCK_BYTES && !keep) {
      keep = b;
      keep->next = NULL;
    } else {
      free(b);
    }
  }
  *a = (struct luaws_arena){.blocks = keep, .total_bytes = keep ? keep->size : 0};
  if (keep) keep->next = NULL;
}
