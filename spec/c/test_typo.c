#include "base/typo.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

static void counts_changes_additions_omissions_and_swaps(void **state) {
  static const struct {
    const char *a, *b;
    size_t away;
  } cases[] = {
      {"", "", 0},         {"abc", "abc", 0},        {"ABC", "abc", 0},
      {"abc", "abd", 1},   {"abc", "abcd", 1},       {"abc", "ab", 1},
      {"abc", "acb", 1},   {"abc", "cab", 2},        {"", "abc", 3},
      {"Nmae", "Name", 1}, {"kitten", "sitting", 3}, {"bukcets", "buckets", 1},
  };
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    struct luaws_str a = luaws_str_from(cases[i].a), b = luaws_str_from(cases[i].b);
    assert_int_equal(luaws_typo_distance(a, b), cases[i].away);
    assert_int_equal(luaws_typo_distance(b, a), cases[i].away);
  }
}

static void gives_up_on_what_is_too_long(void **state) {
  char text[LUAWS_TYPO_MAX_BYTES + 1];
  memset(text, 'a', sizeof text);
  struct luaws_str fits = {text, LUAWS_TYPO_MAX_BYTES}, longer = {text, sizeof text};
  assert_int_equal(luaws_typo_distance(fits, LUAWS_STR("a")), LUAWS_TYPO_MAX_BYTES - 1);
  assert_true(luaws_typo_distance(longer, fits) == SIZE_MAX);
  assert_true(luaws_typo_distance(fits, longer) == SIZE_MAX);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(counts_changes_additions_omissions_and_swaps),
      cmocka_unit_test(gives_up_on_what_is_too_long),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
