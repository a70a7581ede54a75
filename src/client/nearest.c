#include "client/nearest.h"

#include "base/typo.h"

#include <ctype.h>

enum { NEAREST_MAX = 3 };

/* A name without its case and anything between its words: list_buckets is ListBuckets. */
struct letters {
  char text[LUAWS_TYPO_MAX_BYTES];
  size_t len;
};

static struct letters letters_of(struct luaws_str name) {
  struct letters l = {.len = 0};
  for (size_t i = 0; i < name.len && l.len < LUAWS_TYPO_MAX_BYTES; i++) {
    unsigned char c = (unsigned char)name.ptr[i];
    if (isalnum(c)) l.text[l.len++] = (char)tolower(c);
  }
  return l;
}

void luaws_nearest_operations(const struct luaws_service *s, struct luaws_str name,
                              struct luaws_buf *out) {
  struct {
    struct luaws_str name;
    size_t away;
  } best[NEAREST_MAX];
  size_t count = 0;
  struct letters wanted = letters_of(name);
  size_t limit = wanted.len / 3 < 2 ? 2 : wanted.len / 3;
  for (uint32_t i = 0; i < s->operation_count; i++) {
    struct luaws_str candidate = luaws_ref_text(&luaws_service_method_at(s, i)->name);
    struct letters l = letters_of(candidate);
    size_t away = luaws_typo_distance((struct luaws_str){wanted.text, wanted.len},
                                      (struct luaws_str){l.text, l.len});
    if (away > limit) continue;
    size_t at = count;
    while (at > 0 && best[at - 1].away > away)
      at--;
    if (at == NEAREST_MAX) continue;
    if (count < NEAREST_MAX) count++;
    for (size_t k = count - 1; k > at; k--)
      best[k] = best[k - 1];
    best[at].name = candidate;
    best[at].away = away;
  }
  while (count > 1 && best[count - 1].away > best[0].away + 1)
    count--; /* beside an obvious one the merely possible only distract */
  for (size_t i = 0; i < count; i++) {
    luaws_buf_printf(out, "%s'%.*s'",
                     i == 0           ? "; did you mean "
                     : i == count - 1 ? " or "
                                      : ", ",
                     LUAWS_STR_ARG(best[i].name));
  }
  if (count) luaws_buf_append_char(out, '?');
}
