#include "base/typo.h"

#include <string.h>

static char lower(char c) {
  return c >= 'A' && c <= 'Z' ? (char)(c + 32) : c;
}

static size_t least(size_t a, size_t b) {
  return a < b ? a : b;
}

size_t luaws_typo_distance(struct luaws_str a, struct luaws_str b) {
  size_t before[LUAWS_TYPO_MAX_BYTES + 1], above[LUAWS_TYPO_MAX_BYTES + 1],
      row[LUAWS_TYPO_MAX_BYTES + 1];
  if (a.len > LUAWS_TYPO_MAX_BYTES || b.len > LUAWS_TYPO_MAX_BYTES) return SIZE_MAX;
  for (size_t j = 0; j <= b.len; j++)
    before[j] = above[j] = j;
  for (size_t i = 1; i <= a.len; i++) {
    char x = lower(a.ptr[i - 1]);
    row[0] = i;
    for (size_t j = 1; j <= b.len; j++) {
      char y = lower(b.ptr[j - 1]);
      row[j] = least(above[j - 1] + (x != y), least(above[j], row[j - 1]) + 1);
      bool swapped =
          i > 1 && j > 1 && x == lower(b.ptr[j - 2]) && lower(a.ptr[i - 2]) == y;
      if (swapped) row[j] = least(row[j], before[j - 2] + 1);
    }
    memcpy(before, above, sizeof before);
    memcpy(above, row, sizeof above);
  }
  return above[b.len];
}
