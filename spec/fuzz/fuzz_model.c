/* The first byte says what the rest is: JSON to compile as a model of some type, or the
   bytes of a pack. What compiles is walked through; a pack gets its checksum put right,
   so that what comes after it is tried as well. */
#include "model/compile.h"
#include "model/docs.h"
#include "model/dump.h"
#include "model/pack_file.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>
#include <xxhash.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void walk(enum luaws_section_type type, struct luaws_str bytes) {
  struct luaws_buf out = {0};
  struct luaws_docs *docs;
  /* Exactly as large as it is, for the sanitizer. */
  char *section = malloc(bytes.len);
  memcpy(section, bytes.ptr, bytes.len);
  if (type == LUAWS_SECTION_SERVICE) {
    luaws_service_dump((const void *)section, &out);
  } else if (type == LUAWS_SECTION_DOCS) {
    if (luaws_docs_open(section, &docs, NULL) != 0) abort();
    luaws_docs_dump(docs, &out);
    luaws_docs_free(docs);
  } else if (type == LUAWS_SECTION_WAITERS) {
    struct luaws_arena arena = {0};
    struct luaws_tree_writer w;
    luaws_tree_writer_init(&w, &arena);
    luaws_node_write((const void *)section, &w.base);
    if (!w.failed) luaws_tree_print(w.root, &out, 0);
    luaws_arena_clear(&arena);
  }
  luaws_buf_clear(&out);
  free(section);
}

static void compile(enum luaws_section_type type, struct luaws_str json) {
  struct luaws_arena arena = {0};
  struct luaws_error err = {0};
  struct luaws_tree *model;
  if (luaws_tree_parse(&arena, json, &model, &err) == 0) {
    struct luaws_section *s = luaws_section_new();
    bool failed;
    if (luaws_compile(s, type, model, LUAWS_STR("fuzz"), &err) == 0) {
      walk(type, luaws_section_bytes(s, &failed));
    }
    luaws_section_free(s);
  }
  luaws_error_clear(&err);
  luaws_arena_clear(&arena);
}

static void open_pack(const uint8_t *data, size_t size) {
  struct luaws_pack_header *h = malloc(size + 1);
  memcpy(h, data, size);
  if (size >= sizeof *h) {
    memcpy(h->magic, LUAWS_PACK_MAGIC, sizeof h->magic);
    h->version = LUAWS_PACK_VERSION;
    h->file_size = size;
    h->head_checksum = 0;
    if (h->head_size <= size) h->head_checksum = XXH3_64bits(h, h->head_size);
  }
  int fd = memfd_create("pack", MFD_CLOEXEC);
  char path[32];
  snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
  struct luaws_pack *pack;
  struct luaws_error err = {0};
  if (write(fd, h, size) == (ssize_t)size && luaws_pack_open(path, &pack, &err) == 0) {
    struct luaws_models *m = luaws_models_new(pack);
    struct luaws_str next = LUAWS_STR_NONE;
    const void *section;
    while ((next = luaws_models_next_service(m, LUAWS_SECTION_SERVICE, next)).ptr)
      luaws_models_find(m, LUAWS_SECTION_SERVICE, next, LUAWS_STR_NONE, &section, &err);
    luaws_models_find(m, LUAWS_SECTION_PARTITIONS, next, next, &section, &err);
    luaws_models_free(m);
    luaws_pack_release(pack);
  }
  luaws_error_clear(&err);
  close(fd);
  free(h);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  static const enum luaws_section_type types[] = {
      LUAWS_SECTION_SERVICE, LUAWS_SECTION_RULES, LUAWS_SECTION_WAITERS,
      LUAWS_SECTION_DOCS};
  if (size == 0) return 0;
  unsigned choice = data[0] - '0';
  struct luaws_str rest = {(const char *)data + 1, size - 1};
  if (choice < sizeof types / sizeof types[0]) {
    compile(types[choice], rest);
  } else {
    open_pack(data + 1, size - 1);
  }
  return 0;
}
