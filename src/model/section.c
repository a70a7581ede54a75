/* One buffer for the bytes, and two hash tables: of the texts in it, and of the pieces
   that were shared. A piece is remembered as its caller passed it, with places instead of
   distances, because equal pieces at two places differ in their distances. */
#include "model/section.h"

#include <stdlib.h>
#include <xxhash.h>

struct shared_piece {
  uint64_t hash;
  size_t key; /* in keys: the piece, then the offsets of its refs */
  size_t key_size;
  luaws_place place; /* 0 = a free slot */
};

struct text_slot {
  uint32_t hash;
  luaws_place place; /* 0 = a free slot */
};

struct luaws_section {
  struct luaws_buf bytes;
  bool failed;
  const char *problem;
  struct text_slot *texts;
  size_t text_count, text_slots;
  struct shared_piece *pieces;
  size_t piece_count, piece_slots;
  struct luaws_buf keys;
  struct luaws_buf key; /* of the piece being looked up */
};

enum { FIRST_SLOTS = 256, MAX_TEXT_BYTES = UINT16_MAX };
static const size_t MAX_SECTION_BYTES = INT32_MAX;

struct luaws_section *luaws_section_new(void) {
  struct luaws_section *s = calloc(1, sizeof *s);
  if (!s) return NULL;
  s->bytes.max_bytes = MAX_SECTION_BYTES;
  s->text_slots = s->piece_slots = FIRST_SLOTS;
  s->texts = calloc(FIRST_SLOTS, sizeof *s->texts);
  s->pieces = calloc(FIRST_SLOTS, sizeof *s->pieces);
  if (!s->texts || !s->pieces) {
    luaws_section_free(s);
    return NULL;
  }
  return s;
}

void luaws_section_free(struct luaws_section *s) {
  if (!s) return;
  luaws_buf_clear(&s->bytes);
  luaws_buf_clear(&s->keys);
  luaws_buf_clear(&s->key);
  free(s->texts);
  free(s->pieces);
  free(s);
}

static luaws_place fail(struct luaws_section *s, const char *problem) {
  if (!s->failed) s->problem = problem;
  s->failed = true;
  return 0;
}

/* Room for size bytes, zeroed, at a multiple of align. */
static luaws_place grow(struct luaws_section *s, size_t size, size_t align) {
  if (s->failed) return 0;
  size_t at = (s->bytes.len + align - 1) & ~(align - 1);
  if (size > MAX_SECTION_BYTES || at > MAX_SECTION_BYTES - size - 8) {
    return fail(s, "a model of more than 2 GiB");
  }
  size_t more = at + size - s->bytes.len;
  if (!luaws_buf_reserve(&s->bytes, more)) return fail(s, NULL);
  memset(s->bytes.ptr + s->bytes.len, 0, more);
  s->bytes.len += more;
  return (luaws_place)at;
}

luaws_place luaws_section_alloc(struct luaws_section *s, size_t size) {
  return grow(s, size, 8);
}

void *luaws_section_at(struct luaws_section *s, luaws_place place) {
  return s->failed ? NULL : s->bytes.ptr + place;
}

void luaws_section_link(struct luaws_section *s, luaws_place ref_place,
                        luaws_place target) {
  if (s->failed) return;
  luaws_ref distance = target ? (luaws_ref)((int64_t)target - (int64_t)ref_place) : 0;
  memcpy(s->bytes.ptr + ref_place, &distance, sizeof distance);
}

void luaws_section_write(struct luaws_section *s, luaws_place place, const void *piece,
                         size_t size, const uint16_t *refs, size_t ref_count) {
  if (s->failed) return;
  memcpy(s->bytes.ptr + place, piece, size);
  for (size_t i = 0; i < ref_count; i++) {
    luaws_place target;
    memcpy(&target, (const char *)piece + refs[i], sizeof target);
    luaws_section_link(s, place + refs[i], target);
  }
}

/* ---- texts ---- */

static struct luaws_str text_at(const struct luaws_section *s, luaws_place place) {
  uint16_t len;
  memcpy(&len, s->bytes.ptr + place, sizeof len);
  return (struct luaws_str){s->bytes.ptr + place + sizeof len, len};
}

static bool grow_texts(struct luaws_section *s) {
  size_t slots = s->text_slots * 2;
  struct text_slot *larger = calloc(slots, sizeof *larger);
  if (!larger) return false;
  for (size_t i = 0; i < s->text_slots; i++) {
    if (!s->texts[i].place) continue;
    size_t at = s->texts[i].hash & (slots - 1);
    while (larger[at].place)
      at = (at + 1) & (slots - 1);
    larger[at] = s->texts[i];
  }
  free(s->texts);
  s->texts = larger;
  s->text_slots = slots;
  return true;
}

luaws_place luaws_section_text(struct luaws_section *s, struct luaws_str text) {
  if (s->failed || !text.ptr) return 0;
  if (text.len > MAX_TEXT_BYTES) return fail(s, "a text of more than 65535 bytes");
  uint32_t hash = (uint32_t)XXH3_64bits(text.ptr, text.len);
  size_t at = hash & (s->text_slots - 1);
  for (; s->texts[at].place; at = (at + 1) & (s->text_slots - 1)) {
    if (s->texts[at].hash == hash && luaws_str_eq(text_at(s, s->texts[at].place), text)) {
      return s->texts[at].place;
    }
  }
  uint16_t len = (uint16_t)text.len;
  /* 0 means "none": a text never lies where the root does. */
  if (s->bytes.len == 0) grow(s, 8, 1);
  luaws_place place = grow(s, sizeof len + text.len + 1, 1);
  if (s->failed) return 0;
  memcpy(s->bytes.ptr + place, &len, sizeof len);
  memcpy(s->bytes.ptr + place + sizeof len, text.ptr, text.len);
  s->texts[at] = (struct text_slot){hash, place};
  if (++s->text_count * 2 > s->text_slots && !grow_texts(s)) return fail(s, NULL);
  return place;
}

/* ---- shared pieces ---- */

static bool grow_pieces(struct luaws_section *s) {
  size_t slots = s->piece_slots * 2;
  struct shared_piece *larger = calloc(slots, sizeof *larger);
  if (!larger) return false;
  for (size_t i = 0; i < s->piece_slots; i++) {
    if (!s->pieces[i].place) continue;
    size_t at = s->pieces[i].hash & (slots - 1);
    while (larger[at].place)
      at = (at + 1) & (slots - 1);
    larger[at] = s->pieces[i];
  }
  free(s->pieces);
  s->pieces = larger;
  s->piece_slots = slots;
  return true;
}

luaws_place luaws_section_share(struct luaws_section *s, const void *piece, size_t size,
                                const uint16_t *refs, size_t ref_count) {
  if (s->failed) return 0;
  luaws_buf_reset(&s->key);
  luaws_buf_append(&s->key, piece, size);
  if (ref_count) luaws_buf_append(&s->key, refs, ref_count * sizeof *refs);
  if (s->key.failed) return fail(s, NULL);
  struct luaws_str key = luaws_buf_str(&s->key);
  uint64_t hash = XXH3_64bits_withSeed(key.ptr, key.len, size);
  size_t at = hash & (s->piece_slots - 1);
  for (; s->pieces[at].place; at = (at + 1) & (s->piece_slots - 1)) {
    const struct shared_piece *p = &s->pieces[at];
    if (p->hash == hash && p->key_size == key.len &&
        memcmp(s->keys.ptr + p->key, key.ptr, key.len) == 0) {
      return p->place;
    }
  }
  if (s->bytes.len == 0) grow(s, 8, 1);
  luaws_place place = luaws_section_alloc(s, size);
  luaws_section_write(s, place, piece, size, refs, ref_count);
  size_t kept = s->keys.len;
  luaws_buf_append_str(&s->keys, key);
  if (s->keys.failed) return fail(s, NULL);
  if (s->failed) return 0;
  s->pieces[at] = (struct shared_piece){hash, kept, key.len, place};
  if (++s->piece_count * 2 > s->piece_slots && !grow_pieces(s)) return fail(s, NULL);
  return place;
}

luaws_place luaws_section_refs(struct luaws_section *s, const luaws_place *targets,
                               size_t count, bool with_count) {
  if (s->failed || count == 0) return 0;
  size_t words = count + with_count;
  if (words > UINT16_MAX / sizeof(luaws_place)) {
    /* Offsets of refs are 16 bits wide: a list of this length is not worth sharing. */
    luaws_place place = luaws_section_alloc(s, words * sizeof(luaws_place));
    uint32_t n = (uint32_t)count;
    if (with_count) luaws_section_write(s, place, &n, sizeof n, NULL, 0);
    for (size_t i = 0; i < count; i++)
      luaws_section_link(s, place + (luaws_place)((i + with_count) * 4), targets[i]);
    return place;
  }
  luaws_place *piece = malloc(words * sizeof *piece);
  uint16_t *refs = malloc(count * sizeof *refs);
  luaws_place place = 0;
  if (piece && refs) {
    piece[0] = (luaws_place)count;
    memcpy(piece + with_count, targets, count * sizeof *targets);
    for (size_t i = 0; i < count; i++)
      refs[i] = (uint16_t)((i + with_count) * sizeof *piece);
    place = luaws_section_share(s, piece, words * sizeof *piece, refs, count);
  } else {
    fail(s, NULL);
  }
  free(piece);
  free(refs);
  return place;
}

luaws_place luaws_section_texts(struct luaws_section *s, const struct luaws_tree *list) {
  if (s->failed || !list || list->kind != LUAWS_KIND_LIST || list->count == 0) return 0;
  luaws_place *targets = malloc(list->count * sizeof *targets);
  if (!targets) return fail(s, NULL);
  size_t n = 0;
  for (const struct luaws_tree *t = list->first; t; t = t->next) {
    if (t->kind == LUAWS_KIND_STRING) targets[n++] = luaws_section_text(s, t->text);
  }
  luaws_place place = luaws_section_refs(s, targets, n, true);
  free(targets);
  return place;
}

/* ---- nodes ---- */

static int by_key(const void *a, const void *b) {
  const struct luaws_tree *const *x = a, *const *y = b;
  return luaws_str_cmp((*x)->key, (*y)->key);
}

static luaws_place node_places(struct luaws_section *s, const struct luaws_tree *t) {
  bool map = t->kind == LUAWS_KIND_MAP;
  size_t count = t->count, words = map ? count * 2 : count;
  const struct luaws_tree **items = malloc(count * sizeof *items);
  luaws_place *places = malloc(words * sizeof *places), made = 0;
  if (!items || !places) {
    fail(s, NULL);
  } else {
    size_t n = 0;
    for (const struct luaws_tree *c = t->first; c; c = c->next)
      items[n++] = c;
    if (map) qsort(items, count, sizeof *items, by_key);
    for (size_t i = 0; i < count; i++) {
      if (map) places[2 * i] = luaws_section_text(s, items[i]->key);
      places[map ? 2 * i + 1 : i] = luaws_section_node(s, items[i]);
    }
    made = luaws_section_refs(s, places, words, false);
  }
  free(items);
  free(places);
  return made;
}

static luaws_place put_node(struct luaws_section *s, const struct luaws_node *node,
                            bool has_ref, bool root) {
  static const uint16_t refs[] = {offsetof(struct luaws_node, items)};
  if (!root) return luaws_section_share(s, node, sizeof *node, refs, has_ref);
  luaws_section_write(s, 0, node, sizeof *node, refs, has_ref);
  return 0;
}

luaws_place luaws_section_node(struct luaws_section *s, const struct luaws_tree *t) {
  if (s->failed) return 0;
  bool root = s->bytes.len == 0;
  if (root) luaws_section_alloc(s, sizeof(struct luaws_node));
  struct luaws_node node;
  memset(&node, 0, sizeof node); /* padding too: pieces are compared as bytes */
  bool has_ref = false;
  switch (t->kind) {
  case LUAWS_KIND_BOOLEAN:
    node.type = t->boolean ? LUAWS_NODE_TRUE : LUAWS_NODE_FALSE;
    break;
  case LUAWS_KIND_INTEGER:
    node.type = LUAWS_NODE_INTEGER;
    node.integer = t->integer;
    break;
  case LUAWS_KIND_FLOAT:
    node.type = LUAWS_NODE_FLOAT;
    node.floating = t->floating;
    break;
  case LUAWS_KIND_STRING:
    node.type = LUAWS_NODE_STRING;
    node.text = (luaws_ref)luaws_section_text(s, t->text);
    has_ref = true;
    break;
  case LUAWS_KIND_LIST:
  case LUAWS_KIND_MAP:
    node.type = t->kind == LUAWS_KIND_LIST ? LUAWS_NODE_LIST : LUAWS_NODE_MAP;
    node.count = (uint32_t)t->count;
    if (t->count) node.items = (luaws_ref)node_places(s, t);
    has_ref = true;
    break;
  default:
    node.type = LUAWS_NODE_NULL;
  }
  return put_node(s, &node, has_ref, root);
}

struct luaws_str luaws_section_bytes(struct luaws_section *s, bool *failed) {
  *failed = s->failed;
  return luaws_buf_str(&s->bytes);
}

const char *luaws_section_problem(const struct luaws_section *s) {
  return s->problem;
}
