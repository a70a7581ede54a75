/* luaws-models: compiles folders of AWS models into model packs, and shows what is in
   one. */
#include "model/build.h"
#include "model/dump.h"
#include "model/pack_file.h"

#include <stdio.h>
#include <stdlib.h>

static const char usage[] =
    "usage: luaws-models -o MODELS.PACK [--docs DOCS.PACK] FOLDER...\n"
    "       luaws-models --list PACK\n"
    "       luaws-models --dump PACK SERVICE [VERSION]\n"
    "\n"
    "Compiles the AWS models in folders laid out as botocore's data folder. Of a file\n"
    "that lies in several folders the first counts. --list prints what is in a pack,\n"
    "--dump prints a compiled service as JSON.\n";

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

static int list(const char *path) {
  struct luaws_pack *pack;
  struct luaws_error err = {0};
  if (luaws_pack_open(path, &pack, &err)) return fail(&err);
  for (uint32_t i = 0; i < luaws_pack_entry_count(pack); i++) {
    const struct luaws_pack_entry *e = luaws_pack_entry_at(pack, i);
    struct luaws_str service = luaws_ref_text(&e->service);
    struct luaws_str version = luaws_ref_text(&e->version);
    const char *stem = luaws_source_stem((enum luaws_section_type)e->type);
    if (!stem) stem = e->type == LUAWS_SECTION_DOCS ? "documentation" : "sdk-extras";
    printf("%10u  %.*s%s%.*s%s%s\n", e->size, LUAWS_STR_ARG(service),
           service.len ? "/" : "", LUAWS_STR_ARG(version), service.len ? "/" : "", stem);
  }
  luaws_pack_release(pack);
  return EXIT_SUCCESS;
}

static int dump(const char *path, const char *service, const char *version) {
  struct luaws_pack *pack;
  struct luaws_error err = {0};
  if (luaws_pack_open(path, &pack, &err)) return fail(&err);
  struct luaws_models *models = luaws_models_new(pack);
  struct luaws_buf out = {0};
  const void *section;
  int rc = models
               ? luaws_models_find(models, LUAWS_SECTION_SERVICE, luaws_str_from(service),
                                   luaws_str_from(version), &section, &err)
               : luaws_error_memory(&err);
  if (rc == 0) {
    luaws_service_dump(section, &out);
    luaws_buf_append_char(&out, '\n');
    if (out.failed) rc = luaws_error_memory(&err);
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
  if ((argc == 4 || argc == 5) && strcmp(argv[1], "--dump") == 0) {
    return dump(argv[2], argv[3], argc == 5 ? argv[4] : NULL);
  }
  return build(argc, argv);
}
