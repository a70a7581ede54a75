/* Every section is compiled by itself, so the work is spread over threads that each take
   the next file; the results are put together in the order of the source. */
#include "model/build.h"

#include "model/compile.h"

#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>
#include <xxhash.h>

enum { SECTION_ALIGN = 16, MAX_THREADS = 16 };

/* One section to be. */
struct piece {
  enum luaws_section_type type;
  struct luaws_str service, version;
  bool done;
  char *bytes;
  size_t size;
};

struct builder {
  const struct luaws_source *src;
  struct piece *pieces; /* sorted as the source is */
  size_t count;
  bool with_docs;
  pthread_mutex_t lock;
  size_t next;
  int rc;
  size_t failed_at; /* the first piece that failed decides the message */
  struct luaws_error *err;
};

/* ---- which sections ---- */

static bool in_docs(enum luaws_section_type type) {
  return type == LUAWS_SECTION_DOCS || type == LUAWS_SECTION_EXAMPLES;
}

static int by_place(const void *x, const void *y) {
  const struct piece *a = x, *b = y;
  int order = luaws_str_cmp(a->service, b->service);
  if (order == 0) order = (int)a->type - (int)b->type;
  return order ? order : luaws_str_cmp(a->version, b->version);
}

static void add_piece(struct builder *b, enum luaws_section_type type,
                      const struct luaws_source_file *f) {
  for (size_t i = b->count; i > 0; i--) {
    const struct piece *p = &b->pieces[i - 1];
    if (!luaws_str_eq(p->service, f->service)) break;
    if (p->type == type && luaws_str_eq(p->version, f->version)) return;
  }
  b->pieces[b->count++] =
      (struct piece){.type = type, .service = f->service, .version = f->version};
}

static int list_pieces(struct builder *b) {
  const struct luaws_source *src = b->src;
  b->pieces = calloc(src->file_count * 2 + 1, sizeof *b->pieces);
  if (!b->pieces) return luaws_error_memory(b->err);
  for (size_t i = 0; i < src->file_count; i++) {
    const struct luaws_source_file *f = &src->files[i];
    if (f->extras) {
      add_piece(b, LUAWS_SECTION_EXTRAS, f);
    } else if (!in_docs(f->type) || b->with_docs) {
      add_piece(b, f->type, f);
    }
    if (f->type == LUAWS_SECTION_SERVICE && !f->extras && b->with_docs) {
      add_piece(b, LUAWS_SECTION_DOCS, f);
    }
  }
  qsort(b->pieces, b->count, sizeof *b->pieces, by_place);
  return 0;
}

/* ---- compiling ---- */

static int finish(struct piece *p, struct luaws_section *s, struct luaws_error *err) {
  bool failed;
  struct luaws_str bytes = luaws_section_bytes(s, &failed);
  p->bytes = failed ? NULL : malloc(bytes.len + 1);
  if (!p->bytes) return luaws_error_memory(err);
  memcpy(p->bytes, bytes.ptr, bytes.len);
  p->size = bytes.len;
  p->done = true;
  return 0;
}

static int compile_tree(struct piece *p, const struct luaws_tree *model,
                        struct luaws_error *err) {
  struct luaws_section *s = luaws_section_new();
  if (!s) return luaws_error_memory(err);
  int rc = luaws_compile(s, p->type, model, p->service, err);
  if (rc == 0) rc = finish(p, s, err);
  luaws_section_free(s);
  return rc;
}

/* The sdk-extras of all files of one version, by the name of the file they add to. */
static int compile_extras(const struct luaws_source *src, struct piece *p,
                          struct luaws_error *err) {
  struct luaws_arena arena = {0};
  struct luaws_tree all = {.kind = LUAWS_KIND_MAP}, **link = &all.first;
  int rc = 0;
  for (int type = 0; rc == 0 && type < LUAWS_SECTION_TYPES; type++) {
    const struct luaws_source_file *f = luaws_source_find(
        src, (enum luaws_section_type)type, p->service, p->version, true);
    if (!f) continue;
    rc = luaws_source_read(src, f, &arena, link, err);
    if (rc) break;
    (*link)->key = luaws_str_from(luaws_source_stem((enum luaws_section_type)type));
    link = &(*link)->next;
    all.count++;
  }
  if (rc == 0) rc = compile_tree(p, &all, err);
  luaws_arena_clear(&arena);
  return rc;
}

static int merge_extras(const struct luaws_source *src, const struct piece *p,
                        enum luaws_section_type type, struct luaws_arena *arena,
                        struct luaws_tree *model, struct luaws_error *err) {
  const struct luaws_source_file *f =
      luaws_source_find(src, type, p->service, p->version, true);
  struct luaws_tree *extras;
  if (!f) return 0;
  int rc = luaws_source_read(src, f, arena, &extras, err);
  if (rc) return rc;
  const struct luaws_tree *merge = luaws_tree_get(extras, "merge");
  if (!merge || merge->kind != LUAWS_KIND_MAP) return 0;
  return luaws_tree_merge(arena, model, merge) ? 0 : luaws_error_memory(err);
}

/* Compiles the piece, and with a service its documentation, which comes from the same
   file. */
static int compile_piece(struct builder *b, struct piece *p, struct luaws_error *err) {
  const struct luaws_source *src = b->src;
  if (p->type == LUAWS_SECTION_EXTRAS) return compile_extras(src, p, err);
  const struct luaws_source_file *f =
      luaws_source_find(src, p->type, p->service, p->version, false);
  struct luaws_arena arena = {0};
  struct luaws_tree *model;
  int rc = luaws_source_read(src, f, &arena, &model, err);
  if (rc == 0) rc = merge_extras(src, p, p->type, &arena, model, err);
  if (rc == 0) {
    rc = compile_tree(p, model, err);
    if (rc == 0 && p->type == LUAWS_SECTION_SERVICE && b->with_docs) {
      struct piece key = {
          .type = LUAWS_SECTION_DOCS, .service = p->service, .version = p->version};
      struct piece *docs = bsearch(&key, b->pieces, b->count, sizeof key, by_place);
      rc = compile_tree(docs, model, err);
    }
    if (rc) rc = luaws_source_blame(src, f, err);
  }
  luaws_arena_clear(&arena);
  return rc;
}

static void *work(void *arg) {
  struct builder *b = arg;
  for (;;) {
    pthread_mutex_lock(&b->lock);
    size_t i = b->next++;
    bool stop = i >= b->count || b->rc;
    pthread_mutex_unlock(&b->lock);
    if (stop) return NULL;
    struct piece *p = &b->pieces[i];
    if (p->type == LUAWS_SECTION_DOCS) continue;
    struct luaws_error err = {0};
    int rc = compile_piece(b, p, &err);
    if (rc == 0) continue;
    pthread_mutex_lock(&b->lock);
    if (!b->rc || i < b->failed_at) {
      b->rc = rc;
      b->failed_at = i;
      if (b->err) luaws_error_move(b->err, &err);
    }
    pthread_mutex_unlock(&b->lock);
    luaws_error_clear(&err);
  }
}

static int compile_all(struct builder *b) {
  pthread_t threads[MAX_THREADS];
  long cpus = sysconf(_SC_NPROCESSORS_ONLN);
  long wanted = cpus > MAX_THREADS ? MAX_THREADS : cpus, started = 0;
  pthread_mutex_init(&b->lock, NULL);
  /* This thread works too; if none can be started it works alone. */
  while (started + 1 < wanted && pthread_create(&threads[started], NULL, work, b) == 0)
    started++;
  work(b);
  for (long i = 0; i < started; i++)
    pthread_join(threads[i], NULL);
  pthread_mutex_destroy(&b->lock);
  return b->rc;
}

/* ---- the file ---- */

/* "botocore 1.43.11", from the __init__.py beside the first folder that has one. */
static void find_source_name(const struct luaws_source *src, struct luaws_buf *out) {
  for (unsigned i = 0; i < src->folder_count; i++) {
    char *folder = realpath(src->folders[i].ptr, NULL);
    char *slash = folder ? strrchr(folder, '/') : NULL;
    struct luaws_buf path = {0};
    if (slash && slash != folder) {
      *slash = 0;
      luaws_buf_printf(&path, "%s/__init__.py", folder);
    }
    FILE *f = path.ptr ? fopen(path.ptr, "r") : NULL;
    char line[256], version[64];
    while (f && out->len == 0 && fgets(line, sizeof line, f)) {
      if (sscanf(line, "__version__ = '%63[0-9a-z.]'", version) != 1 &&
          sscanf(line, "__version__ = \"%63[0-9a-z.]\"", version) != 1) {
        continue;
      }
      luaws_buf_printf(out, "%s %s", strrchr(folder, '/') + 1, version);
    }
    if (f) fclose(f);
    luaws_buf_clear(&path);
    free(folder);
    if (out->len) return;
  }
}

static size_t aligned(size_t n) {
  return (n + SECTION_ALIGN - 1) & ~(size_t)(SECTION_ALIGN - 1);
}

/* Header, directory and their texts. The texts of a directory hold the names of services
   and versions, each once. */
static int build_head(const struct builder *b, bool docs, struct luaws_str source,
                      struct luaws_buf *head, struct luaws_error *err) {
  static const uint16_t header_refs[] = {offsetof(struct luaws_pack_header, entries),
                                         offsetof(struct luaws_pack_header, source)};
  static const uint16_t refs[] = {offsetof(struct luaws_pack_entry, service),
                                  offsetof(struct luaws_pack_entry, version)};
  struct luaws_section *s = luaws_section_new();
  if (!s) return luaws_error_memory(err);
  struct luaws_pack_header h = {.magic = LUAWS_PACK_MAGIC, .version = LUAWS_PACK_VERSION};
  const size_t size = sizeof(struct luaws_pack_entry);
  for (size_t i = 0; i < b->count; i++)
    h.entry_count += in_docs(b->pieces[i].type) == docs;
  luaws_section_alloc(s, sizeof h);
  luaws_place entries = luaws_section_alloc(s, (h.entry_count + 1) * size);
  for (size_t i = 0; i < b->count; i++) {
    luaws_section_text(s, b->pieces[i].service);
    luaws_section_text(s, b->pieces[i].version);
  }
  h.entries = (luaws_ref)entries;
  h.source = (luaws_ref)luaws_section_text(s, source);
  bool failed;
  h.head_size = (uint32_t)luaws_section_bytes(s, &failed).len;

  uint64_t offset = aligned(h.head_size);
  uint32_t n = 0;
  int rc = 0;
  for (size_t i = 0; i < b->count && rc == 0; i++) {
    const struct piece *p = &b->pieces[i];
    if (in_docs(p->type) != docs) continue;
    struct luaws_pack_entry e = {
        .service = (luaws_ref)luaws_section_text(s, p->service),
        .version = (luaws_ref)luaws_section_text(s, p->version),
        .type = p->type,
        .offset = (uint32_t)offset,
        .size = (uint32_t)p->size,
        .checksum = XXH3_64bits(p->bytes, p->size),
    };
    luaws_section_write(s, entries + (luaws_place)(n++ * size), &e, size, refs, 2);
    offset += p->size;
    h.file_size = offset;
    offset = aligned(offset);
    if (offset > UINT32_MAX) {
      rc = luaws_error_set(err, LUAWS_E_MODEL, "ValueError",
                           "the models make a file of more than 4 GiB");
    }
  }
  if (h.entry_count == 0) h.file_size = h.head_size;
  luaws_section_write(s, 0, &h, sizeof h, header_refs, 2);
  struct luaws_str bytes = luaws_section_bytes(s, &failed);
  luaws_buf_append_str(head, bytes);
  if (rc == 0 && (failed || head->failed)) rc = luaws_error_memory(err);
  luaws_section_free(s);
  if (rc == 0) {
    struct luaws_pack_header *made = (struct luaws_pack_header *)(void *)head->ptr;
    made->head_checksum = XXH3_64bits(head->ptr, head->len);
  }
  return rc;
}

static bool write_sections(const struct builder *b, bool docs, size_t at, FILE *f) {
  static const char zeros[SECTION_ALIGN];
  for (size_t i = 0; i < b->count; i++) {
    const struct piece *p = &b->pieces[i];
    if (in_docs(p->type) != docs) continue;
    size_t gap = aligned(at) - at;
    if (fwrite(zeros, 1, gap, f) != gap) return false;
    if (fwrite(p->bytes, 1, p->size, f) != p->size) return false;
    at += gap + p->size;
  }
  return true;
}

static int write_file(const struct builder *b, bool docs, const char *path,
                      struct luaws_str source, struct luaws_error *err) {
  struct luaws_buf head = {0}, temporary = {0};
  int rc = build_head(b, docs, source, &head, err);
  if (rc == 0) {
    luaws_buf_printf(&temporary, "%s.%ld", path, (long)getpid());
    if (temporary.failed) rc = luaws_error_memory(err);
  }
  if (rc == 0) {
    FILE *f = fopen(temporary.ptr, "wb");
    bool ok = f && fwrite(head.ptr, 1, head.len, f) == head.len &&
              write_sections(b, docs, head.len, f);
    if (f && fclose(f) != 0) ok = false;
    if (!ok || rename(temporary.ptr, path) != 0) {
      rc = luaws_error_set(err, LUAWS_E_IO, "OSError", "%s: %s", path, strerror(errno));
      if (f) unlink(temporary.ptr);
    }
  }
  luaws_buf_clear(&head);
  luaws_buf_clear(&temporary);
  return rc;
}

int luaws_models_build(const struct luaws_source *src, const char *models_path,
                       const char *docs_path, struct luaws_error *err) {
  struct builder b = {.src = src, .with_docs = docs_path != NULL, .err = err};
  struct luaws_buf source = {0};
  int rc = list_pieces(&b);
  if (rc == 0) rc = compile_all(&b);
  if (rc == 0) {
    find_source_name(src, &source);
    struct luaws_str name = source.len ? luaws_buf_str(&source) : LUAWS_STR_NONE;
    rc = write_file(&b, false, models_path, name, err);
    if (rc == 0 && docs_path) rc = write_file(&b, true, docs_path, name, err);
  }
  for (size_t i = 0; i < b.count; i++)
    free(b.pieces[i].bytes);
  free(b.pieces);
  luaws_buf_clear(&source);
  return rc;
}
