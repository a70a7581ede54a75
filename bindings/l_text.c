#include "l_text.h"

#include <lauxlib.h>

struct luaws_str l_check_text(lua_State *L, int index) {
  struct luaws_str s;
  s.ptr = luaL_checklstring(L, index, &s.len);
  return s;
}

void l_push_text(lua_State *L, struct luaws_str s) {
  lua_pushlstring(L, s.ptr ? s.ptr : "", s.len);
}

void l_push_text_or_nil(lua_State *L, struct luaws_str s) {
  if (s.ptr)
    lua_pushlstring(L, s.ptr, s.len);
  else
    lua_pushnil(L);
}

static int push_buf(lua_State *L) {
  const struct luaws_buf *buf = lua_touserdata(L, 1);
  if (buf->failed) return luaL_error(L, "not enough memory");
  l_push_text(L, luaws_buf_str(buf));
  return 1;
}

int l_push_buf(lua_State *L, struct luaws_buf *buf) {
  lua_pushcfunction(L, push_buf);
  lua_pushlightuserdata(L, buf);
  int rc = lua_pcall(L, 1, 1, 0);
  luaws_buf_clear(buf);
  return rc == LUA_OK ? 1 : lua_error(L);
}

void l_set_text(lua_State *L, const char *name, struct luaws_str s) {
  if (!s.len) return;
  lua_pushlstring(L, s.ptr, s.len);
  lua_setfield(L, -2, name);
}

static int to_text(lua_State *L) {
  luaL_tolstring(L, 1, NULL);
  return 1;
}

const char *l_error_text(lua_State *L) {
  if (lua_type(L, -1) == LUA_TSTRING) return lua_tostring(L, -1);
  if (!lua_checkstack(L, 2)) return "an error";
  lua_pushcfunction(L, to_text);
  lua_insert(L, -2);
  lua_pcall(L, 1, 1, 0);
  const char *text = lua_type(L, -1) == LUA_TSTRING ? lua_tostring(L, -1) : NULL;
  return text ? text : "an error that is no text";
}
