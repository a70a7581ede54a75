/* Parsers that are written in Lua: a driver in spec/fuzz/NAME.lua returns a function that
   is called with the bytes, and raises what is a finding. The lines of Lua that run are
   counted for libFuzzer, which would see nothing but the interpreter otherwise. */
#ifndef LUAWS_FUZZ_LUA_FUZZ_H
#define LUAWS_FUZZ_LUA_FUZZ_H

#include <luaws.h>

#include <lauxlib.h>
#include <lualib.h>

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

/* One for a line, as good as a hash tells them apart. */
__attribute__((
    section("__libfuzzer_extra_counters"))) static uint8_t lua_fuzz_lines[1 << 14];

/* Lua frees when it likes, which would have libFuzzer look for leaks after every input.
 */
const char *__asan_default_options(void);
__attribute__((visibility("default"))) const char *__asan_default_options(void) {
  return "detect_leaks=0";
}

static inline void lua_fuzz_count(lua_State *L, lua_Debug *line) {
  lua_getinfo(L, "S", line);
  uintptr_t source = (uintptr_t)line->source >> 4;
  size_t at = (source * 2654435761u + (size_t)line->currentline * 40503u) % (1 << 14);
  if (lua_fuzz_lines[at] < 255) lua_fuzz_lines[at]++;
}

static inline lua_State *lua_fuzz_open(const char *driver) {
  char path[512];
  lua_State *L = luaL_newstate();
  if (!L) exit(2);
  luaL_openlibs(L);
  luaL_requiref(L, "luaws", luaopen_luaws, 0);
  snprintf(path, sizeof path, "%s/fuzz/%s.lua", LUAWS_SPEC_DIR, driver);
  if (luaL_dofile(L, path)) {
    fprintf(stderr, "%s\n", lua_tostring(L, -1));
    exit(2);
  }
  lua_sethook(L, lua_fuzz_count, LUA_MASKLINE, 0);
  return L;
}

static inline int lua_fuzz(const char *driver, const uint8_t *data, size_t size) {
  static lua_State *L;
  if (!L) L = lua_fuzz_open(driver);
  lua_pushvalue(L, -1);
  lua_pushlstring(L, (const char *)data, size);
  if (lua_pcall(L, 1, 0, 0)) {
    fprintf(stderr, "%s\n", luaL_tolstring(L, -1, NULL));
    abort();
  }
  return 0;
}

#endif
