#include "l_paths.h"

#include <lauxlib.h>
#include <string.h>

#include "base/data_path.h"
#include "l_text.h"

void l_push_data_path(lua_State *L, const char *name) {
  struct luaws_buf path = {0};
  struct luaws_error err = {0};
  if (luaws_data_path(&path, name, &err)) {
    luaws_buf_clear(&path);
    lua_pushstring(L, luaws_error_message(&err));
    luaws_error_clear(&err);
    lua_error(L);
  }
  l_push_buf(L, &path);
}

/* A searcher for package.searchers: our own modules come from our own folder, whatever
 * package.path says. */
static int search(lua_State *L) {
  const char *name = luaL_checkstring(L, 1);
  if (strncmp(name, "luaws.", 6) != 0) return 0;
  luaL_gsub(L, name, ".", "/");
  lua_pushfstring(L, "lua/%s.lua", lua_tostring(L, -1));
  l_push_data_path(L, lua_tostring(L, -1));
  const char *path = lua_tostring(L, -1);
  if (luaL_loadfilex(L, path, NULL) == LUA_ERRFILE) {
    lua_pushfstring(L, "no file '%s'", path);
    return 1;
  }
  if (!lua_isfunction(L, -1)) return lua_error(L);
  lua_pushstring(L, path);
  return 2;
}

void l_paths_open(lua_State *L) {
  lua_getglobal(L, "package");
  lua_getfield(L, -1, "searchers");
  lua_Integer n = (lua_Integer)lua_rawlen(L, -1);
  for (lua_Integer i = n; i >= 2; i--) { /* after package.preload */
    lua_rawgeti(L, -1, i);
    lua_rawseti(L, -2, i + 1);
  }
  lua_pushcfunction(L, search);
  lua_rawseti(L, -2, 2);
  lua_pop(L, 2);
}
