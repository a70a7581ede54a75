#include "settings/shell_words.h"

/* Takes one word off the front of s, unquoted, into out. False on a syntax error; *found
   is false when only blanks were left. */
static bool next_word(struct luaws_str s, size_t *at, struct luaws_buf *out,
                      bool *found) {
  char quote = 0;
  size_t i = *at;
  while (i < s.len && strchr(" \t\r\n", s.ptr[i]) && s.ptr[i])
    i++;
  *found = i < s.len;
  for (; i < s.len; i++) {
    char c = s.ptr[i];
    if (quote == '\'' || (quote && c == quote)) {
      if (c == quote) {
        quote = 0;
      } else {
        luaws_buf_append_char(out, c);
      }
    } else if (c == '\\') {
      if (++i == s.len) return false;
      /* Between double quotes a backslash only means something before these two. */
      if (quote && s.ptr[i] != '"' && s.ptr[i] != '\\') luaws_buf_append_char(out, '\\');
      luaws_buf_append_char(out, s.ptr[i]);
    } else if (quote) {
      luaws_buf_append_char(out, c);
    } else if (c == '"' || c == '\'') {
      quote = c;
    } else if (c == ' ' || c == '\t' || c == '\r' || c == '\n') {
      break;
    } else {
      luaws_buf_append_char(out, c);
    }
  }
  *at = i;
  return !quote;
}

bool luaws_shell_split(struct luaws_arena *arena, struct luaws_str line,
                       struct luaws_str **words, size_t *count) {
  struct luaws_buf word = {0};
  size_t at = 0, n = 0, max = line.len / 2 + 1; /* at least one letter and a blank each */
  bool found = true, ok = true;
  struct luaws_str *list = luaws_arena_alloc(arena, max * sizeof *list);
  if (!list) return false;
  while (ok) {
    luaws_buf_reset(&word);
    ok = next_word(line, &at, &word, &found);
    if (!found) break;
    if (ok) {
      list[n] = luaws_arena_str(arena, luaws_buf_str(&word));
      ok = list[n].ptr && !word.failed;
      n++;
    }
  }
  luaws_buf_wipe(&word);
  *words = list;
  *count = n;
  return ok;
}
