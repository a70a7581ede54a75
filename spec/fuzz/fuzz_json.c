/* Any bytes as JSON: what parses prints, what was printed parses, and after the first
   time, which mends text that is no UTF-8, prints the same again. */
#include "value/json.h"
#include "value/tree.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static bool reprint(struct luaws_str text, struct luaws_buf *out) {
  struct luaws_arena arena = {0};
  struct luaws_tree *tree;
  struct luaws_error err = {0};
  int rc = luaws_tree_parse(&arena, text, &tree, &err);
  if (rc == 0) luaws_tree_print(tree, out, 1);
  luaws_error_clear(&err);
  luaws_arena_clear(&arena);
  return rc == 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  struct luaws_buf first = {0}, second = {0}, third = {0};
  if (reprint((struct luaws_str){(const char *)data, size}, &first)) {
    if (!reprint(luaws_buf_str(&first), &second)) abort();
    if (!reprint(luaws_buf_str(&second), &third)) abort();
    if (!luaws_str_eq(luaws_buf_str(&second), luaws_buf_str(&third))) abort();
  }
  luaws_buf_clear(&first);
  luaws_buf_clear(&second);
  luaws_buf_clear(&third);
  return 0;
}
