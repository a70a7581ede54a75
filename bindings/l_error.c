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

/* Takes the text before mark, and mark, off the front of s; false when it is not there.
 */
static bool take_until(struct luaws_str *s, struct luaws_str mark,
                       struct luaws_str *text) {
  ptrdiff_t at = luaws_str_find_str(*s, mark);
  if (at < 0) return false;
  *text = luaws_str_sub(*s, 0, (size_t)at);
  *s = luaws_str_sub(*s, (size_t)at + mark.len, s->len);
  return true;
}

static void set_part(lua_State *L, const char *name, struct luaws_str s) {
  lua_pushlstring(L, s.ptr ? s.ptr : "", s.len);
  lua_setfield(L, -2, name);
}

/* What a service answered to a call that the core made itself (AssumeRole, ...) comes as
   the line that is printed of it: taken apart, it has a code as any other. */
static bool set_service_error(lua_State *L, struct luaws_str line) {
  struct luaws_str none, code, operation;
  if (!take_until(&line, LUAWS_STR("An error occurred ("), &none) || none.len ||
      !take_until(&line, LUAWS_STR(") when calling the "), &code) ||
      !take_until(&line, LUAWS_STR(" operation: "), &operation)) {
    return false;
  }
  set_part(L, "code", code);
  set_part(L, "operation_name", operation);
  set_part(L, "message", line);
  return true;
}

static int make_table(lua_State *L) {
  const struct luaws_error *err = lua_touserdata(L, 1);
  lua_createtable(L, 0, 5);
  lua_pushstring(L, err->kind ? err->kind : "BotoCoreError");
  lua_setfield(L, -2, "kind");
  struct luaws_str message = luaws_str_from(luaws_error_message(err));
  if (err->advice_at) {
    set_part(L, "advice", luaws_str_sub(message, err->advice_at, message.len));
    message = luaws_str_sub(message, 0, err->advice_at);
  }
  if (err->code != LUAWS_E_SERVICE || !set_service_error(L, message)) {
    set_part(L, "message", message);
  }
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

void *l_check_self(lua_State *L, const char *type, const char *noun) {
  void *self = luaL_testudata(L, 1, type);
  if (!self) {
    l_raise(L, "TypeError", "%s was expected, not a %s; call its methods with ':'", noun,
            lua_isnone(L, 1) ? "nil" : luaL_typename(L, 1));
  }
  return self;
}
