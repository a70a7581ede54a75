/* The ini dialect of ~/.aws/config and ~/.aws/credentials, as Python's RawConfigParser
   reads it: "=" or ":" between key and value, keys in (ASCII) lower case, whole-line
   comments with "#" or ";", values going on in lines that are indented deeper, duplicates
   refused. A value that begins on the next line is a block: one level of "key = value"
   lines, its keys as they are written and the last of two winning.

   Keys of a section [DEFAULT] go nowhere (in botocore they leak into every section). */
#ifndef LUAWS_SETTINGS_INI_H
#define LUAWS_SETTINGS_INI_H

#include "base/arena.h"
#include "base/error.h"

struct luaws_ini_value {
  struct luaws_ini_value *next; /* in its section or block */
  struct luaws_str key;
  bool is_block;
  struct luaws_str text;         /* when it is no block; lines joined by "\n" */
  struct luaws_ini_value *first; /* of a block's values; NULL when it is empty */
  struct luaws_str path;         /* the file it was read from */
  unsigned line;                 /* in it, from 1 */
};

struct luaws_ini_section {
  struct luaws_ini_section *next;
  struct luaws_str name;
  struct luaws_ini_value *first; /* in the order of the file */
  struct luaws_str path;
  unsigned line;
};

/* Start from {0}. Holds secrets: its memory is overwritten when it is cleared. */
struct luaws_ini {
  struct luaws_arena arena;
  struct luaws_str path;
  bool found;     /* there is a file of that name */
  int unreadable; /* errno, when there is something that cannot be read */
  struct luaws_ini_section *first; /* in the order of the file */
};

/* Parses text, which need not live on. path is for messages. LUAWS_E_CONFIG, kind
   "ConfigParseError", with path, line and what is wrong there (never the value). */
int luaws_ini_parse(struct luaws_ini *ini, struct luaws_str path, struct luaws_str text,
                    struct luaws_error *err);
/* Reads and parses a file. One that does not exist, is no plain file or may not be read
   counts as empty. */
int luaws_ini_load(struct luaws_ini *ini, struct luaws_str path, struct luaws_error *err);
void luaws_ini_clear(struct luaws_ini *ini);

/* The section or value of that name, or NULL; first/section may be NULL. */
const struct luaws_ini_section *luaws_ini_section(const struct luaws_ini_section *first,
                                                  struct luaws_str name);
const struct luaws_ini_value *luaws_ini_value(const struct luaws_ini_value *first,
                                              const char *key);
/* The text of a section's value; none when there is none or it is a block. */
struct luaws_str luaws_ini_text(const struct luaws_ini_section *section, const char *key);

#endif
