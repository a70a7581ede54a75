#include "l_error.h"

#include <lauxlib.h>

static const char metatable_key;

void l_error_set_metatable(lua_State *L) {
  if (lua_rawgetp(L, LUA_REGISTRYINDEX, &metatable_key) != LUA_TTABLE) {
    lua_pop(L, 1);
    lua_getglobal(L, "require");
    lua_pushliteral(L, "luaws.errors");
    lua_call(L, 1, 1);
    lua_getfield(L, -1, "metatable");
    lua_remove(L, -2);
    lua_pushvalue(L, -1);
    lua_rawsetp(L, LUA_REGISTRYINDEX, &metatable_key);
  }
  lua_setmetatable(L, -2);
}

static int make_table(lua_State *L) {
  const struct luaws_error *err = lua_touserdata(L, 1);
  lua_createtable(L, 0, 2);
  lua_pushstring(L, err->kind ? err->kind : "BotoCoreError");
  lua_setfield(L, -2, "kind");
  lua_pushstring(L, luaws_error_message(err));
  lua_setfield(L, -2, "message");
  l_error_set_metatable(L);
  return 1;
}

/* Protected, since err is to be cleared whatever happens. */
void l_error_push(lua_State *L, struct luaws_error *err) {
  luaL_checkstack(L, 6, "no stack for an error");
  lua_pushcfunction(L, make_table);
  lua_pushlightuserdata(L, err);
  int rc = lua_pcall(L, 1, 1, 0);
  luaws_error_clear(err);
  if (rc != LUA_OK) lua_error(L);
}

int l_error_raise(lua_State *L, struct luaws_error *err) {
  l_error_push(L, err);
  return lua_error(L);
}

int l_raise(lua_State *L, const char *kind, const char *fmt, ...) {
  va_list args;
  va_start(args, fmt);
  lua_createtable(L, 0, 2);
  lua_pushstring(L, kind);
  lua_setfield(L, -2, "kind");
  lua_pushvfstring(L, fmt, args);
  lua_setfield(L, -2, "message");
  va_end(args);
  l_error_set_metatable(L);
  return lua_error(L);
}
