/* Any bytes as a config file; what is read of it is walked through. */
#include "settings/ini.h"
#include "settings/shell_words.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static size_t walk(const struct luaws_ini_value *v) {
  size_t bytes = 0;
  for (; v; v = v->next)
    bytes += v->key.len + (v->is_block ? walk(v->first) : v->text.len);
  return bytes;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  struct luaws_ini ini = {0};
  struct luaws_error err = {0};
  struct luaws_arena arena = {0};
  struct luaws_str text = {(const char *)data, size}, *words = NULL;
  size_t count = 0, bytes = 0;
  int rc = luaws_ini_parse(&ini, LUAWS_STR("fuzz"), text, &err);
  for (const struct luaws_ini_section *s = ini.first; s && rc == 0; s = s->next)
    bytes += s->name.len + walk(s->first);
  if (bytes > size) abort(); /* nothing is said twice */
  if (luaws_shell_split(&arena, text, &words, &count)) {
    bytes = 0;
    for (size_t i = 0; i < count; i++)
      bytes += words[i].len;
    if (bytes > size) abort();
  }
  luaws_arena_clear(&arena);
  luaws_error_clear(&err);
  luaws_ini_clear(&ini);
  return 0;
}
