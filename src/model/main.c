/* luaws-models: compiles folders of AWS models into model packs, and shows what is in
   one. */
#include "model/build.h"
#include "model/docs.h"
#include "model/dump.h"
#include "model/pack_file.h"
#include "value/tree.h"

#include <stdio.h>
#include <stdlib.h>

static const char usage[] =
    "usage: luaws-models -o MODELS.PACK [--docs DOCS.PACK] FOLDER...\n"
    "       luaws-models --list PACK\n"
    "       luaws-models --dump PACK NAME\n"
    "\n"
    "Compiles the AWS models in folders laid out as botocore's data folder. Of a file\n"
    "that lies in several folders the first counts. --list names what is in a pack,\n"
    "--dump prints one of those (\"ec2/2016-11-15/waiters-2\", or just \"ec2\") as "
    "JSON.\n";

static int fail(struct luaws_error *err) {
  fprintf(stderr, "luaws-models: %s\n", luaws_error_message(err));
  luaws_error_clear(err);
  return EXIT_FAILURE;
}

static int build(int argc, char **argv) {
  const char *models = NULL, *docs = NULL;
  struct luaws_source source = {0};
  struct luaws_error err = {0};
  int rc = 0;
  for (int i = 1; i < argc && rc == 0; i++) {
    if (strcmp(argv[i], "-o") == 0 && i + 1 < argc) {
      models = argv[++i];
    } else if (strcmp(argv[i], "--docs") == 0 && i + 1 < argc) {
      docs = argv[++i];
    } else if (argv[i][0] == '-') {
      models = NULL;
      break;
    } else {
      rc = luaws_source_add(&source, luaws_str_from(argv[i]), &err);
    }
  }
  if (rc == 0 && (!models || source.folder_count == 0)) {
    luaws_source_clear(&source);
    fputs(usage, stderr);
    return 2;
  }
  if (rc == 0 && source.file_count == 0) {
    rc = luaws_error_set(&err, LUAWS_E_MODEL, "DataNotFoundError",
                         "there is no model in these folders");
  }
  if (rc == 0) rc = luaws_models_build(&source, models, docs, &err);
  luaws_source_clear(&source);
  return rc ? fail(&err) : EXIT_SUCCESS;
}

/* What --list calls a section and --dump takes. */
static const char *section_name(enum luaws_section_type type) {
  const char *stem = luaws_source_stem(type);
  if (stem) return stem;
  return type == LUAWS_SECTION_DOCS ? "documentation" : "sdk-extras";
}

static int list(const char *path) {
  struct luaws_pack *pack;
  struct luaws_error err = {0};
  if (luaws_pack_open(path, &pack, &err)) return fail(&err);
  for (uint32_t i = 0; i < luaws_pack_entry_count(pack); i++) {
    const struct luaws_pack_entry *e = luaws_pack_entry_at(pack, i);
    struct luaws_str service = luaws_ref_text(&e->service);
    struct luaws_str version = luaws_ref_text(&e->version);
    printf("%10u  %.*s%s%.*s%s%s\n", e->size, LUAWS_STR_ARG(service),
           service.len ? "/" : "", LUAWS_STR_ARG(version), service.len ? "/" : "",
           section_name((enum luaws_section_type)e->type));
  }
  luaws_pack_release(pack);
  return EXIT_SUCCESS;
}

/* "ec2/2016-11-15/waiters-2", "ec2" or "partitions" -> what to look for; false when the
   last part is no file of models. */
static bool parse_name(struct luaws_str name, enum luaws_section_type *type,
                       struct luaws_str *service, struct luaws_str *version) {
  struct luaws_str stem = name;
  *service = *version = LUAWS_STR_NONE;
  *type = LUAWS_SECTION_SERVICE;
  ptrdiff_t slash = luaws_str_find(name, '/');
  if (slash >= 0) {
    *service = luaws_str_sub(name, 0, (size_t)slash);
    *version = luaws_str_sub(name, (size_t)slash + 1, name.len);
    slash = luaws_str_find(*version, '/');
    if (slash < 0) return true;
    stem = luaws_str_sub(*version, (size_t)slash + 1, version->len);
    version->len = (size_t)slash;
  }
  for (int i = 0; i < LUAWS_SECTION_TYPES; i++) {
    if (luaws_str_is(stem, section_name((enum luaws_section_type)i))) {
      *type = (enum luaws_section_type)i;
      return true;
    }
  }
  *service = name;
  return slash < 0;
}

static int print_node(const struct luaws_node *node, struct luaws_buf *out,
                      struct luaws_error *err) {
  struct luaws_arena arena = {0};
  struct luaws_tree_writer w;
  luaws_tree_writer_init(&w, &arena);
  luaws_node_write(node, &w.base);
  int rc = w.failed ? luaws_error_memory(err) : 0;
  if (rc == 0) luaws_tree_print(w.root, out, 0);
  luaws_arena_clear(&arena);
  return rc;
}

static int print_section(enum luaws_section_type type, const void *section,
                         struct luaws_buf *out, struct luaws_error *err) {
  struct luaws_docs *docs;
  int rc;
  switch (type) {
  case LUAWS_SECTION_SERVICE:
    luaws_service_dump(section, out);
    return 0;
  case LUAWS_SECTION_RULES:
    return luaws_error_set(err, LUAWS_E_ARGUMENT, "ValueError",
                           "endpoint rules cannot be printed");
  case LUAWS_SECTION_DOCS:
    rc = luaws_docs_open(section, &docs, err);
    if (rc == 0) {
      luaws_docs_dump(docs, out);
      luaws_docs_free(docs);
    }
    return rc;
  default:
    return print_node(section, out, err);
  }
}

static int dump(const char *path, const char *name) {
  struct luaws_pack *pack;
  struct luaws_error err = {0};
  struct luaws_buf out = {0};
  struct luaws_str service, version;
  enum luaws_section_type type;
  const void *section;
  if (!parse_name(luaws_str_from(name), &type, &service, &version)) {
    luaws_error_set(&err, LUAWS_E_ARGUMENT, "ValueError", "%s: no such file", name);
    return fail(&err);
  }
  if (luaws_pack_open(path, &pack, &err)) return fail(&err);
  struct luaws_models *models = luaws_models_new(pack);
  int rc = models ? luaws_models_find(models, type, service, version, &section, &err)
                  : luaws_error_memory(&err);
  if (rc == 0) rc = print_section(type, section, &out, &err);
  if (rc == 0) {
    luaws_buf_append_char(&out, '\n');
    rc = out.failed ? luaws_error_memory(&err) : 0;
  }
  if (rc == 0) fwrite(out.ptr, 1, out.len, stdout);
  luaws_buf_clear(&out);
  luaws_models_free(models);
  luaws_pack_release(pack);
  return rc ? fail(&err) : EXIT_SUCCESS;
}

int main(int argc, char **argv) {
  if (argc == 2 && strcmp(argv[1], "--help") == 0) {
    fputs(usage, stdout);
    return EXIT_SUCCESS;
  }
  if (argc == 3 && strcmp(argv[1], "--list") == 0) return list(argv[2]);
  if (argc == 4 && strcmp(argv[1], "--dump") == 0) return dump(argv[2], argv[3]);
  return build(argc, argv);
}
