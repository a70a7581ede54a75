#include "sign/pairs.h"

static int compare(const struct luaws_pair *a, const struct luaws_pair *b,
                   bool by_value) {
  int c = luaws_str_cmp(a->name, b->name);
  return c || !by_value ? c : luaws_str_cmp(a->value, b->value);
}

/* By insertion: there are rarely more than a dozen. */
void luaws_pairs_sort(struct luaws_pair *p, size_t count, bool by_value) {
  for (size_t i = 1; i < count; i++) {
    struct luaws_pair it = p[i];
    size_t j = i;
    for (; j > 0 && compare(&p[j - 1], &it, by_value) > 0; j--)
      p[j] = p[j - 1];
    p[j] = it;
  }
}

size_t luaws_query_count(struct luaws_str query) {
  size_t n = 1;
  for (size_t i = 0; i < query.len; i++)
    n += query.ptr[i] == '&';
  return n;
}

bool luaws_query_next(struct luaws_str *rest, struct luaws_pair *out) {
  if (!rest->ptr) return false;
  ptrdiff_t end = luaws_str_find(*rest, '&');
  struct luaws_str text = end < 0 ? *rest : luaws_str_sub(*rest, 0, (size_t)end);
  *rest = end < 0 ? LUAWS_STR_NONE : luaws_str_sub(*rest, (size_t)end + 1, rest->len);
  ptrdiff_t eq = luaws_str_find(text, '=');
  out->name = eq < 0 ? text : luaws_str_sub(text, 0, (size_t)eq);
  out->value = eq < 0 ? LUAWS_STR_NONE : luaws_str_sub(text, (size_t)eq + 1, text.len);
  return true;
}

struct luaws_str luaws_lower_copy(struct luaws_arena *arena, struct luaws_str s) {
  char *p = luaws_arena_alloc(arena, s.len + 1);
  for (size_t i = 0; p && i < s.len; i++)
    p[i] = s.ptr[i] >= 'A' && s.ptr[i] <= 'Z' ? (char)(s.ptr[i] + 32) : s.ptr[i];
  return (struct luaws_str){p, p ? s.len : 0};
}

bool luaws_is_space(char c) {
  return c == ' ' || (c >= '\t' && c <= '\r') || (c >= 0x1c && c <= 0x1f);
}
