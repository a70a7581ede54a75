/* Any text as a JMESPath expression, and any JSON that it searches. */
#include "lua_fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  return lua_fuzz("jmespath", data, size);
}
