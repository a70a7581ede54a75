/* Any bytes as JSON: what parses prints, and what was printed parses to the same print.
 */
#include "value/json.h"
#include "value/tree.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  struct luaws_arena arena = {0};
  struct luaws_tree *tree, *again;
  struct luaws_error err = {0};
  struct luaws_buf first = {0}, second = {0};
  if (luaws_tree_parse(&arena, (struct luaws_str){(const char *)data, size}, &tree,
                       &err) == 0) {
    luaws_tree_print(tree, &first, 1);
    if (luaws_tree_parse(&arena, luaws_buf_str(&first), &again, &err) != 0) abort();
    luaws_tree_print(again, &second, 1);
    if (!luaws_str_eq(luaws_buf_str(&first), luaws_buf_str(&second))) abort();
  }
  luaws_buf_clear(&first);
  luaws_buf_clear(&second);
  luaws_error_clear(&err);
  luaws_arena_clear(&arena);
  return 0;
}
