#include "model/docs.h"

#include "value/json.h"

#include <stdlib.h>
#include <zlib.h>

/* ---- compiling ---- */

struct entry {
  size_t key_at, key_len; /* in keys */
  luaws_place key, text;
};

struct collector {
  struct luaws_section *s; /* the unpacked form */
  struct luaws_buf keys;
  struct luaws_buf entries; /* struct entry[] */
  struct luaws_buf scratch;
};

static void collect(struct collector *c, const char *prefix, struct luaws_str shape,
                    struct luaws_str member, const struct luaws_tree *documented) {
  struct luaws_str words = luaws_tree_text(documented, "documentation");
  if (words.len == 0 || words.len > UINT32_MAX / 2) return;
  struct entry e = {.key_at = c->keys.len};
  luaws_buf_append_cstr(&c->keys, prefix);
  luaws_buf_append_str(&c->keys, shape);
  if (member.ptr) luaws_buf_append_char(&c->keys, '/');
  luaws_buf_append_str(&c->keys, member);
  if (c->keys.failed) return;
  e.key_len = c->keys.len - e.key_at;
  uint32_t len = (uint32_t)words.len;
  luaws_buf_reset(&c->scratch);
  luaws_buf_append(&c->scratch, &len, sizeof len);
  luaws_buf_append_str(&c->scratch, words);
  if (!c->scratch.failed) {
    e.text = luaws_section_share(c->s, c->scratch.ptr, c->scratch.len, NULL, 0);
  }
  const char *key = e.key_len ? c->keys.ptr + e.key_at : "";
  e.key = luaws_section_text(c->s, (struct luaws_str){key, e.key_len});
  luaws_buf_append(&c->entries, &e, sizeof e);
}

static void collect_map(struct collector *c, const char *prefix,
                        const struct luaws_tree *map) {
  if (!map || map->kind != LUAWS_KIND_MAP) return;
  for (const struct luaws_tree *t = map->first; t; t = t->next) {
    collect(c, prefix, t->key, LUAWS_STR_NONE, t);
    const struct luaws_tree *members = luaws_tree_get(t, "members");
    if (!members || members->kind != LUAWS_KIND_MAP) continue;
    for (const struct luaws_tree *m = members->first; m; m = m->next)
      collect(c, prefix, t->key, m->key, m);
  }
}

static int by_key(const void *a, const void *b, void *keys) {
  const struct entry *x = a, *y = b;
  const char *k = keys;
  return luaws_str_cmp((struct luaws_str){k + x->key_at, x->key_len},
                       (struct luaws_str){k + y->key_at, y->key_len});
}

static void write_index(struct collector *c) {
  static const uint16_t root_refs[] = {offsetof(struct luaws_docs_index, entries)};
  static const uint16_t refs[] = {offsetof(struct luaws_docs_entry, key),
                                  offsetof(struct luaws_docs_entry, text)};
  size_t count = c->entries.len / sizeof(struct entry),
         size = sizeof(struct luaws_docs_entry);
  struct luaws_docs_index root = {.count = (uint32_t)count};
  if (count) {
    struct entry *list = (struct entry *)(void *)c->entries.ptr;
    qsort_r(list, count, sizeof *list, by_key, c->keys.ptr);
    luaws_place place = luaws_section_alloc(c->s, count * size);
    for (size_t i = 0; i < count; i++) {
      struct luaws_docs_entry e = {(luaws_ref)list[i].key, (luaws_ref)list[i].text};
      luaws_section_write(c->s, place + (luaws_place)(i * size), &e, size, refs, 2);
    }
    root.entries = (luaws_ref)place;
  }
  luaws_section_write(c->s, 0, &root, sizeof root, root_refs, 1);
}

static int pack_into(struct luaws_section *s, struct luaws_str plain,
                     struct luaws_error *err) {
  uLongf packed_size = compressBound(plain.len);
  Bytef *packed = malloc(packed_size);
  if (!packed) return luaws_error_memory(err);
  int rc = 0;
  if (compress2(packed, &packed_size, (const Bytef *)plain.ptr, plain.len,
                Z_DEFAULT_COMPRESSION) != Z_OK) {
    rc = luaws_error_memory(err);
  } else {
    struct luaws_docs_header header = {(uint32_t)packed_size, (uint32_t)plain.len};
    luaws_place place = luaws_section_alloc(s, sizeof header + packed_size);
    luaws_section_write(s, place, &header, sizeof header, NULL, 0);
    luaws_section_write(s, place + sizeof header, packed, packed_size, NULL, 0);
  }
  free(packed);
  return rc;
}

int luaws_compile_docs(struct luaws_section *s, const struct luaws_tree *model,
                       struct luaws_error *err) {
  struct collector c = {.s = luaws_section_new()};
  if (!c.s) return luaws_error_memory(err);
  luaws_section_alloc(c.s, sizeof(struct luaws_docs_index));
  collect(&c, "", LUAWS_STR_NONE, LUAWS_STR_NONE, model);
  collect_map(&c, "o/", luaws_tree_get(model, "operations"));
  collect_map(&c, "s/", luaws_tree_get(model, "shapes"));
  write_index(&c);
  bool failed;
  struct luaws_str plain = luaws_section_bytes(c.s, &failed);
  int rc = 0;
  if (luaws_section_problem(c.s)) {
    rc = luaws_error_set(err, LUAWS_E_MODEL, "ValueError", "%s",
                         luaws_section_problem(c.s));
  } else if (failed || c.keys.failed || c.entries.failed || c.scratch.failed) {
    rc = luaws_error_memory(err);
  } else {
    rc = pack_into(s, plain, err);
  }
  luaws_section_free(c.s);
  luaws_buf_clear(&c.keys);
  luaws_buf_clear(&c.entries);
  luaws_buf_clear(&c.scratch);
  return rc;
}

/* ---- reading ---- */

struct luaws_docs {
  _Alignas(16) char bytes[1];
};

int luaws_docs_open(const void *section, struct luaws_docs **out,
                    struct luaws_error *err) {
  const struct luaws_docs_header *h = section;
  *out = NULL;
  uLongf size = h->size;
  struct luaws_docs *d = malloc(sizeof *d + size);
  if (!d) return luaws_error_memory(err);
  if (uncompress((Bytef *)d->bytes, &size, (const Bytef *)(h + 1), h->packed_size) !=
          Z_OK ||
      size != h->size) {
    free(d);
    return luaws_error_set(err, LUAWS_E_MODEL, "DataNotFoundError",
                           "the documentation is damaged");
  }
  *out = d;
  return 0;
}

void luaws_docs_free(struct luaws_docs *d) {
  free(d);
}

static struct luaws_str text_of(const struct luaws_docs_entry *e) {
  const char *text = luaws_ref_get(&e->text);
  uint32_t len;
  memcpy(&len, text, sizeof len);
  return (struct luaws_str){text + sizeof len, len};
}

static struct luaws_str lookup(const struct luaws_docs *d, const char *prefix,
                               struct luaws_str shape, struct luaws_str member) {
  const struct luaws_docs_index *index = (const void *)d->bytes;
  const struct luaws_docs_entry *list = luaws_ref_get(&index->entries);
  struct luaws_buf key = {0};
  luaws_buf_append_cstr(&key, prefix);
  luaws_buf_append_str(&key, shape);
  if (member.ptr) luaws_buf_append_char(&key, '/');
  luaws_buf_append_str(&key, member);
  struct luaws_str found = LUAWS_STR_NONE;
  uint32_t low = 0, high = key.failed ? 0 : index->count;
  while (low < high) {
    uint32_t mid = low + (high - low) / 2;
    int order = luaws_str_cmp(luaws_ref_text(&list[mid].key), luaws_buf_str(&key));
    if (order == 0) {
      found = text_of(&list[mid]);
      break;
    }
    if (order < 0) {
      low = mid + 1;
    } else {
      high = mid;
    }
  }
  luaws_buf_clear(&key);
  return found;
}

struct luaws_str luaws_docs_service(const struct luaws_docs *d) {
  return lookup(d, "", LUAWS_STR_NONE, LUAWS_STR_NONE);
}

struct luaws_str luaws_docs_operation(const struct luaws_docs *d, struct luaws_str name) {
  return lookup(d, "o/", name, LUAWS_STR_NONE);
}

struct luaws_str luaws_docs_shape(const struct luaws_docs *d, struct luaws_str shape) {
  return lookup(d, "s/", shape, LUAWS_STR_NONE);
}

struct luaws_str luaws_docs_member(const struct luaws_docs *d, struct luaws_str shape,
                                   struct luaws_str member) {
  return lookup(d, "s/", shape, member.ptr ? member : LUAWS_STR(""));
}

void luaws_docs_dump(const struct luaws_docs *d, struct luaws_buf *out) {
  const struct luaws_docs_index *index = (const void *)d->bytes;
  const struct luaws_docs_entry *list = luaws_ref_get(&index->entries);
  luaws_buf_append_char(out, '{');
  for (uint32_t i = 0; i < index->count; i++) {
    if (i) luaws_buf_append_cstr(out, ",\n");
    luaws_json_quote(out, luaws_ref_text(&list[i].key));
    luaws_buf_append_cstr(out, ": ");
    luaws_json_quote(out, text_of(&list[i]));
  }
  luaws_buf_append_char(out, '}');
}
