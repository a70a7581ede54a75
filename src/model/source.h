/* Model files in folders laid out as botocore's data folder:
   FOLDER/SERVICE/VERSION/STEM.json[.gz], beside STEM.sdk-extras.json[.gz], and three
   files at the top. */
#ifndef LUAWS_MODEL_SOURCE_H
#define LUAWS_MODEL_SOURCE_H

#include "base/arena.h"
#include "base/error.h"
#include "model/pack.h"
#include "value/tree.h"

/* "service-2"; NULL for a type that no file has of its own. */
const char *luaws_source_stem(enum luaws_section_type type);

/* One file that was seen. */
struct luaws_source_file {
  struct luaws_str service; /* none for the files at the top */
  struct luaws_str version;
  enum luaws_section_type type;
  bool extras; /* the sdk-extras beside it */
  unsigned folder;
};

/* What lies in a row of folders, sorted by service, type, version, extras and folder; of
   one file in several folders each is listed. Start from {0}. */
struct luaws_source {
  struct luaws_arena arena;
  struct luaws_str *folders;
  unsigned folder_count;
  struct luaws_source_file *files;
  size_t file_count, file_slots;
};

/* A folder that does not exist is empty. */
int luaws_source_add(struct luaws_source *src, struct luaws_str folder,
                     struct luaws_error *err);
void luaws_source_clear(struct luaws_source *src);
/* The first of the files for this, or NULL. */
const struct luaws_source_file *luaws_source_find(const struct luaws_source *src,
                                                  enum luaws_section_type type,
                                                  struct luaws_str service,
                                                  struct luaws_str version, bool extras);
/* Reads and parses it. LUAWS_E_MODEL naming the file and what is wrong with it. */
int luaws_source_read(const struct luaws_source *src,
                      const struct luaws_source_file *file, struct luaws_arena *arena,
                      struct luaws_tree **out, struct luaws_error *err);
/* Puts the file's path before the message of err. */
int luaws_source_blame(const struct luaws_source *src,
                       const struct luaws_source_file *file, struct luaws_error *err);

#endif
