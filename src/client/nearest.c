#include "client/nearest.h"

#include <ctype.h>

enum { NAME_MAX_LETTERS = 96, NEAREST_MAX = 3 };

/* A name without its case and anything between its words: list_buckets is ListBuckets. */
struct letters {
  char text[NAME_MAX_LETTERS];
  size_t len;
};

static struct letters letters_of(struct luaws_str name) {
  struct letters l = {.len = 0};
  for (size_t i = 0; i < name.len && l.len < NAME_MAX_LETTERS; i++) {
    unsigned char c = (unsigned char)name.ptr[i];
    if (isalnum(c)) l.text[l.len++] = (char)tolower(c);
  }
  return l;
}

static size_t smaller(size_t a, size_t b) {
  return a < b ? a : b;
}

/* How many letters to change, add or leave out to get from a to b. */
static size_t distance(const struct letters *a, const struct letters *b) {
  size_t row[NAME_MAX_LETTERS + 1];
  for (size_t j = 0; j <= b->len; j++)
    row[j] = j;
  for (size_t i = 1; i <= a->len; i++) {
    size_t diagonal = row[0];
    row[0] = i;
    for (size_t j = 1; j <= b->len; j++) {
      size_t above = row[j];
      row[j] = smaller(smaller(above, row[j - 1]) + 1,
                       diagonal + (a->text[i - 1] != b->text[j - 1]));
      diagonal = above;
    }
  }
  return row[b->len];
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
    size_t away = distance(&wanted, &l);
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
