/* Where botocore's loader reads a file, a set looks into its folders first and then into
   the pack. What comes from a folder is compiled once and kept. */
#include "model/pack_file.h"

#include "base/typo.h"
#include "model/compile.h"
#include "model/source.h"

#include <stdlib.h>

struct compiled {
  struct compiled *next;
  enum luaws_section_type type;
  struct luaws_str service, version; /* of the pack or the source */
  void *section;
};

struct luaws_models {
  struct luaws_pack *pack;
  struct luaws_source source;
  struct compiled *compiled;
};

struct luaws_models *luaws_models_new(struct luaws_pack *pack) {
  struct luaws_models *m = calloc(1, sizeof *m);
  if (m && pack) m->pack = luaws_pack_acquire(pack);
  return m;
}

void luaws_models_free(struct luaws_models *m) {
  if (!m) return;
  while (m->compiled) {
    struct compiled *next = m->compiled->next;
    free(m->compiled->section);
    free(m->compiled);
    m->compiled = next;
  }
  luaws_source_clear(&m->source);
  luaws_pack_release(m->pack);
  free(m);
}

int luaws_models_add_folder(struct luaws_models *m, struct luaws_str folder,
                            struct luaws_error *err) {
  return luaws_source_add(&m->source, folder, err);
}

/* ---- names and versions ---- */

/* Documentation is compiled from the service's own model. */
static enum luaws_section_type file_type(enum luaws_section_type type) {
  return type == LUAWS_SECTION_DOCS ? LUAWS_SECTION_SERVICE : type;
}

static struct luaws_str smaller(struct luaws_str a, struct luaws_str b) {
  if (!a.ptr) return b;
  if (!b.ptr) return a;
  return luaws_str_cmp(a, b) <= 0 ? a : b;
}

struct luaws_str luaws_models_next_service(struct luaws_models *m,
                                           enum luaws_section_type type,
                                           struct luaws_str after) {
  struct luaws_str next = LUAWS_STR_NONE;
  if (m->pack) {
    uint32_t n = luaws_pack_entry_count(m->pack);
    uint32_t i = luaws_pack_lower_bound(m->pack, after, UINT32_MAX, LUAWS_STR_NONE);
    for (; i < n && !next.ptr; i++) {
      const struct luaws_pack_entry *e = luaws_pack_entry_at(m->pack, i);
      if (e->type == type) next = luaws_ref_text(&e->service);
    }
  }
  for (size_t i = 0; i < m->source.file_count; i++) {
    const struct luaws_source_file *f = &m->source.files[i];
    if (f->type != file_type(type) || f->extras || f->service.len == 0) continue;
    if (luaws_str_cmp(f->service, after) <= 0) continue;
    next = smaller(next, f->service);
    break;
  }
  return next;
}

struct luaws_str luaws_models_next_version(struct luaws_models *m,
                                           enum luaws_section_type type,
                                           struct luaws_str service,
                                           struct luaws_str after) {
  struct luaws_str next = LUAWS_STR_NONE;
  if (m->pack) {
    uint32_t n = luaws_pack_entry_count(m->pack);
    uint32_t i = luaws_pack_lower_bound(m->pack, service, type, after);
    for (; i < n && !next.ptr; i++) {
      const struct luaws_pack_entry *e = luaws_pack_entry_at(m->pack, i);
      if (e->type != type || !luaws_str_eq(luaws_ref_text(&e->service), service)) break;
      struct luaws_str version = luaws_ref_text(&e->version);
      if (luaws_str_cmp(version, after) > 0) next = version;
    }
  }
  for (size_t i = 0; i < m->source.file_count; i++) {
    const struct luaws_source_file *f = &m->source.files[i];
    if (f->type != file_type(type) || f->extras) continue;
    if (!luaws_str_eq(f->service, service) || luaws_str_cmp(f->version, after) <= 0) {
      continue;
    }
    next = smaller(next, f->version);
    break;
  }
  return next;
}

static struct luaws_str newest_version(struct luaws_models *m,
                                       enum luaws_section_type type,
                                       struct luaws_str service) {
  struct luaws_str newest = LUAWS_STR_NONE, next = LUAWS_STR_NONE;
  while ((next = luaws_models_next_version(m, type, service, next)).ptr)
    newest = next;
  return newest;
}

/* ---- names that nobody has ---- */

enum { NEAREST_NAMES = 3 };

static void append_nearest(struct luaws_models *m, enum luaws_section_type type,
                           struct luaws_str service, struct luaws_buf *out) {
  struct luaws_str nearest[NEAREST_NAMES], next = LUAWS_STR_NONE;
  size_t far[NEAREST_NAMES], count = 0;
  size_t limit = service.len < 5 ? 1 : service.len / 3;
  while ((next = luaws_models_next_service(m, type, next)).ptr) {
    size_t d = luaws_typo_distance(service, next);
    bool begins = service.len > 2 && luaws_str_starts(next, service);
    if (d > limit && !begins) continue;
    if (begins && d > limit) d = limit + 1;
    size_t i = count < NEAREST_NAMES ? count++ : NEAREST_NAMES;
    while (i > 0 && far[i - 1] > d) {
      if (i < NEAREST_NAMES) nearest[i] = nearest[i - 1], far[i] = far[i - 1];
      i--;
    }
    if (i < NEAREST_NAMES) nearest[i] = next, far[i] = d;
  }
  for (size_t i = 0; i < count; i++) {
    luaws_buf_append_cstr(out, i ? ", " : " Did you mean: ");
    luaws_buf_append_str(out, nearest[i]);
  }
  if (count) luaws_buf_append_char(out, '?');
}

static int unknown_service(struct luaws_models *m, enum luaws_section_type type,
                           struct luaws_str service, struct luaws_error *err) {
  struct luaws_buf text = {0};
  struct luaws_str next = LUAWS_STR_NONE;
  append_nearest(m, type, service, &text);
  luaws_buf_append_cstr(&text, " Valid service names are: ");
  for (int i = 0; (next = luaws_models_next_service(m, type, next)).ptr; i++) {
    if (i) luaws_buf_append_cstr(&text, ", ");
    luaws_buf_append_str(&text, next);
  }
  int rc = luaws_error_set(err, LUAWS_E_MODEL, "UnknownServiceError",
                           "Unknown service: '%.*s'.%s", LUAWS_STR_ARG(service),
                           text.ptr ? text.ptr : "");
  luaws_buf_clear(&text);
  return rc;
}

static int no_data(enum luaws_section_type type, struct luaws_str service,
                   struct luaws_str version, struct luaws_error *err) {
  const char *stem = luaws_source_stem(file_type(type));
  if (!service.len) {
    return luaws_error_set(err, LUAWS_E_MODEL, "DataNotFoundError",
                           "Unable to load data for: %s", stem ? stem : "");
  }
  return luaws_error_set(err, LUAWS_E_MODEL, "DataNotFoundError",
                         "Unable to load data for: %.*s/%.*s/%s", LUAWS_STR_ARG(service),
                         LUAWS_STR_ARG(version), stem ? stem : "");
}

/* ---- sections compiled here ---- */

static bool is_node_type(enum luaws_section_type type) {
  return type != LUAWS_SECTION_SERVICE && type != LUAWS_SECTION_RULES &&
         type != LUAWS_SECTION_DOCS;
}

static int node_to_tree(const struct luaws_node *node, struct luaws_arena *arena,
                        struct luaws_tree **out, struct luaws_error *err) {
  struct luaws_tree_writer w;
  luaws_tree_writer_init(&w, arena);
  luaws_node_write(node, &w.base);
  *out = w.root;
  return w.failed || !w.root ? luaws_error_memory(err) : 0;
}

/* The sdk-extras for a file: of a folder, else of the pack. NULL when there are none. */
static int find_extras(struct luaws_models *m, enum luaws_section_type type,
                       struct luaws_str service, struct luaws_str version,
                       struct luaws_arena *arena, struct luaws_tree **out,
                       struct luaws_error *err) {
  *out = NULL;
  const struct luaws_source_file *file =
      luaws_source_find(&m->source, type, service, version, true);
  if (file) return luaws_source_read(&m->source, file, arena, out, err);
  const struct luaws_pack_entry *entry =
      m->pack ? luaws_pack_find(m->pack, LUAWS_SECTION_EXTRAS, service, version) : NULL;
  if (!entry) return 0;
  const void *section;
  int rc = luaws_pack_section(m->pack, entry, &section, err);
  if (rc) return rc;
  const struct luaws_node *node =
      luaws_node_get(section, luaws_str_from(luaws_source_stem(type)));
  return node ? node_to_tree(node, arena, out, err) : 0;
}

static int merge_extras(struct luaws_arena *arena, struct luaws_tree *model,
                        const struct luaws_tree *extras, struct luaws_error *err) {
  const struct luaws_tree *merge = luaws_tree_get(extras, "merge");
  if (!merge || merge->kind != LUAWS_KIND_MAP) return 0;
  return luaws_tree_merge(arena, model, merge) ? 0 : luaws_error_memory(err);
}

static int keep(struct luaws_models *m, enum luaws_section_type type,
                struct luaws_str service, struct luaws_str version,
                struct luaws_section *s, const void **out, struct luaws_error *err) {
  bool failed;
  struct luaws_str bytes = luaws_section_bytes(s, &failed);
  struct compiled *c = calloc(1, sizeof *c);
  void *copy = failed ? NULL : malloc(bytes.len + 1);
  if (!c || !copy) {
    free(c);
    free(copy);
    return luaws_error_memory(err);
  }
  memcpy(copy, bytes.ptr, bytes.len);
  *c = (struct compiled){m->compiled, type, service, version, copy};
  m->compiled = c;
  *out = copy;
  return 0;
}

static const void *kept(const struct luaws_models *m, enum luaws_section_type type,
                        struct luaws_str service, struct luaws_str version) {
  for (const struct compiled *c = m->compiled; c; c = c->next) {
    if (c->type == type && luaws_str_eq(c->service, service) &&
        luaws_str_eq(c->version, version)) {
      return c->section;
    }
  }
  return NULL;
}

/* Compiles what a folder has: the file itself, or (file NULL) extras for what `base`, a
   section of the pack, has. */
static int compile_here(struct luaws_models *m, enum luaws_section_type type,
                        const struct luaws_source_file *file, const void *base,
                        struct luaws_str service, struct luaws_str version,
                        const void **out, struct luaws_error *err) {
  struct luaws_arena arena = {0};
  struct luaws_tree *model = NULL, *extras = NULL;
  struct luaws_section *s = luaws_section_new();
  int rc = s ? 0 : luaws_error_memory(err);
  if (rc == 0) {
    rc = file ? luaws_source_read(&m->source, file, &arena, &model, err)
              : node_to_tree(base, &arena, &model, err);
  }
  if (rc == 0) {
    rc = find_extras(m, file_type(type), service, version, &arena, &extras, err);
  }
  if (rc == 0) rc = merge_extras(&arena, model, extras, err);
  if (rc == 0) {
    rc = luaws_compile(s, type, model, service, err);
    if (rc && file) rc = luaws_source_blame(&m->source, file, err);
  }
  if (rc == 0) rc = keep(m, type, service, version, s, out, err);
  luaws_section_free(s);
  luaws_arena_clear(&arena);
  return rc;
}

/* ---- finding ---- */

static int find_exactly(struct luaws_models *m, enum luaws_section_type type,
                        struct luaws_str service, struct luaws_str version,
                        const void **out, struct luaws_str *chosen,
                        struct luaws_error *err) {
  const void *before = kept(m, type, service, version);
  const struct luaws_source_file *file =
      luaws_source_find(&m->source, file_type(type), service, version, false);
  const struct luaws_pack_entry *entry =
      m->pack ? luaws_pack_find(m->pack, type, service, version) : NULL;
  if (file) {
    *chosen = file->version;
    if (before) return *out = before, 0;
    return compile_here(m, type, file, NULL, file->service, file->version, out, err);
  }
  if (!entry) return no_data(type, service, version, err);
  *chosen = luaws_ref_text(&entry->version);
  if (before) return *out = before, 0;
  int rc = luaws_pack_section(m->pack, entry, out, err);
  if (rc || !is_node_type(type) || m->source.file_count == 0 ||
      !luaws_source_find(&m->source, type, service, version, true)) {
    return rc;
  }
  return compile_here(m, type, NULL, *out, luaws_ref_text(&entry->service), *chosen, out,
                      err);
}

int luaws_models_find_version(struct luaws_models *m, enum luaws_section_type type,
                              struct luaws_str service, struct luaws_str version,
                              const void **out, struct luaws_str *chosen,
                              struct luaws_error *err) {
  *out = NULL;
  *chosen = LUAWS_STR_NONE;
  if (service.len) {
    struct luaws_str newest = newest_version(m, type, service);
    if (!newest.ptr) return unknown_service(m, type, service, err);
    if (!version.len) version = newest;
  }
  return find_exactly(m, type, service, version, out, chosen, err);
}

int luaws_models_find(struct luaws_models *m, enum luaws_section_type type,
                      struct luaws_str service, struct luaws_str version,
                      const void **out, struct luaws_error *err) {
  struct luaws_str chosen;
  return luaws_models_find_version(m, type, service, version, out, &chosen, err);
}

bool luaws_models_has_own(struct luaws_models *m, enum luaws_section_type type) {
  if (m->source.file_count == 0) return false;
  const void *found = NULL, *packed = NULL;
  struct luaws_error err = {0};
  const struct luaws_pack_entry *entry =
      m->pack ? luaws_pack_find(m->pack, type, LUAWS_STR_NONE, LUAWS_STR_NONE) : NULL;
  int rc = luaws_models_find(m, type, LUAWS_STR_NONE, LUAWS_STR_NONE, &found, &err);
  if (rc == 0 && entry) rc = luaws_pack_section(m->pack, entry, &packed, &err);
  luaws_error_clear(&err);
  return rc == 0 && found != packed;
}
