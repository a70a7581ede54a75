/* Any text as what else is read in Lua: page tokens, DynamoDB's numbers, documentation, …
 */
#include "lua_fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  return lua_fuzz("lua_text", data, size);
}
