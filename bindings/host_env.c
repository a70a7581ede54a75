/* What scripts of a host see. A restricted script gets a table of globals of its own with
   copies of Lua's libraries, so that nothing it changes is seen by luaws' modules, which
   use Lua's real ones. Two things besides could carry it out of its limits:
     - luaws working with files for it: the real io and os lose what it may not do;
     - finalizers, which Lua runs without hooks: no limit would end an endless one. So no
       metatable with __gc can be set, and metatables of others cannot be reached. */
#include "host.h"

#include <lauxlib.h>
#include <string.h>

static bool restricted(unsigned libraries) {
  return libraries != 0 && libraries != LUAWS_HOST_ALL;
}

/* ---- instead of Lua's own functions ---- */

static int denied(lua_State *L) {
  return luaL_error(L, "this host does not let scripts use %s",
                    lua_tostring(L, lua_upvalueindex(1)));
}

/* require in an environment without package. */
static int require_luaws(lua_State *L) {
  const char *name = luaL_checkstring(L, 1);
  if (strcmp(name, "luaws") != 0)
    return luaL_error(L, "this host lets scripts require luaws only, not '%s'", name);
  lua_pushvalue(L, lua_upvalueindex(1));
  return 1;
}

/* setmetatable without finalizers. The scripts' one notes in upvalue 1, a weak table,
   which metatables are theirs; luaws' own has none there. */
static int set_metatable(lua_State *L) {
  int type = lua_type(L, 2);
  luaL_checktype(L, 1, LUA_TTABLE);
  luaL_argexpected(L, type == LUA_TNIL || type == LUA_TTABLE, 2, "nil or table");
  if (luaL_getmetafield(L, 1, "__metatable") != LUA_TNIL)
    return luaL_error(L, "cannot change a protected metatable");
  lua_settop(L, 2);
  if (type == LUA_TTABLE) {
    lua_pushliteral(L, "__gc");
    if (lua_rawget(L, 2) != LUA_TNIL)
      return luaL_error(L, "this host does not let scripts set __gc");
    lua_settop(L, 2);
  }
  if (type == LUA_TTABLE && lua_istable(L, lua_upvalueindex(1))) {
    lua_pushvalue(L, 2);
    lua_pushboolean(L, 1);
    lua_rawset(L, lua_upvalueindex(1));
  }
  lua_setmetatable(L, 1);
  return 1;
}

/* getmetatable for the metatables that scripts have set; false for others. */
static int get_metatable(lua_State *L) {
  luaL_checkany(L, 1);
  if (!lua_getmetatable(L, 1)) {
    lua_pushnil(L);
    return 1;
  }
  if (luaL_getmetafield(L, 1, "__metatable") != LUA_TNIL) return 1;
  lua_pushvalue(L, -1);
  if (lua_rawget(L, lua_upvalueindex(1)) == LUA_TNIL)
    lua_pushboolean(L, 0);
  else
    lua_pop(L, 1);
  return 1;
}

/* ---- what could outlast the count hook ----

   Lua runs no hooks while one is at work, and an error that is raised in a hook leaves it
   at work until somebody catches it. So message handlers and what a dead coroutine has to
   close would run without hooks, endlessly if they like. */

/* xpcall's handler: the script's, except for the error that stops it. */
static int handle_message(lua_State *L) {
  if (l_host_stopped(l_host_of(L))) return 1;
  lua_settop(L, 1);
  lua_pushvalue(L, lua_upvalueindex(1));
  lua_insert(L, 1);
  lua_call(L, 1, 1);
  return 1;
}

static int all_results(lua_State *L, int status, lua_KContext ctx) {
  return lua_gettop(L);
}

static int guarded_xpcall(lua_State *L) {
  luaL_checktype(L, 2, LUA_TFUNCTION);
  lua_pushvalue(L, 2);
  lua_pushcclosure(L, handle_message, 1);
  lua_replace(L, 2);
  lua_pushvalue(L, lua_upvalueindex(1));
  lua_insert(L, 1);
  lua_callk(L, lua_gettop(L) - 1, LUA_MULTRET, 0, all_results);
  return all_results(L, LUA_OK, 0);
}

static int body_done(lua_State *L, int status, lua_KContext ctx) {
  return status == LUA_OK || status == LUA_YIELD ? lua_gettop(L) : lua_error(L);
}

/* What a coroutine runs: its function, whose error is caught once and raised again. */
static int body(lua_State *L) {
  int n = lua_gettop(L);
  lua_pushvalue(L, lua_upvalueindex(1));
  lua_insert(L, 1);
  return body_done(L, lua_pcallk(L, n, LUA_MULTRET, 0, 0, body_done), 0);
}

/* coroutine.create or wrap, Lua's own in upvalue 1. */
static int guarded_coroutine(lua_State *L) {
  luaL_checktype(L, 1, LUA_TFUNCTION);
  lua_settop(L, 1);
  lua_pushcclosure(L, body, 1);
  lua_pushvalue(L, lua_upvalueindex(1));
  lua_insert(L, 1);
  lua_call(L, 1, 1);
  return 1;
}

/* Replaces a field of the table on the top by a closure around what it was. */
static void wrap_field(lua_State *L, const char *name, lua_CFunction with) {
  lua_getfield(L, -1, name);
  lua_pushcclosure(L, with, 1);
  lua_setfield(L, -2, name);
}

void l_host_guard(lua_State *L) {
  lua_pushglobaltable(L);
  wrap_field(L, "xpcall", guarded_xpcall);
  lua_getfield(L, -1, "coroutine");
  wrap_field(L, "create", guarded_coroutine);
  wrap_field(L, "wrap", guarded_coroutine);
  lua_pop(L, 2);
}

/* ---- restrictions ---- */

/* Replaces the functions of a library: those named, or all of them. */
static void deny(lua_State *L, const char *library, const char *const *names) {
  lua_getglobal(L, library);
  if (!names) {
    lua_pushnil(L);
    while (lua_next(L, -2)) {
      bool function = lua_isfunction(L, -1) && strcmp(lua_tostring(L, -2), "type") != 0;
      lua_pop(L, 1);
      if (!function) continue;
      lua_pushvalue(L, -1); /* changing a field that is there does not disturb lua_next */
      lua_pushfstring(L, "%s.%s", library, lua_tostring(L, -2));
      lua_pushcclosure(L, denied, 1);
      lua_rawset(L, -4);
    }
  }
  for (int i = 0; names && names[i]; i++) {
    lua_pushfstring(L, "%s.%s", library, names[i]);
    lua_pushcclosure(L, denied, 1);
    lua_setfield(L, -2, names[i]);
  }
  lua_pop(L, 1);
}

void l_host_restrict(lua_State *L, unsigned libraries) {
  static const char *const processes[] = {"execute", "exit", "setlocale", NULL};
  static const char *const files[] = {"remove", "rename", "tmpname", NULL};
  if (!restricted(libraries)) return;
  if (!(libraries & LUAWS_HOST_IO)) deny(L, "io", NULL);
  if (!(libraries & LUAWS_HOST_OS)) deny(L, "os", processes);
  if (!(libraries & (LUAWS_HOST_IO | LUAWS_HOST_OS))) deny(L, "os", files);
  l_core(L)->no_files = !(libraries & LUAWS_HOST_IO);
  if (libraries & LUAWS_HOST_DEBUG) return;
  lua_pushnil(L);
  lua_pushcclosure(L, set_metatable, 1);
  lua_setglobal(L, "setmetatable");
}

/* ---- the environment ---- */

static void push_copy(lua_State *L, int globals, const char *name) {
  lua_getfield(L, globals, name);
  lua_newtable(L);
  lua_pushnil(L);
  while (lua_next(L, -3)) {
    lua_pushvalue(L, -2);
    lua_insert(L, -2);
    lua_rawset(L, -4);
  }
  lua_remove(L, -2);
}

static void set_require(lua_State *L, int globals, unsigned libraries) {
  lua_getfield(L, globals, "require");
  if (!(libraries & LUAWS_HOST_PACKAGE)) {
    lua_pushliteral(L, "luaws");
    lua_call(L, 1, 1);
    lua_pushcclosure(L, require_luaws, 1);
  }
  lua_setfield(L, -2, "require");
}

/* Replaces setmetatable and getmetatable in the environment on the top. */
static void protect_metatables(lua_State *L) {
  lua_newtable(L); /* the metatables that scripts have set */
  lua_createtable(L, 0, 1);
  lua_pushliteral(L, "k");
  lua_setfield(L, -2, "__mode");
  lua_setmetatable(L, -2);
  lua_pushvalue(L, -1);
  lua_pushcclosure(L, set_metatable, 1);
  lua_setfield(L, -3, "setmetatable");
  lua_pushcclosure(L, get_metatable, 1);
  lua_setfield(L, -2, "getmetatable");
}

void l_host_push_environment(lua_State *L, unsigned libraries) {
  static const struct {
    unsigned bit;
    const char *name;
  } tables[] = {{LUAWS_HOST_STRING, "string"},
                {LUAWS_HOST_TABLE, "table"},
                {LUAWS_HOST_MATH, "math"},
                {LUAWS_HOST_UTF8, "utf8"},
                {LUAWS_HOST_OS, "os"},
                {LUAWS_HOST_IO, "io"},
                {LUAWS_HOST_COROUTINE, "coroutine"},
                {LUAWS_HOST_DEBUG, "debug"}};
  static const char *const base[] = {
      "assert",   "collectgarbage", "error",  "getmetatable", "ipairs",
      "next",     "pairs",          "pcall",  "print",        "rawequal",
      "rawget",   "rawlen",         "rawset", "select",       "setmetatable",
      "tonumber", "tostring",       "type",   "_VERSION",     "xpcall",
      NULL};
  lua_pushglobaltable(L);
  if (!restricted(libraries)) return;
  int globals = lua_gettop(L);
  lua_newtable(L);
  for (size_t i = 0; i < sizeof tables / sizeof *tables; i++) {
    if (!(libraries & tables[i].bit)) continue;
    push_copy(L, globals, tables[i].name);
    lua_setfield(L, -2, tables[i].name);
  }
  if (libraries & LUAWS_HOST_PACKAGE) { /* the real one: require looks there */
    lua_getfield(L, globals, "package");
    lua_setfield(L, -2, "package");
  }
  for (int i = 0; (libraries & LUAWS_HOST_BASE) && base[i]; i++) {
    lua_getfield(L, globals, base[i]);
    lua_setfield(L, -2, base[i]);
  }
  set_require(L, globals, libraries);
  if ((libraries & LUAWS_HOST_BASE) && !(libraries & LUAWS_HOST_DEBUG))
    protect_metatables(L);
  lua_pushvalue(L, -1);
  lua_setfield(L, -2, "_G");
  lua_remove(L, globals);
}
